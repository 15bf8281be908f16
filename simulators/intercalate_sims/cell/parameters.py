"""Parameter sets of the reduced intercalation cell: data with their sources.

A chemistry is an entry of `CELLS`, never a class of its own. Lengths are SI (m), contents are
fractions x of the host's sites. Activation energies act relative to 25 C.
"""

import math
from dataclasses import dataclass, replace

from intercalate_sims.cell.ocv import SitePotential, TanhPotential

FARADAY_C_PER_MOL = 96485.33212
GAS_CONSTANT = 8.31446262
REFERENCE_K = 298.15


@dataclass(frozen=True, slots=True)
class SideReactions:
    """What an electrode below 1 V against lithium does besides intercalating.

    Attributes
    ----------
    sei_charge_fraction
        Charge that forms the whole SEI, per charge of the full host.
    sei_potential_v
        Where reduction of the electrolyte sets in, against Li/Li+.
    sei_kinetic_time_s, sei_transport_time_s
        Time the whole SEI would take at `sei_potential_v` without transport limit, and far below it.
    sei_residual
        Rate that remains when the SEI is complete, relative to the fresh surface.
    sei_resistance_ohm_m2, sei_capacitance_f_m2
        Of the whole SEI, per area of particle: typical values of a film of 10 nm.
    plating_current_a_m2
        Exchange current density of Li/Li+ on the particles, per area of particle.
    plating_dead_fraction
        Part of the plated lithium that loses contact while the rest is stripped.
    plating_reference_c_m2
        Plated charge per electrode area above which stripping is not limited by how little there is.
    """

    sei_charge_fraction: float
    sei_potential_v: float = 0.8
    sei_kinetic_time_s: float = 40_000.0
    sei_transport_time_s: float = 5_000.0
    sei_residual: float = 1.0e-3
    sei_resistance_ohm_m2: float = 0.01
    sei_capacitance_f_m2: float = 0.01
    plating_current_a_m2: float = 0.1
    plating_dead_fraction: float = 0.1
    plating_reference_c_m2: float = 200.0


@dataclass(frozen=True, slots=True)
class PorousElectrode:
    """A coating of host particles.

    Attributes
    ----------
    sites_mol_m3
        Li sites per volume of host.
    site_mass_g_mol
        Mass of host per mole of Li sites (LiMO2, C6): the active loading follows from the sites, so
        that Li content, charge and mass always agree by Faraday's law.
    reaction_current_a_m2
        Exchange current density per particle area at x = 0.5, 1 mol/L, 25 C, divided by 0.5.
    double_layer_f_m2
        Per area of particle; a typical value.
    """

    material: str
    potential: TanhPotential | SitePotential
    thickness_m: float
    porosity: float
    active_fraction: float
    sites_mol_m3: float
    site_mass_g_mol: float
    particle_radius_m: float
    diffusivity_m2_s: float
    conductivity_s_m: float
    reaction_current_a_m2: float
    reaction_activation_j_mol: float
    diffusion_activation_j_mol: float
    side_reactions: SideReactions | None = None
    double_layer_f_m2: float = 0.2

    @property
    def sites_mol_m2(self) -> float:
        """Li sites per electrode area."""
        return self.active_fraction * self.thickness_m * self.sites_mol_m3

    @property
    def active_loading_mg_cm2(self) -> float:
        """Mass of host per electrode area."""
        return self.sites_mol_m2 * self.site_mass_g_mol * 0.1


@dataclass(frozen=True, slots=True)
class LithiumFoil:
    """A lithium metal electrode.

    Attributes
    ----------
    exchange_current_a_m2
        Of Li/Li+, per electrode area.
    double_layer_f_m2
        The same; a typical value.
    """

    exchange_current_a_m2: float
    thickness_m: float
    reaction_activation_j_mol: float
    material: str = "Li"
    double_layer_f_m2: float = 0.2


@dataclass(frozen=True, slots=True)
class Electrolyte:
    """Salt solution; conductivity and diffusivity as functions of c in mol/L.

    kappa = k1 c + k1.5 c^1.5 + k3 c^3 in S/m, D = d0 + d1 c + d2 c^2 in m2/s.
    """

    conductivity: tuple[float, float, float]
    diffusivity: tuple[float, float, float]
    transference_number: float
    activation_j_mol: float


@dataclass(frozen=True, slots=True)
class CellParameters:
    """One cell chemistry per electrode area, with the disc it is built as.

    Attributes
    ----------
    positive_x_fresh, negative_x_fresh
        Li content as assembled.
    positive_x_window, negative_x_window
        Li content of the formed cell at 0 and at 100 % state of charge.
    nominal_capacity_ah_m2
        For 1C.
    heat_capacity_j_m2_k, heat_loss_w_m2_k
        Of the whole cell, per electrode area.
    heterogeneity
        Relative scatter of the loading over the slices, and of x between neighbouring particles.
    temperature_c
        At which it is kept where nobody says otherwise.
    """

    name: str
    positive: PorousElectrode
    negative: PorousElectrode | LithiumFoil
    electrolyte: Electrolyte
    separator_thickness_m: float
    separator_porosity: float
    contact_resistance_ohm_m2: float
    positive_x_fresh: float
    negative_x_fresh: float
    positive_x_window: tuple[float, float]
    negative_x_window: tuple[float, float]
    nominal_capacity_ah_m2: float
    area_cm2: float
    heat_capacity_j_m2_k: float
    heat_loss_w_m2_k: float
    source: str
    heterogeneity: float = 0.01
    temperature_c: float = 25.0


NMC811_CHEN2020 = TanhPotential(
    constant_v=4.4875,
    slope_v=-0.8090,
    exponentials=(),
    tanhs=((-0.0428, 18.5138, 0.5542), (-17.7326, 15.7890, 0.3117), (17.5842, 15.9308, 0.3120)),
)
GRAPHITE_CHEN2020 = TanhPotential(
    constant_v=0.2482,
    slope_v=0.0,
    exponentials=((1.9793, -39.3631),),
    tanhs=((-0.0909, 29.8538, 0.1234), (-0.04478, 14.9159, 0.2769), (-0.0205, 30.4444, 0.6103)),
)
GRAPHITE_VERBRUGGE2017 = SitePotential(
    sites=(
        (0.08843, 0.43336, 0.08611),
        (0.12799, 0.23963, 0.08009),
        (0.14331, 0.15018, 0.72469),
        (0.16984, 0.05462, 2.53277),
        (0.21446, 0.06744, 0.09470),
        (0.36325, 0.05476, 5.97354),
    )
)

LIPF6_NYMAN2008 = Electrolyte(
    conductivity=(3.329, -2.51, 0.1297),
    diffusivity=(4.862e-10, -3.972e-10, 8.794e-11),
    transference_number=0.2594,
    activation_j_mol=17_000.0,
)
"""LiPF6 in EC:EMC 3:7: Nyman, Behm & Lindbergh, Electrochim. Acta 53 (2008) 6356; t+ of Chen et al. 2020.

The activation energy is a common value for carbonate electrolytes, not from that paper.
"""

PEO_LITFSI = Electrolyte(
    conductivity=(0.0102, -0.0070, 0.0006),
    diffusivity=(1.6e-12, 0.0, 0.0),
    transference_number=0.2,
    activation_j_mol=60_000.0,
)
"""LiTFSI in poly(ethylene oxide), amorphous, 1 mol/L: about 2.5e-2 S/m and 1e-11 m2/s at 50 degC, as usual
for block copolymers; an illustration, not from one paper. Plain PEO crystallises below 60 degC and is worse.
"""

LFP_PRADA2013 = TanhPotential(
    constant_v=3.4077,
    slope_v=-0.020269,
    exponentials=((0.5, -150.0), (-0.9 * math.exp(-30.0), 30.0)),
    tanhs=(),
)
"""Afshar et al. 2017, as in PyBaMM's set Prada2013."""

DISC_14_MM_CM2 = 1.539

NMC811_GRAPHITE = CellParameters(
    name="nmc811-graphite",
    positive=PorousElectrode(
        material="NMC811",
        potential=NMC811_CHEN2020,
        thickness_m=75.6e-6,
        porosity=0.335,
        active_fraction=0.665,
        sites_mol_m3=63104.0,
        site_mass_g_mol=97.28,
        particle_radius_m=5.22e-6,
        diffusivity_m2_s=4.0e-15,
        conductivity_s_m=0.18,
        reaction_current_a_m2=3.42e-6 * 1000.0**0.5 * 63104.0,
        reaction_activation_j_mol=17_800.0,
        diffusion_activation_j_mol=25_000.0,
    ),
    negative=PorousElectrode(
        material="graphite",
        potential=GRAPHITE_CHEN2020,
        thickness_m=85.2e-6,
        porosity=0.25,
        active_fraction=0.75,
        sites_mol_m3=33133.0,
        site_mass_g_mol=72.07,
        particle_radius_m=5.86e-6,
        diffusivity_m2_s=3.3e-14,
        conductivity_s_m=215.0,
        reaction_current_a_m2=6.48e-7 * 1000.0**0.5 * 33133.0,
        reaction_activation_j_mol=35_000.0,
        diffusion_activation_j_mol=30_000.0,
        side_reactions=SideReactions(sei_charge_fraction=0.085),
    ),
    electrolyte=LIPF6_NYMAN2008,
    separator_thickness_m=12.0e-6,
    separator_porosity=0.47,
    contact_resistance_ohm_m2=0.0,
    positive_x_fresh=0.9256,
    negative_x_fresh=0.004,
    positive_x_window=(0.853975, 0.263845),
    negative_x_window=(0.026346, 0.910618),
    nominal_capacity_ah_m2=5.0 / 0.1027,
    area_cm2=DISC_14_MM_CM2,
    heat_capacity_j_m2_k=17_500.0,
    heat_loss_w_m2_k=52.0,
    source=(
        "Chen et al., J. Electrochem. Soc. 167 (2020) 080534, as in PyBaMM's set Chen2020, whose "
        "cut-offs 2.5 and 4.2 V give the window of x. positive_x_fresh is chosen so that the inventory "
        "left after the SEI is that set's. Activation energies of diffusion, SEI, plating and heat "
        "(a 2032 coin cell of 2.7 J/K losing 8 mW/K) are typical values, not from that paper."
    ),
)

GRAPHITE_LITHIUM = CellParameters(
    name="graphite-li",
    positive=PorousElectrode(
        material="graphite",
        potential=GRAPHITE_VERBRUGGE2017,
        thickness_m=60.0e-6,
        porosity=0.35,
        active_fraction=0.60,
        sites_mol_m3=31_370.0,
        site_mass_g_mol=72.07,
        particle_radius_m=5.86e-6,
        diffusivity_m2_s=3.3e-14,
        conductivity_s_m=215.0,
        reaction_current_a_m2=6.48e-7 * 1000.0**0.5 * 33133.0,
        reaction_activation_j_mol=35_000.0,
        diffusion_activation_j_mol=30_000.0,
        side_reactions=SideReactions(sei_charge_fraction=0.10),
    ),
    negative=LithiumFoil(
        exchange_current_a_m2=15.0, thickness_m=250.0e-6, reaction_activation_j_mol=30_000.0
    ),
    electrolyte=LIPF6_NYMAN2008,
    separator_thickness_m=25.0e-6,
    separator_porosity=0.47,
    contact_resistance_ohm_m2=0.0,
    positive_x_fresh=0.003,
    negative_x_fresh=0.0,
    positive_x_window=(0.98, 0.01),
    negative_x_window=(0.0, 0.0),
    nominal_capacity_ah_m2=30.0,
    area_cm2=DISC_14_MM_CM2,
    heat_capacity_j_m2_k=17_500.0,
    heat_loss_w_m2_k=52.0,
    source=(
        "Staging potential: Verbrugge et al., J. Electrochem. Soc. 164 (2017) E3243, table of graphite. "
        "Sites: 372 mAh/g and 2.26 g/cm3. Kinetics and diffusion: graphite of Chen et al. 2020. "
        "Coating (3.0 mAh/cm2), foil and its exchange current are typical values. + current charges the "
        "cell, which takes lithium out of the graphite: the first lithiation is a discharge."
    ),
)

LITHIUM_50_UM = LithiumFoil(
    exchange_current_a_m2=5.0, thickness_m=50.0e-6, reaction_activation_j_mol=50_000.0
)
"""On a polymer; its exchange current is of the order that is measured there at 25 degC."""

LFP_POLYMER_LITHIUM = CellParameters(
    name="lfp-polymer-li",
    positive=PorousElectrode(
        material="LFP",
        potential=LFP_PRADA2013,
        thickness_m=45.0e-6,
        porosity=0.40,
        active_fraction=0.45,
        sites_mol_m3=22_806.0,
        site_mass_g_mol=157.76,
        particle_radius_m=1.0e-7,
        diffusivity_m2_s=5.9e-18,
        conductivity_s_m=0.34,
        reaction_current_a_m2=2.0e-2,
        reaction_activation_j_mol=30_000.0,
        diffusion_activation_j_mol=35_000.0,
    ),
    negative=LITHIUM_50_UM,
    electrolyte=PEO_LITFSI,
    separator_thickness_m=30.0e-6,
    separator_porosity=1.0,
    contact_resistance_ohm_m2=5.0e-4,
    positive_x_fresh=0.98,
    negative_x_fresh=0.0,
    positive_x_window=(0.98, 0.02),
    negative_x_window=(0.0, 0.0),
    nominal_capacity_ah_m2=11.8,
    area_cm2=DISC_14_MM_CM2,
    heat_capacity_j_m2_k=8_000.0,
    heat_loss_w_m2_k=52.0,
    temperature_c=50.0,
    source=(
        "Potential, sites and diffusivity of LFP: Prada et al., J. Electrochem. Soc. 160 (2013) A616, as in "
        "PyBaMM's set Prada2013, with particles of 100 nm. Pores are full of polymer. Coating (1.2 mAh/cm2), "
        "kinetics and foil are typical values."
    ),
)

GRAPHITE_POLYMER_LITHIUM = replace(
    GRAPHITE_LITHIUM,
    name="graphite-polymer-li",
    positive=replace(GRAPHITE_LITHIUM.positive, thickness_m=30.0e-6),
    negative=LITHIUM_50_UM,
    electrolyte=PEO_LITFSI,
    separator_thickness_m=30.0e-6,
    separator_porosity=1.0,
    contact_resistance_ohm_m2=5.0e-4,
    nominal_capacity_ah_m2=15.0,
    temperature_c=50.0,
    source=(
        f"{GRAPHITE_LITHIUM.source} Half the coating, in a polymer that fills its pores, against a foil of "
        "50 um."
    ),
)

CELLS: dict[str, CellParameters] = {
    p.name: p for p in (NMC811_GRAPHITE, GRAPHITE_LITHIUM, LFP_POLYMER_LITHIUM, GRAPHITE_POLYMER_LITHIUM)
}

"""Shapes of the parameters of the reduced intercalation cell; the figures are files in `data`.

Lengths are SI (m), contents are fractions x of the host's sites. Activation energies act relative to 25 C.
"""

from dataclasses import dataclass

from intercalate_sims.cell.ocv import SitePotential, TablePotential, TanhPotential

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
    isolated_share
        Part of the particles still in contact that lose it while the charge of one whole SEI passes into
        the film: exfoliation, where a solvent goes in with the lithium. 0 of a film that passivates.
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
    isolated_share: float = 0.0


@dataclass(frozen=True, slots=True)
class HighVoltageFade:
    """What becomes of an electrode that is held high: particles crack and lose contact, and a layer grows.

    Both go on in proportion to the time above a potential and to how far above it is.

    Attributes
    ----------
    onset_v
        Against Li/Li+, of the electrode at its collector.
    loss_per_v_h
        Part of the particles still in contact that lose it for each volt above and hour.
    resistance_ohm_m2_per_v_h
        Of the layer, per electrode area, in series with the cell.
    """

    onset_v: float
    loss_per_v_h: float
    resistance_ohm_m2_per_v_h: float

    def over_v_h(self, potential_v: float, dt_s: float) -> float:
        """Time above the onset, times how far above."""
        return max(potential_v - self.onset_v, 0.0) * dt_s / 3600.0


@dataclass(frozen=True, slots=True)
class Cracking:
    """What becomes of particles that swell with lithium: they crack, and the pieces lose contact.

    The energy that swelling stores in a particle grows with its volume, what new faces cost with its surface:
    below a critical size none cracks. Larger ones do in proportion to the lithium that goes in or out, and to
    the part of their radius that is beyond the critical one. The film on new faces is left out.

    Attributes
    ----------
    critical_radius_m
        Below which particles stay whole.
    loss_per_turn
        Part of the particles still in contact that lose it while x goes from 0 to 1 or back, where they are
        much larger than that.
    """

    critical_radius_m: float
    loss_per_turn: float

    def share(self, radius_m: float) -> float:
        """Of particles of a size, while x goes from 0 to 1 or back."""
        return self.loss_per_turn * max(1.0 - self.critical_radius_m / radius_m, 0.0)


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
    potential: TanhPotential | SitePotential | TablePotential
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
    high_voltage: HighVoltageFade | None = None
    cracking: Cracking | None = None
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
class LithiumGrowth:
    """How lithium grows on lithium, and when it reaches through what is between.

    Attributes
    ----------
    turnover_current_a_m2
        At which half of what is plated grows as needles; of a garnet its critical current density. A world
        can be made with another one, of which nobody is told.
    turnover_sharpness
        Power of the current density in that share.
    flat_share, globule_share
        Of what does not grow as needles: what grows densely, and in globules at impurities. The rest is moss.
    needle_coverage, needle_diameter_m
        Of the area, on which needles stand.
    moss_charge_c_m2
        After which moss covers 63 % of the area.
    moss_porosity
        Of moss.
    globules_m2
        Number of impurities per area.
    dead_fraction
        Part of the grown lithium that loses contact while the rest is stripped.
    film_fraction
        Part of the plated lithium that reacts with the electrolyte at once.
    short_resistance_ohm_m2
        Between the electrodes after a needle has reached from one to the other.
    """

    turnover_current_a_m2: float
    turnover_sharpness: float
    flat_share: float
    globule_share: float
    needle_coverage: float
    needle_diameter_m: float
    moss_charge_c_m2: float
    moss_porosity: float
    globules_m2: float
    dead_fraction: float
    film_fraction: float
    short_resistance_ohm_m2: float


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
    growth
        How lithium grows on a foil; None where it is not followed. It does not act back on the cell.
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
    growth: LithiumGrowth | None = None


@dataclass(frozen=True, slots=True)
class LithiumCellParameters:
    """Two electrodes of lithium with an electrolyte between, per electrode area.

    Attributes
    ----------
    salt_mol_l
        As filled in; conductivity and diffusivity of the electrolyte are functions of it.
    interface_ohm_m2
        Of each face of lithium, ohmic.
    nominal_capacity_ah_m2
        For 1C: what a cycle usually moves.
    """

    name: str
    electrode: LithiumFoil
    electrolyte: Electrolyte
    growth: LithiumGrowth
    separator_thickness_m: float
    separator_porosity: float
    salt_mol_l: float
    contact_resistance_ohm_m2: float
    interface_ohm_m2: float
    nominal_capacity_ah_m2: float
    area_cm2: float
    heat_capacity_j_m2_k: float
    heat_loss_w_m2_k: float
    source: str
    temperature_c: float = 25.0


@dataclass(frozen=True, slots=True)
class SulfurCellParameters:
    """Sulfur against lithium, as the zero-dimensional model sees it.

    Attributes
    ----------
    sulfur_g_m2
        Loading.
    high_potential_v, low_potential_v
        Standard potentials of S8 to S4(2-) and of S4(2-) to S2(2-) and S(2-), against Li/Li+.
    high_exchange_a_m2, low_exchange_a_m2
        Exchange current densities, per area on which they react.
    surface_m2_g, electrolyte_l_g
        That area, and the electrolyte, per gram of sulfur.
    precipitate_g_l
        Density of what precipitates.
    precipitation_per_s
        Rate at which S(2-) precipitates on what has, and dissolves from it.
    saturation_share
        S(2-) that stays dissolved, in parts of all sulfur.
    shuttle_per_s
        Rate at which dissolved S8 is reduced to S4(2-) by the lithium.
    nominal_capacity_ah_m2
        For 1C.
    chain_atoms
        Of the polysulfide between both plateaus: S4(2-), or a longer one, in whose place it then stands.
    comproportionation
        Constant of S6(2-) + S2(2-) = 2 S4(2-), by which S4(2-) is there beside a longer one.
    sulfur_solubility_mol_l, polysulfide_solubility_mol_l, disulfide_solubility_mol_l
        In mol of sulfur per litre: of S8, of each of the longer polysulfides, and of Li2S2.
    electrolyte
        Its name.
    """

    name: str
    negative: LithiumFoil
    sulfur_g_m2: float
    high_potential_v: float
    low_potential_v: float
    high_exchange_a_m2: float
    low_exchange_a_m2: float
    surface_m2_g: float
    electrolyte_l_g: float
    precipitate_g_l: float
    precipitation_per_s: float
    saturation_share: float
    shuttle_per_s: float
    contact_resistance_ohm_m2: float
    thickness_m: float
    separator_thickness_m: float
    nominal_capacity_ah_m2: float
    area_cm2: float
    source: str
    temperature_c: float = 25.0
    chain_atoms: float = 4.0
    comproportionation: float = 0.0
    sulfur_solubility_mol_l: float = 0.3
    polysulfide_solubility_mol_l: float = 8.0
    disulfide_solubility_mol_l: float = 0.01
    electrolyte: str = "LiTFSI in DOL:DME"

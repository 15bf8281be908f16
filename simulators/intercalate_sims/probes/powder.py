"""Powder lines of every part of a cell: where they fall on the detector and how strong they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from intercalate.materials import GRAPHITE, NMC811, electrode, metal, polymer
from intercalate.materials.constants import AVOGADRO_PER_MOL, FARADAY_C_PER_MOL
from intercalate.materials.crystals import PowderLines, crystal, powder_lines, unit_cell
from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.cell.sulfur_speciation import SULFUR_G_MOL
from intercalate_sims.probes import scattering
from intercalate_sims.probes.lattice import (
    LITHIUM_RICH,
    crystallites,
    graphite_stages,
    lithium_rich_lattice,
    olivine_phases,
    one_by_one,
    oxide_lattice,
)

_ANGSTROM_PER_UM = 1e4
TRANSMISSION_OF_STACK = 0.62
"""Of the whole stack at 25 keV, mostly lost in the copper; taken as one factor for all lines."""


@dataclass(frozen=True, slots=True)
class CellMakeup:
    """What else is in the beam, and where: the parts of a cell that do not change with charge.

    The beam passes window, positive collector, positive electrode, separator, negative electrode,
    negative collector, window. Depths count from the middle of the separator, + downstream.

    Attributes
    ----------
    displacement_um
        Middle of the separator from the place the geometry was calibrated for, + downstream.
    nmc_texture, graphite_texture
        March-Dollase coefficients; above 1 the 00l lines are weak in transmission.
    area_cm2
        Of the electrodes; turns plated charge into a thickness.
    reflects
        The electrode on whose collector the beam may fall at a small angle, through a window that spans the
        cell; empty where there is none.
    filling
        What is in the coating besides the active material, as kind of `materials.attenuation` and g/cm3 of
        the coating.
    """

    positive_collector: str = "Al"
    positive_collector_um: float = 16.0
    negative_collector: str = "Cu"
    negative_collector_um: float = 12.0
    separator_um: float = 25.0
    separator_solid_fraction: float = 0.55
    electrolyte_um: float = 60.0
    window_um: float = 125.0
    lithium_um: float = 100.0
    area_cm2: float = 1.0
    displacement_um: float = 30.0
    nmc_texture: float = 1.2
    graphite_texture: float = 1.4
    reflects: str = ""
    filling: tuple[tuple[str, float], ...] = (("electrolyte", 0.44), ("carbon", 0.36))
    foil_texture: tuple[tuple[str, float], ...] = (("111", 0.7), ("200", 1.1), ("220", 1.6), ("311", 1.1))


_HALF_CELLS = {
    **{f"graphite{kind}-li": ("Cu", 12.0) for kind in ("", "-ecdec", "-pc", "-thf", "-wetdmc")},
    "lfp-li": ("Al", 15.0),
    "lfp-thick-li": ("Al", 15.0),
    "lirich-li": ("Al", 15.0),
    **{f"sulfur{kind}-li": ("Al", 15.0) for kind in ("", "-ether", "-py13fsi")},
}
"""Collector of the working electrode against lithium with a liquid between, and its thickness in um."""
_REFLECTING = {"lfp-thick-li": "positive"}
"""Cells whose window lets the beam in and out at small angles, and the electrode under it."""


def makeup_of(cell_model: str) -> CellMakeup:
    """What surrounds the electrodes of a cell of this model."""
    if cell_model in _HALF_CELLS:
        collector, thickness_um = _HALF_CELLS[cell_model]
        return CellMakeup(
            positive_collector=collector,
            positive_collector_um=thickness_um,
            negative_collector_um=0.0,
            lithium_um=250.0,
            separator_um=25.0,
            window_um=50.0,
            area_cm2=1.539,
            reflects=_REFLECTING.get(cell_model, ""),
        )
    return CellMakeup(separator_um=12.0, window_um=50.0, area_cm2=1.539)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one phase.

    Attributes
    ----------
    phase
        Key of `intercalate.materials`.
    inverse_d
        1/d in 1/A.
    fraction
        Of the incident photons that each line takes, polarisation aside.
    depth_um
        Downstream of the middle of the separator.
    """

    phase: str
    inverse_d: np.ndarray
    fraction: np.ndarray
    depth_um: np.ndarray


def all_lines(
    states: Sequence[tuple[float, ProbeState]], makeup: CellMakeup, wavelength_angstrom: float
) -> list[Lines]:
    """Every powder line of a cell, averaged over an exposure."""
    found = []
    found.extend(_sulfur_lines(states, makeup, wavelength_angstrom))
    for side, sign in (("positive", -1.0), ("negative", 1.0)):
        weighted = [(weight, getattr(state, side)) for weight, state in states]
        found.extend(_electrode_lines(weighted, sign, makeup, wavelength_angstrom))
        found.append(_collector_lines(side, sign, states, makeup, wavelength_angstrom))
    found.append(separator_lines(makeup, wavelength_angstrom))
    plated = sum(weight * state.plated_li_ah for weight, state in states)
    if plated > 0:
        grams_cm2 = plated * 3600 / FARADAY_C_PER_MOL * electrode("Li").molar_mass_g_mol / makeup.area_cm2
        thickness_um = grams_cm2 / metal("Li").density_g_cm3 * 1e4
        temperature = _mean_temperature(states)
        found.append(
            _metal_lines(
                "Li", thickness_um, makeup.separator_um / 2, temperature, makeup, wavelength_angstrom
            )
        )
    return [lines for lines in found if lines.fraction.size]


def _electrode_lines(
    weighted: Sequence[tuple[float, ElectrodeState]],
    sign: float,
    makeup: CellMakeup,
    wavelength_angstrom: float,
) -> list[Lines]:
    material = weighted[0][1].material
    face_um = makeup.separator_um / 2
    if material == "Li":
        depth = sign * (face_um + makeup.lithium_um / 2)
        return [_metal_lines("Li", makeup.lithium_um, depth, 25.0, makeup, wavelength_angstrom)]
    if material == "NMC811":
        return [_oxide_lines(weighted, sign, face_um, makeup, wavelength_angstrom)]
    if material == "graphite":
        return _graphite_lines(weighted, sign, face_um, makeup, wavelength_angstrom)
    if material == "LFP":
        return _olivine_lines(weighted, sign, face_um, makeup, wavelength_angstrom)
    if material == "S":
        return []
    if material == LITHIUM_RICH:
        return [_lithium_rich_lines(weighted, sign, face_um, makeup, wavelength_angstrom)]
    raise ValueError(
        f"no diffraction model of an electrode of {material!r}; "
        f"there are models of NMC811, {LITHIUM_RICH}, graphite, LFP, S and Li"
    )


def _cells_per_angstrom2(
    weighted: Sequence[tuple[float, ElectrodeState]], formula_units_per_cell: float
) -> float:
    state = weighted[0][1]
    mol_cm2 = state.active_loading_mg_cm2 * 1e-3 / electrode(state.material).molar_mass_g_mol
    return mol_cm2 * AVOGADRO_PER_MOL * 1e-16 / formula_units_per_cell


def _oxide_lines(
    weighted: Sequence[tuple[float, ElectrodeState]],
    sign: float,
    face_um: float,
    makeup: CellMakeup,
    wavelength_angstrom: float,
) -> Lines:
    sample = crystallites(weighted)
    cells = _cells_per_angstrom2(weighted, 3.0)
    a, c = oxide_lattice(sample.li_content)
    indices = np.array([(r.h, r.k, r.l, r.multiplicity) for r in NMC811.reflections], dtype=float).T
    h, k, index_l, multiplicity = indices[:, :, None]
    inverse_d = scattering.inverse_d_hexagonal(h, k, index_l, a, c)
    squared = scattering.oxide_structure_factor_squared(NMC811, index_l, sample.li_content, inverse_d)
    volume = np.sqrt(3) / 2 * a**2 * c
    fraction = scattering.cone_fraction(
        squared, multiplicity, volume, cells * sample.weight, inverse_d, wavelength_angstrom
    )
    fraction = fraction * scattering.march_dollase(inverse_d, index_l / c, makeup.nmc_texture)
    depth = np.broadcast_to(sign * (face_um + sample.depth_um), inverse_d.shape)
    return _flat("NMC811", inverse_d, fraction, depth)


@cache
def _layers_at(hundredths: int) -> PowderLines:
    """Of the lithium-rich oxide, with the strengths of this lithium content."""
    return powder_lines(crystal(LITHIUM_RICH), hundredths / 100.0)


def _lithium_rich_lines(
    weighted: Sequence[tuple[float, ElectrodeState]],
    sign: float,
    face_um: float,
    makeup: CellMakeup,
    wavelength_angstrom: float,
) -> Lines:
    """Lines of the layered structure; those of the order of lithium and manganese are left out."""
    sample = crystallites(weighted)
    # Of 3.6 sites of lithium, 0.6 are in the layers of the metals.
    cells = _cells_per_angstrom2(weighted, 3.6)
    a, c = lithium_rich_lattice(sample.li_content, weighted[0][1].host)
    lines = _layers_at(round(100.0 * float(sample.weight @ sample.li_content)))
    h, k, layer = lines.hkl.T.astype(float)[:, :, None]
    inverse_d = scattering.inverse_d_hexagonal(h, k, layer, a, c)
    debye_waller = np.exp(-scattering.DEBYE_WALLER_B_ANGSTROM2["oxide"] * inverse_d**2 / 2)
    fraction = scattering.cone_fraction(
        lines.strength[:, None] * debye_waller,
        1.0,
        np.sqrt(3) / 2 * a**2 * c,
        cells * sample.weight,
        inverse_d,
        wavelength_angstrom,
    )
    fraction = fraction * scattering.march_dollase(inverse_d, layer / c, makeup.nmc_texture)
    depth = np.broadcast_to(sign * (face_um + sample.depth_um), inverse_d.shape)
    return _flat(LITHIUM_RICH, inverse_d, fraction, depth)


def _graphite_lines(
    weighted: Sequence[tuple[float, ElectrodeState]],
    sign: float,
    face_um: float,
    makeup: CellMakeup,
    wavelength_angstrom: float,
) -> list[Lines]:
    sample = crystallites(weighted)
    cells = _cells_per_angstrom2(weighted, 1 / 3)
    found = []
    for share in graphite_stages(sample.li_content, weighted[0][1].host):
        present = np.flatnonzero(share.fraction > 0)
        if not present.size:
            continue
        x, d = share.li_content[present], share.layer_spacing_angstrom[present]
        a = share.in_plane_a_angstrom[present]
        weight = (sample.weight * share.fraction)[present]
        depth = sign * (face_um + sample.depth_um[present])
        volume = np.sqrt(3) / 2 * a**2 * d
        for r in GRAPHITE.reflections[GRAPHITE.stage(share.stage).stacking]:
            inverse_d = scattering.inverse_d_hexagonal(r.h, r.k, r.l, a, d)
            squared = scattering.graphite_structure_factor_squared(
                share.stage, r.h, r.k, r.l, x, d, inverse_d
            )
            fraction = scattering.cone_fraction(
                squared, r.multiplicity, volume, cells * weight, inverse_d, wavelength_angstrom
            )
            fraction = fraction * scattering.march_dollase(inverse_d, r.l / d, makeup.graphite_texture)
            found.append(Lines("graphite", inverse_d, fraction, depth))
    joined = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("inverse_d", "fraction", "depth_um")
    )
    return [Lines("graphite", *joined)]


@cache
def _lines_of(phase: str) -> tuple[PowderLines, float]:
    """Of an end of LFP: lines with the strength that they have there, and formula units per cell."""
    content = 1.0 if phase == "LFP" else 0.0
    atoms = unit_cell(crystal(phase), content)
    return powder_lines(crystal(phase), content), float(next(len(at) for of, at, _ in atoms if of == "Fe"))


def _olivine_lines(
    weighted: Sequence[tuple[float, ElectrodeState]],
    sign: float,
    face_um: float,
    makeup: CellMakeup,
    wavelength_angstrom: float,
) -> list[Lines]:
    """LFP and FePO4, without texture: their particles are round, or nearly."""
    found = []
    for weight, state, sample in one_by_one(weighted):
        depth_um = sign * (face_um + sample.depth_um)
        for share in olivine_phases(sample.li_content, state.host, state.rate_per_h):
            present = np.flatnonzero(share.fraction > 0)
            if not present.size:
                continue
            lines, formula_units = _lines_of(share.phase)
            cells = _cells_per_angstrom2(weighted, formula_units) * weight
            lengths = share.lengths_angstrom[present]
            inverse_d = np.sqrt(lines.hkl**2 @ (1 / lengths**2).T)
            debye_waller = np.exp(-scattering.DEBYE_WALLER_B_ANGSTROM2["oxide"] * inverse_d**2 / 2)
            fraction = scattering.cone_fraction(
                lines.strength[:, None] * debye_waller,
                1.0,
                lengths.prod(axis=1),
                cells * (sample.weight * share.fraction)[present],
                inverse_d,
                wavelength_angstrom,
            )
            depth = np.broadcast_to(depth_um[present], inverse_d.shape)
            found.append(_flat(share.phase, inverse_d, fraction, depth))
    return found


SULFUR_CRYSTALS = {"S8": 128.0, "Li2S": 4.0}
"""Crystals of sulfur with atoms of it in a cell."""


@cache
def _sulfur_crystal(phase: str) -> tuple[PowderLines, float]:
    """Lines, and the volume of a cell in A^3."""
    return powder_lines(crystal(phase), 1.0, least_d_angstrom=1.2), float(crystal(phase).volume_at(1.0))


def _sulfur_lines(
    states: Sequence[tuple[float, ProbeState]], makeup: CellMakeup, wavelength_angstrom: float
) -> list[Lines]:
    """Solid sulfur and Li2S in a cathode, without texture: grains in the pores of carbon."""
    total = sum(weight for weight, _ in states)
    found = []
    for phase, atoms in SULFUR_CRYSTALS.items():
        shares = [
            weight / total * dict(state.sulfur.solid)[phase]
            for weight, state in states
            if state.sulfur is not None
        ]
        if not sum(shares) > 0.0:
            continue
        positive = states[0][1].positive
        mol_cm2 = positive.active_loading_mg_cm2 * 1e-3 / SULFUR_G_MOL * sum(shares)
        lines, volume = _sulfur_crystal(phase)
        inverse_d = 1.0 / lines.d_angstrom
        debye_waller = np.exp(-scattering.DEBYE_WALLER_B_ANGSTROM2[phase] * inverse_d**2 / 2)
        fraction = scattering.cone_fraction(
            lines.strength * debye_waller,
            1.0,
            volume,
            mol_cm2 * AVOGADRO_PER_MOL * 1e-16 / atoms,
            inverse_d,
            wavelength_angstrom,
        )
        depth = -(makeup.separator_um / 2 + positive.thickness_um / 2)
        found.append(_flat(phase, inverse_d, fraction, np.full(inverse_d.shape, depth)))
    return found


def _collector_lines(
    side: str,
    sign: float,
    states: Sequence[tuple[float, ProbeState]],
    makeup: CellMakeup,
    wavelength_angstrom: float,
) -> Lines:
    state: ElectrodeState = getattr(states[0][1], side)
    key: str = getattr(makeup, f"{side}_collector")
    thickness_um: float = getattr(makeup, f"{side}_collector_um")
    coating_um = makeup.lithium_um if state.material == "Li" else state.thickness_um
    depth = sign * (makeup.separator_um / 2 + coating_um + thickness_um / 2)
    return _metal_lines(key, thickness_um, depth, _mean_temperature(states), makeup, wavelength_angstrom)


def _metal_lines(
    key: str,
    thickness_um: float,
    depth_um: float,
    temperature_c: float,
    makeup: CellMakeup,
    wavelength_angstrom: float,
) -> Lines:
    table = metal(key)
    a = table.a_angstrom * (1 + table.expansion_per_k * (temperature_c - 25.0))
    inverse_d = np.array([np.sqrt(r.h**2 + r.k**2 + r.l**2) for r in table.reflections]) / a
    multiplicity = np.array([r.multiplicity for r in table.reflections], dtype=float)
    squared = scattering.metal_structure_factor_squared(table.element, table.centring, inverse_d)
    fraction = scattering.cone_fraction(
        squared, multiplicity, a**3, thickness_um * _ANGSTROM_PER_UM / a**3, inverse_d, wavelength_angstrom
    )
    rolled = dict(makeup.foil_texture) if key != "Li" else {}
    fraction = fraction * np.array([rolled.get(r.name, 1.0) for r in table.reflections])
    return _flat(key, inverse_d, fraction, np.full(inverse_d.shape, depth_um))


def separator_lines(makeup: CellMakeup, wavelength_angstrom: float) -> Lines:
    """Polyethylene: two CH2-CH2 units in a cell of 92.7 A^3; |F| of the 110 line about 18 electrons."""
    table = polymer("PE")
    inverse_d = np.array([1 / line.d_angstrom for line in table.lines])
    relative = np.array([line.relative_intensity for line in table.lines]) / 100 * np.array([1.0, 1.12])
    cells = makeup.separator_um * makeup.separator_solid_fraction * _ANGSTROM_PER_UM / 92.7
    strongest = scattering.cone_fraction(
        np.array(18.0**2), 4.0, 92.7, cells, inverse_d[:1], wavelength_angstrom
    )
    return _flat("PE", inverse_d, strongest * relative, np.zeros(inverse_d.shape))


def _mean_temperature(states: Sequence[tuple[float, ProbeState]]) -> float:
    total = sum(weight for weight, _ in states)
    return sum(weight * state.temperature_c for weight, state in states) / total


def _flat(phase: str, inverse_d: np.ndarray, fraction: np.ndarray, depth_um: np.ndarray) -> Lines:
    return Lines(phase, inverse_d.ravel(), fraction.ravel() * 1.0, depth_um.ravel())

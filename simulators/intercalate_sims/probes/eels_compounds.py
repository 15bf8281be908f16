"""What compounds take from fast electrons: valence losses, and edges with near-edge structure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials.eels import COMPOUNDS, mean_free_path_nm

BEAM_KEV = 200.0
CONVERGENCE_MRAD = 15.0
COLLECTION_MRAD = 25.0
"""For which cross-sections of shells are given; what an instrument has is drawn."""

COBALT_OXIDES = frozenset({"LiCoO2", "Li0.5CoO2", "CoO", "Co3O4"})
NOMINAL_VALENCE = {"LiCoO2": 3.0, "Li0.5CoO2": 3.5, "CoO": 2.0, "Co3O4": 8.0 / 3.0}

_PLASMONS = {
    "C": (24.0, 16.0),
    "Li": (7.2, 2.5),
    "Li2O": (18.4, 9.0),
    "Li2O2": (20.5, 12.0),
    "Li2CO3": (21.5, 13.0),
    "LiF": (25.0, 9.0),
    "LiPON": (22.0, 14.0),
    "Si": (16.8, 4.5),
}
_COBALT_PLASMON = (25.5, 15.0)

_PER_ATOM_NM2 = {
    "Li K": (55.0, 4.1e-7, 3.3),
    "C K": (284.0, 1.13e-8, 3.7),
    "N K": (401.0, 5.1e-9, 3.8),
    "O K": (532.0, 2.6e-9, 3.8),
    "F K": (685.0, 1.45e-9, 3.85),
    "P L": (132.0, 2.1e-7, 3.2),
    "Si L": (99.5, 3.4e-7, 2.87),
    "Co L": (779.0, 4.0e-9, 4.0),
}
"""Onset, differential cross-section per eV above it, and exponent of its fall: the dipole formula
4 pi a0^2 R^2 / (T E) df/dE ln(1 + (beta / theta_E)^2) with df/dE by photoionisation (xraylib 4.3, 200 kV,
25 mrad); a test holds them to it."""


@dataclass(frozen=True)
class Peak:
    """A near-edge peak: centre and half widths below and above it in eV, height in parts of the step."""

    centre_ev: float
    below_ev: float
    above_ev: float
    height: float

    def at(self, energy_ev: np.ndarray) -> np.ndarray:
        """Two half Lorentzians squared: neither Gaussian nor Lorentzian."""
        width = np.where(energy_ev < self.centre_ev, self.below_ev, self.above_ev)
        return self.height / (1.0 + 0.6 * ((energy_ev - self.centre_ev) / width) ** 2) ** 2


_LITHIUM_PEAKS = {
    "Li": (Peak(56.5, 1.0, 6.0, 0.5),),
    "Li2O": (Peak(58.5, 1.0, 1.5, 0.9), Peak(63.0, 2.5, 3.5, 1.3)),
    "Li2O2": (Peak(58.0, 1.0, 1.5, 0.5), Peak(62.5, 2.2, 4.0, 1.1)),
    "Li2CO3": (Peak(59.8, 1.0, 1.5, 0.6), Peak(62.8, 1.5, 4.0, 1.3)),
    "LiF": (Peak(61.8, 0.9, 1.6, 2.2), Peak(69.5, 2.0, 3.0, 0.9)),
    "LiPON": (Peak(62.0, 2.5, 4.5, 1.3),),
    "LiCoO2": (Peak(62.2, 2.0, 4.0, 1.2),),
}

_OXYGEN_PEAKS = {
    "Li2O": (535.0, (Peak(534.3, 0.8, 1.5, 0.9), Peak(539.5, 2.5, 3.5, 1.4), Peak(556.0, 6.0, 8.0, 0.4))),
    "Li2O2": (536.0, (Peak(530.9, 0.9, 1.2, 1.7), Peak(541.0, 3.0, 6.0, 0.7), Peak(548.0, 4.0, 7.0, 0.5))),
    "Li2CO3": (536.0, (Peak(533.7, 0.7, 0.9, 1.6), Peak(540.0, 2.0, 4.0, 1.1), Peak(546.0, 3.0, 6.0, 0.5))),
    "LiPON": (535.0, (Peak(537.8, 2.2, 5.0, 1.3), Peak(558.0, 7.0, 9.0, 0.3))),
}

_CARBON_PEAKS = {
    "C": (291.0, (Peak(285.2, 0.7, 1.1, 0.8), Peak(294.0, 3.0, 8.0, 0.5))),
    "Li2CO3": (290.0, (Peak(290.2, 0.6, 0.8, 1.8), Peak(300.0, 4.0, 6.0, 0.8))),
}
"""As of oxygen: where the step lies, and peaks."""

ONSETS_EV = {shell: onset for shell, (onset, _, _) in _PER_ATOM_NM2.items()} | {"Co M": 60.0}
SHELLS = tuple(ONSETS_EV)


def cobalt_l3_ev(valence: float) -> float:
    """Where the maximum of L3 lies."""
    return 779.4 + (0.8 if valence > 3.0 else 1.0) * (valence - 3.0)


def white_line_ratio(valence: float) -> float:
    """Area of L3 over that of L2."""
    return float(np.interp(valence, [2.0, 8.0 / 3.0, 3.0, 4.0], [4.8, 3.25, 2.5, 2.3]))


def valence_loss(compound: str, energy_ev: np.ndarray, tail_ev: float) -> np.ndarray:
    """Course of one loss to valence electrons, of any height; its tail is no power law.

    Parameters
    ----------
    tail_ev
        Above which it falls more slowly than that of free electrons.
    """
    plasmon, width = _PLASMONS.get(compound, _COBALT_PLASMON)
    energy = np.maximum(energy_ev, 0.0)
    loss = energy * width * plasmon**2 / ((energy**2 - plasmon**2) ** 2 + (energy * width) ** 2)
    loss *= 1.0 / (1.0 + np.exp(-(energy - 0.35 * plasmon) / 1.2)) * (energy > 0)
    return loss * (1.0 + energy / tail_ev) / (1.0 + (energy / 2500.0) ** 2)


def free_path_nm(compound: str, collection_mrad: float = COLLECTION_MRAD) -> float:
    """Of one loss to valence electrons."""
    return mean_free_path_nm(COMPOUNDS[compound].density_g_cm3, BEAM_KEV, CONVERGENCE_MRAD, collection_mrad)


def collected(energy_ev: np.ndarray, collection_mrad: float) -> np.ndarray:
    """Losses to core electrons within a semi-angle over those within the usual one.

    They go as ln(1 + (beta / theta_E)^2), up to the Bethe ridge; of convergence and collection the wider
    counts, as in the formula of the mean free path (Egerton, Electron Energy-Loss Spectroscopy, 3rd ed.
    (2011), section 3.2).
    """
    energy = np.maximum(energy_ev, 1.0)
    characteristic = energy * (BEAM_KEV + 511.0) / (BEAM_KEV * (BEAM_KEV + 1022.0))
    ridge = np.sqrt(1e3 * energy / BEAM_KEV)

    def within(mrad: float) -> np.ndarray:
        return np.log1p((np.minimum(max(mrad, CONVERGENCE_MRAD), ridge) / characteristic) ** 2)

    return within(collection_mrad) / within(COLLECTION_MRAD)


def core_losses(
    compound: str,
    energy_ev: np.ndarray,
    valence: float | None,
    ratio_factor: float = 1.0,
    strengths: Mapping[str, float] | None = None,
) -> dict[str, np.ndarray]:
    """Probability per eV and nm of losses to the core electrons of each of `SHELLS` that there is.

    Parameters
    ----------
    energy_ev
        Losses, shape (points,), as what is returned by shell.
    valence
        Of cobalt, None for that of the compound.
    ratio_factor
        On the ratio of cobalt's white lines.
    strengths
        Factors on the cross-sections; 1 where there is none.
    """
    holds = COMPOUNDS[compound]
    oxide = compound in COBALT_OXIDES
    state = NOMINAL_VALENCE.get(compound, 3.0) if valence is None else valence
    lithium = _LITHIUM_PEAKS.get("LiCoO2" if oxide else compound, ())
    step_ev, oxygen = _cobalt_oxygen(state) if oxide else _OXYGEN_PEAKS.get(compound, (535.0, ()))
    carbon_ev, carbon = _CARBON_PEAKS.get(compound, (290.0, ()))
    edges = {
        "Li K": (57.0, lithium, 1.5),
        "O K": (step_ev, oxygen, 1.2),
        "C K": (carbon_ev, carbon, 1.0),
        "N K": (401.0, (Peak(402.0, 1.5, 4.0, 0.8),), 1.0),
        "F K": (688.0, (Peak(691.5, 1.5, 3.0, 1.1),), 1.0),
        "P L": (136.0, (Peak(138.0, 1.5, 2.5, 0.9), Peak(160.0, 8.0, 10.0, 0.8)), 1.0),
        "Si L": (100.0, (Peak(102.0, 2.0, 15.0, 0.7),), 0.6),
    }
    found = {}
    for shell in SHELLS:
        atoms = holds.atoms_per_nm3(shell.split()[0]) * (strengths or {}).get(shell, 1.0)
        if not atoms > 0:
            continue
        if shell in edges:
            found[shell] = atoms * _edge(shell, energy_ev, *edges[shell])
        else:
            found[shell] = atoms * (
                _cobalt_l(energy_ev, state, ratio_factor) if shell == "Co L" else _cobalt_m(energy_ev, state)
            )
    return found


def _edge(
    name: str, energy_ev: np.ndarray, step_ev: float, peaks: tuple[Peak, ...], rise: float
) -> np.ndarray:
    onset, height, fall = _PER_ATOM_NM2[name]
    step = 0.5 + np.arctan((energy_ev - step_ev) / rise) / np.pi
    near = step * (energy_ev > onset - 8.0) + sum(peak.at(energy_ev) for peak in peaks)
    return height * near * (np.maximum(energy_ev, onset - 8.0) / onset) ** -fall * (energy_ev > onset - 8.0)


def _cobalt_oxygen(valence: float) -> tuple[float, tuple[Peak, ...]]:
    over = valence - 3.0
    before = Peak(530.0 - 0.7 * over, 0.9, 1.3, 0.85 + 0.45 * over)
    return 535.5, (before, Peak(540.5, 2.5, 3.0, 1.2), Peak(545.0, 2.5, 5.0, 0.5 + 0.1 * over))


def _cobalt_l(energy_ev: np.ndarray, valence: float, ratio_factor: float) -> np.ndarray:
    third, ratio = cobalt_l3_ev(valence), white_line_ratio(valence) * ratio_factor
    lines = Peak(third, 1.3, 2.0, 11.0 * ratio / (1 + ratio)), Peak(third + 15.1, 1.6, 2.4, 9.0 / (1 + ratio))
    continuum = (2 / 3) * (0.5 + np.arctan((energy_ev - third - 1.5) / 1.0) / np.pi)
    continuum += (1 / 3) * (0.5 + np.arctan((energy_ev - third - 16.5) / 1.0) / np.pi)
    deep = (continuum + sum(line.at(energy_ev) for line in lines)) * (energy_ev > 770.0)
    onset, height, fall = _PER_ATOM_NM2["Co L"]
    return deep * height * (np.maximum(energy_ev, onset) / onset) ** -fall


def _cobalt_m(energy_ev: np.ndarray, valence: float) -> np.ndarray:
    shallow = Peak(61.5 + 0.5 * (valence - 3.0), 3.0, 8.0, 5.0e-8).at(energy_ev)
    return shallow + 1.2e-8 * (energy_ev > 57.0) * (np.maximum(energy_ev, 57.0) / 60.0) ** -3

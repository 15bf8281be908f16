"""How electrons of a microscope meet matter: range, backscattering, secondary electrons.

Marks: V verified, R recalled, ? unsure, I illustrative.
"""

from dataclasses import dataclass

import numpy as np

from intercalate.materials.model import Mark, Source

"""SI, exact."""

LITHIUM_MELTS_C = 180.5
LITHIUM_MELTS_SOURCE = Source("CRC Handbook of Chemistry and Physics", Mark.RECALLED)

ALLOY_MELTS_C = LITHIUM_MELTS_C
ALLOY_MELTS_SOURCE = Source(
    "of lithium with some magnesium, the melting point of lithium itself: published curves of the "
    "Li-rich side disagree (Nayeb-Hashemi et al., Bull. Alloy Phase Diagrams 5 (1984) 365), "
    "and alloys melt over a range",
    Mark.ILLUSTRATION,
)

RANGE_SOURCE = Source("Kanaya & Okayama, J. Phys. D 5 (1972) 43", Mark.RECALLED)
BACKSCATTER_SOURCE = Source(
    "Reuter, Proc. 6th Int. Conf. X-ray Optics and Microanalysis (1972) 121, at 20 kV", Mark.RECALLED
)
_REUTER = (-0.0254, 0.016, -1.86e-4, 8.3e-7)


@dataclass(frozen=True, slots=True)
class ImagedMaterial:
    """What a scanning electron microscope tells materials apart by.

    Attributes
    ----------
    mass_fractions
        By atomic number.
    density_g_cm3
        Of the dense material.
    secondary_yield
        Secondary electrons per primary one at 2 kV on a flat face. Surfaces decide, so that the figure of a
        sample may differ by tens of percent.
    conducts
        Whether the beam's charge flows away.
    """

    key: str
    mass_fractions: tuple[tuple[int, float], ...]
    density_g_cm3: float
    secondary_yield: float
    conducts: bool
    source: Source

    @property
    def mean_atomic_number(self) -> float:
        """Weighted by mass."""
        return sum(number * share for number, share in self.mass_fractions)


_DENSITY = Source(
    "densities of handbooks; secondary yields of the order of those in tables", Mark.ILLUSTRATION
)


def _material(
    key: str, shares: dict[int, float], density: float, secondary: float, conducts: bool
) -> ImagedMaterial:
    total = sum(shares.values())
    fractions = tuple((number, share / total) for number, share in shares.items())
    return ImagedMaterial(key, fractions, density, secondary, conducts, _DENSITY)


IMAGED_MATERIALS: dict[str, ImagedMaterial] = {
    one.key: one
    for one in (
        _material("lithium", {3: 1.0}, 0.534, 0.55, True),
        _material("passivated lithium", {3: 0.19, 6: 0.16, 8: 0.65}, 2.1, 0.85, False),
        _material("lithium carbide", {3: 0.366, 6: 0.634}, 1.65, 0.75, True),
        _material("magnesium lithium", {3: 0.72, 12: 0.28}, 0.60, 0.60, True),
        _material(
            "polymer electrolyte", {1: 0.08, 6: 0.50, 7: 0.02, 8: 0.31, 9: 0.07, 16: 0.04}, 1.2, 1.00, False
        ),
        _material("LLZO", {3: 0.058, 57: 0.497, 40: 0.217, 8: 0.229}, 5.1, 1.30, False),
        _material("lanthanum zirconate", {57: 0.4855, 40: 0.3188, 8: 0.1957}, 6.0, 1.25, False),
        _material("lanthanum oxide", {57: 0.8527, 8: 0.1473}, 6.5, 1.30, False),
        _material("LFP", {3: 0.044, 26: 0.354, 15: 0.196, 8: 0.406}, 3.6, 1.05, True),
        _material("LVO", {3: 0.024, 23: 0.530, 8: 0.444}, 3.5, 1.10, True),
        _material("NMC", {3: 0.072, 28: 0.365, 25: 0.114, 27: 0.122, 8: 0.331}, 4.7, 1.15, True),
        _material("silicon", {14: 1.0}, 2.33, 0.95, True),
        _material("graphite", {6: 1.0}, 2.2, 0.70, True),
        _material("vacuum", {6: 1.0}, 1e-9, 0.12, True),
        _material("carbon film", {6: 1.0}, 1.8, 0.60, True),
        _material("copper", {29: 1.0}, 8.96, 1.10, True),
    )
}
"""By key; mass fractions from formulas (computed), composites of typical make."""


def backscatter_coefficient(atomic_number: float | np.ndarray) -> np.ndarray:
    """Share of electrons scattered back from a flat face at normal incidence (Reuter's polynomial)."""
    number = np.asarray(atomic_number, dtype=float)
    return np.maximum(sum(term * number**power for power, term in enumerate(_REUTER)), 0.005)


def electron_range_um(
    energy_kev: float, atomic_mass: float, atomic_number: float, density_g_cm3: float
) -> float:
    """Depth that electrons reach, by Kanaya and Okayama."""
    return 0.0276 * atomic_mass * energy_kev**1.67 / (atomic_number**0.89 * density_g_cm3)

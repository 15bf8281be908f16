"""How much X-rays lose on their way through the parts of a cell."""

from dataclasses import dataclass
from functools import lru_cache

from intercalate.materials.model import Mark, Source

UM_PER_CM = 1e4


@dataclass(frozen=True, slots=True)
class Compound:
    """What a part of a cell is, as far as it attenuates X-rays.

    Attributes
    ----------
    density_g_cm3
        Of the dense material.
    """

    formula: str
    density_g_cm3: float
    source: Source


_HANDBOOK = Source("density as usually given", Mark.RECALLED)

COMPOUNDS = {
    "Al": Compound("Al", 2.70, _HANDBOOK),
    "Cu": Compound("Cu", 8.96, _HANDBOOK),
    "Li": Compound("Li", 0.534, _HANDBOOK),
    "PE": Compound("C2H4", 0.95, _HANDBOOK),
    "Kapton": Compound("C22H10N2O5", 1.42, _HANDBOOK),
    "diamond": Compound("C", 3.51, _HANDBOOK),
    "carbon": Compound("C", 1.9, Source("carbon black with its binder", Mark.ILLUSTRATION)),
    "electrolyte": Compound(
        "C3H4O3", 1.25, Source("ethylene carbonate stands for salt and solvents", Mark.ILLUSTRATION)
    ),
}
"""Parts of a cell besides its active materials."""


@lru_cache(maxsize=256)
def attenuation_cm2_g(formula: str, energy_kev: float) -> float:
    """Total mass attenuation coefficient of a compound: photoabsorption and both kinds of scattering.

    Tables of Elam, Ravel and Sieber, Radiat. Phys. Chem. 63 (2002) 121, through xraydb.

    Raises
    ------
    ValueError
        If the formula cannot be read.
    """
    # Takes seconds, and few need it.
    import xraydb

    return float(xraydb.material_mu(formula, 1000.0 * energy_kev, density=1.0))


def attenuation_per_um(formula: str, density_g_cm3: float, energy_kev: float) -> float:
    """Linear attenuation coefficient, in 1/um, of so much of a compound per volume.

    Raises
    ------
    ValueError
        If the formula cannot be read.
    """
    return attenuation_cm2_g(formula, energy_kev) * density_g_cm3 / UM_PER_CM


def part_per_um(key: str, energy_kev: float) -> float:
    """Linear attenuation coefficient of a dense part of a cell, in 1/um.

    Raises
    ------
    KeyError
        If there is no such part; the message lists those there are.
    """
    if key not in COMPOUNDS:
        raise KeyError(f"no attenuation of {key!r} is known; known parts: {', '.join(COMPOUNDS)}")
    found = COMPOUNDS[key]
    return attenuation_per_um(found.formula, found.density_g_cm3, energy_kev)

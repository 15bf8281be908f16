"""Dose of a beam: from photons to energy per area, and of X-rays to grays.

The absorbed dose is that of the material for which it is asked, where the beam enters: what windows, foils
and the material in front of it take away is not subtracted, and what leaves as fluorescence counts as
absorbed. So it is an upper bound, by a few ten per cent in a thin coating.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from intercalate.cell import Cell
from intercalate.materials.constants import KEV_J
from intercalate.materials.tables import ELECTRODES

ELECTRON_REST_KEV = 510.99895
GRAMS_PER_KG = 1000.0
A2_CM2 = 1e-16


def photons_j(photons: float, energy_kev: float) -> float:
    """Energy of a number of photons."""
    return photons * energy_kev * KEV_J


def fluence_j_cm2(joules: float, area_mm2: float) -> float:
    """Energy per area, spread evenly.

    Raises
    ------
    ValueError
        If the area is not above 0.
    """
    if not area_mm2 > 0:
        raise ValueError(f"the beam has an area of {area_mm2:g} mm2; open the slits, or see what they read")
    return joules / (area_mm2 / 100.0)


def energy_fluence_j_cm2(photons: float, energy_kev: float, area_mm2: float) -> float:
    """Energy per area of a number of photons; raises as `fluence_j_cm2`."""
    return fluence_j_cm2(photons_j(photons, energy_kev), area_mm2)


def dose_gy(fluence_j_cm2: float, formula: str, energy_kev: float) -> float:
    """Absorbed dose in a material behind so much energy per area.

    Raises
    ------
    ValueError
        If the formula cannot be read.
    """
    return fluence_j_cm2 * energy_absorption_cm2_g(formula, energy_kev) * GRAMS_PER_KG


def electrons_a2(fluence_j_cm2: float, energy_kev: float) -> float:
    """Electrons per square angstrom of so much energy per area."""
    return fluence_j_cm2 / (energy_kev * KEV_J) * A2_CM2


def formula_elements(formula: str) -> dict[str, float]:
    """Atoms of a formula unit by element.

    Raises
    ------
    ValueError
        If the formula cannot be read.
    """
    # Takes seconds, and few commands need it.
    import xraydb

    try:
        elements = xraydb.chemparse(formula)
    except ValueError:
        elements = {}
    if not elements:
        raise ValueError(f"{formula!r} is no chemical formula; write it as LiNi0.8Mn0.1Co0.1O2")
    return elements


@lru_cache(maxsize=256)
def energy_absorption_cm2_g(formula: str, energy_kev: float) -> float:
    """Mass energy-absorption coefficient of a compound.

    Photoelectric absorption (tables of Elam, Ravel and Sieber, Radiat. Phys. Chem. 63 (2002) 121, through
    xraydb), and of incoherent scattering the share that stays as recoil.

    Raises
    ------
    ValueError
        If the formula cannot be read.
    """
    # Takes seconds, and few commands need it.
    import xraydb

    elements = formula_elements(formula)
    masses = {symbol: count * xraydb.atomic_mass(symbol) for symbol, count in elements.items()}
    energy_ev = 1000.0 * energy_kev
    recoil = recoil_share(energy_kev)
    absorbed = {
        symbol: float(
            xraydb.mu_elam(symbol, energy_ev, kind="photo")
            + recoil * xraydb.mu_elam(symbol, energy_ev, kind="incoh")
        )
        for symbol in elements
    }
    return math.fsum(masses[symbol] * absorbed[symbol] for symbol in elements) / math.fsum(masses.values())


def recoil_share(energy_kev: float) -> float:
    """Mean share of a photon's energy that a free electron keeps in Compton scattering.

    Over the cross section of Klein and Nishina, Z. Phys. 52 (1929) 853.
    """
    k = energy_kev / ELECTRON_REST_KEV
    cosine = np.linspace(-1.0, 1.0, 2001)
    kept = 1.0 / (1.0 + k * (1.0 - cosine))
    cross_section = kept**2 * (kept + 1.0 / kept - (1.0 - cosine**2))
    return float(np.trapezoid(cross_section * (1.0 - kept)) / np.trapezoid(cross_section))


def formula_of(cell: Cell) -> str:
    """Of the material whose dose counts, the working electrode's; empty where nobody said."""
    electrode = cell.working_electrode
    if electrode.formula is not None:
        return electrode.formula
    known = {one.key: one.reference_formula for one in ELECTRODES}
    return known.get(electrode.material, "")


@dataclass(frozen=True)
class DoseScale:
    """In which doses of a technique are counted and shown.

    Attributes
    ----------
    name, per_shown
        Unit in which people say it, and how many of the unit of accounts that is.
    budget
        Key of a measurement under which its budget is.
    most
        Key of a start document under which the dose of the spot that got most is.
    needs_formula
        Whether it depends on what is exposed.
    of
        Dose of energy per area (J/cm2) in a material (its formula) by particles of an energy (keV), in the
        unit of accounts.
    """

    name: str
    per_shown: float
    budget: str
    most: str
    needs_formula: bool
    of: Callable[[float, str, float], float]

    def shown(self, amount: float) -> str:
        """An amount in the unit in which people say it."""
        return f"{amount / self.per_shown:.4g}"


ABSORBED = DoseScale("MGy", 1e6, "budget_MGy", "most_of_a_spot_gy", True, dose_gy)
"""X-rays: accounts are in Gy."""

LIGHT = DoseScale("J/cm2", 1.0, "budget_J_cm2", "most_of_a_spot_j_cm2", False, lambda fluence, _, __: fluence)
"""A laser."""

ELECTRONS = DoseScale(
    "e/A2",
    1.0,
    "budget_e_A2",
    "most_of_a_spot_e_a2",
    False,
    lambda fluence, _, kev: electrons_a2(fluence, kev),
)
"""Electrons, by their number per area; what they do depends on their energy, which a budget minds."""

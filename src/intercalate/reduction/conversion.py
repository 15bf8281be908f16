"""How much of an LFP electrode is of the lithium-rich phase, from one line of each of its two phases."""

from functools import cache

import numpy as np

from intercalate.materials.crystals import crystal, powder_lines
from intercalate.reduction.results import UNDETERMINED, Estimate, PawleyResult

RICH, POOR = "LFP", "FePO4"
LINE = "200"
"""That of no other phase in the beam is near."""

RELATIVE_SIGMA = 0.10
"""Of the ratio of intensities: texture, background under the lines, atoms that move with the lithium."""

ABSENT_SIGMA = 0.05
"""Share of a phase that may be there and not be found."""


def lithium_rich_fraction(result: PawleyResult, wavelength_angstrom: float) -> Estimate:
    """Share of the iron in the lithium-rich phase.

    The number of formula units in a phase goes as I sin(theta) sin(2theta) v / |F|^2, with I the integrated
    intensity per solid angle of the line 200, v the volume of the cell and |F|^2 of its atoms from
    `intercalate.materials.crystals`, as both phases have four units in a cell. No texture is taken to be
    there.

    `sigma_sys` follows from a relative uncertainty of 10 % of the ratio of both, and is `ABSENT_SIGMA`
    where one of them is not found.

    Returns
    -------
    Estimate
        0 or 1 where one phase is absent, undetermined where both are or the fit failed.
    """
    if not result.converged or not {RICH, POOR} <= result.present.keys():
        return UNDETERMINED
    rich, poor = result.present[RICH], result.present[POOR]
    if not (rich and poor):
        return Estimate(float(rich), 0.0, ABSENT_SIGMA) if rich or poor else UNDETERMINED
    (rich_amount, rich_sigma), (poor_amount, poor_sigma) = (
        _amount(result, phase, wavelength_angstrom) for phase in (RICH, POOR)
    )
    fraction = rich_amount / (rich_amount + poor_amount)
    by_ratio = fraction * (1 - fraction)
    relative_stat = np.hypot(rich_sigma / rich_amount, poor_sigma / poor_amount)
    return Estimate(float(fraction), float(by_ratio * relative_stat), float(by_ratio * RELATIVE_SIGMA))


def _amount(result: PawleyResult, phase: str, wavelength_angstrom: float) -> tuple[float, float]:
    intensity, sigma = result.intensities[f"{phase} {LINE}"]
    a, b, c = (result.parameters[f"{phase}.{name}"].value for name in "abc")
    theta = np.arcsin(wavelength_angstrom / a)
    scale = np.sin(theta) * np.sin(2 * theta) * a * b * c / _strength(phase)
    return intensity * scale, sigma * scale


@cache
def _strength(phase: str) -> float:
    lines = powder_lines(crystal(phase), 1.0 if phase == RICH else 0.0, least_d_angstrom=4.0)
    (row,) = np.flatnonzero(np.all(lines.hkl == (2, 0, 0), axis=1))
    return float(lines.strength[row])

"""How much of a graphite electrode is in stage 1, from the first 00l lines of its stages."""

import numpy as np

from intercalate.materials import GRAPHITE
from intercalate.reduction.results import UNDETERMINED, Estimate, PawleyResult

RELATIVE_SIGMA = 0.10
"""Of the intensity ratio: texture, profile under the separator's 200 line, structure factors."""

ABSENT_SIGMA = 0.05
"""Fraction of a phase that may be there and not be found: its lines lie under those of the other."""


def stage_1_fraction(result: PawleyResult, wavelength_angstrom: float) -> Estimate:
    """Share of the carbon in stage 1 (LiC6).

    The number of C6 in a phase goes as I sin(theta) sin(2theta) v / |F|^2, with I the integrated
    intensity per solid angle of its first 00l line, v the volume per C6 and |F| of one layer from
    `intercalate.materials`. Both phases are taken to have the same texture.

    `sigma_sys` follows from a relative uncertainty of 10 % of the ratio of both, and is `ABSENT_SIGMA`
    where one of them is not found.

    Returns
    -------
    Estimate
        0 or 1 where one phase is absent, undetermined where both are or the fit failed.
    """
    if not result.converged or not {"graphite", "LiC6"} <= result.present.keys():
        return UNDETERMINED
    poor, rich = result.present["graphite"], result.present["LiC6"]
    if not (poor and rich):
        return Estimate(float(rich), 0.0, ABSENT_SIGMA) if poor or rich else UNDETERMINED
    poor_amount, poor_sigma = _amount(result, "graphite", wavelength_angstrom)
    rich_amount, rich_sigma = _amount(result, "LiC6", wavelength_angstrom)
    ratio = rich_amount / poor_amount
    fraction = ratio / (1 + ratio)
    by_ratio = fraction * (1 - fraction)
    relative_stat = np.hypot(poor_sigma / poor_amount, rich_sigma / rich_amount)
    return Estimate(float(fraction), float(by_ratio * relative_stat), float(by_ratio * RELATIVE_SIGMA))


def lithium_by_spacing(d_angstrom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lithium content x of all stages but the first, by their mean layer spacing, and its standard error.

    Where all particles are alike x follows the spacings of the stages in `intercalate.materials`; where empty
    ones stand beside those of stage 2 it follows the straight line between both. The line that is fitted is
    the same. x is taken half way between, and half of the difference is its error.
    """
    stages = [stage for stage in GRAPHITE.stages if stage.key != "1"]
    spacing = np.array([end for stage in stages for end in stage.layer_spacing_angstrom])
    content = np.array([end for stage in stages for end in stage.li_content])
    alike = np.interp(d_angstrom, spacing, content)
    mixed = np.interp(d_angstrom, spacing[[0, -1]], content[[0, -1]])
    return (alike + mixed) / 2, abs(alike - mixed) / 2


def _amount(result: PawleyResult, phase: str, wavelength_angstrom: float) -> tuple[float, float]:
    intensity, sigma = result.intensities[f"{phase} 001"]
    d = result.parameters[f"{phase}.d"].value
    a = result.parameters[f"{phase}.a"].value
    theta = np.arcsin(wavelength_angstrom / (2 * d))
    scale = np.sin(theta) * np.sin(2 * theta) * a**2 * d / _layer_structure_factor(d) ** 2
    return intensity * scale, sigma * scale


def _layer_structure_factor(d_angstrom: float) -> float:
    spacings = [stage.layer_spacing_angstrom[1] for stage in GRAPHITE.stages]
    return float(np.interp(d_angstrom, spacings, [stage.layer_structure_factor for stage in GRAPHITE.stages]))

"""Lengths of a sample and of gold by pressure, drawn from laws that are known."""

import numpy as np

from intercalate.materials.equations_of_state import MARKERS, EquationOfState
from intercalate.reduction.pressure import BETWEEN_SIGMA, Lengths

GOLD = MARKERS["Au"]
START = np.array([10.329, 6.007, 4.691])
SHARES = np.array([0.413, 0.237, 0.350])
LAW = EquationOfState(float(START.prod()), 130.0, 4.2)
GPA = np.array([0.0, 1.5, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0, 21.5])
STAT = 3e-5
COMMON = 2e-4


def made(
    seed: int | None = None,
    shares: np.ndarray = SHARES,
    *,
    gpa: np.ndarray = GPA,
    step: float = 0.0,
    systematic: bool = False,
) -> tuple[Lengths, np.ndarray]:
    """Lengths with counting errors drawn from the seed, and, if asked, common errors as large as declared."""
    draw = np.random.default_rng(0 if seed is None else seed)
    size = 0.0 if seed is None else 1.0
    off = draw.standard_normal(4) * (1.0 if systematic else 0.0)
    gold = EquationOfState(
        GOLD.law.volume_angstrom3,
        GOLD.law.bulk_modulus_gpa + off[0] * GOLD.bulk_modulus_sigma_gpa,
        GOLD.law.slope + off[1] * GOLD.slope_sigma,
    )
    sample_gpa = gpa * (1 + off[2] * BETWEEN_SIGMA)
    ratio = np.array([LAW.volume_at(one) for one in sample_gpa]) / LAW.volume_angstrom3
    ratio[gpa > 10.0] *= 1 - step
    sample = START * ratio[:, None] ** shares
    marker = np.cbrt([gold.volume_at(one) for one in gpa])
    scale = 1 + off[3] * COMMON
    sample = sample * scale * (1 + size * STAT * draw.standard_normal(sample.shape))
    marker = marker * scale * (1 + size * STAT / 3 * draw.standard_normal(marker.shape))
    return Lengths(sample, STAT * sample, marker, STAT / 3 * marker, COMMON), sample_gpa

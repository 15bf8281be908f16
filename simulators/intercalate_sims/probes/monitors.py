"""The two ion chambers: I0 between the fast shutter and the sample, It behind the sample."""

from dataclasses import dataclass

import numpy as np

I0_PER_PHOTON = 2.5e-4
IT_PER_PHOTON = 5e-4
DARK_PER_S = 8.0


@dataclass(frozen=True)
class MonitorCounts:
    """What both chambers counted in one exposure, and what was expected."""

    i0: int
    it: int
    i0_expected: float
    it_expected: float


def count_monitors(
    photons: float, transmission: float, exposure_s: float, generator: np.random.Generator
) -> MonitorCounts:
    """Draw the counts of an exposure that met so many photons before the sample."""
    dark = DARK_PER_S * exposure_s
    i0 = photons * I0_PER_PHOTON + dark
    it = photons * transmission * IT_PER_PHOTON + dark
    return MonitorCounts(int(generator.poisson(i0)), int(generator.poisson(it)), i0, it)

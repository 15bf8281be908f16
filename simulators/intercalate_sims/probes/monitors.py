"""Monitors: ion chambers on either side of the sample, photodiodes of a laser, and what counts particles."""

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


LASER_I0_PER_J = 1e9
REFLECTED_PER_J = 4e8
DIODE_DARK_PER_S = 50.0
DIODE_SCATTER = 1e-3
"""Relative, of each count of a photodiode."""


@dataclass(frozen=True)
class LaserCounts:
    """What both photodiodes of a laser counted in one exposure, and the power meter, where it is in the spot.

    Attributes
    ----------
    meter_mw
        Mean of the exposure.
    """

    i0: float
    reflected: float
    meter_mw: float = 0.0


METER_NOISE_MW, METER_SCATTER = 2e-4, 2e-3
"""Of a thermal head within an exposure: absolute, and relative."""


def count_laser(
    joules: float, returned: float, exposure_s: float, generator: np.random.Generator, metered: float = 0.0
) -> LaserCounts:
    """Draw the counts of an exposure with so much light at the sample, of which a share comes back.

    Parameters
    ----------
    metered
        Share of the light that a power meter shows, 0 where there is none.
    """
    i0, reflected = joules * LASER_I0_PER_J, joules * returned * REFLECTED_PER_J
    dark = DIODE_DARK_PER_S * exposure_s
    scatter = 1.0 + DIODE_SCATTER * generator.standard_normal(2)
    counts = (
        float(generator.poisson(i0 * scatter[0] + dark)),
        float(generator.poisson(reflected * scatter[1] + dark)),
    )
    if metered <= 0:
        return LaserCounts(*counts)
    noise = generator.standard_normal(2)
    shown_mw = 1e3 * joules / exposure_s * metered * (1.0 + METER_SCATTER * noise[0])
    return LaserCounts(*counts, meter_mw=float(shown_mw + METER_NOISE_MW * noise[1]))


STEADY_DARK_PER_S = 5.0


@dataclass(frozen=True)
class SteadyCounts:
    """What the monitor of a steady source counted in one exposure."""

    i0: float


def count_steady(
    particles: float, per_count: float, exposure_s: float, generator: np.random.Generator
) -> SteadyCounts:
    """Draw the counts of an exposure with so many particles at the sample."""
    return SteadyCounts(float(generator.poisson(particles / per_count + STEADY_DARK_PER_S * exposure_s)))


@dataclass(frozen=True)
class SpecimenCounts(SteadyCounts):
    """What an aperture and the sample's picoammeter counted of an electron beam."""

    specimen: float = 0.0


def count_specimen(
    electrons: float, kept: float, per_count: float, exposure_s: float, generator: np.random.Generator
) -> SpecimenCounts:
    """Draw the counts of an exposure, of whose electrons the sample keeps a share."""
    dark = STEADY_DARK_PER_S * exposure_s
    return SpecimenCounts(
        float(generator.poisson(electrons / per_count + dark)),
        float(generator.poisson(kept * electrons / per_count + dark)),
    )

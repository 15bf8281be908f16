"""A Raman spectrometer of a seed, its axis set by silicon."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from intercalate.reduction.bands import Spectrum
from intercalate.reduction.raman import (
    CountingDetector,
    ShiftAxis,
    SpectrographOnPaper,
    calibrated_axis,
    reduced,
)
from intercalate_sims.probes.raman import HiddenSpectrograph, RamanProbe, Spectrograph

NOMINAL = Spectrograph()
TO_SULFUR = Spectrograph(first_nm=536.0)
"""Its grating turned to where sulfur begins."""
EXPOSURE_S = 20.0
DARKS = 20


def _on_paper(nominal: Spectrograph) -> SpectrographOnPaper:
    return SpectrographOnPaper(
        nominal.laser_nm,
        nominal.first_nm,
        nominal.nm_per_pixel,
        nominal.curvature_nm_per_pixel2,
        nominal.pixels,
        nominal.width_nm,
    )


def detector_of(nominal: Spectrograph) -> CountingDetector:
    return CountingDetector(
        nominal.counts_per_electron,
        nominal.read_noise_electrons,
        60000.0,
        nominal.width_nm / nominal.nm_per_pixel,
    )


@dataclass(frozen=True)
class Instrument:
    """Probe, darks and axis."""

    probe: RamanProbe
    dark: np.ndarray
    dark_sigma: np.ndarray
    axis: ShiftAxis

    def spectrum(self, light: Callable[[RamanProbe], np.ndarray], key: int) -> Spectrum:
        """One exposure of what gives this light, in electrons per pixel."""
        counts = self.probe.count(light(self.probe), EXPOSURE_S, 1e4 + 100.0 * key)
        made = reduced(counts, self.dark, self.dark_sigma, detector_of(self.probe.nominal))
        return Spectrum(self.axis.shift_per_cm, *made)


@lru_cache(maxsize=8)
def instrument_of(world: int, nominal: Spectrograph = NOMINAL) -> Instrument:
    """Darks and a spectrum of silicon are taken once."""
    probe = RamanProbe(nominal, HiddenSpectrograph.draw(world), world)
    shape = np.zeros(nominal.pixels)
    darks = np.array([probe.count(shape, EXPOSURE_S, 100.0 * number) for number in range(DARKS)], float)
    dark, sigma = np.median(darks, axis=0), 1.25 * darks.std(axis=0) / np.sqrt(DARKS)
    silicon = probe.count(probe.silicon(1.0, EXPOSURE_S), EXPOSURE_S, 100.0 * DARKS)
    axis = calibrated_axis(*reduced(silicon, dark, sigma, detector_of(nominal)), _on_paper(nominal))
    return Instrument(probe, dark, sigma, axis)

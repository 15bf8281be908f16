"""Raman spectra of graphite: lithium content per regime of the bands."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.honesty.ensembles import Outcome
from intercalate.reduction.bands import Spectrum
from intercalate.reduction.raman import (
    CountingDetector,
    GraphiteState,
    Regime,
    ShiftAxis,
    SpectrographOnPaper,
    calibrated_axis,
    graphite_state,
    reduced,
)
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.raman import HiddenSpectrograph, RamanProbe, Spectrograph

NOMINAL = Spectrograph()
PAPER = SpectrographOnPaper(
    NOMINAL.laser_nm,
    NOMINAL.first_nm,
    NOMINAL.nm_per_pixel,
    NOMINAL.curvature_nm_per_pixel2,
    NOMINAL.pixels,
    NOMINAL.width_nm,
)
DETECTOR = CountingDetector(
    NOMINAL.counts_per_electron,
    NOMINAL.read_noise_electrons,
    60000.0,
    NOMINAL.width_nm / NOMINAL.nm_per_pixel,
)
EXPOSURE_S = 20.0
POWERS_MW = (0.3, 3.0)
DARKS = 20
WINDOWS = {
    Regime.DILUTE: (0.0, 0.06),
    Regime.TRANSITION: (0.06, 0.13),
    Regime.STAGED: (0.13, 0.33),
    Regime.STAGE_2: (0.34, 1.0),
}
"""Lithium contents that are drawn for each regime. From stage 2 on the band of stage 1 is lost in
fluorescence more often than not, and the spectrum is then given the regime of both."""


@dataclass(frozen=True)
class Instrument:
    """A spectrometer of one seed, its axis set by silicon."""

    probe: RamanProbe
    dark: np.ndarray
    dark_sigma: np.ndarray
    axis: ShiftAxis

    def state(self, li_content: float, power_mw: float, key: int) -> GraphiteState:
        """What one spectrum says."""
        electrons = self.probe.graphite(li_content, power_mw, EXPOSURE_S)
        counts = self.probe.count(electrons, EXPOSURE_S, 1e4 + 100.0 * key)
        spectrum = Spectrum(self.axis.shift_per_cm, *reduced(counts, self.dark, self.dark_sigma, DETECTOR))
        return graphite_state(spectrum, self.axis)


@lru_cache(maxsize=8)
def instrument_of(world: int) -> Instrument:
    """Darks and a spectrum of silicon are taken once."""
    probe = RamanProbe(NOMINAL, HiddenSpectrograph.draw(world), world)
    shape = np.zeros(NOMINAL.pixels)
    darks = np.array([probe.count(shape, EXPOSURE_S, 100.0 * number) for number in range(DARKS)], float)
    dark, sigma = np.median(darks, axis=0), 1.25 * darks.std(axis=0) / np.sqrt(DARKS)
    silicon = probe.count(probe.silicon(1.0, EXPOSURE_S), EXPOSURE_S, 100.0 * DARKS)
    return Instrument(probe, dark, sigma, calibrated_axis(*reduced(silicon, dark, sigma, DETECTOR), PAPER))


class GraphiteRegimes:
    """Lithium content, sorted by the regime that the spectrum was given."""

    title = "Raman spectra of graphite"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """For each window of contents a spectrum; quantities are named by what it was taken for.

        Where only a window is known there is no counting error, and no spread to be held against it.
        """
        instrument = instrument_of(world)
        found: dict[str, Outcome] = {}
        for number, (regime, (low, high)) in enumerate(WINDOWS.items()):
            draw = keyed_generator(world, f"graphite {regime}", 0)
            content = low + (high - low) * float(draw.random())
            power = float(np.exp(np.log(POWERS_MW[0]) + np.log(POWERS_MW[1] / POWERS_MW[0]) * draw.random()))
            state = instrument.state(content, power, 10 * noise + number)
            if state.regime is not Regime.UNDETERMINED:
                found[f"x taken for {state.regime}"] = Outcome(content, state.li_content)
        return found


class RegimeSorting:
    """Which regime a spectrum is given; contents near the borders of the windows are drawn as well."""

    title = "Regimes of graphite"
    classes = tuple(str(regime) for regime in WINDOWS)

    def sort(self, number: int) -> tuple[str, str]:
        """The window from which the content was drawn, and the regime that was found."""
        regime = list(WINDOWS)[number % len(WINDOWS)]
        low, high = WINDOWS[regime]
        content = low + (high - low) * float(keyed_generator(number, "content", 0).random())
        found = instrument_of(number % 6).state(content, 1.0, number + 1000).regime
        # Stage 1 is denser than stage 2: both names are right there.
        return str(regime), str(Regime.STAGE_2 if found is Regime.DENSE and content > 0.5 else found)


MEASUREMENTS = (GraphiteRegimes(),)
SORTINGS = (RegimeSorting(),)

"""Raman spectra: lithium content of graphite by regime, states of an oxide, species of sulfur."""

from collections.abc import Mapping

import numpy as np

from benchmarks.honesty.ensembles import Measurement, Outcome
from benchmarks.honesty.raman_instrument import EXPOSURE_S, NOMINAL, TO_SULFUR, Instrument, instrument_of
from intercalate.materials.raman import CARBIDE_PER_CM
from intercalate.materials.raman_oxides import OXIDES
from intercalate.materials.raman_sulfur import ELECTROLYTES, LONG, SHORT, SPECIES, SULFUR
from intercalate.reduction.raman import (
    GraphiteState,
    OxideState,
    Regime,
    SulfurSpectrum,
    graphite_state,
    oxide_states,
    sulfur_spectra,
)
from intercalate.reduction.raman.carbide import NAME as CARBIDE
from intercalate.reduction.raman.carbide import carbide_bands
from intercalate.reduction.results import UNDETERMINED
from intercalate_sims.cell.sulfur_speciation import SulfurState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.raman import CARBIDE_AREA
from intercalate_sims.probes.raman_oxides import HiddenOxide, ions_at, oxide_lines
from intercalate_sims.probes.raman_sulfur import HOLE_MM, in_electrolyte, on_cathode, sulfur_lines

POWERS_MW = (0.3, 3.0)
WINDOWS = {
    Regime.DILUTE: (0.0, 0.06),
    Regime.TRANSITION: (0.06, 0.13),
    Regime.STAGED: (0.13, 0.33),
    Regime.STAGE_2: (0.34, 1.0),
}
"""Lithium contents that are drawn for each regime. From stage 2 on the band of stage 1 is lost in
fluorescence more often than not, and the spectrum is then given the regime of both."""


def _state(instrument: Instrument, li_content: float, power_mw: float, key: int) -> GraphiteState:
    """What one spectrum of graphite says."""
    spectrum = instrument.spectrum(lambda probe: probe.graphite(li_content, power_mw, EXPOSURE_S), key)
    return graphite_state(spectrum, instrument.axis)


class GraphiteRegimes:
    """Lithium content, sorted by the regime that the spectrum was given."""

    title = "Raman spectra of graphite"
    kinds = len(WINDOWS)

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """A content from each window in turn; the quantity is named by what the spectrum was taken for, right
        or wrong.

        Where only a window is known there is no counting error, and no spread to be held against it.
        """
        low, high = list(WINDOWS.values())[world % self.kinds]
        draw = keyed_generator(world, "graphite", 0)
        content = low + (high - low) * float(draw.random())
        power = float(np.exp(np.log(POWERS_MW[0]) + np.log(POWERS_MW[1] / POWERS_MW[0]) * draw.random()))
        state = _state(instrument_of(world), content, power, noise)
        # That of stage 1 is asked of samples and exposures that show it: see `DenseGraphite`.
        if state.regime in (Regime.UNDETERMINED, Regime.DENSE):
            return {}
        return {f"x taken for {state.regime}": Outcome(content, state.li_content)}


class DenseGraphite:
    """Lithium content by the band of stage 1.

    At usual exposures the noise of fluorescence hides the band; as many electrons as this take a milliwatt
    ten minutes. Most of the error is that the band is a Fano line, which no symmetric profile fits: how much
    it leans differs between samples.
    """

    title = "Raman spectra of dense graphite, long exposures"
    contents, power_mw = (0.7, 1.0), 30.0

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Not determined where the spectrum was given another regime."""
        draw = keyed_generator(world, "dense graphite", 0)
        content = float(draw.uniform(*self.contents))
        state = _state(instrument_of(world), content, self.power_mw, noise)
        known = state.li_content if state.regime is Regime.DENSE else UNDETERMINED
        return {"x taken for stage 1": Outcome(content, known)}


class RegimeSorting:
    """Which regime a spectrum is given; contents near the borders of the windows are drawn as well."""

    title = "Regimes of graphite"
    classes = tuple(str(regime) for regime in WINDOWS)

    def sort(self, number: int) -> tuple[str, str]:
        """The window from which the content was drawn, and the regime that was found."""
        regime = list(WINDOWS)[number % len(WINDOWS)]
        low, high = WINDOWS[regime]
        content = low + (high - low) * float(keyed_generator(number, "content", 0).random())
        found = _state(instrument_of(number % 6), content, 1.0, number + 1000).regime
        # Stage 1 is denser than stage 2: both names are right there.
        return str(regime), str(Regime.STAGE_2 if found is Regime.DENSE and content > 0.5 else found)


class Carbide:
    """Intensity of the band of what the laser has made, on graphite of any content.

    The background below it, fluorescence that rises with lithium, is that of the sample.
    """

    title = "Raman spectra of lithium carbide that the laser made"
    shares = (0.02, 1.0)

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Not determined where the band does not stand out."""
        draw = keyed_generator(world, "carbide drawn", 0)
        low, high = np.log(self.shares)
        share, content, power_mw = float(np.exp(draw.uniform(low, high))), float(draw.uniform(0.0, 1.0)), 8.0
        instrument = instrument_of(world)
        spectrum = instrument.spectrum(
            lambda probe: probe.graphite(content, power_mw, EXPOSURE_S, carbide=share), noise
        )
        (fit,) = carbide_bands([spectrum], instrument.axis)
        shift = NOMINAL.shift_per_cm()
        per_pixel = float(np.interp(np.mean(CARBIDE_PER_CM), shift, np.gradient(shift)))
        electrons = CARBIDE_AREA * share * NOMINAL.electrons_per_mw_s * power_mw * EXPOSURE_S * per_pixel
        known = UNDETERMINED if fit is None else fit.intensity[CARBIDE]
        return {"intensity of Li2C2, counts/cm": Outcome(NOMINAL.counts_per_electron * electrons, known)}


class CarbideSorting:
    """Whether the laser has made carbide; from a tenth of what is possible on."""

    title = "Lithium carbide on graphite"
    classes = ("there", "not there")

    def sort(self, number: int) -> tuple[str, str]:
        """On graphite of any content, half of it without."""
        draw = keyed_generator(number, "carbide sorted", 0)
        is_there = number % 2 == 0
        share = float(draw.uniform(0.1, 1.0)) if is_there else 0.0
        content, instrument = float(draw.uniform(0.0, 1.0)), instrument_of(number % 6)
        spectrum = instrument.spectrum(
            lambda probe: probe.graphite(content, 8.0, EXPOSURE_S, carbide=share), number + 3000
        )
        (fit,) = carbide_bands([spectrum], instrument.axis)
        return self.classes[0 if is_there else 1], self.classes[1 if fit is None else 0]


class Spinel:
    """Oxidation number of the metal and lithium content of an oxide whose sample differs from the tables."""

    title = "Raman spectra of an oxide"
    oxide = OXIDES["LMNO-Cr"]

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """At any lithium content."""
        oxide, instrument = self.oxide, instrument_of(world)
        content = float(keyed_generator(world, "oxide content", 0).uniform(0.05, 1.0))
        hidden = HiddenOxide.draw(world, oxide)
        ions = ions_at(oxide, content, hidden.metal_content)
        lines = oxide_lines(oxide, ions, content, hidden)
        spectrum = instrument.spectrum(lambda probe: probe.oxide(lines, 1.0, EXPOSURE_S), noise)
        (found,) = oxide_states([spectrum], instrument.axis, oxide)
        if not isinstance(found, OxideState):
            raise found
        number = sum(oxide.number_of[ion] * share for ion, share in ions.items())
        return {
            "oxidation number": Outcome(number, found.oxidation_number),
            "x": Outcome(content, found.li_content),
        }


PLACES_MM = {"hole": HOLE_MM, "face": (1.5, 0.0)}


class Sulfur:
    """Species of sulfur in the middle of a series, in the electrolyte and on the cathode's face."""

    visits, middle = 10, 6

    def __init__(self, electrolyte: str, place: str):
        self.electrolyte, self.place = electrolyte, place
        self.title = f"Raman spectra of sulfur, {electrolyte}, {place}"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Amount of each species; the bands of a world are its own, and those of the whole series."""
        instrument = instrument_of(world, TO_SULFUR)
        course = [self._sulfur(world, visit / (self.visits - 1)) for visit in range(self.visits)]
        spectra = []
        for visit, sulfur in enumerate(course):
            lines = sulfur_lines(world, sulfur, PLACES_MM[self.place])
            spectra.append(
                instrument.spectrum(
                    lambda probe, lines=lines: probe.oxide(lines, 1.0, EXPOSURE_S), 100 * noise + visit
                )
            )
        found = sulfur_spectra(spectra, instrument.axis, ELECTROLYTES[self.electrolyte])[self.middle]
        if not isinstance(found, SulfurSpectrum):
            raise found
        true = (in_electrolyte if self.place == "hole" else on_cathode)(course[self.middle])
        return {name: Outcome(true.get(name, 0.0), found.amounts.get(name, UNDETERMINED)) for name in SPECIES}

    def _sulfur(self, world: int, at: float) -> SulfurState:
        """Sulfur becomes long polysulfides; these become short ones and Li2S, of each world in its way."""
        sooner, shorter = keyed_generator(world, "sulfur course", 0).uniform(0.7, 1.3, 2)
        elemental = max(0.0, 1.0 - 3.0 * float(sooner) * at)
        later = max(0.0, at - 1 / 3)
        sulfide, short = 0.7 * later, 0.3 * float(shorter) * later
        long = 1.0 - elemental - sulfide - short
        return SulfurState(
            self.electrolyte,
            7.4,
            ((SULFUR, elemental), ("Li2S", sulfide)),
            ((LONG, 7.4 * long), (SHORT, 7.4 * short)),
        )


MEASUREMENTS: tuple[Measurement, ...] = (
    GraphiteRegimes(),
    DenseGraphite(),
    Carbide(),
    Spinel(),
    *(Sulfur(electrolyte, place) for electrolyte, place in zip(ELECTROLYTES, PLACES_MM)),
)
SORTINGS = (RegimeSorting(), CarbideSorting())

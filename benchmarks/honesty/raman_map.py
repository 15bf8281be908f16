"""Maps of Raman spectra: what one point of them says, and means over all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from benchmarks.honesty.ensembles import Measurement, Outcome
from benchmarks.honesty.raman import WINDOWS
from benchmarks.honesty.raman_instrument import EXPOSURE_S, TO_SULFUR, Instrument, instrument_of
from intercalate.materials.raman_oxides import OXIDES
from intercalate.materials.raman_sulfur import ELECTROLYTES, LONG, SHORT, SPECIES, SULFUR
from intercalate.orchestration.tasks import Grid
from intercalate.reduction.bands import Spectrum, SpectrumError
from intercalate.reduction.raman import (
    GraphiteState,
    OxideState,
    Regime,
    map_mean,
    oxide_states,
    sulfur_spectra,
)
from intercalate.reduction.raman.graphite import graphite_states
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate_sims.cell.sulfur_speciation import SulfurState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.raman import RamanProbe
from intercalate_sims.probes.raman_oxides import HiddenOxide, ions_at, oxide_lines
from intercalate_sims.probes.raman_sulfur import carbon_at, on_cathode, sulfur_lines

ELECTROLYTE, TOTAL_MOL_L = "LiTFSI in PY13-FSI", 7.4
POINTS, EXTENT_UM = 4, 60.0
FACE_MM = (1.5, 0.0)
"""Middle of the map, on the cathode."""
UNEVEN = 0.25
"""Largest amplitude by which the conversion differs over a map."""


@dataclass(frozen=True)
class Uneven:
    """A wave over a map, about its middle."""

    middle: float
    amplitude: float
    wave: np.ndarray
    phase: float

    @classmethod
    def draw(cls, draw: np.random.Generator, middle: tuple[float, float], amplitude: float) -> Self:
        """One of a world, as steep as one turn over the map at most."""
        at, size = float(draw.uniform(*middle)), float(draw.uniform(0.0, amplitude))
        return cls(
            at,
            size,
            draw.uniform(-1.0, 1.0, 2) * 2.0 * np.pi / EXTENT_UM,
            float(draw.uniform(0.0, 2 * np.pi)),
        )

    def at(self, place_um: tuple[float, float]) -> float:
        return self.middle + self.amplitude * float(np.cos(self.wave @ place_um + self.phase))


def _places_um(points: int) -> list[tuple[float, float]]:
    return Grid(extent_um=EXTENT_UM, points=points).points_um()


def _spectra(
    instrument: Instrument, lights: Sequence[Callable[[RamanProbe], np.ndarray]], noise: int
) -> list[Spectrum]:
    """One of each point."""
    return [instrument.spectrum(light, 1000 * noise + number) for number, light in enumerate(lights)]


def _mean(
    true: Sequence[float],
    found: Sequence[Estimate],
    shared: Sequence[float] | None = None,
    readings: Sequence[int] | None = None,
) -> Outcome:
    """Of the whole map, whichever of its points were read."""
    columns = np.array([(one.value, one.sigma_stat, one.sigma_sys) for one in found], dtype=float).T
    more = (None if one is None else np.array(one) for one in (shared, readings))
    return Outcome(float(np.mean(true)), map_mean(*columns, *more).mean)


class GraphiteMap:
    """Lithium content in the mean of a map, sorted by the regime that most of its points were given.

    Of the other regimes no more than a range is known, of which there is no mean.
    """

    title = "Lithium content in the mean of a Raman map"
    regimes = (Regime.DILUTE, Regime.STAGED)
    kinds = len(regimes)
    points, power_mw, uneven = 5, 1.0, 0.02

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """A map from either window of contents in turn."""
        instrument = instrument_of(world)
        draw = keyed_generator(world, "graphite map", 0)
        uneven = Uneven.draw(draw, WINDOWS[self.regimes[world % self.kinds]], self.uneven)
        contents = [float(np.clip(uneven.at(one), 0.0, 1.0)) for one in _places_um(self.points)]
        lights = [lambda probe, x=x: probe.graphite(x, self.power_mw, EXPOSURE_S) for x in contents]
        states = graphite_states(_spectra(instrument, lights, noise), instrument.axis)
        told = [one for one in states if isinstance(one, GraphiteState)]
        if len(told) < len(states):
            return {}
        readings = [list(Regime).index(one.regime) for one in told]
        most = list(Regime)[int(np.argmax(np.bincount(readings)))]
        if most not in self.regimes:
            return {}
        mean = _mean(contents, [one.li_content for one in told], readings=readings)
        return {f"x taken for {most}, mean": mean}


class OxideMap:
    """Oxidation number and lithium content of an oxide in the mean of a map."""

    title = "An oxide in the mean of a Raman map"
    oxide, uneven = OXIDES["LMNO-Cr"], 0.2

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Of a sample that differs from the tables alike in all places."""
        oxide, instrument = self.oxide, instrument_of(world)
        uneven = Uneven.draw(keyed_generator(world, "oxide map", 0), (0.25, 0.8), self.uneven)
        hidden = HiddenOxide.draw(world, oxide)
        contents = [uneven.at(place_um) for place_um in _places_um(POINTS)]
        ions = [ions_at(oxide, x, hidden.metal_content) for x in contents]
        bands = [oxide_lines(oxide, *one, hidden) for one in zip(ions, contents)]
        lights = [lambda probe, lines=lines: probe.oxide(lines, 1.0, EXPOSURE_S) for lines in bands]
        states = oxide_states(_spectra(instrument, lights, noise), instrument.axis, oxide)
        told = [one for one in states if isinstance(one, OxideState)]
        if len(told) < len(states):
            return {}
        numbers = [sum(oxide.number_of[ion] * share for ion, share in one.items()) for one in ions]
        return {
            "oxidation number, mean": _mean(numbers, [one.oxidation_number for one in told]),
            "x, mean": _mean(contents, [one.li_content for one in told]),
        }


class SulfurMap:
    """Species of sulfur on a cathode that has discharged further at some places than at others.

    Amounts are for an atom of carbon, of which there is more at some places as well. All points are read as
    one series, which tells more of the bands than the tables do; the quantities are those of one of them, and
    means over all.
    """

    title = "Species of sulfur in a Raman map"

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """All points as one series."""
        instrument, draw = instrument_of(world, TO_SULFUR), keyed_generator(world, "sulfur map", 0)
        uneven = Uneven.draw(draw, (0.1, 0.9), UNEVEN)
        chosen = int(draw.integers(POINTS**2))
        lights, truth = [], []
        for x_um, y_um in _places_um(POINTS):
            sulfur = _sulfur(float(np.clip(uneven.at((x_um, y_um)), 0.0, 1.0)))
            place_mm = (FACE_MM[0] + 1e-3 * x_um, FACE_MM[1] + 1e-3 * y_um)
            lines, carbon = sulfur_lines(world, sulfur, place_mm), carbon_at(world, place_mm)
            lights.append(lambda probe, lines=lines: probe.oxide(lines, 1.0, EXPOSURE_S))
            truth.append({name: amount / carbon for name, amount in on_cathode(sulfur).items()})
        found = sulfur_spectra(
            _spectra(instrument, lights, noise), instrument.axis, ELECTROLYTES[ELECTROLYTE]
        )
        one = found[chosen]
        if isinstance(one, SpectrumError):
            raise one
        outcomes = {
            name: Outcome(truth[chosen].get(name, 0.0), one.amounts.get(name, UNDETERMINED))
            for name in SPECIES
        }
        fitted = [(true, said) for true, said in zip(truth, found) if not isinstance(said, SpectrumError)]
        for name in SPECIES:
            outcomes[f"{name}, mean"] = _mean(
                [true.get(name, 0.0) for true, _ in fitted],
                [said.amounts[name] for _, said in fitted],
                [said.shared[name] for _, said in fitted],
            )
        return outcomes


def _sulfur(at: float) -> SulfurState:
    """Sulfur becomes long polysulfides, these short ones and Li2S, as far as a place has discharged."""
    elemental, later = max(0.0, 1.0 - 3.0 * at), max(0.0, at - 1 / 3)
    sulfide, short = 0.7 * later, 0.3 * later
    long = 1.0 - elemental - sulfide - short
    return SulfurState(
        ELECTROLYTE,
        TOTAL_MOL_L,
        ((SULFUR, elemental), ("Li2S", sulfide)),
        ((LONG, TOTAL_MOL_L * long), (SHORT, TOTAL_MOL_L * short)),
    )


MEASUREMENTS: tuple[Measurement, ...] = (SulfurMap(), GraphiteMap(), OxideMap())

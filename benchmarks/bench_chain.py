"""Do lattice parameters and their errors hold after the whole chain, on instruments that nobody was told of?

For each of a number of instruments, geometry, energy, detector, displacement and thickness are drawn by the
simulator; the reduction is given frames only: darks, LaB6, even light, an empty cell, and then cells in
several states. What it finds is compared with the truth, absolutely and relative to the first state.

Usage: python benchmarks/bench_chain.py [--instruments 20] [--states 6]
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.bench_reduction import (
    NEGATIVE_UM,
    POSITIVE_UM,
    QUANTITIES,
    Tally,
    cell_state,
    true_values,
)
from benchmarks.report import verdict
from intercalate.reduction import FitOptions, Systematics, fit, full_cell, stage_1_fraction
from intercalate.reduction.chain import Corrections, ReductionChain, mean_pattern
from intercalate.reduction.geometry import NominalGeometry, fit_geometry
from intercalate.reduction.integration import solid_angle
from intercalate.reduction.pixels import average_dark, blind_pixels, flat_field
from intercalate.reduction.shifts import line_shifts
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.hidden import Hidden
from intercalate_sims.irradiation import Inactive
from intercalate_sims.pressure import HiddenPressed
from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.diffraction import truth_of
from intercalate_sims.probes.monitors import DARK_PER_S, MonitorCounts
from intercalate_sims.probes.powder import makeup_of
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.station import DiffractionStation

SATURATION = 2.0**20 - 1
FLUX = 4e9
EXPOSURE_S, FLAT_S = 60.0, 300.0
MODEL = "nmc811-graphite"
SEPARATOR_UM = 12.0
ABSOLUTE, RELATIVE = 1e-4, 2e-5
"""Goals of the largest error of a lattice parameter of the oxide."""


class Instrument:
    """A station of which only frames and monitors are seen, for the cell A1 and others by name and model."""

    def __init__(self, seed: int, model: str = MODEL, others: Mapping[str, str] | None = None):
        makeups = {name: makeup_of(one) for name, one in ({"A1": model} | dict(others or {})).items()}
        self.hidden = Hidden.draw(seed, ["H1"], makeups)
        self._makeups, self._seed = makeups, seed
        self._station = DiffractionStation(DetectorGeometry(), self.hidden, makeups, seed)
        self._start_s = 0.0

    def take(
        self,
        content: str,
        exposure_s: float,
        states: Sequence[tuple[float, ProbeState]] = (),
        *,
        dark: bool = False,
        place_mm: tuple[float, float] = (0.0, 0.0),
        inactive: Sequence[Inactive] = (),
        beam: tuple[float, tuple[float, float]] = (FLUX, (0.5, 0.5)),
        settings: Mapping[str, Any] | None = None,
    ) -> tuple[np.ndarray, MonitorCounts]:
        """One exposure, of a spot of which particles may have stopped taking part.

        `beam` is photons per second and size in mm, `settings` what a client said of the exposure.
        """
        self._start_s += 1000.0
        holder = InBeam(Holder("H1", content, 0.0, 0.0), 1.0, 0.0, place_mm)
        full, size_mm = beam
        flux = 0.0 if dark else full
        shot = Shot(
            self._start_s,
            exposure_s,
            flux,
            full,
            25.0,
            size_mm,
            holder,
            states,
            inactive,
            settings=settings or {},
        )
        frame, counts, _ = self._station.take(shot, 0)
        return frame, counts

    def press(self, hidden: HiddenPressed) -> None:
        """Put another sample between the diamonds."""
        self.hidden = replace(self.hidden, pressed=hidden)
        self._station = DiffractionStation(DetectorGeometry(), self.hidden, self._makeups, self._seed)

    def take_pressed(
        self, content: str, exposure_s: float, marker_gpa: float, beam: tuple[float, tuple[float, float]]
    ) -> tuple[np.ndarray, MonitorCounts, dict[str, Any]]:
        """One exposure of what is between diamonds at a pressure, and what it was made from."""
        self._start_s += 1000.0
        flux, size_mm = beam
        there = InBeam(Holder("H1", content, 0.0, 0.0), 1.0, 0.0, (0.0, 0.0))
        shot = Shot(self._start_s, exposure_s, flux, flux, 25.0, size_mm, there, marker_gpa=marker_gpa)
        return self._station.take(shot, 0)

    def begin(self, number: int) -> None:
        """Take what follows with the noise of this number, whatever was taken before."""
        self._start_s = 1e6 * (1 + number)

    def darks(self, exposure_s: float, count: int = 6) -> Iterator[np.ndarray]:
        """Frames behind a closed shutter."""
        for _ in range(count):
            yield self.take("empty", exposure_s, dark=True)[0]


def monitor(counts: MonitorCounts, exposure_s: float) -> float:
    """Transmitted counts without dark counts."""
    return counts.it - DARK_PER_S * exposure_s


@dataclass(frozen=True)
class Calibrated:
    """The chain of one instrument, options of the fit, and how long the calibrant took."""

    chain: ReductionChain
    options: FitOptions
    geometry_s: float


def calibrated(instrument: Instrument) -> Calibrated:
    """Go through a calibration as the plans do."""
    dark, long_dark = (average_dark(instrument.darks(one), one) for one in (EXPOSURE_S, FLAT_S))
    blind = blind_pixels(dark)
    rings, _ = instrument.take("LaB6", EXPOSURE_S)
    nominal = NominalGeometry(300.0, 0.15, (6.0, 6.0), 25.0)
    began = time.perf_counter()
    geometry = fit_geometry(rings - dark.mean, blind, nominal)
    geometry_s = time.perf_counter() - began
    even = [instrument.take("fluorescence", FLAT_S)[0] for _ in range(6)]
    after, _ = instrument.take("fluorescence", FLAT_S, dark=True)
    flat = flat_field(
        even, long_dark, blind | blind_pixels(long_dark), solid_angle(geometry.poni), dark_after=after
    )
    known = Corrections(flat.mask, dark, flat.efficiency, flat.counts_per_photon, flat.lag, SATURATION)
    bare = ReductionChain(geometry.poni, known)
    empty = [instrument.take("empty", EXPOSURE_S) for _ in range(6)]
    background = mean_pattern(
        [bare.reduce(frame, monitor=monitor(counts, EXPOSURE_S)).pattern for frame, counts in empty]
    )
    options = FitOptions(systematics=Systematics(geometry=line_shifts(geometry.poni, geometry.covariance)))
    chain = ReductionChain(geometry.poni, replace(known, background=background))
    return Calibrated(chain, options, geometry_s)


def phases() -> list:
    """What the cell's description says; its layers differ by what the simulator has drawn."""
    return full_cell(positive_um=POSITIVE_UM, negative_um=NEGATIVE_UM, separator_um=SEPARATOR_UM)


@dataclass(frozen=True)
class Ensemble:
    """Deviations of each lattice parameter and of the fraction of stage 1, relative changes against the
    first state, and seconds of each calibration.
    """

    tallies: dict[str, Tally]
    fractions: Tally
    changes: dict[str, list[float]]
    seconds: list[float]


def ensemble(instruments: int, states: int, seed: int) -> Ensemble:
    """Fits of several states on each of several instruments."""
    draw = np.random.default_rng(seed)
    tallies, fractions = {name: Tally() for name in QUANTITIES}, Tally()
    changes: dict[str, list[float]] = {name: [] for name in ("NMC811.a", "NMC811.c")}
    seconds = []
    for number in range(instruments):
        instrument = Instrument(seed + number)
        known = calibrated(instrument)
        seconds.append(known.geometry_s)
        result, first = None, {}
        for _ in range(states):
            x_negative = draw.uniform(0.15, 0.95)
            state = cell_state(0.97 - 0.72 * x_negative, x_negative, spread=draw.uniform(0.005, 0.03))
            frame, counts = instrument.take("A1", EXPOSURE_S, [(1.0, state)])
            pattern = known.chain.reduce(frame, monitor=monitor(counts, EXPOSURE_S)).pattern
            result = fit(pattern, phases(), known.options, start=result)
            truth = truth_of([(1.0, state)])
            fraction = stage_1_fraction(result, pattern.wavelength_angstrom)
            fractions.add(fraction, truth["negative"]["stage_1_fraction"])
            for name, value in true_values(truth).items():
                tallies[name].add(result.parameters[name], value)
                if name in changes:
                    off = result.parameters[name].value / value - 1
                    changes[name].append(off - first.setdefault(name, off))
    return Ensemble(tallies, fractions, changes, seconds)


def speed(repeats: int = 20) -> dict[str, float]:
    """Best of several, in ms: the chain with all corrections, and the fit."""
    instrument = Instrument(1)
    known = calibrated(instrument)
    frames = [
        instrument.take("A1", EXPOSURE_S, [(1.0, cell_state(0.45 + 0.002 * i, 0.65 - 0.003 * i))])
        for i in (0, 1)
    ]
    (before, _), (frame, counts) = frames
    amount = monitor(counts, EXPOSURE_S)
    start = fit(known.chain.reduce(before, monitor=amount).pattern, phases(), known.options)
    times: dict[str, list[float]] = {"chain": [], "fit": []}
    for _ in range(repeats):
        marks = [time.perf_counter()]
        pattern = known.chain.reduce(frame, before=before, monitor=amount).pattern
        marks.append(time.perf_counter())
        fit(pattern, phases(), known.options, start=start)
        marks.append(time.perf_counter())
        for name, taken in zip(times, np.diff(marks)):
            times[name].append(taken * 1e3)
    return {name: float(np.min(values)) for name, values in times.items()}


def main() -> None:
    """Print the tables and the speed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instruments", type=int, default=20)
    parser.add_argument("--states", type=int, default=6, help="states per instrument")
    parser.add_argument("--seed", type=int, default=5000)
    arguments = parser.parse_args()
    found = ensemble(arguments.instruments, arguments.states, arguments.seed)
    print("| quantity | fits | undetermined | coverage | rms deviation mA | median total sigma mA |")
    print("|---|---|---|---|---|---|")
    for name, tally in found.tallies.items():
        deviation, stat, systematic = tally.arrays()
        rms, sigma = np.sqrt(np.mean(deviation**2)), np.median(np.hypot(stat, systematic))
        lost = len(tally.deviation) - deviation.size
        print(
            f"| {name} | {deviation.size} | {lost} | {tally.coverage:.2f} "
            f"| {1e3 * rms:.3f} | {1e3 * sigma:.3f} |"
        )
    print("\n| quantity | rms absolute (goal 1e-4) | rms relative to the first state (goal 2e-5) |")
    print("|---|---|---|")
    scale = {"NMC811.a": 2.85, "NMC811.c": 14.3}
    for name, change in found.changes.items():
        deviation, _, _ = found.tallies[name].arrays()
        absolute = np.sqrt(np.mean((deviation / scale[name]) ** 2))
        relative = np.sqrt(np.mean(np.square(change)))
        print(
            f"| {name} | {absolute:.1e} ({verdict(absolute, ABSOLUTE)}) "
            f"| {relative:.1e} ({verdict(relative, RELATIVE)}) |"
        )
    deviation, _, _ = found.fractions.arrays()
    print(
        f"\nFraction of stage 1 in graphite: {deviation.size} fits, rms deviation "
        f"{np.sqrt(np.mean(deviation**2)):.3f} (goal 0.05), mean {deviation.mean():+.3f}, "
        f"largest {np.abs(deviation).max():.3f}, coverage {found.fractions.coverage:.2f}."
    )
    taken = speed()
    rate = 1e3 / sum(taken.values())
    print("\n" + ", ".join(f"{name} {value:.1f} ms" for name, value in taken.items()), end="; ")
    print(f"whole chain {rate:.0f} frames/s on one core (goal 15).")
    print(
        f"Geometry and energy from a frame of LaB6: {np.median(found.seconds):.1f} s, "
        f"at most {max(found.seconds):.1f} s (goal 10 s)."
    )


if __name__ == "__main__":
    main()

"""Do the errors of the diffraction reduction tell the truth, and is it fast enough?

The simulator's profile, depth, air scatter and distribution of lithium are not those of the fit. Two
ensembles of whole frames with fixed seeds:

noise only
    One cell in one state, many exposures: the spread of (fit - truth) / sigma_stat is that of counting,
    and the mean of (fit - truth) is the bias, to be compared with the sigma_sys of the same fit.
whole
    States, thicknesses, temperature, wavelength and centre of the rings drawn from the distributions
    that `Systematics` and `full_cell` declare: how often |fit - truth| <= hypot(sigma_stat, sigma_sys).

Usage: python benchmarks/bench_reduction.py [--noise 120] [--instruments 40] [--states 10]
"""

import argparse
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from intercalate.reduction import Estimate, FitOptions, Integrator, fit, full_cell
from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.diffraction import DiffractionProbe
from intercalate_sims.probes.powder import CellMakeup

POSITIVE_UM, NEGATIVE_UM, SEPARATOR_UM = 65.0, 75.0, 25.0
QUANTITIES = ("NMC811.a", "NMC811.c", "graphite.d", "graphite.a", "LiC6.d", "LiC6.a")
NOISE_STATES = ((0.90, 0.20), (0.60, 0.40), (0.45, 0.65), (0.30, 0.85))


def cell_state(
    x_positive: float,
    x_negative: float,
    *,
    spread: float = 0.02,
    thickness_um: tuple[float, float] = (POSITIVE_UM, NEGATIVE_UM),
    temperature_c: float = 25.0,
) -> ProbeState:
    """A full cell with a small gradient over ten slices of each electrode."""
    slices = 10
    positive = np.clip(np.linspace(x_positive - 0.01, x_positive + 0.01, slices), 0, 1)
    negative = np.clip(np.linspace(x_negative + 0.015, x_negative - 0.015, slices), 0, 1)
    return ProbeState(
        0.0,
        temperature_c,
        ElectrodeState("NMC811", tuple(positive), (spread,) * slices, thickness_um[0], 18.0),
        ElectrodeState("graphite", tuple(negative), (spread,) * slices, thickness_um[1], 11.0),
        0.0,
        0.0,
    )


def true_values(truth: dict[str, Any]) -> dict[str, float]:
    """Truth of the fitted quantities; those of an absent phase are left out."""
    positive, negative = truth["positive"], truth["negative"]
    values = {"NMC811.a": positive["a_angstrom"], "NMC811.c": positive["c_angstrom"]}
    if negative["stage_1_fraction"] < 0.95:
        values["graphite.d"] = negative["poor_layer_spacing_angstrom"]
        values["graphite.a"] = negative["poor_in_plane_a_angstrom"]
    if negative["stage_1_fraction"] > 0.05:
        values["LiC6.d"] = negative["stages"]["1"]["layer_spacing_angstrom"]
        values["LiC6.a"] = negative["stages"]["1"]["in_plane_a_angstrom"]
    return values


@dataclass
class Tally:
    """Deviations of one quantity with their errors."""

    deviation: list[float] = field(default_factory=list)
    sigma_stat: list[float] = field(default_factory=list)
    sigma_sys: list[float] = field(default_factory=list)

    def add(self, estimate: Estimate, truth: float) -> None:
        """Count one fit; a quantity that was not determined is counted as NaN."""
        self.deviation.append(estimate.value - truth)
        self.sigma_stat.append(estimate.sigma_stat)
        self.sigma_sys.append(estimate.sigma_sys)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Deviation, sigma_stat and sigma_sys of the fits that determined the quantity."""
        all_rows = np.array([self.deviation, self.sigma_stat, self.sigma_sys])
        deviation, stat, systematic = all_rows[:, np.isfinite(all_rows).all(axis=0)]
        return deviation, stat, systematic

    @property
    def spread_of_pull(self) -> float:
        """Standard deviation of deviation / sigma_stat about its mean."""
        deviation, stat, _ = self.arrays()
        return float(np.std(deviation / stat, ddof=1))

    @property
    def coverage(self) -> float:
        """Share of fits whose total error covers the truth."""
        deviation, stat, systematic = self.arrays()
        return float(np.mean(np.abs(deviation) <= np.hypot(stat, systematic)))


def noise_only(state: ProbeState, realisations: int, seed: int) -> dict[str, Tally]:
    """Fit many exposures of one state."""
    probe = DiffractionProbe(seed=seed)
    integrator = Integrator(probe.geometry_poni(), probe.mask)
    phases = full_cell(positive_um=POSITIVE_UM, negative_um=NEGATIVE_UM)
    truth = true_values(probe.truth([(1.0, state)]))
    tallies = {name: Tally() for name in truth}
    result = None
    for number in range(realisations):
        frame = probe.frame([(1.0, state)], 60.0, 60.0 * number)
        result = fit(integrator.integrate(frame), phases, start=result)
        for name, value in truth.items():
            tallies[name].add(result.parameters[name], value)
    return tallies


def whole(instruments: int, states: int, seed: int) -> dict[str, Tally]:
    """Fit states of cells whose instrument and make-up differ from what the reduction is told."""
    draw = np.random.default_rng(seed)
    options = FitOptions()
    declared = options.systematics
    nominal = DetectorGeometry()
    integrator = Integrator(nominal.poni(), nominal.mask)
    phases = full_cell(positive_um=POSITIVE_UM, negative_um=NEGATIVE_UM, thickness_sigma_um=3.0)
    centre_sigma_mm = np.radians(declared.zero_deg) * nominal.distance_mm * np.pi / 2 / np.sqrt(2)
    tallies = {name: Tally() for name in QUANTITIES}
    for number in range(instruments):
        geometry = DetectorGeometry(
            wavelength_angstrom=nominal.wavelength_angstrom * (1 + declared.wavelength * draw.normal()),
            beam_mm=(6.0 + centre_sigma_mm * draw.normal(), 6.0 + centre_sigma_mm * draw.normal()),
        )
        makeup = CellMakeup(
            separator_um=SEPARATOR_UM + 3.0 * draw.normal(), displacement_um=50.0 * draw.normal()
        )
        probe = DiffractionProbe(geometry, makeup, seed=seed + number)
        thickness = (POSITIVE_UM + 3.0 * draw.normal(), NEGATIVE_UM + 3.0 * draw.normal())
        temperature_c = options.temperature_c + declared.temperature_k * draw.normal()
        result = None
        for index in range(states):
            x_negative = draw.uniform(0.15, 0.95)
            state = cell_state(
                0.97 - 0.72 * x_negative,
                x_negative,
                spread=draw.uniform(0.005, 0.03),
                thickness_um=thickness,
                temperature_c=temperature_c,
            )
            frame = probe.frame([(1.0, state)], 60.0, 60.0 * index)
            result = fit(integrator.integrate(frame), phases, options, start=result)
            for name, value in true_values(probe.truth([(1.0, state)])).items():
                tallies[name].add(result.parameters[name], value)
    return tallies


def speed(repeats: int = 20) -> dict[str, float]:
    """Best of several, in ms: making a frame, integrating it, fitting it from the frame before."""
    probe = DiffractionProbe(seed=1)
    integrator = Integrator(probe.geometry_poni(), probe.mask)
    phases = full_cell(positive_um=POSITIVE_UM, negative_um=NEGATIVE_UM)
    before = [(1.0, cell_state(0.45, 0.65))]
    after = [(1.0, cell_state(0.448, 0.653))]
    start = fit(integrator.integrate(probe.frame(before, 60.0, 0.0)), phases)
    times: dict[str, list[float]] = {"frame": [], "integrate": [], "fit": []}
    for number in range(repeats):
        marks = [time.perf_counter()]
        frame = probe.frame(after, 60.0, 60.0 * number)
        marks.append(time.perf_counter())
        pattern = integrator.integrate(frame)
        marks.append(time.perf_counter())
        fit(pattern, phases, start=start)
        marks.append(time.perf_counter())
        for name, taken in zip(times, np.diff(marks)):
            times[name].append(taken * 1e3)
    return {name: float(np.min(values)) for name, values in times.items()}


def main() -> None:
    """Print both tables and the speed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--noise", type=int, default=120, help="exposures per state, four states")
    parser.add_argument("--instruments", type=int, default=40)
    parser.add_argument("--states", type=int, default=10, help="states per instrument")
    arguments = parser.parse_args()
    print("| state x+, x- | quantity | n | spread of pull | mean bias mA | sigma_stat mA | sigma_sys mA |")
    print("|---|---|---|---|---|---|---|")
    for seed, (x_positive, x_negative) in enumerate(NOISE_STATES):
        for name, tally in noise_only(cell_state(x_positive, x_negative), arguments.noise, seed).items():
            deviation, stat, systematic = tally.arrays()
            figures = " | ".join(f"{1e3 * value.mean():+.4f}" for value in (deviation, stat, systematic))
            print(
                f"| {x_positive}, {x_negative} | {name} | {deviation.size} | "
                f"{tally.spread_of_pull:.2f} | {figures} |"
            )
    head = ("fits", "undetermined", "coverage", "mean bias mA", "rms deviation mA", "median total sigma mA")
    print(f"\n| quantity | {' | '.join(head)} |\n" + "|---" * 7 + "|")
    for name, tally in whole(arguments.instruments, arguments.states, seed=1000).items():
        deviation, stat, systematic = tally.arrays()
        rms, sigma = np.sqrt(np.mean(deviation**2)), np.median(np.hypot(stat, systematic))
        lost = len(tally.deviation) - deviation.size
        print(
            f"| {name} | {deviation.size} | {lost} | {tally.coverage:.2f} "
            f"| {1e3 * deviation.mean():+.3f} | {1e3 * rms:.3f} | {1e3 * sigma:.3f} |"
        )
    taken = speed()
    print("\n" + ", ".join(f"{name} {value:.1f} ms" for name, value in taken.items()))
    print(f"reduction {1e3 / (taken['integrate'] + taken['fit']):.1f} frames/s")


if __name__ == "__main__":
    main()

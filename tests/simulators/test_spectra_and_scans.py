"""Impedance spectra, voltage scans and titrations on the simulated cell, through channel and executor."""

from pathlib import Path

import numpy as np
import pytest

from channel_bench import Bench, charge, make_program, run, until
from intercalate.contract import IMPEDANCE_COLUMNS, RECORD_COLUMNS, EndReason, OnLoss
from intercalate.cycler_server.executor import CommandRefused
from intercalate.reduction.electrochemistry import fit_circuit, gitt, kramers_kronig, pitt
from intercalate_sims.cell.interface import HasImpedance
from intercalate_sims.cell.parameters import NMC811_GRAPHITE

REST = {"step": "open_circuit_voltage", "until_time_s": 7200}
SPECTRUM = {
    "step": "impedance_spectroscopy",
    "amplitude_V": 0.01,
    "start_frequency_Hz": 1e5,
    "end_frequency_Hz": 0.01,
    "points_per_decade": 6,
    "measures_per_point": 2,
}


def of(table: np.ndarray, name: str) -> np.ndarray:
    """A column of records or of spectra."""
    names = IMPEDANCE_COLUMNS if name in ("frequency_hertz", "point") else RECORD_COLUMNS
    return table[:, names.index(name)]


def spectrum_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frequency, real, imaginary = points[:, 4:7].T
    assert IMPEDANCE_COLUMNS[4:7] == ("frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm")
    return frequency, real + 1j * imaginary


def test_a_spectrum_is_that_of_the_cell_and_takes_its_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=50_000.0)
    cell = bench.world.slots["A1"].cell
    assert isinstance(cell, HasImpedance)
    asked: list[np.ndarray] = []
    original = cell.impedance
    cell.impedance = lambda frequency_hz: asked.append(original(frequency_hz)) or asked[-1]
    run(bench.live(lambda b: b.complete(make_program(charge(1800), REST, SPECTRUM))), 60.0)
    points, records = bench.spectra(), bench.table()
    assert bench.executor.last_end is EndReason.SPECTRUM_COMPLETE
    frequency, impedance = spectrum_of(points)
    assert list(of(points, "point")) == list(range(1, 44))
    assert list(points[:, 0]) == list(range(43))
    assert frequency[[0, -1]] == pytest.approx([1e5, 0.01])
    noise = impedance / np.concatenate(asked) - 1
    # Two measures of 5e-4 each and of 10 uV against 10 mV.
    sigma = np.hypot(5e-4, 1e-3) / np.sqrt(2)
    assert np.sqrt(np.mean(np.abs(noise) ** 2) / 2) == pytest.approx(sigma, rel=0.25)
    # The cell goes on relaxing during the sweep and after it.
    assert impedance == pytest.approx(original(frequency), rel=0.02)
    assert np.all(impedance.imag < 0)
    in_sweep = of(records, "step_count") == 3
    lasted_s = np.ptp(of(records, "test_time_second")[in_sweep])
    assert lasted_s == pytest.approx(2 * np.sum(1 / frequency), abs=35)
    assert np.all(of(records, "current_ampere")[in_sweep] == 0)
    # The last of a frequency's periods was over when it was written.
    elapsed = points[:, IMPEDANCE_COLUMNS.index("test_time_second")] - (1800 + 7200)
    needed = np.cumsum(2 / frequency)
    assert np.all(elapsed >= needed - 1e-6)
    assert np.all(elapsed <= needed + 6)
    entry = bench.executor.ledger.entries["p"]
    assert (entry.first_impedance, entry.end_impedance) == (0, 43)


def test_the_reduction_finds_two_electrodes_in_a_spectrum(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=50_000.0)
    run(bench.live(lambda b: b.complete(make_program(charge(1800), REST, SPECTRUM))), 60.0)
    frequency, impedance = spectrum_of(bench.spectra())
    assert kramers_kronig(frequency, impedance, tolerance=3e-3).passed
    fast = frequency >= 0.1
    found = fit_circuit(frequency[fast], impedance[fast], ("R", "ZARC", "ZARC"), relative_error=1e-3)
    # The slow arc is the charge transfer of graphite, R T / (F i0 a) beside its double layer, whose time has
    # no area in it; the ladder of slices widens it a little.
    graphite = NMC811_GRAPHITE.negative
    bare_s = 0.0257 / (graphite.reaction_current_a_m2 * 0.5) * graphite.double_layer_f_m2
    assert found.parameters["ZARC_2.time_s"].value == pytest.approx(bare_s, rel=0.5)


def test_a_fault_ends_a_sweep_and_keeps_what_was_measured(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rate=20_000.0)

    async def story(bench: Bench) -> None:
        bench.executor.load("p", make_program(charge(600), SPECTRUM), OnLoss.REST)
        await until(lambda: bench.executor.lost is None)
        bench.executor.start("p")
        await until(lambda: len(bench.executor.impedances) >= 30)
        bench.channel.turn(over_temperature_c=60.0)
        await until(lambda: bench.executor.latched is not None)

    run(bench.live(story))
    points = bench.spectra()
    assert 30 <= len(points) < 43
    assert bench.executor.ledger.entries["p"].end_impedance == len(points)


def test_a_channel_without_the_ability_refuses_the_program(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(CommandRefused, match="cannot do impedance_spectroscopy"):
        bench.executor.load("p", make_program(SPECTRUM), OnLoss.REST)


def test_neither_speed_nor_load_changes_a_spectrum(tmp_path: Path) -> None:
    tables = []
    for name, rate in (("fast", 50_000.0), ("slow", 6_000.0)):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name, rate=rate)
        run(bench.live(lambda b: b.complete(make_program(charge(600), SPECTRUM))), 60.0)
        tables.append(np.delete(bench.spectra(), 3, axis=1))
    assert np.array_equal(tables[0], tables[1], equal_nan=True)


def test_a_scan_goes_at_its_rate_from_voltage_to_voltage(tmp_path: Path) -> None:
    scan = {
        "step": "voltage_scan",
        "start_voltage_V": 3.5,
        "end_voltage_V": 3.9,
        "scan_rate_mV_per_s": 0.2,
    }
    back = scan | {"start_voltage_V": 3.9, "end_voltage_V": 3.5}
    bench = Bench(tmp_path, rate=50_000.0)
    run(bench.live(lambda b: b.complete(make_program(charge(900), REST, scan, back))), 60.0)
    assert bench.executor.latched is None
    records = bench.table()
    for count, start_v, rate in ((3, 3.5, 2e-4), (4, 3.9, -2e-4)):
        rows = records[of(records, "step_count") == count]
        time_s = (
            of(rows, "test_time_second")
            - of(records, "test_time_second")[of(records, "step_count") == count - 1][-1]
        )
        assert of(rows, "voltage_volt") == pytest.approx(start_v + rate * time_s, abs=5e-4)
        assert time_s[-1] == pytest.approx(2000, abs=4)
    current = of(records, "current_ampere")
    assert (
        np.mean(current[of(records, "step_count") == 3])
        > 0
        > np.mean(current[of(records, "step_count") == 4])
    )


def test_a_galvanostatic_pulse_of_a_full_cell_gives_an_apparent_diffusion_coefficient(tmp_path: Path) -> None:
    """Graphite and electrolyte polarise too, so it is too small; twice the current gives the same."""
    rest = {"step": "open_circuit_voltage", "until_time_s": 14_400}
    pulses = [part for rate_C in (0.1, 0.2) for part in (charge(600, rate_C=rate_C), rest)]
    bench = Bench(tmp_path, rate=100_000.0)
    run(bench.live(lambda b: b.complete(make_program(charge(2700), rest, *pulses), 80.0)), 90.0)
    positive = NMC811_GRAPHITE.positive
    found = gitt(bench.table(), diffusion_length_m=positive.particle_radius_m / 3)
    apparent = np.array([one.diffusion_coefficient_m2_s.value for one in found]) / positive.diffusivity_m2_s
    assert len(apparent) == 2
    assert np.all((apparent > 0.4) & (apparent < 0.9))
    sigma = np.hypot(*(one.diffusion_coefficient_m2_s.sigma for one in found)) / positive.diffusivity_m2_s
    assert abs(apparent[0] - apparent[1]) < 2 * sigma


def test_a_potentiostatic_titration_gives_the_diffusion_time_of_the_model(tmp_path: Path) -> None:
    """NMC811 against graphite on its plateau, one step from a long rest: the figure is right to a half."""
    titration = {
        "step": "pitt",
        "start_voltage_V": 3.70,
        "end_voltage_V": 3.71,
        "step_mV": 10,
        "until_time_s": 21_600,
    }
    rest = {"step": "open_circuit_voltage", "until_time_s": 14_400}
    bench = Bench(tmp_path, rate=100_000.0)
    run(bench.live(lambda b: b.complete(make_program(charge(2700), rest, titration), 80.0)), 90.0)
    steps = pitt(bench.table(), particle_radius_m=NMC811_GRAPHITE.positive.particle_radius_m)
    assert len(steps) == 2
    positive = NMC811_GRAPHITE.positive
    truth_s = positive.particle_radius_m**2 / positive.diffusivity_m2_s
    found = steps[1].diffusion_time_s
    assert abs(found.value - truth_s) < 2 * found.sigma
    assert found.sigma < 0.7 * truth_s

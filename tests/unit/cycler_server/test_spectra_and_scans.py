"""Spectra and scans on a fake channel: what is kept of them, and what interrupts them."""

import math
import os

import numpy as np
import pytest

from intercalate.contract import CyclerState, EndReason, Fault, OnLoss, StepType, code_of
from intercalate.cycler_server.executor import CommandRefused

from .fakes import Bench, charge, make_program, rest

SPECTRUM = {
    "step": "impedance_spectroscopy",
    "amplitude_V": 0.01,
    "start_frequency_Hz": 10.0,
    "end_frequency_Hz": 0.01,
    "points_per_decade": 5,
}
SCAN = {"step": "voltage_scan", "start_voltage_V": 3.0, "end_voltage_V": 3.2, "scan_rate_mV_per_s": 1.0}


def test_a_spectrum_is_kept_point_by_point(bench: Bench) -> None:
    bench.run(make_program(charge(100), SPECTRUM, rest(10), SPECTRUM, initial_soc=0.5))
    bench.finish()
    assert bench.executor.state is CyclerState.COMPLETE
    points, records = bench.spectra(), bench.table()
    assert list(points["impedance_seq"]) == list(range(32))
    assert list(points["point"]) == [*range(1, 17)] * 2
    assert set(points["points"]) == {16}
    assert list(np.unique(points["step_count"])) == [2, 4]
    assert points["frequency_hertz"][[0, 15]] == pytest.approx([10.0, 0.01])
    assert points["imaginary_impedance_ohm"] == pytest.approx(-1 / points["frequency_hertz"])
    assert set(points["amplitude_volt"]) == {0.01}
    assert all(math.isnan(one) for one in points["amplitude_ampere"])
    assert points["soc"] == pytest.approx(0.5 + 1 / 36)
    assert points["voltage_volt"] == pytest.approx(records["voltage_volt"][-1])
    assert code_of(StepType.IMPEDANCE_SPECTROSCOPY) in records["step_type"]
    # A record that was written before a point has a lower number than it says, one after it has not.
    for seq, time in zip(points["record_seq"], points["test_time_second"]):
        assert np.all(records["test_time_second"][: int(seq)] <= time)
        assert np.all(records["test_time_second"][int(seq) :] >= time)
    entry = bench.ledger.entries["p1"]
    assert (entry.first_impedance, entry.end_impedance) == (0, 32)


def test_the_next_program_has_its_own_spectra(bench: Bench) -> None:
    for number in (1, 2):
        bench.run(make_program(SPECTRUM), f"p{number}")
        bench.finish()
        entry = bench.ledger.entries[f"p{number}"]
        assert (entry.first_impedance, entry.end_impedance) == (16 * (number - 1), 16 * number)


def test_a_server_that_dies_in_a_sweep_keeps_what_was_measured(bench: Bench) -> None:
    bench.run(make_program(SPECTRUM))
    bench.pass_time(40)
    measured = len(bench.impedances)
    assert 0 < measured < 16
    bench.kill()
    bench.boot()
    assert len(bench.impedances) == measured
    entry = bench.ledger.entries["p1"]
    assert entry.end_impedance == measured
    assert bench.executor.state is CyclerState.INTERRUPTED


def test_an_interlock_acts_during_a_sweep(bench: Bench) -> None:
    bench.run(make_program(SPECTRUM))
    bench.pass_time(20)
    bench.channel.temperature_c = 80.0
    bench.pass_time(20)
    assert bench.executor.fault is Fault.OVER_TEMPERATURE
    measured = len(bench.impedances)
    bench.pass_time(500)
    assert len(bench.impedances) == measured


def test_a_sweep_that_does_not_end_is_ended(bench: Bench) -> None:
    program = make_program(SPECTRUM)
    bench.channel.notices_cut_offs = False
    bench.run(program)
    bench.finish()
    assert bench.executor.fault is Fault.STEP_WATCHDOG
    assert bench.table()["test_time_second"][-1] <= program.worst_case_s * 1.02 + 62


def test_a_held_sweep_begins_anew(bench: Bench) -> None:
    bench.run(make_program(SPECTRUM))
    bench.pass_time(30)
    bench.executor.hold()
    bench.pass_time(30)
    bench.executor.resume()
    bench.finish()
    points = bench.spectra()["point"]
    again = int(np.flatnonzero(points == 1)[1])
    assert list(points[again:]) == list(range(1, 17))
    assert bench.executor.last_end is EndReason.SPECTRUM_COMPLETE


def test_a_spectrum_that_cannot_be_written_stops_the_program(bench: Bench) -> None:
    bench.run(make_program(SPECTRUM))
    os.close(bench.impedances._fd)
    bench.impedances._fd = os.open(bench.impedances.path, os.O_RDONLY)
    bench.pass_time(5)
    assert bench.executor.fault is Fault.STORAGE
    assert not bench.channel.flows


def test_an_ability_that_is_absent_is_refused_when_a_program_comes(bench: Bench) -> None:
    bench.channel.capabilities = frozenset()
    for step, name in ((SPECTRUM, "impedance_spectroscopy"), (SCAN, "voltage_scan")):
        with pytest.raises(CommandRefused, match=f"cannot do {name}"):
            bench.executor.load("p1", make_program(rest(), step), OnLoss.REST)
    assert bench.executor.state is CyclerState.IDLE


def test_a_scan_goes_on_where_it_was_held(bench: Bench) -> None:
    bench.run(make_program(SCAN))
    bench.pass_time(100)
    bench.executor.hold()
    bench.pass_time(300)
    bench.executor.resume()
    bench.pass_time(2)
    assert bench.channel.sample().voltage_v == pytest.approx(3.102, abs=2e-3)
    bench.finish()
    assert bench.channel.given[-1].setpoint == pytest.approx(3.1, abs=2e-3)
    assert bench.table()["voltage_volt"][-1] == pytest.approx(3.2, abs=1e-3)
    assert bench.executor.state is CyclerState.COMPLETE


def test_a_lead_that_falls_off_during_a_scan_is_noticed(bench: Bench) -> None:
    bench.run(make_program(SCAN))
    bench.pass_time(20)
    bench.channel.contact = False
    bench.pass_time(60)
    assert bench.executor.fault in (Fault.NO_CONTACT, Fault.UNDER_VOLTAGE)

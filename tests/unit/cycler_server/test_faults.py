"""Each fault: what brings it about, after what delay, and that the cell is left at open circuit."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from intercalate.contract import CyclerState, Fault
from intercalate.cycler_server import executor as executor_module
from intercalate.cycler_server.executor import CommandRefused

from .fakes import Bench, charge, make_cell, make_program, rest

hold_4v = {"step": "constant_voltage", "voltage_V": 4.0, "until_current_mA": 0.1, "until_time_s": 1e4}


def assert_safe(bench: Bench, fault: Fault) -> None:
    """The fault is latched, its message says something, no current flows, the program is interrupted."""
    assert bench.executor.state is CyclerState.FAULT
    assert bench.executor.fault is fault, bench.executor.latched
    assert bench.executor.latched is not None
    assert bench.executor.latched[1]
    assert bench.channel.segment is None
    bench.pass_time(2)
    assert bench.cell.current_a == 0
    with pytest.raises(CommandRefused):
        bench.run(make_program(rest()), "another")


def _never_acknowledge(bench: Bench) -> None:
    bench.channel.acknowledges = False


def _lose_contact(bench: Bench) -> None:
    bench.channel.contact = False


def _freeze(bench: Bench) -> None:
    bench.channel.stuck = bench.channel.sample()


def _heat(bench: Bench) -> None:
    bench.channel.temperature_c = 70.0


def _cool(bench: Bench) -> None:
    bench.channel.temperature_c = -20.0


def _blind(bench: Bench) -> None:
    bench.channel.temperature_c = math.nan


def _deaf(bench: Bench) -> None:
    bench.channel.notices_cut_offs = False


def _gone(bench: Bench) -> None:
    bench.executor.on_lost("unplugged")


@pytest.mark.parametrize(
    ("harm", "fault", "within_s"),
    [
        (_lose_contact, Fault.NO_CONTACT, 12),
        (_freeze, Fault.STALE_READING, 122),
        (_heat, Fault.OVER_TEMPERATURE, 7),
        (_cool, Fault.UNDER_TEMPERATURE, 7),
        (_blind, Fault.INVALID_READING, 7),
        (_deaf, Fault.STEP_WATCHDOG, 1000 * 1.02 + 62),
        (_gone, Fault.CHANNEL_LOST, 0),
    ],
)
def test_a_fault_acts_in_time(
    bench: Bench, harm: Callable[[Bench], None], fault: Fault, within_s: float
) -> None:
    bench.run(make_program(charge(1000)))
    bench.pass_time(20)
    harm(bench)
    bench.pass_time(within_s)
    assert_safe(bench, fault)
    entry = bench.ledger.entries["p1"]
    assert entry.why.startswith(fault)
    assert entry.charge_ah == pytest.approx(bench.cell.charge_ah)


def test_a_step_that_is_not_acknowledged_is_a_lost_channel(bench: Bench) -> None:
    bench.channel.acknowledges = False
    bench.run(make_program(charge(1000)))
    bench.pass_time(30)
    assert bench.executor.state is CyclerState.RUNNING
    bench.pass_time(2)
    assert_safe(bench, Fault.CHANNEL_LOST)


def test_a_step_that_is_not_taken_is_a_lost_channel(bench: Bench) -> None:
    bench.channel.answers = False
    bench.run(make_program(charge(1000)))
    assert_safe(bench, Fault.CHANNEL_LOST)


def test_a_silent_channel_is_lost_by_the_wall_clock(bench: Bench) -> None:
    bench.run(make_program(charge(1000)))
    bench.pass_time(5)
    limit_s = executor_module.SILENCE_LIMIT_S + executor_module.SILENCE_LIMIT_CELL_S
    bench.executor.watch(100.0)
    bench.executor.watch(101.0)
    bench.executor.watch(100.0 + limit_s)
    assert bench.executor.state is CyclerState.RUNNING
    bench.executor.watch(100.5 + limit_s)
    assert_safe(bench, Fault.CHANNEL_LOST)
    bench.executor.clear_fault()
    assert bench.executor.state is CyclerState.INTERRUPTED


def test_voltage_beyond_the_protocols_limits(bench: Bench) -> None:
    bench.run(make_program(charge(1e5), safety={"max_voltage_V": 3.2}))
    bench.finish()
    assert_safe(bench, Fault.OVER_VOLTAGE)
    assert bench.cell.open_circuit_v < 3.2


def test_a_charge_beyond_the_cells_window_stops_and_one_from_below_it_does_not(tmp_path: Path) -> None:
    high = Bench(tmp_path / "high", voltage_v=4.1)
    high.run(make_program(charge(1e5)))
    high.finish()
    assert_safe(high, Fault.OVER_VOLTAGE)
    assert high.cell.voltage_v < 4.2 + 0.05
    low = Bench(tmp_path / "low", voltage_v=1.4)
    low.run(make_program(charge(300)))
    low.finish()
    assert low.executor.state is CyclerState.COMPLETE
    deep = Bench(tmp_path / "deep", voltage_v=2.6)
    deep.run(make_program(charge(1e5, -10)))
    deep.finish()
    assert_safe(deep, Fault.UNDER_VOLTAGE)
    assert deep.cell.voltage_v > 2.5 - 0.05 - 0.1


def test_an_unknown_window_is_no_limit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, voltage_v=4.2)
    bench.run(make_program(charge(300), cell=make_cell(min_voltage_V=None, max_voltage_V=None)))
    bench.finish()
    assert bench.executor.state is CyclerState.COMPLETE


def test_more_charge_than_the_protocol_allows(bench: Bench) -> None:
    bench.run(make_program(charge(1e5), safety={"max_capacity_mAh": 1.0}))
    bench.finish()
    assert_safe(bench, Fault.OVER_CAPACITY)
    assert bench.cell.charge_ah == pytest.approx(1e-3, rel=0.05)


def test_more_current_than_allowed(bench: Bench) -> None:
    bench.run(make_program(hold_4v, safety={"max_current_mA": 50}))
    bench.pass_time(7)
    assert_safe(bench, Fault.OVER_CURRENT)


def test_a_lost_contact_does_not_end_a_step_as_if_it_were_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path, voltage_v=3.6)
    bench.run(make_program(hold_4v, rest()))
    bench.pass_time(20)
    bench.channel.contact = False
    bench.pass_time(1)
    assert_safe(bench, Fault.NO_CONTACT)
    assert bench.executor.latched is not None
    assert "ended by CURRENT" in bench.executor.latched[1]


def test_a_current_that_flows_on_after_the_end_is_stopped_again(bench: Bench) -> None:
    bench.run(make_program(charge(1000)))
    bench.pass_time(10)
    bench.channel.obeys_stop = False
    bench.executor.stop("enough")
    bench.pass_time(13)
    assert bench.executor.fault is Fault.OVER_CURRENT
    bench.channel.obeys_stop = True
    bench.pass_time(2)
    assert bench.cell.current_a == 0
    assert bench.ledger.entries["p1"].charge_ah == pytest.approx(bench.cell.charge_ah)


def test_a_condition_shorter_than_its_delay_is_no_fault(bench: Bench) -> None:
    bench.run(make_program(charge(1000)))
    for _ in range(5):
        bench.channel.temperature_c = 70.0
        bench.pass_time(5)
        bench.channel.temperature_c = None
        bench.pass_time(1)
    assert bench.executor.state is CyclerState.RUNNING


def test_the_first_fault_stays_and_is_cleared_only_without_its_cause(bench: Bench) -> None:
    bench.run(make_program(charge(1000)))
    _heat(bench)
    bench.pass_time(7)
    bench.executor.on_lost("unplugged")
    assert bench.executor.fault is Fault.OVER_TEMPERATURE
    bench.pass_time(1)
    with pytest.raises(CommandRefused, match="70"):
        bench.executor.clear_fault()
    bench.channel.temperature_c = None
    bench.pass_time(1)
    bench.executor.clear_fault()
    assert bench.executor.state is CyclerState.INTERRUPTED
    bench.executor.acknowledge("p1")
    assert bench.executor.state is CyclerState.IDLE


def test_a_fault_survives_the_server(bench: Bench) -> None:
    bench.run(make_program(charge(1000)))
    _heat(bench)
    bench.pass_time(7)
    bench.kill()
    bench.boot()
    assert bench.executor.fault is Fault.OVER_TEMPERATURE
    assert bench.executor.state is CyclerState.FAULT


def test_limits_of_an_ended_program_bind_no_longer(bench: Bench) -> None:
    bench.run(make_program(charge(100), safety={"max_voltage_V": 3.5}))
    bench.finish()
    bench.cell.start_v = 3.6
    bench.pass_time(60)
    assert bench.executor.state is CyclerState.COMPLETE


def _fill_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch, *, spare_bytes: int) -> None:
    """From now on the disk takes so many bytes; writes beyond are short or refused."""
    left = spare_bytes
    real_write = os.write

    def write(fd: int, data: bytes) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(28, "No space left on device")
        taken = real_write(fd, data[:left])
        left -= taken
        return taken

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("spare_bytes", [0, 144, 200, 500, 1000])
def test_a_full_disk_stops_the_cell_and_keeps_what_was_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, spare_bytes: int
) -> None:
    bench.run(make_program(charge(1000)))
    bench.pass_time(35)
    before = len(bench.records)
    with monkeypatch.context() as patched:
        _fill_disk(bench, patched, spare_bytes=spare_bytes)
        bench.pass_time(300)
        assert bench.executor.fault is Fault.STORAGE
        assert bench.executor.latched is not None
        assert "free space" in bench.executor.latched[1]
        assert bench.channel.segment is None
        assert bench.cell.current_a == 0
        if spare_bytes < 300:
            with pytest.raises(OSError, match="free space"):
                bench.executor.clear_fault()
    kept = bench.table()
    assert before <= len(bench.records) <= before + spare_bytes // 144
    assert list(kept["record_seq"]) == list(range(len(bench.records)))
    bench.pass_time(1)
    bench.executor.clear_fault()
    bench.executor.acknowledge("p1")
    assert bench.ledger.entries["p1"].charge_ah == pytest.approx(bench.cell.charge_ah)
    bench.kill()
    bench.boot()
    assert bench.executor.state is CyclerState.IDLE
    assert bench.ledger.entries["p1"].charge_ah == pytest.approx(bench.cell.charge_ah)
    assert len(bench.records) == len(kept["record_seq"])


def test_a_full_disk_lets_nothing_start(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        _fill_disk(bench, patched, spare_bytes=0)
        answer = bench.ask("take_lease", "me", duration_s=60)
        assert answer["ok"]
        program = make_program(charge(50)).to_json()
        load = {"program_id": "p1", "program": program, "on_client_lost": "rest"}
        assert "free space" in bench.ask("load", "me", **load)["message"]
    assert bench.ask("load", "me", **load)["ok"]
    with monkeypatch.context() as patched:
        _fill_disk(bench, patched, spare_bytes=20)
        assert "free space" in bench.ask("start", "me", program_id="p1")["message"]
        bench.pass_time(20)
        assert bench.cell.charge_ah == 0
    assert bench.ask("start", "me", program_id="p1")["result"] == "running"
    bench.finish()
    assert bench.executor.state is CyclerState.COMPLETE


def test_a_disk_that_fails_to_sync_stops_the_cell(bench: Bench) -> None:
    bench.run(make_program(charge(1000)))
    bench.pass_time(5)
    bench.executor.storage_failed("input/output error")
    assert_safe(bench, Fault.STORAGE)

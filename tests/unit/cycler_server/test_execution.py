"""Programs on a fake channel: segments, cut-offs, holds, records, markers."""

import numpy as np
import pytest

from intercalate.contract import CyclerState, EndReason, OnLoss, StepType, code_of
from intercalate.cycler_server.executor import CommandRefused
from intercalate.protocol import Quantity

from .fakes import Bench, charge, make_program, rest


def test_a_program_runs_to_its_end_and_every_segment_is_recorded(bench: Bench) -> None:
    bench.run(make_program(charge(100), rest(50), charge(100, -10)))
    assert bench.executor.state is CyclerState.RUNNING
    bench.finish()
    assert bench.executor.state is CyclerState.COMPLETE
    table = bench.table()
    assert list(np.unique(table["step_count"])) == [1, 2, 3]
    assert table["test_time_second"][-1] == 250
    assert list(table["record_seq"]) == list(range(len(table["record_seq"])))
    assert table["net_capacity_ah"][-1] == pytest.approx(0, abs=1e-12)
    assert table["charging_capacity_ah"][-1] == pytest.approx(1e-3 / 3.6)
    assert not bench.channel.flows


def test_a_segment_ends_at_the_sample_that_meets_its_cut_off(bench: Bench) -> None:
    bench.run(make_program(charge(1e5, 10, until_voltage_V=3.2)))
    bench.finish()
    assert bench.executor.last_end is EndReason.VOLTAGE
    last = bench.table()["voltage_volt"][-1]
    assert 3.2 <= last < 3.2 + 0.01 * 100 / 3600 + 1e-9


def test_the_current_of_a_held_voltage_ends_it(bench: Bench) -> None:
    step = {"step": "constant_voltage", "voltage_V": 3.1, "until_current_mA": 5, "until_time_s": 1e5}
    bench.run(make_program(step))
    bench.finish()
    assert bench.executor.last_end is EndReason.CURRENT
    assert abs(bench.table()["current_ampere"][-1]) <= 5e-3


@pytest.mark.parametrize("held_s", [7, 300])
def test_time_counts_on_after_a_hold(bench: Bench, held_s: int) -> None:
    bench.run(make_program(charge(100)))
    bench.pass_time(40)
    bench.executor.hold()
    assert bench.executor.state is CyclerState.HOLDING
    assert not bench.channel.flows
    bench.pass_time(held_s)
    bench.executor.resume()
    bench.finish()
    assert bench.cell.charge_ah == pytest.approx(10e-3 * 100 / 3600)
    assert bench.table()["test_time_second"][-1] == 100 + held_s
    assert set(bench.table()["step_count"]) == {1}


def test_capacity_counts_on_after_two_holds_and_the_reading_on_its_way(bench: Bench) -> None:
    bench.run(make_program(charge(1e5, 10, until_capacity_mAh=1.0)))
    for _ in range(2):
        bench.pass_time(60)
        segment = bench.channel.segment
        bench.executor.hold()
        bench.channel.segment = segment
        bench.pass_time(1)
        bench.channel.open_circuit()
        bench.pass_time(100)
        bench.executor.resume()
    bench.finish()
    assert bench.executor.last_end is EndReason.CAPACITY
    assert bench.cell.charge_ah == pytest.approx(1e-3, abs=10e-3 / 3600)


def test_a_held_program_records_rest(bench: Bench) -> None:
    bench.run(make_program(charge(100)))
    bench.pass_time(20)
    bench.executor.hold()
    bench.pass_time(30)
    table = bench.table()
    held = table["state"] == code_of(CyclerState.HOLDING)
    assert held.sum() >= 3
    assert set(table["step_type"][held]) == {code_of(StepType.REST)}


def test_a_state_of_charge_ends_a_segment_also_after_a_hold(bench: Bench) -> None:
    bench.run(make_program(charge(1e5, 10, until_soc=0.4), initial_soc=0.3))
    bench.pass_time(100)
    bench.executor.hold()
    bench.pass_time(100)
    bench.executor.resume()
    assert bench.channel.given[-1].cutoffs[0].quantity is Quantity.CAPACITY_AH
    bench.finish()
    assert bench.executor.last_end is EndReason.STATE_OF_CHARGE
    assert bench.table()["soc"][-1] == pytest.approx(0.4, abs=10e-3 / 3600 / 0.01 * 1.01)


def test_a_slope_ends_a_rest(bench: Bench) -> None:
    slow = {"step": "open_circuit_voltage", "until_time_s": 1000, "until_dVdt_mV_per_h": 1.0}
    bench.run(make_program(charge(10), slow))
    bench.finish()
    assert bench.executor.last_end is EndReason.VOLTAGE_SLOPE


def test_loops_and_cycles(bench: Bench) -> None:
    bench.run(make_program(charge(20), charge(20, -10), {"step": "loop", "loop_to": 1, "cycle_count": 3}))
    bench.finish()
    table = bench.table()
    assert table["step_count"][-1] == 6
    assert list(np.unique(table["cycle_count"])) == [1, 2, 3]
    assert list(table["step_id"][table["step_count"] == 3]) == [1] * (table["step_count"] == 3).sum()


def test_gitt_pulses_and_rests_until_its_voltage(bench: Bench) -> None:
    gitt = {
        "step": "gitt",
        "rate_C": 1.0,
        "pulse_time_s": 60,
        "rest_time_s": 60,
        "pulse_count": 10,
        "until_voltage_V": 3.12,
    }
    bench.run(make_program(gitt, rest(10)))
    bench.finish()
    table = bench.table()
    assert bench.executor.state is CyclerState.COMPLETE
    assert table["step_count"][-1] < 20, "the voltage ended the whole step, not one pulse"
    assert max(table["voltage_volt"]) == pytest.approx(3.12, abs=1e-3)
    assert table["step_id"][-1] == 2


def test_markers_are_passed_on_the_way_and_kept(bench: Bench) -> None:
    bench.run(make_program(charge(20), {"step": "marker", "marker": "top"}, rest(20)))
    bench.finish()
    (marker,) = bench.executor.program_info()["markers"]
    assert marker == {"name": "top", "test_time_s": 20, "record_seq": marker["record_seq"]}
    assert bench.table()["test_time_second"][marker["record_seq"] - 1] == 20
    bench.kill()
    bench.boot()
    assert bench.executor.program_info()["markers"] == [marker]


def test_a_wait_ends_when_released_and_at_its_longest_time(bench: Bench) -> None:
    wait = {"step": "wait_for_release", "max_s": 500}
    bench.run(make_program(wait, wait, rest(10)))
    bench.pass_time(100)
    bench.executor.release()
    assert bench.executor.last_end is EndReason.RELEASED
    bench.pass_time(499)
    assert bench.executor.run is not None
    assert bench.executor.run.segment.step_id == 2
    bench.finish(20)
    assert bench.executor.state is CyclerState.COMPLETE


def test_only_a_wait_that_is_not_held_is_released(bench: Bench) -> None:
    bench.run(make_program(charge(20), {"step": "wait_for_release", "max_s": 500}))
    with pytest.raises(CommandRefused, match="waits for no release"):
        bench.executor.release()
    bench.pass_time(30)
    bench.executor.hold()
    with pytest.raises(CommandRefused, match="resume it first"):
        bench.executor.release()
    assert bench.channel.segment is None


def test_records_come_at_their_criteria(bench: Bench) -> None:
    bench.run(make_program(charge(1000, 10), record={"time_s": 500, "voltage_V": 0.05}))
    bench.finish()
    table = bench.table()
    steps_v = np.diff(table["voltage_volt"][1:-1])
    assert len(steps_v) >= 4
    assert all(0.05 - 1e-9 <= step < 0.0505 for step in steps_v)
    assert max(np.diff(table["test_time_second"])) <= 500


def test_energy_is_that_of_the_mean_voltage(bench: Bench) -> None:
    bench.run(make_program(charge(1000, 10)))
    bench.finish()
    table = bench.table()
    mean_v = (table["voltage_volt"][1] + table["voltage_volt"][-1]) / 2
    assert table["charging_energy_wh"][-1] == pytest.approx(mean_v * 10e-3 * 1000 / 3600, rel=1e-3)


def test_an_end_of_a_segment_that_is_over_is_ignored(bench: Bench) -> None:
    bench.run(make_program(charge(100), rest(100)))
    bench.pass_time(1)
    late = bench.channel.given[-1]
    bench.pass_time(110)
    assert bench.executor.run is not None
    assert bench.executor.run.segment.step_id == 2
    bench.executor.on_ended(late, EndReason.TIME)
    assert bench.executor.run.segment.step_id == 2


def test_a_program_for_another_site_is_refused(bench: Bench) -> None:
    wide = bench.site.model_copy(update={"max_voltage_V": 5.5})
    with pytest.raises(CommandRefused, match="max_voltage_v"):
        bench.executor.load("p1", make_program(rest(), site=wide), OnLoss.REST)
    assert bench.executor.state is CyclerState.IDLE
    assert not bench.ledger.entries


def test_nothing_starts_on_a_channel_that_does_not_answer(bench: Bench) -> None:
    bench.executor.load("p1", make_program(charge()), OnLoss.REST)
    bench.executor.on_lost("unplugged")
    with pytest.raises(CommandRefused, match="unplugged"):
        bench.executor.start("p1")
    bench.executor.on_found()
    with pytest.raises(CommandRefused):
        bench.executor.start("p1")
    bench.pass_time(1)
    bench.executor.start("p1")
    assert bench.executor.state is CyclerState.RUNNING


def test_a_release_that_comes_too_late_releases_nothing_else(bench: Bench) -> None:
    wait = {"step": "wait_for_release", "max_s": 100}
    bench.run(make_program(wait, wait, rest(10)))
    run = bench.executor.run
    assert run is not None
    first = run.step_count
    bench.pass_time(110)
    assert run.segment.step_id == 2
    bench.executor.release(run.program_id, first)
    bench.executor.release("another program", run.step_count)
    assert run.segment.step_id == 2
    bench.executor.release(run.program_id, run.step_count)
    assert run.segment.step_id == 3

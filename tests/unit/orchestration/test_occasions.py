"""At which records a condition is due."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import RECORD_COLUMNS, StepType, code_of
from intercalate.orchestration.occasions import Occasions, condition
from intercalate.orchestration.when import When
from intercalate.protocol import Protocol

SHORT = {
    "time_s": "test_time_second",
    "voltage_V": "voltage_volt",
    "soc": "soc",
    "charge_ah": "net_capacity_ah",
    "step": "step_id",
    "count": "step_count",
    "cycle": "cycle_count",
    "kind": "step_type",
}
CHARGING, RESTING = code_of(StepType.CONSTANT_CURRENT), code_of(StepType.REST)


def record(time_s: float = 0.0, **values: float) -> list[float]:
    given = {"voltage_V": 3.7, "soc": math.nan, "kind": CHARGING, **values, "time_s": time_s}
    row = [0.0] * len(RECORD_COLUMNS)
    for name, value in given.items():
        row[RECORD_COLUMNS.index(SHORT[name])] = value
    return row


def due_at(when: dict[str, Any], records: list[list[float]], protocol: Protocol | None = None) -> list[int]:
    occasions = Occasions(When.of(when), protocol)
    found = []
    for number, one in enumerate(records):
        occasions.see(one)
        if occasions.take():
            found.append(number)
    return found


def every(**steps: float) -> dict[str, Any]:
    return {"every": steps}


def test_the_first_record_is_always_an_occasion() -> None:
    assert due_at(every(time_s=1e6), [record(0.0), record(10.0)]) == [0]


def test_times_stay_on_their_grid_however_late_a_record_comes() -> None:
    times = [0, 95, 101, 195, 210, 290, 300]
    assert due_at(every(time_s=100), [record(t) for t in times]) == [0, 2, 4, 6]


def test_voltage_counts_in_both_directions_from_the_last_occasion() -> None:
    voltages = [3.70, 3.74, 3.76, 3.72, 3.70]
    assert due_at(every(voltage_V=0.05), [record(voltage_V=v) for v in voltages]) == [0, 2, 4]


def test_charge_and_cycles_count_too() -> None:
    charges = [0.0, 0.4e-3, 1.1e-3, 1.9e-3, 2.2e-3]
    assert due_at(every(capacity_mAh=1.0), [record(charge_ah=q) for q in charges]) == [0, 2, 4]
    assert due_at(every(cycles=2), [record(cycle=n) for n in (1, 1, 2, 3, 4, 5)]) == [0, 3, 5]


def test_an_unknown_state_of_charge_is_never_due_and_counts_from_where_it_is_known() -> None:
    assert due_at(every(soc=0.1), [record(t) for t in range(5)]) == [0]
    states = [math.nan, 0.30, 0.35, 0.40]
    assert due_at(every(soc=0.1), [record(soc=s) for s in states]) == [0, 3]


def test_any_of_several_quantities_is_enough() -> None:
    rows = [record(0, soc=0.1), record(10, soc=0.25), record(200, soc=0.26)]
    assert due_at(every(time_s=100, soc=0.1), rows) == [0, 1, 2]


def test_what_came_while_nobody_was_here_is_past_and_the_grid_goes_on() -> None:
    occasions = Occasions(When.of(every(time_s=100)))
    occasions.skip([record(t) for t in (0, 100, 205, 310, 350)])
    assert (occasions.due, occasions.overrun) == (False, 0)
    occasions.see(record(390))
    assert not occasions.due
    occasions.see(record(400))
    assert occasions.due


def test_an_occasion_that_nobody_took_stays_one_and_those_that_follow_are_counted() -> None:
    occasions = Occasions(When.of(every(time_s=10)))
    for time_s in range(0, 100, 5):
        occasions.see(record(time_s))
    assert occasions.take()
    assert not occasions.take()
    assert occasions.overrun == 9


@given(
    step=st.floats(1.0, 500.0),
    gaps=st.lists(st.floats(0.1, 60.0), min_size=1, max_size=200),
)
def test_occasions_are_never_nearer_than_the_step_less_one_gap(step: float, gaps: list[float]) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    taken = times[due_at(every(time_s=step), [record(t) for t in times])]
    assert taken[0] == 0.0
    assert np.all(np.diff(taken) > step - max(gaps) - 1e-6)
    assert len(taken) <= times[-1] / step + 1 + 1e-6


def test_a_level_is_due_where_it_is_passed_and_once_each_time() -> None:
    voltages = [3.5, 3.59, 3.61, 3.62, 3.95, 3.7, 3.6, 3.55]
    rows = [record(voltage_V=v) for v in voltages]
    assert due_at({"at": {"voltage_V": [3.6, 3.9]}}, rows) == [2, 4, 5, 6]
    assert due_at({"at": {"voltage_V": [3.6, 3.9], "direction": "up"}}, rows) == [2, 4]
    assert due_at({"at": {"voltage_V": [3.6, 3.9], "direction": "down"}}, rows) == [5, 6]


def test_levels_of_charge_and_state_of_charge() -> None:
    rows = [record(charge_ah=q, soc=s) for q, s in ((0, 0.1), (1e-3, 0.3), (2.5e-3, 0.6), (2.4e-3, 0.58))]
    assert due_at({"at": {"capacity_mAh": [2.0]}}, rows) == [2]
    assert due_at({"at": {"soc": [0.2, 0.59]}}, rows) == [1, 2, 3]


def test_a_step_is_due_where_it_begins_each_time_it_is_executed() -> None:
    steps = [(1, 1), (1, 1), (2, 2), (1, 3), (2, 4), (2, 4), (3, 5)]
    rows = [record(step=step, count=count) for step, count in steps]
    assert due_at({"at": {"step": [1, 3]}}, rows) == [0, 3, 6]


def test_markers_ends_of_steps_and_holds_are_due_at_the_record_that_follows() -> None:
    rest = {"step": "open_circuit_voltage", "until_time_s": 10}
    method = [
        rest,
        {"step": "marker", "marker": "top"},
        rest,
        {"step": "wait_for_release", "max_s": 10},
        {"step": "loop", "loop_to": 1, "cycle_count": 2},
    ]
    protocol = Protocol.from_dict({"record": {"time_s": 1}, "method": method})
    held = code_of(StepType.WAIT_FOR_RELEASE)
    steps = [(1, 1), (1, 1), (3, 2), (4, 3), (4, 3), (1, 4), (3, 5), (4, 6)]
    rows = [record(step=step, count=count, **({"kind": held} if step == 4 else {})) for step, count in steps]
    assert due_at({"at": {"marker": ["top"]}}, rows, protocol) == [2, 6]
    assert due_at({"at": {"step_end": [1]}}, rows, protocol) == [2, 6]
    assert due_at({"at": {"step_end": [4], "step": [3]}}, rows, protocol) == [2, 5, 6]
    assert due_at({"at": {"hold": True}}, rows, protocol) == [3, 7]


@given(
    voltages=st.lists(st.floats(3.0, 4.2), min_size=2, max_size=60),
    level=st.floats(3.0, 4.2),
)
def test_passages_up_and_down_take_turns(voltages: list[float], level: float) -> None:
    rows = [record(voltage_V=v) for v in voltages]
    up = due_at({"at": {"voltage_V": [level], "direction": "up"}}, rows)
    for number in up:
        assert voltages[number - 1] < level <= voltages[number]
    crossed = sum(before < level <= now for before, now in pairwise(voltages))
    assert len(up) == crossed


def test_a_plateau_is_due_once_when_it_is_entered_and_not_at_rest() -> None:
    slopes = [100.0] * 30 + [5.0] * 60 + [80.0] * 30 + [4.0] * 60
    voltages = 3.0 + np.cumsum(slopes) * 1e-3 / 60
    rows = [record(60.0 * i, voltage_V=v) for i, v in enumerate(voltages)]
    plateau = {"on": {"plateau": {"below_mV_per_h": 20, "window_s": 600}}}
    # Ten minutes of flat voltage after the bend, once for each of two plateaus.
    first, second = due_at(plateau, rows)
    assert 37 <= first <= 41
    assert 127 <= second <= 131
    resting = [[*row] for row in rows]
    for row in resting:
        row[RECORD_COLUMNS.index("step_type")] = RESTING
    assert due_at(plateau, resting) == []


def peaks(charge_ah: np.ndarray, voltage_v: np.ndarray, **options: float) -> list[float]:
    """Voltages at which a maximum of dQ/dV is reported."""
    rows = [record(10.0 * i, voltage_V=v, charge_ah=q) for i, (q, v) in enumerate(zip(charge_ah, voltage_v))]
    return [voltage_v[i] for i in due_at({"on": {"dqdv_peak": options}}, rows)]


def capacity(voltage_v: np.ndarray, centres: tuple[float, ...], width_v: float) -> np.ndarray:
    """Charge of a cell with Gaussian peaks of dQ/dV on a level of 1 Ah/V."""
    found = voltage_v.copy()
    for centre in centres:
        found += 0.5 * np.array([math.erf((v - centre) / (width_v * math.sqrt(2))) for v in voltage_v])
    return found


@settings(deadline=None)
@given(
    centres=st.tuples(st.floats(3.3, 3.5), st.floats(3.75, 3.9)),
    falls=st.booleans(),
)
def test_every_peak_of_the_differential_capacity_is_reported_once(
    centres: tuple[float, float], falls: bool
) -> None:
    voltage_v = np.arange(3.0, 4.2, 0.001)
    charge_ah = capacity(voltage_v, centres, 0.03)
    if falls:
        voltage_v, charge_ah = voltage_v[::-1], charge_ah[::-1] - charge_ah[-1]
    found = sorted(peaks(charge_ah, voltage_v, width_mV=5.0))
    assert len(found) == 2
    for reported, centre in zip(found, centres):
        # Late by what it takes to fall by the prominence.
        assert 0 < (centre - reported if falls else reported - centre) < 0.04


def test_a_capacity_without_peaks_has_none() -> None:
    voltage_v = np.arange(3.0, 4.2, 0.001)
    assert peaks(voltage_v**2, voltage_v) == []
    assert peaks(-((voltage_v - 5) ** 2), voltage_v) == []


def test_any_is_due_with_one_of_them_and_all_when_each_has_been() -> None:
    rows = [record(100.0 * i, voltage_V=v) for i, v in enumerate([3.5, 3.7, 3.8, 3.7, 3.8, 3.9])]
    up = {"at": {"voltage_V": [3.75], "direction": "up"}}
    down = {"at": {"voltage_V": [3.75], "direction": "down"}}
    assert due_at({"any": [up, down]}, rows) == [2, 3, 4]
    assert due_at({"all": [up, down]}, rows) == [3]
    assert due_at({"all": [every(time_s=200), up]}, rows) == [2, 4]


def test_limit_and_cooldown_hold_back_what_they_hold() -> None:
    rows = [record(10.0 * i) for i in range(20)]
    assert due_at({**every(time_s=10), "limit": 3}, rows) == [0, 1, 2]
    assert due_at({**every(time_s=10), "cooldown_s": 45}, rows) == [0, 5, 10, 15]
    inner = {"any": [{**every(time_s=10), "limit": 2}, {"at": {"step": [9]}}]}
    assert due_at(inner, rows) == [0, 1]


def test_a_function_of_a_plan_file_sees_every_record_and_keeps_what_it_likes() -> None:
    @condition
    def third(record: dict[str, float], kept: dict[str, Any]) -> bool:
        kept["seen"] = kept.get("seen", 0) + 1
        return kept["seen"] % 3 == 0 and record["voltage_volt"] > 3.6

    rows = [record(float(i)) for i in range(9)]
    when = {"on": {"function": "third"}}
    assert due_at(when, rows) == [2, 5, 8]
    # A second cell begins anew.
    assert due_at(when, rows) == [2, 5, 8]


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_how_records_are_collected_changes_nothing(cut: int) -> None:
    rows = [record(10.0 * i, voltage_V=3.5 + 0.01 * (i % 40)) for i in range(100)]
    when = When.of({"any": [every(time_s=95), {"at": {"voltage_V": [3.7]}}], "cooldown_s": 20})
    whole = due_at(when.given(), rows)
    occasions, found = Occasions(when), []
    for begin in range(0, len(rows), cut):
        for number, row in enumerate(rows[begin : begin + cut], begin):
            occasions.see(row)
            if occasions.take():
                found.append(number)
    assert found == whole

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from intercalate.contract import RECORD_COLUMNS
from intercalate.orchestration.when import Every, Occasions


def record(time_s: float, voltage_v: float = 3.7, soc: float = np.nan) -> list[float]:
    row = [0.0] * len(RECORD_COLUMNS)
    for name, value in (("test_time_second", time_s), ("voltage_volt", voltage_v), ("soc", soc)):
        row[RECORD_COLUMNS.index(name)] = value
    return row


def due_at(every: Every, records: list[list[float]]) -> list[int]:
    occasions = Occasions(every)
    found = []
    for number, one in enumerate(records):
        occasions.see(one)
        if occasions.take():
            found.append(number)
    return found


def test_the_first_record_is_always_an_occasion():
    assert due_at(Every(time_s=1e6), [record(0.0), record(10.0)]) == [0]


def test_times_stay_on_their_grid_however_late_a_record_comes():
    times = [0, 95, 101, 195, 210, 290, 300]
    assert due_at(Every(time_s=100), [record(t) for t in times]) == [0, 2, 4, 6]


def test_voltage_counts_in_both_directions_from_the_last_occasion():
    voltages = [3.70, 3.74, 3.76, 3.72, 3.70]
    assert due_at(Every(voltage_V=0.05), [record(0, v) for v in voltages]) == [0, 2, 4]


def test_an_unknown_state_of_charge_is_never_due():
    assert due_at(Every(soc=0.1), [record(t) for t in range(5)]) == [0]


def test_any_of_several_quantities_is_enough():
    rows = [record(0, 3.7, 0.1), record(10, 3.7, 0.25), record(200, 3.7, 0.26)]
    assert due_at(Every(time_s=100, soc=0.1), rows) == [0, 1, 2]


def test_what_came_while_nobody_was_here_is_past_and_the_grid_goes_on():
    occasions = Occasions(Every(time_s=100))
    occasions.skip([record(t) for t in (0, 100, 205, 310, 350)])
    assert (occasions.due, occasions.overrun) == (False, 0)
    occasions.see(record(390))
    assert not occasions.due
    occasions.see(record(400))
    assert occasions.due


def test_an_occasion_that_nobody_took_stays_one():
    occasions = Occasions(Every(time_s=10))
    for time_s in range(0, 100, 5):
        occasions.see(record(time_s))
    assert occasions.take()
    assert not occasions.take()


@given(
    step=st.floats(1.0, 500.0),
    gaps=st.lists(st.floats(0.1, 60.0), min_size=1, max_size=200),
)
def test_occasions_are_never_nearer_than_the_step_less_one_gap(step: float, gaps: list[float]):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    taken = times[due_at(Every(time_s=step), [record(t) for t in times])]
    assert taken[0] == 0.0
    assert np.all(np.diff(taken) > step - max(gaps) - 1e-6)
    assert len(taken) <= times[-1] / step + 1 + 1e-6


@pytest.mark.parametrize(
    "wrong",
    [{}, {"time_s": 0}, {"time_s": -1}, {"time_s": float("nan")}, {"voltage_V": 9}, {"soc": 2}, {"times": 1}],
)
def test_what_cannot_be_is_refused(wrong: dict):
    with pytest.raises(ValidationError):
        Every.model_validate(wrong)


def test_it_says_what_it_does():
    text = Every(time_s=300, voltage_V=0.01, soc=0.05).describe()
    assert text == "every 300 s or 10 mV or 5 % state of charge"

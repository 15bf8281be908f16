"""Capacities and efficiencies of cycles, against an instrument whose errors are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from intercalate.contract import RECORD_COLUMNS
from intercalate.reduction.electrochemistry import Accuracy, Anchor, cycles, state_of_charge, sweep

from .forward import make_records

DT_S = 60.0
CURRENT_A = 1e-3
ACCURACY = Accuracy(
    current_gain=2e-3,
    current_gain_mismatch=1e-3,
    current_offset_a=5e-6,
    voltage_offset_v=2e-3,
    voltage_gain=1e-3,
)
COLUMNS = ("charging_capacity_ah", "discharging_capacity_ah", "charging_energy_wh", "discharging_energy_wh")


def true_profile() -> list[tuple[int, float, float]]:
    """Cycle, current and voltage minute by minute: two cycles, the second shorter, with rests."""
    profile = []
    for cycle, minutes in ((1, (300, 280)), (2, (250, 240))):
        for current, count, low, high in (
            (CURRENT_A, minutes[0], 3.4, 4.2),
            (0.0, 30, 4.1, 4.1),
            (-CURRENT_A, minutes[1], 4.0, 3.0),
            (0.0, 30, 3.2, 3.2),
        ):
            for voltage in np.linspace(low, high, count):
                profile.append((cycle, current, float(voltage)))
    return profile


def measured(accuracy: Accuracy, seed: int | None) -> np.ndarray:
    """What an instrument with errors drawn from the seed makes of the profile; None has none."""
    draw = np.random.default_rng(seed).standard_normal(5) if seed is not None else np.zeros(5)
    gain, mismatch = 1 + accuracy.current_gain * draw[0], 1 + accuracy.current_gain_mismatch * draw[1]
    offset_a = accuracy.current_offset_a * draw[2]
    scale_v, offset_v = 1 + accuracy.voltage_gain * draw[3], accuracy.voltage_offset_v * draw[4]
    sums = dict.fromkeys(COLUMNS, 0.0)
    rows = [{"cycle_count": 1, **sums}]
    for index, (cycle, current, voltage) in enumerate(true_profile(), 1):
        seen_v = voltage * scale_v + offset_v
        if current:
            seen_a = current * gain * (mismatch if current < 0 else 1.0) + offset_a
            name = "charging" if current > 0 else "discharging"
            sums[f"{name}_capacity_ah"] += abs(seen_a) * DT_S / 3600
            sums[f"{name}_energy_wh"] += abs(seen_a) * seen_v * DT_S / 3600
        rows.append(
            {
                "test_time_second": index * DT_S,
                "cycle_count": cycle,
                "voltage_volt": seen_v,
                "current_ampere": current,
                **sums,
            }
        )
    return make_records(rows)


def test_cycles_without_errors_are_exact():
    first, second = cycles(measured(ACCURACY, None))
    assert (first.cycle, second.cycle) == (1, 2)
    assert first.charge_capacity_ah.value == pytest.approx(5e-3)
    assert second.discharge_capacity_ah.value == pytest.approx(4e-3)
    assert second.coulombic_efficiency.value == pytest.approx(240 / 250)
    assert first.mean_charge_voltage_v.value == pytest.approx(3.8)
    assert first.energy_efficiency.value == pytest.approx(280 * 3.5 / (300 * 3.8))


@pytest.mark.parametrize(
    "quantity",
    [
        "charge_capacity_ah",
        "discharge_capacity_ah",
        "coulombic_efficiency",
        "energy_efficiency",
        "mean_charge_voltage_v",
    ],
)
def test_uncertainties_cover_the_truth(quantity):
    truth = getattr(cycles(measured(ACCURACY, None))[1], quantity).value
    found = [getattr(cycles(measured(ACCURACY, seed), ACCURACY)[1], quantity) for seed in range(200)]
    score = np.array([(one.value - truth) / one.sigma for one in found])
    assert 0.58 <= np.mean(np.abs(score) < 1) <= 0.78
    assert 0.85 <= np.std(score) <= 1.2


def test_charge_around_the_end_of_a_cycle_may_belong_to_either():
    records = measured(ACCURACY, None)
    drifting = Accuracy(steps_end_on_record=False)
    assert all(one.charge_capacity_ah.sigma_stat == 0 for one in cycles(records))
    # Records every hundred minutes lose where a cycle ended.
    sparse = records[::100]
    truth = [one.charge_capacity_ah.value for one in cycles(records)]
    for found, true in zip(cycles(sparse, drifting), truth):
        assert abs(found.charge_capacity_ah.value - true) < 2 * found.charge_capacity_ah.sigma + 1e-12
    assert any(one.charge_capacity_ah.sigma_stat > 0 for one in cycles(sparse, drifting))


def test_what_passed_nothing_has_no_efficiency():
    assert cycles(make_records([])) == []
    (single,) = cycles(make_records([{"cycle_count": 1}]))
    assert single.charge_capacity_ah.value == 0
    assert math.isnan(single.coulombic_efficiency.value)
    assert math.isnan(single.mean_discharge_voltage_v.value)


TABLES = st.tuples(st.integers(0, 12), st.just(len(RECORD_COLUMNS)))


@given(hnp.arrays(float, TABLES, elements=st.floats(0, 9)))
def test_any_table_in_order_is_summarised(table):
    table = table[np.argsort(table[:, 1])]
    assert len(cycles(table)) <= len(table)
    assert sum(len(sweep(table, 1, charging=c)) for c in (True, False)) <= len(table)


def test_records_out_of_order_are_refused():
    with pytest.raises(ValueError, match="goes back after record 0"):
        cycles(make_records([{"test_time_second": 2.0}, {"test_time_second": 1.0}]))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        cycles(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="current_gain is -1"):
        Accuracy(current_gain=-1)


def soc_of(records: np.ndarray, anchors: list[Anchor], capacity_ah: float) -> tuple[np.ndarray, np.ndarray]:
    time, up, down = (
        records[:, RECORD_COLUMNS.index(c)]
        for c in ("test_time_second", "charging_capacity_ah", "discharging_capacity_ah")
    )
    return state_of_charge(
        time, up, down, anchors, capacity_ah=capacity_ah, capacity_sigma_ah=5e-5, accuracy=ACCURACY
    )


def test_state_of_charge_covers_the_truth_and_grows_uncertain():
    capacity_ah = 6e-3
    truth, _ = soc_of(measured(ACCURACY, None), [Anchor(0, 0.1, 0.0)], capacity_ah)
    scores = []
    for seed in range(200):
        draw = np.random.default_rng([seed, 5]).standard_normal(2)
        records = measured(ACCURACY, seed)
        soc, sigma = soc_of(records, [Anchor(0, 0.1 + 0.002 * draw[0], 0.002)], capacity_ah + 5e-5 * draw[1])
        scores.append((soc - truth)[1:] / sigma[1:])
        assert sigma[300] > sigma[0]
    at = np.array(scores)
    # Halfway in the first charge, at its end, after the discharge, and at the end of all.
    for index in (150, 299, 610, -1):
        assert 0.57 <= np.mean(np.abs(at[:, index]) < 1) <= 0.79


def test_an_anchor_replaces_the_count_where_it_is_better():
    records = measured(ACCURACY, None)
    good, bad = Anchor(400, 0.5, 1e-4), Anchor(400, 0.5, 0.5)
    start = Anchor(0, 0.1, 0.01)
    soc, sigma = soc_of(records, [good, start], 6e-3)
    assert soc[400] == pytest.approx(0.5)
    assert sigma[400] == pytest.approx(1e-4)
    assert sigma[399] > 0.01
    soc, sigma = soc_of(records, [start, bad], 6e-3)
    assert soc[400] != pytest.approx(0.5)
    before, _ = soc_of(records, [Anchor(400, 0.5, 0.01)], 6e-3)
    assert before[400] == pytest.approx(0.5)
    assert before[100] < 0.5


def test_wrong_anchors_are_refused():
    records = measured(ACCURACY, None)
    for anchors, words in (([], "no anchor"), ([Anchor(10**6, 0.5, 0.1)], "not at one of")):
        with pytest.raises(ValueError, match=words):
            soc_of(records, anchors, 6e-3)

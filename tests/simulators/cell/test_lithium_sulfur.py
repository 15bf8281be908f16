"""Sulfur against lithium: plateaus, species, the shuttle, conservation."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import ControlMode
from intercalate_sims.cell import ProbeState, cell_specs, make_cell, restore_cell
from intercalate_sims.cell.lithium_sulfur import SulfurCell

ATOMS = {"S8": 8, "S4(2-)": 4, "S2(2-)": 2, "S(2-)": 1, "Li2S": 1}


def cell_of(**options) -> SulfurCell:
    cell = make_cell("sulfur-li", **options)
    assert isinstance(cell, SulfurCell)
    return cell


def one_c(cell) -> float:
    return cell.describe()["nominal_capacity_ah"]


def discharge(cell, c_rate=0.1):
    readings = [cell.reading()]
    while readings[-1].voltage_v > 1.8:
        readings.append(cell.advance(ControlMode.CURRENT, -c_rate * one_c(cell)))
    return readings


def charge(cell, c_rate=0.1, limit_h=20.0):
    start, readings = cell.reading().time_s, []
    while not readings or (readings[-1].voltage_v < 2.5 and readings[-1].time_s < start + limit_h * 3600):
        readings.append(cell.advance(ControlMode.CURRENT, c_rate * one_c(cell)))
    return readings


@pytest.fixture(scope="module")
def discharged():
    cell = cell_of(dt_s=10.0, shuttle_per_s=0.0)
    readings, species = [cell.reading()], [cell.sulfur_shares()]
    while readings[-1].voltage_v > 1.8:
        readings.append(cell.advance(ControlMode.CURRENT, -0.1 * one_c(cell)))
        species.append(cell.sulfur_shares())
    return cell, readings, species


def test_two_plateaus_near_2_35_and_2_1_v(discharged):
    cell, readings, _ = discharged
    given = np.array([-r.charge_ah for r in readings]) / one_c(cell)
    voltage = np.array([r.voltage_v for r in readings])
    high, low = (given > 0.03) & (given < 0.3), (given > 0.4) & (given < 0.9)
    assert voltage[high].mean() == pytest.approx(2.34, abs=0.02)
    assert voltage[low].mean() == pytest.approx(2.10, abs=0.02)
    assert np.ptp(voltage[low]) < 0.03
    step = given[np.argmin(np.abs(voltage - 2.22))]
    assert step == pytest.approx(1 / 3, abs=0.02)


def test_capacity_is_twelve_electrons_per_s8(discharged):
    cell, readings, _ = discharged
    per_gram = -readings[-1].charge_ah / (20.0 * cell.area_m2)
    assert per_gram == pytest.approx(12 * 26.8015 / (8 * 32.06), rel=0.02)
    assert one_c(cell) == pytest.approx(20.0 * cell.area_m2 * 12 * 26.8015 / (8 * 32.06), rel=0.01)


def test_species_come_and_go_in_their_order(discharged):
    _, readings, species = discharged
    shares = {name: np.array([one[name] for one in species]) for name in ATOMS}
    low = next(i for i, r in enumerate(readings) if r.voltage_v < 2.2)
    assert shares["S8"][low] < 0.01
    assert np.argmax(shares["S4(2-)"]) == pytest.approx(low, rel=0.05)
    assert shares["S2(2-)"][low // 2] < 1e-3
    assert shares["S2(2-)"][low + 200] > 0.01
    assert shares["Li2S"][low + 200] > 0.01
    assert shares["S2(2-)"][-1] == pytest.approx(0.5, abs=0.01)
    assert shares["Li2S"][-1] == pytest.approx(0.5, abs=0.01)


def test_an_empty_cell_stays_at_the_limit_and_can_be_charged():
    cell = cell_of(dt_s=10.0)
    discharge(cell, 0.2)
    last = [cell.advance(ControlMode.CURRENT, -0.1 * one_c(cell)) for _ in range(50)][-1]
    assert last.voltage_v == 0.5
    assert abs(last.current_a) < 1e-3 * one_c(cell)
    assert 1.9 < cell.advance(ControlMode.CURRENT, 0.1 * one_c(cell)).voltage_v < 2.5
    assert cell.advance(ControlMode.REST, 0.0).current_a == 0.0


def test_the_shuttle_raises_the_charge_and_a_strong_one_never_lets_it_end():
    taken = {}
    for shuttle in (0.0, 2e-5, 2e-4):
        cell = cell_of(dt_s=10.0, shuttle_per_s=shuttle)
        given = discharge(cell)[-1].charge_ah
        last = charge(cell)[-1]
        taken[shuttle] = (last.charge_ah - given) / -given
        assert (last.voltage_v >= 2.5) is (shuttle < 1e-4)
    assert taken[0.0] == pytest.approx(1.0, abs=0.01)
    assert taken[2e-5] > 1.05
    assert taken[2e-4] > 1.5


def test_the_shuttle_is_an_option_that_nobody_is_told():
    plain, other = cell_of(), cell_of(shuttle_per_s=1e-4)
    assert plain.describe() == other.describe()
    for cell in (plain, other):
        for _ in range(500):
            cell.advance(ControlMode.REST, 0.0)
    assert other.sulfur_shares()["S8"] < plain.sulfur_shares()["S8"]


controls = st.one_of(
    st.tuples(st.just(ControlMode.REST), st.just(0.0)),
    st.tuples(st.just(ControlMode.CURRENT), st.floats(-0.05, 0.05)),
    st.tuples(st.just(ControlMode.VOLTAGE), st.floats(-5.0, 10.0)),
    st.tuples(st.just(ControlMode.POWER), st.floats(-0.1, 0.1)),
)


@settings(max_examples=15, deadline=None)
@given(
    dt_s=st.sampled_from([0.1, 2.0, 10.0]),
    soc=st.sampled_from([None, 1.0, 0.5, 0.1]),
    sequence=st.lists(st.tuples(controls, st.integers(1, 30)), min_size=1, max_size=5),
)
def test_any_control_conserves_sulfur_and_charge_and_stays_finite(dt_s, soc, sequence):
    cell = cell_of(dt_s=dt_s, initial_soc=soc)
    start_x = cell.probe_state().positive.li_content[0]
    start_um = cell.probe_state().negative.thickness_um
    for (mode, setpoint), steps in sequence:
        for _ in range(steps):
            reading = cell.advance(mode, setpoint)
        assert all(math.isfinite(value) for value in asdict(reading).values())
        assert 0.5 <= reading.voltage_v <= 4.0
        shares = cell.sulfur_shares()
        assert sum(shares.values()) == pytest.approx(1.0, rel=1e-9)
        assert min(shares.values()) > -1e-12
    state = cell.probe_state()
    assert state.negative.thickness_um - start_um == pytest.approx(
        reading.charge_ah * 3600.0 / cell.area_m2 / 7.424e9 * 1e6, abs=1e-9
    )
    if mode is not ControlMode.REST:
        assert 0.0 <= state.positive.li_content[0] <= 1.0
    assert start_x >= 0.0


def test_lithium_in_the_sulfur_is_the_charge_without_a_shuttle(discharged):
    cell, readings, _ = discharged
    fresh = cell_of().probe_state().positive.li_content[0]
    x = cell.probe_state().positive.li_content[0]
    sulfur_mol = 20.0 * cell.area_m2 / 32.06
    assert (x - fresh) * 2 * sulfur_mol * 26.8015 == pytest.approx(-readings[-1].charge_ah, rel=2e-3)


def test_species_in_mmol_hold_all_the_sulfur_and_survive_json():
    cell = cell_of(initial_soc=0.4)
    state = cell.probe_state()
    sulfur = sum(ATOMS[name] * amount for name, amount in state.species)
    assert sulfur == pytest.approx(1e3 * 20.0 * cell.area_m2 / 32.06, rel=1e-9)
    assert ProbeState.from_dict(json.loads(json.dumps(asdict(state)))) == state


def test_restored_cell_continues_bit_for_bit():
    cell = cell_of(seed=3, area_cm2=2.0, temperature_c=30.0, shuttle_per_s=1e-5, initial_soc=0.6)
    for _ in range(50):
        cell.advance(ControlMode.CURRENT, -0.001)
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert twin.reading() == cell.reading()
    assert twin.probe_state() == cell.probe_state()
    for mode, setpoint in ((ControlMode.VOLTAGE, 2.3), (ControlMode.POWER, -0.001), (ControlMode.REST, 0.0)):
        assert [twin.advance(mode, setpoint) for _ in range(20)] == [
            cell.advance(mode, setpoint) for _ in range(20)
        ]
    assert twin.to_state() == cell.to_state()


@pytest.mark.parametrize("dt_s", [0.5, 10.0])
def test_step_length_changes_little(dt_s):
    voltages = []
    for step_s in (2.0, dt_s):
        cell = cell_of(dt_s=step_s, initial_soc=0.8)
        for _ in range(round(1800 / step_s)):
            reading = cell.advance(ControlMode.CURRENT, -0.2 * one_c(cell))
        voltages.append(reading.voltage_v)
    assert voltages[0] == pytest.approx(voltages[1], abs=1e-3)


def test_voltage_and_power_are_held():
    cell = cell_of(initial_soc=0.5)
    assert cell.advance(ControlMode.VOLTAGE, 2.05).current_a < 0.0
    assert cell.advance(ControlMode.VOLTAGE, 2.05).voltage_v == 2.05
    for power_w in (-0.001, 0.001):
        # The current is the mean of a step, the voltage that at its end.
        reading = [cell.advance(ControlMode.POWER, power_w) for _ in range(30)][-1]
        assert reading.voltage_v * reading.current_a == pytest.approx(power_w, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dt_s": 60.0}, "dt_s"), ({"shuttle_per_s": -1.0}, "shuttle"), ({"initial_soc": 2.0}, "initial_soc")],
)
def test_numbers_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make_cell("sulfur-li", **options)


def test_wrong_setpoints_and_states_are_refused():
    cell = make_cell("sulfur-li")
    with pytest.raises(ValueError, match="not a finite number"):
        cell.advance(ControlMode.VOLTAGE, math.inf)
    with pytest.raises(ValueError, match="species"):
        restore_cell({**cell.to_state(), "species": [1.0]})
    assert "sulfur-li" in cell_specs()

"""The reduced cell against conservation laws, its own limits and what an electrochemist expects."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import ControlMode
from intercalate_sims.cell import cell_specs, make_cell, restore_cell
from intercalate_sims.cell.intercalation import IntercalationCell

REDUCED = ("nmc811-graphite", "graphite-li")


def cell_of(spec, **options) -> IntercalationCell:
    cell = make_cell(spec, **options)
    assert isinstance(cell, IntercalationCell)
    return cell


def one_c(cell) -> float:
    return cell.describe()["nominal_capacity_ah"]


def until(cell, current_a, stop, limit_s=60 * 3600):
    """Readings under a constant current until `stop(reading)`."""
    readings = []
    for _ in range(int(limit_s / cell.dt_s)):
        readings.append(cell.advance(ControlMode.CURRENT, current_a))
        if stop(readings[-1]):
            return readings
    raise AssertionError(f"not reached within {limit_s} s; last {readings[-1]}")


def run(cell, mode, setpoint, duration_s):
    return [cell.advance(mode, setpoint) for _ in range(int(duration_s / cell.dt_s))]


def total(cell) -> float:
    return sum(cell.lithium_inventory_ah().values())


controls = st.one_of(
    st.tuples(st.just(ControlMode.REST), st.just(0.0)),
    st.tuples(st.just(ControlMode.CURRENT), st.floats(-0.2, 0.2)),
    st.tuples(st.just(ControlMode.VOLTAGE), st.floats(-5.0, 10.0)),
    st.tuples(st.just(ControlMode.POWER), st.floats(-1.0, 1.0)),
)


@settings(max_examples=20, deadline=None)
@given(
    spec=st.sampled_from(REDUCED),
    dt_s=st.sampled_from([0.1, 2.0, 10.0]),
    soc=st.one_of(st.none(), st.floats(0.0, 1.0)),
    sequence=st.lists(st.tuples(controls, st.integers(1, 30)), min_size=1, max_size=5),
)
def test_any_control_conserves_lithium_and_stays_finite(spec, dt_s, soc, sequence):
    cell = cell_of(spec, dt_s=dt_s, initial_soc=soc)
    before = total(cell)
    for (mode, setpoint), steps in sequence:
        for _ in range(steps):
            reading = cell.advance(mode, setpoint)
        assert all(
            math.isfinite(value)
            for value in (
                reading.voltage_v,
                reading.current_a,
                reading.temperature_c,
                reading.positive_potential_v,
                reading.negative_potential_v,
            )
        )
        assert total(cell) == pytest.approx(before, rel=1e-9)
        inventory = cell.lithium_inventory_ah()
        assert min(inventory["plated"], inventory["dead"], inventory["sei"]) >= 0.0


@pytest.mark.parametrize("spec", REDUCED)
def test_charge_passed_is_lithium_moved(spec):
    cell = cell_of(spec, initial_soc=0.5, side_reactions=False)
    before = cell.lithium_inventory_ah()["positive"]
    reading = run(cell, ControlMode.CURRENT, 0.3 * one_c(cell), 1200)[-1]
    assert reading.charge_ah == pytest.approx(0.1 * one_c(cell))
    assert before - cell.lithium_inventory_ah()["positive"] == pytest.approx(reading.charge_ah, rel=1e-9)


@pytest.mark.parametrize("spec", REDUCED)
def test_same_seed_same_cell_and_other_seed_another(spec):
    readings = []
    for seed in (3, 3, 4):
        cell = cell_of(spec, seed=seed)
        run(cell, ControlMode.CURRENT, 0.5 * one_c(cell), 600)
        readings.append((cell.reading(), cell.probe_state()))
    assert readings[0] == readings[1]
    assert readings[0][1] != readings[2][1]


@pytest.mark.parametrize("spec", REDUCED)
def test_restored_cell_continues_bit_for_bit(spec):
    cell = cell_of(spec, seed=5, area_cm2=2.0, temperature_c=35.0)
    run(cell, ControlMode.CURRENT, -0.002, 300)
    run(cell, ControlMode.CURRENT, 0.004, 300)
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert twin.reading() == cell.reading()
    assert twin.probe_state() == cell.probe_state()
    for mode, setpoint in ((ControlMode.VOLTAGE, 1.5), (ControlMode.POWER, -0.005), (ControlMode.REST, 0.0)):
        assert run(twin, mode, setpoint, 200) == run(cell, mode, setpoint, 200)
    assert twin.to_state() == cell.to_state()


def test_signs():
    cell = cell_of("nmc811-graphite", initial_soc=0.5)
    rest = cell.reading()
    assert rest.voltage_v == pytest.approx(rest.positive_potential_v - rest.negative_potential_v)
    charged = run(cell, ControlMode.CURRENT, one_c(cell), 60)[-1]
    assert charged.voltage_v > rest.voltage_v
    assert charged.charge_ah > 0
    assert charged.positive_potential_v > rest.positive_potential_v
    assert charged.negative_potential_v < rest.negative_potential_v
    assert cell.advance(ControlMode.POWER, -0.01).current_a < 0
    assert cell.advance(ControlMode.VOLTAGE, 4.2).current_a > 0
    assert cell.advance(ControlMode.REST, 0.0).current_a == 0.0


def test_power_is_delivered():
    cell = cell_of("nmc811-graphite", initial_soc=0.5)
    for power_w in (0.02, -0.02):
        reading = cell.advance(ControlMode.POWER, power_w)
        assert reading.voltage_v * reading.current_a == pytest.approx(power_w, rel=1e-6)


def test_reading_of_formed_cell_follows_chen2020_at_both_ends():
    assert cell_of("nmc811-graphite", initial_soc=1.0).reading().voltage_v == pytest.approx(4.2, abs=2e-3)
    assert cell_of("nmc811-graphite", initial_soc=0.0).reading().voltage_v == pytest.approx(2.5, abs=2e-3)


def test_first_cycle_of_fresh_cell_loses_about_a_tenth():
    cell = cell_of("nmc811-graphite", dt_s=10.0)
    current_a = 0.1 * one_c(cell)
    charge_ah = until(cell, current_a, lambda r: r.voltage_v >= 4.2)[-1].charge_ah
    left_ah = until(cell, -current_a, lambda r: r.voltage_v <= 2.5)[-1].charge_ah
    assert 0.88 < 1.0 - left_ah / charge_ah < 0.93
    start = left_ah
    charge_ah = until(cell, current_a, lambda r: r.voltage_v >= 4.2)[-1].charge_ah - start
    left_ah = until(cell, -current_a, lambda r: r.voltage_v <= 2.5)[-1].charge_ah - start
    assert 0.99 < 1.0 - left_ah / charge_ah < 1.0


def test_graphite_shows_three_plateaus():
    """Plateaus are minima of |dV/dx|: dilute 1 to 4 near x = 0.1, to stage 2 near 0.4, 2 to 1 near 0.75."""
    cell = cell_of("graphite-li", initial_soc=1.0, dt_s=10.0)
    readings = until(
        cell, -one_c(cell) / 20, lambda r: r.voltage_v <= 0.01 or r.charge_ah < -0.96 * one_c(cell)
    )
    full_ah = cell.parameters.positive.sites_mol_m2 * 26.8015 * cell.area_m2
    x = 0.01 - np.array([r.charge_ah for r in readings]) / full_ah
    voltage = np.array([r.voltage_v for r in readings])
    grid = np.arange(0.02, 0.95, 0.005)
    slope = np.abs(np.gradient(np.interp(grid, x, voltage), grid))
    steps = [
        i
        for i in range(1, grid.size - 1)
        if slope[i] > slope[i - 1] and slope[i] > slope[i + 1] and slope[i] > 0.1
    ]
    low, high = grid[steps[0]], grid[steps[-1]]
    assert 0.1 < low < 0.25
    assert 0.45 < high < 0.6
    for window, expected_v in (
        ((grid < low), 0.2145),
        ((grid > low) & (grid < high), 0.128),
        ((grid > high), 0.0884),
    ):
        flattest = np.argmin(np.where(window, slope, np.inf))
        assert np.interp(grid[flattest], x, voltage) == pytest.approx(expected_v, abs=0.015)


def test_half_cell_lithiates_graphite_on_discharge():
    cell = cell_of("graphite-li")
    before = np.mean(cell.probe_state().positive.li_content)
    run(cell, ControlMode.CURRENT, -0.1 * one_c(cell), 7200)
    state = cell.probe_state()
    assert np.mean(state.positive.li_content) > before + 0.05
    assert state.negative.material == "Li"
    assert state.negative.li_content == ()
    assert 0 < state.sei_charge_ah < 0.1 * one_c(cell)


def contrast(cell) -> float:
    x = cell.probe_state().positive.li_content
    return abs(x[0] - x[-1])


def test_front_differs_from_back_at_high_rate_and_levels_at_rest():
    contrasts = {}
    for c_rate in (0.1, 2.0):
        cell = cell_of("nmc811-graphite", initial_soc=0.9)
        run(cell, ControlMode.CURRENT, -c_rate * one_c(cell), 0.2 * 3600 / c_rate)
        contrasts[c_rate] = contrast(cell)
    assert contrasts[2.0] > 3.0 * contrasts[0.1]
    spread = np.mean(cell.probe_state().positive.li_spread)
    run(cell, ControlMode.REST, 0.0, 4 * 3600)
    assert contrast(cell) < 0.1 * contrasts[2.0]
    assert np.mean(cell.probe_state().positive.li_spread) < 0.5 * spread


def test_voltage_relaxes_after_a_pulse():
    cell = cell_of("nmc811-graphite", initial_soc=0.5)
    pulse = run(cell, ControlMode.CURRENT, one_c(cell), 300)[-1]
    relaxing = np.array([r.voltage_v for r in run(cell, ControlMode.REST, 0.0, 3 * 3600)])
    assert relaxing[0] < pulse.voltage_v - 0.02
    assert np.all(np.diff(relaxing) < 1e-6)
    assert relaxing[0] - relaxing[-1] > 0.01
    assert relaxing[-600] - relaxing[-1] < 1e-3


def test_plating_only_below_zero_and_stripped_afterwards():
    gentle = cell_of("nmc811-graphite", initial_soc=0.1)
    readings = until(gentle, 0.2 * one_c(gentle), lambda r: r.voltage_v >= 4.2)
    assert min(r.negative_potential_v for r in readings) > 0.0
    assert gentle.probe_state().plated_li_ah == 0.0

    harsh = cell_of("nmc811-graphite", initial_soc=0.3, temperature_c=0.0)
    for _ in range(900):
        reading = harsh.advance(ControlMode.CURRENT, 1.5 * one_c(harsh))
        if harsh.probe_state().plated_li_ah > 0.0:
            break
    assert reading.negative_potential_v < 0.0
    run(harsh, ControlMode.CURRENT, 1.5 * one_c(harsh), 300)
    plated = harsh.lithium_inventory_ah()["plated"]
    run(harsh, ControlMode.CURRENT, -0.5 * one_c(harsh), 1800)
    after = harsh.lithium_inventory_ah()
    assert after["plated"] < 0.1 * plated
    assert 0.05 * plated < after["dead"] < 0.15 * plated


def test_cell_warms_at_2c_and_cools_at_rest():
    cell = cell_of("nmc811-graphite", initial_soc=0.9)
    warm = run(cell, ControlMode.CURRENT, -2.0 * one_c(cell), 600)[-1].temperature_c
    assert 25.1 < warm < 40.0
    assert run(cell, ControlMode.REST, 0.0, 3600)[-1].temperature_c == pytest.approx(25.0, abs=0.02)


def test_cold_cell_has_more_resistance():
    drops = []
    for temperature_c in (0.0, 25.0, 45.0):
        cell = cell_of("nmc811-graphite", initial_soc=0.6, temperature_c=temperature_c)
        rest = cell.reading().voltage_v
        drops.append(rest - run(cell, ControlMode.CURRENT, -one_c(cell), 60)[-1].voltage_v)
    assert drops[0] > 1.5 * drops[1] > 1.5 * drops[2]


def test_current_decays_monotonically_at_constant_voltage():
    cell = cell_of("nmc811-graphite", initial_soc=0.4)
    until(cell, one_c(cell), lambda r: r.voltage_v >= 4.2)
    current = np.array([r.current_a for r in run(cell, ControlMode.VOLTAGE, 4.2, 2 * 3600)])
    assert current[0] <= one_c(cell) * 1.01
    assert np.all(np.diff(current) < 0.0)
    assert 0.0 < current[-1] < 0.05 * one_c(cell)


@pytest.mark.parametrize("dt_s", [0.1, 10.0])
def test_step_length_changes_little(dt_s):
    voltages = []
    for step in (2.0, dt_s):
        cell = cell_of("nmc811-graphite", initial_soc=0.8, dt_s=step)
        voltages.append(run(cell, ControlMode.CURRENT, -one_c(cell), 1200)[-1].voltage_v)
    assert voltages[1] == pytest.approx(voltages[0], abs=2e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_overcharge_and_overdischarge_saturate(sign):
    cell = cell_of("nmc811-graphite", initial_soc=0.5, dt_s=10.0)
    last = run(cell, ControlMode.CURRENT, sign * one_c(cell), 6 * 3600)[-1]
    assert -2.001 < last.voltage_v < 7.001
    for electrode in (cell.probe_state().positive, cell.probe_state().negative):
        assert all(0.0 <= x <= 1.0 for x in electrode.li_content)


def test_unreachable_setpoints_saturate():
    cell = cell_of("nmc811-graphite", initial_soc=0.5)
    assert abs(cell.advance(ControlMode.CURRENT, 50.0).current_a) <= 10.001 * one_c(cell)
    assert cell.advance(ControlMode.POWER, -50.0).current_a >= -10.001 * one_c(cell)
    assert abs(cell.advance(ControlMode.VOLTAGE, 6.0).current_a) <= 10.001 * one_c(cell)


@pytest.mark.parametrize("setpoint", [math.nan, math.inf])
def test_setpoint_that_is_no_number_is_refused(setpoint):
    with pytest.raises(ValueError, match="not a finite number"):
        cell_of("graphite-li").advance(ControlMode.CURRENT, setpoint)


def test_unknown_spec_names_the_known_ones():
    with pytest.raises(ValueError, match="graphite-li"):
        make_cell("lco-graphite")
    assert set(REDUCED) < set(cell_specs())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dt_s": 60.0}, "dt_s"), ({"initial_soc": 1.2}, "initial_soc"), ({"area_cm2": -1.0}, "area_cm2")],
)
def test_numbers_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make_cell("nmc811-graphite", **options)


def test_state_that_does_not_fit_is_refused():
    state = make_cell("graphite-li").to_state()
    state["salt"] = state["salt"][:-1]
    with pytest.raises(ValueError, match="salt"):
        restore_cell(state)


def test_disc_has_the_areal_capacity_of_chen2020():
    description = make_cell("nmc811-graphite").describe()
    assert description["nominal_capacity_ah"] == pytest.approx(7.5e-3, rel=0.01)
    assert json.loads(json.dumps(description))["parameters"]["name"] == "nmc811-graphite"

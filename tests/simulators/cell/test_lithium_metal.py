"""Two electrodes of lithium: transport against the theory of it, growth, short circuits, conservation."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import ControlMode
from intercalate_sims.cell import ProbeState, cell_specs, make_cell, restore_cell
from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.interface import HasImpedance
from intercalate_sims.cell.lithium_growth import needle_share
from intercalate_sims.cell.lithium_metal import LithiumMetalCell
from intercalate_sims.cell.parameters import lithium_cell

SPECS = ("li-polymer-li", "li-llzo-li", "li-liquid-li")
FARADAY = 96485.33212


def cell_of(spec, **options) -> LithiumMetalCell:
    cell = make_cell(spec, **options)
    assert isinstance(cell, LithiumMetalCell)
    return cell


def run(cell, mode, setpoint, duration_s):
    return [cell.advance(mode, setpoint) for _ in range(round(duration_s / cell.dt_s))]


def total(cell) -> float:
    return sum(cell.lithium_inventory_ah().values())


def habits(cell, side="negative") -> dict[str, tuple[float, float, float]]:
    return {habit: tuple(figures) for habit, *figures in getattr(cell.probe_state(), side).deposits}


def wide_cell(gap_m, dt_s=2.0):
    """1 mol/L, D 2.5e-10 m2/s, t+ 0.4, only liquid between, kept cold; no needle reaches far."""
    p = lithium_cell("li-liquid-li")
    growth = replace(p.growth, turnover_current_a_m2=1e6, needle_coverage=1.0)
    p = replace(p, separator_thickness_m=gap_m, separator_porosity=1.0, heat_loss_w_m2_k=1e5, growth=growth)
    return LithiumMetalCell(p, dt_s=dt_s)


@pytest.mark.parametrize("current_a_m2", [70.0, 100.0])
def test_salt_is_used_up_at_sands_time(current_a_m2):
    cell = wide_cell(2e-3)
    expected_s = math.pi * 2.5e-10 * (FARADAY * 1000.0 / (2 * current_a_m2 * 0.6)) ** 2
    if current_a_m2 == 100.0:
        assert expected_s == pytest.approx(510.0, rel=0.01)
    asked_a = current_a_m2 * cell.area_m2
    while cell.advance(ControlMode.CURRENT, asked_a).current_a > 0.999 * asked_a:
        assert cell.reading().time_s < 2 * expected_s
    assert cell.reading().time_s == pytest.approx(expected_s, rel=0.04)
    assert cell.reading().voltage_v == 5.0


def test_below_the_limiting_current_a_steady_gradient_forms_and_nothing_runs_out():
    gap_m = 2e-4
    limiting = 2 * FARADAY * 1000.0 * 2.5e-10 / (0.6 * gap_m)
    cell = wide_cell(gap_m, dt_s=5.0)
    asked_a = 0.8 * limiting * cell.area_m2
    reading = run(cell, ControlMode.CURRENT, asked_a, 600)[-1]
    assert reading.current_a == pytest.approx(asked_a)
    salt = cell.salt_mol_l
    # Linear from 0.2 to 1.8 mol/L between the faces; the middles of the last cells lie a little inside.
    assert salt[0] == pytest.approx(0.2, abs=0.01)
    assert salt[-1] == pytest.approx(1.8, abs=0.01)

    above = wide_cell(gap_m, dt_s=5.0)
    asked_a = 1.1 * limiting * above.area_m2
    last = run(above, ControlMode.CURRENT, asked_a, 600)[-1]
    assert last.current_a == pytest.approx(limiting * above.area_m2, rel=0.02)


def test_salt_neither_comes_nor_goes():
    cell = wide_cell(5e-4)
    run(cell, ControlMode.CURRENT, 40 * cell.area_m2, 400)
    width = np.diff(0.5 * (1 - np.cos(np.linspace(0, math.pi, cell.salt_mol_l.size + 1))))
    assert float(width @ cell.salt_mol_l) == pytest.approx(1.0, rel=1e-9)


def test_a_garnet_has_no_gradient_and_obeys_ohm():
    cell = cell_of("li-llzo-li")
    small, large = (run(cell, ControlMode.CURRENT, a * cell.area_m2, 20)[-1].voltage_v for a in (0.05, 0.1))
    assert cell.salt_mol_l == pytest.approx(1.0)
    assert large == pytest.approx(2 * small, rel=1e-3)


controls = st.one_of(
    st.tuples(st.just(ControlMode.REST), st.just(0.0)),
    st.tuples(st.just(ControlMode.CURRENT), st.floats(-0.2, 0.2)),
    st.tuples(st.just(ControlMode.VOLTAGE), st.floats(-10.0, 10.0)),
    st.tuples(st.just(ControlMode.POWER), st.floats(-1.0, 1.0)),
)


@settings(max_examples=40, deadline=None)
@given(
    spec=st.sampled_from(SPECS),
    dt_s=st.sampled_from([0.1, 2.0, 10.0]),
    temperature_c=st.floats(-20.0, 80.0),
    sequence=st.lists(st.tuples(controls, st.integers(1, 60)), min_size=1, max_size=5),
)
def test_any_control_conserves_charge_and_stays_finite(spec, dt_s, temperature_c, sequence):
    cell = cell_of(spec, dt_s=dt_s, temperature_c=temperature_c)
    before, passed_as = total(cell), 0.0
    for (mode, setpoint), steps in sequence:
        for _ in range(steps):
            reading = cell.advance(mode, setpoint)
            passed_as += reading.current_a * dt_s
            figures = [value for key, value in asdict(reading).items() if key != "time_s"]
            assert all(math.isfinite(value) for value in figures)
            assert abs(reading.voltage_v) <= 5.0
        assert total(cell) == pytest.approx(before, rel=1e-9)
        assert reading.charge_ah == pytest.approx(passed_as / 3600.0, rel=1e-9, abs=1e-12)
        assert min(cell.lithium_inventory_ah().values()) >= 0.0
        assert np.all(cell.salt_mol_l > 0.0)


@pytest.mark.parametrize("spec", SPECS)
def test_charge_passed_is_lithium_moved(spec):
    cell = cell_of(spec)
    before = cell.lithium_inventory_ah()
    reading = run(cell, ControlMode.CURRENT, 1.0 * cell.area_m2, 1800)[-1]
    after = cell.lithium_inventory_ah()
    assert reading.charge_ah == pytest.approx(0.5 * cell.area_m2, rel=1e-9)
    assert before["positive"] - after["positive"] == pytest.approx(reading.charge_ah, rel=1e-9)
    assert after["negative"] + after["film"] - before["negative"] == pytest.approx(
        reading.charge_ah, rel=1e-9
    )


def test_thickness_follows_the_charge():
    """1 mAh/cm2 of lithium is 4.85 um."""
    cell = cell_of("li-polymer-li", dt_s=10.0)
    run(cell, ControlMode.CURRENT, 1.0 * cell.area_m2, 10 * 3600)
    state = cell.probe_state()
    assert state.positive.thickness_um == pytest.approx(50.0 - 4.85, abs=0.01)
    assert state.negative.thickness_um == pytest.approx(50.0 + 0.99 * 4.85, abs=0.01)


@pytest.mark.parametrize("spec", SPECS)
def test_restored_cell_continues_bit_for_bit(spec):
    options = {"turnover_current_a_m2": 3.0, "growth": Growth.REVERSED}
    cell = cell_of(spec, seed=5, area_cm2=2.0, temperature_c=35.0, **options)
    run(cell, ControlMode.CURRENT, 0.0005, 100)
    run(cell, ControlMode.CURRENT, -0.0003, 50)
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert twin.reading() == cell.reading()
    assert twin.probe_state() == cell.probe_state()
    for mode, setpoint in ((ControlMode.VOLTAGE, 0.3), (ControlMode.POWER, 0.001), (ControlMode.REST, 0.0)):
        assert run(twin, mode, setpoint, 100) == run(cell, mode, setpoint, 100)
    assert twin.to_state() == cell.to_state()


def test_state_of_probes_survives_json():
    cell = cell_of("li-polymer-li")
    run(cell, ControlMode.CURRENT, 4.0 * cell.area_m2, 200)
    run(cell, ControlMode.CURRENT, -4.0 * cell.area_m2, 100)
    state = cell.probe_state()
    assert state.positive.deposits
    assert state.negative.dead_um > 0.0
    assert ProbeState.from_dict(json.loads(json.dumps(asdict(state)))) == state


def test_same_seed_same_cell_and_other_seed_another():
    states = []
    for seed in (3, 3, 4):
        cell = cell_of("li-polymer-li", seed=seed)
        run(cell, ControlMode.CURRENT, 2.0 * cell.area_m2, 60)
        states.append(cell.reading())
    assert states[0] == states[1] != states[2]


def test_low_current_grows_moss_and_high_current_needles():
    heights = {}
    for current in (0.5, 10.0):
        cell = cell_of("li-polymer-li", dt_s=10.0)
        run(cell, ControlMode.CURRENT, current * cell.area_m2, 8000.0 / current)
        found = habits(cell)
        heights[current] = (found["needles"][2], found["moss"][2], found["moss"][0])
    assert heights[0.5][0] < 0.01 * heights[0.5][1]
    assert heights[10.0][0] > 5.0 * heights[10.0][1]
    assert heights[0.5][2] > 5.0 * heights[10.0][2]


def test_another_law_of_growth_is_an_option_that_nobody_is_told():
    shares = {}
    for growth in Growth:
        cell = cell_of("li-polymer-li", growth=growth)
        assert cell.describe() == cell_of("li-polymer-li").describe()
        for current in (1.0, 16.0):
            cell = cell_of("li-polymer-li", growth=growth)
            run(cell, ControlMode.CURRENT, current * cell.area_m2, 1600 / current)
            shares[growth, current] = habits(cell)["needles"][2]
    # At a quarter of the turn-over, and at four times as much.
    assert shares[Growth.REVERSED, 1.0] == pytest.approx(shares[Growth.REAL, 16.0], rel=0.01)
    assert shares[Growth.REVERSED, 16.0] == pytest.approx(shares[Growth.REAL, 1.0], rel=0.05)
    assert shares[Growth.EVEN, 1.0] == pytest.approx(shares[Growth.EVEN, 16.0], rel=0.01)
    assert shares[Growth.REAL, 16.0] > 100 * shares[Growth.REAL, 1.0]


def test_the_turn_over_is_an_option_that_nobody_is_told():
    plain, other = (cell_of("li-polymer-li", **options) for options in ({}, {"turnover_current_a_m2": 0.5}))
    assert plain.describe() == other.describe()
    for cell in (plain, other):
        run(cell, ControlMode.CURRENT, 1.0 * cell.area_m2, 600)
    assert habits(other)["needles"][2] > 10 * habits(plain)["needles"][2]


def test_half_of_what_is_plated_at_the_turn_over_is_needles_and_all_where_the_salt_ends():
    sharpness = lithium_cell("li-polymer-li").growth.turnover_sharpness
    assert needle_share(4.0, 1.0, 4.0, sharpness) == pytest.approx(0.5)
    assert needle_share(0.1, 0.0, 4.0, sharpness) == 1.0
    assert needle_share(0.0, 1.0, 4.0, sharpness) == 0.0


def test_needles_through_the_polymer_short_the_cell_for_good():
    cell = cell_of("li-polymer-li", dt_s=10.0)
    asked_a = 10.0 * cell.area_m2
    readings = []
    while not cell.is_shorted:
        readings.append(cell.advance(ControlMode.CURRENT, asked_a))
        assert len(readings) < 2000
    before, moved = readings[-2], cell.lithium_inventory_ah()
    after = run(cell, ControlMode.CURRENT, asked_a, 100)[-1]
    assert after.current_a == pytest.approx(asked_a)
    assert 0.0 < after.voltage_v < 0.05 * before.voltage_v
    run(cell, ControlMode.CURRENT, -asked_a, 1000)
    assert cell.is_shorted
    assert cell.lithium_inventory_ah() == moved
    assert cell.advance(ControlMode.REST, 0.0).voltage_v == 0.0
    assert cell.advance(ControlMode.POWER, 1e-5).current_a > 0.0
    assert abs(cell.advance(ControlMode.VOLTAGE, 5.0).voltage_v) < 0.2
    assert restore_cell(cell.to_state()).reading() == cell.reading()


def test_a_garnet_shorts_above_its_critical_current_only():
    for current, shorts in ((1.5, False), (8.0, True)):
        cell = cell_of("li-llzo-li", dt_s=10.0)
        run(cell, ControlMode.CURRENT, current * cell.area_m2, 2 * 3600)
        assert cell.is_shorted is shorts


def test_cycling_leaves_dead_lithium_and_a_film():
    cell, dead = cell_of("li-liquid-li", dt_s=10.0), []
    for _ in range(3):
        for sign in (1, -1):
            run(cell, ControlMode.CURRENT, sign * 5.0 * cell.area_m2, 3600)
        dead.append(cell.lithium_inventory_ah()["dead"])
    assert 0.0 < dead[0] < dead[1] < dead[2]
    assert cell.probe_state().sei_charge_ah > 0.0


def test_an_electrode_without_lithium_ends_the_current():
    p = lithium_cell("li-polymer-li")
    thin = replace(p, electrode=replace(p.electrode, thickness_m=1e-7))
    cell = LithiumMetalCell(thin, dt_s=10.0)
    last = run(cell, ControlMode.CURRENT, 2.0 * cell.area_m2, 1000)[-1]
    assert last.current_a == pytest.approx(0.0, abs=1e-12)
    assert last.voltage_v == 5.0
    assert run(cell, ControlMode.CURRENT, -0.5 * cell.area_m2, 10)[-1].current_a < 0.0


def charged_at(c_rate, **options):
    """A cell with another electrode: 0.3 of its capacity went onto the lithium, a little came back."""
    cell = make_cell("nmc622-polymer-li", dt_s=10.0, initial_soc=0.2, **options)
    one_c = cell.describe()["nominal_capacity_ah"]
    for share, sign in ((0.3, 1), (0.05, -1)):
        for _ in range(round(share * 360 / c_rate)):
            cell.advance(ControlMode.CURRENT, sign * c_rate * one_c)
    return cell


def test_lithium_grows_in_a_cell_with_another_electrode_as_it_does_on_its_own():
    gentle, harsh = charged_at(1 / 12), charged_at(1 / 12, turnover_current_a_m2=0.3)
    assert gentle.describe() == harsh.describe()
    found = habits(gentle)
    assert found["moss"][0] > 0.1
    assert found["needles"][2] < 0.1 * habits(harsh)["needles"][2]
    assert gentle.probe_state().negative.dead_um > 0.0
    assert gentle.reading() == harsh.reading()
    twin = restore_cell(json.loads(json.dumps(harsh.to_state())))
    assert twin.probe_state() == harsh.probe_state()
    assert twin.advance(ControlMode.CURRENT, 1e-4) == harsh.advance(ControlMode.CURRENT, 1e-4)
    assert twin.to_state() == harsh.to_state()


def test_looking_often_or_seldom_comes_to_the_same():
    looked_at, left_alone = (make_cell("nmc622-polymer-li", initial_soc=0.3) for _ in range(2))
    for step in range(1500):
        for cell in (looked_at, left_alone):
            cell.advance(ControlMode.CURRENT, 3e-4 if step % 700 < 500 else -2e-4)
        if step % 7 == 0:
            looked_at.probe_state()
    assert looked_at.to_state() == left_alone.to_state()


def test_a_turn_over_where_no_growth_is_followed_is_refused():
    with pytest.raises(ValueError, match="not followed in graphite-li"):
        make_cell("graphite-li", turnover_current_a_m2=1.0)
    with pytest.raises(ValueError, match="outside"):
        make_cell("nmc622-polymer-li", turnover_current_a_m2=-1.0)


@pytest.mark.parametrize("spec", SPECS)
def test_impedance_ends_at_the_slope_of_slow_steps(spec):
    cell = cell_of(spec, dt_s=10.0)
    assert isinstance(cell, HasImpedance)
    found = cell.impedance(np.geomspace(1e5, 1e-5, 40))
    assert np.all(found.imag < 0)
    assert np.all(np.diff(found.real) >= -1e-12)
    current_a = 0.01 * cell.area_m2
    voltage_v = run(cell, ControlMode.CURRENT, current_a, 4000)[-1].voltage_v
    assert found.real[-1] == pytest.approx(voltage_v / current_a, rel=0.02)


def test_power_is_taken_and_none_is_given():
    cell = cell_of("li-polymer-li")
    reading = cell.advance(ControlMode.POWER, 1e-5)
    assert reading.voltage_v * reading.current_a == pytest.approx(1e-5, rel=1e-6)
    assert cell.advance(ControlMode.POWER, -1e-5).current_a == 0.0


def test_signs():
    cell = cell_of("li-polymer-li")
    reading = run(cell, ControlMode.CURRENT, 1.0 * cell.area_m2, 20)[-1]
    assert reading.voltage_v > 0.0
    assert reading.positive_potential_v > 0.0 > reading.negative_potential_v
    assert reading.voltage_v == pytest.approx(reading.positive_potential_v - reading.negative_potential_v)
    assert not cell.probe_state().positive.deposits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt_s": 60.0}, "dt_s"),
        ({"area_cm2": -1.0}, "area_cm2"),
        ({"turnover_current_a_m2": 0.0}, "turnover_current_a_m2"),
        ({"initial_soc": 2.0}, "initial_soc"),
    ],
)
def test_numbers_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make_cell("li-polymer-li", **options)


def test_wrong_setpoints_and_states_are_refused():
    cell = make_cell("li-polymer-li")
    with pytest.raises(ValueError, match="not a finite number"):
        cell.advance(ControlMode.CURRENT, math.nan)
    with pytest.raises(ValueError, match="salt"):
        restore_cell({**cell.to_state(), "salt": [1.0]})
    assert set(SPECS) <= set(cell_specs())

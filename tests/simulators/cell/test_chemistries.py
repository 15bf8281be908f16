"""Cells of all chemistries: plateaus, capacities, and electrolytes whose film does not passivate."""

import json
import math
import os
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import ControlMode
from intercalate_sims.cell import REDUCED, make_cell, restore_cell
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.intercalation import IntercalationCell
from intercalate_sims.cell.ocv import potential_table
from intercalate_sims.cell.parameters import CELLS

X = np.linspace(0.0, 1.0, 2001)
CUT_OFFS_V = {
    "nmc622-li": (3.0, 4.3),
    "nmc111-li": (3.0, 4.3),
    "lco-li": (3.0, 4.3),
    "lco-bare-li": (3.0, 4.7),
    "lco-zro2-li": (3.0, 4.7),
    "lmno-li": (3.5, 4.95),
    "lto-li": (1.0, 2.5),
    "lvo-li": (2.0, 3.7),
    "lirich-li": (2.0, 4.8),
    "lfp-li": (2.5, 3.9),
    "si-li": (0.01, 1.0),
    "si-nano-li": (0.01, 1.0),
    "sio-li": (0.01, 1.2),
    "nmc622-graphite": (2.5, 4.2),
    "lfp-graphite": (2.0, 3.65),
    "nmc622-polymer-li": (2.7, 4.3),
    "lvo-polymer-li": (2.0, 3.7),
    "lco-lipon-si": (2.0, 3.95),
}


def cell_of(spec, **options) -> IntercalationCell:
    cell = make_cell(spec, **options)
    assert isinstance(cell, IntercalationCell)
    return cell


def until(cell, current_a, stop):
    readings = [cell.advance(ControlMode.CURRENT, current_a)]
    while not stop(readings[-1]):
        readings.append(cell.advance(ControlMode.CURRENT, current_a))
        assert len(readings) < 20_000, readings[-1]
    return readings


def potential_of(cell: str) -> np.ndarray:
    return potential_table(CELLS[cell].positive.potential)


def at_x(cell: str, x: float) -> float:
    return float(np.interp(x, X, potential_of(cell)))


def x_at(cell: str, potential_v: float) -> float:
    return float(np.interp(-potential_v, -potential_of(cell), X))


@pytest.mark.parametrize("spec", CUT_OFFS_V)
def test_a_formed_cell_gives_its_nominal_capacity_between_its_cut_offs(spec):
    low, high = CUT_OFFS_V[spec]
    cell = cell_of(spec, initial_soc=1.0, dt_s=10.0)
    one_c = cell.describe()["nominal_capacity_ah"]
    before = sum(cell.lithium_inventory_ah().values())
    given = -until(cell, -one_c / 12, lambda r: r.voltage_v <= low)[-1].charge_ah
    taken = given + until(cell, one_c / 12, lambda r: r.voltage_v >= high)[-1].charge_ah
    assert given == pytest.approx(one_c, rel=0.12)
    assert taken == pytest.approx(given, rel=0.12)
    assert sum(cell.lithium_inventory_ah().values()) == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize("spec", sorted(set(REDUCED) - {"graphite-pc-li", "graphite-thf-li"}))
def test_a_fresh_cell_takes_current_both_ways_and_is_restored_bit_for_bit(spec):
    cell = cell_of(spec, seed=2, dt_s=10.0)
    current_a = 0.05 * cell.describe()["nominal_capacity_ah"]
    for sign in (1, -1):
        readings = [cell.advance(ControlMode.CURRENT, sign * current_a) for _ in range(60)]
        assert all(-2.0 <= round(r.voltage_v, 9) <= 7.0 for r in readings)
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    for _ in range(20):
        assert twin.advance(ControlMode.VOLTAGE, 1.2) == cell.advance(ControlMode.VOLTAGE, 1.2)
    assert twin.to_state() == cell.to_state()


controls = st.one_of(
    st.tuples(st.just(ControlMode.REST), st.just(0.0)),
    st.tuples(st.just(ControlMode.CURRENT), st.floats(-20.0, 20.0)),
    st.tuples(st.just(ControlMode.VOLTAGE), st.floats(-5.0, 10.0)),
    st.tuples(st.just(ControlMode.POWER), st.floats(-60.0, 60.0)),
)


@settings(max_examples=60, deadline=None)
@given(
    spec=st.sampled_from(sorted(REDUCED)),
    dt_s=st.sampled_from([0.1, 2.0, 10.0]),
    soc=st.one_of(st.none(), st.floats(0.0, 1.0)),
    sequence=st.lists(st.tuples(controls, st.integers(1, 30)), min_size=1, max_size=4),
)
def test_any_control_conserves_lithium_and_stays_finite(spec, dt_s, soc, sequence):
    cell = cell_of(spec, dt_s=dt_s, initial_soc=soc)
    one_c, before = cell.describe()["nominal_capacity_ah"], sum(cell.lithium_inventory_ah().values())
    for (mode, setpoint), steps in sequence:
        value = setpoint if mode is ControlMode.VOLTAGE else setpoint * one_c
        for _ in range(steps):
            reading = cell.advance(mode, value)
        assert all(math.isfinite(figure) for figure in astuple(reading))
        assert sum(cell.lithium_inventory_ah().values()) == pytest.approx(before, rel=1e-9)
    state = cell.probe_state()
    assert all(0.0 <= x <= 1.0 for x in (*state.positive.li_content, *state.negative.li_content))
    assert all(math.isfinite(spread) for spread in state.positive.li_spread)


def test_lmno_has_two_plateaus_of_nickel_and_a_shoulder_of_manganese():
    assert at_x("lmno-li", 0.25) == pytest.approx(4.74, abs=0.01)
    assert at_x("lmno-li", 0.70) == pytest.approx(4.70, abs=0.01)
    assert at_x("lmno-li", 0.96) == pytest.approx(4.05, abs=0.05)
    slope = -np.gradient(potential_of("lmno-li"), X)
    assert slope[920] > 2 * slope[500]
    assert slope[920] > 2 * slope[1400]


@pytest.mark.parametrize("metal", ["cr", "co", "al", "cu", "mg"])
def test_a_dopant_shifts_the_plateaus_of_nickel_and_takes_their_length(metal):
    plain, doped = CELLS["lmno-li"], CELLS[f"lmno-{metal}-li"]
    assert doped.positive.material == f"LMNO-{metal.title()}"
    nickel = [
        sum(x for u, x, _ in cell.positive.potential.sites if 4.65 < u < 4.8) for cell in (plain, doped)
    ]
    assert doped.positive.potential.sites[0][0] != plain.positive.potential.sites[0][0]
    assert doped.positive.thickness_m == plain.positive.thickness_m
    assert nickel[1] < nickel[0]
    assert doped.nominal_capacity_ah_m2 < plain.nominal_capacity_ah_m2


def test_the_titanate_stays_at_1_55_v_from_end_to_end():
    for x in (0.1, 0.5, 0.9):
        assert at_x("lto-li", x) == pytest.approx(1.555, abs=0.015)
    assert at_x("lto-li", 0.005) > 1.7


def test_cobaltate_orders_near_one_half():
    slope = -np.gradient(potential_of("lco-li"), X)
    ordering = (X > 0.49) & (X < 0.54)
    beside = ((X > 0.56) & (X < 0.6)) | ((X > 0.44) & (X < 0.46))
    assert slope[ordering].max() > 1.5 * slope[beside].max()
    assert slope[(X > 0.8) & (X < 0.9)].max() < 0.15
    assert 4.5 < at_x("lco-li", 0.2) < 4.58


def test_layered_oxides_are_as_empty_as_known_at_4_3_v():
    assert x_at("nmc622-li", 4.3) == pytest.approx(0.36, abs=0.02)
    assert 0.35 <= x_at("nmc111-li", 4.3) <= 0.42
    assert x_at("lco-li", 4.2) == pytest.approx(0.48, abs=0.02)


def test_the_lithium_rich_oxide_has_a_long_plateau_above_4_4_v():
    potential = potential_of("lirich-li")
    flat = (X > 0.2) & (X < 0.6)
    assert np.all((potential[flat] > 4.39) & (potential[flat] < 4.56))
    assert at_x("lirich-li", 0.75) < 4.1


def test_potentials_taken_from_pybamm_are_its():
    os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    pybamm = pytest.importorskip("pybamm")

    def of(parameters, key, x):
        function = pybamm.ParameterValues(parameters)[key]
        return np.array([float(function(pybamm.Scalar(one)).evaluate()) for one in x])

    x = np.linspace(0.05, 0.95, 37)
    expected = of("Chen2020_composite", "Secondary: Negative electrode OCP [V]", x)
    assert np.interp(x, X, potential_of("si-li")) == pytest.approx(expected, abs=0.006)
    x = np.linspace(0.56, 0.88, 17)
    expected = of("Marquis2019", "Positive electrode OCP [V]", x)
    assert np.interp(x, X, potential_of("lco-li")) == pytest.approx(expected, abs=0.006)
    x = np.linspace(0.05, 0.95, 37)
    expected = of("Prada2013", "Positive electrode OCP [V]", x)
    assert np.interp(x, X, potential_of("lfp-li")) == pytest.approx(expected, abs=1e-4)
    values = pybamm.ParameterValues("MSMR_Example")
    for side, cell, share in (("Negative", "graphite-li", 1.0), ("Positive", "nmc622-li", 0.73)):
        for number, (potential_v, fraction, omega) in enumerate(CELLS[cell].positive.potential.sites[:4]):
            site = f"{side} electrode host site"
            assert potential_v == values[f"{site} standard potential ({number}) [V]"]
            assert fraction == pytest.approx(
                share * values[f"{site} occupancy fraction ({number})"], abs=1e-6
            )
            assert omega == values[f"{site} ideality factor ({number})"]


def test_figures_marked_as_verified_are_those_of_pybamm():
    os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    pybamm = pytest.importorskip("pybamm")
    cell, values = CELLS["nmc811-graphite"], pybamm.ParameterValues("Chen2020")
    for side, electrode in (("Positive", cell.positive), ("Negative", cell.negative)):
        assert electrode.thickness_m == values[f"{side} electrode thickness [m]"]
        assert electrode.porosity == values[f"{side} electrode porosity"]
        assert electrode.active_fraction == values[f"{side} electrode active material volume fraction"]
        assert (
            electrode.sites_mol_m3 == values[f"Maximum concentration in {side.lower()} electrode [mol.m-3]"]
        )
        assert electrode.particle_radius_m == values[f"{side} particle radius [m]"]
        assert electrode.diffusivity_m2_s == values[f"{side} particle diffusivity [m2.s-1]"]
        assert electrode.conductivity_s_m == values[f"{side} electrode conductivity [S.m-1]"]
    assert cell.separator_thickness_m == values["Separator thickness [m]"]
    assert cell.separator_porosity == values["Separator porosity"]
    salt = cell.electrolyte
    assert salt.transference_number == values["Cation transference number"]
    kelvin = pybamm.Scalar(298.15)
    for c in (0.5, 1.0, 2.0):
        at = pybamm.Scalar(1000.0 * c)
        kappa = float(values["Electrolyte conductivity [S.m-1]"](at, kelvin).evaluate())
        assert np.dot(salt.conductivity, [c, c**1.5, c**3]) == pytest.approx(kappa)
        diffusivity = float(values["Electrolyte diffusivity [m2.s-1]"](at, kelvin).evaluate())
        assert np.dot(salt.diffusivity, [1.0, c, c * c]) == pytest.approx(diffusivity)
    lfp, values = CELLS["lfp-li"].positive, pybamm.ParameterValues("Prada2013")
    assert lfp.sites_mol_m3 == values["Maximum concentration in positive electrode [mol.m-3]"]
    assert lfp.diffusivity_m2_s == values["Positive particle diffusivity [m2.s-1]"]
    assert lfp.conductivity_s_m == pytest.approx(values["Positive electrode conductivity [S.m-1]"], rel=0.01)
    silicon, values = CELLS["si-li"].positive, pybamm.ParameterValues("Chen2020_composite")
    assert silicon.sites_mol_m3 == values["Secondary: Maximum concentration in negative electrode [mol.m-3]"]
    assert silicon.particle_radius_m == values["Secondary: Negative particle radius [m]"]
    assert silicon.diffusivity_m2_s == values["Secondary: Negative particle diffusivity [m2.s-1]"]


def first_lithiation(spec):
    """Charge in, x then, charge out again; charge in parts of the nominal capacity. Slowly, for a day."""
    cell = cell_of(spec, dt_s=10.0)
    one_c = cell.describe()["nominal_capacity_ah"]
    before = sum(cell.lithium_inventory_ah().values())
    last = until(cell, -one_c / 15, lambda r: r.voltage_v < 0.01 or r.time_s >= 18 * 3600.0)[-1]
    x = float(np.mean(cell.probe_state().positive.li_content))
    back = until(cell, one_c / 15, lambda r: r.voltage_v > 1.5)[-1]
    assert sum(cell.lithium_inventory_ah().values()) == pytest.approx(before, rel=1e-9)
    return -last.charge_ah / one_c, x, (back.charge_ah - last.charge_ah) / one_c


@pytest.mark.parametrize("spec", ["graphite-ecdec-li", "graphite-wetdmc-li"])
def test_a_film_that_passivates_lets_the_graphite_be_filled_and_emptied(spec):
    charged, x, back = first_lithiation(spec)
    assert x > 0.85
    assert back > 0.93
    assert 1.05 < charged < 1.25


@pytest.mark.parametrize("spec", ["graphite-pc-li", "graphite-thf-li"])
def test_a_film_that_does_not_passivate_takes_the_charge(spec):
    charged, x, back = first_lithiation(spec)
    assert charged > 1.0
    assert x < 0.2
    assert back < 0.1


def test_isolated_particles_keep_their_lithium_through_a_restart():
    cell = cell_of("graphite-thf-li", dt_s=10.0)
    one_c = cell.describe()["nominal_capacity_ah"]
    for _ in range(2000):
        cell.advance(ControlMode.CURRENT, -one_c / 15)
    isolated = cell.lithium_inventory_ah()["isolated"]
    assert isolated > 0.0
    state = cell.probe_state()
    assert max(state.positive.li_spread) > 0.02
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert twin.probe_state() == state
    for _ in range(50):
        assert twin.advance(ControlMode.VOLTAGE, 1.4) == cell.advance(ControlMode.VOLTAGE, 1.4)
    assert cell.lithium_inventory_ah()["isolated"] >= isolated


def test_a_cell_without_side_reactions_isolates_nothing():
    cell = cell_of("graphite-pc-li", dt_s=10.0, side_reactions=False)
    for _ in range(500):
        cell.advance(ControlMode.CURRENT, -0.0005)
    assert cell.lithium_inventory_ah()["isolated"] == 0.0
    assert np.mean(cell.probe_state().positive.li_content) > 0.1


def after_lithiation(spec, host):
    """Share of the charge that a film took, and of the lithium in isolated particles; what the cell tells."""
    cell = cell_of(spec, dt_s=10.0, host=host)
    one_c = cell.describe()["nominal_capacity_ah"]
    for _ in range(2000):
        cell.advance(ControlMode.CURRENT, -one_c / 15)
    inventory = cell.lithium_inventory_ah()
    passed_ah = -cell.reading().charge_ah
    return inventory["sei"] / passed_ah, inventory["isolated"] / passed_ah, cell.describe()


def test_a_film_can_be_that_of_another_solvent_of_which_nobody_is_told():
    film, isolated, told = after_lithiation("graphite-pc-li", Host.PASSIVATED)
    assert film == pytest.approx(after_lithiation("graphite-ecdec-li", Host.STAGED)[0], rel=0.02)
    assert isolated == 0.0
    own_film, own_isolated, own_told = after_lithiation("graphite-pc-li", Host.STAGED)
    assert own_film > 0.9
    assert own_isolated > 0.0
    assert told == own_told
    of_thf = after_lithiation("graphite-thf-li", Host.STAGED)[1]
    assert after_lithiation("graphite-ecdec-li", Host.ISOLATED)[1] == pytest.approx(of_thf, rel=0.1)


def cycled(spec, high_v, cycles=3, **options):
    """A cell after some cycles between 3 V and a cut-off, and the charge of each discharge in Ah."""
    cell = cell_of(spec, dt_s=10.0, initial_soc=0.0, **options)
    current_a, given = 0.1 * cell.describe()["nominal_capacity_ah"], []
    for _ in range(cycles):
        full = until(cell, current_a, lambda r: r.voltage_v >= high_v)[-1].charge_ah
        given.append(full - until(cell, -current_a, lambda r: r.voltage_v <= 3.0)[-1].charge_ah)
    return cell, given


def series_ohm(cell) -> float:
    return float(np.real(cell.impedance(np.array([1e5])))[0])


def test_lco_fades_where_it_is_charged_high_and_less_with_a_coat():
    left, resistance, fresh = {}, {}, {}
    for spec in ("lco-li", "lco-bare-li", "lco-zro2-li"):
        fresh[spec] = series_ohm(cell_of(spec, initial_soc=0.0))
        cell, given = cycled(spec, 4.7)
        left[spec], resistance[spec] = given[-1] / given[0], series_ohm(cell) - fresh[spec]
        assert sum(cell.lithium_inventory_ah().values()) == pytest.approx(
            sum(cell_of(spec, initial_soc=0.0).lithium_inventory_ah().values()), rel=1e-9
        )
    assert left["lco-li"] > 0.999
    assert left["lco-bare-li"] < 0.90 < 0.95 < left["lco-zro2-li"] < 0.99
    assert resistance["lco-bare-li"] > 2 * resistance["lco-zro2-li"] > 2 * abs(resistance["lco-li"])


def test_nothing_fades_below_the_onset_or_without_side_reactions():
    for options, high_v in (({}, 4.3), ({"side_reactions": False}, 4.7)):
        cell, given = cycled("lco-bare-li", high_v, cycles=2, **options)
        assert cell.lithium_inventory_ah()["isolated"] == 0.0
        assert given[1] == pytest.approx(given[0], rel=0.01)


def test_a_faded_cell_is_restored_bit_for_bit_and_shows_its_lost_particles():
    cell, _ = cycled("lco-bare-li", 4.7, cycles=1, seed=4)
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    for _ in range(50):
        assert twin.advance(ControlMode.VOLTAGE, 4.6) == cell.advance(ControlMode.VOLTAGE, 4.6)
    assert twin.to_state() == cell.to_state()
    assert series_ohm(twin) == series_ohm(cell)
    # What lost contact when it was nearly empty lies among what is full again.
    spread = cycled("lco-bare-li", 4.7)[0].probe_state().positive.li_spread
    assert min(spread) > 2 * max(cycled("lco-li", 4.7)[0].probe_state().positive.li_spread)


def lithiated(spec, cycles=3, **options):
    """A cell of silicon after some cycles, and the charge that each lithiation took, in Ah."""
    cell = cell_of(spec, dt_s=10.0, initial_soc=1.0, **options)
    current_a, taken = 0.1 * cell.describe()["nominal_capacity_ah"], []
    for _ in range(cycles):
        empty = until(cell, current_a, lambda r: r.voltage_v >= 1.0)[-1].charge_ah
        taken.append(empty - until(cell, -current_a, lambda r: r.voltage_v <= 0.02)[-1].charge_ah)
    return cell, taken


def test_large_particles_of_silicon_crack_and_small_ones_do_not():
    """Of 3 um across 0.95 of 0.04 lose contact each way, with the lithium that was in them."""
    left, isolated = {}, {}
    for spec in ("si-li", "si-nano-li", "sio-li"):
        cell, taken = lithiated(spec)
        left[spec] = (taken[-1] / taken[0]) ** 0.25
        isolated[spec] = cell.lithium_inventory_ah()["isolated"]
        fresh = cell_of(spec, dt_s=10.0, initial_soc=1.0).lithium_inventory_ah()
        assert sum(cell.lithium_inventory_ah().values()) == pytest.approx(sum(fresh.values()), rel=1e-9)
    assert isolated["si-nano-li"] == 0.0
    assert isolated["si-li"] > isolated["sio-li"] > 0.0
    assert left["si-li"] == pytest.approx(math.exp(-0.04 * 0.95), abs=0.01)
    assert left["si-li"] < left["sio-li"] < left["si-nano-li"]


def test_no_silicon_cracks_at_rest_or_without_side_reactions():
    cell, _ = lithiated("si-li", cycles=1)
    isolated = cell.lithium_inventory_ah()["isolated"]
    for _ in range(500):
        cell.advance(ControlMode.REST, 0.0)
    assert cell.lithium_inventory_ah()["isolated"] == pytest.approx(isolated, rel=0.02)
    assert lithiated("si-li", cycles=1, side_reactions=False)[0].lithium_inventory_ah()["isolated"] == 0.0


def test_a_cell_with_cracked_particles_is_restored_bit_for_bit():
    cell, _ = lithiated("si-li", cycles=1, seed=4)
    twin = restore_cell(json.loads(json.dumps(cell.to_state())))
    for _ in range(50):
        assert twin.advance(ControlMode.VOLTAGE, 0.3) == cell.advance(ControlMode.VOLTAGE, 0.3)
    assert twin.to_state() == cell.to_state()

"""A thick coating of LFP: where it takes up lithium, by rate and by what limits it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import ControlMode
from intercalate_sims.cell import make_cell, restore_cell
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.parameters import CELLS

ONE_C_A = 6.11e-3
FRONT = 3
"""Slices next to the collector, of eight."""


def discharged(rate: float, to: float = 0.6, **options):
    """A cell that was charged, discharged at a rate until its mean lithium content is `to`."""
    cell = make_cell("lfp-thick-li", initial_soc=1.0, dt_s=4.0, **options)
    while np.mean(cell.probe_state().positive.li_content) < to:
        cell.advance(ControlMode.CURRENT, -rate * ONE_C_A)
    return cell


def lacking(cell) -> float:
    """By how much there is less lithium next to the collector than overall."""
    contents = np.array(cell.probe_state().positive.li_content)
    return float(contents.mean() - contents[-FRONT:].mean())


def test_at_higher_rates_more_is_lacking_next_to_the_collector():
    found = [lacking(discharged(rate)) for rate in (0.1, 0.5, 2.0)]
    assert found[0] < 0.06
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.12


@pytest.mark.parametrize(
    ("host", "low", "high"), [("unhindered", -0.03, 0.03), ("from_collector", -1.0, -0.1)]
)
def test_nothing_is_lacking_where_ions_go_easily(host, low, high):
    assert low < lacking(discharged(2.0, host=Host(host))) < high


def test_a_coating_evens_out_at_rest_as_its_sloping_potential_drives_it():
    cell = discharged(2.0)
    before = lacking(cell)
    for _ in range(9000):
        cell.advance(ControlMode.REST, 0.0)
    assert 0.0 < lacking(cell) < 0.35 * before


def test_nobody_is_told_which_host_there_is():
    real, other = (make_cell("lfp-thick-li", host=host) for host in (Host.STAGED, Host.UNHINDERED))
    assert real.describe() == other.describe()


def test_slowly_it_has_the_voltage_of_a_thin_one():
    thick, thin = CELLS["lfp-thick-li"], CELLS["lfp-li"]
    found = []
    for name, parameters in (("lfp-thick-li", thick), ("lfp-li", thin)):
        cell = make_cell(name, initial_soc=1.0, dt_s=10.0)
        current_a = -parameters.nominal_capacity_ah_m2 * parameters.area_cm2 * 1e-4 / 100.0
        for _ in range(18_000):
            reading = cell.advance(ControlMode.CURRENT, current_a)
        found.append(reading.voltage_v)
    assert found[0] == pytest.approx(found[1], abs=0.003)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(-3.0, 3.0), st.integers(1, 60)), min_size=1, max_size=6))
def test_lithium_by_depth_adds_up_to_the_charge(steps):
    cell = make_cell("lfp-thick-li", initial_soc=0.5, dt_s=4.0)
    whole = sum(cell.lithium_inventory_ah().values())
    first = cell.lithium_inventory_ah()["positive"]
    for rate, count in steps:
        for _ in range(count):
            reading = cell.advance(ControlMode.CURRENT, rate * ONE_C_A)
    inventory = cell.lithium_inventory_ah()
    assert sum(inventory.values()) == pytest.approx(whole, rel=1e-12)
    assert inventory["positive"] - first == pytest.approx(-reading.charge_ah, abs=1e-12)


def test_a_restored_cell_goes_on_as_if_nothing_had_been():
    cell = discharged(2.0, to=0.3, host=Host.FROM_COLLECTOR)
    again = restore_cell(json.loads(json.dumps(cell.to_state())))
    for one in (cell, again):
        for _ in range(20):
            one.advance(ControlMode.CURRENT, -ONE_C_A)
    assert again.probe_state() == cell.probe_state()

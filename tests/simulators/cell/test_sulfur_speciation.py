"""Sulfur as probes meet it: nothing is lost, equilibria and solubilities hold, the voltage is the same."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.contract import ControlMode
from intercalate.materials.raman_sulfur import DISULFIDE, LONG, SHORT, SULFUR
from intercalate_sims.cell import ProbeState, make_cell, restore_cell
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.parameters import sulfur_cell
from intercalate_sims.cell.sulfur_speciation import comproportionated, sulfur_state

ETHER, IONIC = "sulfur-ether-li", "sulfur-py13fsi-li"
ELECTRONS = {SULFUR: 0.0, LONG: 2 / 6, SHORT: 2 / 4, DISULFIDE: 1.0, "S(2-)": 2.0, "Li2S": 2.0}
"""Taken up by an atom of each species."""


def totals(state) -> dict[str, float]:
    """Parts of all sulfur by species, wherever they are."""
    found: dict[str, float] = {}
    for name, share in (*state.solid, *((name, one / state.total_mol_l) for name, one in state.dissolved)):
        found[name] = found.get(name, 0.0) + share
    return found


def discharge(model: str, **options):
    """Readings and states of a discharge at C/10 in steps of 10 s."""
    cell = make_cell(model, dt_s=10.0, **options)
    one_c = cell.describe()["nominal_capacity_ah"]
    found = []
    for _ in range(3100):
        found.append((cell.advance(ControlMode.CURRENT, -0.1 * one_c), cell.probe_state().sulfur))
    return found


@pytest.fixture(scope="module")
def discharged():
    return discharge(ETHER)


def test_high_plateau_ends_after_8_of_36_of_the_electrons(discharged):
    voltage = np.array([reading.voltage_v for reading, _ in discharged])
    given_ah = np.array([-reading.charge_ah for reading, _ in discharged])
    one_c = make_cell(ETHER).describe()["nominal_capacity_ah"]
    assert given_ah[np.argmax(voltage < 2.22)] / one_c == pytest.approx(8 / 36, abs=0.01)
    assert np.median(voltage[given_ah < 0.2 * one_c]) == pytest.approx(2.36, abs=0.02)
    assert np.median(voltage[given_ah > 0.3 * one_c]) == pytest.approx(2.11, abs=0.02)


def test_species_carry_the_charge_that_passed(discharged):
    p = sulfur_cell(ETHER)
    area_m2 = 1.539e-4
    atoms_c = p.sulfur_g_m2 * area_m2 / 32.06 * 96485.33
    start = sum(ELECTRONS[name] * part for name, part in totals(discharged[0][1]).items())
    for reading, state in discharged[500::500]:
        held = sum(ELECTRONS[name] * part for name, part in totals(state).items())
        passed = -3600.0 * (reading.charge_ah - discharged[0][0].charge_ah) / atoms_c
        # The shuttle reduces sulfur without a current outside.
        assert held - start == pytest.approx(passed, rel=0.02)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=5, max_size=5).filter(lambda parts: sum(parts) > 0.01),
    st.sampled_from([ETHER, IONIC, "sulfur-li"]),
    st.sampled_from([Host.STAGED, Host.SHORT_FIRST, Host.QUASI_SOLID]),
)
def test_no_sulfur_is_lost_and_no_more_dissolves_than_can(parts, model, host):
    shares = tuple(part / sum(parts) for part in parts)
    p = sulfur_cell(model)
    state = sulfur_state(p, shares, 0.3, host)
    assert sum(totals(state).values()) == pytest.approx(1.0)
    assert min(share for _, share in (*state.solid, *state.dissolved)) > -1e-12
    dissolved = dict(state.dissolved)
    assert dissolved[SULFUR] <= p.sulfur_solubility_mol_l
    assert max(dissolved[LONG], dissolved[SHORT]) <= p.polysulfide_solubility_mol_l


@given(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.floats(1e-3, 1e3))
def test_short_polysulfide_is_in_equilibrium(long, disulfide, constant):
    short = comproportionated(long, disulfide, constant)
    s6, s4, s2 = (long - 0.75 * short) / 6, short / 4, (disulfide - 0.25 * short) / 2
    assert min(s6, s4, s2) >= -1e-12
    assert s4**2 == pytest.approx(constant * s6 * s2, rel=1e-5, abs=1e-15)


def test_without_one_of_both_there_is_no_short_polysulfide():
    assert comproportionated(0.0, 0.5, 1.0) == comproportionated(0.5, 0.0, 1.0) == 0.0
    assert comproportionated(0.5, 0.5, 0.0) == 0.0


def test_hosts_have_one_voltage_and_other_species(discharged):
    for host in (Host.QUASI_SOLID, Host.SHORT_FIRST):
        other = discharge(ETHER, host=host)[::100]
        assert [one.voltage_v for one, _ in other] == [one.voltage_v for one, _ in discharged[::100]]
    middle = totals(discharged[500][1])
    assert middle[LONG] > 0.3
    assert middle[SHORT] < 1e-3
    assert totals(discharge(ETHER, host=Host.SHORT_FIRST)[500][1])[SHORT] == pytest.approx(middle[LONG])
    solid = totals(discharge(ETHER, host=Host.QUASI_SOLID)[500][1])
    assert solid[LONG] == solid[SHORT] == 0.0
    assert solid["Li2S"] > 0.05


def test_state_survives_the_wire_and_a_restart():
    cell = make_cell(IONIC, dt_s=10.0, host=Host.SHORT_FIRST)
    for _ in range(50):
        cell.advance(ControlMode.CURRENT, -1e-3)
    state = cell.probe_state()
    assert ProbeState.from_dict(json.loads(json.dumps(asdict(state)))) == state
    again = restore_cell(json.loads(json.dumps(cell.to_state())))
    assert again.probe_state() == state
    assert "short_first" not in json.dumps(cell.describe())

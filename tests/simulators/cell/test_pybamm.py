"""The PyBaMM adapter, and the reduced model against it."""

import builtins
import json

import numpy as np
import pytest

from intercalate.contract import ControlMode
from intercalate_sims.cell import make_cell, restore_cell
from intercalate_sims.cell.pybamm_adapter import import_pybamm

pytest.importorskip("pybamm")
SPEC = "pybamm:Chen2020"
ONE_C_A = 5.0 / 0.1027 * 1.539e-4


@pytest.fixture(scope="module")
def charged():
    cell = make_cell(SPEC, initial_soc=0.5, dt_s=10.0)
    readings = [cell.reading()]
    readings += [cell.advance(ControlMode.CURRENT, ONE_C_A) for _ in range(30)]
    return cell, readings


def test_adapter_keeps_our_sign_and_size(charged):
    cell, readings = charged
    assert readings[-1].current_a == pytest.approx(ONE_C_A)
    assert readings[-1].charge_ah == pytest.approx(ONE_C_A * 300.0 / 3600.0)
    assert readings[-1].voltage_v > readings[0].voltage_v + 0.05
    assert readings[-1].voltage_v == pytest.approx(
        readings[-1].positive_potential_v - readings[-1].negative_potential_v, abs=1e-6
    )
    state = cell.probe_state()
    assert state.positive.li_content[0] < state.positive.li_content[-1]
    assert state.negative.li_content[0] > state.negative.li_content[-1]
    assert min(state.positive.li_spread) > 0.0


def test_adapter_holds_voltage_and_power(charged):
    cell = restore_cell(charged[0].to_state())
    held = cell.advance(ControlMode.VOLTAGE, 4.0)
    assert held.voltage_v == pytest.approx(4.0, abs=1e-5)
    power = cell.advance(ControlMode.POWER, -0.02)
    assert power.voltage_v * power.current_a == pytest.approx(-0.02, rel=1e-4)
    assert cell.advance(ControlMode.REST, 0.0).current_a == pytest.approx(0.0, abs=1e-9)


def test_adapter_restores_bit_for_bit(charged):
    cell, twin = (restore_cell(json.loads(json.dumps(charged[0].to_state()))) for _ in range(2))
    first = [cell.advance(ControlMode.CURRENT, -ONE_C_A) for _ in range(3)]
    twin.advance(ControlMode.CURRENT, -ONE_C_A)
    twin = restore_cell(json.loads(json.dumps(twin.to_state())))
    assert [twin.advance(ControlMode.CURRENT, -ONE_C_A) for _ in range(2)] == first[1:]
    assert twin.probe_state() == cell.probe_state()


def test_adapter_outlives_abuse():
    cell = make_cell(SPEC, initial_soc=0.95, dt_s=10.0)
    for _ in range(12):
        reading = cell.advance(ControlMode.CURRENT, 5.0 * ONE_C_A)
    assert 2.3 <= reading.voltage_v <= 4.4
    assert 0.0 <= reading.current_a < 5.0 * ONE_C_A


@pytest.mark.parametrize(("c_rate", "sign"), [(0.5, -1), (0.5, 1), (1.0, -1)])
def test_reduced_model_follows_dfn(c_rate, sign):
    """The simulated beamline asks for 20 mV rms at C/2 and 40 mV at 1C; the model does far better."""
    pybamm = import_pybamm()
    start, duration_s = (1.0, 0.0)[sign > 0], 0.9 * 3600.0 / c_rate
    values = pybamm.ParameterValues("Chen2020")
    values["Current function [A]"] = -sign * c_rate * 5.0
    values.set_initial_state(start)
    simulation = pybamm.Simulation(
        pybamm.lithium_ion.DFN(), parameter_values=values, solver=pybamm.IDAKLUSolver()
    )
    solution = simulation.solve([0.0, duration_s])
    cell = make_cell("nmc811-graphite", initial_soc=start, dt_s=10.0, side_reactions=False)
    readings = [
        cell.advance(ControlMode.CURRENT, sign * c_rate * ONE_C_A) for _ in range(int(duration_s / 10.0))
    ]
    readings = [r for r in readings if 0.05 * duration_s < r.time_s < min(solution.t[-1], duration_s)]
    assert len(readings) > 0.6 * duration_s / 10.0
    error_v = [r.voltage_v - float(solution["Voltage [V]"](r.time_s)) for r in readings]
    assert np.sqrt(np.mean(np.square(error_v))) < 0.005


def test_reduced_model_has_the_profile_of_dfn(charged):
    dfn, readings = charged
    cell = make_cell("nmc811-graphite", initial_soc=0.5, dt_s=10.0, side_reactions=False)
    for expected in readings[1:]:
        reading = cell.advance(ControlMode.CURRENT, ONE_C_A)
        assert reading.voltage_v == pytest.approx(expected.voltage_v, abs=0.01)
        assert reading.negative_potential_v == pytest.approx(expected.negative_potential_v, abs=0.01)
    for side in ("positive", "negative"):
        ours, theirs = getattr(cell.probe_state(), side), getattr(dfn.probe_state(), side)
        assert ours.li_content == pytest.approx(theirs.li_content, abs=0.006)
        assert ours.li_spread == pytest.approx(theirs.li_spread, abs=0.015)


def test_missing_pybamm_names_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pybamm":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"intercalate\[pybamm\]"):
        import_pybamm()

"""Programs said as PyBaMM says them."""

import contextlib
import os
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import assume, given

from intercalate.cell import Cell
from intercalate.config import DEFAULT_CONFIG, Config
from intercalate.contract import Capability
from intercalate.protocol import FeasibilityError, Protocol, ProtocolError, bind
from intercalate.protocol.pybamm_experiment import to_pybamm

from .samples import few, methods
from .test_binding import bind_all, charge

EXAMPLES = Path(str(files("intercalate") / "examples"))


@pytest.fixture(scope="module")
def pybamm():
    os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    return pytest.importorskip("pybamm")


def shipped(name: str, cell: str = "nmc811_graphite_operando"):
    site = Config.from_file(DEFAULT_CONFIG).site
    protocol = Protocol.from_file(EXAMPLES / "protocols" / f"{name}.json")
    return bind(protocol, Cell.from_file(EXAMPLES / "cells" / f"{cell}.toml"), site)


def test_a_step_is_said_in_words_with_the_direction():
    program = bind_all(
        charge(until_voltage_V=4.1, until_time_s=3600),
        {"step": "constant_voltage", "voltage_V": 4.1, "until_rate_C": 0.05, "until_time_s": 600},
        {"step": "marker", "marker": "here"},
        {"step": "constant_current", "current_mA": -2.0, "until_capacity_mAh": 1.0},
        {"step": "open_circuit_voltage", "until_time_s": 60},
        {"step": "loop", "loop_to": 5, "cycle_count": 2},
    )
    assert to_pybamm(program) == [
        "Charge at 0.001 A for 3600 seconds or until 4.1 V (10 second period)",
        "Hold at 4.1 V for 600 seconds or until 0.0005 A (10 second period)",
        "Discharge at 0.002 A for 1800 seconds (10 second period)",
        "Rest for 60 seconds (10 second period)",
        "Rest for 60 seconds (10 second period)",
    ]
    assert to_pybamm(program, nominal_capacity_ah=5.0)[0].startswith("Charge at 0.5 A")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"step": "wait_for_release", "max_s": 60}, "nobody releases"),
        ({"step": "open_circuit_voltage", "until_time_s": 60, "until_dVdt_mV_per_h": 1}, "slope"),
        (
            {"step": "constant_voltage", "voltage_V": 4, "until_capacity_mAh": 1, "until_time_s": 9},
            "capacity",
        ),
        (
            {"step": "gitt", "current_mA": 1, "pulse_time_s": 9, "rest_time_s": 9, "pulse_count": 2}
            | {"until_voltage_V": 4.1},
            "cannot end those that follow",
        ),
        (
            {"step": "voltage_scan", "start_voltage_V": 3, "end_voltage_V": 4, "scan_rate_mV_per_s": 1},
            "voltage scan",
        ),
        (
            {"step": "impedance_spectroscopy", "amplitude_V": 0.01}
            | {"start_frequency_Hz": 10, "end_frequency_Hz": 1},
            "no spectra",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(step, words):
    program = bind_all(charge(until_time_s=60), step, site={"capabilities": list(Capability)})
    with pytest.raises(ProtocolError, match=words) as caught:
        to_pybamm(program)
    assert {problem.where for problem in caught.value.problems} == {"method[1]"}


def test_more_steps_than_anybody_waits_for_are_refused():
    program = bind_all(
        {"step": "open_circuit_voltage", "until_time_s": 60}, {"step": "loop", "cycle_count": 100_000}
    )
    with pytest.raises(ProtocolError, match="100000 steps"):
        to_pybamm(program)


@pytest.mark.parametrize(
    ("name", "cell", "count"),
    [
        ("formation_c10", "nmc811_graphite_operando", 5),
        ("graphite_lithiation_c20", "graphite_lithium_operando", 3),
    ],
)
def test_a_shipped_protocol_is_an_experiment_of_pybamm(pybamm, name, cell, count):
    experiment = pybamm.Experiment(to_pybamm(shipped(name, cell), nominal_capacity_ah=5.0))
    assert len(experiment.steps) == count


def test_a_shipped_protocol_with_spectra_says_which_step_is_in_the_way():
    with pytest.raises(ProtocolError, match="no spectra") as caught:
        to_pybamm(shipped("impedance_on_charge"))
    assert [problem.where for problem in caught.value.problems] == ["method[3]"]


@few
@given(methods())
def test_any_method_is_converted_or_refused(method):
    program = None
    with contextlib.suppress(FeasibilityError):
        program = bind_all(*method, site={"capabilities": list(Capability)})
    assume(program is not None)
    found = []
    with contextlib.suppress(ProtocolError):
        found = to_pybamm(program)
    assert len(found) <= program.segment_count
    assert not any("-" in text or "e+" in text for text in found)


def test_pybamm_understands_the_direction(pybamm):
    strings = to_pybamm(bind_all(charge(until_time_s=600), charge(rate_C=-0.1, until_time_s=300)))
    up, down = (pybamm.step.string(text) for text in strings)
    assert (up.value, down.value) == pytest.approx((-0.001, 0.001))
    assert up.duration == pytest.approx(600)

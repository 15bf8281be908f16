import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from intercalate.cell import Cell
from intercalate.contract import Capability, EndReason
from intercalate.protocol import (
    BoundProgram,
    CutOff,
    FeasibilityError,
    Protocol,
    Quantity,
    Sample,
    SiteLimits,
    bind,
)

from .samples import make_cell, make_site

EXAMPLES = files("intercalate") / "examples"
NO_CAPACITY = {"one_c_current_mA": None, "one_c_basis": None}
NO_WINDOW = {"min_voltage_V": None, "max_voltage_V": None}


def protocol_of(*method: dict[str, Any], **parts: Any) -> Protocol:
    return Protocol.from_dict({"record": {"time_s": 10}, "method": list(method)} | parts)


def bind_all(
    *method: dict[str, Any],
    cell: dict[str, Any] | None = None,
    site: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **parts: Any,
) -> BoundProgram:
    return bind(
        protocol_of(*method, **parts), make_cell(**(cell or {})), make_site(**(site or {})), **(options or {})
    )


def refused(*method: dict[str, Any], **rest: Any) -> dict[str, str]:
    with pytest.raises(FeasibilityError) as caught:
        bind_all(*method, **rest)
    return {problem.where: str(problem) for problem in caught.value.problems}


def charge(**fields: Any) -> dict[str, Any]:
    return {"step": "constant_current", "rate_C": 0.1} | fields


def discharge(**fields: Any) -> dict[str, Any]:
    return {"step": "constant_current", "rate_C": -0.1} | fields


@pytest.mark.realdata
def test_a_protocol_beyond_its_own_safety_is_refused_with_both_figures(real_data: Path):
    path = real_data / "protocol" / "aurora_unicycler_protocol.json"
    protocol = Protocol.from_file(path)
    cell, site = make_cell(**NO_CAPACITY, **NO_WINDOW), make_site()
    with pytest.raises(FeasibilityError) as caught:
        bind(protocol, cell, site)
    assert [problem.where for problem in caught.value.problems] == ["method[0].rate_C", "method[2].rate_C"]
    assert "0.1 C of 123 mAh is 12.3 mA, beyond the limit of 10 mA" in str(caught.value)
    smaller = protocol.model_copy(update={"sample": Sample(capacity_mAh=80)})
    program = bind(smaller, cell, site)
    assert program.segment_count == 300
    assert program.worst_case_s == pytest.approx(100 * 36 * 3600)


@pytest.mark.parametrize(
    ("cell", "protocol", "hours"),
    [
        ("nmc811_graphite_operando", "formation_c10", 31.17),
        ("graphite_lithium_operando", "graphite_lithiation_c20", 30.7),
        ("nmc811_graphite_operando", "impedance_on_charge", 16.7),
    ],
)
def test_example_protocols_suit_example_cells(cell, protocol, hours):
    program = bind(
        Protocol.from_file(Path(str(EXAMPLES / "protocols" / f"{protocol}.json"))),
        Cell.from_file(Path(str(EXAMPLES / "cells" / f"{cell}.toml"))),
        make_site(max_current_mA=20.0, capabilities=list(Capability)),
    )
    assert program.worst_case_s / 3600 == pytest.approx(hours, abs=0.1)


def test_limits_are_the_intersection_and_a_protocol_cannot_widen_them():
    program = bind_all(
        charge(until_time_s=10),
        safety={
            "max_voltage_V": 5.5,
            "min_voltage_V": 2.0,
            "max_current_mA": 30,
            "min_current_mA": -500,
            "delay_s": 60,
        },
        site={"max_capacity_mAh": 15.0},
    )
    limits = program.limits
    assert (limits.min_voltage_v, limits.max_voltage_v) == (2.0, 5.0)
    assert (limits.min_current_a, limits.max_current_a) == (-0.1, 0.03)
    assert (limits.max_capacity_ah, limits.delay_s) == (0.015, 5.0)
    assert (limits.lowest_setpoint_v, limits.highest_setpoint_v) == (2.5, 4.2)


@pytest.mark.parametrize(
    ("step", "where"),
    [
        (charge(until_voltage_V=4.3, until_time_s=10), "method[0].until_voltage_V"),
        (discharge(until_voltage_V=2.4, until_time_s=10), "method[0].until_voltage_V"),
        (charge(until_voltage_V=2.5, until_time_s=10), "method[0].until_voltage_V"),
        (discharge(until_voltage_V=4.2, until_time_s=10), "method[0].until_voltage_V"),
        (charge(rate_C=11, until_time_s=10), "method[0].rate_C"),
        (charge(current_mA=2, until_time_s=10), "method[0].rate_C"),
        (charge(rate_C=None, current_mA=-101, until_time_s=10), "method[0].current_mA"),
        (charge(until_soc=0.5), "method[0].until_soc"),
        ({"step": "constant_voltage", "voltage_V": 4.3, "until_time_s": 10}, "method[0].voltage_V"),
        ({"step": "constant_voltage", "voltage_V": 4.0, "until_capacity_mAh": 1}, "method[0].until_time_s"),
        ({"step": "constant_power", "power_mW": 300, "until_time_s": 10}, "method[0].power_mW"),
        ({"step": "cccv", "rate_C": 0.1, "voltage_V": 4.0, "until_rate_C": 0.1}, "method[0].until_rate_C"),
        ({"step": "cccv", "rate_C": -0.1, "voltage_V": 4.2, "until_rate_C": 0.05}, "method[0].voltage_V"),
        (
            {
                "step": "pitt",
                "start_voltage_V": 4.0,
                "end_voltage_V": 4.4,
                "step_mV": 100,
                "until_time_s": 10,
            },
            "method[0].end_voltage_V",
        ),
        ({"step": "wait_for_release", "max_s": 10, "hold_voltage_V": 1.0}, "method[0].hold_voltage_V"),
        (
            {
                "step": "impedance_spectroscopy",
                "amplitude_V": 0.01,
                "start_frequency_Hz": 10,
                "end_frequency_Hz": 1,
            },
            "method[0].step",
        ),
        (
            {"step": "voltage_scan", "start_voltage_V": 3, "end_voltage_V": 4, "scan_rate_mV_per_s": 1},
            "method[0].step",
        ),
    ],
)
def test_steps_that_cannot_be_done_are_refused(step, where):
    assert list(refused(step)) == [where]


def test_all_problems_come_at_once():
    found = refused(
        charge(until_voltage_V=4.9, until_time_s=10),
        discharge(rate_C=-20, until_time_s=10),
        {"step": "open_circuit_voltage", "until_time_s": 10},
        safety={"min_current_mA": 3},
        options={"initial_soc": 2.0},
    )
    assert set(found) == {
        "method[0].until_voltage_V",
        "method[1].rate_C",
        "safety.min_current_mA",
        "initial_soc",
    }


def test_the_whole_must_fit_in_the_sites_duration():
    step = charge(until_time_s=3600)
    loop = {"step": "loop", "loop_to": 1, "cycle_count": 100}
    found = refused(step, loop, site={"max_duration_s": 36000.0})
    assert "100 h in the worst case" in found["method"]
    assert "10 h" in found["method"]


def test_a_program_too_long_for_a_command_is_refused():
    pitt = {"step": "pitt", "start_voltage_V": 3.0, "end_voltage_V": 4.0, "step_mV": 1.01, "until_time_s": 1}
    assert bind_all(pitt).segment_count == 992
    assert "bytes" in refused(pitt, pitt)["method"]


@pytest.mark.parametrize(
    ("step", "hours"),
    [
        (charge(until_voltage_V=4.0), 15.0),
        (charge(until_capacity_mAh=5), 7.5),
        (charge(until_voltage_V=4.0, until_time_s=360000), 100.0),
        ({"step": "constant_voltage", "voltage_V": 4.0, "until_rate_C": 0.05}, 30.0),
        ({"step": "constant_power", "power_mW": 4.2, "until_voltage_V": 4.0}, 15.0),
        ({"step": "cccv", "rate_C": 0.5, "voltage_V": 4.0, "until_rate_C": 0.1}, 18.0),
    ],
)
def test_worst_cases_are_stated_or_derived(step, hours):
    assert bind_all(step).worst_case_s == pytest.approx(hours * 3600)


def test_without_a_capacity_rates_are_refused_and_times_are_needed():
    found = refused(
        charge(until_time_s=10), charge(rate_C=None, current_mA=1, until_voltage_V=4), cell=NO_CAPACITY
    )
    assert "needs a capacity" in found["method[0].rate_C"]
    assert "add this time" in found["method[1].until_time_s"]
    plain = bind_all(charge(rate_C=None, current_mA=1, until_time_s=10), cell=NO_CAPACITY)
    assert plain.capacity_ah is None


def test_two_capacities_that_differ_are_refused_unless_one_is_chosen():
    step, sample = charge(until_time_s=10), {"capacity_mAh": 20}
    assert "1C current is 10 mA" in refused(step, sample=sample)["sample.capacity_mAh"]
    assert bind_all(step, sample={"capacity_mAh": 10.05}).capacity_ah == pytest.approx(0.01)
    assert bind_all(step, sample=sample, options={"capacity_from": "cell"}).capacity_ah == pytest.approx(0.01)
    chosen = bind_all(step, sample=sample, options={"capacity_from": "protocol"})
    assert chosen.capacity_ah == pytest.approx(0.02)
    assert next(chosen.segments()).setpoint == pytest.approx(0.002)
    assert "capacity_from" in refused(step, options={"capacity_from": "protocol"})


@pytest.mark.parametrize("sign", [1, -1])
def test_cut_offs_follow_the_direction_of_the_current(sign):
    step = {
        "step": "constant_current",
        "current_mA": sign * 2,
        "until_voltage_V": 3.5,
        "until_capacity_mAh": 4,
        "until_soc": 0.5,
        "until_time_s": 100,
    }
    (segment,) = bind_all(step, options={"initial_soc": 0.3}).segments()
    onward = ">=" if sign > 0 else "<="
    assert segment.setpoint == sign * 0.002
    assert segment.cutoffs == (
        CutOff(Quantity.VOLTAGE_V, onward, 3.5, EndReason.VOLTAGE),
        CutOff(Quantity.CAPACITY_AH, ">=", 0.004, EndReason.CAPACITY),
        CutOff(Quantity.SOC, onward, 0.5, EndReason.STATE_OF_CHARGE),
        CutOff(Quantity.TIME_S, ">=", 100.0, EndReason.TIME),
    )


@pytest.mark.parametrize(
    ("steps", "contradicts"),
    [
        ([charge(until_voltage_V=4.0), discharge(until_voltage_V=4.1)], True),
        ([charge(until_voltage_V=4.0), discharge(until_voltage_V=4.0)], True),
        ([charge(until_voltage_V=4.0), discharge(until_voltage_V=3.9)], False),
        ([charge(until_voltage_V=4.0), charge(until_voltage_V=3.9)], True),
        ([charge(until_voltage_V=4.0), charge(rate_C=0.01, until_voltage_V=3.9)], False),
        ([charge(until_voltage_V=4.0, until_time_s=60), discharge(until_voltage_V=4.1)], False),
        ([discharge(until_voltage_V=3.0), charge(until_voltage_V=2.9)], True),
        (
            [
                charge(until_voltage_V=4.0),
                {"step": "constant_voltage", "voltage_V": 4.0, "until_time_s": 60},
                discharge(until_voltage_V=4.1),
            ],
            True,
        ),
        (
            [
                charge(until_voltage_V=4.0),
                {"step": "open_circuit_voltage", "until_time_s": 60},
                discharge(until_voltage_V=4.1),
            ],
            False,
        ),
    ],
)
def test_a_step_that_would_end_at_once_for_certain_is_refused(steps, contradicts):
    if contradicts:
        assert list(refused(*steps)) == [f"method[{len(steps) - 1}].until_voltage_V"]
    else:
        assert bind_all(*steps).segment_count == len(steps)


def test_site_limits_stay_within_the_absolute_ones():
    with pytest.raises(ValueError, match="less than or equal to 6"):
        make_site(max_voltage_V=7.0)
    with pytest.raises(ValueError, match="must be below max_voltage_V"):
        make_site(min_voltage_V=4.0, max_voltage_V=3.0)
    assert SiteLimits.model_validate(json.loads(make_site().model_dump_json())) == make_site()

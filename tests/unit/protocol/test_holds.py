"""Holds compiled into protocols."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.protocol import (
    ConstantCurrent,
    ConstantVoltage,
    Hold,
    Loop,
    Protocol,
    ProtocolError,
    WaitForRelease,
    with_holds,
)

TIMES = {"relax_time_s": 600.0, "max_s": 900.0}


def protocol(*steps: dict[str, Any]) -> Protocol:
    return Protocol.from_dict({"record": {"time_s": 10}, "method": list(steps)})


def charge(to_v: float | None = 4.2, rate: float = 0.1, **more: Any) -> dict[str, Any]:
    return {
        "step": "constant_current",
        "rate_C": rate,
        "until_voltage_V": to_v,
        "until_time_s": 36000,
        **more,
    }


REST = {"step": "open_circuit_voltage", "until_time_s": 60}
CYCLE = (charge(), REST, charge(3.0, -0.1), {"step": "loop", "loop_to": 1, "cycle_count": 2})


def hold(**fields: Any) -> Hold:
    return Hold.model_validate({**TIMES, **fields})


def ends(held: Protocol) -> list[float | None]:
    """End voltages of the charges and discharges, in their order."""
    return [step.until_voltage_V for step in held.method if isinstance(step, ConstantCurrent)]


def test_a_charge_is_interrupted_at_its_levels_and_a_discharge_the_other_way_round() -> None:
    held = with_holds(protocol(*CYCLE), hold(voltage_V=[3.8, 3.6]))
    assert ends(held) == [3.6, 3.8, 4.2, 3.8, 3.6, 3.0]
    assert sum(isinstance(step, WaitForRelease) for step in held.method) == 4
    assert [step.step for step in held.method[1:4]] == ["open_circuit_voltage", "marker", "wait_for_release"]
    (loop,) = [step for step in held.method if isinstance(step, Loop)]
    assert loop.loop_to == 1


def test_a_loop_leads_to_the_first_piece_of_its_step() -> None:
    steps = (REST, charge(), charge(3.0, -0.1), {"step": "loop", "loop_to": 3, "cycle_count": 2})
    held = with_holds(protocol(*steps), hold(voltage_V=[3.6]))
    (loop,) = [step for step in held.method if isinstance(step, Loop)]
    first = held.method[loop.loop_to - 1]  # type: ignore[operator]
    assert isinstance(first, ConstantCurrent)
    assert (first.rate_C, first.until_voltage_V) == (-0.1, 3.6)


def test_a_level_that_the_step_before_has_passed_holds_nobody() -> None:
    held = with_holds(protocol(charge(3.7), charge(4.2)), hold(voltage_V=[3.6, 4.0]))
    assert ends(held) == [3.6, 3.7, 4.0, 4.2]


def test_a_voltage_is_held_where_it_was_reached() -> None:
    held = with_holds(protocol(charge()), hold(voltage_V=[3.9], control="voltage", after_step=[1]))
    holds = [(s.voltage_V, s.until_time_s) for s in held.method if isinstance(s, ConstantVoltage)]
    assert holds == [(3.9, 600.0), (4.2, 600.0)]
    assert [s.hold_voltage_V for s in held.method if isinstance(s, WaitForRelease)] == [3.9, 4.2]


def test_a_cccv_goes_on_with_its_hold_after_the_points() -> None:
    cccv = {"step": "cccv", "rate_C": 0.2, "voltage_V": 4.2, "until_rate_C": 0.02, "until_time_s": 7200}
    held = with_holds(protocol(cccv), hold(voltage_V=[4.0]))
    assert [step.step for step in held.method] == [
        "constant_current",
        "open_circuit_voltage",
        "marker",
        "wait_for_release",
        "cccv",
    ]


def test_states_of_charge_are_levels_too() -> None:
    held = with_holds(protocol(charge(until_soc=0.8)), hold(soc=[0.6, 0.2]))
    assert [s.until_soc for s in held.method if isinstance(s, ConstantCurrent)] == [0.2, 0.6, 0.8]


@pytest.mark.parametrize(
    ("steps", "fields", "words"),
    [
        (CYCLE, {"voltage_V": [4.9]}, "voltage_V = 4.9: no step of the protocol passes it"),
        (CYCLE, {}, "a point at which the cell is held is needed"),
        (CYCLE, {"voltage_V": [3.6], "soc": [0.5]}, "nobody knows which is passed first"),
        (CYCLE, {"soc": [0.5], "control": "voltage"}, "no voltage is known there"),
        (CYCLE, {"after_step": [4]}, "is no step that takes time; the protocol has 4 steps"),
        (CYCLE, {"after_step": [9]}, "after_step = 9"),
        (CYCLE, {"after_step": [2], "control": "voltage"}, "does not end at a voltage"),
        ((charge(until_capacity_mAh=1.0),), {"voltage_V": [3.6]}, "would count anew after each hold"),
        (CYCLE, {"voltage_V": [3.6], "max_s": 0}, "max_s"),
        (CYCLE, {"voltage_V": [3.6], "control": "voltage", "relax_until_dVdt_mV_per_h": 1}, "has no slope"),
    ],
)
def test_a_hold_that_cannot_be_is_refused(steps: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        with_holds(protocol(*steps), hold(**fields))


@settings(max_examples=100, deadline=None)
@given(
    levels=st.lists(st.floats(3.1, 4.1).map(lambda v: round(v, 3)), min_size=1, max_size=6, unique=True),
    repeated=st.integers(1, 3),
)
def test_every_level_is_held_once_per_way_and_the_rest_stays_as_it_was(levels: Any, repeated: int) -> None:
    steps = (*CYCLE[:3], {"step": "loop", "loop_to": 1, "cycle_count": repeated})
    plain, held = protocol(*steps), with_holds(protocol(*steps), hold(voltage_V=levels))
    assert ends(held) == [*sorted(levels), 4.2, *sorted(levels, reverse=True), 3.0]
    assert held.record == plain.record
    assert next(s for s in held.method if isinstance(s, Loop)).cycle_count == repeated
    assert Protocol.from_json(held.to_json()) == held


def test_a_refused_hold_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        with_holds(protocol(*CYCLE), hold(voltage_V=[4.9]))

import math
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.contract import ControlMode, EndReason, StepType
from intercalate.protocol import (
    BoundProgram,
    CutOff,
    ProgramCursor,
    ProgramPosition,
    Protocol,
    ProtocolError,
    Quantity,
    Segment,
    SegmentProgress,
    bind,
)

from .samples import contents, few, make_cell, make_site

REST = {"step": "open_circuit_voltage", "until_time_s": 60}


def program_of(*method: dict[str, Any], **site: Any) -> BoundProgram:
    protocol = Protocol.from_dict({"record": {"time_s": 10}, "method": list(method)})
    return bind(protocol, make_cell(), make_site(**site))


def bound(content: dict[str, Any]) -> BoundProgram:
    """Bound without the check of contradictions, by a cell and a site that allow all."""
    protocol = Protocol.from_dict(content)
    wide = make_site(max_current_mA=20000.0)
    return bind(protocol, make_cell(min_voltage_V=2.5), wide)


def naive(method: list[dict[str, Any]]) -> list[int]:
    """Step numbers in the order they are done: a plain interpreter of the method."""
    done: list[int] = []
    tags = {step["tag"]: index for index, step in enumerate(method) if step["step"] == "tag"}

    def run(first: int, end: int) -> None:
        index = first
        while index < end:
            loops = [
                (at, step)
                for at, step in enumerate(method[:end])
                if step["step"] == "loop" and target(step) == index and at > index
            ]
            if loops and (at_step := max(loops, key=lambda one: one[0])) and at_step[0] not in running:
                running.add(at_step[0])
                for _ in range(at_step[1]["cycle_count"]):
                    run(index, at_step[0])
                running.discard(at_step[0])
                index = at_step[0] + 1
            else:
                if method[index]["step"] not in ("tag", "loop"):
                    done.append(index + 1)
                index += 1

    def target(step: dict[str, Any]) -> int:
        return tags[step["loop_to"]] if isinstance(step["loop_to"], str) else step["loop_to"] - 1

    running: set[int] = set()
    run(0, len(method))
    return done


feasible = contents().map(lambda content: content | {"sample": {}})


def try_bound(content: dict[str, Any]) -> BoundProgram | None:
    """The program, or None where random steps contradict each other."""
    try:
        return bound(content)
    except ProtocolError:
        return None


@few
@given(feasible)
def test_lazy_expansion_agrees_with_a_plain_interpreter(content):
    program = try_bound(content)
    if program is None:
        return
    steps = []
    segments = list(program.segments())
    counts = {}
    for block in program.blocks:
        if block.kind == "run":
            counts[block.part(0).step_id] = block.count
    position = 0
    while position < len(segments):
        steps.append(segments[position].step_id)
        position += counts[steps[-1]]
    assert steps == naive(content["method"])
    assert program.segment_count == len(segments)


@few
@given(feasible)
def test_program_round_trips_through_json(content):
    program = try_bound(content)
    if program is None:
        return
    again = BoundProgram.from_json(program.to_json())
    assert again == program
    assert again.sha256 == program.sha256
    assert list(islice(again.segments(), 50)) == list(islice(program.segments(), 50))


@few
@given(feasible, st.lists(st.sampled_from(list(EndReason)), min_size=1, max_size=20))
def test_no_path_outlasts_the_worst_case(content, reasons):
    program = try_bound(content)
    if program is None:
        return
    cursor, spent_s, reason, step = ProgramCursor(program), 0.0, EndReason.NONE, 0
    while (segment := cursor.next(reason)) is not None:
        spent_s += segment.worst_case_s
        reason = reasons[step % len(reasons)]
        step += 1
    assert spent_s <= program.worst_case_s * (1 + 1e-9)
    assert cursor.finished
    assert cursor.next() is None


@few
@given(feasible, st.integers(0, 40))
def test_a_cursor_restored_from_json_goes_on_identically(content, steps):
    program = try_bound(content)
    if program is None:
        return
    cursor = ProgramCursor(program)
    for _ in range(steps):
        cursor.next()
    stored = ProgramPosition.model_validate_json(cursor.position.model_dump_json())
    again = ProgramCursor(program, stored)
    assert again.current == cursor.current
    assert list(iter(again.next, None)) == list(iter(cursor.next, None))


def test_a_position_of_another_program_is_refused():
    program = program_of(REST)
    for position in (ProgramPosition(block=3, segments=1), ProgramPosition(passes=((0, 1),))):
        with pytest.raises(ValueError, match="another"):
            ProgramCursor(program, position)


def test_a_million_cycles_cost_nothing_until_they_are_consumed():
    program = program_of(REST, REST, {"step": "loop", "loop_to": 1, "cycle_count": 1_000_000})
    assert program.segment_count == 2_000_000
    assert program.worst_case_s == 120e6
    assert len(program.to_json()) < 2000
    assert [one.cycle for one in islice(program.segments(), 5)] == [1, 1, 2, 2, 3]
    assert next(program.segments(1001)) == Segment(**{**_fields(program.blocks[1].parts[0]), "cycle": 501})


def _fields(segment: Segment) -> dict[str, Any]:
    return {name: getattr(segment, name) for name in Segment.__dataclass_fields__}


def test_cycles_count_passes_of_the_outermost_loops():
    inner = {"step": "loop", "loop_to": 2, "cycle_count": 2}
    outer = {"step": "loop", "loop_to": 1, "cycle_count": 2}
    program = program_of(REST, REST, inner, outer, REST)
    assert [(one.step_id, one.cycle) for one in program.segments()] == [
        (1, 1),
        (2, 1),
        (2, 1),
        (1, 2),
        (2, 2),
        (2, 2),
        (5, 3),
    ]


def test_cccv_holds_only_a_voltage_it_reached():
    program = program_of({"step": "cccv", "rate_C": 0.5, "voltage_V": 4.1, "until_rate_C": 0.05}, REST)
    cursor = ProgramCursor(program)
    drive = cursor.next()
    assert (drive.mode, drive.setpoint) == (ControlMode.CURRENT, pytest.approx(0.005))
    hold = cursor.next(EndReason.VOLTAGE)
    assert (hold.step_id, hold.mode, hold.setpoint) == (1, ControlMode.VOLTAGE, 4.1)
    assert hold.cutoffs[0] == CutOff(Quantity.CURRENT_A, "<=", pytest.approx(0.0005), EndReason.CURRENT)
    assert cursor.next(EndReason.CURRENT).step_id == 2
    cursor = ProgramCursor(program)
    cursor.next()
    assert cursor.next(EndReason.TIME).step_id == 2


def test_a_gitt_pulse_that_reaches_the_voltage_ends_the_titration():
    gitt = {
        "step": "gitt",
        "rate_C": -0.1,
        "pulse_time_s": 600,
        "rest_time_s": 3600,
        "pulse_count": 100,
        "until_voltage_V": 3.0,
        "rest_until_dVdt_mV_per_h": 3.6,
    }
    program = program_of(gitt, REST)
    assert program.segment_count == 201
    cursor = ProgramCursor(program)
    pulse = cursor.next()
    rest = cursor.next(EndReason.TIME)
    assert (pulse.step_type, rest.step_type) == (StepType.CONSTANT_CURRENT, StepType.REST)
    assert rest.cutoffs[0] == CutOff(Quantity.VOLTAGE_SLOPE_V_PER_S, "<=", 1e-6, EndReason.VOLTAGE_SLOPE)
    assert cursor.next(EndReason.VOLTAGE_SLOPE) == pulse
    assert cursor.next(EndReason.VOLTAGE).step_id == 2


@pytest.mark.parametrize(
    ("capacity_mAh", "count", "last_s"), [(1.0, 6, None), (1.1, 7, 360.0), (0.1, 1, 360.0)]
)
def test_gitt_passes_exactly_its_capacity(capacity_mAh, count, last_s):
    gitt = {"step": "gitt", "current_mA": 1, "pulse_time_s": 600, "rest_time_s": 60}
    pulses = list(program_of(gitt | {"until_capacity_mAh": capacity_mAh}).segments())[::2]
    assert len(pulses) == count
    assert math.fsum(one.worst_case_s * one.setpoint for one in pulses) / 3.6 == pytest.approx(capacity_mAh)
    if last_s is not None:
        assert pulses[-1].worst_case_s == pytest.approx(last_s)


@pytest.mark.parametrize(
    ("start_V", "end_V", "voltages"),
    [(3.0, 3.3, [3.0, 3.1, 3.2, 3.3]), (3.3, 3.05, [3.3, 3.2, 3.1, 3.05]), (3.0, 3.0, [3.0])],
)
def test_pitt_ends_at_its_end_voltage(start_V, end_V, voltages):
    pitt = {
        "step": "pitt",
        "start_voltage_V": start_V,
        "end_voltage_V": end_V,
        "step_mV": 100,
        "until_time_s": 60,
    }
    assert [one.setpoint for one in program_of(pitt).segments()] == voltages


def test_markers_take_no_time_and_waiting_may_hold_a_voltage():
    program = program_of(
        {"step": "marker", "marker": "before"},
        {"step": "wait_for_release", "max_s": 100},
        {"step": "wait_for_release", "max_s": 50, "hold_voltage_V": 3.7},
    )
    marker, rest, hold = program.segments()
    assert (marker.step_type, marker.marker, marker.worst_case_s) == (StepType.MARKER, "before", 0.0)
    assert (rest.step_type, rest.mode) == (StepType.WAIT_FOR_RELEASE, ControlMode.REST)
    assert (hold.mode, hold.setpoint, hold.worst_case_s) == (ControlMode.VOLTAGE, 3.7, 50.0)
    assert program.worst_case_s == 150.0


figures = st.floats(-10, 10)


@given(figures, figures, st.sampled_from([">=", "<="]), st.sampled_from(list(Quantity)))
def test_cut_offs_compare_magnitudes_but_for_voltage_and_state_of_charge(
    figure, bound_value, comparison, quantity
):
    name = "elapsed_s" if quantity is Quantity.TIME_S else quantity.value
    progress = SegmentProgress(**({"elapsed_s": 0.0} | {name: figure}))
    signed = quantity in (Quantity.TIME_S, Quantity.VOLTAGE_V, Quantity.SOC)
    seen = figure if signed else abs(figure)
    expected = seen >= bound_value if comparison == ">=" else seen <= bound_value
    assert CutOff(quantity, comparison, bound_value, EndReason.TIME).met(progress) == expected


@given(figures, st.sampled_from([">=", "<="]), st.sampled_from(list(Quantity)))
def test_an_unknown_meets_no_cut_off(bound_value, comparison, quantity):
    assert not CutOff(quantity, comparison, bound_value, EndReason.TIME).met(SegmentProgress(math.nan))


def test_a_voltage_reached_together_with_the_time_is_the_reason():
    step = {"step": "constant_current", "rate_C": 0.1, "until_voltage_V": 4.0, "until_time_s": 10}
    (segment,) = program_of(step).segments()
    assert segment.ended_by(SegmentProgress(9.0, voltage_v=3.9)) is None
    assert segment.ended_by(SegmentProgress(10.0, voltage_v=3.9)).reason is EndReason.TIME
    assert segment.ended_by(SegmentProgress(10.0, voltage_v=4.0)).reason is EndReason.VOLTAGE


@pytest.mark.parametrize(
    "damage",
    [
        ('"setpoint":0.001', '"setpoint":NaN'),
        ('"to":0', '"to":7'),
        ('"passes":2', '"passes":0'),
        ('"max_voltage_v":5.0', '"max_voltage_v":-1.0'),
        ('"kind":"back"', '"kind":"jump"'),
        ('"mode":"CURRENT"', '"mode":"CURENT"'),
        ('"setpoint"', '"set_point"'),
    ],
)
def test_a_damaged_program_is_refused(damage):
    step = {"step": "constant_current", "rate_C": 0.1, "until_time_s": 10}
    text = program_of(step, {"step": "loop", "loop_to": 1, "cycle_count": 2}).to_json()
    assert damage[0] in text
    with pytest.raises(ProtocolError) as caught:
        BoundProgram.from_json(text.replace(*damage))
    assert caught.value.problems


@pytest.mark.parametrize(
    ("site", "where"),
    [
        ({"max_current_mA": 5.0}, ["limits.min_current_a", "limits.max_current_a"]),
        ({"max_voltage_V": 4.5}, ["limits.max_voltage_v"]),
        ({"max_temperature_C": 40.0}, ["limits.max_temperature_c"]),
        ({"interlock_delay_s": 1.0}, ["limits.delay_s"]),
        ({"max_duration_s": 5.0}, ["method"]),
        ({"max_capacity_mAh": 5.0}, ["limits.max_capacity_ah"]),
        ({}, []),
    ],
)
def test_a_server_finds_what_its_own_limits_forbid(site, where):
    program = program_of({"step": "constant_current", "rate_C": 0.1, "until_time_s": 10})
    assert [problem.where for problem in program.problems_at(make_site(**site))] == where


def test_a_server_finds_set_points_beyond_the_programs_own_limits():
    text = program_of({"step": "constant_current", "rate_C": 0.1, "until_time_s": 10}).to_json()
    forged = BoundProgram.from_json(text.replace('"setpoint":0.001', '"setpoint":1.0'))
    assert [problem.where for problem in forged.problems_at(make_site())] == ["method[0]"]

"""A bound program as an experiment of PyBaMM, to compare a measurement with a model.

Nothing here needs PyBaMM: what comes out are the strings that `pybamm.Experiment` takes.
"""

from collections.abc import Iterator

from intercalate.contract import ControlMode, EndReason, StepType
from intercalate.problems import Problem
from intercalate.protocol.program import BoundProgram
from intercalate.protocol.segment import CutOff, Quantity, Segment
from intercalate.protocol.steps import ProtocolError

MOST_STEPS = 10_000
"""More than that, PyBaMM would take longer than anybody waits."""

_WITHOUT_COUNTERPART = {
    StepType.WAIT_FOR_RELEASE: "nobody releases a simulation",
    StepType.VOLTAGE_SCAN: "no string of PyBaMM says a voltage scan",
    StepType.IMPEDANCE_SPECTROSCOPY: "an experiment of PyBaMM has no spectra",
}


def to_pybamm(program: BoundProgram, *, nominal_capacity_ah: float | None = None) -> list[str]:
    """Say a program as PyBaMM does, step by step, loops unrolled.

    Markers, which do nothing to the cell, are left out. A cut-off on capacity of a constant current
    becomes a time. PyBaMM says directions in words, so that no sign of a current passes.

    Parameters
    ----------
    program
        As `bind` made it.
    nominal_capacity_ah
        Of PyBaMM's parameter set, to the size of whose cell currents and powers are scaled; None where
        it describes the very cell.

    Returns
    -------
    list of str
        For `pybamm.Experiment`.

    Raises
    ------
    ProtocolError
        If a step, or the way it ends, has no counterpart; lists every one of them.
    """
    problems: list[Problem] = []
    scale = _scale(program, nominal_capacity_ah, problems)
    if program.segment_count > MOST_STEPS:
        limit = f"at most {MOST_STEPS} steps can be converted"
        problems.append(Problem("method", f"{program.segment_count} steps", limit, "repeat less often"))
        raise ProtocolError("PyBaMM experiment", problems)
    found: list[str] = []
    seen: set[int] = set()
    for segment in program.segments():
        if segment.step_type is StepType.MARKER:
            continue
        refused = list(_refusals(segment))
        if refused and segment.step_id not in seen:
            problems += refused
        seen.add(segment.step_id)
        if not refused:
            found.append(_say(segment, scale))
    if problems:
        raise ProtocolError("PyBaMM experiment", problems)
    return found


def _scale(program: BoundProgram, nominal_ah: float | None, problems: list[Problem]) -> float:
    if nominal_ah is None:
        return 1.0
    if program.capacity_ah is None or not nominal_ah > 0:
        limit = "both cells need a capacity for the currents to be scaled"
        problems.append(
            Problem("nominal_capacity_ah", nominal_ah, limit, "state it in the cell, or leave it out")
        )
        return 1.0
    return nominal_ah / program.capacity_ah


def _refusals(segment: Segment) -> Iterator[Problem]:
    where = f"method[{segment.step_id - 1}]"
    if segment.step_type in _WITHOUT_COUNTERPART:
        yield Problem(where, segment.step_type, _WITHOUT_COUNTERPART[segment.step_type], "leave it out")
        return
    for cut in segment.cutoffs:
        if cut.reason in segment.group_end_on:
            limit = "a step of PyBaMM cannot end those that follow it"
            yield Problem(where, f"ends by {cut.reason}", limit, "leave this cut-off out")
        elif not _has_counterpart(cut, segment.mode):
            limit = f"no step of PyBaMM that holds {segment.mode} ends by it"
            yield Problem(where, f"ends by {cut.quantity}", limit, "use a time, a voltage or a current")


def _has_counterpart(cut: CutOff, mode: ControlMode) -> bool:
    match cut.quantity:
        case Quantity.TIME_S:
            return True
        case Quantity.VOLTAGE_V:
            return mode in (ControlMode.CURRENT, ControlMode.POWER)
        case Quantity.CURRENT_A:
            return mode is ControlMode.VOLTAGE
        case Quantity.CAPACITY_AH:
            return mode is ControlMode.CURRENT
    return False


def _say(segment: Segment, scale: float) -> str:
    ends = [_until(cut, scale) for cut in segment.cutoffs if cut.quantity in _UNTIL]
    text = " or ".join([f"{_verb(segment, scale)} for {_figure(_duration_s(segment))} seconds", *ends])
    assert segment.record is not None
    return f"{text} ({_figure(segment.record.time_s)} second period)"


def _verb(segment: Segment, scale: float) -> str:
    """What is done: the one place where a sign becomes a direction of PyBaMM."""
    if segment.mode is ControlMode.REST:
        return "Rest"
    if segment.mode is ControlMode.VOLTAGE:
        return f"Hold at {_figure(segment.setpoint)} V"
    unit = "A" if segment.mode is ControlMode.CURRENT else "W"
    direction = "Charge" if segment.setpoint > 0 else "Discharge"
    return f"{direction} at {_figure(abs(segment.setpoint) * scale)} {unit}"


_UNTIL = (Quantity.VOLTAGE_V, Quantity.CURRENT_A)


def _until(cut: CutOff, scale: float) -> str:
    if cut.quantity is Quantity.VOLTAGE_V:
        return f"until {_figure(cut.value)} V"
    return f"until {_figure(cut.value * scale)} A"


def _duration_s(segment: Segment) -> float:
    """Longest time of a step; a charge to pass is one at constant current."""
    longest_s = segment.worst_case_s
    for cut in segment.cutoffs:
        if cut.reason is EndReason.CAPACITY:
            longest_s = min(longest_s, cut.value * 3600 / abs(segment.setpoint))
    return longest_s


def _figure(value: float) -> str:
    """A number without an exponent, which PyBaMM's strings do not know."""
    text = f"{value:.12f}".rstrip("0")
    return text.rstrip(".") if "." in text else text

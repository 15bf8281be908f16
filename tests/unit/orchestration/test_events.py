"""Events of a plan that is interrupted in their middle, with a real RunEngine."""

from collections.abc import Callable
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky import RunEngine
from bluesky.utils import MsgGenerator, RequestAbort
from ophyd import Signal

from benchmarks.faults.evidence import Documents
from intercalate.orchestration.events import note_values, whole_event

pytestmark = pytest.mark.timeout(20)

EVENTS: dict[str, Callable[[Any], MsgGenerator[Any]]] = {
    "read": lambda signal: whole_event("notes", [signal]),
    "noted": lambda signal: note_values("notes", [signal], [1.0]),
}


def interrupted(plan: MsgGenerator[Any], command: str, *, is_carried_out: bool) -> MsgGenerator[None]:
    """A plan that is aborted at its message of this command, before or after the engine has dealt with it."""
    msg = next(plan)
    while msg.command != command:
        msg = plan.send((yield msg))
    if is_carried_out:
        yield msg
    msg = plan.throw(RequestAbort())
    while True:
        try:
            answer = yield msg
        except Exception as error:  # noqa: BLE001 - it is the plan's to deal with
            msg = plan.throw(error)
        else:
            msg = plan.send(answer)


@pytest.mark.parametrize("event", EVENTS.values(), ids=list(EVENTS))
@pytest.mark.parametrize("is_carried_out", [False, True])
@pytest.mark.parametrize("command", ["create", "read", "save"])
def test_nothing_is_left_begun_for_the_next_event(
    event: Callable[[Any], MsgGenerator[Any]], command: str, is_carried_out: bool
) -> None:
    signal = Signal(name="noted_value", value=0.0)
    documents = Documents()

    def plan() -> MsgGenerator[None]:
        yield from bps.open_run()
        with pytest.raises(RequestAbort):
            yield from interrupted(event(signal), command, is_carried_out=is_carried_out)
        yield from event(signal)
        yield from bps.close_run()

    engine = RunEngine({})
    engine.subscribe(documents)
    engine(plan())
    was_saved = command == "save" and is_carried_out
    assert len(documents.events("notes")) == 1 + was_saved


def test_readings_are_those_of_the_event() -> None:
    found: list[dict[str, Any]] = []
    one, two = Signal(name="one", value=1.0), Signal(name="two", value=2.0)
    documents = Documents()

    def plan() -> MsgGenerator[None]:
        yield from bps.open_run()
        found.append((yield from whole_event("notes", [one, two])))
        yield from bps.close_run()

    engine = RunEngine({})
    engine.subscribe(documents)
    engine(plan())
    (event,) = documents.events("notes")
    assert event["data"] == {key: reading["value"] for key, reading in found[0].items()}
    assert event["data"] == {"one": 1.0, "two": 2.0}


def test_a_plan_that_is_only_looked_through_has_no_readings() -> None:
    plan = whole_event("notes", [Signal(name="one", value=1.0)])
    commands = [msg.command for msg in plan]
    assert commands == ["create", "read", "save"]

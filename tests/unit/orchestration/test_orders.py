"""An order of the queue is executed once: the id of its program is made of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from intercalate.orchestration.taking_up import TakeUpError, program_id_for


def asked(order: str | None, channel: str = "CH1", **info: Any) -> str:
    """Id for a program on a channel whose server says this of its last."""
    cycler: Any = SimpleNamespace(channel=channel, program_info=lambda: info)
    try:
        next(program_id_for(cycler, SimpleNamespace(sha256=""), False, order))  # type: ignore[arg-type]
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def test_an_order_has_one_id_on_each_channel() -> None:
    assert asked("a") == asked("a") != asked("b")
    assert asked("a") != asked("a", channel="CH2")
    assert asked(None) != asked(None)


@pytest.mark.parametrize("status", ["running", "complete", "interrupted", "acknowledged"])
def test_what_was_started_is_not_started_again(status: str) -> None:
    known = asked("a")
    with pytest.raises(TakeUpError, match=f"its program is {status} .no beam. and is not repeated"):
        asked("a", program_id=known, status=status, why="no beam")
    assert asked("b", program_id=known, status=status, why="")


@pytest.mark.parametrize("status", ["loaded", "unloaded"])
def test_what_was_never_started_may_be(status: str) -> None:
    known = asked("a")
    assert asked("a", program_id=known, status=status, why="") == known

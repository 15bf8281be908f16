"""Ctrl-C twice in the command: a plan that is paused for good is ended in good order."""

from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import pytest
from bluesky import RunEngine

from intercalate.execute import run_to_its_end
from intercalate.session import SessionError


class Session:
    def __init__(self) -> None:
        self.RE = RunEngine({})


def test_a_plan_that_is_paused_by_hand_is_aborted() -> None:
    session: Any = Session()
    cleaned: list[str] = []

    def clean_up():
        cleaned.append("cleaned up")
        yield from bps.null()

    with pytest.raises(SessionError, match="ended by hand"):
        run_to_its_end(session, bpp.finalize_wrapper(bps.pause(), clean_up()))
    assert cleaned == ["cleaned up"]
    assert session.RE.state == "idle"


def test_a_plan_that_ends_by_itself_is_left_alone() -> None:
    session: Any = Session()
    run_to_its_end(session, bps.null())
    assert session.RE.state == "idle"

"""A session that is opened while a server comes or goes, and one that is closed."""

from typing import Any

import pytest
from epics.ca import ChannelAccessGetFailure

from intercalate.session import Session, SessionError, _made


class Lost:
    """Cannot be made so often."""

    def __init__(self, times: int):
        self.left = times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise ChannelAccessGetFailure("Get failed; unknown type: 13", 0, 13)
        return "made"


def test_a_device_whose_server_was_lost_in_mid_answer_is_made_once_more() -> None:
    assert _made({"one": Lost(0), "other": Lost(1)}) == {"one": "made", "other": "made"}


def test_a_server_that_is_lost_again_is_named() -> None:
    with pytest.raises(SessionError, match=r"stations: a server goes away .* unknown type: 13"):
        _made({"stations": Lost(2)})


def test_a_mistake_of_our_own_is_no_lost_server() -> None:
    def wrong() -> str:
        raise KeyError("no such section")

    with pytest.raises(KeyError, match="no such section"):
        _made({"one": wrong})


class Part:
    """Something of a session, which notes what is done to it."""

    def __init__(self, name: str, *, is_busy: bool = False):
        self.name = name
        self.is_busy = is_busy
        self.done: list[str] = []

    def close(self) -> None:
        self.done.append("close")

    def drop_lease(self) -> None:
        self.done.append("drop lease")


def test_a_channel_whose_program_runs_keeps_its_lease() -> None:
    busy, idle = Part("cycler", is_busy=True), Part("cycler2")
    journal, logbook, archive = Part("journal"), Part("logbook"), Part("archive")
    none: Any = None
    cyclers: Any = {"CH1": busy, "CH2": idle}
    parts: Any = (journal, cyclers, {}, logbook, archive)
    Session(none, none, *parts).close()
    assert busy.done == []
    assert idle.done == ["drop lease"]
    assert journal.done == ["close"]

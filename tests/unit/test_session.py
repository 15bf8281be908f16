"""A session that is opened while a server comes or goes."""

import pytest
from epics.ca import ChannelAccessGetFailure

from intercalate.session import SessionError, _made


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

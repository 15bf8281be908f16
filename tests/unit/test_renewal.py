"""A lease is renewed until its client lets go, over errors of a server that is away."""

import threading

import pytest

from intercalate.devices.renewal import Renewal

LEASE_S = 0.08


class Server:
    """Counts what is said to it, and is away for some of it."""

    def __init__(self, away: range = range(0), error: type[Exception] = RuntimeError):
        self.said = 0
        self.away, self.error = away, error
        self.heard = threading.Event()

    def hear(self) -> None:
        self.said += 1
        if self.said in self.away:
            raise self.error("away")
        if self.said > self.away.stop:
            self.heard.set()


@pytest.mark.parametrize("error", [RuntimeError, TimeoutError, ZeroDivisionError])
def test_it_goes_on_over_errors(error: type[Exception]) -> None:
    server = Server(range(1, 4), error)
    renewal = Renewal("test", server.hear, LEASE_S)
    renewal.start()
    assert server.heard.wait(10.0)
    renewal.stop()


def test_it_is_said_by_one_thread_until_it_is_stopped_and_again_when_started_again() -> None:
    server = Server()
    renewal = Renewal("only one", server.hear, LEASE_S)
    for _ in range(2):
        renewal.start()
        renewal.start()
        names = [one.name for one in threading.enumerate()]
        assert names.count("only one") == 1
        assert server.heard.wait(10.0)
        (thread,) = [one for one in threading.enumerate() if one.name == "only one"]
        renewal.stop()
        thread.join(10.0)
        assert not thread.is_alive()
        server.heard.clear()

"""What the manager says to whoever listens, and what is seen of the runs meanwhile. Needs no key."""

import json
import time
from collections.abc import Iterator

from intercalate.config import Config
from intercalate.queue.client import QueueError
from intercalate.watching import Follower, status_line

CONSOLE, INFO = "QS_Console", "QS_Info"
"""Topics of the RE Manager."""
SILENCE_S = 10.0
"""A manager says its state every second."""
STATUS_S = 10.0
"""Wall seconds between two lines on how things stand, where nothing else was said of the runs."""


def lines(config: Config, *, until_idle: bool = False) -> Iterator[str]:
    """State of the queue whenever it changes, all that is printed, and frames as they come, line by line.

    Raises
    ------
    QueueError
        If the manager says nothing.
    """
    import zmq

    address = f"tcp://127.0.0.1:{config.queue.info_port}"
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    try:
        socket.connect(address)
        for topic in (CONSOLE, INFO):
            socket.setsockopt_string(zmq.SUBSCRIBE, topic)
        said, rest, heard = "", "", time.monotonic()
        runs = _Runs(config)
        while True:
            if not socket.poll(200):
                yield from runs.lines()
                if time.monotonic() - heard > SILENCE_S:
                    raise QueueError(
                        f"no RE Manager says anything at {address}; `intercalate queue up` starts one"
                    )
                continue
            heard = time.monotonic()
            topic, payload = socket.recv_multipart()
            message = json.loads(payload)
            if topic.decode() == CONSOLE:
                *whole, rest = (rest + message["msg"]).split("\n")
                yield from whole
                continue
            yield from runs.lines()
            status = message["msg"].get("status")
            if status is None:
                continue
            if (now := _state(status)) != said:
                yield now
                said = now
            if until_idle and status["manager_state"] == "idle":
                return
    finally:
        socket.close(linger=0)
        context.term()


class _Runs:
    """What is seen of runs, by their journals."""

    def __init__(self, config: Config):
        self._follower = Follower(config.journals_folder, config.site)
        self._said = time.monotonic()

    def lines(self) -> list[str]:
        """Frames that are new, and now and then how things stand."""
        found = self._follower.poll()
        is_silent = time.monotonic() - self._said > STATUS_S
        if not found and is_silent and self._follower.runs:
            found = [status_line(self._follower.runs)]
        if found:
            self._said = time.monotonic()
        return found


def _state(status: dict) -> str:
    environment = "open" if status["worker_environment_exists"] else "closed"
    running = f", item {status['running_item_uid'][:8]}" if status["running_item_uid"] else ""
    return (
        f"[{status['manager_state']}{running}; environment {environment}; "
        f"{status['items_in_queue']} waiting, {status['items_in_history']} done]"
    )

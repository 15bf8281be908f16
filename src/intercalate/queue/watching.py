"""What the manager says to whoever listens: its state, and what plans print. Needs no key."""

import json
import time
from collections.abc import Iterator

from intercalate.config import Config
from intercalate.queue.client import QueueError

CONSOLE, INFO = "QS_Console", "QS_Info"
"""Topics of the RE Manager."""
SILENCE_S = 10.0
"""A manager says its state every second."""


def lines(config: Config, *, until_idle: bool = False) -> Iterator[str]:
    """State of the queue whenever it changes, and all that is printed, line by line.

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
        while True:
            if not socket.poll(200):
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


def _state(status: dict) -> str:
    environment = "open" if status["worker_environment_exists"] else "closed"
    running = f", item {status['running_item_uid'][:8]}" if status["running_item_uid"] else ""
    return (
        f"[{status['manager_state']}{running}; environment {environment}; "
        f"{status['items_in_queue']} waiting, {status['items_in_history']} done]"
    )

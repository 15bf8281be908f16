"""Waiting for a condition, with a deadline."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = threading.Event()


def wait_for(condition: Callable[[], T], deadline_s: float, what: str, *, every_s: float = 0.02) -> T:
    """First true value of `condition`; an AssertionError that says `what` after `deadline_s`."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        _PAUSE.wait(every_s)
    return value

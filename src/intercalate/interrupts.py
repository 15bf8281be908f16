"""Ctrl-C is heard, whichever thread the system hands it to; a request to end unwinds what was begun."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bluesky.utils import DefaultDuringTask

LOOK_S = 0.05
"""Wall seconds after which the main thread looks for signals, at the latest."""


REQUESTS_TO_END = (signal.SIGTERM, signal.SIGHUP)
"""From a system that shuts down or a job that is cancelled; from a terminal that is closed."""


@contextmanager
def unwound_by_requests_to_end() -> Iterator[None]:
    """Leave by an exception where the process is asked to end, so that what it has started is stopped.

    Nothing changes in a thread that is not the main one: it is never asked.
    """

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in REQUESTS_TO_END}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class HearsSignals(DefaultDuringTask):
    """Waits for the end of a plan in steps.

    The system may deliver a signal to any thread of the process. Python handles it in the main thread, as
    soon as that does anything; one that waits without end for the plan does nothing before it is over.
    """

    def block(self, blocking_event: threading.Event) -> None:
        """Wait; with Qt, its event loop runs meanwhile."""
        if _runs_qt():
            super().block(blocking_event)
            return
        while not blocking_event.wait(LOOK_S):
            pass


def _runs_qt() -> bool:
    if "matplotlib" not in sys.modules:
        return False
    import matplotlib

    return "qt" in matplotlib.get_backend().lower()

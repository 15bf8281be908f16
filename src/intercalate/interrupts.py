"""Ctrl-C is heard, whichever thread the system hands it to."""

import sys
import threading

from bluesky.utils import DefaultDuringTask

LOOK_S = 0.05
"""Wall seconds after which the main thread looks for signals, at the latest."""


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

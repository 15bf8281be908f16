"""Ending a status: from callbacks that may come twice, or when a question is answered with yes."""

import threading
import time
from collections.abc import Callable
from typing import Any

import epics
from ophyd import Signal
from ophyd.status import StatusBase
from ophyd.utils.errors import InvalidState

from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS

LOOK_PERIOD_S = 5.0
"""Wall seconds between two looks where no signal changes: over a reconnection a change may be missed."""

SILENCE_S = 60.0
"""Wall seconds without an answer after which a status fails."""


class NoAnswer(RuntimeError):
    """A server did not answer; it may yet."""


def end(status: StatusBase, error: Exception | None = None) -> None:
    """Finish or fail `status`; one that has ended stays as it is."""
    try:
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)
    except InvalidState:
        # Two callbacks saw the same end, from two threads.
        return


def end_in_thread(
    status: StatusBase, work: Callable[[], Any], *, go_on: Callable[[], None] | None = None
) -> None:
    """Do `work`, which may block, and finish or fail `status` with it.

    Parameters
    ----------
    go_on
        Called after `work` in place of finishing the status.
    """

    def run() -> None:
        epics.ca.use_initial_context()
        try:
            work()
        except (RuntimeError, *CHANNEL_ACCESS_ERRORS) as error:
            end(status, error)
        else:
            (go_on or (lambda: end(status)))()

    threading.Thread(target=run, name="status", daemon=True).start()


def end_when(status: StatusBase, look: Callable[[], bool], *signals: Signal) -> None:
    """Finish `status` once `look` is true; asked in a thread whenever one of `signals` changes.

    Parameters
    ----------
    look
        May block for as long as a server takes to answer. `NoAnswer`, and what a signal raises whose server
        is away or goes away, are put up with for `SILENCE_S`; a RuntimeError fails the status.
    """
    rung = threading.Event()

    def ring(**_: Any) -> None:
        rung.set()

    def work() -> None:
        epics.ca.use_initial_context()
        answered = time.monotonic()
        while not status.done:
            rung.clear()
            try:
                if look():
                    end(status)
                    break
                answered = time.monotonic()
            except (NoAnswer, *CHANNEL_ACCESS_ERRORS) as error:
                if time.monotonic() - answered > SILENCE_S:
                    end(status, error)
                    break
            except RuntimeError as error:
                end(status, error)
                break
            rung.wait(LOOK_PERIOD_S)
        for signal in signals:
            signal.clear_sub(ring)

    for signal in signals:
        signal.subscribe(ring, run=False)
    status.add_callback(lambda _: rung.set())
    threading.Thread(target=work, name="status", daemon=True).start()

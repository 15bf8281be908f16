"""A lease that lasts as long as the process of its client."""

import atexit
import logging
import threading
from collections.abc import Callable
from typing import Any

import epics

from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4


class Renewal:
    """Says again and again, in a thread, that this process lives.

    Parameters
    ----------
    name
        Of the thread.
    say
        What is done; errors of a server that is away are of no account, it is tried again.
    lease_s
        Wall seconds for which it holds once said.
    """

    def __init__(self, name: str, say: Callable[[], Any], lease_s: float):
        self._name = name
        self._say = say
        self._period_s = lease_s / RENEWALS_PER_LEASE
        self._let_go = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it is being said."""
        return self._thread is not None and not self._let_go.is_set()

    def start(self) -> None:
        """Go on saying it; nothing where that is done already."""
        if self.goes_on:
            return
        # One of its own: the thread before may still be about to end.
        self._let_go = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._let_go,), name=self._name, daemon=True)
        self._thread.start()
        # A thread that is still talking when Channel Access is taken down crashes the process.
        atexit.register(self._end)

    def stop(self) -> None:
        """Say it no more."""
        self._let_go.set()

    def _end(self) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def _run(self, let_go: threading.Event) -> None:
        epics.ca.use_initial_context()
        while not let_go.wait(self._period_s):
            try:
                self._say()
            except (RuntimeError, *CHANNEL_ACCESS_ERRORS):
                # The server is away, somebody else took over, or this process ends.
                continue
            except Exception:
                # Whatever it was: a lease that nobody renews any more would stop the cell.
                log.exception("%s: tried again in %g s", threading.current_thread().name, self._period_s)

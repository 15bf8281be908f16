"""The Channel Access library: what it raises, puts that are waited for, and that it prints to the log."""

import ctypes
import logging
import threading
from typing import Any

import epics
from ophyd import EpicsSignal
from ophyd.utils.errors import OpException

log = logging.getLogger(__name__)

CHANNEL_ACCESS_ERRORS = (
    TimeoutError,
    OpException,
    epics.ca.ChannelAccessException,
    epics.ca.ChannelAccessGetFailure,
    epics.ca.CASeverityException,
)
"""What a signal raises where its server does not answer, or goes away in the middle of an answer."""

READING_TIMEOUT_S = 2.0
"""Wall seconds within which a clock must have answered."""

ANSWER_S = 5.0
"""Wall seconds within which a signal that is asked anew must have answered."""


def _to_log(text: bytes) -> None:
    """Take one line; the library gives its format, without the values, to a handler like this."""
    log.info(text.decode(errors="replace").strip())


# The library keeps the bare address of the handler: it must live as long as the process.
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(_to_log)


def print_to_log() -> None:
    """Send the library's messages to the log from now on; call it in the thread that opens a session."""
    epics.ca.initialize_libca()
    library: Any = epics.ca.libca
    library.ca_replace_printf_handler(_HANDLER)


def put_and_wait(signal: EpicsSignal, value: Any, timeout_s: float) -> bool:
    """Put with completion; False where the server has not confirmed in time."""
    done = threading.Event()
    signal.put(value, wait=False, callback=lambda **_: done.set())
    return done.wait(timeout_s)


def read_number(signal: Any) -> float:
    """Value that a signal has now, whatever its monitor has said; blocks.

    Raises
    ------
    RuntimeError
        Whatever the library raises where there is no answer.
    """
    try:
        return float(signal.get(use_monitor=False, timeout=ANSWER_S, connection_timeout=ANSWER_S))
    except Exception as error:
        raise RuntimeError(f"{signal.name} cannot be read: {error}") from error


def read_word(signal: Any) -> str:
    """Likewise of a string; says so where there is no answer."""
    try:
        return str(signal.get(use_monitor=False, timeout=ANSWER_S, connection_timeout=ANSWER_S))
    except Exception as error:  # noqa: BLE001 - part of a message
        return f"nothing: {error}"

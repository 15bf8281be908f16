"""Events that a plan writes whole, or not at all."""

from collections.abc import Iterable
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import IllegalMessageSequence, MsgGenerator


def whole_event(stream: str, devices: Iterable[Any]) -> MsgGenerator[dict[str, Any]]:
    """Read devices into one event of the open run.

    Where that is interrupted, nothing is left begun: an event that is still open would be in the way of the
    next one, and of the end of the run.

    Returns
    -------
    dict
        What was read, by data key; empty for a plan that is only looked through.
    """

    def event() -> MsgGenerator[dict[str, Any]]:
        yield from bps.create(name=stream)
        readings: dict[str, Any] = {}
        for one in devices:
            readings.update((yield from bps.read(one)) or {})
        yield from bps.save()
        return readings

    return (yield from bpp.contingency_wrapper(event(), except_plan=_drop))


def note_values(
    stream: str, signals: Iterable[Any], values: Iterable[Any], *beside: Any
) -> MsgGenerator[None]:
    """Write values into one event of the open run, with what devices beside them say."""
    signals = list(signals)
    for signal, value in zip(signals, values, strict=True):
        signal.put(value)
    yield from whole_event(stream, [*signals, *beside])


def _drop(_: Exception) -> MsgGenerator[None]:
    try:
        yield from bps.drop()
    except IllegalMessageSequence:
        # Interrupted before it began, or after it was saved.
        return

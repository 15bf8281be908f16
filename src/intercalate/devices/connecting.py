"""Waiting until devices answer."""

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from operator import attrgetter
from typing import Any

from ophyd import Device
from ophyd.device import do_not_wait_for_lazy_connection

LAST_CHANCE_S = 0.5
"""Wall seconds that a device has when those before it have used up the time of all."""


def without_answer(devices: Sequence[Any], timeout_s: float) -> list[Any]:
    """Wait for what a measurement uses, all of it together; returns the devices that do not answer.

    The rest of an area detector's PVs connect when they are needed.
    """
    deadline_s = time.monotonic() + timeout_s
    late = [one for one in devices if not _answers(one, max(LAST_CHANCE_S, deadline_s - time.monotonic()))]
    # One that came while others were waited for has answered too.
    return [one for one in late if not _answers(one, LAST_CHANCE_S)]


def _answers(device: Any, within_s: float) -> bool:
    try:
        device.wait_for_connection(timeout=within_s)
    except TimeoutError:
        return False
    return True


def connect_together(parts: Sequence[Device], besides: Sequence[str], timeout_s: float) -> None:
    """Connect what is set and read of parts of a device: ophyd does so at first use, within a second each.

    Parameters
    ----------
    parts
        The device itself first.
    besides
        Dotted names of what is needed of them, and they do not list.
    timeout_s
        Wall seconds that all of it has.

    Raises
    ------
    TimeoutError
        If something does not answer.
    """
    deadline_s = time.monotonic() + timeout_s
    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(do_not_wait_for_lazy_connection(part))
        used = [
            attrgetter(name)(part)
            for part in parts
            for name in (*part.stage_sigs, *part.read_attrs, *part.configuration_attrs)
        ]
        used += [attrgetter(name)(parts[0]) for name in besides]
    for component in used:
        component.wait_for_connection(timeout=max(LAST_CHANCE_S, deadline_s - time.monotonic()))


def with_prefix(device: Any) -> str:
    """A device as people find it."""
    return f"{device.name} ({device.prefix})"


def no_answer(missing: Iterable[Any], timeout_s: float) -> str:
    """What is said of devices that do not answer."""
    return (
        f"no answer from {', '.join(map(with_prefix, missing))} within {timeout_s:g} s; is the IOC running "
        "(`intercalate simulate status`), and do prefix and servers in the configuration agree with it?"
    )

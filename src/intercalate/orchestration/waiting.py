"""Waiting that a pause does not cut short."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
from bluesky.protocols import Status
from bluesky.utils import MsgGenerator

from intercalate.orchestration.failures import FAILURES

_numbers = itertools.count(1)

MEANWHILE_S = 1.0
"""Wall seconds between two turns of what is done while something else is waited for."""

Meanwhile = Callable[[], MsgGenerator[Any]]

T = TypeVar("T")


def _finished(status: Status, within_s: float | None) -> Awaitable[None]:
    """Future in the RunEngine's loop that is done when `status` is, or the time has passed."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not future.done():
            future.set_result(None)

    def tell(_: Status) -> None:
        loop.call_soon_threadsafe(end)

    status.add_callback(tell)
    if within_s is not None:
        loop.call_later(within_s, end)
    return future


def wait_until_done(status: Status, meanwhile: Meanwhile | None = None) -> MsgGenerator[None]:
    """Wait for a status, however often the plan is paused meanwhile.

    A pause cancels the message that waits, and where the plan is not rewound, a plan would go on as if
    the wait were over.

    Parameters
    ----------
    meanwhile
        Stub executed at once and then every `MEANWHILE_S` until the status is done.

    Raises
    ------
    Exception
        What the status failed with.
    """
    within_s = None if meanwhile is None else MEANWHILE_S
    while not status.done:
        if meanwhile is not None:
            yield from meanwhile()
        yield from bps.wait_for([lambda: _finished(status, within_s)])
    error = status.exception()
    if error is not None:
        raise error


def trigger_and_wait(*devices: Any, meanwhile: Meanwhile | None = None) -> MsgGenerator[None]:
    """Trigger devices, in this order and at once, and wait until all of them are really done.

    Raises
    ------
    Exception
        What the first of them failed with.
    """
    group, statuses = f"trigger-{next(_numbers)}", []
    for device in devices:
        statuses.append((yield from bps.trigger(device, group=group, wait=False)))
    failed: Exception | None = None
    for status in statuses:
        try:
            yield from wait_until_done(status, meanwhile if failed is None else None)
        except FAILURES as error:
            failed = failed or error
    # The RunEngine throws the failure of a status at whatever comes next, once for each, and keeps every
    # status until its group is waited for: nothing is left behind for a plan that does not know of them.
    for _ in statuses:
        try:
            yield from bps.wait(group, error_on_timeout=False)
        except FAILURES as error:
            failed = failed or error
    if failed is not None:
        raise failed


def wait_for_any(statuses: Sequence[Status]) -> MsgGenerator[None]:
    """Wait until one of the statuses is done, well or not; a pause does not end the wait for good."""

    async def first() -> None:
        waiting = [asyncio.ensure_future(_finished(status, None)) for status in statuses]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    while not any(status.done for status in statuses):
        yield from bps.wait_for([first])


def in_thread(work: Callable[[], T]) -> MsgGenerator[T]:
    """Do something slow beside the RunEngine's loop, and return what it gives.

    Raises
    ------
    Exception
        What `work` raises.
    """
    found: list[T] = []
    failed: list[Exception] = []

    def attempt() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - raised again in the plan
            failed.append(error)

    while not found and not failed:
        yield from bps.wait_for([lambda: asyncio.to_thread(attempt)])
    if failed:
        raise failed[0]
    return found[0]

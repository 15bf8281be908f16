"""Waiting that a pause does not cut short."""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.protocols import Status
from bluesky.utils import MsgGenerator

_numbers = itertools.count(1)


def _finished(status: Status) -> Awaitable[None]:
    """Future in the RunEngine's loop that is done when `status` is."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not future.done():
            future.set_result(None)

    def tell(_: Status) -> None:
        loop.call_soon_threadsafe(end)

    status.add_callback(tell)
    return future


def wait_until_done(status: Status) -> MsgGenerator[None]:
    """Wait for a status, however often the plan is paused meanwhile.

    A pause cancels the message that waits, and where the plan is not rewound, a plan would go on as if
    the wait were over.

    Raises
    ------
    Exception
        What the status failed with.
    """
    while not status.done:
        yield from bps.wait_for([lambda: _finished(status)])
    error = status.exception()
    if error is not None:
        raise error


def trigger_and_wait(*devices: Any) -> MsgGenerator[None]:
    """Trigger devices, in this order and at once, and wait until all of them are really done."""
    group, statuses = f"trigger-{next(_numbers)}", []
    for device in devices:
        statuses.append((yield from bps.trigger(device, group=group, wait=False)))
    for status in statuses:
        yield from wait_until_done(status)
    # The RunEngine keeps every status until its group is waited for: a long run would only grow.
    yield from bps.wait(group)

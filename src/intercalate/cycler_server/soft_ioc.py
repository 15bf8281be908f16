"""Serving PVs with caproto such that a client waits for milliseconds, not for Nagle's algorithm."""

import asyncio
import signal
import socket
from collections.abc import Coroutine, Sequence
from typing import Any

from caproto.asyncio.server import Context, VirtualCircuit

from intercalate.cycler_server.server_environment import LOOPBACK


class _PromptCircuit(VirtualCircuit):
    """A client's connection that sends small answers at once."""

    def __init__(self, circuit: Any, client: Any, context: Any):
        super().__init__(circuit, client, context)
        connection = client.writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _PromptContext(Context):
    CircuitClass = _PromptCircuit


async def serve(
    pvdb: dict[str, Any],
    tasks: Sequence[Coroutine[Any, Any, None]] = (),
    ready: Coroutine[Any, Any, None] | None = None,
) -> None:
    """Serve PVs on the loopback interface until SIGTERM or SIGINT, beside `tasks`.

    A task that fails ends the server: an IOC that only looks alive is worse than none.

    Parameters
    ----------
    pvdb
        PVs by their full names.
    tasks
        What runs beside them.
    ready
        No client is answered before it has returned; None for at once.
    """
    loop = asyncio.get_running_loop()

    async def answer() -> None:
        if ready is not None:
            await ready
        await _PromptContext(pvdb, [LOOPBACK]).run()

    # The tasks come first: what they publish at once is there before the first client can ask for it.
    running = [asyncio.ensure_future(t) for t in (*tasks, answer())]

    def end() -> None:
        for task in running:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        end()
        await asyncio.gather(*running, return_exceptions=True)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

"""Serving PVs with caproto such that a client waits for milliseconds, not for Nagle's algorithm."""

import asyncio
import signal
import socket
from collections.abc import Coroutine, Sequence
from typing import Any

from caproto.asyncio.server import Context, VirtualCircuit

LOOPBACK = "127.0.0.1"


def server_environment(port: int) -> dict[str, str]:
    """Environment variables of a process that serves PVs to this machine alone.

    Parameters
    ----------
    port
        Of this server. Several servers of one machine need a port each: a search sent to one loopback
        address reaches one of them only.

    Returns
    -------
    dict
        Loopback only, no beacons, and caproto's batching window at 1 ms.
    """
    return {
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "",
        "EPICS_CAS_INTF_ADDR_LIST": LOOPBACK,
        "CAPROTO_SERVER_HIGH_LOAD_TIMEOUT_SEC": "0.001",
    }


class _PromptCircuit(VirtualCircuit):
    """A client's connection that sends small answers at once."""

    def __init__(self, circuit: Any, client: Any, context: Any):
        super().__init__(circuit, client, context)
        connection = client.writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _PromptContext(Context):
    CircuitClass = _PromptCircuit


async def serve(pvdb: dict[str, Any], tasks: Sequence[Coroutine[Any, Any, None]] = ()) -> None:
    """Serve PVs on the loopback interface until SIGTERM or SIGINT, beside `tasks`.

    A task that fails ends the server: an IOC that only looks alive is worse than none.
    """
    loop = asyncio.get_running_loop()
    # The tasks come first: what they publish at once is there before the first client can ask for it.
    running = [asyncio.ensure_future(t) for t in (*tasks, _PromptContext(pvdb, [LOOPBACK]).run())]

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

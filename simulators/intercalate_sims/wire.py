"""JSON lines over a loopback socket: how the processes of the simulated world talk."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

Message = dict[str, Any]


class JsonLines(asyncio.Protocol):
    """One end of a connection; each line is one JSON object."""

    def __init__(
        self,
        on_message: Callable[["JsonLines", Message], None],
        on_lost: Callable[["JsonLines"], None],
    ):
        self._on_message = on_message
        self._on_lost = on_lost
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_message(self, orjson.loads(line))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_lost(self)

    def send(self, message: Message) -> None:
        """Queue a message, of JSON-able values and dataclasses; after the connection is lost, do nothing."""
        if self._transport is not None:
            self._transport.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Close the connection, at once also where the other end does not read."""
        if self._transport is not None:
            self._transport.abort()

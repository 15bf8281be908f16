"""How the cycler server and the instruments reach the world: a connection that comes back."""

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intercalate_sims.wire import JsonLines, Message

log = logging.getLogger(__name__)

RETRY_S = 0.2
FIRST_S = 10.0
"""Wall seconds that the first question waits for the world to be there."""


class WorldLink:
    """Connection to the world, made again whenever it breaks.

    Parameters
    ----------
    address_file
        JSON file with `port`, written by the world when it listens.
    on_message, on_up, on_down
        Called in the event loop.
    """

    def __init__(
        self,
        address_file: Path,
        *,
        on_message: Callable[[Message], None],
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[], None] = lambda: None,
    ):
        self._address_file = address_file
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._lines: JsonLines | None = None
        self._down = asyncio.Event()

    async def run(self) -> None:
        """Keep the connection up, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                port = json.loads(self._address_file.read_text())["port"]
                self._down.clear()
                _, lines = await loop.create_connection(
                    lambda: JsonLines(lambda _, message: self._on_message(message), self._lost),
                    "127.0.0.1",
                    port,
                )
            except (OSError, ValueError):
                await asyncio.sleep(RETRY_S)
                continue
            if not self._down.is_set():
                self._lines = lines
                self._on_up()
            try:
                await self._down.wait()
            finally:
                lines.close()
            await asyncio.sleep(RETRY_S)

    def _lost(self, lines: JsonLines) -> None:
        self._lines = None
        self._on_down()
        self._down.set()

    @property
    def up(self) -> bool:
        """Whether the world is connected."""
        return self._lines is not None

    def drop(self) -> None:
        """Break the connection, so that it is made anew."""
        if self._lines is not None:
            self._lines.close()

    def send(self, message: Message) -> None:
        """Send, or drop the message where the world is not connected."""
        if self._lines is not None:
            self._lines.send(message)


class InstrumentLink:
    """An instrument's view of the world: exposures of a cell, and the clock.

    Parameters
    ----------
    at
        Name of the instrument, where it is one to which cells are carried: it has a beam of its own.
    """

    def __init__(self, address_file: Path, at: str | None = None):
        self._at = {} if at is None else {"at": at}
        self._link = WorldLink(address_file, on_message=self._take, on_down=self._fail_all, on_up=self._greet)
        self._is_open = True
        self._met = asyncio.Event()
        self._pending: dict[int, asyncio.Future[Message]] = {}
        self._keys = itertools.count(1)

    async def run(self) -> None:
        """Keep the connection up, until cancelled."""
        await self._link.run()

    @property
    def up(self) -> bool:
        """Whether the world is connected."""
        return self._link.up

    def _take(self, message: Message) -> None:
        future = self._pending.pop(message.get("key") or 0, None)
        if future is None or future.done():
            return
        if message["op"] == "refused":
            future.set_exception(RuntimeError(message["why"]))
        else:
            future.set_result(message)

    def _fail_all(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(ConnectionError("the simulated world is gone"))
        self._pending.clear()

    async def _ask(self, message: Message) -> Message:
        if not self._met.is_set():
            # An instrument that comes up before the world would answer its first client with an error.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._met.wait(), FIRST_S)
        if not self._link.up:
            raise ConnectionError("the simulated world does not answer")
        key = next(self._keys)
        future = self._pending[key] = asyncio.get_running_loop().create_future()
        self._link.send({**message, "key": key})
        try:
            return await future
        except asyncio.CancelledError:
            self._pending.pop(key, None)
            if message["op"] == "expose":
                self._link.send({"op": "cancel", "key": key})
                self.done()
            raise

    async def expose(
        self, cell: str | None, exposure_s: float, place_mm: tuple[float, float] = (0.0, 0.0)
    ) -> Message:
        """Expose a cell, or nothing of the world; on return the clock stands still until `done` is called.

        Parameters
        ----------
        place_mm
            Of the beam on the cell, from the centre of its window.

        Returns
        -------
        dict
            See `Exposure.answer`: times, photons, and `states`, one `ProbeState` as a dict for each
            equal part of the exposure; `inactive`, the particles that had stopped there before;
            `burnt_j_cm2`, light that was too intense.

        Raises
        ------
        ConnectionError
            If the world is gone, or goes away during the exposure.
        RuntimeError
            If the world refuses.
        """
        asked = {"op": "expose", "cell": cell, "exposure_s": exposure_s, "place_mm": place_mm}
        return await self._ask({**asked, **self._at})

    def shutter(self, is_open: bool) -> None:
        """Tell the world whether this instrument's own shutter lets the beam through."""
        self._is_open = is_open
        self._tell_shutter()

    def _greet(self) -> None:
        self._met.set()
        self._tell_shutter()

    def _tell_shutter(self) -> None:
        self._link.send({"op": "shutter", "open": self._is_open})

    async def beam(self, **changes: Any) -> dict[str, Any]:
        """Change the beam, as `Beam.set` takes it, and ask how it is.

        Raises
        ------
        ConnectionError
            If the world is gone.
        RuntimeError
            If the world refuses the change.
        """
        return await self._ask({"op": "beam", "set": changes, **self._at})

    async def vessel(self, **changes: Any) -> dict[str, Any]:
        """Change the transfer vessel, as `Vessel.set` takes it, and ask how it is; raises as `beam`."""
        return await self._ask({"op": "vessel", "set": changes})

    async def pressure(self, **changes: Any) -> dict[str, Any]:
        """Change the pressure cell, as `PressureCell.set` takes it, and ask how it is; raises as `beam`."""
        return await self._ask({"op": "pressure", "set": changes})

    def done(self) -> None:
        """Let the clock go on."""
        self._link.send({"op": "done"})

    async def status(self) -> dict[str, Any]:
        """Clock, rate and cells of the world."""
        return await self._ask({"op": "status"})

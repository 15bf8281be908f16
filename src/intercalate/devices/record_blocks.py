"""Rows that a server keeps in a file and serves in blocks: each is read once, by its number."""

import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ophyd import EpicsSignal, EpicsSignalRO

from intercalate.contract import RECORD_BLOCK_HEADER, RECORD_BLOCK_ROWS
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS, put_and_wait
from intercalate.devices.cycler_errors import CyclerError, CyclerSilent

ANSWER_TIMEOUT_S = 10.0
"""Wall seconds within which the server must have answered."""

CONTENTION_S = 0.02
"""Wall seconds at most before a request that met another client's is made again."""


class BlockReader:
    """Reads the rows of one program, in order, each of them once.

    Parameters
    ----------
    announced, request, block
        How many rows there are, from which one is asked for, and the answer.
    units
        By column, in the order of the columns.

    Attributes
    ----------
    cursor
        Number of the next row.
    end
        Number of the first row that belongs to another program; None while the program runs.
    lost
        Rows that the server no longer had.
    """

    def __init__(
        self, announced: EpicsSignalRO, request: EpicsSignal, block: EpicsSignalRO, units: Mapping[str, str]
    ):
        self._announced = announced
        self._request = request
        self._block = block
        self._units = dict(units)
        self.cursor = 0
        self.end: int | None = None
        self.lost = 0
        self._paged: list[np.ndarray] = []

    @property
    def pending(self) -> int:
        """Rows announced and not yet read.

        Raises
        ------
        CyclerSilent
            If the server does not answer.
        """
        try:
            announced = int(self._announced.get())
        except CHANNEL_ACCESS_ERRORS as error:
            raise CyclerSilent(f"{self._announced.pvname} does not answer: {error}") from error
        return self._until(announced) - self.cursor

    def _until(self, announced: int) -> int:
        return announced if self.end is None else min(announced, self.end)

    def describe(self, name: str) -> dict[str, Any]:
        """Data keys of the rows of the device `name`, by column."""
        return {
            f"{name}_{column}": {
                "source": f"PV:{self._block.pvname}",
                "dtype": "number",
                "dtype_numpy": "<f8",
                "shape": [],
                "units": unit,
            }
            for column, unit in self._units.items()
        }

    def pages(self, name: str) -> Iterator[dict[str, Any]]:
        """Rows announced until now and not yet read, as partial event pages of the device `name`."""
        rows, names = self.read(), [f"{name}_{column}" for column in self._units]
        while len(rows):
            self._paged.append(rows)
            now = time.time()
            yield {
                "time": [now] * len(rows),
                "data": {key: rows[:, i].tolist() for i, key in enumerate(names)},
                "timestamps": {key: [now] * len(rows) for key in names},
            }
            if len(rows) < RECORD_BLOCK_ROWS:
                return
            rows = self.read()

    def take_paged(self) -> np.ndarray:
        """Rows that were given out in pages since this was asked last, shape (n, columns)."""
        paged, self._paged = self._paged, []
        return np.concatenate(paged) if paged else np.empty((0, len(self._units)))

    def read(self) -> np.ndarray:
        """Read the next block of rows from the server.

        Returns
        -------
        ndarray, shape (n, columns)
            At most `RECORD_BLOCK_ROWS`; fewer where there are no more.

        Raises
        ------
        CyclerError
            If the server does not answer, or has fewer rows than were read.
        """
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while self.end is None or self.end > self.cursor:
            block = self._ask(self.cursor, deadline)
            if block is not None:
                return self._take(block)
        return np.empty((0, len(self._units)))

    def _ask(self, start: int, deadline: float) -> np.ndarray | None:
        """Answer to one request; None where it was not answered, or another client's answer was met."""
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise CyclerSilent(f"{self._block.pvname} does not answer for row {start}")
        try:
            if not put_and_wait(self._request, start, left_s):
                return None
            block = np.atleast_1d(self._block.get(timeout=left_s))
        except CHANNEL_ACCESS_ERRORS:
            return None
        if len(block) >= len(RECORD_BLOCK_HEADER) and block[1] == start:
            return block
        # Two clients that ask in step would miss each other's answers for ever.
        threading.Event().wait(random.uniform(0.0, CONTENTION_S))
        return None

    def _take(self, block: np.ndarray) -> np.ndarray:
        head = len(RECORD_BLOCK_HEADER)
        _, _, first, following, count, announced = (int(figure) for figure in block[:head])
        if announced < self.cursor:
            raise CyclerError(
                f"{self._block.pvname} announces {announced} rows, {self.cursor} were read: "
                "the server's file was replaced while a program was followed"
            )
        last = self._until(announced)
        self.lost += max(0, first - self.cursor)
        rows = block[head:].reshape(count, len(self._units))[: max(0, last - (following - count))]
        self.cursor = min(following, last)
        return rows

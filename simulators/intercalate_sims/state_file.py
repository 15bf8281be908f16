"""The last state of the world, kept such that a killed process loses not one step of it."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import orjson

_HEADER = struct.Struct("<QII")


class StateFile:
    """Two slots written in turn, each with a counter and a checksum; the newest whole one counts.

    One `pwrite` per save: what the kernel has taken survives the end of the process by any signal.
    A power cut may lose the last seconds; simulated cells have no need to outlive that.
    """

    def __init__(self, path: Path, slot_bytes: int = 1 << 18):
        self._slot_bytes = slot_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._counter, self.state = self._newest()

    def _newest(self) -> tuple[int, dict[str, Any] | None]:
        found: tuple[int, dict[str, Any] | None] = (0, None)
        for slot in (0, 1):
            raw = os.pread(self._fd, self._slot_bytes, slot * self._slot_bytes)
            if len(raw) < _HEADER.size:
                continue
            counter, size, checksum = _HEADER.unpack_from(raw)
            payload = raw[_HEADER.size : _HEADER.size + size]
            whole = len(payload) == size and zlib.crc32(payload) == checksum
            if whole and counter > found[0]:
                found = (counter, orjson.loads(payload))
        return found

    def save(self, state: dict[str, Any]) -> None:
        """Write `state`, which must be JSON-able."""
        payload = orjson.dumps(state)
        if len(payload) + _HEADER.size > self._slot_bytes:
            raise ValueError(f"state of {len(payload)} bytes is larger than a slot of {self._slot_bytes}")
        self._counter += 1
        block = _HEADER.pack(self._counter, len(payload), zlib.crc32(payload)) + payload
        os.pwrite(self._fd, block, (self._counter % 2) * self._slot_bytes)

    def close(self) -> None:
        """Close the file; the state stays."""
        os.close(self._fd)

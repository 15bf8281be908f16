"""Numbers by which people call runs: one after the other, whichever session or queue makes the next."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCAN_NUMBER = "scan_number"
"""In the storage folder."""
_WIDTH = 20


class ScanNumbers:
    """Gives each run of a storage folder a `scan_id` of its own; a `scan_id_source` of a RunEngine.

    Parameters
    ----------
    path
        File that holds the last number.
    """

    def __init__(self, path: Path):
        self._path = path

    def __call__(self, metadata: Mapping[str, Any]) -> int:
        """Next number; after a higher `scan_id` of `metadata`, which somebody has set, it goes on from there.

        Raises
        ------
        OSError
            If it cannot be kept.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            written = os.pread(descriptor, _WIDTH, 0).strip()
            last = int(written) if written.isdigit() else 0
            number = 1 + max(last, int(metadata.get("scan_id") or 0))
            # One write of always the same length: there is no moment at which the file holds no number.
            os.pwrite(descriptor, f"{number:{_WIDTH - 1}d}\n".encode(), 0)
            return number
        finally:
            os.close(descriptor)

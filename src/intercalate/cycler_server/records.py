"""Files of one channel: rows of 64-bit floats, on the disk before they are announced."""

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from intercalate.contract import RECORD_BLOCK_ROWS, RECORD_COLUMNS, CyclerState, Fault, StepType


class RecordFile:
    """Append-only file of records; record n is row n of the file.

    A process killed while it wrote leaves at most a piece of a row, which is cut off when the file is
    opened again: that row was never announced.

    Parameters
    ----------
    path
        Binary file, little-endian float64, one row of `columns` per record. A description for
        other programs is written beside it, with the suffix `.json`.
    columns
        Of a record; the first is its number.

    Attributes
    ----------
    synced
        Number of records that are on the disk, and that `read` gives out.

    Raises
    ------
    ValueError
        If the description beside the file names other columns.
    """

    def __init__(self, path: Path, columns: tuple[str, ...] = RECORD_COLUMNS):
        self.columns = columns
        self._row_bytes = 8 * len(columns)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._describe(path.with_suffix(".json"))
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._fd).st_size
        self._rows = size // self._row_bytes
        if size % self._row_bytes:
            os.ftruncate(self._fd, self._rows * self._row_bytes)
        self.synced = 0
        self.sync()

    def _describe(self, path: Path) -> None:
        if path.exists():
            found = json.loads(path.read_text())["columns"]
            if tuple(found) != self.columns:
                raise ValueError(
                    f"{path}: the records have the columns {found}, this version writes "
                    f"{list(self.columns)}; move the file away to begin a new one"
                )
        codes = {kind.__name__: list(kind) for kind in (CyclerState, Fault, StepType)}
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"columns": self.columns, "dtype": "<f8", "codes": codes}, indent=1))
        os.replace(part, path)

    def __len__(self) -> int:
        return self._rows

    def append(self, row: Sequence[float]) -> int:
        """Write one row, its number excepted, which is set here.

        Returns
        -------
        int
            The row's number.

        Raises
        ------
        OSError
            If the row could not be written whole; the file is then as it was before.
        """
        seq = self._rows
        data = np.array((seq, *row), dtype="<f8")
        if data.size != len(self.columns):
            raise ValueError(f"a record has {len(self.columns)} columns, got {data.size}")
        try:
            if os.write(self._fd, data.tobytes()) != self._row_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._fd, self._rows * self._row_bytes)
            raise OSError(
                error.errno,
                f"record {seq} could not be written: {error.strerror}; free space there, clear the fault, "
                "and run what is left of the protocol as a new program",
                str(self.path),
            ) from None
        self._rows += 1
        return seq

    def sync(self) -> None:
        """Force what was appended onto the disk; only then it may be announced.

        Raises
        ------
        OSError
            If the disk does not take it.
        """
        rows = self._rows
        os.fsync(self._fd)
        self.synced = rows

    def read(self, start: int, limit: int = RECORD_BLOCK_ROWS) -> np.ndarray:
        """Read records from `start` on.

        Returns
        -------
        ndarray, shape (n, len(columns))
            At most `limit` records; none where `start` is not yet on the disk.
        """
        count = max(0, min(limit, self.synced - start))
        raw = os.pread(self._fd, count * self._row_bytes, start * self._row_bytes) if count else b""
        return np.frombuffer(raw, dtype="<f8").reshape(count, len(self.columns))

    def close(self) -> None:
        """Close the file; records stay."""
        os.close(self._fd)

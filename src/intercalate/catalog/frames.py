"""Which stored frame belongs to which event: recorded when documents are written, used when they are read.

A file of frames may hold frames that no event refers to (an exposure that was aborted), a run may have
several files, and a file may be longer than the catalog knows. So the data source of a stream's images
carries `frames`, a list of runs `[asset, start, stop]`: the next `stop - start` events refer to the
frames `start` to `stop - 1` of the file number `asset`. Row i of the array is the image of event i,
whatever else the files hold.
"""

import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - registers the filters that detectors compress with
import numpy as np

FRAMES_MIMETYPE = "application/x-hdf5;type=intercalate-frames"

FrameRun = Sequence[int]
"""`[asset, start, stop]`."""


class FramesNotWrittenError(LookupError):
    """A frame is referenced that its file does not hold yet."""


def append_frames(runs: list[list[int]], asset: int, start: int, stop: int) -> None:
    """Add frames `start` to `stop - 1` of a file, lengthening the last run where they follow on it."""
    if runs and runs[-1][0] == asset and runs[-1][2] == start:
        runs[-1][2] = stop
    else:
        runs.append([asset, start, stop])


class FrameMap:
    """Finds the file and the place in it of an event's frame.

    Parameters
    ----------
    runs
        `[asset, start, stop]` in the order of the events.
    """

    def __init__(self, runs: Iterable[FrameRun]):
        self._runs = [tuple(run) for run in runs]
        self._ends = list(accumulate(stop - start for _, start, stop in self._runs))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def locate(self, row: int) -> tuple[int, int]:
        """Asset and frame index of the event in this row."""
        if not 0 <= row < len(self):
            raise IndexError(f"there is no frame {row}; there are {len(self)}")
        number = bisect_right(self._ends, row)
        asset, _, stop = self._runs[number]
        return asset, stop - (self._ends[number] - row)

    def spans(self, rows: Iterable[int]) -> list[tuple[int, int, int]]:
        """Asset, first frame and the one after the last, of rows whose frames follow each other in a file."""
        found: list[list[int]] = []
        for row in rows:
            asset, index = self.locate(row)
            append_frames(found, asset, index, index + 1)
        return [(asset, start, stop) for asset, start, stop in found]

    def locate_all(self, rows: Iterable[int]) -> dict[int, list[tuple[int, int]]]:
        """By asset, pairs of (position in `rows`, frame index)."""
        found: dict[int, list[tuple[int, int]]] = {}
        for position, row in enumerate(rows):
            asset, index = self.locate(row)
            found.setdefault(asset, []).append((position, index))
        return found


def open_frames(path: Path) -> h5py.File:
    """Open a file that may still be growing.

    Raises
    ------
    OSError
        If it is not there or no HDF5 file.
    """
    try:
        return h5py.File(path, "r", swmr=True)
    except OSError:
        # This process has it open in the other mode already: HDF5 shares one mode per process.
        return h5py.File(path, "r")


def read_frames(
    paths: Sequence[Path],
    dataset: str,
    frame_map: FrameMap,
    rows: Sequence[int],
    region: tuple[Any, ...],
    shape: tuple[int, ...],
    dtype: np.dtype,
) -> np.ndarray:
    """Read frames, opening only the files they are in.

    Parameters
    ----------
    paths
        By asset number.
    rows
        Events, ascending or not.
    region
        Index into one frame.
    shape
        Of the region of one frame.

    Returns
    -------
    ndarray, shape (len(rows), *shape)

    Raises
    ------
    FramesNotWrittenError
        If a file does not hold a frame yet that an event refers to.
    """
    images = np.empty((len(rows), *shape), dtype)
    for asset, wanted in frame_map.locate_all(rows).items():
        with open_frames(paths[asset]) as file:
            stored = file[dataset]
            assert isinstance(stored, h5py.Dataset)
            if not np.can_cast(stored.dtype, dtype, "safe"):
                raise TypeError(f"{paths[asset]} holds {stored.dtype}, the run's description says {dtype}")
            for position, index in wanted:
                if index >= stored.shape[0]:
                    raise FramesNotWrittenError(
                        f"{paths[asset]} holds {stored.shape[0]} frames, frame {index} is not written yet"
                    )
                images[position] = stored[(index, *region)]
    return images


class OpenFiles:
    """Frames of several files that stay open between reads; for one reader in one process.

    A file opened for single-writer-multiple-reader access is refreshed when a frame is asked for that
    it did not hold.
    """

    def __init__(self) -> None:
        self._open: dict[Path, h5py.File] = {}
        self._lock = threading.Lock()

    def read(self, path: Path, dataset: str, index: int | slice, region: tuple[Any, ...]) -> np.ndarray:
        """One frame, or a region of it; or of some that follow each other.

        Raises
        ------
        FramesNotWrittenError
            If the file does not hold it yet.
        """
        last = index.stop - 1 if isinstance(index, slice) else index
        with self._lock:
            if path not in self._open:
                self._open[path] = open_frames(path)
            stored = self._open[path][dataset]
            assert isinstance(stored, h5py.Dataset)
            if last >= stored.shape[0]:
                stored.refresh()
            if last >= stored.shape[0]:
                # A file that was not yet in this mode when it was opened cannot be refreshed.
                self._open[path].close()
                self._open[path] = open_frames(path)
                stored = self._open[path][dataset]
                assert isinstance(stored, h5py.Dataset)
            if last >= stored.shape[0]:
                raise FramesNotWrittenError(
                    f"{path} holds {stored.shape[0]} frames, frame {last} is not written yet"
                )
            return stored[(index, *region)]

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for file in self._open.values():
                file.close()
            self._open.clear()

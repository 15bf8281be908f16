"""Frames on disk: one HDF5 file per capture, readable while it grows."""

import json
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np


class FrameFile:
    """Single-writer, multiple-reader file of frames, flushed after each of them.

    Parameters
    ----------
    path
        Must not exist.
    shape
        Of one frame.
    attributes
        Stored with the data, JSON-able.
    """

    def __init__(self, path: Path, shape: tuple[int, int], attributes: dict[str, Any]):
        self.path = path
        self._file = h5py.File(path, "x", libver="latest")
        entry = self._file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        for name, value in attributes.items():
            entry.attrs[name] = value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
        self._frames = self._file.create_dataset(
            "entry/data/data",
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(1, *shape),
            dtype=np.uint32,
            **hdf5plugin.Bitshuffle(cname="lz4"),
        )
        self._times = self._file.create_dataset(
            "entry/instrument/exposure_unix_s",
            shape=(0, 2),
            maxshape=(None, 2),
            chunks=(256, 2),
            dtype=np.float64,
        )
        self._times.attrs["columns"] = "start, end, by the instrument's clock"
        self._file.swmr_mode = True
        self._file.flush()

    def append(self, frame: np.ndarray, start_unix_s: float, end_unix_s: float) -> int:
        """Write a frame and flush it.

        Returns
        -------
        int
            Its index in the file.
        """
        index = len(self._times)
        self._frames.resize(index + 1, axis=0)
        self._frames[index] = frame
        self._frames.flush()
        # The times come last: a frame counts only when it has them.
        self._times.resize(index + 1, axis=0)
        self._times[index] = start_unix_s, end_unix_s
        self._times.flush()
        return index

    def close(self) -> None:
        """Close the file."""
        self._file.close()

"""Soft devices whose runs the tests write and read: a detector that stamps its frames, a recorder."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import h5py
import numpy as np
from ophyd.status import Status

from intercalate.contract import IMPEDANCE_COLUMNS, RECORD_COLUMNS

ROWS, COLUMNS = 6, 5


class StampedDetector:
    """Writes frames that all of one number into a file of its own, as areaDetector's HDF5 plugin does.

    `orphan` writes a frame that no event will refer to.
    """

    parent = None

    def __init__(self, name: str, folder: Path):
        self.name = name
        self.folder = folder
        self.stamps = iter(range(1000, 1_000_000))
        self.file: h5py.File | None = None
        self._assets: list[tuple[str, dict[str, Any]]] = []
        self._reading: dict[str, Any] = {}
        self._resource = ""
        self.now: Callable[[], float] = time.time
        self.exposure_s = 0.01

    def stage(self) -> list[Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.name}-{uuid.uuid4().hex}.h5"
        self.file = h5py.File(path, "w", libver="latest")
        self.file.create_dataset(
            "entry/data/data",
            shape=(0, ROWS, COLUMNS),
            maxshape=(None, ROWS, COLUMNS),
            chunks=(1, ROWS, COLUMNS),
            dtype="<u4",
        )
        self.file.swmr_mode = True
        self._resource = str(uuid.uuid4())
        resource = {
            "spec": "AD_HDF5",
            "root": "/",
            "resource_path": str(path).lstrip("/"),
            "resource_kwargs": {"frame_per_point": 1},
            "path_semantics": "posix",
            "uid": self._resource,
        }
        self._assets.append(("resource", resource))
        return [self]

    def unstage(self) -> list[Any]:
        if self.file is not None:
            self.file.close()
        self.file = None
        return [self]

    def _write(self) -> tuple[int, int]:
        assert self.file is not None
        stored: Any = self.file["entry/data/data"]
        index, stamp = stored.shape[0], next(self.stamps)
        stored.resize(index + 1, axis=0)
        stored[index] = np.full((ROWS, COLUMNS), stamp)
        stored.flush()
        return index, stamp

    def orphan(self) -> None:
        """An exposure that was aborted after its frame was written."""
        self._write()

    def trigger(self) -> Status:
        index, stamp = self._write()
        datum = {
            "resource": self._resource,
            "datum_id": f"{self._resource}/{index}",
            "datum_kwargs": {"point_number": index},
        }
        self._assets.append(("datum", datum))
        self._reading = {
            f"{self.name}_image": datum["datum_id"],
            f"{self.name}_stamp": stamp,
            f"{self.name}_hdf_frame_index": index,
            f"{self.name}_hdf_frame_start_unix_s": self.now(),
            f"{self.name}_cam_acquire_time": self.exposure_s,
        }
        status = Status()
        status.set_finished()
        return status

    def read(self) -> dict[str, Any]:
        now = time.time()
        return {key: {"value": value, "timestamp": now} for key, value in self._reading.items()}

    def describe(self) -> dict[str, Any]:
        keys: dict[str, Any] = {
            key: {"source": "soft", "dtype": "integer" if "index" in key or "stamp" in key else "number"}
            | {"shape": []}
            for key in self._reading
        }
        keys[f"{self.name}_image"] = {
            "source": "soft",
            "dtype": "array",
            "dtype_numpy": "<u4",
            "shape": [ROWS, COLUMNS],
            "dims": ["row", "column"],
            "external": "FILESTORE:",
        }
        return keys

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}

    def collect_asset_docs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        assets, self._assets = self._assets, []
        yield from assets


class Recorder:
    """A flyer whose records are pages, as a cycler's are; one record a second of test time."""

    parent = None

    def __init__(self, name: str = "cycler", t0_unix_s: float = 1.8e9):
        self.name = name
        self.t0_unix_s = t0_unix_s
        self.next = 0
        self.rows = 0
        self.course: Callable[[np.ndarray], dict[str, np.ndarray]] = lambda test_time_s: {}

    def kickoff(self) -> Status:
        return self.complete()

    def complete(self) -> Status:
        status = Status()
        status.set_finished()
        return status

    def describe_collect(self) -> dict[str, Any]:
        return {
            f"{self.name}_{column}": {"source": "soft", "dtype": "number", "dtype_numpy": "<f8", "shape": []}
            for column in RECORD_COLUMNS
        }

    def collect_pages(self) -> Iterator[dict[str, Any]]:
        if not self.rows:
            return
        seq = np.arange(self.next, self.next + self.rows, dtype=float)
        self.next += self.rows
        data = {f"{self.name}_{column}": np.zeros_like(seq).tolist() for column in RECORD_COLUMNS}
        data[f"{self.name}_record_seq"] = seq.tolist()
        data[f"{self.name}_test_time_second"] = seq.tolist()
        data[f"{self.name}_unix_time_second"] = (self.t0_unix_s + seq).tolist()
        data[f"{self.name}_voltage_volt"] = (3.0 + 1e-3 * seq).tolist()
        # The first batch must not decide that a column is one of whole numbers.
        data[f"{self.name}_soc"] = [0.5 if value else 0.0 for value in seq]
        for column, values in self.course(seq).items():
            data[f"{self.name}_{column}"] = values.tolist()
        now = [time.time()] * self.rows
        yield {"time": now, "data": data, "timestamps": dict.fromkeys(data, now)}


class PairedClocks:
    """Readings of the cycler's and the instrument's clock, as a station takes them; both are the same."""

    name = "clocks"
    parent = None

    def __init__(self, now: Callable[[], float], half_width_s: float):
        self.now, self.half_width_s = now, half_width_s

    def trigger(self) -> Status:
        status = Status()
        status.set_finished()
        return status

    def read(self) -> dict[str, Any]:
        now = self.now()
        values = {"cycler_unix_s": now, "instrument_unix_s": now, "half_width_s": self.half_width_s}
        return {f"clocks_{key}": {"value": value, "timestamp": now} for key, value in values.items()}

    def describe(self) -> dict[str, Any]:
        return {key: {"source": "soft", "dtype": "number", "shape": []} for key in self.read()}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}


class SpectraRecorder(Recorder):
    """The same for impedance: driven by voltage, so that the amplitude of the current is never a number."""

    def describe_collect(self) -> dict[str, Any]:
        key = {"source": "soft", "dtype": "number", "dtype_numpy": "<f8", "shape": []}
        return {f"{self.name}_{column}": key for column in IMPEDANCE_COLUMNS}

    def collect_pages(self) -> Iterator[dict[str, Any]]:
        seq = np.arange(self.next, self.next + self.rows, dtype=float)
        self.next += self.rows
        data = {f"{self.name}_{column}": seq.tolist() for column in IMPEDANCE_COLUMNS}
        data[f"{self.name}_amplitude_ampere"] = [float("nan")] * self.rows
        now = [time.time()] * self.rows
        yield {"time": now, "data": data, "timestamps": dict.fromkeys(data, now)}


def take(detector: StampedDetector, count: int = 1, *beside: Any) -> Iterator[Any]:
    """Stub: that many frames with an event each, in the stream `xrd`, and what is read beside them."""
    readable: Any = detector
    for _ in range(count):
        yield from bps.trigger_and_read([readable, *beside], name="xrd")


def orphan(detector: StampedDetector) -> Iterator[Any]:
    """Stub: a frame without an event."""
    detector.orphan()
    yield from bps.null()


def record(recorder: Recorder, rows: int) -> Iterator[Any]:
    """Stub: that many records, in the stream `cycling`."""
    recorder.rows = rows
    flyer: Any = recorder
    yield from bps.collect(flyer, stream=False, name="cycling", return_payload=False)
    recorder.rows = 0


def declare(recorder: Recorder) -> Iterator[Any]:
    """Stub: make the stream `cycling` of an open run."""
    flyer: Any = recorder
    yield from bps.declare_stream(flyer, name="cycling", collect=True)


@bpp.run_decorator(md={"sample": "made", "plan_name": "made"})
def orphans_and_restages(laboratory: Any):
    """Three files; frames without events at the start, in the middle and at the end of them."""
    detector = laboratory.detector

    @bpp.stage_decorator([detector])
    def part(before: int, taken: int, between: int, after: int):
        for _ in range(before):
            yield from orphan(detector)
        yield from take(detector, taken)
        for _ in range(between):
            yield from orphan(detector)
        yield from take(detector, taken)
        for _ in range(after):
            yield from orphan(detector)

    yield from declare(laboratory.recorder)
    yield from part(0, 2, 1, 0)
    yield from record(laboratory.recorder, 5)
    yield from part(2, 1, 0, 3)
    yield from record(laboratory.recorder, 7)
    yield from part(1, 2, 2, 1)

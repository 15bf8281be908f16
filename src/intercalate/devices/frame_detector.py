"""A detector that takes frames: camera and HDF5 plugin of areaDetector."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ophyd import Component as Cpt
from ophyd import EpicsSignalRO, Kind
from ophyd.areadetector import DetectorBase, EpicsSignalWithRBV
from ophyd.areadetector.cam import CamBase
from ophyd.areadetector.filestore_mixins import FileStoreHDF5
from ophyd.areadetector.plugins import HDF5Plugin
from ophyd.device import Staged
from ophyd.signal import DerivedSignal
from ophyd.status import DeviceStatus

from intercalate.devices.connecting import connect_together
from intercalate.devices.roles import OPENS_SHUTTER
from intercalate.devices.statuses import end

EPICS_EPOCH_UNIX_S = 631152000.0
"""1990-01-01 UTC: areaDetector time stamps count from here."""

FRAMES_DATASET = "entry/data/data"
"""Where the HDF5 plugin keeps frames."""

BY_STAGING = (
    "cam.port_name",
    "hdf.port_name",
    "hdf.nd_array_port",
    "hdf.file_path",
    "hdf.file_path_exists",
    "hdf.file_name",
    "hdf.file_number",
    "hdf.write_message",
)
"""What stock classes ask of camera and plugin besides what they list."""

FILE_S = 10.0
"""Wall seconds within which the IOC must have answered for all that a file needs, and then have opened it."""

READOUT_MARGIN_S = 20.0
"""Wall seconds that a frame may take beyond its exposure."""


class ExposureError(RuntimeError):
    """An exposure gave no frame."""


class UnixTime(DerivedSignal):
    """A time stamp of areaDetector in unix seconds."""

    def inverse(self, value: float) -> float:
        """Unix seconds of an areaDetector time stamp."""
        return value + EPICS_EPOCH_UNIX_S


class FrameIndex(DerivedSignal):
    """Index in the file of the frame written last."""

    def inverse(self, value: float) -> int:
        """Index of the last of `value` frames."""
        return int(value) - 1


class FrameWriter(HDF5Plugin, FileStoreHDF5):
    """HDF5 plugin that streams into one file per staging, readable while it grows."""

    swmr_mode = Cpt(EpicsSignalWithRBV, "SWMRMode", string=True, kind=Kind.config)
    swmr_active = Cpt(EpicsSignalRO, "SWMRActive_RBV", string=True, kind=Kind.omitted)
    create_directory = Cpt(EpicsSignalWithRBV, "CreateDirectory", kind=Kind.config)
    # The stock plugin waits for ever where the IOC opens no file.
    capture = Cpt(EpicsSignalWithRBV, "Capture", write_timeout=FILE_S, kind=Kind.omitted)
    frame_index = Cpt(FrameIndex, derived_from="num_captured", kind=Kind.normal)
    frame_start_unix_s = Cpt(UnixTime, derived_from="time_stamp", kind=Kind.normal)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.stage_sigs["swmr_mode"] = "On"
        self.stage_sigs["compression"] = "BSLZ4"
        self.stage_sigs.move_to_end("capture")
        self.read_attrs = ["frame_index", "frame_start_unix_s", "unique_id"]
        self.configuration_attrs = ["compression", "file_write_mode", "swmr_mode"]

    def get_frames_per_point(self) -> int:
        """One exposure is one frame is one event."""
        return 1

    def make_filename(self) -> tuple[str, str, str]:
        """Name and folders of the next file, the date as a folder."""
        folder = time.strftime(self.read_path_template)
        detector = self.prefix.strip(":").replace(":", "-").lower()
        return f"{detector}-{uuid.uuid4().hex[:16]}", folder, time.strftime(self.write_path_template)

    def stage(self) -> None:
        """Open a file; a folder that cannot be written is found before the plugin waits for it.

        Raises
        ------
        ExposureError
            If the IOC cannot write there, or opens no file.
        """
        _, _, folder = self.make_filename()
        self.file_path.set(folder).wait(timeout=READOUT_MARGIN_S)
        if not self.file_path_exists.get():
            raise ExposureError(
                f"{self.prefix}: the IOC cannot write to {folder}: {self.write_message.get()}; "
                "make the folder, or name another one in the configuration"
            )
        self._references: dict[str, tuple[Any, Any]] = {}
        try:
            super().stage()
        except TimeoutError as error:
            why = self.write_message.get() or error
            raise ExposureError(f"{self.prefix}: no file was opened in {folder}: {why}") from error

    @property
    def open_file(self) -> Path:
        """File that this staging has opened, as the documents name it."""
        assert self._fn is not None, "staged"
        return Path(self._fn)

    def for_run(self, key: str) -> None:
        """Give the run of this key a reference to the open file of its own, which its frames then have.

        References travel with the first frame of a run: one that no frame has taken is forgotten.
        """
        waiting = {doc["uid"] for kind, doc in self._asset_docs_cache if kind == "resource"}
        for other, (uid, _) in list(self._references.items()):
            if other != key and uid in waiting:
                del self._references[other]
        if key in self._references:
            self._resource_uid, self._datum_factory = self._references[key]
            return
        if self._resource_uid not in waiting:
            self._generate_resource({"frame_per_point": self.get_frames_per_point()})
        self._references[key] = (self._resource_uid, self._datum_factory)

    def forget_unused(self) -> None:
        """Drop datums that no event has taken: their frames stay in the file, unreferenced."""
        kept = [(kind, doc) for kind, doc in self._asset_docs_cache if kind != "datum"]
        self._asset_docs_cache.clear()
        self._asset_docs_cache.extend(kept)


class FrameDetector(DetectorBase):
    """An area detector, or a spectrometer whose frames have one row; one trigger is one frame.

    Staged, it opens the shutter for each exposure and closes it, so that nothing is irradiated between
    frames, nor after the death of a session. Dark frames are taken with `shutter_mode` at `LEAVES_SHUTTER`.

    Parameters
    ----------
    frames_folder
        Where the IOC writes frames; `strftime` codes make dated folders.
    rate
        Gives cell seconds per wall second, by which a timeout is reckoned; 1 at a beamline.
    """

    cam = Cpt(CamBase, "cam1:", kind=Kind.config)
    hdf: Any = Cpt(FrameWriter, "HDF1:", write_path_template="/", kind=Kind.normal)
    clock_unix_s = Cpt(EpicsSignalRO, "UnixTime", kind=Kind.omitted)
    heartbeat = Cpt(EpicsSignalRO, "Heartbeat", kind=Kind.omitted)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        frames_folder: str | Path,
        rate: Callable[[], float] = lambda: 1.0,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self.hdf.write_path_template = str(frames_folder)
        self._rate = rate
        self._exposure: DeviceStatus | None = None
        self.stage_sigs.update([("cam.acquire", 0), ("cam.image_mode", "Single"), ("cam.num_images", 1)])
        self.stage_sigs["cam.shutter_mode"] = OPENS_SHUTTER
        self.cam.stage_sigs["array_callbacks"] = 1
        self.cam.configuration_attrs = ["manufacturer", "model"]
        self.cam.read_attrs = ["acquire_time"]
        self.read_attrs = ["hdf", "cam"]

    @property
    def shutter_mode(self) -> EpicsSignalWithRBV:
        """Whether an exposure opens the shutter."""
        return self.cam.shutter_mode

    @property
    def exposure_s(self) -> EpicsSignalWithRBV:
        """Exposure of one frame, in cell seconds."""
        return self.cam.acquire_time

    def unavailable(self) -> str:
        """Why no frame can be taken now; empty if one can."""
        needed = (self.cam.acquire, self.hdf.capture, self.hdf.num_captured)
        if not all(signal.connected for signal in needed):
            return f"{self.prefix} does not answer"
        return ""

    @property
    def frames_folder(self) -> str:
        """Where the next file is written."""
        return self.hdf.make_filename()[1]

    @property
    def frame_bytes(self) -> int:
        """Size of one frame before compression."""
        return 4 * int(self.cam.array_size.array_size_x.get()) * int(self.cam.array_size.array_size_y.get())

    @property
    def image_key(self) -> str:
        """Data key of the frames."""
        return f"{self.name}_image"

    def make_data_key(self) -> dict[str, Any]:
        """Description of one frame."""
        rows, columns = self.cam.array_size.array_size_y.get(), self.cam.array_size.array_size_x.get()
        return {
            "shape": [int(rows), int(columns)],
            "source": f"PV:{self.prefix}",
            "dtype": "array",
            "dtype_numpy": "<u4",
            "dims": ["row", "column"],
            "external": "FILESTORE:",
            "units": "counts",
        }

    def trigger(self) -> DeviceStatus:
        """Expose one frame; done when it is in the file.

        Returns
        -------
        DeviceStatus
            Fails with `ExposureError` where the exposure ended without a frame, or the IOC is gone.
        """
        self.hdf.forget_unused()
        # A monitor may still show the count of the file before.
        before = int(self.hdf.num_captured.get(use_monitor=False))
        exposure_s = float(self.cam.acquire_time.get())
        status = DeviceStatus(self, timeout=exposure_s / self._rate() + READOUT_MARGIN_S)
        done = self.cam.acquire
        busy = False

        def look(*, value: Any, **_: Any) -> None:
            nonlocal busy
            was_busy, busy = busy, bool(value)
            if was_busy and not busy:
                self._finish(status, before)

        def look_for_loss(*, connected: bool, **_: Any) -> None:
            if not connected:
                end(status, ExposureError(f"{self.prefix} does not answer: its IOC went away while exposing"))

        def forget(_: Any) -> None:
            done.clear_sub(look)
            done.clear_sub(look_for_loss)

        status.add_callback(forget)
        done.subscribe(look, run=False)
        done.subscribe(look_for_loss, event_type=done.SUB_META, run=False)
        self._exposure = status
        self.cam.acquire.put(1, wait=False)
        return status

    def for_run(self, key: str) -> None:
        """Say whose frames follow, where several runs share an open file."""
        self.hdf.for_run(key)

    def last_frame(self) -> np.ndarray:
        """Counts of the frame taken last, from its file; shape (rows, columns).

        Raises
        ------
        ExposureError
            If the file cannot be read here.
        """
        import h5py
        import hdf5plugin  # noqa: F401 - registers the filters that detectors compress with

        path = self.hdf.open_file
        index = int(self.hdf.num_captured.get(use_monitor=False)) - 1
        try:
            with h5py.File(path, "r", swmr=True, locking=False) as file:
                stored = file[FRAMES_DATASET]
                assert isinstance(stored, h5py.Dataset)
                return stored[index]
        except (OSError, KeyError, IndexError, ValueError) as error:
            raise ExposureError(f"frame {index} of {path} cannot be read here: {error}") from error

    def stage(self) -> list[object]:
        """Open a file; what was left of an unstaging that the IOC did not answer is done before.

        Raises
        ------
        ExposureError
            If a PV that a frame needs does not answer, or no file can be opened.
        """
        if self._staged is Staged.partially:
            self.unstage()
        try:
            parts = (self, self.cam, self.cam.array_size, self.hdf, self.hdf.array_size)
            connect_together(parts, BY_STAGING, FILE_S)
        except TimeoutError as error:
            raise ExposureError(f"{self.prefix} does not answer: {error}") from error
        return super().stage()

    def unstage(self) -> list[object]:
        """Close the file; an exposure still under way is given up, which is no failure.

        A failing status would reach the RunEngine in the middle of a plan's finalizer.
        """
        if self._exposure is not None:
            end(self._exposure)
        return super().unstage()

    def _finish(self, status: DeviceStatus, before: int) -> None:
        captured = int(self.hdf.num_captured.get(use_monitor=False))
        if captured != before + 1:
            why = self.cam.status_message.get() or self.hdf.write_message.get() or "no reason given"
            end(status, ExposureError(f"{self.prefix}: the exposure gave no frame: {why}"))
            return
        if not status.done:
            self.hdf.generate_datum(self.image_key, time.time(), {"point_number": captured - 1})
        end(status)

    def stop(self, *, success: bool = False) -> None:
        """End a running exposure; its frame is not written. There is none where the IOC is away."""
        if self.cam.acquire.connected:
            self.cam.acquire.put(0, wait=False)

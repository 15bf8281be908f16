"""Simulated diffractometer: camera, HDF5 plugin, sample stage, shutter and the instrument's clock."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import json
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from caproto import ChannelType
from caproto.server import PVGroup, pvproperty

from intercalate.cycler_server.text_pv import from_wire, text_keywords, to_wire
from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.iocs.area_detector import CameraPVs, HDF5PluginPVs
from intercalate_sims.iocs.frame_file import FrameFile
from intercalate_sims.iocs.stage import StagePVs
from intercalate_sims.link import InstrumentLink
from intercalate_sims.probes.detector import DetectorGeometry, write_stamp
from intercalate_sims.probes.diffraction import DEFAULT_FLUX_PHOTONS_S, DiffractionProbe
from intercalate_sims.probes.powder import CellMakeup

log = logging.getLogger(__name__)

EPICS_EPOCH_UNIX_S = 631152000.0
"""1990-01-01 UTC: areaDetector time stamps count from here."""

METADATA_BYTES = 16384

WINDOW_RADIUS_MM = 3.0
"""Of the cell's X-ray window; outside there is no sample in the beam."""


@dataclass(frozen=True)
class DiffractometerSettings:
    """What the simulated instrument is, apart from what a client can set.

    Attributes
    ----------
    cell, cell_model
        Name of the world's cell in the beam, and its model.
    seed
        Of the counting noise.
    flux_photons_s
        At the sample.
    clock_offset_s, clock_drift_ppm
        Of the instrument's clock against the world's.
    truth_path
        JSON lines with what was really in the beam, one per frame; no reduction reads it.
    """

    cell: str
    cell_model: str
    seed: int
    truth_path: Path
    flux_photons_s: float = DEFAULT_FLUX_PHOTONS_S
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0


class ShutterPVs(PVGroup):
    """Fast shutter in front of the sample."""

    command = pvproperty(name="Shutter", value=0, dtype=ChannelType.ENUM, enum_strings=["closed", "open"])
    readback = pvproperty(
        name="Shutter_RBV", value=0, dtype=ChannelType.ENUM, enum_strings=["closed", "open"], read_only=True
    )

    @command.putter
    async def command(self, instance: Any, value: Any) -> Any:
        await self.readback.write(value, verify_value=False)
        return value

    @property
    def is_open(self) -> bool:
        """Whether the beam reaches the sample."""
        return self.readback.value in (1, "open")


class ClockPVs(PVGroup):
    """The instrument's own clock and its sign of life."""

    unix_time = pvproperty(name="UnixTime", value=0.0, units="s", precision=3, read_only=True)
    heartbeat = pvproperty(name="Heartbeat", value=0, dtype=ChannelType.LONG, read_only=True)
    simulated = pvproperty(name="Simulated", **text_keywords(METADATA_BYTES), read_only=True)

    def __init__(self, *args: Any, instrument: "SimulatedDiffractometer", **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._instrument = instrument

    @unix_time.getter
    async def unix_time(self, instance: Any) -> float:
        status = await self._instrument.link.status()
        return self._instrument.by_own_clock(status["unix_s"])


class SimulatedDiffractometer:
    """An area detector, a stage and a shutter around one cell of the world."""

    def __init__(self, prefix: str, link: InstrumentLink, settings: DiffractometerSettings):
        self.link = link
        self.settings = settings
        self._probe = DiffractionProbe(
            DetectorGeometry(),
            makeup_of(settings.cell_model),
            seed=settings.seed,
            instrument="diffractometer",
        )
        self.camera = CameraPVs(prefix=f"{prefix}cam1:")
        self.plugin = HDF5PluginPVs(prefix=f"{prefix}HDF1:")
        self.stage = StagePVs(prefix=prefix)
        self.shutter = ShutterPVs(prefix=prefix)
        self.clock = ClockPVs(prefix=prefix, instrument=self)
        self.camera.hooks["Acquire"] = self._on_acquire
        self.plugin.hooks["Capture"] = self._on_capture
        self.plugin.hooks["FilePath"] = self._on_file_path
        self._file: FrameFile | None = None
        self._acquisition: asyncio.Task[None] | None = None
        self._world: dict[str, Any] = {}
        self._counter = self._frames_so_far()

    def write_calibration(self, folder: Path) -> None:
        """Write geometry and mask as a beamline's calibration would leave them."""
        (folder / "diffractometer.poni").write_text(self._probe.geometry_poni())
        np.save(folder / "diffractometer_mask.npy", self._probe.mask)

    @property
    def pvdb(self) -> dict[str, Any]:
        """Every PV by its full name."""
        groups = (self.camera, self.plugin, self.stage, self.shutter, self.clock)
        return {name: pv for group in groups for name, pv in group.pvdb.items()}

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self.link.run(), self._live()]

    def by_own_clock(self, unix_s: float) -> float:
        """The world's time as this instrument's clock shows it."""
        since_s = unix_s - self._world["t0_unix_s"] if self._world else 0.0
        return unix_s + self.settings.clock_offset_s + since_s * self.settings.clock_drift_ppm * 1e-6

    def _frames_so_far(self) -> int:
        path = self.settings.truth_path
        return sum(1 for _ in path.open("rb")) if path.exists() else 0

    async def _live(self) -> None:
        await self._serve_constants()
        while True:
            if not self._world and self.link.up:
                self._world = await self.link.status()
                text = json.dumps(self._describe())
                await self.clock.simulated.write(to_wire(text, METADATA_BYTES), verify_value=False)
                self.stage.set_rate(self._world["rate"])
            elif not self.link.up:
                self._world = {}
            await self.clock.heartbeat.write((self.clock.heartbeat.value + 1) % 2**31)
            await asyncio.sleep(0.5)

    def _describe(self) -> dict[str, Any]:
        return {
            "simulated": True,
            "seed": self.settings.seed,
            "cell": self._world["cells"][self.settings.cell],
            "cell_seed": self._world["seed"],
            "flux_photons_s": self.settings.flux_photons_s,
        }

    async def _serve_constants(self) -> None:
        rows, columns = self._probe.mask.shape
        await self.camera.show(
            ArraySizeX_RBV=columns,
            ArraySizeY_RBV=rows,
            ArraySize_RBV=4 * rows * columns,
            MaxSizeX_RBV=columns,
            MaxSizeY_RBV=rows,
            SizeX=columns,
            SizeY=rows,
        )
        await self.plugin.show(ArraySize0_RBV=columns, ArraySize1_RBV=rows, Compression="BSLZ4")
        # The first transforms take a second; they are made before the first client waits for one.
        await asyncio.to_thread(lambda: self._probe.mask)

    # HDF5 plugin

    async def _on_file_path(self, suffix: str, value: Any) -> Any:
        path = Path(from_wire(value))
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            await self._write_error(str(error))
        text = str(path).rstrip("/") + "/"
        await self.plugin.show(FilePathExists_RBV="Yes" if path.is_dir() else "No")
        return text

    async def _on_capture(self, suffix: str, value: Any) -> Any:
        wanted = value in (1, "Capture")
        if self._file is not None:
            self._file.close()
            self._file = None
        await self.plugin.show(SWMRActive_RBV="Off")
        if not wanted:
            return value
        number = self.plugin["FileNumber"].value
        name = self.plugin.text("FileTemplate") % (
            self.plugin.text("FilePath"),
            self.plugin.text("FileName"),
            number,
        )
        try:
            attributes = {**self._describe(), "poni": self._probe.geometry_poni()}
            self._file = await asyncio.to_thread(FrameFile, Path(name), self._probe.mask.shape, attributes)
        except (OSError, KeyError) as error:
            await self._write_error(f"{name}: {error}")
            return "Done"
        await self.plugin.show(
            FullFileName_RBV=name,
            FileNumber=number + 1,
            NumCaptured_RBV=0,
            WriteStatus="Write OK",
            WriteMessage="",
            SWMRActive_RBV="Active",
        )
        return value

    async def _write_error(self, message: str) -> None:
        log.error("frames cannot be written: %s", message)
        await self.plugin.show(WriteStatus="Write error", WriteMessage=message[:255])

    # Camera

    async def _on_acquire(self, suffix: str, value: Any) -> Any:
        if value not in (1, "Acquire"):
            if self._acquisition is not None:
                self._acquisition.cancel()
            return "Done"
        if self._acquisition is None or self._acquisition.done():
            self._acquisition = asyncio.ensure_future(self._acquire())
            await self.camera.show(Acquire="Acquire", DetectorState_RBV="Acquire")
        try:
            await asyncio.shield(self._acquisition)
            message, state = "", "Idle"
        except asyncio.CancelledError:
            message, state = "acquisition stopped", "Idle"
        except (ConnectionError, RuntimeError, OSError) as error:
            message, state = str(error), "Error"
        await self.camera.show(StatusMessage_RBV=message, DetectorState_RBV=state, Acquire="Done")
        return "Done"

    async def _acquire(self) -> None:
        images = 1 if self.camera["ImageMode"].value in (0, "Single") else self.camera["NumImages"].value
        exposure_s = float(self.camera["AcquireTime"].value)
        try:
            for number in range(images):
                message = await self.link.expose(self.settings.cell, exposure_s)
                await self._take(message, exposure_s)
                self.link.done()
                await self.camera.show(NumImagesCounter_RBV=number + 1, ArrayCounter=self._counter)
        finally:
            self.link.done()

    async def _take(self, message: dict[str, Any], exposure_s: float) -> None:
        """Make a frame of what was in the beam, and write it."""
        start, end = (self.by_own_clock(message[key]) for key in ("start_unix_s", "end_unix_s"))
        states = [(1.0 / len(message["states"]), state_of(s)) for s in message["states"]]
        in_beam = self.stage.distance_mm() <= WINDOW_RADIUS_MM
        open_ = self.shutter.is_open
        counter, self._counter = self._counter, self._counter + 1
        frame, truth = await asyncio.to_thread(
            self._make, states if in_beam else [], exposure_s, start, counter, open_
        )
        index = None
        if self._file is not None:
            try:
                index = await asyncio.to_thread(self._file.append, frame, start, end)
            except OSError as error:
                await self._write_error(str(error))
                raise
        self._keep_truth({"counter": counter, "file": str(self._file.path) if self._file else None,
                          "frame_index": index, "start_unix_s": message["start_unix_s"],
                          "end_unix_s": message["end_unix_s"], **truth})  # fmt: skip
        await self.plugin.show(
            TimeStamp_RBV=start - EPICS_EPOCH_UNIX_S, UniqueId_RBV=counter, ArrayCounter=counter
        )
        if index is not None:
            await self.plugin.show(NumCaptured_RBV=index + 1)

    def _make(
        self,
        states: list[tuple[float, ProbeState]],
        exposure_s: float,
        start: float,
        counter: int,
        open_: bool,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        if not (open_ and states):
            frame = np.zeros(self._probe.mask.shape, dtype=np.uint32)
            write_stamp(frame, counter)
            return frame, {}
        frame = self._probe.frame(states, exposure_s, start, self.settings.flux_photons_s, stamp=counter)
        return frame, self._probe.truth(states)

    def _keep_truth(self, truth: dict[str, Any]) -> None:
        with self.settings.truth_path.open("a") as sidecar:
            sidecar.write(json.dumps(truth) + "\n")


def makeup_of(cell_model: str) -> CellMakeup:
    """What surrounds the electrodes of a cell of this model."""
    if cell_model == "graphite-li":
        return CellMakeup(
            positive_collector="Cu",
            positive_collector_um=12.0,
            negative_collector_um=0.0,
            lithium_um=250.0,
            separator_um=25.0,
            window_um=50.0,
            area_cm2=1.539,
        )
    return CellMakeup(separator_um=12.0, window_um=50.0, area_cm2=1.539)


def state_of(message: dict[str, Any]) -> ProbeState:
    """State of a cell from its JSON form."""
    electrodes: dict[str, Any] = {}
    for side in ("positive", "negative"):
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in message[side].items()}
        electrodes[side] = ElectrodeState(**fields)
    return ProbeState(**{**message, **electrodes})

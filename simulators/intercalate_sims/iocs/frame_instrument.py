"""A simulated instrument that takes frames: camera, HDF5 plugin, monitors, shutter, clock, sample stage."""

# caproto's handlers carry the name of the PV they belong to, and its types are narrower than its use.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from intercalate.cycler_server.text_pv import from_wire
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.changer import Changer, InBeam
from intercalate_sims.iocs.area_detector import CameraPVs, HDF5PluginPVs
from intercalate_sims.iocs.clock import LIVE_S, ClockPVs
from intercalate_sims.iocs.frame_file import FrameFile
from intercalate_sims.iocs.laser import ObjectivePVs
from intercalate_sims.iocs.monitors import CounterPVs, MonitorPVs
from intercalate_sims.iocs.shutter import ShutterPVs
from intercalate_sims.iocs.stage import StagePVs
from intercalate_sims.irradiation import Inactive
from intercalate_sims.link import InstrumentLink
from intercalate_sims.milling import Cut
from intercalate_sims.probes.shot import Shot
from intercalate_sims.vessel import IN_VESSEL

log = logging.getLogger(__name__)

EPICS_EPOCH_UNIX_S = 631152000.0
"""1990-01-01 UTC: areaDetector time stamps count from here."""


class Settings(Protocol):
    """PVs by which a client says how an exposure is made."""

    pvdb: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """What the probe must know of them."""
        ...


class Probe(Protocol):
    """What an exposure leaves on the detector and in the monitors.

    Attributes
    ----------
    shape
        Of a frame.
    cells
        Names of the contents whose states an exposure needs.
    """

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def cells(self) -> Collection[str]: ...

    def take(self, shot: Shot, stamp: int) -> tuple[np.ndarray, Any, dict[str, Any]]:
        """Frame, monitor counts, and what they were made from."""
        ...

    def count(self, shot: Shot) -> Any:
        """Monitor counts of an exposure."""
        ...


@dataclass(frozen=True)
class InstrumentSettings:
    """What the simulated instrument is, apart from what a client can set.

    Attributes
    ----------
    description
        What clients are told of the simulation, JSON-able.
    clock_offset_s, clock_drift_ppm
        Of the instrument's clock against the world's.
    truth_path
        JSON lines with what was really in the beam, one per frame; no reduction reads it.
    """

    description: dict[str, Any]
    truth_path: Path
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0


class FrameInstrument:
    """Detector, monitors and fast shutter, and where the sample is; what they see is the station's business.

    Parameters
    ----------
    stage
        That of another instrument, which looks at the same sample; None for one of its own.
    objective
        What moves the beam over the sample, and where it is beside the stage's own position; None where
        nothing does.
    shares_objective
        Whether it is that of another instrument, which serves it.
    monitors
        Class of the monitors.
    settings_of_exposures
        PVs by which clients say how an exposure is made, besides its duration.
    surroundings
        What is around the sample, as the probe must know it; asked at every exposure.
    """

    def __init__(
        self,
        prefix: str,
        link: InstrumentLink,
        station: Probe,
        changer: Changer,
        settings: InstrumentSettings,
        *,
        stage: StagePVs | None = None,
        objective: ObjectivePVs | None = None,
        shares_objective: bool = False,
        monitors: type[CounterPVs] = MonitorPVs,
        settings_of_exposures: Settings | None = None,
        surroundings: Callable[[], dict[str, Any]] = dict,
    ):
        self.link = link
        self.settings = settings
        self.station = station
        self.changer = changer
        self.objective = objective
        self._asked = settings_of_exposures
        self._surroundings = surroundings
        self._exposing = asyncio.Lock()
        self.camera = CameraPVs(prefix=f"{prefix}cam1:")
        self.plugin = HDF5PluginPVs(prefix=f"{prefix}HDF1:")
        self.stage = stage or StagePVs(prefix=prefix)
        self._has_stage = stage is None
        self._has_objective = not shares_objective
        self.shutter = ShutterPVs(prefix=prefix, moved=link.shutter)
        self.monitors = monitors(prefix=f"{prefix}Monitor:", count=self._count)
        self.clock = ClockPVs(prefix=prefix, now=self._own_time)
        link.shutter(False)
        self.camera.hooks["Acquire"] = self._on_acquire
        self.plugin.hooks["Capture"] = self._on_capture
        self.plugin.hooks["FilePath"] = self._on_file_path
        self._file: FrameFile | None = None
        self._acquisition: asyncio.Task[None] | None = None
        self.world: dict[str, Any] = {}
        self.next_number = self._number_after_the_last()

    def takes_turns_with(self, other: "FrameInstrument") -> None:
        """Look through the same optics as another: one exposes at a time, and one shutter is open."""
        self._exposing = other._exposing
        self.shutter.others.append(other.shutter)
        other.shutter.others.append(self.shutter)

    @property
    def pvdb(self) -> dict[str, Any]:
        """Every PV by its full name."""
        groups: list[Any] = [self.camera, self.plugin, self.shutter, self.monitors, self.clock]
        groups += [self.stage] if self._has_stage else []
        groups += [self._asked] if self._asked is not None else []
        groups += [self.objective] if self.objective is not None and self._has_objective else []
        return {name: pv for group in groups for name, pv in group.pvdb.items()}

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside the PVs."""
        return [self.link.run(), self._live()]

    def by_own_clock(self, unix_s: float) -> float:
        """The world's time as this instrument's clock shows it."""
        since_s = unix_s - self.world["t0_unix_s"] if self.world else 0.0
        return unix_s + self.settings.clock_offset_s + since_s * self.settings.clock_drift_ppm * 1e-6

    async def _own_time(self) -> float:
        return self.by_own_clock((await self.link.status())["unix_s"])

    def _number_after_the_last(self) -> int:
        """One more than the last that was kept: some were given to frames that never came to be."""
        path = self.settings.truth_path
        lines = path.read_bytes().splitlines() if path.exists() else []
        return json.loads(lines[-1])["counter"] + 1 if lines else 0

    async def _live(self) -> None:
        await self._serve_constants()
        while True:
            if not self.world and self.link.up:
                await self._meet_world()
            elif not self.link.up:
                self.world = {}
            await self.clock.beat()
            await asyncio.sleep(LIVE_S)

    async def _meet_world(self) -> None:
        self.world = await self.link.status()
        await self.clock.describe(self._describe())
        moving: Any
        for moving in (self.stage, self.objective, self._asked):
            if hasattr(moving, "set_rate"):
                moving.set_rate(self.world["rate"])

    def _describe(self) -> dict[str, Any]:
        return {**self.settings.description, "cells": self.world["cells"], "cell_seed": self.world["seed"]}

    async def _serve_constants(self) -> None:
        rows, columns = self.station.shape
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
            if not self.world:
                await self._meet_world()
            self._file = await asyncio.to_thread(FrameFile, Path(name), self.station.shape, self._describe())
        except (OSError, RuntimeError) as error:
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
        except (ConnectionError, RuntimeError, OSError, ValueError) as error:
            message, state = str(error), "Error"
        await self.camera.show(StatusMessage_RBV=message, DetectorState_RBV=state, Acquire="Done")
        return "Done"

    async def _acquire(self) -> None:
        images = 1 if self.camera["ImageMode"].value in (0, "Single") else self.camera["NumImages"].value
        exposure_s = float(self.camera["AcquireTime"].value)
        for number in range(images):
            async with self._exposed(exposure_s, self._behind_shutter()) as (shot, message):
                await self._take(shot, message)
            await self.camera.show(NumImagesCounter_RBV=number + 1, ArrayCounter=self.next_number)

    async def _count(self, count_s: float) -> None:
        async with self._exposed(count_s, nullcontext()) as (shot, _):
            await self.monitors.show(self.station.count(shot), count_s)

    @asynccontextmanager
    async def _exposed(
        self, exposure_s: float, shutter: AbstractAsyncContextManager[None]
    ) -> AsyncIterator[tuple[Shot, dict[str, Any]]]:
        """Expose what is in the beam; at the end of the context the world's clock goes on."""
        async with self._exposing:
            position_mm, focus_um = self.position_mm, self._focus_um
            content = self.changer.content_near(*position_mm)
            cell = content if content in (*self.station.cells, IN_VESSEL) else None
            try:
                async with shutter:
                    message = await self.link.expose(cell, exposure_s, self.changer.place_near(*position_mm))
                in_beam = self.changer.in_beam(*position_mm, tuple(message["size_mm"]))
                if cell is not None and in_beam.holder is not None:
                    # A cell may be carried away, or have arrived in a vessel.
                    there = replace(in_beam.holder, content=message["cell"])
                    in_beam = replace(in_beam, holder=there)
                yield self.shot(message, exposure_s, in_beam, focus_um), message
            finally:
                self.link.done()

    @asynccontextmanager
    async def _behind_shutter(self) -> AsyncIterator[None]:
        """Open the shutter for an exposure, where the camera is set to do so."""
        if self.camera["ShutterMode"].value not in (1, "EPICS PV"):
            yield
            return
        await self.shutter.move("open")
        try:
            yield
        finally:
            await self.shutter.move("closed")

    @property
    def position_mm(self) -> tuple[float, float]:
        """Of the beam, by the stage and what moves the beam over the sample."""
        x_mm, y_mm = self.stage.position_mm
        dx_mm, dy_mm = (0.0, 0.0) if self.objective is None else self.objective.offset_mm
        return x_mm + dx_mm, y_mm + dy_mm

    @property
    def _focus_um(self) -> float:
        return 0.0 if self.objective is None else self.objective.focus_um

    def shot(
        self, message: dict[str, Any], exposure_s: float, in_beam: InBeam, focus_um: float = 0.0
    ) -> Shot:
        """An exposure as this instrument sees it, made of what the world tells at its end."""
        states = [ProbeState.from_dict(state) for state in message["states"]]
        return Shot(
            start_s=self.by_own_clock(message["start_unix_s"]),
            exposure_s=exposure_s,
            photons_s=message["photons_s"],
            full_photons_s=message["full_photons_s"],
            energy_kev=message["energy_kev"],
            size_mm=tuple(message["size_mm"]),
            in_beam=in_beam,
            focus_um=focus_um,
            elapsed_s=message["start_s"],
            settings={**self._surroundings(), **({} if self._asked is None else self._asked.settings)},
            states=list(zip(message["weights"], states)),
            inactive=[Inactive.from_dict(one) for one in message["inactive"]],
            burnt_j_cm2=message["burnt_j_cm2"],
            face=message.get("face", ""),
            air_mbar_s=message.get("air_mbar_s", 0.0),
            marker_gpa=message.get("marker_gpa", 0.0),
            milled=[Cut(**one) for one in message.get("milled", ())],
            sputtered=[Cut(**one) for one in message.get("sputtered", ())],
        )

    async def _take(self, shot: Shot, message: dict[str, Any]) -> None:
        """Make a frame of what was in the beam, and write it."""
        end_s = self.by_own_clock(message["end_unix_s"])
        counter, self.next_number = self.next_number, self.next_number + 1
        frame, counts, truth = await asyncio.to_thread(self.station.take, shot, counter)
        index = None
        if self._file is not None:
            try:
                index = await asyncio.to_thread(self._file.append, frame, shot.start_s, end_s)
            except OSError as error:
                await self._write_error(str(error))
                raise
        self._keep_truth({"counter": counter, "file": str(self._file.path) if self._file else None,
                          "frame_index": index, "start_unix_s": message["start_unix_s"],
                          "end_unix_s": message["end_unix_s"], **truth})  # fmt: skip
        await self.monitors.show(counts, shot.exposure_s, counter)
        await self.plugin.show(
            TimeStamp_RBV=shot.start_s - EPICS_EPOCH_UNIX_S, UniqueId_RBV=counter, ArrayCounter=counter
        )
        if index is not None:
            await self.plugin.show(NumCaptured_RBV=index + 1)

    def _keep_truth(self, truth: dict[str, Any]) -> None:
        with self.settings.truth_path.open("a") as sidecar:
            sidecar.write(json.dumps(truth) + "\n")

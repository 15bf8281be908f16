"""A simulated operando lithiation in one process, without Channel Access, RunEngine and catalog.

Cell model, channel, cycler executor, diffraction station, alignment and reduction are those of the simulated
beamline; the frames' clock is the cycler's, and the cell is in the middle of the beam.
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from benchmarks.bench_chain import EXPOSURE_S, Calibrated, Instrument, calibrated, monitor
from intercalate.analysis import Exposure, phases_of, reduce_and_fit
from intercalate.beam_quality import BeamQuality
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.contract import IMPEDANCE_COLUMNS, RECORD_COLUMNS, ControlMode, OnLoss, StepType
from intercalate.cycler_server.executor import ChannelExecutor
from intercalate.cycler_server.ledger import ProgramLedger
from intercalate.cycler_server.records import RecordFile
from intercalate.protocol import Protocol, SiteLimits, bind
from intercalate.reduction.staging import lithium_by_spacing
from intercalate_plans.studies import Cells, MeasuredCell, Settings, Study, merged, one_cell, only
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import ProbeState, Reading
from intercalate_sims.channel import SimulatedChannel
from intercalate_sims.probes.diffraction import truth_of
from intercalate_sims.probes.lattice import LITHIUM_RICH

T0_UNIX_S = 1_700_000_000.0
STATES_PER_FRAME = 3
EXACT = 1e-6
"""In the place of an error of 0, by which nothing can be weighed."""
FIRST_CELL = "A1"
"""Of the simulator, in the place of the first channel."""

READ = tuple(one.name for one in fields(Reading))

States = list[tuple[float, ProbeState]]
Instruments = dict[str, tuple[Instrument, Calibrated]]
"""With their calibrations, by the models of the cells that they measure."""


class CellOnChannel:
    """A cell, its channel and the executor; time passes when it is told to."""

    rate = 1.0
    up = True

    def __init__(
        self, model: str, seed: int, active_mass: float, folder: Path, site: SiteLimits, **options: Any
    ):
        area_cm2 = make_cell(model, seed=seed, **options).describe()["area_cm2"] * active_mass
        self.cell = make_cell(model, seed=seed, area_cm2=area_cm2, **options)
        self.dt_s = self.cell.dt_s
        self.site = site
        self._control = (ControlMode.REST, 0.0)
        # The channel knows of its rig what this class has of it.
        channel: Any = SimulatedChannel("CH1", "A1", self)  # pyright: ignore[reportArgumentType]
        self._channel = channel
        self.records = RecordFile(folder / "records.f8")
        self.executor = ChannelExecutor(
            channel,
            self.records,
            RecordFile(folder / "impedances.f8", IMPEDANCE_COLUMNS),
            ProgramLedger(folder / "programs.jsonl"),
            site,
        )
        channel.found()
        self.step()

    def apply(self, cell: str, mode: ControlMode, setpoint: float, *, at_once: bool = False) -> None:
        """See `SimulatedRig`."""
        self._control = (mode, setpoint)

    def unix_time_s(self) -> float:
        """See `SimulatedRig`."""
        return T0_UNIX_S + self.cell.reading().time_s

    def step(self) -> None:
        """Let one step of cell time pass."""
        mode, setpoint = self._control
        reading = self.cell.advance(mode, setpoint)
        shown = {name: getattr(reading, name) for name in READ}
        message = {"mode": mode, "setpoint": setpoint, "reading": shown}
        self._channel.take(self.unix_time_s(), message)

    def run(
        self, name: str, protocol: Protocol, cell: Cell, *, every_s: float | None = None
    ) -> tuple[xr.Dataset, list[tuple[float, States]]]:
        """Execute a protocol.

        Returns
        -------
        records
            Along `record`.
        exposures
            Start in unix seconds and states of each frame, one every `every_s`.
        """
        first = len(self.records)
        self.executor.load(name, bind(protocol, cell, self.site), OnLoss.CONTINUE)
        self.executor.start(name)
        exposures: list[tuple[float, States]] = []
        due_s = self.unix_time_s() if every_s else float("inf")
        while self.executor.run is not None:
            self.step()
            now_s = self.unix_time_s()
            if now_s >= due_s:
                exposures.append((now_s, []))
                due_s += every_s or 0.0
            if exposures and self._is_sampled(now_s - exposures[-1][0], len(exposures[-1][1])):
                exposures[-1][1].append((1.0, self.cell.probe_state()))
        return self._records_since(first), [one for one in exposures if len(one[1]) == STATES_PER_FRAME]

    def run_held(self, name: str, protocol: Protocol, cell: Cell) -> tuple[xr.Dataset, list[ProbeState]]:
        """Execute a protocol, releasing each hold at once; records, and the state at each hold."""
        first = len(self.records)
        self.executor.load(name, bind(protocol, cell, self.site), OnLoss.CONTINUE)
        self.executor.start(name)
        states = []
        while self.executor.run is not None:
            self.step()
            run = self.executor.run
            if run is not None and run.segment.step_type is StepType.WAIT_FOR_RELEASE:
                states.append(self.cell.probe_state())
                self.executor.release()
        return self._records_since(first), states

    def _records_since(self, first: int) -> xr.Dataset:
        if self.executor.latched is not None:
            raise RuntimeError(f"the program did not reach its end: {self.executor.latched}")
        self.records.sync()
        rows = self.records.read(first, 10**6)
        return xr.Dataset({key: ("record", rows[:, i]) for i, key in enumerate(RECORD_COLUMNS)})

    @staticmethod
    def _is_sampled(since_s: float, taken: int) -> bool:
        return taken < STATES_PER_FRAME and since_s >= (taken + 0.5) * EXPOSURE_S / STATES_PER_FRAME


@dataclass(frozen=True)
class Measured:
    """What an analysis is given, and, apart from it, the same with the truth in the place of what was fitted
    and reckoned, and without errors.
    """

    cells: Cells
    true_cells: Cells

    @classmethod
    def of_one(cls, records: xr.Dataset, frames: xr.Dataset, true_frames: xr.Dataset) -> Self:
        """A single cell with a single measurement."""
        return cls(one_cell(records, frames), one_cell(records, true_frames))


def reduced(
    instrument: Instrument,
    known: Calibrated,
    cell: Cell,
    records: xr.Dataset,
    exposures: Sequence[tuple[float, States]],
    name: str = FIRST_CELL,
) -> Measured:
    """Expose the cell of this name, reduce, fit and align."""
    shots = [instrument.take(name, EXPOSURE_S, states) for _, states in exposures]
    quality = [Exposure(monitor(counts, EXPOSURE_S), BeamQuality.VALID) for _, counts in shots]
    frames: Any = [frame for frame, _ in shots]
    fitted = reduce_and_fit(frames, quality, known.chain, phases_of(cell), options=known.options)
    start_s = np.array([start for start, _ in exposures])
    times = FrameTimes(np.arange(len(shots)), start_s, np.full(len(shots), EXPOSURE_S))
    clock = ClockModel.assumed(0.0, 0.01, "one clock")
    aligned = align_frames(records, times, clock, cell=cell)
    merged = aligned.drop_vars("frame").merge(fitted.drop_vars("frame", errors="ignore"))
    merged.attrs["electrolyte"] = "" if cell.electrolyte is None else cell.electrolyte.name
    truth = [truth_of(states)["positive"] for _, states in exposures]
    return Measured.of_one(records, merged, merged.assign(_exact(truth)))


def _exact(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Columns of what is true of the working electrode in each frame."""
    made = {"LFP": _of_olivine, LITHIUM_RICH: _of_layers}.get(rows[0]["material"], _of_graphite)
    columns = made(rows)
    errors = {
        f"{name}_sigma{kind}": ("frame", np.zeros(len(rows)))
        for name in columns
        for kind in ([""] if name == "x_positive" else ["_stat", "_sys"])
    }
    return {name: ("frame", np.array(column)) for name, column in columns.items()} | errors


def _of_olivine(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    phases = {key: [row["phases"].get(key, {}) for row in rows] for key in ("LFP", "FePO4")}
    unknown = [np.nan] * 3
    return {
        "x_positive": [row["li_content"] for row in rows],
        "lithium_rich_fraction": [one.get("fraction", 0.0) for one in phases["LFP"]],
        **{
            f"{key}.{name}": [one.get("lengths_angstrom", unknown)[axis] for one in found]
            for key, found in phases.items()
            for axis, name in enumerate("abc")
        },
    }


def _of_layers(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    return {
        "x_positive": [row["li_content"] for row in rows],
        f"{LITHIUM_RICH}.a": [row["a_angstrom"] for row in rows],
        f"{LITHIUM_RICH}.c": [row["c_angstrom"] for row in rows],
    }


def _of_graphite(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    stage_1 = [row["stages"].get("1", {}) for row in rows]
    return {
        "x_positive": [row["li_content"] for row in rows],
        "stage_1_fraction": [row["stage_1_fraction"] for row in rows],
        "graphite.d": [row.get("poor_layer_spacing_angstrom", np.nan) for row in rows],
        "graphite.a": [row.get("poor_in_plane_a_angstrom", np.nan) for row in rows],
        "LiC6.d": [row.get("layer_spacing_angstrom", np.nan) for row in stage_1],
        "LiC6.a": [row.get("in_plane_a_angstrom", np.nan) for row in stage_1],
    }


def model_and_host(told: Settings) -> tuple[str, dict[str, Any]]:
    """Model of the first cell, and the option that says which host it has, if it is not the usual one."""
    host = told.get("hosts", {}).get(FIRST_CELL)
    return told["cells"][FIRST_CELL], {} if host is None else {"host": Host(host)}


def lithiated(
    instrument: Instrument, known: Calibrated, study: Study, told: Settings, seed: int, folder: Path
) -> Measured:
    """Do what a study of one cell with frames at even times says, in a cell as the simulator is told."""
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    *formation, experiment = (one.cells[0] for one in study.experiments(site))
    (task,) = experiment.measurements
    if task.exposure_s != EXPOSURE_S or task.when.every is None:
        raise ValueError(f"{study.id}: only frames of {EXPOSURE_S:g} s at even times are made in one process")
    active_mass = instrument.hidden.cell(FIRST_CELL).active_mass
    model, options = model_and_host(told)
    world = CellOnChannel(model, seed, active_mass, folder, site, **options)
    for one in formation:
        world.run("formation", one.protocol, one.cell)
    records, exposures = world.run(
        "measured", experiment.protocol, experiment.cell, every_s=task.when.every.time_s
    )
    return reduced(instrument, known, experiment.cell, records, exposures)


def side_by_side(study: Study, told: Settings, seed: int, folder: Path, instruments: Instruments) -> Measured:
    """Do what a study of several cells in one beam says, all with frames at the same even times."""
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    shipped = tomllib.loads((EXAMPLES / "config" / "simulation.toml").read_text())
    settings = merged(shipped, told)
    (experiment,) = study.experiments(site)
    in_place = {one.place: settings["holders"][one.place]["content"] for one in experiment.cells}
    models = {name: settings["cells"][name] for name in in_place.values()}
    key = json.dumps(models)
    if key not in instruments:
        first, *others = models
        if first != FIRST_CELL:
            raise ValueError(f"{study.id}: the first cell is {first}, only {FIRST_CELL} can be")
        instrument = Instrument(seed, models[first], {name: models[name] for name in others})
        instruments[key] = (instrument, calibrated(instrument))
    instrument, known = instruments[key]
    found, true = {}, {}
    for one in experiment.cells:
        name = in_place[one.place]
        (task,) = one.measurements
        if task.exposure_s != EXPOSURE_S or task.when.every is None:
            raise ValueError(f"{study.id}: only frames of {EXPOSURE_S:g} s at even times are made here")
        host = settings.get("hosts", {}).get(name)
        own = folder / name
        own.mkdir()
        world = CellOnChannel(
            models[name],
            seed + list(settings["cells"]).index(name),
            instrument.hidden.cell(name).active_mass,
            own,
            site,
            **({} if host is None else {"host": Host(host)}),
        )
        records, exposures = world.run("measured", one.protocol, one.cell, every_s=task.when.every.time_s)
        measured = reduced(instrument, known, one.cell, records, exposures, name)
        (_, frames), (_, exact) = only(measured.cells), only(measured.true_cells)
        found[one.place] = MeasuredCell(records, {task.name: frames})
        exact = exact.assign(_by_charge(frames, exact, instrument.hidden.cell(name).active_mass))
        true[one.place] = MeasuredCell(records, {task.name: exact})
    return Measured(found, true)


def _by_charge(frames: xr.Dataset, exact: xr.Dataset, active_mass: float) -> dict[str, Any]:
    """Columns of graphite of which the truth is how much charge each gram of it was given, and how much of
    that is lithium in it: with the spacing that stands for the true lithium content of the other stages.
    """
    charge, content, share = (
        np.asarray(one, float)
        for one in (frames["x_positive"], exact["x_positive"], exact["stage_1_fraction"])
    )
    given = charge[0] + (charge - charge[0]) / active_mass
    spacing = np.linspace(3.355, 3.525, 1000)
    by_spacing, _ = lithium_by_spacing(spacing)
    place = np.interp((content - share) / np.maximum(1.0 - share, EXACT), by_spacing, spacing)
    return {"x_positive": ("frame", given), "graphite.d": ("frame", place)}

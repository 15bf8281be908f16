"""A simulated half cell in reflection, in one process: frames by angle of incidence, and the truth."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import xarray as xr

from benchmarks.bench_chain import FLUX, Calibrated, Instrument
from benchmarks.in_process import CellOnChannel, Measured, model_and_host
from intercalate.analysis import Exposure
from intercalate.beam_quality import BeamQuality
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.contract import OnLoss
from intercalate.orchestration.tasks import INCIDENCE, MeasurementTask
from intercalate.protocol import Protocol, bind
from intercalate.reduction.chain import ReductionChain
from intercalate.reduction.depth import FRONT
from intercalate.reduction.pixels import average_dark
from intercalate.reflection import reduce_reflection, wedge
from intercalate_plans.studies import Settings, Study
from intercalate_sims.beam import Optics
from intercalate_sims.cell.interface import ProbeState

FIRST_CELL = "A1"
BEAM_MM = 0.5
"""As found, in both directions."""

Taken = list[tuple[float, ProbeState]]
"""Start in unix seconds, and the state in the middle, of each frame."""


class CellInReflection(CellOnChannel):
    """A cell that is measured where its state of charge falls through levels."""

    def run_down(
        self, name: str, protocol: Protocol, cell: Cell, levels: tuple[float, ...], exposure_s: float
    ) -> tuple[xr.Dataset, Taken]:
        """Execute a protocol; the records, and the frames."""
        first, taken = len(self.records), Taken()
        self.executor.load(name, bind(protocol, cell, self.site, initial_soc=0.0), OnLoss.CONTINUE)
        self.executor.start(name)
        capacity_ah = 1e-3 * (cell.capacity_mAh or np.nan)
        before, due_s = self.cell.reading().charge_ah / capacity_ah, np.inf
        while self.executor.run is not None:
            self.step()
            now_s, soc = self.unix_time_s(), self.cell.reading().charge_ah / capacity_ah
            if any(soc < level <= before for level in levels):
                due_s = now_s + exposure_s / 2
            before = soc
            if now_s >= due_s:
                taken.append((due_s - exposure_s / 2, self.cell.probe_state()))
                due_s = np.inf
        return self._records_since(first), taken


def reflected(
    instrument: Instrument, known: Calibrated, study: Study, told: Settings, seed: int, folder: Path
) -> Measured:
    """Do what a study of one cell in reflection says, in a cell as the simulator is told."""
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    (experiment,) = (one.cells[0] for one in study.experiments(site))
    (task,) = experiment.measurements
    levels = () if task.when.at is None else task.when.at.soc
    if not levels:
        raise ValueError(f"{study.id}: only frames at states of charge are made in reflection")
    model, options = model_and_host(told)
    active_mass = instrument.hidden.cell(FIRST_CELL).active_mass
    world = CellInReflection(model, seed, active_mass, folder, site, **options)
    records, taken = world.run_down("measured", experiment.protocol, experiment.cell, levels, task.exposure_s)
    return _reduced(instrument, known, task, experiment.cell, records, taken)


def _reduced(
    instrument: Instrument,
    known: Calibrated,
    task: MeasurementTask,
    cell: Cell,
    records: xr.Dataset,
    taken: Taken,
) -> Measured:
    (slit_mm,), angles = task.setting("slit_v_mm"), task.setting(INCIDENCE)
    size_mm = (BEAM_MM, float(slit_mm))
    passed = Optics(25.0, *size_mm).share / Optics(25.0, BEAM_MM, BEAM_MM).share
    incidence_deg = np.array([float(angles[number % len(angles)]) for number in range(len(taken))])
    frames: Any = [
        instrument.take(
            FIRST_CELL,
            task.exposure_s,
            [(1.0, state)],
            beam=(passed * FLUX, size_mm),
            settings={INCIDENCE: angle},
        )[0]
        for angle, (_, state) in zip(incidence_deg, taken)
    ]
    chain = _chain_of(instrument, known, task.exposure_s)
    exposures = [Exposure(quality=BeamQuality.VALID)] * len(frames)
    fitted = reduce_reflection(frames, exposures, incidence_deg, chain, cell, options=known.options)
    start_s = np.array([start for start, _ in taken])
    times = FrameTimes(np.arange(len(frames)), start_s, np.full(len(frames), task.exposure_s))
    aligned = align_frames(records, times, ClockModel.assumed(0.0, 0.01, "one clock"), cell=cell)
    merged = aligned.drop_vars("frame").merge(fitted.drop_vars("frame", errors="ignore"))
    return Measured.of_one(records, merged, merged.assign(_exact(merged, [state for _, state in taken])))


def _chain_of(instrument: Instrument, known: Calibrated, exposure_s: float) -> ReductionChain:
    """Of an instrument, with dark frames of this exposure; made once for all worlds of a seed."""
    if instrument not in _CHAINS:
        dark = average_dark(instrument.darks(exposure_s), exposure_s)
        _CHAINS[instrument] = wedge(known.chain.with_corrections(replace(known.chain.corrections, dark=dark)))
    return _CHAINS[instrument]


_CHAINS: WeakKeyDictionary[Instrument, ReductionChain] = WeakKeyDictionary()


def _exact(frames: xr.Dataset, states: list[ProbeState]) -> dict[str, tuple[str, np.ndarray]]:
    """Columns that an analysis would be given of a coating of two even parts, with what is truly in them."""
    contents = np.array([state.positive.li_content for state in states])
    # Slices count from the separator; one that is partly in front counts with that part.
    slices = contents.shape[1]
    inside = np.clip(FRONT * slices - np.arange(slices)[::-1], 0.0, 1.0)
    mean, front = contents.mean(axis=1), contents @ inside / inside.sum()
    visible = 1 - (1 - np.asarray(frames["front_share"], float)) / (2 * (1 - FRONT))
    seen = mean - visible * (mean - front)
    nothing = np.zeros(len(states))
    columns = {"x_positive": mean, "lithium_seen": seen}
    columns |= {f"lithium_seen_sigma_{kind}": nothing for kind in ("stat", "sys")}
    return {name: ("frame", column) for name, column in columns.items()}

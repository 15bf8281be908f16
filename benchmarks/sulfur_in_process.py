"""Diffraction and Raman spectra of cells of sulfur beside each other, in one process.

As in `in_process` and `maps_in_process`: cell model, executor, both instruments, calibration, reduction and
alignment of the beamline; the laser is in focus, and meets what is there in the first minute of an exposure.
The cell advances in steps of 8 s. Crystals that are the same in two worlds are measured once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.bench_chain import EXPOSURE_S, Calibrated, Instrument, calibrated, monitor
from benchmarks.in_process import EXACT, STATES_PER_FRAME, CellOnChannel, Instruments, Measured, States
from benchmarks.maps_in_process import Spectrometer
from intercalate.analysis import Exposure, reduce_and_quantify
from intercalate.beam_quality import BeamQuality
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.materials.raman_sulfur import SPECIES
from intercalate.raman_results import electrolyte_of
from intercalate.reduction.raman import Where, spectra_of_sulfur
from intercalate_plans.studies import MeasuredCell, Settings, Study
from intercalate_plans.studies.polysulfides import DIFFRACTION
from intercalate_sims.cell.hosts import Host
from intercalate_sims.probes.diffraction import truth_of

CELLS = {"H1": "A1", "H2": "B1"}
"""Of the simulator, by the places of the changer."""
STEP_S = 8.0
_DIFFRACTED: dict[tuple[str, Any], tuple[xr.Dataset, dict[str, Any]]] = {}
"""By the cell and all that is solid in it, on the instrument that was made last."""


def converted(study: Study, told: Settings, seed: int, folder: Path, instruments: Instruments) -> Measured:
    """Do what a study of diffraction and spectra at even times says, in cells of sulfur as told."""
    shipped = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    (experiment,) = study.experiments(shipped)
    models = told["cells"]
    key = "sulfur"
    if key not in instruments:
        _DIFFRACTED.clear()
        instrument = Instrument(seed, models["A1"], {"B1": models["B1"]})
        instruments[key] = (instrument, calibrated(instrument))
    instrument, known = instruments[key]
    spectrometers: dict[float, Spectrometer] = {}
    found, true = {}, {}
    for number, one in enumerate(experiment.cells):
        name = CELLS[one.label]
        tasks = {task.name: task for task in one.measurements}
        if any(task.when.every is None for task in tasks.values()):
            raise ValueError(f"{study.id}: only frames at even times are made here")
        if tasks[DIFFRACTION].exposure_s != EXPOSURE_S:
            raise ValueError(f"{study.id}: only patterns of {EXPOSURE_S:g} s are made here")
        for exposure_s in {task.exposure_s for key, task in tasks.items() if key != DIFFRACTION}:
            if exposure_s not in spectrometers:
                first_nm = told["raman"]["first_nm"]
                spectrometers[exposure_s] = Spectrometer(seed, exposure_s, first_nm=first_nm)
        periods = {key: task.when.every.time_s for key, task in tasks.items() if task.when.every is not None}
        shortest = min(period for period in periods.values() if period is not None)
        own = folder / name
        own.mkdir()
        host = Host(told.get("hosts", {}).get(name, Host.STAGED))
        mass = instrument.hidden.cell(name).active_mass
        world = CellOnChannel(
            models[name], seed + number, mass, own, study.site(shipped), host=host, dt_s=STEP_S
        )
        records, exposures = world.run("measured", one.protocol, one.cell, every_s=shortest)
        measured, exact = {}, {}
        for key, period in periods.items():
            assert period is not None
            chosen = exposures[:: round(period / shortest)]
            if key == DIFFRACTION:
                solid = tuple(tuple(truth_of(states)["positive"]["solid"].values()) for _, states in chosen)
                if (name, solid) not in _DIFFRACTED:
                    _DIFFRACTED[name, solid] = _diffracted(instrument, known, one.cell, chosen, name)
                frames, columns = _DIFFRACTED[name, solid]
            else:
                frames, columns = _scattered(
                    spectrometers[tasks[key].exposure_s], one.cell, chosen, name, tasks[key].spots_mm
                )
            data = _aligned(frames, records, one.cell, chosen, tasks[key].exposure_s)
            measured[key], exact[key] = data, data.assign(columns)
        found[one.label], true[one.label] = MeasuredCell(records, measured), MeasuredCell(records, exact)
    return Measured(found, true)


def _aligned(
    frames: xr.Dataset,
    records: xr.Dataset,
    cell: Cell,
    exposures: Sequence[tuple[float, States]],
    exposure_s: float,
) -> xr.Dataset:
    start_s = np.array([start for start, _ in exposures])
    times = FrameTimes(np.arange(len(exposures)), start_s, np.full(len(exposures), exposure_s))
    aligned = align_frames(records, times, ClockModel.assumed(0.0, 0.01, "one clock"), cell=cell)
    merged = aligned.drop_vars("frame").merge(frames.drop_vars("frame", errors="ignore"))
    assert cell.electrolyte is not None
    return merged.assign_attrs(electrolyte=cell.electrolyte.name)


def _diffracted(
    instrument: Instrument,
    known: Calibrated,
    cell: Cell,
    exposures: Sequence[tuple[float, States]],
    name: str,
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Amounts of crystals, and what is true of them."""
    shots = [instrument.take(name, EXPOSURE_S, states) for _, states in exposures]
    quality = [
        Exposure(monitor(counts, EXPOSURE_S), BeamQuality.VALID, follows=number > 0)
        for number, (_, counts) in enumerate(shots)
    ]
    frames: Any = [frame for frame, _ in shots]
    data = reduce_and_quantify(frames, quality, known.chain, cell)
    solid = [truth_of(states)["positive"]["solid"] for _, states in exposures]
    return data, _exact({f"amount.{key}": [row[key] / solid[0]["S8"] for row in solid] for key in solid[0]})


def _scattered(
    spectrometer: Spectrometer,
    cell: Cell,
    exposures: Sequence[tuple[float, States]],
    name: str,
    spots_mm: Sequence[tuple[float, float]],
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Amounts of species, and what is true of them."""
    frames, amounts = [], []
    for number, (_, states) in enumerate(exposures):
        x_mm, y_mm = spots_mm[number % len(spots_mm)]
        middle = states[STATES_PER_FRAME // 2][1]
        frames.append(spectrometer.take(name, middle, (1000.0 * x_mm, 1000.0 * y_mm)))
        amounts.append(spectrometer.truth["sulfur"])
    where = Where(spectrometer.truth["where"])
    data = spectra_of_sulfur(
        frames,
        spectrometer.dark,
        spectrometer.on_paper.detector,
        spectrometer.axis,
        electrolyte_of(cell),
    )
    return data, _exact({f"{where}.{key}": [row.get(key, 0.0) for row in amounts] for key in SPECIES})


def _exact(columns: dict[str, list[float]]) -> dict[str, Any]:
    """Columns with errors that are next to nothing."""
    errors = {
        f"{name}_sigma_{kind}": ("frame", np.full(len(column), EXACT))
        for name, column in columns.items()
        for kind in ("stat", "sys")
    }
    return {name: ("frame", np.array(column)) for name, column in columns.items()} | errors

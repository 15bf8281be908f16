"""Raman spectra of one particle of graphite through a cycle, in one process; as in `maps_in_process`."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.in_process import EXACT, CellOnChannel, Measured, model_and_host
from benchmarks.maps_in_process import Spectrometer
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.config import EXAMPLES, Config
from intercalate.materials.raman import DILUTE, INNER, STAGE_INDICES
from intercalate.reduction.raman import Regime, spectra_of_graphite
from intercalate_plans.studies import Settings, Study
from intercalate_sims.probes.raman import graphite_lines

OVERTONE_PER_CM = 2500.0
"""Above which a line is that one."""


def followed(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of spectra of one place at even times says, in a cell as the simulator is told."""
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    formation, experiment = (one.cells[0] for one in study.experiments(site))
    (task,) = experiment.measurements
    if task.when.every is None or len(task.spots_mm) != 1:
        raise ValueError(f"{study.id}: only spectra of one place at even times are made here")
    model, options = model_and_host(told)
    world = CellOnChannel(model, seed, 1.0, folder, site, **options)
    world.run("formation", formation.protocol, formation.cell)
    records, exposures = world.run(
        "measured", experiment.protocol, experiment.cell, every_s=task.when.every.time_s
    )
    spectrometer = Spectrometer(seed, task.exposure_s)
    x_mm, y_mm = task.spots_mm[0]
    frames, contents = [], []
    for _, states in exposures:
        frames.append(spectrometer.take("A1", states[0][1], (1000.0 * x_mm, 1000.0 * y_mm)))
        contents.append(spectrometer.truth["li_content"])
    start_s = np.array([start for start, _ in exposures])
    times = FrameTimes(np.arange(len(frames)), start_s, np.full(len(frames), task.exposure_s))
    clock = ClockModel.assumed(0.0, 0.01, "one clock")
    aligned = align_frames(records, times, clock, cell=experiment.cell)
    data = spectra_of_graphite(frames, spectrometer.dark, spectrometer.on_paper.detector, spectrometer.axis)
    measured = aligned.drop_vars("frame").merge(data)
    was_seen = np.isfinite(np.asarray(measured["2D.centre"], float))
    return Measured.of_one(records, measured, measured.assign(_exact(contents, was_seen)))


def _exact(contents: list[float], was_seen: np.ndarray) -> dict[str, Any]:
    """Regime of particles of real graphite, and the place of their 2D band where it was seen."""
    places = [[line.shift for line in graphite_lines(x) if line.shift > OVERTONE_PER_CM] for x in contents]
    centre = np.array([one[0] if one else np.nan for one in places])
    return {
        "graphite.regime": ("frame", np.array([str(_regime(x)) for x in contents])),
        "2D.centre": ("frame", np.where(was_seen, centre, np.nan)),
        "2D.centre_sigma_stat": ("frame", np.full(len(contents), EXACT)),
    }


def _regime(x: float) -> Regime:
    if x < DILUTE.li_content[1]:
        return Regime.DILUTE
    if x < INNER.li_content[0]:
        return Regime.TRANSITION
    return Regime.STAGED if x < STAGE_INDICES[-1].li_content else Regime.STAGE_2

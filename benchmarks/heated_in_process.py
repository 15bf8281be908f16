"""Micrographs and orientation maps of a face on a heated stage, in one process.

Microscope, stage and reductions are those of the chamber. Cell model, channel and cycler executor are those
of the beamline, as in `in_process`; there is one clock, and the stage is where it is wanted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.in_process import EXACT, T0_UNIX_S, CellOnChannel, Measured
from benchmarks.sections_in_process import Microscope, Scale
from intercalate.calibrations import Kind
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.ebsd_results import reduce_orientation_maps
from intercalate.orchestration.tasks import TEMPERATURE, MeasurementTask
from intercalate.sem_results import reduce_micrographs
from intercalate_plans.studies import MeasuredCell, Settings, Study
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.chamber import Chamber
from intercalate_sims.probes.ebsd import HiddenIndexing
from intercalate_sims.probes.ebsd_station import OrientationStation
from intercalate_sims.probes.sem_face import Heating
from intercalate_sims.probes.sem_image import HiddenMicroscope
from intercalate_sims.probes.sem_sample import HiddenSection, SectionLaw
from intercalate_sims.probes.sem_station import Specimens

CELL = "D1"
SETTLED_S = 3600.0
"""After which the stage has any temperature."""


def heated(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of images and maps at holds says, on a stage that is heated from hold to hold."""
    config = Config.from_file(EXAMPLES / "config" / "simulated.toml")
    (experiment,) = (one.cells[0] for one in study.experiments(config.site))
    images, maps = experiment.measurements
    world = CellOnChannel(told["cells"][CELL], seed, 1.0, folder, config.site)
    records, states = world.run_held("measured", experiment.protocol, experiment.cell)
    heating = Heating(told.get("vacuum", {}).get("heating", Heating.REAL))
    drawn = HiddenSection.draw(seed), SectionLaw.REAL, HiddenMicroscope.draw(seed), seed
    specimens = Specimens({}, *drawn, {CELL: experiment.cell.exposed_face or ""}, heating)
    microscope = Microscope(seed, specimens)
    assert config.ebsd is not None
    points, counting = config.ebsd.detector.points, config.ebsd.monitors
    screen = OrientationStation(
        specimens, points, HiddenIndexing.draw(seed), counting.particles_per_count, seed
    )
    stage, taken, truth = Chamber(time_s=0.0), {images.name: [], maps.name: []}, []
    for number, state in enumerate(states):
        stage.target_c = float(images.setting(TEMPERATURE)[number])
        stage.live(stage.time_s + SETTLED_S)
        settings = {"temperature_c": stage.stage_c, "freezes": stage.freezes}
        image = microscope.taken(
            microscope.shot(
                CELL,
                state,
                images.exposure_s,
                images.spots_mm[0],
                images.settings,
                detector=images.settings["image_detector"],
                **settings,
            )
        )
        taken[images.name].append((stage.stage_c, image))
        asked = {"step_um": maps.settings["step_um"], "tilt_deg": 70.0, **settings}
        shot = microscope.shot(CELL, state, maps.exposure_s, maps.spots_mm[0], maps.settings, **asked)
        frame, _, seen = screen.take(shot, 0)
        taken[maps.name].append((stage.stage_c, frame))
        truth.append(
            {
                **seen,
                "coverage": sum(microscope.truth["coverage"].values()),
                "is_molten": stage.stage_c > heating.melts_c,
            }
        )
    frames = {}
    for one in (images, maps):
        aligned = aligned_at(records, states, one, [to_c for to_c, _ in taken[one.name]], experiment.cell)
        pictures = [picture for _, picture in taken[one.name]]
        if one is images:
            known: Any = {str(Kind.SCALE): Scale(microscope.scale)}
            reduced, _ = reduce_micrographs(
                pictures, aligned, known, microscope.section, experiment.cell, lambda done: None
            )
        else:
            reduced, _ = reduce_orientation_maps(pictures, aligned, {}, config.ebsd, lambda done: None)
        frames[one.name] = aligned.drop_vars("frame").merge(reduced)
    true = {
        images.name: frames[images.name].assign(
            exact(coverage=[one["coverage"] for one in truth], same_relief=[1.0 for _ in truth])
        ),
        maps.name: frames[maps.name].assign(
            pattern_share=("frame", np.array([float(not one["is_molten"]) for one in truth])),
            **exact(same_area=[float(one["generation"] == truth[0]["generation"]) for one in truth]),
        ),
    }
    cells = ({"V2": MeasuredCell(records, one)} for one in (frames, true))
    return Measured(*cells)


def aligned_at(
    records: xr.Dataset,
    states: Sequence[ProbeState],
    task: MeasurementTask,
    temperatures_c: Sequence[float],
    cell: Cell,
) -> xr.Dataset:
    """Frames on the axis of the cycler, with what their events say."""
    count = len(states)
    start_s = np.array([T0_UNIX_S + one.time_s for one in states])
    times = FrameTimes(np.arange(count), start_s, np.full(count, task.exposure_s))
    aligned = align_frames(records, times, ClockModel.assumed(0.0, 0.01, "one clock"), cell=cell)
    settings: dict[str, Any] = task.settings
    spots_mm = [task.spots_mm[number % len(task.spots_mm)] for number in range(count)]
    told = {
        "chamber_temperature_c": temperatures_c,
        "column_field_of_view_um": [settings["field_of_view_um"]] * count,
        "spot_x_mm": [x_mm for x_mm, _ in spots_mm],
        "spot_y_mm": [y_mm for _, y_mm in spots_mm],
    }
    if "step_um" in settings:
        told["scan_step_um"] = [settings["step_um"]] * count
    return aligned.assign({name: ("frame", np.array(values, float)) for name, values in told.items()})


def exact(**columns: Sequence[float]) -> dict[str, Any]:
    """Columns of what is true, nearly without errors."""
    found: dict[str, Any] = {}
    for name, values in columns.items():
        found[name] = ("frame", np.array(values))
        for error in ("stat", "sys"):
            found[f"{name}_sigma_{error}"] = ("frame", np.full(len(values), EXACT))
    return found

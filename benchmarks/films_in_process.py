"""Images and X-ray maps of a film of lithium on a garnet, and maps of a cut, in one process.

Microscope, X-ray detector, calibrations and reductions are those of the chamber. Cell model, channel and
cycler executor are those of the beamline, as in `in_process`; there is one clock.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.heated_in_process import aligned_at
from benchmarks.in_process import CellOnChannel, Measured
from benchmarks.sections_in_process import Microscope, Scale
from intercalate.calibrations import Kind
from intercalate.cell import Cell
from intercalate.config import EXAMPLES, Config
from intercalate.materials.eds import WINDOWLESS_DETECTOR
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.protocol import Protocol
from intercalate.sem_results import reduce_micrographs, reduce_x_rays
from intercalate_plans.studies import MeasuredCell, Settings, Study, merged
from intercalate_sims.cell import between_electrodes_m, make_cell
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.probes.eds import HiddenDetector
from intercalate_sims.probes.eds_station import XrayMapStation
from intercalate_sims.probes.sem_image import HiddenMicroscope
from intercalate_sims.probes.sem_sample import HiddenSection, SectionLaw
from intercalate_sims.probes.sem_station import SectionedCell, Specimens, between_material, films_of
from intercalate_sims.probes.sem_thinning import Thinning

CELLS = {"V1": "C1", "V2": "D1"}
"""Of the simulator, by the places of the chamber."""


def filmed(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of a film and of a cut says, where lithium thins as the simulator is told."""
    shipped = Config.from_file(EXAMPLES / "config" / "simulated.toml").model_dump(mode="json")
    config = Config.model_validate(merged(shipped, study.about.beamline))
    assert config.eds is not None
    (experiment,) = study.experiments(config.site)
    faces = {
        CELLS[one.label]: one.cell.exposed_face or ""
        for one in experiment.cells
        if one.cell.exposed_face != "section"
    }
    models: dict[str, str] = told["cells"]
    sections = {
        name: SectionedCell(
            make_cell(model).probe_state(), between_electrodes_m(model) * 1e6, between_material(model)
        )
        for name, model in models.items()
        if name not in faces
    }
    thinning = Thinning(told["vacuum"].get("sem", {}).get("thinning", Thinning.REAL))
    drawn = HiddenSection.draw(seed), SectionLaw.REAL, HiddenMicroscope.draw(seed), seed
    films = films_of(models, faces)
    specimens = Specimens(sections, *drawn, faces, films=films, thinning=thinning)
    microscope = Microscope(seed, specimens)
    counting = config.eds.monitors.particles_per_count
    points = config.eds.detector.points
    x_rays = XrayMapStation(specimens, WINDOWLESS_DETECTOR, HiddenDetector.draw(seed), counting, seed, points)
    found, true = {}, {}
    for number, one in enumerate(experiment.cells):
        name = CELLS[one.label]
        # The third and fourth cell of the simulator, whose seeds follow each other.
        records, states = _states(
            models[name],
            seed + 2 + number,
            one.protocol.model_dump_json(),
            one.cell.model_dump_json(),
            str(folder / name),
        )
        frames, exact = {}, {}
        for task in one.measurements:
            # A hold is released at once here: the charge while a frame was taken is that at its start.
            at_once = task.model_copy(update={"exposure_s": 1.0})
            aligned = aligned_at(records, states, at_once, [25.0] * len(states), one.cell)
            kv = np.full(len(states), float(str(task.settings["voltage_kv"])))
            aligned = aligned.assign(column_voltage_kv=("frame", kv))
            if task.instrument == "sem":
                images = [_image(microscope, name, state, task) for state in states]
                known: Any = {str(Kind.SCALE): Scale(microscope.scale)}
                reduced, _ = reduce_micrographs(
                    images, aligned, known, microscope.section, one.cell, lambda done: None
                )
                frames[task.name] = exact[task.name] = aligned.drop_vars("frame").merge(reduced)
                continue
            maps, thickness = [], []
            for state in states:
                shot = microscope.shot(name, state, task.exposure_s, (0.0, 0.0), task.settings)
                maps.append(x_rays.take(shot, 0)[0])
                thickness.append(x_rays.film_um(shot))
            reduced, _ = reduce_x_rays(maps, aligned, {}, config.eds, one.cell, lambda done: None)
            frames[task.name] = aligned.drop_vars("frame").merge(reduced)
            if name in films:
                exact[task.name] = _exact(frames[task.name], np.array(thickness))
        found[one.label] = MeasuredCell(records, frames)
        # How elements are spread is in no table of the simulator: there is no truth of it.
        true[one.label] = MeasuredCell(records, exact or {"eds": frames["eds"]})
    return Measured(found, true)


def _exact(frames: xr.Dataset, film_um: np.ndarray) -> xr.Dataset:
    """Maps of the film as it is, where it was measured."""
    dims = frames["film_um"].dims
    known = np.isfinite(np.asarray(frames["film_um"]))
    return frames.assign(
        film_um=(dims, np.where(known, film_um, np.nan)),
        film_um_sigma_stat=(dims, np.where(known, 1e-3, np.nan)),
    )


def _image(microscope: Microscope, name: str, state: ProbeState, task: MeasurementTask) -> np.ndarray:
    detector = task.settings["image_detector"]
    shot = microscope.shot(name, state, task.exposure_s, (0.0, 0.0), task.settings, detector=detector)
    return microscope.taken(shot)


@lru_cache(maxsize=4)
def _states(
    model: str, seed: int, protocol: str, cell: str, folder: str
) -> tuple[xr.Dataset, list[ProbeState]]:
    """Of a cell that the worlds of a study have in common."""
    Path(folder).mkdir()
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    world = CellOnChannel(model, seed, 1.0, Path(folder), site)
    return world.run_held(
        "measured", Protocol.from_dict(json.loads(protocol)), Cell.from_dict(json.loads(cell))
    )

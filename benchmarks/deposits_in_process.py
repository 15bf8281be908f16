"""Micrographs of the faces of cells that are held at some charge, in one process.

Microscope and reduction are those of the chamber. Cell model, channel and cycler executor are those of the
beamline, as in `in_process`; there is one clock.
"""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.heated_in_process import aligned_at, exact
from benchmarks.in_process import CellOnChannel, Measured
from benchmarks.sections_in_process import Microscope, Scale, sectioned
from intercalate.calibrations import Kind
from intercalate.config import EXAMPLES, Config
from intercalate.sem_results import reduce_micrographs
from intercalate_plans.studies import MeasuredCell, Settings, Study
from intercalate_sims.cell.habits import Growth
from intercalate_sims.probes.sem_image import HiddenMicroscope
from intercalate_sims.probes.sem_sample import HiddenSection, SectionLaw
from intercalate_sims.probes.sem_station import Specimens

CELLS = {"V1": "C1", "V2": "D1"}
"""Of the simulator, by the places of the chamber."""
CLASSES = ("needle", "mossy", "globular")


def imaged(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of images says: of the faces of several cells at holds, or of the cut of one."""
    make = _plated if len(study.content["cells"]) > 1 else sectioned
    return make(study, told, seed, folder)


def _plated(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of images at holds says, in cells whose lithium grows as the simulator is told."""
    config = Config.from_file(EXAMPLES / "config" / "simulated.toml")
    (experiment,) = study.experiments(config.site)
    faces = {CELLS[one.label]: one.cell.exposed_face or "" for one in experiment.cells}
    drawn = HiddenSection.draw(seed), SectionLaw.REAL, HiddenMicroscope.draw(seed), seed
    microscope = Microscope(seed, Specimens({}, *drawn, faces))
    found, true = {}, {}
    for number, one in enumerate(experiment.cells):
        name = CELLS[one.label]
        (task,) = one.measurements
        own = folder / name
        own.mkdir()
        growth = Growth(told.get("growth", {}).get(name, Growth.REAL))
        # The third and fourth cell of the simulator, whose seeds follow each other.
        model, its_seed = told["cells"][name], seed + 2 + number
        world = CellOnChannel(model, its_seed, 1.0, own, config.site, growth=growth)
        records, states = world.run_held("measured", one.protocol, one.cell)
        images, truth = [], []
        for visit, state in enumerate(states):
            at_mm = task.spots_mm[visit % len(task.spots_mm)]
            detector = task.settings["image_detector"]
            shot = microscope.shot(name, state, task.exposure_s, at_mm, task.settings, detector=detector)
            images.append(microscope.taken(shot))
            truth.append(microscope.truth["coverage"])
        aligned = aligned_at(records, states, task, [25.0] * len(states), one.cell)
        known: Any = {str(Kind.SCALE): Scale(microscope.scale)}
        reduced, _ = reduce_micrographs(
            images, aligned, known, microscope.section, one.cell, lambda done: None
        )
        frames = aligned.drop_vars("frame").merge(reduced)
        columns = {f"coverage.{kind}": [seen.get(kind, 0.0) for seen in truth] for kind in CLASSES}
        most = [max(seen, key=lambda kind, of=seen: of[kind], default="none") for seen in truth]
        found[one.label] = MeasuredCell(records, {task.name: frames})
        exactly = frames.assign(habit=("frame", np.array(most)), **exact(**columns))
        true[one.label] = MeasuredCell(records, {task.name: exactly})
    return Measured(found, true)

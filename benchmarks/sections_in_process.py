"""Micrographs of a cell that was cut open and is cycled, in one process.

Microscope and reduction are those of the chamber. Cell model, channel and cycler executor are those of the
beamline, as in `in_process`; the cut is in the middle of the image, and there is one clock.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.in_process import EXACT, CellOnChannel, Measured
from intercalate.calibrations import Kind
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.config import EXAMPLES, Config
from intercalate.instrument_sections import ColumnSection
from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.reduction.micrographs import micrograph, scale_of
from intercalate.sem_results import layers_of, reduce_micrographs
from intercalate_plans.studies import Settings, Study
from intercalate_sims.cell import between_electrodes_m, make_cell
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.probes.sem_image import HiddenMicroscope
from intercalate_sims.probes.sem_sample import HiddenSection, SectionLaw
from intercalate_sims.probes.sem_station import ImagingStation, SectionedCell, Specimens
from intercalate_sims.probes.shot import Shot

MODEL = "lfp-polymer-li"


class Microscope:
    """A station of which only images are seen, with its scale measured on the grid."""

    def __init__(self, seed: int, specimens: Specimens):
        section = Config.from_file(EXAMPLES / "config" / "simulated.toml").sem
        assert section is not None
        self.section = section
        self._station = ImagingStation(
            specimens, section.imaging.shape, section.monitors.particles_per_count, seed
        )
        self._clock_s = 0.0
        stated_um = section.column.field_of_view_um / section.imaging.shape[1]
        grid = self.image("grid", None, 20.0)
        paper = section.imaging
        image = micrograph(grid.astype(np.uint8), stated_um)
        found = scale_of(image, paper.grid_pitch_um, paper.grid_pitch_sigma_um).pixel_um
        self.scale = {
            "pixel_ratio": found.value / stated_um,
            "pixel_ratio_sigma": found.sigma / stated_um,
        }

    def image(
        self,
        content: str,
        state: ProbeState | None,
        exposure_s: float,
        at_mm: tuple[float, float] = (0.0, 0.0),
    ) -> np.ndarray:
        """One image; what was under it is in `truth`."""
        return self.taken(self.shot(content, state, exposure_s, at_mm, {}))

    def taken(self, shot: Shot) -> np.ndarray:
        """One image; what was under it is in `truth`."""
        frame, _, self.truth = self._station.take(shot, 0)
        return frame

    def shot(
        self,
        content: str,
        state: ProbeState | None,
        exposure_s: float,
        at_mm: tuple[float, float],
        asked: Mapping[str, Any],
        **settings: Any,
    ) -> Shot:
        """A scan with the column as it is asked for, and besides as it is on paper."""
        self._clock_s += 1000.0
        own = {name: value for name, value in asked.items() if name in ColumnSection.model_fields}
        column = self.section.column.model_copy(update=own)
        side_mm = column.field_of_view_um / 1000.0
        electrons_s = column.current_na * 1e-9 / ELEMENTARY_CHARGE_C
        return Shot(
            start_s=self._clock_s,
            exposure_s=exposure_s,
            photons_s=electrons_s,
            full_photons_s=electrons_s,
            energy_kev=column.voltage_kv,
            size_mm=(side_mm, side_mm),
            in_beam=InBeam(Holder("V2", content, 0.0, 0.0), 1.0, 0.0, at_mm),
            states=[] if state is None else [(1.0, state)],
            settings=settings,
        )


def sectioned(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of images at even times says, on a cut whose layers change as the simulator is told."""
    config = Config.from_file(EXAMPLES / "config" / "simulated.toml")
    (experiment,) = (one.cells[0] for one in study.experiments(config.site))
    (task,) = experiment.measurements
    if task.when.every is None or task.when.every.time_s is None:
        raise ValueError(f"{study.id}: only images at even times are made in one process")
    world = CellOnChannel(MODEL, seed, 1.0, folder, config.site)
    records, exposures = world.run(
        "measured", experiment.protocol, experiment.cell, every_s=task.when.every.time_s
    )
    law = told.get("vacuum", {}).get("sem", {}).get("law", SectionLaw.REAL)
    sectioned_cell = SectionedCell(make_cell(MODEL).probe_state(), between_electrodes_m(MODEL) * 1e6)
    hidden = HiddenSection.draw(seed), SectionLaw(law), HiddenMicroscope.draw(seed), seed
    microscope = Microscope(seed, Specimens({"D1": sectioned_cell}, *hidden))
    images, truth = [], []
    for _, states in exposures:
        spot_mm = task.spots_mm[len(images) % len(task.spots_mm)]
        images.append(microscope.image("D1", states[0][1], task.exposure_s, spot_mm))
        truth.append(dict(zip(layers_of(experiment.cell), microscope.truth["layers_um"])))
    start_s = np.array([start for start, _ in exposures])
    times = FrameTimes(np.arange(len(images)), start_s, np.full(len(images), task.exposure_s))
    aligned = align_frames(records, times, ClockModel.assumed(0.0, 0.01, "one clock"), cell=experiment.cell)
    field_um = np.full(len(images), microscope.section.column.field_of_view_um)
    spots_mm = np.array([task.spots_mm[number % len(task.spots_mm)] for number in range(len(images))])
    aligned = aligned.assign(
        column_field_of_view_um=("frame", field_um),
        spot_x_mm=("frame", spots_mm[:, 0]),
        spot_y_mm=("frame", spots_mm[:, 1]),
    )
    data, _ = reduce_micrographs(
        images,
        aligned,
        {str(Kind.SCALE): Scale(microscope.scale)},  # type: ignore[dict-item]
        microscope.section,
        experiment.cell,
        lambda done: None,
    )
    frames = aligned.drop_vars("frame").merge(data)
    exact = {}
    # At each spot as it was there first.
    starts = np.array([int(np.flatnonzero((spots_mm == spot).all(axis=1))[0]) for spot in spots_mm])
    for layer in layers_of(experiment.cell):
        name, thick_um = f"gained_um.{layer}", np.array([one[layer] for one in truth])
        since = np.where(starts == np.arange(len(truth)), np.nan, thick_um - thick_um[starts])
        exact[name] = ("frame", since)
        for error in ("stat", "sys"):
            exact[f"{name}_sigma_{error}"] = ("frame", np.full(len(truth), EXACT))
    return Measured.of_one(records, frames, frames.assign(exact))


class Scale:
    """As much of a calibration as the reduction asks for."""

    name = str(Kind.SCALE)

    def __init__(self, values: dict[str, float]):
        self.values = values

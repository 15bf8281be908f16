"""Maps of a cell that is held, in one process: spectrometer, calibration and reduction of the beamline.

Cell model, channel and cycler executor are those of the beamline too, as in `in_process`; the laser is in
focus, and every point of a map is exposed at the state that the cell has when the hold begins.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.in_process import EXACT, CellOnChannel, Measured, model_and_host
from intercalate.config import EXAMPLES, Config
from intercalate.materials.constants import KEV_J
from intercalate.orchestration.tasks import Grid
from intercalate.raman_chain import RamanOnPaper
from intercalate.reduction.raman import ShiftAxis, calibrated_axis, reduced, spectra_of_graphite
from intercalate_plans.studies import Settings, Study
from intercalate_sims.cell.interface import ProbeState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.probes.raman import Spectrograph
from intercalate_sims.probes.raman_station import HiddenRaman, RamanStation
from intercalate_sims.probes.shot import Shot
from intercalate_sims.sources import LaserBeam

POWER_MW, SPOT_MM = 0.5, 0.0018
DARKS = 10


class Spectrometer:
    """A station of which only spectra are seen, with its axis set by silicon."""

    def __init__(self, seed: int, exposure_s: float, *, first_nm: float | None = None):
        self._hidden = HiddenRaman.draw(seed, ["H1"])
        self._laser = LaserBeam(532.0, SPOT_MM, POWER_MW, self._hidden.power_share)
        nominal = Spectrograph() if first_nm is None else Spectrograph(first_nm=first_nm)
        self._station = RamanStation(nominal, self._hidden, ["A1", "B1"], seed)
        self._exposure_s = exposure_s
        self._start_s = 0.0
        section = Config.from_file(EXAMPLES / "config" / "simulated.toml").raman
        assert section is not None
        if first_nm is not None:
            spectrometer = section.spectrometer.model_copy(update={"first_nm": first_nm})
            section = section.model_copy(update={"spectrometer": spectrometer})
        self.on_paper = RamanOnPaper.of(section)
        darks = np.array([self.take(None, shares=0.0) for _ in range(DARKS)], dtype=float)
        self.dark = darks.mean(axis=0), darks.std(axis=0, ddof=1) / np.sqrt(DARKS)
        silicon = reduced(self.take("Si"), *self.dark, self.on_paper.detector)
        self.axis: ShiftAxis = calibrated_axis(*silicon, self.on_paper.spectrograph)

    def take(
        self,
        content: str | None,
        state: ProbeState | None = None,
        at_um: tuple[float, float] = (0.0, 0.0),
        *,
        shares: float = 1.0,
    ) -> np.ndarray:
        """One spectrum."""
        self._start_s += 1000.0
        photons_s = shares * self._laser.full_photons_s()
        in_beam = InBeam(Holder("H1", content, 0.0, 0.0), 1.0, 0.0, (at_um[0] / 1000.0, at_um[1] / 1000.0))
        shot = Shot(
            start_s=self._start_s,
            exposure_s=self._exposure_s,
            photons_s=photons_s,
            full_photons_s=self._laser.full_photons_s(),
            energy_kev=self._laser.energy_kev,
            size_mm=(SPOT_MM, SPOT_MM),
            in_beam=in_beam,
            states=[] if state is None else [(1.0, state)],
            focus_um=self._hidden.surface_at_um("H1", 0.0),
        )
        assert shot.photons * shot.energy_kev * KEV_J < 1.0, "joules, not photons"
        frame, _, self.truth = self._station.take(shot, 0)
        return frame[0]

    def maps(self, states: Sequence[ProbeState], grid: Grid) -> tuple[xr.Dataset, np.ndarray]:
        """One map of each state, reduced as a run is, and the true lithium content of every point."""
        points = grid.points_um()
        frames, truth = [], []
        for state in states:
            for at_um in points:
                frames.append(self.take("A1", state, at_um))
                truth.append(self.truth["li_content"])
        data = spectra_of_graphite(frames, self.dark, self.on_paper.detector, self.axis)
        x_um, y_um = np.tile(np.array(points), (len(states), 1)).T
        placed = data.assign(
            objective_x_um=("frame", x_um),
            objective_y_um=("frame", y_um),
            visit=("frame", np.repeat(np.arange(len(states)), len(points))),
        )
        return placed, np.array(truth)


def mapped(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of maps at holds says, in a cell as the simulator is told."""
    site = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    formation, experiment = (one.cells[0] for one in study.experiments(site))
    # Of several measurements, images in white light say nothing that a claim is made of.
    (task,) = (one for one in experiment.measurements if one.instrument != "optical")
    if task.grid is None:
        raise ValueError(f"{study.id}: only maps at holds are made here")
    model, options = model_and_host(told)
    world = CellOnChannel(model, seed, 1.0, folder, site, **options)
    world.run("formation", formation.protocol, formation.cell)
    records, states = world.run_held("measured", experiment.protocol, experiment.cell)
    spectrometer = Spectrometer(seed, task.exposure_s)
    frames, content = spectrometer.maps(states, task.grid)
    exact = {
        "graphite.x": ("frame", content),
        "graphite.x_sigma_stat": ("frame", np.full(content.size, EXACT)),
    }
    return Measured.of_one(records, frames, frames.assign(exact))

"""Raman spectra of oxides at even times, of cells beside each other, in one process.

As in `maps_in_process`: spectrometer, calibration and reduction of the beamline, the laser in focus.
"""

from pathlib import Path

import numpy as np

from benchmarks.in_process import EXACT, CellOnChannel, Measured
from benchmarks.maps_in_process import Spectrometer
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.config import EXAMPLES, Config
from intercalate.materials.raman_oxides import OXIDES, RedoxOxide
from intercalate.reduction.raman import spectra_of_oxide
from intercalate_plans.studies import MeasuredCell, Settings, Study
from intercalate_sims.cell.hosts import Host
from intercalate_sims.hidden import Hidden

CELLS = {"H1": "A1", "H2": "B1"}
"""Of the simulator, by the places of the changer."""


def oxidised(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of spectra at even times says, in cells of oxides as the simulator is told."""
    shipped = Config.from_file(EXAMPLES / "config" / "simulated.toml").site
    (experiment,) = study.experiments(shipped)
    hidden = Hidden.draw(seed, (), CELLS.values())
    (task,) = experiment.cells[0].measurements
    spectrometer = Spectrometer(seed, task.exposure_s)
    found, true = {}, {}
    for number, one in enumerate(experiment.cells):
        name = CELLS[one.label]
        (task,) = one.measurements
        if task.when.every is None or task.when.every.time_s is None:
            raise ValueError(f"{study.id}: only spectra at even times are made here")
        own = folder / name
        own.mkdir()
        host = Host(told.get("hosts", {}).get(name, Host.STAGED))
        mass = hidden.cell(name).active_mass
        world = CellOnChannel(told["cells"][name], seed + number, mass, own, study.site(shipped), host=host)
        records, exposures = world.run("measured", one.protocol, one.cell, every_s=task.when.every.time_s)
        frames, ions, contents = [], [], []
        for at, (_, states) in enumerate(exposures):
            x_mm, y_mm = task.spots_mm[at % len(task.spots_mm)]
            frames.append(spectrometer.take(name, states[0][1], (1000.0 * x_mm, 1000.0 * y_mm)))
            ions.append(spectrometer.truth["ions"])
            contents.append(spectrometer.truth["li_content"])
        start_s = np.array([start for start, _ in exposures])
        times = FrameTimes(np.arange(len(frames)), start_s, np.full(len(frames), task.exposure_s))
        clock = ClockModel.assumed(0.0, 0.01, "one clock")
        aligned = align_frames(records, times, clock, cell=one.cell)
        oxide = OXIDES[one.cell.positive.material]
        data = spectra_of_oxide(
            frames, spectrometer.dark, spectrometer.on_paper.detector, spectrometer.axis, oxide
        )
        measured = aligned.drop_vars("frame").merge(data)
        found[one.label] = MeasuredCell(records, {task.name: measured})
        true[one.label] = MeasuredCell(
            records, {task.name: measured.assign(_exact(oxide, ions, contents, measured["oxide.x"].attrs))}
        )
    return Measured(found, true)


def _exact(
    oxide: RedoxOxide, ions: list[dict[str, float]], contents: list[float], attributes: dict[str, str]
) -> dict[str, tuple]:
    """Columns of what is true of the particle that each spectrum is of."""
    shares = {ion: np.array([one[ion] for one in ions]) for ion in oxide.ions}
    columns = {f"share.{ion}": values for ion, values in shares.items()}
    columns["oxide.oxidation_number"] = sum(
        (number * shares[ion] for ion, number in oxide.number_of.items()), start=np.zeros(len(ions))
    )
    columns["oxide.x"] = np.array(contents)
    errors = {
        f"{name}_sigma_{kind}": ("frame", np.full(len(ions), EXACT))
        for name in columns
        for kind in ("stat", "sys")
    }
    exact = {name: ("frame", values) for name, values in columns.items()}
    return {**exact, **errors, "oxide.x": ("frame", columns["oxide.x"], attributes)}

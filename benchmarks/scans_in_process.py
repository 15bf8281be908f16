"""Scans of a thin battery under voltage, after films of known compounds beside it, in one process.

Spectrometer, what is on the stage, and reduction are those of the chamber.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.in_process import Measured
from intercalate.calibrations import CalibrationStore, Kind
from intercalate.config import EXAMPLES, Config
from intercalate.loss_references import film_of, references_of
from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.nanobattery_results import reduce_nanobattery
from intercalate_plans.studies import Settings, Study
from intercalate_plans.studies.series import BiasSeries
from intercalate_plans.transmission import LossScanRequest
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.probes.eels import EelsProbe
from intercalate_sims.probes.eels_instrument import EelsSpectrometer, HiddenEels
from intercalate_sims.probes.nanobattery import NanobatteryLaw
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.tem_station import LossStation, ThinSpecimens


def scanned(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of scans under voltage says, on a battery that behaves as the simulator is told."""
    section = Config.from_file(EXAMPLES / "config" / "simulated.toml").eels
    if section is None or not isinstance(study.series, BiasSeries):
        raise ValueError(f"{study.id}: only scans under voltage are made here")
    series, paper = study.series, section.detector
    law = NanobatteryLaw(told.get("tem", {}).get("nanobattery", NanobatteryLaw.REAL))
    specimens = ThinSpecimens(section.monitors.particles_per_count, seed, law)
    station = LossStation(EelsProbe(EelsSpectrometer(), HiddenEels.draw(seed), seed), specimens, paper.points)
    column = section.column
    side_mm = column.field_of_view_um / 1000.0
    films = [LossScanRequest(content=one, step_nm=100.0, row_step_nm=100.0) for one in paper.films]
    frames, truths = [], []
    for number, scan in enumerate([*films, *series.scans]):
        electrons_s = column.current_na * 1e-9 / ELEMENTARY_CHARGE_C
        shot = Shot(
            start_s=1000.0 * (number + 1),
            exposure_s=series.exposure_s,
            photons_s=electrons_s,
            full_photons_s=electrons_s,
            energy_kev=column.voltage_kv,
            size_mm=(side_mm, side_mm),
            in_beam=InBeam(Holder(scan.content, scan.content, 0.0, 0.0), 1.0, 0.0, (0.0, scan.beside_mm)),
            states=[],
            settings={
                "temperature_c": series.stage_c,
                "step_nm": scan.step_nm,
                "row_step_nm": scan.row_step_nm,
                "bias_v": scan.bias_v,
            },
        )
        frame, _, truth = station.take(shot, 0)
        frames.append(frame)
        truths.append(truth)
    store = CalibrationStore(folder / "calibration")
    for film, frame, truth in zip(films, frames, truths):
        values, arrays = film_of(frame, film.content, truth["dose_e_per_a2"], series.stage_c, paper)
        store.keep(Kind.COMPOUND, "", values, key=film.content, arrays=arrays)
    references, _ = references_of(store.in_use())
    images, scans = frames[len(films) :], series.scans
    aligned = xr.Dataset(
        {
            "scan_step_nm": ("frame", np.array([one.step_nm for one in scans])),
            "scan_bias_v": ("frame", np.array([one.bias_v for one in scans])),
        }
    )
    contents = [one.content for one in scans]
    found = aligned.merge(reduce_nanobattery(images, aligned, contents, references, section))
    found = found.assign_attrs(simulated=1)
    # What findings say of layers is not in the simulator's state as such: no truths.
    return Measured.of_one(xr.Dataset(), found, found.isel(frame=slice(0, 0)))

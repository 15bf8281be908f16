"""Scans of a thin battery under voltage, with films of known compounds beside it, in one process.

Spectrometer, what is on the stage, and reduction are those of the chamber.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.in_process import Measured
from intercalate.config import EXAMPLES, Config
from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.nanobattery_results import Films, reduce_nanobattery
from intercalate_plans.studies import Settings, Study
from intercalate_plans.studies.series import BiasSeries
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.probes.eels import EelsProbe, EelsSpectrometer, HiddenEels
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
    images, scans = [], series.scans
    for number, scan in enumerate(scans):
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
        images.append(station.take(shot, 0)[0])
    aligned = xr.Dataset(
        {
            "scan_step_nm": ("frame", np.array([one.step_nm for one in scans])),
            "scan_bias_v": ("frame", np.array([one.bias_v for one in scans])),
        }
    )
    contents = [one.content for one in scans]
    films = Films(series.film_nm, series.film_sigma)
    frames = aligned.merge(reduce_nanobattery(images, aligned, contents, films, section))
    frames = frames.assign_attrs(simulated=1)
    # What findings say of layers is not in the simulator's state as such: no truths.
    return Measured.of_one(xr.Dataset(), frames, frames.isel(frame=slice(0, 0)))

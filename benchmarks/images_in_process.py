"""Images of a liquid cell under voltage, in one process.

Microscope, what is on the stage, and reduction are those of the chamber.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.in_process import Measured
from intercalate.config import EXAMPLES, Config
from intercalate.materials.constants import ELEMENTARY_CHARGE_C
from intercalate.tem_results import reduce_transmission
from intercalate_plans.studies import Settings, Study
from intercalate_plans.studies.series import ImageSeries
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.probes.liquid_cell import LiquidCellLaw
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.tem import HiddenTem, TemMicroscope, TemProbe
from intercalate_sims.probes.tem_station import CameraStation, ThinSpecimens


def imaged_in_liquid(study: Study, told: Settings, seed: int, folder: Path) -> Measured:
    """Do what a study of images under voltage says, on a cell that behaves as the simulator is told."""
    section, series = Config.from_file(EXAMPLES / "config" / "simulated.toml").tem, study.series
    if section is None or not isinstance(series, ImageSeries):
        raise ValueError(f"{study.id}: only images under voltage are made here")
    law = LiquidCellLaw(told.get("tem", {}).get("liquid_cell", LiquidCellLaw.REAL))
    specimens = ThinSpecimens(section.monitors.particles_per_count, seed, grows=law)
    station = CameraStation(TemProbe(TemMicroscope(), HiddenTem.draw(seed), seed), specimens)
    column = section.column
    side_mm = column.field_of_view_um / 1000.0
    electrons_s = column.current_na * 1e-9 / ELEMENTARY_CHARGE_C
    images, truth, scans = [], [], series.scans
    for number, scan in enumerate(scans):
        shot = Shot(
            start_s=1000.0 * (number + 1),
            exposure_s=series.exposure_s,
            photons_s=electrons_s,
            full_photons_s=electrons_s,
            energy_kev=column.voltage_kv,
            size_mm=(side_mm, side_mm),
            in_beam=InBeam(Holder(scan.content, scan.content, 0.0, 0.0), 1.0, 0.0, (0.0, scan.beside_mm)),
            states=[],
            settings={"temperature_c": series.stage_c, "bias_v": scan.bias_v, "mode": "image"},
        )
        frame, _, seen = station.take(shot, 0)
        images.append(frame)
        truth.append(seen["deposit"])
    count = len(scans)
    aligned = xr.Dataset(
        {
            "scan_mode": ("frame", np.full(count, "image")),
            "scan_bias_v": ("frame", np.array([one.bias_v for one in scans])),
            "exposure_s": ("frame", np.full(count, series.exposure_s)),
        }
    )
    reduced, _ = reduce_transmission(images, aligned, {}, section, lambda done: None)
    frames = aligned.merge(reduced)
    habits = np.array(["" if one["habit"] == "none" else one["habit"] for one in truth])
    fillings = np.array(["hollow" if one.get("is_hollow") else "filled" for one in truth])
    # How dense and how wide a deposit is drawn depends on the image: no truths of that.
    true = frames.assign(
        habit=("frame", habits),
        filling=("frame", fillings),
        width_nm=("frame", np.full(count, np.nan)),
    )
    return Measured.of_one(xr.Dataset(), frames, true)

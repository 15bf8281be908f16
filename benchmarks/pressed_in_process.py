"""A sample between diamonds, pressed in steps, in one process.

Membrane, sample, diffractometer, calibration and reduction are those of the beamline; the beam goes through
the middle of the hole.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.bench_chain import FLUX, Calibrated, Instrument, monitor
from benchmarks.in_process import Measured
from intercalate.analysis import Exposure
from intercalate.beam_quality import BeamQuality
from intercalate.config import EXAMPLES, Config
from intercalate.contract import DIAMOND_ANVIL_CELL, PressureState
from intercalate.materials.equations_of_state import MARKERS, EquationOfState
from intercalate.pressed import CheckedScan
from intercalate.pressed_results import opening_deg, reduce_pressed
from intercalate.reduction.pixels import average_dark
from intercalate_plans.studies import Settings, Study
from intercalate_sims.beam import Optics
from intercalate_sims.pressure import Compression, HiddenPressed, PressureCell

FOUND_MM = 0.5
"""Width and height of the beam whose flux is said."""
RATE_GPA_MIN, STEP_S = 0.5, 2.0


def pressed(
    instrument: Instrument, known: Calibrated, study: Study, told: Settings, seed: int, folder: Path
) -> Measured:
    """Do what a study of a pressed sample says, on one that gives way as the simulator is told."""
    config = Config.from_file(EXAMPLES / "config" / "simulated.toml")
    checked = CheckedScan.from_content(study.content, study.id, EXAMPLES, config)
    scan = checked.scan
    compression = told.get("pressure_cell", {}).get("compression", Compression.ANISOTROPIC)
    hidden = HiddenPressed.draw(seed, Compression(compression))
    instrument.press(hidden)
    anvils = PressureCell(hidden, RATE_GPA_MIN)
    size_mm = (scan.beam_mm, scan.beam_mm)
    flux = FLUX * Optics(25.0, *size_mm).share / Optics(25.0, FOUND_MM, FOUND_MM).share
    frames: list[np.ndarray] = []
    exposures, truth = [], []
    for target in scan.pressures_gpa:
        anvils.set({"target_gpa": target})
        while anvils.state is not PressureState.HOLDING:
            anvils.live(STEP_S)
        anvils.live(scan.settle_s)
        frame, counts, seen = instrument.take_pressed(
            DIAMOND_ANVIL_CELL, scan.exposure_s, anvils.marker_gpa, (flux, size_mm)
        )
        anvils.live(scan.exposure_s)
        frames.append(frame)
        exposures.append(Exposure(monitor(counts, scan.exposure_s), BeamQuality.WEAK))
        truth.append(seen)
    dark = average_dark(instrument.darks(scan.exposure_s), scan.exposure_s)
    chain = known.chain.with_corrections(replace(known.chain.corrections, dark=dark))
    as_frames: Any = frames
    reduced = reduce_pressed(
        as_frames, exposures, chain, checked.sample, opening_deg(config), options=known.options
    )
    return Measured.of_one(xr.Dataset(), reduced, _exact(reduced, truth))


def _exact(frames: xr.Dataset, truth: list[dict[str, Any]]) -> xr.Dataset:
    """The frames as they would be with the true lattice and pressure, weighted as they are.

    A marker has the cell that the tabled law gives it at the true pressure of the sample.
    """
    material, marker = frames.attrs["material"], frames.attrs["marker"]
    law: EquationOfState = MARKERS[marker].law
    columns = {f"{material}.{axis}": [one[f"{axis}_angstrom"] for one in truth] for axis in "abc"}
    columns[f"{marker}.a"] = [law.volume_at(one["pressure_gpa"]) ** (1 / 3) for one in truth]
    columns["pressure_gpa"] = [one["pressure_gpa"] for one in truth]
    made = {name: ("frame", np.asarray(column, float)) for name, column in columns.items()}
    return frames.assign(made)

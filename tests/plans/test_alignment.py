"""Aligned voltages against what the cell showed at the true moment, which no alignment is told."""

import numpy as np
import pytest
import xarray as xr

from beamline import Beamline
from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import fit_clock
from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS
from intercalate.session import Session
from intercalate_plans import operando

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

UNIX, VOLTAGE = (RECORD_COLUMNS.index(c) for c in ("unix_time_second", "voltage_volt"))

PROTOCOL = {
    "record": {"time_s": 10.0},
    "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
    "method": [
        {"step": "constant_current", "rate_C": 0.5, "until_time_s": 5400.0, "until_voltage_V": 4.1},
        {"step": "open_circuit_voltage", "until_time_s": 300.0},
    ],
}


def column(documents: Documents, name: str) -> np.ndarray:
    return np.array([event["data"][name] for event in documents.events("xrd")], dtype=float)


def test_aligned_voltages_are_right_within_their_uncertainty(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    """The detector's clock is 4 s fast; a voltage read by it as it stands would be off by far more."""

    session.RE(
        operando(
            session.cycler,
            session.xrd,
            cell,
            PROTOCOL,
            {"every": {"time_s": 120.0}},
            20.0,
            on_abort="rest",
            on_client_lost="rest",
        )
    )
    rows = documents.records()
    records = xr.Dataset({name: ("record", rows[:, i]) for i, name in enumerate(RECORD_COLUMNS)})
    index = column(documents, "diffractometer_hdf_frame_index").astype(int)
    frames = FrameTimes(
        index,
        column(documents, "diffractometer_hdf_frame_start_unix_s"),
        column(documents, "diffractometer_cam_acquire_time"),
    )
    clock = fit_clock(
        *(column(documents, f"clocks_{n}") for n in ("cycler_unix_s", "instrument_unix_s", "half_width_s"))
    )
    aligned = align_frames(records, frames, clock, cell=cell)
    truth = {entry["frame_index"]: entry for entry in beamline.truth()}
    true_mid = np.array([(truth[i]["start_unix_s"] + truth[i]["end_unix_s"]) / 2 for i in index])
    true_v = np.interp(true_mid, rows[:, UNIX], rows[:, VOLTAGE])
    fair = ~np.asarray(aligned["in_gap"]) & ~np.asarray(aligned["crosses_step"])
    assert fair.sum() > 10
    error_v = np.abs(np.asarray(aligned["voltage_volt"]) - true_v)[fair]
    # The truth here is interpolated between noisy readings itself, which are good to 20 uV.
    sigma_v = np.hypot(np.asarray(aligned["voltage_volt_sigma"])[fair], 4e-5)
    # All frames share the error of the clocks: within two of them is one run in twenty not.
    assert np.mean(error_v < 3 * sigma_v) > 0.85
    assert np.abs(clock.to_cycler(frames.start_unix_s) + 10.0 - true_mid).max() < 6 * clock.systematic_s + 4.0

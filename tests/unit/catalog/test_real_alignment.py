"""Spectra of a synchrotron on the axis of a laboratory cycler: two machines, clocks never compared."""

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.clock import ClockModel
from intercalate.cell import Cell

pytestmark = pytest.mark.realdata
HOUR_S = 3600.0


def unix(text: str, pattern: str) -> float:
    """Local times of one place, taken as UTC: only differences matter."""
    return datetime.strptime(text + " +0000", pattern + " %z").timestamp()


def found(pattern: str, text: str) -> str:
    """Group 1 of a pattern that a header must have."""
    match = re.search(pattern, text)
    assert match is not None, f"no {pattern!r} in the header"
    return match[1]


def read_mpt(path: Path) -> tuple[xr.Dataset, float]:
    """Records and the header's active mass (mg) of a text export of EC-Lab."""
    text = path.read_text(encoding="latin-1")
    lines = text.splitlines()
    header_lines = int(lines[1].partition(":")[2])
    began = unix(found(r"Acquisition started on : (.+)", text).strip(), "%m/%d/%Y %H:%M:%S.%f")
    mass_mg = float(found(r"Mass of active material : ([\d,]+) mg", text).replace(",", "."))
    table = pd.read_csv(
        path, sep="\t", decimal=",", skiprows=header_lines - 1, encoding="latin-1", engine="c"
    )
    columns = {
        "test_time_second": table["time/s"],
        "unix_time_second": began + table["time/s"],
        "voltage_volt": table["Ewe/V"],
        "current_ampere": table["<I>/mA"] / 1000,
        "net_capacity_ah": table["(Q-Qo)/mA.h"] / 1000,
        "step_id": table["Ns"],
    }
    return xr.Dataset({key: ("record", value.to_numpy(float)) for key, value in columns.items()}), mass_mg


def read_times(folder: Path) -> FrameTimes:
    """When the spectra were taken."""
    times = []
    for path in folder.glob("norm_*.txt"):
        head = path.read_text(errors="replace")[:3000]
        start = unix(found(r"Time at start=(.+)", head).strip(), "%Y-%m-%d %H:%M:%S.%f")
        since = float(found(r"Time from start \(seconds\)=(.+)", head))
        times.append((start, since))
    start, since = np.array(sorted(times)).T
    # An average over 24 sweeps: the header says how far from its start the average stands.
    return FrameTimes(np.arange(len(start)), start, 2 * since)


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    return real_data / "operando_soleil"


@pytest.fixture(scope="module")
def main_file(folder: Path) -> tuple[xr.Dataset, float]:
    return read_mpt(folder / "220726cell4operandoxas_C06.mpt")


def test_each_spectrum_has_the_voltage_of_its_minute(folder: Path, main_file) -> None:
    table, _ = main_file
    frames = read_times(folder)
    clock = ClockModel.assumed(0.0, 5.0, "clocks of two machines, set by hand")
    aligned = align_frames(table, frames, clock)
    during = ~aligned["in_gap"].values
    assert aligned.sizes["frame"] == 26
    assert during.sum() >= 20
    voltage = aligned["voltage_volt"].values[during]
    assert ((voltage > 2.95) & (voltage < 4.35)).all()
    # The nearest record is at most one recording period away, over which the voltage changes little.
    middle = aligned["test_time_second"].values[during]
    nearest = np.abs(table["test_time_second"].values[:, None] - middle).argmin(axis=0)
    assert np.abs(voltage - table["voltage_volt"].values[nearest]).max() < 0.05
    assert np.isfinite(aligned["voltage_volt_sigma"].values[during]).all()
    assert (np.diff(aligned["test_time_second"].values) > 0).all()


def test_the_first_charge_only_rises(folder: Path, main_file) -> None:
    table, _ = main_file
    aligned = align_frames(table, read_times(folder), ClockModel.assumed(0.0, 5.0, ""))
    discharge_s = float(table["test_time_second"][table["current_ampere"] < -1e-4].min())
    charging = (aligned["step_id"].values == 1) & (aligned["test_time_second"].values < discharge_s)
    capacity = aligned["net_capacity_ah"].values[charging & ~aligned["in_gap"].values]
    assert len(capacity) > 3
    assert (np.diff(capacity) > 0).all()


def test_what_lies_after_the_last_record_gets_no_value(folder: Path, main_file) -> None:
    table, _ = main_file
    frames = read_times(folder)
    early = table.isel(record=np.flatnonzero(table["test_time_second"].values < 10 * HOUR_S))
    aligned = align_frames(early, frames, ClockModel.assumed(0.0, 5.0, ""))
    late = aligned["test_time_second"].values > 10 * HOUR_S
    assert 0 < late.sum() < len(late)
    assert np.isnan(aligned["voltage_volt"].values[late]).all()
    assert aligned["in_gap"].values[late].all()


def test_with_both_files_every_spectrum_has_a_voltage(folder: Path, main_file) -> None:
    table, _ = main_file
    after, _ = read_mpt(folder / "220726cell4operandoxascontinuation_C06.mpt")
    both = xr.concat([table, after], "record")
    aligned = align_frames(both, read_times(folder), ClockModel.assumed(0.0, 5.0, ""))
    assert not aligned["in_gap"].any()
    assert np.isfinite(aligned["voltage_volt"].values).all()


def test_the_manual_restart_is_a_gap_of_half_a_minute(folder: Path, main_file) -> None:
    table, _ = main_file
    after, _ = read_mpt(folder / "220726cell4operandoxascontinuation_C06.mpt")
    between = float(after["unix_time_second"][0] - table["unix_time_second"][-1])
    assert between == pytest.approx(26.5, abs=1.0)
    both = xr.concat([table, after], "record")
    spot = np.array([float(table["unix_time_second"][-1]) + between / 2])
    frames = FrameTimes(np.zeros(1, int), spot - 1, np.full(1, 2.0))
    normal = align_frames(both, frames, ClockModel.assumed(0.0, 0.0, ""))
    strict = align_frames(both, frames, ClockModel.assumed(0.0, 0.0, ""), period_s=5.0)
    assert np.isfinite(normal["voltage_volt"].item())
    assert np.isnan(strict["voltage_volt"].item())
    assert strict["in_gap"].item()


def test_the_default_mass_of_the_instrument_is_doubted(folder: Path, main_file) -> None:
    table, mass_mg = main_file
    assert mass_mg == 7000.0
    cell = Cell.from_dict(
        {
            "name": "from the header",
            "format": "cylindrical",
            "format_detail": "18650",
            "working": "positive",
            "positive": {"material": "NMC811", "active_mass_mg": mass_mg, "lithium_content_assembled": 0.9},
            "negative": {"material": "Li"},
        }
    )
    aligned = align_frames(table, read_times(folder), ClockModel.assumed(0.0, 5.0, ""), cell=cell)
    assert "implausible" in aligned["x_positive"].attrs["note"]
    assert "check the active mass" in aligned["x_positive"].attrs["note"]

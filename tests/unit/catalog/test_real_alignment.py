"""Spectra of a synchrotron on the axis of a laboratory cycler: two machines, clocks never compared."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import xarray as xr

from intercalate.catalog.alignment import FrameTimes, align_frames, records_of
from intercalate.catalog.cycler_clock import clock_of_offset
from intercalate.catalog.cycling_import import ImportRefusedError, covered_frames
from intercalate.cell import Cell
from intercalate.cycling_files import CyclingSeries, claims_of, read_cycling_file, read_cycling_files

pytestmark = pytest.mark.realdata
HOUR_S = 3600.0
SOLEIL = ZoneInfo("Europe/Paris")
MAIN, CONTINUATION = "220726cell4operandoxas_C06.mpt", "220726cell4operandoxascontinuation_C06.mpt"
BY_HAND = clock_of_offset(0.0, 5.0)
"""Clocks of two machines, set by hand."""


def found(pattern: str, text: str) -> str:
    """Group 1 of a pattern that a header must have."""
    match = re.search(pattern, text)
    assert match is not None, f"no {pattern!r} in the header"
    return match[1]


def read_times(folder: Path) -> FrameTimes:
    """When the spectra were taken."""
    times = []
    for path in folder.glob("norm_*.txt"):
        head = path.read_text(errors="replace")[:3000]
        local = datetime.strptime(found(r"Time at start=(.+)", head).strip(), "%Y-%m-%d %H:%M:%S.%f")
        since = float(found(r"Time from start \(seconds\)=(.+)", head))
        times.append((local.replace(tzinfo=SOLEIL).timestamp(), since))
    start, since = np.array(sorted(times)).T
    # An average over 24 sweeps: the header says how far from its start the average stands.
    return FrameTimes(np.arange(len(start)), start, 2 * since)


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    return real_data / "operando_soleil"


@pytest.fixture(scope="module")
def main_file(folder: Path) -> CyclingSeries:
    return read_cycling_files([folder / MAIN], zone=SOLEIL)


@pytest.fixture(scope="module")
def both(folder: Path) -> CyclingSeries:
    return read_cycling_files([folder / CONTINUATION, folder / MAIN], zone=SOLEIL)


def aligned_with(series: CyclingSeries, frames: FrameTimes, **options) -> xr.Dataset:
    return align_frames(records_of(series), frames, BY_HAND, restarts=series.restarts, **options)


def test_the_files_are_read_as_the_instrument_wrote_them(both: CyclingSeries) -> None:
    assert [one.rows for one in both.files] == [6333, 1402]
    assert both.files[0].header["Device"] == "VMP3 (SN 0198)"
    voltage, charge = both.columns["voltage_volt"], both.columns["net_capacity_ah"]
    assert (voltage.min(), voltage.max()) == pytest.approx((2.999934, 4.301471), abs=1e-5)
    assert charge[6332] == pytest.approx(0.8402035e-3, rel=1e-6)
    assert charge[-1] == pytest.approx((0.8402035 + 0.8938358) * 1e-3, rel=1e-6)
    # + charges: the voltage rises.
    current = both.columns["current_ampere"]
    rises = np.diff(voltage)[(current[1:] > 1e-5) & (current[:-1] > 1e-5)]
    assert rises.sum() > 1.0
    assert not any("integral" in note for note in both.warnings)


def test_every_spectrum_has_voltage_and_capacity_with_their_errors(folder: Path, both: CyclingSeries) -> None:
    frames = read_times(folder)
    assert covered_frames(both, BY_HAND, frames).all()
    aligned = aligned_with(both, frames)
    assert aligned.sizes["frame"] == 26
    assert not aligned["in_gap"].any()
    voltage = aligned["voltage_volt"].values
    assert ((voltage > 2.95) & (voltage < 4.35)).all()
    # The nearest record is at most one recording period away, over which the voltage changes little.
    nearest = np.abs(both.columns["test_time_second"][:, None] - aligned["test_time_second"].values).argmin(0)
    assert np.abs(voltage - both.columns["voltage_volt"][nearest]).max() < 0.05
    for column in ("voltage_volt", "net_capacity_ah"):
        sigma = aligned[f"{column}_sigma"].values
        assert np.isfinite(sigma).all()
        assert (sigma[aligned["current_ampere"].values != 0] > 0).all()
    assert (np.diff(aligned["test_time_second"].values) > 0).all()


def test_the_first_charge_only_rises(folder: Path, main_file: CyclingSeries) -> None:
    aligned = aligned_with(main_file, read_times(folder))
    first_s = float(main_file.columns["test_time_second"][main_file.columns["current_ampere"] < -1e-4].min())
    # Step 2 is the instrument's Ns 1.
    charging = (aligned["step_id"].values == 2) & (aligned["test_time_second"].values < first_s)
    capacity = aligned["net_capacity_ah"].values[charging & ~aligned["in_gap"].values]
    assert len(capacity) > 3
    assert (np.diff(capacity) > 0).all()


def test_what_lies_after_the_last_record_gets_no_value(folder: Path, main_file: CyclingSeries) -> None:
    table = records_of(main_file)
    early = table.isel(record=np.flatnonzero(table["test_time_second"].values < 10 * HOUR_S))
    aligned = align_frames(early, read_times(folder), BY_HAND)
    late = aligned["test_time_second"].values > 10 * HOUR_S
    assert 0 < late.sum() < len(late)
    assert np.isnan(aligned["voltage_volt"].values[late]).all()
    assert aligned["in_gap"].values[late].all()


def test_spectra_in_a_hole_of_the_records_are_flagged(folder: Path, tmp_path: Path) -> None:
    lines = (folder / MAIN).read_bytes().split(b"\r\n")
    frames = read_times(folder)
    whole = read_cycling_file(folder / MAIN, zone=SOLEIL)
    lost = np.abs(whole.columns["unix_time_second"] - frames.start_unix_s[5]) < 0.5 * HOUR_S
    kept = [line for line, gone in zip(lines[82:], lost, strict=True) if not gone]
    (tmp_path / MAIN).write_bytes(b"\r\n".join([*lines[:82], *kept]))
    series = read_cycling_files([tmp_path / MAIN], zone=SOLEIL)
    assert series.columns["voltage_volt"].size == 6333 - lost.sum()
    aligned = aligned_with(series, frames)
    in_hole = np.arange(26) == 5
    before_the_end = frames.start_unix_s + frames.exposure_s < series.clock_s[-1]
    assert (aligned["in_gap"].values[before_the_end] == in_hole[before_the_end]).all()
    assert np.isnan(aligned["voltage_volt"].values[5])


def test_a_spectrum_across_the_manual_restart_is_flagged(both: CyclingSeries) -> None:
    (restart,) = both.restarts
    assert restart.start_s - restart.end_s == pytest.approx(26.5, abs=0.1)
    middle = (restart.start_s + restart.end_s) / 2
    start_s = middle + np.array([-400.0, -65.0, -5.0, 60.0])
    frames = FrameTimes(np.arange(4), start_s, np.array([130.0, 130.0, 10.0, 130.0]))
    aligned = aligned_with(both, frames)
    assert aligned["in_gap"].values.tolist() == [False, True, True, False]
    assert np.isfinite(aligned["voltage_volt"].values).tolist() == [True, False, False, True]
    # Half a minute is no hole by its length: without what the files say, it would be interpolated.
    assert not align_frames(records_of(both), frames, BY_HAND)["in_gap"].any()
    before, after = aligned["net_capacity_ah_sigma"].values[[0, 3]]
    assert after > before
    assert after >= restart.charge_ah / np.sqrt(3)


def test_a_wrong_zone_covers_other_spectra_or_is_refused(folder: Path) -> None:
    frames = read_times(folder)
    tokyo = read_cycling_files([folder / MAIN, folder / CONTINUATION], zone=ZoneInfo("Asia/Tokyo"))
    inside = covered_frames(tokyo, BY_HAND, frames)
    assert 0 < (~inside).sum() < 26
    one = FrameTimes(np.zeros(1, int), frames.start_unix_s[-1:], frames.exposure_s[-1:])
    with pytest.raises(ImportRefusedError, match=r"if the files were \d h later: say --timezone"):
        covered_frames(tokyo, BY_HAND, one)


def test_the_header_says_nothing_of_this_cell(folder: Path, both: CyclingSeries) -> None:
    claims = {one.name: one for one in claims_of(both.files)}
    mass = claims["Mass of active material"]
    assert mass.mass_mg == 7000
    assert "implausible" in mass.doubt
    assert "18650" in claims["Comments"].text
    assert "mAh passed of 1350" in claims["Comments"].doubt
    for default in ("Characteristic mass", "Battery capacity", "Electrode surface area"):
        assert claims[default].doubt == "the instrument's default"
    cell = Cell.from_dict(
        {
            "name": "from the header",
            "format": "cylindrical",
            "format_detail": "18650",
            "working": "positive",
            "positive": {"material": "NMC811", "active_mass_mg": 7000, "lithium_content_assembled": 0.9},
            "negative": {"material": "Li"},
        }
    )
    note = aligned_with(both, read_times(folder), cell=cell)["x_positive"].attrs["note"]
    assert "implausible" in note
    assert "check the active mass" in note
    assert "carries no cell" in aligned_with(both, read_times(folder))["x_positive"].attrs["note"]


def test_battery_data_format_of_another_instrument(real_data: Path) -> None:
    read = read_cycling_file(real_data / "cycler" / "arbin_example.bdf.csv")
    assert read.rows == 2150
    assert not read.has_absolute_time
    assert read.columns["step_count"][-1] == 17
    current, charge = read.columns["current_ampere"], read.columns["net_capacity_ah"]
    # Its counters begin anew with each step; 0.0864 uA for 20,147 s.
    assert charge[read.columns["step_count"] == 2][-1] == pytest.approx(4.834977e-07, rel=1e-6)
    assert current.max() == pytest.approx(8.653391e-08)
    assert read.warnings == ()

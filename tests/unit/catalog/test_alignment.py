"""Frames on the cycler's axis, against courses that are known in closed form."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.catalog.alignment import FrameTimes, align_frames
from intercalate.catalog.client import CatalogError
from intercalate.catalog.clock import ClockModel, fit_clock
from intercalate.catalog.export import to_csv, to_netcdf
from intercalate.catalog.lithium import cell_of, lithium_content
from intercalate.cell import Cell, Electrode, Formation

T0 = 1.8e9
CURRENT_A = 0.75e-3
SAME_CLOCK = ClockModel.assumed(0.0, 0.0, "one clock")


def voltage(test_time_s: np.ndarray) -> np.ndarray:
    return 3.6 + 0.3 * np.sin(test_time_s / 3000.0)


def course(test_time_s: np.ndarray, step_ends_s: tuple[float, ...] = ()) -> xr.Dataset:
    """Records of a constant current, at these test times; steps change after the given times."""
    times = np.asarray(test_time_s, float)
    step = np.ones_like(times) + sum((times > end).astype(float) for end in step_ends_s)
    columns = {
        "record_seq": np.arange(len(times), dtype=float),
        "test_time_second": times,
        "unix_time_second": T0 + times,
        "voltage_volt": voltage(times),
        "current_ampere": np.full_like(times, CURRENT_A),
        "net_capacity_ah": CURRENT_A * times / 3600.0,
        "soc": np.full_like(times, np.nan),
        "step_id": step,
        "step_count": step,
        "cycle_count": np.ones_like(times),
    }
    return xr.Dataset({key: ("record", values) for key, values in columns.items()})


def exposures(start_s: np.ndarray | list[float], exposure_s: float = 60.0) -> FrameTimes:
    start = np.asarray(start_s, float)
    return FrameTimes(np.arange(len(start)), T0 + start, np.full(len(start), exposure_s))


def test_frames_stand_at_the_middle_of_their_exposure() -> None:
    aligned = align_frames(course(np.arange(0, 9000, 30.0)), exposures([0.0, 600.0, 4000.0]), SAME_CLOCK)
    assert aligned["test_time_second"].values == pytest.approx([30.0, 630.0, 4030.0], abs=1e-6)
    assert aligned["exposure_start_second"].values == pytest.approx([0.0, 600.0, 4000.0], abs=1e-6)
    assert aligned["exposure_end_second"].values == pytest.approx([60.0, 660.0, 4060.0], abs=1e-6)
    middle = aligned["test_time_second"].values
    assert aligned["net_capacity_ah"].values == pytest.approx(CURRENT_A * middle / 3600)
    assert aligned["net_capacity_ah_change"].values == pytest.approx(CURRENT_A * 60 / 3600, rel=1e-5)
    assert not aligned["in_gap"].any()
    assert not aligned["crosses_step"].any()
    assert "unknown" in aligned["soc"].attrs["note"]


@settings(max_examples=30)
@given(period=st.sampled_from([5.0, 30.0, 120.0]), phase=st.floats(0, 100))
def test_the_error_covers_what_sampling_loses(period: float, phase: float) -> None:
    frames = exposures(phase + np.arange(300, 8000, 211.0))
    aligned = align_frames(course(np.arange(0, 9000, period)), frames, SAME_CLOCK)
    error = np.abs(aligned["voltage_volt"].values - voltage(aligned["test_time_second"].values))
    assert (error <= 1.2 * aligned["voltage_volt_sigma"].values + 1e-9).all()
    assert aligned["voltage_volt_sigma"].max() < 0.3 / 3000**2 * period**2


def test_a_clock_that_is_off_and_drifts_is_corrected() -> None:
    noise, offset_s, drift = np.random.default_rng(5), 5.0, 200e-6
    true_start = np.arange(100.0, 76_000.0, 240.0)
    # The instrument's clock shows less than the cycler's, and runs slow.
    shown = T0 + (true_start - offset_s) / (1 + drift)
    half = np.full(len(shown), 0.2)
    pairs = fit_clock(T0 + true_start + noise.uniform(-half, half), shown, half)
    frames = FrameTimes(np.arange(len(shown)), shown, np.full(len(shown), 60.0))
    aligned = align_frames(course(np.arange(0, 77_000, 30.0)), frames, pairs)
    error_s = aligned["test_time_second"].values - (true_start + 30.0)
    assert np.abs(error_s).max() < 0.05
    assert (np.abs(error_s) < 3 * aligned["test_time_second_sigma"].values).all()
    # Without the correction the frames would be 5 to 20 s late.
    wrong = align_frames(course(np.arange(0, 77_000, 30.0)), frames, SAME_CLOCK)
    assert np.abs(wrong["test_time_second"].values - (true_start + 30.0)).max() > 15.0


def test_an_uncertain_clock_makes_the_voltage_uncertain() -> None:
    frames, table = exposures([600.0]), course(np.arange(0, 9000, 30.0))
    sure = align_frames(table, frames, SAME_CLOCK)
    unsure = align_frames(table, frames, ClockModel.assumed(0.0, 20.0, "guessed"))
    slope = 0.3 / 3000 * np.cos(630.0 / 3000)
    assert unsure["voltage_volt_sigma"].item() == pytest.approx(20 * slope, rel=0.02)
    assert sure["voltage_volt_sigma"].item() < unsure["voltage_volt_sigma"].item() / 20
    unknown = align_frames(table, frames, ClockModel.unknown("never compared"))
    assert np.isnan(unknown["voltage_volt_sigma"].item())


def test_nothing_is_interpolated_across_a_gap() -> None:
    times = np.concatenate([np.arange(0, 3000, 30.0), np.arange(4000, 6000, 30.0)])
    aligned = align_frames(course(times), exposures([1000.0, 2940.0, 3500.0, 3980.0, 4500.0]), SAME_CLOCK)
    assert aligned["in_gap"].values.tolist() == [False, True, True, True, False]
    known = np.isfinite(aligned["voltage_volt"].values)
    # The first frame at the edge has its middle at the last record before the gap.
    assert known.tolist() == [True, True, False, True, True]
    assert np.isfinite(aligned["test_time_second"].values).all()


@pytest.mark.parametrize("missing", [2, 3])
def test_two_missing_records_are_no_gap_and_three_are(missing: int) -> None:
    times = np.delete(np.arange(0, 3000, 30.0), range(50, 50 + missing))
    aligned = align_frames(course(times), exposures([1500.0], 20.0), SAME_CLOCK, period_s=30.0)
    assert bool(aligned["in_gap"].item()) is (missing == 3)


def test_frames_before_and_after_the_records_have_times_but_no_values() -> None:
    aligned = align_frames(course(np.arange(0, 900, 30.0)), exposures([-300.0, 300.0, 2000.0]), SAME_CLOCK)
    assert aligned["in_gap"].values.tolist() == [True, False, True]
    assert np.isfinite(aligned["voltage_volt"].values).tolist() == [False, True, False]
    assert aligned["test_time_second"].values == pytest.approx([-270.0, 330.0, 2030.0], abs=1e-6)


def test_a_frame_over_a_change_of_step_is_flagged() -> None:
    times = np.sort(np.concatenate([np.arange(0, 3000, 30.0), [1001.0]]))
    table = course(times, step_ends_s=(1000.0,))
    aligned = align_frames(table, exposures([900.0, 960.0, 995.0, 1100.0], 20.0), SAME_CLOCK)
    # The step changed somewhere between the records at 990 and 1001 s.
    assert aligned["crosses_step"].values.tolist() == [False, False, True, False]
    assert aligned["step_id"].values.tolist() == [1, 1, 2, 2]


def test_records_may_come_unsorted_and_two_at_one_instant() -> None:
    times = np.arange(0, 3000, 30.0)
    table = xr.concat([course(times), course(times[50:51])], "record")
    order = np.random.default_rng(0).permutation(table.sizes["record"])
    mixed = align_frames(table.isel(record=order), exposures([600.0, 1490.0]), SAME_CLOCK)
    plain = align_frames(course(times), exposures([600.0, 1490.0]), SAME_CLOCK)
    np.testing.assert_allclose(mixed["voltage_volt"].values, plain["voltage_volt"].values)


def test_one_record_is_too_few() -> None:
    with pytest.raises(CatalogError, match="two records at least; there are 1"):
        align_frames(course(np.array([0.0])), exposures([0.0]), SAME_CLOCK)


def cell(**changes: object) -> Cell:
    content = {
        "name": "c",
        "format": "operando_transmission",
        "working": "positive",
        "positive": {"material": "NMC811", "active_mass_mg": 47.6, "lithium_content_assembled": 0.93},
        "negative": {"material": "graphite", "active_mass_mg": 23.5, "lithium_content_assembled": 0.0},
    }
    return Cell.from_dict(content | changes)


def test_lithium_follows_faraday() -> None:
    # 1 mAh is 3.6 C; per formula unit LiNi0.8Mn0.1Co0.1O2 (97.28 g/mol) and C6 (72.07 g/mol).
    moles = 3.6 / 96485.33212
    charge = np.array([0.0, 1e-3])
    positive = lithium_content("positive", cell(), charge, np.zeros(2))
    negative = lithium_content("negative", cell(), charge, np.zeros(2))
    assert positive.x[0] - positive.x[1] == pytest.approx(moles / (47.6e-3 / 97.28), rel=1e-3)
    assert negative.x[1] - negative.x[0] == pytest.approx(moles / (23.5e-3 / 72.066), rel=1e-3)
    assert positive.x[0] == 0.93
    assert "side reactions" in negative.note


def test_what_formation_lost_is_missing_on_one_side_only() -> None:
    formed = cell(formation=(Formation(description="C/20", irreversible_capacity_mAh=0.5),))
    zero = np.zeros(1)
    fresh = lithium_content("positive", cell(), zero, zero).x
    half_milliampere_hour = lithium_content("positive", cell(), np.array([0.5e-3]), zero).x
    assert lithium_content("positive", formed, zero, zero).x == pytest.approx(half_milliampere_hour)
    assert lithium_content("positive", formed, zero, zero).x < fresh
    assert lithium_content("negative", formed, zero, zero).x == 0.0


@pytest.mark.parametrize(
    ("side", "changes", "reason"),
    [
        (
            "positive",
            {"formation": [{"description": "C/20"}]},
            "of the formation 'C/20' is not given",
        ),
        ("positive", {"positive": {"material": "NMC811", "active_mass_mg": 1}}, "lithium_content_assembled"),
        ("positive", {"positive": {"material": "NMC811"}}, "no active mass"),
        ("negative", {"negative": {"material": "Li"}}, "is lithium metal"),
        (
            "negative",
            {"negative": {"material": "Prussian blue", "active_mass_mg": 1}},
            "no electrode material 'Prussian blue'",
        ),
    ],
)
def test_unknown_lithium_is_nan_with_the_reason(side, changes: dict[str, object], reason: str) -> None:
    content = lithium_content(side, cell(**changes), np.zeros(3), np.zeros(3))
    assert np.isnan(content.x).all()
    assert np.isnan(content.sigma).all()
    assert reason in content.note


@pytest.mark.parametrize(("mass_mg", "doubted"), [(47.6, False), (7000.0, True), (4.0, True)])
def test_a_wrong_mass_is_doubted(mass_mg: float, doubted: bool) -> None:
    positive = {"material": "NMC811", "active_mass_mg": mass_mg, "lithium_content_assembled": 0.93}
    charge = np.linspace(0, 5e-3, 50)
    content = lithium_content("positive", cell(positive=positive), charge, charge * 0, voltage_span_v=1.0)
    assert ("implausible" in content.note) is doubted


def test_a_run_without_a_cell_has_unknown_lithium() -> None:
    assert cell_of({}) is None
    assert cell_of({"cell": {"name": "half"}}) is None
    assert cell_of({"cell": cell().model_dump(mode="json", exclude_none=True)}) == cell()
    aligned = align_frames(course(np.arange(0, 900, 30.0)), exposures([300.0]), SAME_CLOCK)
    assert aligned["x_positive"].attrs["note"] == "unknown: the run carries no cell"
    assert isinstance(cell().positive, Electrode)


def test_export_keeps_values_and_units(tmp_path: Path) -> None:
    aligned = align_frames(
        course(np.arange(0, 900, 30.0)), exposures([300.0, 500.0]), SAME_CLOCK, cell=cell()
    )
    patterned = aligned.assign(intensity=(("frame", "two_theta"), np.ones((2, 40))))
    written = pd.read_csv(to_csv(patterned, tmp_path / "a.csv"))
    assert written["voltage_volt / V"].to_numpy() == pytest.approx(aligned["voltage_volt"].values)
    assert "intensity" not in written
    with xr.open_dataset(to_netcdf(patterned, tmp_path / "a.nc"), engine="h5netcdf") as read:
        xr.testing.assert_allclose(read.load(), patterned)
        assert read["voltage_volt"].attrs["units"] == "V"

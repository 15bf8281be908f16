"""The clock of a PC that nobody connected: its error is what is stated, and a wrong zone is noticed."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.catalog.alignment import FrameTimes
from intercalate.catalog.clock import ClockModel
from intercalate.catalog.cycler_clock import (
    ClockCheck,
    ClockError,
    clock_of_checks,
    clock_of_offset,
    marker_time,
    parse_clock_check,
    parse_marker,
    parse_time,
)
from intercalate.catalog.cycling_import import ImportRefusedError, covered_frames
from intercalate.cycling_files import CyclingSeries, read_cycling_files
from unit.cycling_files.samples import course, write_mpt

PARIS = ZoneInfo("Europe/Paris")
T0 = datetime(2022, 7, 26, 20, 0, tzinfo=UTC).timestamp()
HOUR_S = 3600.0


def series_of(folder: Path, zone: str = "Europe/Paris", **options) -> CyclingSeries:
    columns = {name: values[:120] for name, values in course(240, rest_rows=20).items()}
    columns["<I>/mA"] = np.where(np.arange(120) > 80, 0.0, columns["<I>/mA"])
    columns["Ns"] = np.where(np.arange(120) > 80, 2.0, columns["Ns"])
    return read_cycling_files([write_mpt(folder / "a.mpt", columns, **options)], zone=ZoneInfo(zone))


def coverage(times_s: np.ndarray, half_s: float, ask_s: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Part of the clocks whose error is within one and two stated errors, and stated over true error."""
    noise = np.random.default_rng(seed)
    within, stated, true = [], [], []
    for _ in range(400):
        offset, drift = noise.uniform(-600, 600), noise.uniform(-2e-4, 2e-4)
        cycler = times_s + offset + drift * times_s + noise.uniform(-half_s, half_s, len(times_s))
        checks = [ClockCheck(T0 + a, T0 + b, half_s) for a, b in zip(cycler, times_s, strict=True)]
        clock = clock_of_checks(checks)
        error = clock.to_cycler(T0 + ask_s) - (T0 + ask_s + offset + drift * ask_s)
        sigma = clock.sigma_s(T0 + ask_s)
        within.append(np.abs(error) / sigma)
        stated.append(sigma)
        true.append(error)
    ratio = float(np.sqrt(np.mean(np.square(stated)) / np.mean(np.square(true))))
    return float(np.mean(np.array(within) < 1)), float(np.mean(np.array(within) < 2)), ratio


@pytest.mark.parametrize("hours", [(0, 40), (0, 10, 25, 40), (0, 1), tuple(range(0, 41, 4))])
@pytest.mark.parametrize("ask", ["between", "beyond"])
def test_the_stated_error_covers_the_true_one(hours: tuple[int, ...], ask: str) -> None:
    times_s = HOUR_S * np.array(hours, float)
    low, high = (times_s[0], times_s[-1]) if ask == "between" else (times_s[-1], 1.5 * times_s[-1])
    one, two, ratio = coverage(times_s, 1.0, np.linspace(low, high, 7), seed=len(hours))
    assert one > 0.65
    assert two > 0.94
    # Of many checks a person may make the same mistake in each: their mean is not taken to be better.
    assert ratio < (2.2 if len(hours) < 10 else 4.0)


def test_one_check_says_less_the_further_away() -> None:
    clock = clock_of_checks([ClockCheck(T0 + 5, T0, 1.0)])
    near, far = clock.sigma_s(T0 + np.array([0.0, 10 * HOUR_S]))
    assert near < 1.0
    assert 30 < far < 40


def test_checks_that_contradict_each_other_are_refused() -> None:
    pairs = [
        ClockCheck(T0 + h * HOUR_S + off, T0 + h * HOUR_S, 1.0) for h, off in ((0, 3), (10, 3), (20, 3600))
    ]
    with pytest.raises(ClockError, match=r"check .*off the line through all of them"):
        clock_of_checks([*pairs, ClockCheck(T0 + 30 * HOUR_S + 3, T0 + 30 * HOUR_S, 1.0)])
    with pytest.raises(ClockError, match="needs one at least"):
        clock_of_checks([])
    with pytest.raises(ClockError, match="must not be negative"):
        clock_of_checks([ClockCheck(0.0, 0.0, -1.0)])


@settings(max_examples=50, deadline=None)
@given(offset=st.floats(-1e6, 1e6), uncertainty=st.floats(0, 1e4))
def test_an_offset_is_what_is_added_to_the_pcs_time(offset: float, uncertainty: float) -> None:
    clock = clock_of_offset(offset, uncertainty)
    assert clock.to_cycler(T0) + offset == pytest.approx(T0, abs=1e-6)
    assert clock.sigma_s(T0) == pytest.approx(uncertainty)
    again = ClockModel.from_dict(clock.to_dict())
    assert (again.offset_s, again.systematic_s, again.note) == (
        clock.offset_s,
        clock.systematic_s,
        clock.note,
    )


def test_an_offset_of_unknown_error_has_none() -> None:
    clock = ClockModel.from_dict(clock_of_offset(3.0, None).to_dict())
    assert np.isnan(clock.sigma_s(T0))
    for offset, uncertainty in ((np.nan, 1.0), (np.inf, 1.0), (1.0, -1.0), (1.0, np.nan)):
        with pytest.raises(ClockError):
            clock_of_offset(offset, uncertainty)


def test_times_and_pairs_as_people_write_them() -> None:
    assert parse_time("2022-07-26 22:00:00", PARIS) == T0
    assert parse_time("2022-07-26T20:00:00.5+00:00", PARIS) == T0 + 0.5
    assert parse_time(" 12.5 ", PARIS) == 12.5
    check = parse_clock_check("2022-07-26 22:00:05 = 2022-07-26 22:00:00", PARIS, 1.0)
    assert check == ClockCheck(T0 + 5, T0, 1.0)
    for text in ("nan = 1", "1 = inf", "yesterday = 2022-07-26 22:00:00", "2022-07-26 22:00:00", "=", "1 ="):
        with pytest.raises(ClockError):
            parse_clock_check(text, PARIS, 1.0)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_a_pair_or_refused(text: str) -> None:
    try:
        parse_clock_check(text, PARIS, 1.0)
    except ClockError:
        return


def test_markers_of_the_file_are_as_certain_as_its_records(tmp_path: Path) -> None:
    series = series_of(tmp_path)
    began = series.clock_s[0]
    assert marker_time(series, "start 1") == pytest.approx((began + 20.5 * 30, 15.0))
    assert marker_time(series, "stop 1") == pytest.approx((began + 80.5 * 30, 15.0))
    assert marker_time(series, "step 3") == pytest.approx((began + 80.5 * 30, 15.0))
    check = parse_marker("stop 1 = 2022-07-26 23:19:00", series, PARIS, 1.0)
    assert check.half_width_s == pytest.approx(16.0)
    for name in ("stop 2", "step 9", "step 1", "pause 1", "stop", "stop 0", "stop one"):
        with pytest.raises(ClockError, match="marker"):
            marker_time(series, name)


@pytest.mark.parametrize("started", ["07/26/2022 22:38:30.190", None])
def test_a_marker_that_both_have_seen_gives_the_clock(tmp_path: Path, started: str | None) -> None:
    series = series_of(tmp_path, started=started)
    truth = T0 + 3000.0 - series.clock_s[0]
    checks = []
    for name, row in (("start 1", 20.7), ("stop 1", 80.2)):
        checks.append(ClockCheck(marker_time(series, name)[0], T0 + 3000.0 + row * 30, 16.0))
    clock = clock_of_checks(checks)
    middle = T0 + 3000.0 + 50 * 30
    assert abs(float(clock.to_cycler(middle)) - (middle - truth)) < 2 * float(clock.sigma_s(middle))
    assert float(clock.sigma_s(middle)) < 20


def frames_at(*start_s: float) -> FrameTimes:
    start = np.array(start_s)
    return FrameTimes(np.arange(len(start)), start, np.full(len(start), 60.0))


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("America/New_York", "3 of 3 would be within if the files were 6 h earlier: say --timezone"),
        ("Asia/Kolkata", "3 of 3 would be within if the files were 3.5 h later"),
        ("UTC", "3 of 3 would be within if the files were 2 h earlier"),
    ],
)
def test_a_wrong_zone_is_refused_with_a_hint(tmp_path: Path, zone: str, hint: str) -> None:
    right = series_of(tmp_path)
    frames = frames_at(*(right.clock_s[0] + np.array([100.0, 900.0, 3400.0])))
    same = clock_of_offset(0.0, 1.0)
    assert covered_frames(right, same, frames).all()
    with pytest.raises(ImportRefusedError, match=hint):
        covered_frames(series_of(tmp_path, zone), same, frames)


def test_another_week_is_refused_without_that_hint(tmp_path: Path) -> None:
    frames = frames_at(series_of(tmp_path).clock_s[0] + 100.0)
    other = series_of(tmp_path, started="07/08/2022 22:38:30")
    with pytest.raises(ImportRefusedError, match="name the run that these files belong to") as caught:
        covered_frames(other, clock_of_offset(0.0, 1.0), frames)
    assert "lie 431.04 h before the 1 exposures" in str(caught.value)
    assert "the first number is taken as the month" in str(caught.value)
    assert "timezone" not in str(caught.value)

"""Two clocks: offset and drift come back, with errors that cover the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.catalog.clock import ClockModel, fit_clock

T0 = 1.8e9


def readings(
    offset_s: float, drift: float, count: int, *, half_s: float, span_s: float = 76_000.0, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs whose errors are uniform within their half widths."""
    noise = np.random.default_rng(seed)
    instrument = T0 + np.linspace(0, span_s, count)
    half = half_s * noise.uniform(0.5, 2.0, count)
    cycler = instrument + offset_s + drift * (instrument - T0) + noise.uniform(-half, half)
    return cycler, instrument, half


@settings(max_examples=40)
@given(
    offset=st.floats(-1000, 1000),
    drift=st.floats(-500e-6, 500e-6),
    count=st.integers(2, 300),
    seed=st.integers(0, 1000),
)
def test_offset_and_drift_come_back_within_their_error(
    offset: float, drift: float, count: int, seed: int
) -> None:
    clock = fit_clock(*readings(offset, drift, count, half_s=0.5, seed=seed))
    times = T0 + np.linspace(0, 76_000, 7)
    truth = times + offset + drift * (times - T0)
    assert (np.abs(clock.to_cycler(times) - truth) < 5 * clock.sigma_s(times)).all()


def test_five_seconds_and_two_hundred_ppm() -> None:
    clock = fit_clock(*readings(5.0, 200e-6, 300, half_s=0.05))
    at_start = clock.to_cycler(T0) - T0
    assert at_start == pytest.approx(5.0, abs=0.02)
    assert clock.drift == pytest.approx(200e-6, abs=0.5e-6)


def test_a_few_pairs_that_are_off_hardly_matter() -> None:
    cycler, instrument, half = readings(5.0, 0.0, 100, half_s=0.1)
    cycler[::10] += 60.0
    clock = fit_clock(cycler, instrument, half)
    assert clock.to_cycler(T0) - T0 == pytest.approx(5.0, abs=0.2)


def test_an_error_that_all_pairs_share_is_not_averaged_away() -> None:
    _, instrument, half = readings(0.0, 0.0, 1000, half_s=1.0)
    clock = fit_clock(instrument + 0.9 * half, instrument, half)
    assert abs(clock.offset_s) < 2 * clock.sigma_s(instrument.mean())
    assert clock.sigma_s(instrument.mean()) > 0.3


def test_the_error_grows_away_from_the_pairs() -> None:
    clock = fit_clock(*readings(1.0, 0.0, 20, half_s=0.5, span_s=100.0))
    near, far = clock.sigma_s([T0 + 50, T0 + 100_000])
    assert far > 10 * near


def test_one_pair_is_enough_for_an_offset() -> None:
    clock = fit_clock([T0 + 3.0], [T0], [0.2])
    assert clock.offset_s == pytest.approx(3.0)
    assert clock.sigma_s(T0) >= 0.2 / np.sqrt(3)


@pytest.mark.parametrize(
    ("half", "message"), [([-0.1], "must not be negative"), ([np.nan], "none of 1 paired clock readings")]
)
def test_impossible_pairs_are_refused(half: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_clock([T0], [T0], half)


def test_clocks_that_were_never_compared_have_an_unknown_error() -> None:
    clock = ClockModel.unknown("no readings")
    assert clock.to_cycler(T0) == T0
    assert np.isnan(clock.sigma_s(T0))

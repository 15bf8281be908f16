import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.reduction.window import WindowError, find_window

RADIUS_MM, FRAME_MM = 3.0, 5.0


def transmission(position, centre, beam=0.5, through=0.7, noise=0.0, seed=0):
    """Of a beam of this width through a window in an opaque frame, with air beyond it."""
    offsets = (np.arange(41) + 0.5) / 41 * beam - beam / 2
    away = np.abs(position[:, None] + offsets - centre)
    share = np.where(away < RADIUS_MM, through, np.where(away > FRAME_MM, 1.0, 0.0)).mean(1)
    return share + noise * np.random.default_rng(seed).standard_normal(position.size)


@settings(max_examples=80)
@given(
    centre=st.floats(-0.8, 0.8),
    beam=st.floats(0.02, 1.0),
    step=st.sampled_from([0.1, 0.25, 0.5]),
    seed=st.integers(0, 100),
)
def test_the_centre_is_found_within_three_sigma(centre, beam, step, seed):
    position = np.arange(-4.5, 4.5 + step / 2, step)
    found = find_window(position, transmission(position, centre, beam, noise=1e-3, seed=seed))
    assert abs(found.centre_mm - centre) < 3.4 * found.centre_sigma_mm + 0.02 * beam
    assert found.width_mm == pytest.approx(2 * RADIUS_MM, abs=1.01 * step + 0.05)
    assert found.transmission == pytest.approx(0.7, rel=0.02)


def test_the_air_beside_a_frame_is_no_window():
    position = np.arange(-7.0, 7.1, 0.25)
    assert find_window(position, transmission(position, 0.3)).centre_mm == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(37), "no window with both edges"),
        (np.ones(37), "no window with both edges"),
        (np.linspace(0, 1, 37), "no window with both edges"),
        (np.full(37, np.nan), "no transmission"),
    ],
)
def test_what_is_no_window_is_said(values, message):
    with pytest.raises(WindowError, match=message):
        find_window(np.linspace(-4.5, 4.5, 37), values)


def test_a_scan_of_a_few_points_is_refused():
    with pytest.raises(WindowError, match="5 points are too few"):
        find_window(np.arange(5.0), np.ones(5))

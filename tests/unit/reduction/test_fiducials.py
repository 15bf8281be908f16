"""Marks on a holder: found in images and scans within their errors, and what they say of how it lies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.reduction.fiducials import (
    FiducialError,
    brightest,
    disc_in_image,
    middle_of_chord,
    placement,
    turning,
)

DIAMETER_UM = 80.0
MARKS_MM = np.array([[-2.2, 0.0], [2.2, 0.0], [0.0, 2.2]])


def image(
    x_um: float, y_um: float, seed: int, pixel_um: float = 1.0, diameter_um: float = DIAMETER_UM
) -> np.ndarray:
    generator = np.random.default_rng(seed)
    axis = (np.arange(256) - 127.5) * pixel_um
    disc = np.hypot(axis[None, :] - x_um, axis[:, None] - y_um) < diameter_um / 2
    return np.clip(60.0 + 90.0 * disc + 8.0 * generator.standard_normal(disc.shape), 0, 255).astype(np.uint8)


def test_a_disc_is_where_it_is_said_to_be() -> None:
    generator = np.random.default_rng(1)
    for seed in range(30):
        x_um, y_um = generator.uniform(-60, 60, 2)
        found = disc_in_image(image(x_um, y_um, seed), 1.0, DIAMETER_UM)
        assert abs(found.x_um.value - x_um) < 3 * found.x_um.sigma_stat
        assert abs(found.y_um.value - y_um) < 3 * found.y_um.sigma_stat


@pytest.mark.parametrize(
    ("grey", "words"),
    [
        (image(0.0, 0.0, 1, diameter_um=0.0), "no mark stands out|no discs"),
        (image(0.0, 0.0, 2, diameter_um=30.0), "no discs of 80 um"),
        (image(120.0, 0.0, 3), "no discs of 80 um"),
        (np.maximum(image(-60.0, 0.0, 4), image(60.0, 0.0, 5)), "2 discs"),
        (np.full((64, 64), 255, np.uint8), "the image is even"),
    ],
)
def test_what_is_no_single_disc_is_refused(grey: np.ndarray, words: str) -> None:
    with pytest.raises(FiducialError, match=words):
        disc_in_image(grey, 1.0, DIAMETER_UM)


def line(at_um: float, seed: int, drift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Light along a line over a disc, while the focus moves."""
    generator = np.random.default_rng(seed)
    along = np.linspace(-72.0, 72.0, 13)
    light = 0.3 + 0.6 * (np.abs(along - at_um) < DIAMETER_UM / 2)
    return along, light * np.linspace(1.0, 1.0 - drift, 13) * (1 + 0.002 * generator.standard_normal(13))


@pytest.mark.parametrize("drift", [0.0, 0.6])
def test_a_disc_is_found_by_its_edges_whatever_the_focus_does(drift: float) -> None:
    generator = np.random.default_rng(2)
    off = []
    for seed in range(300):
        at_um = generator.uniform(-20, 20)
        found = middle_of_chord(*line(at_um, seed, drift), DIAMETER_UM)
        off.append((found.value - at_um) / found.sigma_stat)
    assert 0.6 < np.mean(np.abs(off) < 1) < 0.85
    assert np.max(np.abs(off)) < 2.6


@pytest.mark.parametrize(
    ("at_um", "width_um", "words"),
    [
        (300.0, DIAMETER_UM, "crosses no mark"),
        (0.0, 20.0, "is 12 um long"),
        (70.0, DIAMETER_UM, "crosses no mark"),
    ],
)
def test_a_line_without_a_whole_chord_is_refused(at_um: float, width_um: float, words: str) -> None:
    along = np.linspace(-72.0, 72.0, 13)
    light = 0.3 + 0.6 * (np.abs(along - at_um) < width_um / 2)
    with pytest.raises(FiducialError, match=words):
        middle_of_chord(along, light, DIAMETER_UM)


def test_a_scan_without_a_disc_is_refused() -> None:
    with pytest.raises(FiducialError, match="there is no mark"):
        brightest(np.zeros(49), np.zeros(49), np.linspace(0.12, 0.03, 49))


@given(st.floats(-150, 150), st.floats(-150, 150))
def test_a_coarse_scan_says_about_where_a_disc_is(x_um: float, y_um: float) -> None:
    steps = np.linspace(-200.0, 200.0, 7)
    at = np.array([(x, y) for y in steps for x in steps]).T
    light = 0.3 + 0.6 * (np.hypot(at[0] - x_um, at[1] - y_um) < DIAMETER_UM / 2)
    # Between four points of a scan there is room for half of a disc.
    if light.max() > 0.5:
        found = brightest(*at, light)
        assert np.hypot(found[0] - x_um, found[1] - y_um) < DIAMETER_UM / 2


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-179, 179), st.integers(0, 1000))
def test_shift_and_rotation_are_recovered(x_mm: float, y_mm: float, angle_deg: float, seed: int) -> None:
    noise = 1e-3 * np.random.default_rng(seed).standard_normal((3, 2))
    there = np.array([x_mm, y_mm]) + MARKS_MM @ turning(angle_deg).T + noise
    found = placement(MARKS_MM, there, np.full(3, 1e-3))
    assert abs(found.x_mm.value - x_mm) < 6 * found.x_mm.sigma
    assert abs(found.y_mm.value - y_mm) < 6 * found.y_mm.sigma
    assert abs((found.rotation_deg.value - angle_deg + 180) % 360 - 180) < 6 * found.rotation_deg.sigma


def test_errors_of_a_placement_cover_it() -> None:
    generator = np.random.default_rng(3)
    pulls = []
    for _ in range(400):
        noise = 2e-3 * generator.standard_normal((3, 2))
        found = placement(MARKS_MM, MARKS_MM @ turning(1.5).T + noise, np.full(3, 2e-3))
        turned = (found.rotation_deg.value - 1.5) / found.rotation_deg.sigma
        pulls.append([found.x_mm.value / found.x_mm.sigma, turned])
    for pull in np.array(pulls).T:
        assert 0.6 < np.mean(np.abs(pull) < 1) < 0.76
        assert abs(pull.mean()) < 0.15


def test_marks_that_do_not_fit_together_are_refused() -> None:
    moved = MARKS_MM.copy()
    moved[1, 0] += 0.1
    with pytest.raises(FiducialError, match="it is another mark, or the holder is bent"):
        placement(MARKS_MM, moved, np.full(3, 2e-3))
    with pytest.raises(FiducialError, match="three are needed"):
        placement(MARKS_MM[:2], MARKS_MM[:2], np.full(2, 2e-3))

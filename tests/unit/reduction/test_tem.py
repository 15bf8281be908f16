"""Images and patterns of lithium: shapes drawn here by simple means, and what cannot be used."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from intercalate.reduction.results import Estimate
from intercalate.reduction.tem import (
    Filling,
    Habit,
    Observation,
    Order,
    TemCamera,
    TemError,
    camera_constant,
    deposit_shape,
    growth_finding,
    pattern_finding,
)
from intercalate.reduction.tem.patterns import _allowed

CAMERA = TemCamera(5.0, 4.0, 1.0, 100.0, 60000.0)
SIZE = 192


def image(weakening, electrons=400.0, seed=0):
    seen = np.random.default_rng(seed).poisson(electrons * np.exp(-ndimage.gaussian_filter(weakening, 0.8)))
    return 100.0 + 4.0 * seen


def rod(direction_deg, length=110.0, radius=12.0, hollow=False, core=0.3, middle=(96.0, 96.0)):
    row, column = np.mgrid[:SIZE, :SIZE]
    x, y = column - middle[0], middle[1] - row
    phi = np.deg2rad(direction_deg)
    along = np.clip(x * np.cos(phi) + y * np.sin(phi), -length / 2, length / 2)
    distance = np.hypot(x - along * np.cos(phi), y - along * np.sin(phi))
    whole = np.sqrt(np.maximum(radius**2 - distance**2, 0.0))
    inside = np.sqrt(np.maximum((0.8 * radius) ** 2 - distance**2, 0.0))
    return 0.05 * (whole - inside) + (0.0 if hollow else 0.05 * core) * inside


def test_a_deposit_of_which_one_half_hardly_stands_out_is_refused():
    """Its other half alone would be a shorter whisker."""
    column = np.arange(SIZE)
    whole = rod(0.0, hollow=True)
    deposit_shape(image(whole, 8000.0), CAMERA)
    faint = np.where(column > 100, 0.24, 1.0)
    with pytest.raises(TemError, match="outline is not seen all around"):
        deposit_shape(image(whole * faint, 8000.0), CAMERA)


def disc(radius=40.0):
    row, column = np.mgrid[:SIZE, :SIZE]
    return 0.4 * (np.hypot(row - 96, column - 96) < radius)


@settings(max_examples=12, deadline=None)
@given(st.floats(0.0, 179.9), st.booleans())
def test_a_rod_is_a_whisker_of_its_direction_width_and_filling(direction_deg, hollow):
    found = deposit_shape(image(rod(direction_deg, hollow=hollow)), CAMERA)
    assert found.habit is Habit.WHISKER
    off = (found.direction_deg.value - direction_deg + 90.0) % 180.0 - 90.0
    assert abs(off) < max(4 * found.direction_deg.sigma, 0.6)
    assert found.filling is (Filling.HOLLOW if hollow else Filling.FILLED)
    assert found.kinks == ()
    assert abs(found.width_nm.value - 120.0) < 3 * found.width_nm.sigma
    assert abs(found.length_nm.value - 670.0) < 3 * found.length_nm.sigma


def test_a_disc_is_a_dense_cluster_and_says_nothing_of_direction():
    found = deposit_shape(image(disc()), CAMERA)
    assert found.habit is Habit.CLUSTER
    assert np.isnan(found.direction_deg.value)
    assert found.density > 0.9
    assert abs(found.area_nm2.value - np.pi * 200.0**2) < 3 * found.area_nm2.sigma


@pytest.mark.parametrize("turn", [-60.0, 35.0, 75.0])
def test_a_bend_is_counted_and_measured(turn):
    phi, radius = np.deg2rad(20.0 + turn), 10.0
    first = rod(20.0, 70.0, radius, middle=(70.0, 110.0))
    end = np.array([70.0 + 35 * np.cos(np.deg2rad(20.0)), 110.0 - 35 * np.sin(np.deg2rad(20.0))])
    middle = end + 35 * np.array([np.cos(phi), -np.sin(phi)])
    found = deposit_shape(
        image(np.maximum(first, rod(20.0 + turn, 70.0, radius, middle=tuple(middle)))), CAMERA
    )
    assert len(found.kinks) == 1
    assert abs(abs(found.kinks[0].angle_deg.value) - abs(turn)) < 3 * found.kinks[0].angle_deg.sigma
    assert found.axis_px.shape == (3, 2)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.ones((4, 4)), "too small"),
        (np.full((64, 64), np.nan), "4096 pixels hold no number"),
        (np.full((64, 64), 65535.0), "saturated"),
        (np.full((64, 64), 102.0), "dark"),
        (image(0 * disc()), "nothing stands out|covers"),
        (image(rod(90.0, middle=(96.0, 30.0))), "edge of the image cuts"),
    ],
)
def test_images_that_cannot_be_used_are_refused(counts, message):
    with pytest.raises(TemError, match=message):
        deposit_shape(counts, CAMERA)


def pattern(spots=(), rings=(), halo=None, scale=150.0, electrons=200.0, seed=0, middle=(128.3, 126.6)):
    row, column = np.mgrid[:256, :256]
    x, y = column - middle[0], middle[1] - row
    radius = np.hypot(x, y)
    expected = 2.0 + 10.0 * np.exp(-radius / 40.0) + 5e4 * np.exp(-0.5 * (radius / 2.0) ** 2)
    for inverse, azimuth in spots:
        phi = np.deg2rad(azimuth)
        off = np.hypot(x - scale * inverse * np.cos(phi), y - scale * inverse * np.sin(phi))
        expected += electrons * np.exp(-0.5 * (off / 1.4) ** 2)
    for inverse in rings:
        expected += 40.0 * np.exp(-0.5 * ((radius - scale * inverse) / 1.3) ** 2)
    if halo is not None:
        expected += 40.0 * np.exp(-0.5 * ((radius - scale * halo) / 10.0) ** 2)
    return np.minimum(np.random.default_rng(seed).poisson(expected), 60000)


GOLD = tuple(np.sqrt([3, 4, 8, 11]) / 4.0782)
LITHIUM = {squares: float(np.sqrt(squares) / 3.5092) for squares in (2, 4, 6)}


@settings(max_examples=10, deadline=None)
@given(st.floats(132.0, 158.0))
def test_gold_sets_the_camera_length(scale):
    found = camera_constant(pattern(rings=GOLD, scale=scale), 145.0)
    assert abs(found.value - scale) < max(4 * found.sigma, 0.3)
    assert found.sigma < 0.01 * scale


def test_patterns_without_gold_or_beam_are_refused():
    with pytest.raises(TemError, match="rings"):
        camera_constant(pattern(), 145.0)
    with pytest.raises(TemError, match="no direct beam"):
        camera_constant(np.full((256, 256), 10.0), 145.0)
    with pytest.raises(TemError, match="too small"):
        pattern_finding(np.ones((8, 8)), Estimate(150.0, 0.1, 0.1))


def test_angles_of_planes_to_the_axes_are_those_of_a_cube():
    np.testing.assert_allclose(_allowed(2, (1, 1, 1)), [35.2644, 90.0], atol=1e-3)
    np.testing.assert_allclose(_allowed(2, (1, 1, 0)), [0.0, 60.0, 90.0], atol=1e-3)
    np.testing.assert_allclose(_allowed(4, (2, 1, 1)), [35.2644, 65.9052], atol=1e-3)


KNOWN = Estimate(150.0, 0.1, 0.2)


def zone_of_111(direction):
    """[1 -1 0]: 110 across the axis and at 35 degrees to it, 002 at 55."""
    angles = ((2, 90.0), (2, 270.0), (4, 54.7356), (4, 234.7356), (6, 19.47), (6, 199.47), (6, 90.0 + 0.0))
    return [(LITHIUM[squares], direction + angle) for squares, angle in angles[:6]]


@pytest.mark.parametrize("direction", [10.0, 77.0, 140.0])
def test_spots_and_the_direction_of_growth_give_the_axis(direction):
    found = pattern_finding(pattern(zone_of_111(direction)), KNOWN, Estimate(direction, 0.3, 0.3))
    assert found.order is Order.CRYSTALLINE
    assert found.spots.shape == (6, 3)
    assert found.growth_axis == "111"


def test_a_direction_that_fits_no_axis_gives_none_and_so_does_no_direction():
    counts = pattern(zone_of_111(30.0))
    assert pattern_finding(counts, KNOWN, Estimate(30.0 + 12.0, 0.3, 0.3)).growth_axis is None
    assert pattern_finding(counts, KNOWN).growth_axis is None


def test_a_halo_is_amorphous_and_nothing_is_undetermined():
    found = pattern_finding(pattern(halo=1 / 2.45), KNOWN)
    assert found.order is Order.AMORPHOUS
    assert found.halo.value == pytest.approx(1 / 2.45, rel=0.05)
    assert pattern_finding(pattern(), KNOWN).order is Order.UNDETERMINED


def observations(small, large, dissolved, number=30):
    """Images of given classes: (share of whiskers, share of tubes among them)."""
    whisker = deposit_shape(image(rod(30.0)), CAMERA)
    tube, cluster = replace(whisker, filling=Filling.HOLLOW), deposit_shape(image(disc()), CAMERA)
    found = []
    for (whiskers, tubes), volts, is_dissolved in (
        (small, 0.02, False),
        (large, 0.3, False),
        (dissolved, 0.3, True),
    ):
        for place in range(number):
            one = (
                cluster
                if place >= whiskers * number
                else tube
                if place < tubes * whiskers * number
                else whisker
            )
            found.append(Observation(one, volts, is_dissolved))
    return found


def test_growth_is_found_and_neither_without_it_nor_the_other_way_round():
    assert growth_finding(observations((0.05, 0), (0.95, 0), (0.95, 0.9)), 0.1).recovered
    for null in (
        observations((0.5, 0), (0.5, 0), (0.5, 0.9)),
        observations((0.95, 0), (0.05, 0), (0.95, 0.9)),
        observations((0.05, 0), (0.95, 0), (0.95, 0.05)),
        observations((0.05, 0), (0.95, 0.9), (0.95, 0.9)),
    ):
        assert not growth_finding(null, 0.1).recovered


def test_too_few_images_are_refused():
    with pytest.raises(TemError, match="0 images are small, 8 are needed"):
        growth_finding(observations((0, 0), (1, 0), (1, 1)), 0.01)

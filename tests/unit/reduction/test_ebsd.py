"""Orientations of cubic crystals and grains of drawn maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from intercalate.reduction.ebsd import (
    OrientationMapError,
    compare,
    disorientation_deg,
    euler_deg,
    grain_map,
    inverse_pole_colours,
    orientation_map,
    quaternions,
    reduced_to_zone,
)
from intercalate.reduction.ebsd.orientation import CUBE, mean_orientation, product

ANGLES = st.tuples(st.floats(0.0, 359.9), st.floats(0.1, 179.9), st.floats(0.0, 359.9))


@settings(max_examples=50, deadline=None)
@given(ANGLES)
def test_euler_angles_come_back(angles):
    back = euler_deg(quaternions(np.array(angles)))
    assert np.abs(np.mod(back - angles + 180.0, 360.0) - 180.0).max() < 1e-6


@settings(max_examples=50, deadline=None)
@given(ANGLES, st.integers(0, 23))
def test_equivalents_are_the_same(angles, number):
    one = quaternions(np.array(angles))
    other = product(CUBE[number], one)
    assert disorientation_deg(one, other) < 1e-4
    assert np.allclose(inverse_pole_colours(one), inverse_pole_colours(other), atol=1e-6)
    assert disorientation_deg(reduced_to_zone(other)[0], one) < 1e-4


def test_disorientation_is_the_smallest_over_the_group():
    """Against the brute force of scipy's rotations."""
    first, second = Rotation.random(100, rng=1), Rotation.random(100, rng=2)
    brute = np.min([(one * first * second.inv()).magnitude() for one in Rotation.create_group("O")], axis=0)
    one, other = (np.roll(both.as_quat(), 1, axis=1) for both in (first, second))
    assert np.allclose(np.radians(disorientation_deg(one, other)), brute, atol=1e-9)
    # No two cubic orientations are farther apart than 62.8 degrees.
    assert np.degrees(brute).max() < 62.81


def test_mean_of_scattered_equivalents():
    generator = np.random.default_rng(0)
    true = np.roll(Rotation.random(rng=3).as_quat(), 1)
    noise = np.roll(
        Rotation.from_rotvec(np.radians(1.0) * generator.standard_normal((200, 3))).as_quat(), 1, axis=1
    )
    many = product(CUBE[generator.integers(24, size=200)], product(noise, true[None]))
    assert disorientation_deg(mean_orientation(many), true) < 0.4


def drawn(side=48, size=12, seed=0, noise_deg=0.3):
    """Square grains."""
    generator = np.random.default_rng(seed)
    number = np.add.outer(np.arange(side) // size * (side // size), np.arange(side) // size)
    turned = Rotation.random(int(number.max()) + 1, rng=seed)[number.ravel()]
    noisy = Rotation.from_rotvec(np.radians(noise_deg) * generator.standard_normal((side * side, 3))) * turned
    return euler_deg(np.roll(noisy.as_quat(), 1, axis=1)).reshape(side, side, 3)


def mapped(angles, lost=0.0, seed=0, step_um=0.5):
    known = np.random.default_rng(seed).uniform(size=angles.shape[:2]) >= lost
    return orientation_map(angles, np.where(known, 120.0, 0.0), known, step_um)


@pytest.mark.parametrize("lost", [0.0, 0.15])
def test_square_grains(lost):
    found = grain_map(mapped(drawn(), lost))
    assert found.labels.max() == 16
    assert found.whole.sum() == 4
    true = 2 * 6.0 / np.sqrt(np.pi)
    assert abs(found.diameter_um.value - true) < 3 * max(found.diameter_um.sigma, 0.25)
    assert found.intercept_um.value == pytest.approx(48 * 0.5 / 3, rel=0.1)
    assert found.noise_deg == pytest.approx(0.3 * np.sqrt(2) * 1.54, rel=0.2)
    assert found.cleaned_share == pytest.approx(lost, abs=0.05)


def joined_at_times(seed, noise_deg=0.6, side=72, size=12):
    """Square grains, a quarter of them turned against the grain beside it by just above the threshold."""
    across = side // size
    number = np.add.outer(np.arange(side) // size * across, np.arange(side) // size)
    turned = Rotation.random(across**2, rng=0).as_matrix()
    turned[2::4] = Rotation.from_rotvec([np.radians(11.6), 0, 0]).as_matrix() @ turned[1::4]
    generator = np.random.default_rng(seed)
    noise = Rotation.from_rotvec(np.radians(noise_deg) * generator.standard_normal((side * side, 3)))
    noisy = noise * Rotation.from_matrix(turned[number.ravel()])
    return euler_deg(np.roll(noisy.as_quat(), 1, axis=1)).reshape(side, side, 3)


def test_grains_that_noise_joins_are_in_the_error_whether_it_did_or_not():
    found = [grain_map(mapped(joined_at_times(seed), 0.05, seed)) for seed in range(40)]
    assert len({int(one.labels.max()) for one in found}) > 2, "noise joins none or all"
    for name in ("intercept_um", "diameter_um"):
        values = [getattr(one, name) for one in found]
        stat = np.array([one.sigma_stat for one in values])
        spread = np.std([one.value for one in values], ddof=1) / np.sqrt(np.mean(stat**2))
        assert 0.6 < spread < 1.4, name
        assert stat.max() < 2.0 * stat.min(), name


def test_points_without_an_orientation_move_ragged_boundaries():
    angles = drawn()
    ragged = angles.copy()
    swap = np.random.default_rng(4).uniform(size=48) < 0.5
    ragged[swap, 11::12] = np.roll(angles, -1, axis=1)[swap, 11::12]
    stat = {}
    for lost in (0.02, 0.15):
        found = [grain_map(mapped(ragged, lost, seed)).intercept_um for seed in range(40)]
        stat[lost] = np.sqrt(np.mean([one.sigma_stat**2 for one in found]))
        assert 0.6 < np.std([one.value for one in found], ddof=1) / stat[lost] < 1.4
    assert stat[0.15] > 1.5 * stat[0.02]


def test_same_and_new_grains():
    before = grain_map(mapped(drawn(seed=1)))
    same = compare(before, grain_map(mapped(drawn(seed=1, noise_deg=0.6), seed=5)))
    new = compare(before, grain_map(mapped(drawn(seed=2))))
    assert same.are_same
    assert not same.are_new
    assert new.are_new
    assert not new.are_same


def test_what_is_no_map_is_refused():
    angles = drawn()
    known = np.ones((48, 48), dtype=bool)
    with pytest.raises(OrientationMapError, match="expected"):
        orientation_map(angles[:-1], 120.0 * known, known, 1.0)
    with pytest.raises(OrientationMapError, match="least"):
        orientation_map(angles[:4, :4], 120.0 * known[:4, :4], known[:4, :4], 1.0)
    with pytest.raises(OrientationMapError, match="step of"):
        orientation_map(angles, 120.0 * known, known, 0.0)
    with pytest.raises(OrientationMapError, match="no numbers"):
        orientation_map(np.full_like(angles, np.nan), 120.0 * known, known, 1.0)
    melt = orientation_map(np.full_like(angles, np.nan), 0.0 * known, ~known, 1.0)
    assert not melt.is_crystalline
    with pytest.raises(OrientationMapError, match="a melt"):
        grain_map(melt)
    with pytest.raises(OrientationMapError, match="point by point"):
        compare(grain_map(mapped(angles)), grain_map(mapped(angles, step_um=1.0)))

"""Orientations and misorientations against orix, which is under the GPL: `make oracles` installs it."""

import numpy as np
import pytest

from intercalate.reduction.ebsd.orientation import disorientation_deg, mean_orientation, quaternions
from intercalate_sims.noise import keyed_generator

orix_quaternion = pytest.importorskip("orix.quaternion")
Orientation, Rotation, symmetry = (
    orix_quaternion.Orientation,
    orix_quaternion.Rotation,
    orix_quaternion.symmetry,
)


@pytest.fixture(scope="module")
def euler_deg() -> np.ndarray:
    draw = keyed_generator(1, "orientations", 0).random((400, 3))
    return draw * np.array([360.0, 180.0, 360.0])


def theirs(euler_deg: np.ndarray) -> Orientation:
    return Orientation.from_euler(np.radians(euler_deg), symmetry=symmetry.Oh)


def test_bunge_angles_are_the_same_rotations(euler_deg: np.ndarray) -> None:
    ours, other = quaternions(euler_deg), Rotation.from_euler(np.radians(euler_deg)).data
    assert np.abs(np.sum(ours * other, axis=1)) == pytest.approx(1.0)


def test_the_smallest_turn_between_cubic_crystals_is_the_same(euler_deg: np.ndarray) -> None:
    ours = disorientation_deg(quaternions(euler_deg[:200]), quaternions(euler_deg[200:]))
    first, second = theirs(euler_deg[:200]), theirs(euler_deg[200:])
    other = np.degrees(first.angle_with(second))
    np.testing.assert_allclose(ours, other, atol=1e-4)
    # J. K. Mackenzie, Biometrika 45 (1958) 229: random cubic crystals differ by at most 62.8 degrees.
    assert ours.max() < 62.81
    assert ours.mean() == pytest.approx(40.7, abs=1.5)


def test_the_mean_of_a_grain_is_the_same(euler_deg: np.ndarray) -> None:
    one = quaternions(euler_deg[:1])[0]
    near = euler_deg[0] + keyed_generator(2, "grain", 0).normal(0, 0.4, (100, 3))
    ours = mean_orientation(quaternions(near))
    other = theirs(near).mean().data.reshape(4)
    assert disorientation_deg(ours, other) < 0.05
    assert disorientation_deg(ours, one) < 0.5

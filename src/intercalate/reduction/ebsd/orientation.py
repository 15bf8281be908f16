"""Orientations of cubic crystals as unit quaternions (w, x, y, z), w not negative.

An orientation turns the axes of the sample into those of the crystal (Bunge's convention); a misorientation
of two is the smallest turn between them over the 24 proper rotations of the cube.
"""

import itertools

import numpy as np


def quaternions(euler_deg: np.ndarray) -> np.ndarray:
    """From Bunge's angles phi1, Phi, phi2 in degrees, shape (..., 3) to (..., 4)."""
    angles = np.radians(np.asarray(euler_deg, dtype=float))
    first, tilt, last = angles[..., 0], angles[..., 1], angles[..., 2]
    half_sum, half_difference = 0.5 * (first + last), 0.5 * (first - last)
    cosine, sine = np.cos(0.5 * tilt), np.sin(0.5 * tilt)
    found = np.stack(
        [
            cosine * np.cos(half_sum),
            -sine * np.cos(half_difference),
            -sine * np.sin(half_difference),
            -cosine * np.sin(half_sum),
        ],
        axis=-1,
    )
    return np.where(found[..., :1] < 0, -found, found)


def euler_deg(quaternion: np.ndarray) -> np.ndarray:
    """Bunge's angles in degrees of unit quaternions, shape (..., 4) to (..., 3)."""
    w, x, y, z = np.moveaxis(np.asarray(quaternion, dtype=float), -1, 0)
    outer, inner = np.hypot(w, z), np.hypot(x, y)
    tilt = 2.0 * np.arctan2(inner, outer)
    half_sum, half_difference = np.arctan2(-z, w), np.arctan2(-y, -x)
    first = np.where(inner < 1e-12, 2 * half_sum, half_sum + half_difference)
    last = np.where(inner < 1e-12, 0.0, half_sum - half_difference)
    last = np.where(outer < 1e-12, 0.0, last)
    first = np.where(outer < 1e-12, 2 * half_difference, first)
    return np.degrees(np.stack([np.mod(first, 2 * np.pi), tilt, np.mod(last, 2 * np.pi)], axis=-1))


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Hamilton's product, shapes (..., 4) broadcast."""
    a, b, c, d = np.moveaxis(first, -1, 0)
    e, f, g, h = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ],
        axis=-1,
    )


def conjugate(quaternion: np.ndarray) -> np.ndarray:
    """The inverse of a unit quaternion."""
    return np.asarray(quaternion) * np.array([1.0, -1.0, -1.0, -1.0])


def _cube() -> np.ndarray:
    """The 24 proper rotations of the cube, shape (24, 4)."""
    half, root = 0.5, np.sqrt(0.5)
    found = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]]
    found += [[half, *signs] for signs in itertools.product((half, -half), repeat=3)]
    for axis in range(3):
        for sign in (root, -root):
            row = [root, 0.0, 0.0, 0.0]
            row[1 + axis] = sign
            found.append(row)
    for one, other in itertools.combinations(range(3), 2):
        for sign in (root, -root):
            row = [0.0, 0.0, 0.0, 0.0]
            row[1 + one], row[1 + other] = root, sign
            found.append(row)
    return np.array(found)


CUBE = _cube()


def disorientation_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Smallest angle between orientations of cubic crystals, in degrees; shapes (..., 4) broadcast.

    The largest component of the misorientation over the cube's rotations is, with its components sorted by
    size a >= b >= c >= d, the largest of a, (a + b)/sqrt 2 and (a + b + c + d)/2 (H. Grimmer, Acta Cryst. A
    30 (1974) 685).
    """
    turn = np.abs(product(first, conjugate(second)))
    turn = -np.sort(-turn, axis=-1)
    best = np.maximum(
        np.maximum(turn[..., 0], (turn[..., 0] + turn[..., 1]) * np.sqrt(0.5)), 0.5 * turn.sum(axis=-1)
    )
    return np.degrees(2.0 * np.arccos(np.clip(best, -1.0, 1.0)))


def nearest_to(reference: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """Of all equivalents of orientations (n, 4) those nearest to one reference (4,)."""
    equivalents = product(CUBE[:, None, :], quaternion[None, :, :])
    overlap = np.abs(equivalents @ reference)
    best = np.argmax(overlap, axis=0)
    chosen = equivalents[best, np.arange(quaternion.shape[0])]
    return np.where((chosen @ reference)[:, None] < 0, -chosen, chosen)


def mean_orientation(quaternion: np.ndarray) -> np.ndarray:
    """Mean of orientations of one grain, shape (n, 4) to (4,): two rounds of averaging over nearest
    equivalents.
    """
    mean = quaternion[0]
    for _ in range(2):
        total = nearest_to(mean, quaternion).sum(axis=0)
        mean = total / np.linalg.norm(total)
    return mean


def reduced_to_zone(quaternion: np.ndarray) -> np.ndarray:
    """The equivalent with the smallest turn from the sample's axes, shape (n, 4)."""
    return nearest_to(np.array([1.0, 0.0, 0.0, 0.0]), np.asarray(quaternion).reshape(-1, 4))


def inverse_pole_colours(quaternion: np.ndarray) -> np.ndarray:
    """Colours of the crystal direction along the sample's normal: red for 001, green for 101, blue for 111.

    Parameters
    ----------
    quaternion
        Shape (..., 4); the result has shape (..., 3), 0 to 1.
    """
    w, x, y, z = np.moveaxis(np.asarray(quaternion, dtype=float), -1, 0)
    # The sample's z seen from the crystal's axes: third column of the rotation matrix.
    direction = np.abs(
        np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z], axis=-1)
    )
    low, mid, high = np.moveaxis(np.sort(direction, axis=-1), -1, 0)
    colour = np.stack([high - mid, (mid - low) * np.sqrt(2.0), low * np.sqrt(3.0)], axis=-1)
    return np.sqrt(np.clip(colour / np.maximum(colour.max(axis=-1, keepdims=True), 1e-9), 0.0, 1.0))

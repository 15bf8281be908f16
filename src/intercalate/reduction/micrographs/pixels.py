"""Connected pixels, and how far they are from others."""

from typing import Any

import numpy as np
from scipy import ndimage


def connected(mask: np.ndarray, corners: bool = False) -> tuple[np.ndarray, int]:
    """Number of the connected region of each pixel from 1 on (0 outside), and how many there are.

    Parameters
    ----------
    corners
        Whether pixels that touch by a corner are connected.
    """
    structure = np.ones((3, 3)) if corners else None
    found: Any = ndimage.label(mask, structure=structure)
    return found[0], int(found[1])


def depth_px(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel of a mask to the nearest that is none, float32; 0 outside."""
    found: Any = ndimage.distance_transform_edt(mask)
    return found.astype(np.float32)


def nearest_outside(mask: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Distance of each pixel of a mask to the nearest that is none, and the indices of that."""
    found: Any = ndimage.distance_transform_edt(mask, return_indices=True)
    return found[0], tuple(found[1])


def largest(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Largest value within each region from 1 to `count`, shape (count,); minus infinity where it is
    empty.
    """
    found = np.full(count + 1, -np.inf)
    inside = labels > 0
    np.maximum.at(found, labels[inside], values[inside])
    return found[1:]


def widened(mask: np.ndarray, by_px: int) -> np.ndarray:
    """With all pixels that are within a square of so many pixels around."""
    return np.asarray(ndimage.maximum_filter(mask, 2 * by_px + 1), dtype=bool)

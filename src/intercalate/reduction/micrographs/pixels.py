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
    # The squares of distances between pixels are whole numbers, which keeps them exact and small.
    found: Any = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    rows, columns = found
    rows -= np.arange(mask.shape[0], dtype=rows.dtype)[:, None]
    columns -= np.arange(mask.shape[1], dtype=columns.dtype)
    rows *= rows
    columns *= columns
    rows += columns
    return np.sqrt(rows.astype(np.float32))


def nearest_outside(mask: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Distance of each pixel of a mask to the nearest that is none, and the indices of that."""
    found: Any = ndimage.distance_transform_edt(mask, return_indices=True)
    return found[0], tuple(found[1])


def largest(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Largest value within each region from 1 to `count`, shape (count,); minus infinity where it is
    empty.
    """
    of_pixel = labels.ravel()
    # Stretches of one label first: they are far fewer than pixels.
    first = np.flatnonzero(np.concatenate([[True], of_pixel[1:] != of_pixel[:-1]]))
    found = np.full(count + 1, -np.inf)
    np.maximum.at(found, of_pixel[first], np.maximum.reduceat(values.ravel(), first))
    return found[1:]


def summed(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Sum of the values of each region from 1 to `count`, shape (count,)."""
    inside = np.flatnonzero(labels)
    return np.bincount(labels.ravel()[inside], values.ravel()[inside], minlength=count + 1)[1:]


def sizes_px(labels: np.ndarray, count: int) -> np.ndarray:
    """Pixels of each region from 1 to `count`, shape (count,)."""
    return np.bincount(labels.ravel(), minlength=count + 1)[1:]


def mean_of(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean of the values of each region from 1 to `count`, shape (count,); 0 where it is empty."""
    return summed(values, labels, count) / np.maximum(sizes_px(labels, count), 1)


def highest_around(values: np.ndarray, by_px: int) -> np.ndarray:
    """Largest value within a square of so many pixels around each pixel."""
    found = values
    for axis in (0, 1):
        found = _highest_along(found, by_px, axis)
    return found


def _highest_along(values: np.ndarray, by_px: int, axis: int) -> np.ndarray:
    """Along one axis, by windows of 2, 4, 8 ... pixels, and two of them that overlap."""
    width, lengths = 2 * by_px + 1, [1]
    padding = [(0, 0), (0, 0)]
    padding[axis] = (by_px, by_px)
    found = np.pad(values, padding, mode="edge")

    def later(by: int, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        end = of.shape[axis] - by
        return (of[:end], of[by:]) if axis == 0 else (of[:, :end], of[:, by:])

    while 2 * lengths[-1] <= width:
        found = np.maximum(*later(lengths[-1], found))
        lengths.append(2 * lengths[-1])
    return np.maximum(*later(width - lengths[-1], found))


def widened(mask: np.ndarray, by_px: int) -> np.ndarray:
    """With all pixels that are within a square of so many pixels around."""
    return highest_around(mask, by_px)


def beside(mask: np.ndarray) -> np.ndarray:
    """With the four neighbours of each pixel."""
    found = mask.copy()
    found[1:] |= mask[:-1]
    found[:-1] |= mask[1:]
    found[:, 1:] |= mask[:, :-1]
    found[:, :-1] |= mask[:, 1:]
    return found


_BLOCK_PX = 64
"""Lines that are filtered at once: a product with a matrix that is narrow enough to be mostly the filter."""


def filtered(values: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Correlated with weights of odd number along rows and along columns, float32; the image goes on as its
    mirror image.
    """
    return _correlated(_correlated(values, down, 0), across, 1)


def smoothed(values: np.ndarray, sigma_px: float, reach: float = 4.0) -> np.ndarray:
    """Convolved with a normal distribution that ends at `reach` standard deviations."""
    weight = _normal(sigma_px, reach)
    return filtered(values, weight, weight)


def steepness(values: np.ndarray, sigma_px: float) -> np.ndarray:
    """Length of the gradient of what `smoothed` makes of the values, per pixel."""
    weight = _normal(sigma_px, 4.0)
    reach = weight.size // 2
    slope = weight * np.arange(-reach, reach + 1) / sigma_px**2
    return length(filtered(values, slope, weight), filtered(values, weight, slope))


def length(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Of vectors of two components."""
    found = down * down
    found += across * across
    return np.sqrt(found, out=found)


def _normal(sigma_px: float, reach: float) -> np.ndarray:
    """Of sum 1, as far as `reach` standard deviations."""
    offset = np.arange(-int(reach * sigma_px + 0.5), int(reach * sigma_px + 0.5) + 1)
    weight = np.exp(-0.5 * (offset / sigma_px) ** 2)
    return weight / weight.sum()


def _correlated(values: np.ndarray, weight: np.ndarray, axis: int) -> np.ndarray:
    """Along one axis, by products of matrices: several times faster than a sum for each pixel."""
    reach, size = weight.size // 2, values.shape[axis]
    padding = [(0, 0), (0, 0)]
    padding[axis] = (reach, reach)
    padded = np.pad(values.astype(np.float32, copy=False), padding, mode="symmetric")
    band = np.zeros((_BLOCK_PX, _BLOCK_PX + 2 * reach), np.float32)
    for line in range(_BLOCK_PX):
        band[line, line : line + weight.size] = weight
    found = np.empty(values.shape, np.float32)
    for first in range(0, size, _BLOCK_PX):
        count = min(_BLOCK_PX, size - first)
        part, used = slice(first, first + count + 2 * reach), band[:count, : count + 2 * reach]
        if axis == 0:
            np.matmul(used, padded[part], out=found[first : first + count])
        else:
            np.matmul(padded[:, part], used.T, out=found[:, first : first + count])
    return found

"""Orientation maps as frames: what a detector writes, and how it is read back.

A frame has the rows of the map and four times its columns, as whole numbers: beside each other Bunge's
angles phi1, Phi and phi2 in thousandths of a degree, and the contrast of the bands. A point without an
orientation has `NOT_INDEXED` for its angles.
"""

from dataclasses import dataclass

import numpy as np

PER_DEGREE = 1000
NOT_INDEXED = 1_048_575
"""No angle is as large."""
PLANES = 4


class OrientationFrameError(ValueError):
    """A frame is none of an orientation map."""


@dataclass(frozen=True)
class OrientationFrame:
    """An orientation map.

    Attributes
    ----------
    euler_deg
        Bunge's angles phi1, Phi, phi2, shape (rows, columns, 3); zero where a point has no orientation.
    band_contrast
        0 to 255, shape (rows, columns).
    indexed
        Whether a point has an orientation, shape (rows, columns).
    """

    euler_deg: np.ndarray
    band_contrast: np.ndarray
    indexed: np.ndarray


def frame_shape(rows: int, columns: int) -> tuple[int, int]:
    """Of the frame of a map with so many points."""
    return rows, PLANES * columns


def packed(found: OrientationFrame) -> np.ndarray:
    """A map as a frame (uint32), shape (rows, 4 columns).

    Raises
    ------
    OrientationFrameError
        If angles of indexed points are no numbers from 0 to 360.
    """
    angles = np.where(found.indexed[..., None], found.euler_deg, 0.0)
    if not np.all((angles >= 0.0) & (angles <= 360.0)):
        raise OrientationFrameError(
            "angles of indexed points must be from 0 to 360 deg; turn them by whole turns"
        )
    whole = np.rint(angles * PER_DEGREE).astype(np.uint32)
    whole[~found.indexed] = NOT_INDEXED
    planes = [*np.moveaxis(whole, -1, 0), found.band_contrast.astype(np.uint32)]
    return np.concatenate(planes, axis=1)


def unpacked(frame: np.ndarray) -> OrientationFrame:
    """The map of a frame.

    Raises
    ------
    OrientationFrameError
        If the frame has another number of columns, or angles that are none.
    """
    counts = np.asarray(frame)
    if counts.ndim != 2 or counts.shape[1] == 0 or counts.shape[1] % PLANES:
        raise OrientationFrameError(
            f"a frame of shape {counts.shape} is no orientation map: it must have {PLANES} times as many "
            "columns as the map"
        )
    *angles, contrast = np.split(counts, PLANES, axis=1)
    whole = np.stack(angles, axis=-1).astype(np.int64)
    indexed = np.all(whole != NOT_INDEXED, axis=-1)
    wrong = int(np.sum(indexed & np.any(whole > 360 * PER_DEGREE, axis=-1)))
    if wrong:
        raise OrientationFrameError(
            f"{wrong} points have angles above 360 deg: the frame is of another detector, or damaged"
        )
    return OrientationFrame(np.where(indexed[..., None], whole / PER_DEGREE, 0.0), contrast, indexed)

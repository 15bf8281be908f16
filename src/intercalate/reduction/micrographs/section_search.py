"""Where a cut through a cell is in an image of low magnification."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.image import MicrographError
from intercalate.reduction.micrographs.pixels import connected

_LEAST_CONTRAST = 6.0
"""Of what is inside over what is outside, in standard errors of a row."""
_LEAST_ROWS = 8


class CutBeyondImageError(MicrographError):
    """The cut is there, but goes on beyond the image."""


@dataclass(frozen=True)
class Cut:
    """A band of rows that is brighter than what lies above and below.

    Attributes
    ----------
    middle_um, sigma_um
        From the middle row of the image, + towards later rows; standard error.
    height_um
        Of the band.
    """

    middle_um: float
    sigma_um: float
    height_um: float


def find_cut(counts: np.ndarray, pixel_um: float) -> Cut:
    """Find the band of rows in which layers lie.

    Parameters
    ----------
    counts
        Grey values, shape (rows, columns).
    pixel_um
        Size of a pixel.

    Raises
    ------
    MicrographError
        If no row, or every one, is brighter than the ends of the image.
    CutBeyondImageError
        If the band reaches an end of it.
    """
    image = np.asarray(counts, float)
    if image.ndim != 2 or min(image.shape) < 4 * _LEAST_ROWS:
        raise MicrographError(f"an image of the shape {image.shape} is too small to look for a cut in it")
    rows = ndimage.gaussian_filter1d(np.median(image, axis=1), 1.0)
    noise = 1.4826 * float(np.median(np.abs(np.diff(rows)))) + 1e-9
    dark, bright = np.percentile(rows, (2.0, 98.0))
    if bright - dark < _LEAST_CONTRAST * noise:
        raise MicrographError(
            f"rows differ by {bright - dark:.1f} grey values, noise is {noise:.1f}: no cut is to be seen; "
            "magnify less, or move the stage"
        )
    inside = rows > dark + 0.25 * (bright - dark)
    labels, count = connected(inside)
    # Layers of light elements are dark: what lies between bright ones belongs to the cut.
    lengths = np.bincount(labels)[1:]
    large = [number for number in range(1, count + 1) if lengths[number - 1] >= _LEAST_ROWS]
    if not large:
        raise MicrographError("no band of rows is bright; magnify more, or move the stage")
    where = np.flatnonzero(np.isin(labels, large))
    first, last = int(where[0]), int(where[-1])
    if first == 0 or last == rows.size - 1:
        raise CutBeyondImageError(
            "the cut reaches an end of the image: its middle is not known; magnify less, or move the stage"
        )
    middle = 0.5 * (first + last) - 0.5 * (rows.size - 1)
    return Cut(float(middle * pixel_um), float(pixel_um), float((last - first + 1) * pixel_um))

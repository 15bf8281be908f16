"""The same place in two images: by how much one has moved against the other."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.image import Micrograph, MicrographError, noise_of, require_usable
from intercalate.reduction.micrographs.pixels import depth_px
from intercalate.reduction.micrographs.segments import Segments, segments
from intercalate.reduction.results import Estimate

_LEAST_COVERAGE = 0.02
_LEAST_PEAK = 7.0
"""Of the correlation, in its standard deviations: of a million places at random the highest has about 5."""


@dataclass(frozen=True)
class Shift:
    """By how much the second image has moved.

    Attributes
    ----------
    x_um, y_um
        To add to a place of the first image.
    rows, columns
        The same in pixels.
    significance
        Of the peak, in standard deviations of the correlation.
    """

    x_um: Estimate
    y_um: Estimate
    rows: float
    columns: float
    significance: float

    def applied(self, image: np.ndarray) -> np.ndarray:
        """The second image moved back onto the first; NaN where it shows nothing of it."""
        moved = np.asarray(image, dtype=float)
        return ndimage.shift(moved, (-self.rows, -self.columns), order=1, cval=np.nan)


def shift_between(first: Micrograph, second: Micrograph) -> Shift:
    """Find by how much an image has moved, from the correlation of deposits, or of what is fine in both.

    Rims of deposits that have grown lie around the old ones, and would agree best beside the true shift; so
    deposits are compared by how deep within them a place is. A bare face has its relief alone.

    Raises
    ------
    MicrographError
        If sizes or scales differ, or nothing in one agrees with the other.
    """
    if first.grey.shape != second.grey.shape or abs(first.pixel_um / second.pixel_um - 1) > 0.02:
        raise MicrographError(
            f"images of {first.grey.shape} at {first.pixel_um:g} um and {second.grey.shape} at "
            f"{second.pixel_um:g} um "
            "cannot be laid upon each other; take both with the same field and size"
        )
    for image in (first, second):
        require_usable(image)
    before, after = segments(first), segments(second)
    if min(before.covered.mean(), after.covered.mean()) > _LEAST_COVERAGE:
        one, other = _depth(before), _depth(after)
    else:
        one, other = _detail(first.grey), _detail(second.grey)
    spectrum = np.fft.rfft2(other) * np.conj(np.fft.rfft2(one))
    # Half-way to phase correlation: sharp, and not ruled by frequencies that hold noise alone.
    found = np.fft.irfft2(spectrum / np.sqrt(np.abs(spectrum) + 1e-9), s=one.shape)
    deviation = float(found.std())
    peak = np.unravel_index(int(np.argmax(found)), found.shape)
    significance = float(found[peak] / max(deviation, 1e-12))
    if significance < _LEAST_PEAK:
        raise MicrographError(
            f"the best shift stands out by {significance:.1f} standard deviations, {_LEAST_PEAK:g} are "
            f"needed: the images "
            "show different places, or too little"
        )
    rows, sharp_y = _vertex(found, peak, 0)
    columns, sharp_x = _vertex(found, peak, 1)
    scale = first.pixel_sigma_um / first.pixel_um

    def estimate(pixels: float, sharp: float) -> Estimate:
        # The middle of a peak is known to its width over its height in noise; a tenth of a pixel is what a
        # parabola
        # through three points is good for.
        stat = np.sqrt(float(found[peak]) / max(sharp, 1e-12)) / significance
        systematic = float(np.hypot(0.1, pixels * scale))
        return Estimate(pixels * first.pixel_um, float(stat) * first.pixel_um, systematic * first.pixel_um)

    return Shift(estimate(columns, sharp_x), estimate(rows, sharp_y), rows, columns, significance)


def _depth(found: Segments) -> np.ndarray:
    """How deep within a deposit a place is, in pixels, faded out at the sides."""
    depth = depth_px(found.covered)
    return (depth - depth.mean()) * _fading(depth.shape)


def _fading(shape: tuple[int, ...]) -> np.ndarray:
    return np.hanning(shape[0])[:, None] ** 0.5 * np.hanning(shape[1])[None, :] ** 0.5


def _detail(grey: np.ndarray) -> np.ndarray:
    """Without what is coarser than some ten pixels, bright rims tamed, and faded out at the sides."""
    fine = ndimage.gaussian_filter(grey, 1.0) - ndimage.gaussian_filter(grey, 8.0)
    limit = 6.0 * max(noise_of(grey), 1e-6)
    return np.clip(fine, -limit, limit) * _fading(grey.shape)


def _vertex(found: np.ndarray, peak: tuple[np.intp, ...], axis: int) -> tuple[float, float]:
    """Place of the maximum along an axis between pixels, as a signed shift, and the curvature there."""
    size = found.shape[axis]
    beside = [list(peak), list(peak)]
    beside[0][axis], beside[1][axis] = (peak[axis] - 1) % size, (peak[axis] + 1) % size
    low, mid, high = found[tuple(beside[0])], found[peak], found[tuple(beside[1])]
    curve = 2 * mid - low - high
    place = float(peak[axis]) + (float(0.5 * (high - low) / curve) if curve > 0 else 0.0)
    return (place - size if place > size / 2 else place), float(curve)

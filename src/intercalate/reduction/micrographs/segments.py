"""What stands on a face: deposits told from the face by grey and relief."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.enclosed import NOISE_LEFT
from intercalate.reduction.micrographs.image import Micrograph, noise_of
from intercalate.reduction.micrographs.insides import Filled, filled_outlines
from intercalate.reduction.micrographs.pixels import (
    beside,
    connected,
    highest_around,
    mean_of,
    sizes_px,
    smoothed,
    steepness,
    widened,
)

_SMOOTH_PX, _COARSE_PX = 1.0, 6.0
"""Rims are as wide as what lies between; what is coarser is the light, or the shadow of what stands above."""
_SURE, _LIKELY = 9.0, 3.0
"""Standard deviations of the bare face by which the core and the rest of a rim must be brighter. A rough face
has bright crests, whose grey has a long tail."""
_SQUARE_PX, _QUIETEST = 8, 3.0
"""Side of squares that show the bare face between deposits, and the percentage of them that does: between
crossing needles hardly more is bare, and hardly wider."""
_GREY_QUIETER, _SLOPE_QUIETER = 2.0, 1.75
"""By how much the quietest squares are quieter than the face: of grey about its mean, and of slopes. Of bare
faces it is 1.8 and 1.55 (medians of 60, which scatter by 17 % and 9 %); with deposits, whose shadows lie on
parts of the face, it is 2.4 for grey."""
_SHARP = 1.6
"""A step is as many times steeper over one pixel as over three, if it is sharp; a slope is as steep over
both."""
_BESIDE_PX = 10
_GLOW = 0.2
"""Of the usual strength of rims, below which something beside them is the end of their shadow."""
_LEAST_PX = 30
_CLOSED_PX = 2
_EDGE_HEIGHT = 0.5 - 1.0 / 12.0
"""Of a rim, where its edge is: at half of it, less what the coarse grey that is taken away is higher there.
With 6 pixels of smoothing that is a sixth of the height beside a rim of 2.5 pixels, and a twelfth at half."""
_RIM_PX = 3
"""Over which a rim falls to the face."""
_SLOPE_NOISE = NOISE_LEFT / float(np.sqrt(2.0))
"""Standard error of the slope of smoothed grey per pixel, in units of the noise of a pixel."""


@dataclass(frozen=True)
class Segments:
    """Deposits of an image.

    Attributes
    ----------
    covered
        Shape of the image.
    labels
        Number of the connected deposit, 0 for the face.
    count
        Of deposits.
    face, face_sigma, slope_sigma
        Grey of the bare face, how much it varies, and the root mean square of its slopes per pixel.
    rim
        By how much most rims are brighter than the face, in units of `face_sigma`.
    doubtful_px
        Standard uncertainty of the covered area, in pixels, from places that may be face or deposit.
    untold
        Share of the image that is as bright as rims likely are, and belongs to no deposit.
    filled
        What rims enclose, and how that was decided.
    """

    covered: np.ndarray
    labels: np.ndarray
    count: int
    face: float
    face_sigma: float
    slope_sigma: float
    rim: float
    doubtful_px: float
    untold: float
    filled: Filled


@dataclass(frozen=True)
class _Relief:
    """What segments are told by; arrays have the shape of the image.

    Attributes
    ----------
    smooth
        Grey over a pixel.
    face, face_sigma, slope_sigma
        As of `Segments`.
    away, slope
        Grey less the coarse grey around, and sharp steps, in units of the face's variation of either.
    noise
        Of grey from pixel to pixel.
    """

    smooth: np.ndarray
    face: float
    face_sigma: float
    slope_sigma: float
    away: np.ndarray
    slope: np.ndarray
    noise: float


def segments(image: Micrograph, like: Segments | None = None) -> Segments:
    """Tell deposits from the face.

    What differs from the grey of the face by nine times its variation is one, with all that hangs on it and
    differs by three times. Closed outlines are filled where what they enclose does not look like the face.
    The face must be the most frequent grey: not more than about two thirds of an image may be covered.

    Parameters
    ----------
    like
        Deposits of an image that says how much the grey of this face and its slopes vary.
    """
    return _told(_relief(image, like), 0.0)


def covered_at_limits(image: Micrograph, found: Segments, by: Sequence[float]) -> list[np.ndarray]:
    """What is covered if limits of rims are lower by so many standard errors of what is held against them.

    Parameters
    ----------
    found
        Deposits of this image.
    """
    relief = _relief(image, found)
    return [_told(relief, one).covered for one in by]


def _relief(image: Micrograph, like: Segments | None) -> _Relief:
    """Grey and its steps, held against how much they vary on the face."""
    smooth = smoothed(_level_rows(image.grey), _SMOOTH_PX)
    face, _ = _face(smooth)
    fine = smooth - smoothed(smooth, _COARSE_PX, 2.5)
    sigma = _quiet(fine) if like is None else like.face_sigma
    slope, usual_slope = _steps(smooth)
    slope_sigma = usual_slope if like is None else like.slope_sigma
    return _Relief(smooth, face, sigma, slope_sigma, fine / sigma, slope / slope_sigma, noise_of(image.grey))


def _told(relief: _Relief, lower: float) -> Segments:
    """Segments, if limits of rims were lower by so many standard errors of what is held against them."""
    face, sigma, away, slope = relief.face, relief.face_sigma, relief.away, relief.slope
    raised = _raised(away, lower * NOISE_LEFT * relief.noise / sigma)
    rims = _chosen(raised)
    steeper = _raised(slope, lower * _SLOPE_NOISE * relief.noise / relief.slope_sigma)
    seen = rims | _missing_rims(np.where(slope > 0, steeper, np.float32(0.0)), rims)
    outlines = _closed(seen)
    filled = filled_outlines(outlines, (relief.smooth - face) / sigma, relief.noise / sigma)
    covered = _trimmed(filled.covered, away)
    # How much of a closed gap is face may be any part of it: a bay of a few pixels is both.
    gaps, gap_count = connected(outlines & ~seen)
    in_gaps_px = float(np.linalg.norm(sizes_px(gaps, gap_count))) / np.sqrt(12.0)
    doubtful_px = float(np.hypot(filled.doubtful_px, in_gaps_px))
    strong = away[away > _SURE]
    rim = float(np.median(strong)) if strong.size else _SURE
    labels, count = connected(covered)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= _LEAST_PX
    keep[0] = False
    renumbered = np.cumsum(keep) * keep
    labels = renumbered[labels]
    count = int(keep.sum())
    untold = float(np.mean((away > _LIKELY) & ~widened(labels > 0, _RIM_PX)))
    return Segments(
        labels > 0,
        labels,
        count,
        face,
        sigma,
        relief.slope_sigma,
        rim,
        doubtful_px,
        untold,
        filled,
    )


def _raised(strength: np.ndarray, by: float) -> np.ndarray:
    """Higher at rims and beside them: on the bare face the noise of some pixel is always as high. Lower
    everywhere.
    """
    if by <= 0.0:
        return strength + np.float32(by)
    return strength + np.float32(by) * widened(_chosen(strength, _SURE - by), _RIM_PX)


def row_jumps(grey: np.ndarray) -> np.ndarray:
    """Jumps in grey from line to line that a charging sample has, shape (rows,)."""
    level = np.percentile(grey[:, ::3], 35, axis=1)
    return level - ndimage.median_filter(level, 31, mode="nearest")


def _level_rows(grey: np.ndarray) -> np.ndarray:
    return grey - row_jumps(grey)[:, None].astype(np.float32)


def _quiet(fine: np.ndarray) -> float:
    """Standard deviation of the bare face: of the quietest small squares, where nothing stands. What stands
    around them has taken away from their level, which therefore does not count.
    """
    return max(
        _GREY_QUIETER * float(np.sqrt(np.percentile(_squares(fine).var(axis=(1, 3)), _QUIETEST))), 1e-3
    )


def _squares(values: np.ndarray) -> np.ndarray:
    """Shape (rows of squares, rows, columns of squares, columns)."""
    rows, columns = (size // _SQUARE_PX for size in values.shape)
    whole = values[: rows * _SQUARE_PX, : columns * _SQUARE_PX]
    return whole.reshape(rows, _SQUARE_PX, columns, _SQUARE_PX)


def _missing_rims(steps: np.ndarray, rims: np.ndarray) -> np.ndarray:
    """Sharp steps of grey where a rim is too weak: they close outlines. Those that run along a rim are the
    border of its shadow.
    """
    slope = np.where(_round(rims), np.float32(0.0), steps)
    found = _chosen(slope)
    labels, count = connected(found, corners=True)
    if count == 0:
        return found
    along = mean_of(widened(rims, _BESIDE_PX), labels, count)
    return np.concatenate([[False], along < 0.5])[labels]


def _chosen(strength: np.ndarray, sure: float = _SURE) -> np.ndarray:
    """Pixels of connected regions that are strong somewhere; of rims as bright as most, the faint glow beside
    them is left out.
    """
    strong = strength[strength > sure]
    usual = float(np.median(strong)) if strong.size else 0.0
    labels, count = connected(strength > max(_LIKELY, _GLOW * usual))
    if count == 0:
        return labels > 0
    is_strong = np.zeros(count + 1, dtype=bool)
    is_strong[labels[strength > sure]] = True
    is_strong[0] = False
    return is_strong[labels]


def _steps(smooth: np.ndarray) -> tuple[np.ndarray, float]:
    """Slope of grey at sharp steps, and the root mean square of that of the face; 0 where a slope is as steep
    over a wider distance, as a shadow is.
    """
    near, wide = steepness(smooth, _SMOOTH_PX), steepness(smooth, 3.0 * _SMOOTH_PX)
    quiet = np.percentile(np.mean(_squares(near) ** 2, axis=(1, 3)), _QUIETEST)
    usual = max(_SLOPE_QUIETER * float(np.sqrt(quiet)), 1e-3)
    return np.where(near > _SHARP * wide, near, 0.0), usual


def _face(smooth: np.ndarray) -> tuple[float, float]:
    """Most frequent grey, and the standard deviation that the width of its peak at half height stands for."""
    values = smooth.ravel()[::3]
    low, high = np.percentile(values, [0.5, 99.5])
    counts, edges = np.histogram(values, bins=400, range=(low, max(high, low + 1e-6)))
    counts = ndimage.gaussian_filter1d(counts.astype(float), 2.0)
    peak = int(np.argmax(counts))
    below = counts < 0.5 * counts[peak]
    left = peak - np.max(np.flatnonzero(below[:peak]), initial=0)
    right = np.min(np.flatnonzero(below[peak:]), initial=counts.size - peak)
    sigma = float((left + right) / 2.0 / 1.177 * (edges[1] - edges[0]))
    face = 0.5 * (edges[peak] + edges[peak + 1]) + 0.25 * (right - left) * (edges[1] - edges[0])
    return float(face), max(sigma, 1e-3)


def _closed(mask: np.ndarray) -> np.ndarray:
    """With gaps of a few pixels closed."""
    padded = _round(np.pad(mask, _CLOSED_PX))
    return ~_round(~padded)[_CLOSED_PX:-_CLOSED_PX, _CLOSED_PX:-_CLOSED_PX]


def _round(mask: np.ndarray) -> np.ndarray:
    """With all pixels within two and a quarter pixels around."""
    return widened(beside(mask), 1)


def _trimmed(filled: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Without the foot of rims on their outside, below the edge at the height that they have nearby."""
    height = highest_around(away, _RIM_PX)
    low = filled & (away < _EDGE_HEIGHT * height)
    outside = ~filled
    for _ in range(_RIM_PX):
        outside |= beside(outside) & low
    return ~outside

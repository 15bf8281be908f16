"""What stands on a face: deposits told from the face by grey and relief."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.image import Micrograph
from intercalate.reduction.micrographs.pixels import connected, depth_px

_SMOOTH_PX, _COARSE_PX = 1.0, 6.0
"""Rims are as wide as what lies between; what is coarser is the light, or the shadow of what stands above."""
_SURE, _LIKELY = 9.0, 3.0
"""Standard deviations of the bare face by which the core and the rest of a rim must be brighter. A rough face
has bright crests, whose grey has a long tail."""
_LEAST_PX = 30
_CLOSED_PX = 2
_RIM_PX = 3
"""Over which a rim falls to the face."""
_FAINT_PX = 2
"""From a rim, where its own light is still seen."""
_FALL, _FALL_SOFT = 0.5, 0.25
"""How much brighter the outer half of an enclosed place is than its middle, in standard deviations of the
face, from which on it is the inside of a deposit."""
_LEAST_SEEN_PX = 10
_ODD_SIZE = 0.6
"""Likelihood that a slit too narrow to look into belongs to a deposit: in between where rims are close
together."""


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
    face, face_sigma
        Grey of the bare face and how much it varies.
    doubtful_px
        Standard uncertainty of the covered area, in pixels, from enclosed places that may be face or deposit.
    """

    covered: np.ndarray
    labels: np.ndarray
    count: int
    face: float
    face_sigma: float
    doubtful_px: float


def segments(image: Micrograph, sure: float = _SURE, likely: float = _LIKELY) -> Segments:
    """Tell deposits from the face.

    What differs from the grey of the face by `sure` times its variation is one, with all that hangs on it and
    differs by `likely` times. Closed outlines are filled where what they enclose does not look like the face.
    The face must be the most frequent grey: not more than about two thirds of an image may be covered.
    """
    smooth = ndimage.gaussian_filter(_level_rows(image.grey), _SMOOTH_PX)
    face, _ = _face(smooth)
    fine = smooth - ndimage.gaussian_filter(smooth, _COARSE_PX)
    usual, sigma = _face(fine)
    away = (fine - usual) / sigma
    labels, count = connected(away > likely)
    peak = ndimage.maximum(away, labels, np.arange(count + 1)) if count else np.zeros(1)
    chosen = np.asarray(peak) > sure
    chosen[0] = False
    seen = chosen[labels]
    outlines = _closed(seen)
    filled, doubtful_px = _filled(outlines, (image.grey - face) / sigma)
    covered = _trimmed(filled, away)
    doubtful_px = float(np.hypot(doubtful_px, 0.5 * np.sum(outlines & ~seen)))
    labels, count = connected(covered)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= _LEAST_PX
    keep[0] = False
    renumbered = np.cumsum(keep) * keep
    labels = renumbered[labels]
    return Segments(labels > 0, labels, int(keep.sum()), face, sigma, doubtful_px)


def _level_rows(grey: np.ndarray) -> np.ndarray:
    """Without the jumps in grey from line to line that a charging sample has."""
    level = np.percentile(grey, 35, axis=1)
    jumps = level - ndimage.median_filter(level, 31, mode="nearest")
    return grey - jumps[:, None].astype(np.float32)


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
    disc = _disc(_CLOSED_PX)
    padded = np.pad(mask, _CLOSED_PX)
    return ndimage.binary_closing(padded, disc)[_CLOSED_PX:-_CLOSED_PX, _CLOSED_PX:-_CLOSED_PX]


def _disc(radius: int) -> np.ndarray:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius + 1


def _trimmed(filled: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Without the foot of rims on their outside, below half of the height that they have nearby."""
    height = np.asarray(ndimage.maximum_filter(away, 2 * _RIM_PX + 1))
    low = filled & (away < 0.5 * height)
    outside = ~filled
    for _ in range(_RIM_PX):
        outside |= ndimage.binary_dilation(outside) & low
    return ~outside


def _filled(outlines: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, float]:
    """With what rims enclose filled where it is the inside of a deposit: its grey falls from the rim inwards,
    while a face is as bright as ever, or darker where the rim stands over it.

    Returns
    -------
    covered, doubtful_px
        The second is the standard uncertainty of the filled area: each place is filled with a likelihood.
    """
    holes, count = connected(~outlines)
    if count == 0:
        return outlines, 0.0
    index = np.arange(1, count + 1)
    depth = depth_px(~outlines)
    deepest = np.asarray(ndimage.maximum(depth, holes, index))
    middle = np.concatenate([[0.0], 0.5 * (deepest + _FAINT_PX)]).astype(np.float32)[holes]
    outer = np.where((depth > _FAINT_PX) & (depth <= middle), holes, 0)
    inner = np.where((depth > _FAINT_PX) & (depth > middle), holes, 0)
    fall = _mean(away, outer, count) - _mean(away, inner, count)
    size = np.bincount(holes.ravel(), minlength=count + 1)[1:]
    seen = np.minimum(*(np.bincount(one.ravel(), minlength=count + 1)[1:] for one in (outer, inner)))
    likely = 1.0 / (1.0 + np.exp(-np.clip((fall - _FALL) / _FALL_SOFT, -30, 30)))
    likely = np.where(seen >= _LEAST_SEEN_PX, likely, _ODD_SIZE)
    likely[np.argmax(size)] = 0.0
    doubtful_px = float(np.sqrt(np.sum(likely * (1 - likely) * size.astype(float) ** 2)))
    return outlines | np.concatenate([[False], likely > 0.5])[holes], doubtful_px


def _mean(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Of each label from 1 on; 0 where there is none."""
    total = np.bincount(labels.ravel(), weights=values.ravel(), minlength=count + 1)[1:]
    return total / np.maximum(np.bincount(labels.ravel(), minlength=count + 1)[1:], 1)

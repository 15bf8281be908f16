"""What stands on a face: deposits told from the face by grey and relief."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from intercalate.reduction.micrographs.image import Micrograph

_SMOOTH_PX = 1.0
_SURE, _LIKELY = 5.0, 2.5
"""Standard deviations of the bare face by which grey must differ at the core and at the rim of a deposit."""
_LEAST_PX = 30
_CLOSED_PX = 2
_RIM_PX = 3
_HIGH = 12.0
"""Standard deviations of the face above which a rim is as high as matters."""
_SLOPE_PX = 4.0
_SLIT, _SLIT_SOFT = 1.0, 0.4
"""Mean of what differs from the face, in its standard deviations, from which on a slit between rims is part of a
deposit: inside, a rim fades away slowly, outside it falls to the face at once."""
_STRANGE = 4.0
"""Mean square of what differs from the face, in its variances, from which on an enclosed place is no face."""


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
    face, sigma = _face(smooth)
    away = (smooth - face) / sigma
    candidates = away > likely
    labels, count = ndimage.label(candidates)
    peak = ndimage.maximum(away, labels, np.arange(count + 1)) if count else np.zeros(1)
    chosen = np.asarray(peak) > sure
    chosen[0] = False
    seen = _half_height(chosen[labels], away)
    outlines = _closed(seen)
    covered, doubtful_px = _filled(outlines, away, image.grey, face)
    doubtful_px = float(np.hypot(doubtful_px, 0.5 * np.sum(outlines & ~seen)))
    labels, count = ndimage.label(covered)
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
    """Most frequent grey, and the spread of what is darker than that: deposits are mostly brighter."""
    values = smooth.ravel()[::3]
    low, high = np.percentile(values, [0.5, 99.5])
    counts, edges = np.histogram(values, bins=256, range=(low, max(high, low + 1e-6)))
    counts = ndimage.gaussian_filter1d(counts.astype(float), 2.0)
    peak = int(np.argmax(counts))
    face = float(0.5 * (edges[peak] + edges[peak + 1]))
    darker = face - values[values < face]
    sigma = float(np.percentile(darker, 68.3)) if darker.size else 0.0
    return face, max(sigma, 1e-3, float(edges[1] - edges[0]))


def _closed(mask: np.ndarray) -> np.ndarray:
    """With gaps of a few pixels closed."""
    disc = _disc(_CLOSED_PX)
    padded = np.pad(mask, _CLOSED_PX)
    return ndimage.binary_closing(padded, disc)[_CLOSED_PX:-_CLOSED_PX, _CLOSED_PX:-_CLOSED_PX]


def _disc(radius: int) -> np.ndarray:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius + 1


def _half_height(outlines: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Without the foot of rims, below half of the height that they have nearby: there an edge is."""
    height = ndimage.maximum_filter(away, 2 * _RIM_PX + 1)
    return outlines & (away > 0.5 * np.minimum(height, _HIGH))


def _filled(
    outlines: np.ndarray, away: np.ndarray, grey: np.ndarray, face: float
) -> tuple[np.ndarray, float]:
    """With what outlines enclose filled where it does not look like the face: inside a deposit grey slopes.

    Returns
    -------
    covered, doubtful_px
        The second is the standard uncertainty of the filled area: each place is filled with a likelihood.
    """
    holes, count = ndimage.label(~outlines)
    if count == 0:
        return outlines, 0.0
    index = np.arange(1, count + 1)
    open_to = ~ndimage.binary_dilation(outlines, _disc(_RIM_PX))
    inner = holes * open_to
    # Smoothed within, so that rims do not shine into the hole.
    weight = ndimage.gaussian_filter(open_to.astype(np.float32), _SLOPE_PX)
    wide = ndimage.gaussian_filter(np.where(open_to, grey - face, 0.0), _SLOPE_PX) / np.maximum(weight, 1e-3)
    left = np.bincount(inner.ravel(), minlength=count + 1)[1:]
    size = np.bincount(holes.ravel(), minlength=count + 1)[1:]
    strange = ndimage.sum(wide**2, inner, index) / np.maximum(left, 1) / _usual(wide, inner, left) ** 2
    # The more independent places it has, the better its mean square is known.
    exponent = 2.0 * np.sqrt(np.maximum(left, 1) / (2 * np.pi * _SLOPE_PX**2))
    likely = 1.0 / (1.0 + np.exp(-np.clip(exponent * np.log(np.maximum(strange, 1e-9) / _STRANGE), -50, 50)))
    slit = holes * ~ndimage.binary_dilation(outlines)
    among = np.bincount(slit.ravel(), minlength=count + 1)[1:]
    narrow = np.where(among > 0, ndimage.sum(away, slit, index) / np.maximum(among, 1), _SLIT)
    likely = np.where(left >= _LEAST_PX, likely, 1.0 / (1.0 + np.exp(-(narrow - _SLIT) / _SLIT_SOFT)))
    likely[np.argmax(left)] = 0.0
    doubtful_px = float(np.sqrt(np.sum(likely * (1 - likely) * size.astype(float) ** 2)))
    return outlines | np.concatenate([[False], likely > 0.5])[holes], doubtful_px


def _usual(wide: np.ndarray, inner: np.ndarray, left: np.ndarray) -> float:
    """How much the smoothed grey of the face varies: in the largest connected piece that is not covered."""
    largest = int(np.argmax(left)) + 1
    return max(float(np.std(wide[inner == largest][::7])), 1e-3)

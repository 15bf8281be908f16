"""The outline of a deposit: what stands out of a noisy image whose illumination is uneven."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

_DETECTION_SIGMA = 4.0
_SMOOTH_PX = 1.5
_LEAST_PX = 120
_LOWER, _STEADY = 0.7, 1.25
"""At this part of the level a deposit whose outline is seen covers some 5 % more, and one of which a half was
found twice as much: that much more is too much."""
_ORDERS = (0, 2, 2, 3, 3, 4, 5, 5)
"""Of the surface that stands for what lies around, step by step; 0 is a constant."""
_STRIDE = 3


class TemError(ValueError):
    """An image or a pattern cannot be used; the message says why."""


@dataclass(frozen=True)
class TemCamera:
    """What is known of the camera.

    Attributes
    ----------
    pixel_nm, pixel_sigma
        Of the image, and its relative standard uncertainty.
    """

    pixel_nm: float
    counts_per_electron: float
    read_noise_electrons: float
    dark_counts: float
    full_well_counts: float
    pixel_sigma: float = 0.02


def electrons_of(counts: np.ndarray, camera: TemCamera) -> np.ndarray:
    if counts.ndim != 2 or min(counts.shape) < 32:
        raise TemError(f"an image of shape {counts.shape} is too small or none; 32 x 32 pixels are needed")
    values = np.asarray(counts, float)
    if not np.isfinite(values).all():
        raise TemError(f"{int(np.sum(~np.isfinite(values)))} pixels hold no number")
    full = float(np.mean(values >= camera.full_well_counts))
    if full > 0.001:
        raise TemError(f"{100 * full:.1f} % of the pixels are saturated; lower the dose rate")
    electrons = (values - camera.dark_counts) / camera.counts_per_electron
    if np.median(electrons) < 5.0:
        raise TemError(
            f"the image is dark: {np.median(electrons):.1f} electrons per pixel, 5 are needed; "
            "is a beam stop in?"
        )
    return electrons


def contrast_of(electrons: np.ndarray, camera: TemCamera) -> tuple[np.ndarray, float]:
    """Weakening in units of the mean free path over what lies around, and its noise per smoothed pixel."""
    logarithm = -np.log(np.maximum(ndimage.gaussian_filter(electrons, _SMOOTH_PX), 1.0))
    terms, total = _terms(*electrons.shape)
    used = np.ones(logarithm.shape, bool)
    surface = np.full(logarithm.shape, float(np.median(logarithm)))
    spread = 0.0
    # A large deposit would be taken for an uneven illumination by many terms: they come one after another.
    for order in _ORDERS:
        if order:
            thin = np.s_[::_STRIDE, ::_STRIDE]
            chosen = used[thin]
            # Terms are in the order of their powers: those of an order are the first ones.
            at = terms[..., : int(np.sum(total < order))]
            surface = at @ np.linalg.lstsq(at[thin][chosen], logarithm[thin][chosen], rcond=None)[0]
        left = logarithm - surface
        middle = np.median(left[used])
        spread = 1.4826 * float(np.median(np.abs(left[used] - middle)))
        # What is beside a deposit belongs to it.
        struck = ndimage.binary_opening(np.abs(left - middle) > 3.0 * spread, iterations=2)
        used = ~np.asarray(ndimage.binary_dilation(struck, iterations=4), bool)
        if used.mean() < 0.2:
            used = left < np.quantile(left, 0.5)
    left = logarithm - surface
    return left - float(np.median(left[used])), max(spread, 1e-6)


@lru_cache(maxsize=4)
def _terms(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Products of powers of both coordinates, shape (rows, columns, n), and their orders, shape (n,)."""
    row, column = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    orders = sorted(
        ((i, j) for i in range(max(_ORDERS)) for j in range(max(_ORDERS) - i)), key=lambda one: sum(one)
    )
    return np.stack([row**i * column**j for i, j in orders], axis=-1), np.array([i + j for i, j in orders])


def segmented(contrast: np.ndarray, noise: float) -> np.ndarray:
    """The largest thing that stands out, with its inside.

    Raises
    ------
    TemError
        If nothing does, it is too small or cut by the edge, or how large it is depends on how much more than
        its surroundings it must stand out: of a tube one wall, or one end, was then seen and the rest not.
    """
    level = max(_DETECTION_SIGMA * noise, 0.3 * float(np.quantile(contrast, 0.995)))
    labels, count = _standing_out(contrast, level)
    if count == 0:
        raise TemError(
            "nothing stands out of the image by 4 sigma; raise the dose within the limit, or focus"
        )
    sizes = np.bincount(labels.ravel())[1:]
    mask = labels == int(np.argmax(sizes)) + 1
    if mask.sum() < _LEAST_PX:
        raise TemError(
            f"what stands out covers {int(mask.sum())} pixels, {_LEAST_PX} are needed; magnify, "
            "or raise the dose"
        )
    # Opening takes the last pixels off.
    sides = (mask[:3], mask[-3:], mask[:, :3].T, mask[:, -3:].T)
    cut = sum(int(side.any(axis=0).sum()) for side in sides)
    if cut > 3:
        raise TemError(f"the edge of the image cuts the deposit ({cut} pixels lie on it); move the stage")
    wider, _ = _standing_out(contrast, _LOWER * level)
    with_more = int(np.isin(wider, np.setdiff1d(wider[mask], 0)).sum())
    if with_more > _STEADY * mask.sum():
        raise TemError(
            f"the deposit covers {int(mask.sum())} pixels, or {with_more} if less has to stand out: its "
            "outline is not seen all around; raise the dose within the limit, or light the field evenly"
        )
    return mask


def _standing_out(contrast: np.ndarray, level: float) -> tuple[np.ndarray, int]:
    """Numbers of what stands out, with what it encloses, and how many there are."""
    seen = ndimage.binary_closing(contrast > level, iterations=2)
    filled = np.asarray(ndimage.binary_fill_holes(seen))
    return _labelled(ndimage.binary_opening(filled, iterations=2))


def _labelled(seen: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers of connected pixels, and how many there are."""
    labels = np.empty(seen.shape, np.int32)
    ndimage.label(seen, output=labels)
    return labels, int(labels.max())


def hull_area(mask: np.ndarray) -> float:
    """Of the convex hull in pixels, by widths in many directions (support function)."""
    rows, columns = np.nonzero(mask ^ ndimage.binary_erosion(mask))
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    support = np.max(np.outer(np.cos(angles), columns) + np.outer(np.sin(angles), rows), axis=1) + 0.5
    slope = np.gradient(np.concatenate([support[-1:], support, support[:1]]), angles[1])[1:-1]
    return float(max(0.5 * np.sum(support**2 - slope**2) * angles[1], mask.sum()))

"""Places that bright rims enclose: how large they are, how bright, and what noise makes of that."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from intercalate.reduction.micrographs.pixels import connected, largest, sizes_px

FAINT_PX = 2
"""From a rim, where its own light is still seen."""
_LEAST_SEEN_PX = 10
_LEAST_GAPS = 2.0
"""Depth of a place, in halves of the gaps that are bridged, below which it lies between deposits rather than
within one."""
ROW_ERROR = 1.35 * float(np.sqrt(3.0))
"""Standard error of the level of a row by the lower third of every third pixel, in units of that of a pixel
over the root of their number."""
NOISE_LEFT = 0.5 / float(np.sqrt(np.pi))
"""Of that of a pixel, in grey that is smoothed over one."""
_SHARED_PX = 1.0 / float(np.sqrt(np.pi))
"""Of the variance of a pixel, per pixel of a line that parts two areas: what smoothing over one pixel makes
alike on both sides."""
_LEAST_LEFT, _OTHER_ENDS = 0.1, 0.3
"""Share of the variance that is left at least; and of the pixels at ends those that are others in another
image, of places of 24 drawn worlds from 20000 on."""
_LEAST_POPULATION = 10
"""Of places, whose variation is known to a quarter of itself."""

Greys = tuple[np.ndarray, np.ndarray]
"""Of the outer halves and the middles of places, shape (images, count)."""


@dataclass(frozen=True)
class Places:
    """Enclosed places; arrays have the shape (count,), `labels` that of the image.

    Attributes
    ----------
    bright, level
        Grey of the outer half and of the middle less that of the face, in standard deviations of the face.
    bright_noise, level_noise
        Their standard errors from one image to the next.
    level_weight
        What the level of one tells of that of all others: by the noise of its pixels.
    depth_px
        Largest distance from a rim.
    is_seen
        Whether there is enough of both halves, and no gap of its rim is as wide as the place.
    """

    labels: np.ndarray
    size_px: np.ndarray
    bright: np.ndarray
    bright_noise: np.ndarray
    level: np.ndarray
    level_noise: np.ndarray
    level_weight: np.ndarray
    depth_px: np.ndarray
    is_seen: np.ndarray

    @property
    def largest(self) -> int:
        """The face around all deposits."""
        return int(np.argmax(self.size_px))

    @property
    def is_asked(self) -> np.ndarray:
        """Whether grey decides what a place is."""
        return self.is_seen & (np.arange(self.size_px.size) != self.largest)

    @property
    def seen(self) -> Greys:
        """Greys of this image."""
        return self.bright[None, :], self.level[None, :]

    def true(self, generator: np.random.Generator, images: int) -> Greys:
        """Greys that may truly be those of this image."""
        bright, level = (
            _true(seen, noise, self.is_asked, generator, images)
            for seen, noise in ((self.bright, self.bright_noise), (self.level, self.level_noise))
        )
        return bright, level

    def drawn(self, generator: np.random.Generator, bright: np.ndarray, level: np.ndarray) -> Greys:
        """As another image would show greys that are truly these."""
        return bright + self.bright_noise * generator.standard_normal(bright.shape), (
            level + self.level_noise * generator.standard_normal(level.shape)
        )


def places_of(depth: np.ndarray, away: np.ndarray, noise: float, gap_px: int) -> Places:
    """What is enclosed if rims are made so much wider that gaps in them close."""
    labels, count = connected(depth > gap_px)
    deepest = largest(depth, labels, count)
    first = gap_px + FAINT_PX
    # Of the pixels that are far enough from rims, of which there are fewer than in the image.
    far = np.flatnonzero(depth > first)
    place, away_px, grey = (one.ravel()[far] for one in (labels, depth, away))
    half = np.concatenate([[0.0], 0.5 * (deepest + first)]).astype(np.float32)[place]
    is_outer = away_px <= half
    # Outlines are drawn in whole pixels, by noise in others each time: so are the ends of both halves.
    is_end = (np.abs(away_px - half) <= 1.0) | (away_px <= first + 1.0)
    (bright, of_bright, outer_px), (level, of_level, inner_px) = (
        _mean_and_ends(place[one], grey[one], is_end[one], count) for one in (is_outer, ~is_outer)
    )
    thick_px = np.maximum(0.5 * (deepest - first), 0.5)
    outer_px, inner_px = (np.maximum(one, 1) for one in (outer_px, inner_px))
    # What smoothing has spread over the line between both halves is in both, and not in their difference.
    in_both = _SHARED_PX * np.minimum(outer_px / thick_px, inner_px) / (outer_px * inner_px)
    by_outer, by_inner = (
        noise**2 * np.maximum(one - in_both, _LEAST_LEFT * one)
        for one in (_left_in(thick_px) / outer_px, _left_in(2.0 * thick_px) / inner_px)
    )
    # Pixels of a row share the error of its level, and a middle is as high as its place is deep at least.
    of_rows = ROW_ERROR**2 / (away.shape[1] * np.maximum(deepest, 1.0))
    return Places(
        labels,
        sizes_px(labels, count),
        bright,
        np.sqrt(by_outer + _OTHER_ENDS * of_bright),
        level,
        np.sqrt(by_inner + noise**2 * of_rows + _OTHER_ENDS * of_level),
        1.0 / (noise * np.sqrt(1.0 / inner_px + of_rows)),
        deepest,
        (np.minimum(outer_px, inner_px) >= _LEAST_SEEN_PX) & (deepest >= _LEAST_GAPS * gap_px),
    )


def _left_in(wide_px: np.ndarray) -> np.ndarray:
    """Share of the variance of noise in the mean of a strip, after smoothing over one pixel: a thin one has
    taken in pixels from beyond its edges.
    """
    beyond = 2.0 / (wide_px * np.sqrt(np.pi)) * -np.expm1(-(wide_px**2) / 4.0)
    return erf(wide_px / 2.0) - beyond


def _mean_and_ends(
    place: np.ndarray, grey: np.ndarray, is_end: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean grey of the pixels of each place, its variance where noise chooses other pixels at the ends, which
    differ from each other, and how many there are.
    """
    number, sums, squares, ends = (
        np.bincount(place, weights, minlength=count + 1)[1:] for weights in (None, grey, grey**2, is_end)
    )
    pixels = np.maximum(number, 1)
    mean = sums / pixels
    return mean, np.maximum(squares / pixels - mean**2, 0.0) * ends / pixels**2, number


def _true(
    seen: np.ndarray, noise: np.ndarray, is_asked: np.ndarray, generator: np.random.Generator, images: int
) -> np.ndarray:
    """What greys may truly be that are seen so, shape (images, count).

    Noise has driven places apart: they differ by less than is seen, which the difference of both variances
    says where there are enough of them (B. Efron and C. Morris, J. Am. Stat. Assoc. 68 (1973) 117).
    """
    middle, own = 0.0, np.ones(seen.size)
    if is_asked.sum() >= _LEAST_POPULATION:
        middle = float(seen[is_asked].mean())
        apart = max(float(seen[is_asked].var() - np.mean(noise[is_asked] ** 2)), 1e-12)
        own = apart / (apart + noise**2)
    drawn = generator.standard_normal((images, seen.size))
    return middle + own * (seen - middle) + noise * np.sqrt(own) * drawn

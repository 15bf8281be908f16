"""Class and coverage of deposits on a face, from shapes that are measured.

What the thresholds stand for, and what they cannot:

persistence
    A needle's edges are straight over many of its widths; those of a globule turn by half a circle over one
    width, those of moss turn to and fro. Needles that are bent within their own width are not told.
smooth
    Discs of half the largest inscribed radius fill a globule, and neighbours that touch, but not the lumps
    and bays of moss. Moss that is imaged so coarsely that lumps are below some five pixels looks like
    globules.
Height is not measured at all: a needle that points at the detector is a globule.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from intercalate.reduction.micrographs.image import (
    Micrograph,
    MicrographError,
    Quality,
    require_usable,
)
from intercalate.reduction.micrographs.pixels import (
    depth_px,
    filtered,
    highest_around,
    largest,
    length,
    sizes_px,
    smoothed,
    summed,
)
from intercalate.reduction.micrographs.repeats import scatter_px
from intercalate.reduction.micrographs.segments import Segments, segments
from intercalate.reduction.results import Estimate


class DepositClass(StrEnum):
    """How lithium has grown."""

    NEEDLE = "needle"
    """Long, straight or kinked, thin."""
    MOSSY = "mossy"
    """Lumps upon lumps with a ragged outline."""
    GLOBULAR = "globular"
    """Smooth and round."""
    NONE = "none"
    """Nothing has grown, or less than can be seen."""


_STRAIGHT, _STRAIGHT_SOFT = 0.30, 0.06
"""Persistence above which edges are straight, and over how much of it the class is uncertain. Of a circle the
structure tensor over 1.2 widths leaves 0.1 to 0.17, of an endless rod 1, of many crossing rods about 0.5."""
_ROUND, _ROUND_SOFT = 0.88, 0.03
"""Share of smooth area above which a shape is round: 1 for a disc, 0.9 for three that overlap."""
_UNTOLD, _MOST = 0.05, 2.0 / 3.0
"""Share of an image that may be as bright as rims and belong to no deposit, where less than that was found: a
bare face has 4 % at most, if it is rough. And the largest share of deposits, beside which the most frequent
grey is that of the face."""
_LEAST_COVERAGE = 2e-3
"""Below which a face counts as bare: dust and noise make some 1e-4."""
_EDGE_PX = float(np.hypot(1.0 / np.sqrt(12.0), 0.125))
"""Standard uncertainty of an edge on its bright rim, of all edges alike. Smoothing over one pixel leaves that
of a step in its place, and moves that of a thin bright line by up to a pixel: it may be anywhere within that.
Where the coarse grey is taken for the face, an edge moves by a quarter of a pixel, by half of which it may be
wrong, since not all rims are as wide as is assumed."""


@dataclass(frozen=True)
class Shapes:
    """Features of each deposit, shape (count,).

    Attributes
    ----------
    area_px, outline_px
        Area and length of the outline.
    inscribed_px
        Radius of the largest circle inside.
    persistence
        How well the outline keeps its direction over the width of the deposit: 1 for straight edges, 0 for
        round or ragged ones.
    smooth
        Share of the area that discs of half the inscribed radius can reach.
    """

    area_px: np.ndarray
    outline_px: np.ndarray
    inscribed_px: np.ndarray
    persistence: np.ndarray
    smooth: np.ndarray

    @property
    def width_px(self) -> np.ndarray:
        """Mean width: twice the area over the length of the outline."""
        return 2.0 * self.area_px / np.maximum(self.outline_px, 1.0)


@dataclass(frozen=True)
class DepositMap:
    """What stands on the face of one image.

    Attributes
    ----------
    kind
        Of most of the covered area.
    confidence
        That `kind` is right, as the features tell: how far they are from the thresholds, weighted by area.
    coverage
        Share of the field that is covered.
    sampling_sigma
        By which the coverage of another field of the same sample may differ: scatter between parts of this
        one.
    coverage_of
        Of each class.
    width_um
        Mean width of the deposits of `kind`: diameter of needles, two thirds of the diameter of discs.
    each
        Class of each deposit, shape (count,).
    """

    kind: DepositClass
    confidence: float
    coverage: Estimate
    sampling_sigma: float
    coverage_of: dict[DepositClass, Estimate]
    width_um: Estimate
    each: tuple[DepositClass, ...]
    shapes: Shapes
    segments: Segments
    quality: Quality


def deposits(image: Micrograph, *, with_scatter: bool = True) -> DepositMap:
    """Find, count and class what stands on a face.

    Parameters
    ----------
    with_scatter
        Look for deposits again under other noise, which takes longer than all else: without it the
        statistical error of the coverage is NaN.

    Raises
    ------
    MicrographError
        If the image is of no use, or deposits stand too close to see the face between them.
    """
    found_quality = require_usable(image)
    found = segments(image)
    _require_face(found)
    shapes = shapes_of(found)
    likelihood = _likelihood(shapes)
    names = (DepositClass.NEEDLE, DepositClass.MOSSY, DepositClass.GLOBULAR)
    each = tuple(names[number] for number in likelihood.argmax(axis=1))
    noise_px = scatter_px(image, found) if with_scatter else math.nan
    total = image.grey.size
    coverage_of: dict[DepositClass, Estimate] = {}
    for name in names:
        mine = np.array([one is name for one in each], dtype=bool)
        coverage_of[name] = _coverage(shapes, mine, found.doubtful_px, noise_px, total)
    coverage = _coverage(shapes, np.ones(found.count, dtype=bool), found.doubtful_px, noise_px, total)
    if coverage.value < _LEAST_COVERAGE:
        kind, confidence = (
            DepositClass.NONE,
            float(np.clip(1.0 - coverage.value / _LEAST_COVERAGE / 2, 0.5, 1)),
        )
    else:
        kind = max(names, key=lambda name: coverage_of[name].value)
        by_area = likelihood.T @ shapes.area_px / shapes.area_px.sum()
        confidence = float(by_area[names.index(kind)])
    return DepositMap(
        kind,
        confidence,
        coverage,
        _sampling(found.covered),
        coverage_of,
        _width(image, shapes, each, kind),
        each,
        shapes,
        found,
        found_quality,
    )


def _require_face(found: Segments) -> None:
    """Refuse an image in which more is bright than was told from the face.

    Raises
    ------
    MicrographError
        With the shares and what to do.
    """
    told = float(found.covered.mean())
    if told > _MOST or found.untold > max(_UNTOLD, told):
        raise MicrographError(
            f"deposits were found on {100 * told:.1f} % of the image, {100 * found.untold:.0f} % besides are "
            "as bright as their rims: too little of the face is seen between them to tell them; magnify more"
        )


def shapes_of(found: Segments) -> Shapes:
    """Features of every deposit."""
    if found.count == 0:
        nothing = np.zeros(0)
        return Shapes(nothing, nothing, nothing, nothing, nothing)
    labels, covered = found.labels, found.covered
    area = sizes_px(labels, found.count).astype(float)
    soft = smoothed(covered, 1.5)
    # Differences of neighbours, over three lines.
    apart, over = np.array([-0.5, 0.0, 0.5]), np.array([0.25, 0.5, 0.25])
    slope_y, slope_x = filtered(soft, apart, over), filtered(soft, over, apart)
    steep = length(slope_y, slope_x)
    around = highest_around(labels, 3)
    # The integral of the slope of a step is its length.
    outline = summed(steep, around, found.count)
    away = depth_px(covered)
    inscribed = largest(away, labels, found.count)
    half = np.concatenate([[np.inf], 0.5 * inscribed])[labels]
    reach = depth_px(away < half)
    smooth = summed(covered & (reach <= half), labels, found.count) / area
    width = float(np.average(2 * area / np.maximum(outline, 1.0), weights=area))
    persistence = _persistence(slope_x, slope_y, steep, around, found.count, width)
    return Shapes(area, outline, inscribed, persistence, smooth)


def _persistence(
    slope_x: np.ndarray,
    slope_y: np.ndarray,
    steep: np.ndarray,
    around: np.ndarray,
    count: int,
    width_px: float,
) -> np.ndarray:
    """Coherence of the structure tensor of the outlines over 1.2 typical widths, on pixels as coarse as
    allowed.
    """
    coarse = max(1, int(width_px / 6))
    weight = steep + 1e-9
    tensor = [
        smoothed(_binned(one, coarse), 1.2 * width_px / coarse)
        for one in (slope_x**2 / weight, slope_y**2 / weight, slope_x * slope_y / weight)
    ]
    xx, yy, xy = tensor
    coherence = np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-12)
    weight = _binned(steep, coarse)
    rows, columns = weight.shape
    labels = around[: rows * coarse : coarse, : columns * coarse : coarse]
    return summed(coherence * weight, labels, count) / np.maximum(summed(weight, labels, count), 1e-9)


def _binned(values: np.ndarray, times: int) -> np.ndarray:
    rows, columns = (size // times for size in values.shape)
    return values[: rows * times, : columns * times].reshape(rows, times, columns, times).mean(axis=(1, 3))


def _likelihood(shapes: Shapes) -> np.ndarray:
    """Of needle, moss, globule for each deposit; shape (count, 3)."""
    straight = 1.0 / (1.0 + np.exp(-(shapes.persistence - _STRAIGHT) / _STRAIGHT_SOFT))
    rounded = 1.0 / (1.0 + np.exp(-(shapes.smooth - _ROUND) / _ROUND_SOFT))
    return np.stack([straight, (1 - straight) * (1 - rounded), (1 - straight) * rounded], axis=1)


def _coverage(shapes: Shapes, mine: np.ndarray, doubtful_px: float, noise_px: float, total: int) -> Estimate:
    """Covered share, with what the place of edges, doubtful insides and noise do to it."""
    area, outline = float(shapes.area_px[mine].sum()), float(shapes.outline_px[mine].sum())
    part = float(np.sqrt(area / max(shapes.area_px.sum(), 1.0)))
    return Estimate(
        area / total,
        float(np.hypot(1.0, part * noise_px)) / total,
        float(np.hypot(_EDGE_PX * outline, part * doubtful_px)) / total,
    )


def _sampling(covered: np.ndarray) -> float:
    """Standard error of the coverage from its scatter between sixteen parts of the field."""
    parts = [part.mean() for band in np.array_split(covered, 4) for part in np.array_split(band, 4, axis=1)]
    return float(np.std(parts, ddof=1) / 4.0)


def _width(image: Micrograph, shapes: Shapes, each: tuple[DepositClass, ...], kind: DepositClass) -> Estimate:
    """Area-weighted mean width of the deposits of a class."""
    mine = np.array([one is kind for one in each], dtype=bool)
    if not mine.any():
        return Estimate(float("nan"), float("nan"), float("nan"))
    area, width = shapes.area_px[mine], shapes.width_px[mine]
    mean = float(np.average(width, weights=area))
    weight = area / area.sum()
    scatter = float(np.sqrt(np.sum(weight**2 * (width - mean) ** 2)))
    scale = image.pixel_sigma_um / image.pixel_um
    return Estimate(
        mean * image.pixel_um,
        scatter * image.pixel_um,
        image.pixel_um * float(np.hypot(2 * _EDGE_PX, mean * scale)),
    )

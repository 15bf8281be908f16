"""Heating through melting: the passivation layer stays, the bulk melts, grains are new afterwards (S43)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.materials.electron_range import LITHIUM_MELTS_C
from intercalate.reduction.ebsd.grains import OrientationMapError
from intercalate.reduction.micrographs.claims import ImageClaim, ImageFinding, Observation, difference
from intercalate.reduction.micrographs.deposits import DepositMap
from intercalate.reduction.results import Estimate

_COVERAGE_MARGIN = 0.05
"""Change of the covered share that would still count as unchanged."""
_LEAST_OVERLAP = 0.6
"""Of the covered area before and above melting, after the shift between both was taken out: edges that are
found differently in two images cost some tenth, another relief would leave the product of both coverages."""


@dataclass(frozen=True)
class HeatedVisit:
    """What was seen at one temperature.

    Attributes
    ----------
    coverage
        Share of the face that stands out, in secondary electrons.
    patterns
        Share of the points of an orientation map of the same place that show a pattern.
    """

    temperature_c: float
    coverage: Estimate
    patterns: Estimate


def overlap(first: DepositMap, second: DepositMap, rows: float = 0.0, columns: float = 0.0) -> Estimate:
    """Area that is covered in both images by that covered in either, the second moved back by a shift.

    Only what both images show is compared. The error is what edges cost: half a pixel along all outlines.
    """
    size = first.segments.covered.shape
    moves = [(round(by), count) for by, count in zip((rows, columns), size)]
    one = first.segments.covered[tuple(slice(max(-by, 0), max(count - by, 0)) for by, count in moves)]
    moved = second.segments.covered[tuple(slice(max(by, 0), max(count + by, 0)) for by, count in moves)]
    either = float(np.sum(one | moved))
    if either == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    value = float(np.sum(one & moved)) / either
    outlines_px = float(first.shapes.outline_px.sum() + second.shapes.outline_px.sum())
    edges = 0.5 * outlines_px * one.size / (size[0] * size[1]) / either
    return Estimate(value, 1.0 / np.sqrt(either), 0.5 * edges)


def melting(visits: Sequence[HeatedVisit], same_grains: Estimate, same_relief: Estimate) -> ImageFinding:
    """Judge whether the relief of the passivation layer outlasts the melting of what is below.

    Parameters
    ----------
    visits
        In their order, at least one below and one above melting.
    same_grains
        Share of the area that has the same grains before heating and after cooling.
    same_relief
        `overlap` of the relief of the first visit and the hottest, shifts taken out.

    Raises
    ------
    OrientationMapError
        If no visit is below melting, or none above.
    """
    below = [one for one in visits if one.temperature_c < LITHIUM_MELTS_C]
    above = [one for one in visits if one.temperature_c > LITHIUM_MELTS_C]
    if not below or not above:
        raise OrientationMapError(
            f"{len(below)} visits below and {len(above)} above {LITHIUM_MELTS_C:g} degC; one of each is the "
            f"least"
        )
    hottest = max(above, key=lambda one: one.temperature_c)
    change = difference(hottest.coverage, below[0].coverage)
    # Both images have the same edges: what is not known of their place is common.
    change = Estimate(abs(change.value), change.sigma_stat, 0.3 * change.sigma_sys)
    patterns_below, patterns_above = below[0].patterns, hottest.patterns
    observations = [
        Observation("coverage_change", "covered share above melting less that before", change, ""),
        Observation("overlap", "relief that is the same above melting", same_relief, ""),
        Observation("patterns_below", "points with a pattern below melting", patterns_below, ""),
        Observation("patterns_above", "points with a pattern above melting", patterns_above, ""),
        Observation("same_grains", "area of the same grains after cooling", same_grains, ""),
    ]
    claims = [
        ImageClaim.stays_below("the covered share stays", change, _COVERAGE_MARGIN),
        ImageClaim.exceeds("the relief is the same", same_relief, _LEAST_OVERLAP),
        ImageClaim.exceeds("there is a crystal below melting", patterns_below, 0.5),
        ImageClaim.stays_below("there is none above", patterns_above, 0.2),
        ImageClaim.stays_below("grains are new after cooling", same_grains, 0.5),
    ]
    return ImageFinding(
        f"at {hottest.temperature_c:g} degC {100 * same_relief.value:.0f} % of the relief is as before, "
        f"{100 * patterns_above.value:.0f} % of the points show a pattern ({100 * patterns_below.value:.0f} "
        f"% below melting); "
        f"{100 * same_grains.value:.0f} % of the grains' area is the same after cooling",
        observations,
        claims,
    )


def patterns_of(share: float, points: int) -> Estimate:
    """Share of so many points that show a pattern; one in twenty may be judged wrongly."""
    return Estimate(share, float(np.sqrt(max(share * (1 - share), 1.0 / points) / points)), 0.05)

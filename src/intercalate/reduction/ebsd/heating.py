"""Whether grains are the same before and after: two maps of one place."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.ebsd.grains import GrainMap, OrientationMapError
from intercalate.reduction.ebsd.orientation import disorientation_deg
from intercalate.reduction.results import Estimate

_SAME_DEG = 5.0
_CHANCE = 1.5e-3
"""Of two random cubic orientations to lie within 5 degrees: 24 (theta - sin theta) / pi for a small angle
theta gives 8.5e-4; with a common turn that is sought, somewhat more."""


@dataclass(frozen=True)
class GrainComparison:
    """Two maps of one place.

    Attributes
    ----------
    same_area
        Share of the area whose orientation is the same within 5 degrees, a common turn taken out.
    expected_by_chance
        What new grains at random would give.
    common_turn_deg
        By which the sample sits differently, or the map is distorted.
    diameter_ratio
        Of grains afterwards by before.
    are_new
        Whether the grains are others: less than half of the area is the same by three standard errors, and a
        tenth or less is possible.
    are_same
        Whether more than half of the area is the same, by three standard errors.
    """

    same_area: Estimate
    expected_by_chance: float
    common_turn_deg: float
    diameter_ratio: Estimate
    are_new: bool
    are_same: bool


def compare(before: GrainMap, after: GrainMap) -> GrainComparison:
    """Compare the grains of one place.

    Raises
    ------
    OrientationMapError
        If the maps have different sizes or steps.
    """
    if before.labels.shape != after.labels.shape or abs(before.step_um / after.step_um - 1) > 0.02:
        raise OrientationMapError(
            f"maps of {before.labels.shape} at {before.step_um:g} um and {after.labels.shape} at "
            f"{after.step_um:g} um cannot "
            "be compared point by point; map the same field with the same step"
        )
    both = (before.labels > 0) & (after.labels > 0)
    first, second = before.labels[both] - 1, after.labels[both] - 1
    pairs, weight = np.unique(np.stack([first, second]), axis=1, return_counts=True)
    angle = disorientation_deg(before.orientation[pairs[0]], after.orientation[pairs[1]])
    share = weight / max(weight.sum(), 1)
    same = float(share[angle < _SAME_DEG].sum())
    # Grains, not points, are independent.
    grains = max(1.0 / float(np.sum((np.bincount(first) / max(first.size, 1)) ** 2)), 1.0)
    stat = float(np.sqrt(max(same * (1 - same), 0.25 / grains) / grains))
    boundary = float(np.mean(_near_boundary(before.labels) | _near_boundary(after.labels)))
    found = Estimate(same, stat, 0.2 * boundary)
    near = angle[(angle < _SAME_DEG) & (share > 1e-3)]
    ratio = after.diameter_um.value / before.diameter_um.value
    relative = [one.diameter_sampling_um / one.diameter_um.value for one in (before, after)]
    scatter = float(np.hypot(relative[0], relative[1]))
    return GrainComparison(
        found,
        _CHANCE,
        float(np.median(near)) if near.size else float("nan"),
        Estimate(ratio, ratio * scatter, 0.05 * ratio),
        found.value + 3 * stat < 0.5 and found.value - 3 * found.sigma < 0.1,
        found.value - 3 * found.sigma > 0.5,
    )


def _near_boundary(labels: np.ndarray) -> np.ndarray:
    near = np.zeros(labels.shape, dtype=bool)
    near[:-1] |= labels[:-1] != labels[1:]
    near[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return near

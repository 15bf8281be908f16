"""How lithium grows: clusters or whiskers by overpotential, and what dissolution leaves of whiskers.

Claims hold by three standard errors; all of a finding must hold for it to count as recovered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.tem.images import Filling, Habit
from intercalate.reduction.tem.outline import TemError

SIGMAS = 3.0
DENSE = 0.8
"""Of its convex hull, a cluster fills more; branched ones fill less than half."""

_CLASS_SIGMA = 0.03
"""Declared: share of images that are given the wrong class."""
_LEAST_IMAGES = 8


class Shaped(Protocol):
    """A deposit, in so far as its class and density are known."""

    @property
    def habit(self) -> Habit: ...

    @property
    def filling(self) -> Filling: ...

    @property
    def density(self) -> float: ...


@dataclass(frozen=True)
class Observation:
    """One image and the conditions under which it was taken.

    Attributes
    ----------
    overpotential_v
        Magnitude.
    is_dissolved
        After the current was reversed.
    """

    shape: Shaped
    overpotential_v: float
    is_dissolved: bool = False


@dataclass(frozen=True)
class Claim:
    """One statement: a number, what it must exceed, and whether it does by three standard errors."""

    name: str
    value: Estimate
    threshold: float
    holds: bool


@dataclass(frozen=True)
class GrowthFinding:
    """What images of a series say."""

    recovered: bool
    claims: tuple[Claim, ...]


def growth_finding(observations: Sequence[Observation], border_v: float) -> GrowthFinding:
    """Whether dense clusters grow at small and whiskers at large overpotential, and dissolution leaves tubes.

    Parameters
    ----------
    border_v
        Between small and large overpotential.

    Raises
    ------
    TemError
        If there are fewer than 8 images of any kind.
    """
    grown = [one for one in observations if not one.is_dissolved]
    small = [one.shape for one in grown if one.overpotential_v < border_v]
    large = [one.shape for one in grown if one.overpotential_v >= border_v]
    dissolved = [one.shape for one in observations if one.is_dissolved]
    for name, images in (("small", small), ("large", large), ("dissolved", dissolved)):
        if len(images) < _LEAST_IMAGES:
            raise TemError(f"{len(images)} images are {name}, {_LEAST_IMAGES} are needed")
    whiskers = [_share([one.habit is Habit.WHISKER for one in images]) for images in (small, large)]
    filled = [one for one in large if one.habit is Habit.WHISKER and one.filling is not Filling.UNDETERMINED]
    emptied = [
        one for one in dissolved if one.habit is Habit.WHISKER and one.filling is not Filling.UNDETERMINED
    ]
    hollow = [_share([one.filling is Filling.HOLLOW for one in images]) for images in (filled, emptied)]
    clusters = [one.density for one in small if one.habit is Habit.CLUSTER]
    claims = (
        _above("share of whiskers at large overpotential", whiskers[1], 0.5),
        _above("share of clusters at small overpotential", _rest(whiskers[0]), 0.5),
        _above("rise of whiskers with overpotential", _apart(whiskers[1], whiskers[0]), 0.0),
        _above("density of clusters", _mean(clusters), DENSE),
        _above("share of tubes after dissolution", hollow[1], 0.5),
        _above("rise of tubes by dissolution", _apart(hollow[1], hollow[0]), 0.0),
    )
    return GrowthFinding(all(claim.holds for claim in claims), claims)


def _share(which: Sequence[bool]) -> Estimate:
    """Of images, with the error of the Agresti-Coull interval (Am. Stat. 52 (1998) 119)."""
    if not which:
        return UNDETERMINED
    number = len(which)
    shrunk = (sum(which) + 0.5) / (number + 1.0)
    return Estimate(sum(which) / number, float(np.sqrt(shrunk * (1 - shrunk) / (number + 1.0))), _CLASS_SIGMA)


def _rest(share: Estimate) -> Estimate:
    return Estimate(1.0 - share.value, share.sigma_stat, share.sigma_sys)


def _apart(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(
        one.value - other.value,
        float(np.hypot(one.sigma_stat, other.sigma_stat)),
        float(np.hypot(one.sigma_sys, other.sigma_sys)),
    )


def _mean(values: Sequence[float]) -> Estimate:
    if len(values) < 3:
        return UNDETERMINED
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))), 0.01)


def _above(name: str, value: Estimate, threshold: float) -> Claim:
    holds = bool(np.isfinite(value.value) and value.value - SIGMAS * value.sigma > threshold)
    return Claim(name, value, threshold, holds)

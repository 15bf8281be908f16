"""Sizes of grains: mean diameter, mean intercept and ASTM number, and what noise does to them."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from intercalate.reduction.ebsd.orientation import disorientation_deg
from intercalate.reduction.results import UNDETERMINED, Estimate

_EVERY, _BUT_LAST, _BUT_FIRST = slice(None), slice(None, -1), slice(1, None)
NEIGHBOURS = (
    ((_EVERY, _BUT_LAST), (_EVERY, _BUT_FIRST)),
    ((_BUT_LAST, _EVERY), (_BUT_FIRST, _EVERY)),
)
"""Points of a map and those beside them, along rows and down columns."""
_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
_WRONG_SIDE = 0.65
"""Standard deviation of a point at a boundary being given to one grain or the other: half of them, by
chance."""
_BOUNDARY = 0.15
"""Standard uncertainty of where a boundary lies between two points, in steps, common to all boundaries."""
_MERGED_PAIRS = 0.0068
"""Of random cubic neighbours, those that are turned by less than 10 degrees and count as one grain:
2/15 (1 - cos) per degree after J. K. Mackenzie, Biometrika 45 (1958) 229."""
_PAIRS_PER_GRAIN = 3.0
_CORNERS, _CORNERS_SIGMA = 0.02, 0.01
"""Of the mean intercept: where a line cuts a corner of few points off a grain, cleaning up takes it away even
where every point is indexed; with standard uncertainty."""


@dataclass(frozen=True)
class Neighbours:
    """Pairs of grains that touch.

    Attributes
    ----------
    pairs
        Numbers from 0 on, shape (pairs, 2).
    likely
        That noise joins them.
    points
        Pairs of neighbouring points across their boundary.
    """

    pairs: np.ndarray
    likely: np.ndarray
    points: np.ndarray


def joined_by_noise(
    labels: np.ndarray, orientation: np.ndarray, noise_deg: float, threshold_deg: float
) -> Neighbours:
    """Grains that touch, and how likely noise joins each pair: two points below the threshold are enough.

    Parameters
    ----------
    labels
        At a threshold so small that noise joins none of them.
    """
    beside = [np.stack([labels[a].ravel(), labels[b].ravel()], axis=1) for a, b in NEIGHBOURS]
    both = np.sort(np.concatenate(beside), axis=1)
    both = both[(both[:, 0] != both[:, 1]) & (both[:, 0] > 0)]
    pairs, points = np.unique(both, axis=0, return_counts=True)
    if pairs.size == 0:
        return Neighbours(pairs.reshape(0, 2), np.zeros(0), np.zeros(0))
    pairs = pairs - 1
    apart = disorientation_deg(orientation[pairs[:, 0]], orientation[pairs[:, 1]])
    # The median length of a difference of two vectors is 1.54 of what one of its components scatters by.
    below = norm.cdf((threshold_deg - apart) / max(noise_deg / 1.54, 1e-6))
    return Neighbours(pairs, 1.0 - (1.0 - below) ** points, points)


def mean_diameter(
    area_um2: np.ndarray,
    whole: np.ndarray,
    step_um: float,
    joined: Neighbours,
    fine_points: np.ndarray,
    fine_whole: np.ndarray,
) -> tuple[Estimate, float]:
    """Of grains that lie wholly inside, and by how much another field of the sample may differ.

    Parameters
    ----------
    fine_points, fine_whole
        Points of each grain of `joined`, and whether it lies inside.
    """
    if whole.sum() < 3:
        return UNDETERMINED, float("nan")
    diameter = 2.0 * np.sqrt(area_um2[whole] / np.pi)
    mean, count = float(diameter.mean()), diameter.size
    # Points along a boundary go to the wrong side by chance: an area is uncertain by the root of their
    # number.
    area = _WRONG_SIDE * step_um * np.sqrt(np.pi * diameter * step_um)
    stat = float(np.sqrt(np.sum((2.0 * area / (np.pi * diameter)) ** 2))) / count
    pairs, likely = joined.pairs, joined.likely
    inside = fine_whole[pairs].all(axis=1)
    first, second = (2.0 * step_um * np.sqrt(fine_points[pairs[inside, side]] / np.pi) for side in (0, 1))
    moved = (np.hypot(first, second) - first - second + mean) / count
    stat = float(np.sqrt(stat**2 + np.sum(likely[inside] * (1.0 - likely[inside]) * moved**2)))
    # Of two grains that count as one, the diameter is larger by the root of two: on the mean by half of their
    # share.
    merged = 0.5 * _PAIRS_PER_GRAIN * _MERGED_PAIRS
    by_chance = merged / np.sqrt(max(count * _PAIRS_PER_GRAIN * _MERGED_PAIRS, 1.0))
    systematic = float(np.hypot(_BOUNDARY * step_um, by_chance * mean))
    found = Estimate(mean * (1.0 - merged), stat, systematic)
    return found, float(diameter.std(ddof=1) / np.sqrt(count))


def mean_intercept(labels: np.ndarray, changed: np.ndarray, step_um: float, joined: Neighbours) -> Estimate:
    """Length of all rows and columns by the number of boundaries they cross.

    Parameters
    ----------
    changed
        Points that cleaning up has filled or changed.
    """
    crossed, length = 0, 0.0
    for lines in (labels, labels.T):
        for line in lines:
            seen = line[line > 0]
            crossed += int(np.sum(np.diff(seen) != 0))
            length += seen.size * step_um
    if crossed < 4:
        return UNDETERMINED
    mean = length / crossed * (1.0 - _CORNERS - _MERGED_PAIRS)
    systematic = mean * float(np.hypot(_CORNERS_SIGMA, _MERGED_PAIRS))
    variance = _of_boundaries(labels, changed)
    variance += float(np.sum(joined.likely * (1.0 - joined.likely) * joined.points**2))
    return Estimate(mean, mean * float(np.sqrt(variance)) / crossed, systematic)


def _of_boundaries(labels: np.ndarray, changed: np.ndarray) -> float:
    """Variance of the number of crossings, by points of boundaries that noise gives to either grain.

    A point keeps its grain as long as it is indexed, and takes that of most of its neighbours where it is
    not: a bump of the boundary comes or goes, and with it up to four crossings.
    """
    rows, columns = labels.shape
    padded = np.pad(labels, 1)
    around = np.stack(
        [padded[1 + down : 1 + down + rows, 1 + over : 1 + over + columns] for down, over in _AROUND]
    )
    at_boundary = (labels > 0) & ((around[:4] != labels) & (around[:4] > 0)).any(axis=0)
    if not at_boundary.any():
        return 0.0
    lost = float(np.clip(changed[at_boundary].mean(), 0.0, 0.9))
    own, beside = labels[at_boundary], around[:, at_boundary]
    other = (beside != own) & (beside > 0)
    votes = np.sum(beside[:, None] == beside[None], axis=1) * other
    best = np.argmax(votes, axis=0)
    place = np.arange(own.size)
    theirs, mine = votes[best, place], np.sum(beside == own, axis=0)
    # Neighbours that are lost as well have no vote.
    surplus, scatter = (theirs - mine) * (1.0 - lost), np.sqrt((theirs + mine) * lost * (1.0 - lost) + 1e-9)
    goes = norm.cdf(surplus / scatter)
    taken = np.sum(beside[:4] == beside[best, place], axis=0) - np.sum(beside[:4] == own, axis=0)
    return float(np.sum(goes * taken.astype(float) ** 2)) * lost


def astm_number(intercept: Estimate) -> Estimate:
    """G = -3.2877 - 6.6439 log10 of the mean intercept in mm (ASTM E112; recalled)."""
    if not np.isfinite(intercept.value):
        return UNDETERMINED
    slope = 6.6439 / np.log(10) / intercept.value
    return Estimate(
        float(-3.2877 - 6.6439 * np.log10(intercept.value * 1e-3)),
        slope * intercept.sigma_stat,
        slope * intercept.sigma_sys,
    )

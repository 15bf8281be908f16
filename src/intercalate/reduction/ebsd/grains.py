"""Grains of an orientation map: points that are turned against their neighbours by less than a threshold."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm

from intercalate.reduction.ebsd.orientation import disorientation_deg, mean_orientation, quaternions
from intercalate.reduction.micrographs.pixels import nearest_outside
from intercalate.reduction.results import UNDETERMINED, Estimate

_LEAST_SIDE = 8
_LEAST_CONTRAST = 12.0
_PATTERN_SHARE = 0.2
"""Of points with a pattern, below which a map shows no crystal."""
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
"""Of the mean intercept: where a line cuts a corner of few points off a grain, cleaning up takes it away;
with standard uncertainty."""
_CROSSING = 0.5
"""Of a boundary that a line crosses, the noise of its being seen once, in roots of the share of points that
were cleaned: those beside it go to one side or the other by chance, or make a crossing more."""


class OrientationMapError(ValueError):
    """An orientation map cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class OrientationMap:
    """Orientations on a square grid.

    Attributes
    ----------
    quaternion
        Shape (rows, columns, 4).
    known
        Points with an orientation that is believed, shape (rows, columns).
    contrast
        Of the bands, 0 to 255.
    step_um
        Between points.
    """

    quaternion: np.ndarray
    known: np.ndarray
    contrast: np.ndarray
    step_um: float

    @property
    def pattern_share(self) -> float:
        """Of points, those that show a pattern at all."""
        return float(np.mean(self.contrast > _LEAST_CONTRAST))

    @property
    def is_crystalline(self) -> bool:
        """Whether there is a crystal to be seen."""
        return self.pattern_share > _PATTERN_SHARE and float(self.known.mean()) > _PATTERN_SHARE


def orientation_map(
    euler_deg: np.ndarray, band_contrast: np.ndarray, indexed: np.ndarray, step_um: float
) -> OrientationMap:
    """Check a map of Bunge's angles.

    Parameters
    ----------
    euler_deg, band_contrast, indexed
        Shape (rows, columns, 3), and twice (rows, columns).

    Raises
    ------
    OrientationMapError
        If shapes differ, angles are no numbers, or the step is none.
    """
    angles, contrast = np.asarray(euler_deg, dtype=float), np.asarray(band_contrast, dtype=float)
    known = np.asarray(indexed, dtype=bool)
    if (
        angles.ndim != 3
        or angles.shape[2] != 3
        or angles.shape[:2] != contrast.shape
        or contrast.shape != known.shape
    ):
        raise OrientationMapError(
            f"angles of shape {angles.shape}, contrast {contrast.shape}, indexed {known.shape}: (rows, "
            f"columns, 3) and "
            "twice (rows, columns) are expected"
        )
    if min(contrast.shape) < _LEAST_SIDE:
        raise OrientationMapError(
            f"the map has {contrast.shape} points, {_LEAST_SIDE} per side are the least"
        )
    if not step_um > 0:
        raise OrientationMapError(f"a step of {step_um} um is none; give the distance of two points")
    wrong = int(np.sum(~np.isfinite(angles[known])))
    if wrong:
        raise OrientationMapError(f"{wrong} angles of indexed points are no numbers; export the map again")
    angles = np.where(known[..., None], angles, 0.0)
    return OrientationMap(quaternions(angles), known & (contrast > _LEAST_CONTRAST), contrast, float(step_um))


@dataclass(frozen=True)
class GrainMap:
    """Grains of a map.

    Attributes
    ----------
    labels
        Number of the grain from 1 on; 0 where no orientation is known. Shape (rows, columns).
    orientation
        Mean of each grain, shape (count, 4).
    area_um2
        Of each grain, those at the side with what is inside the map.
    whole
        Whether a grain lies wholly inside the map.
    diameter_um
        Mean over whole grains of the diameter of a circle of the same area, for this field.
    diameter_sampling_um
        By which the mean of another field of the sample may differ: scatter between grains over the root of
        their number.
    intercept_um
        Mean length between two boundaries along lines through the map.
    astm_grain_number
        From the mean intercept by ASTM E112.
    boundary_deg
        Misorientations of all neighbouring points in different grains.
    noise_deg
        Median misorientation of neighbours in one grain.
    cleaned_share
        Of points, those whose orientation was taken from their neighbours.
    """

    labels: np.ndarray
    orientation: np.ndarray
    area_um2: np.ndarray
    whole: np.ndarray
    diameter_um: Estimate
    diameter_sampling_um: float
    intercept_um: Estimate
    astm_grain_number: Estimate
    boundary_deg: np.ndarray
    noise_deg: float
    cleaned_share: float
    step_um: float


def cleaned(
    measured: OrientationMap, rounds: int = 3, threshold_deg: float = 5.0
) -> tuple[OrientationMap, float]:
    """Points without orientation, or with one that no neighbour shares, take that of the neighbour that most
    others agree with.

    Returns
    -------
    map, share
        The second is the share of points that were filled or changed.
    """
    quaternion, known = measured.quaternion.copy(), measured.known.copy()
    changed = np.zeros(known.shape, dtype=bool)
    for _ in range(rounds):
        around = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
        beside = np.stack([_moved(quaternion, step) for step in around])
        there = np.stack([_moved(known, step) for step in around])
        agree = [
            there[at] & known & (disorientation_deg(quaternion, beside[at]) < threshold_deg)
            for at in range(len(around))
        ]
        lone = known & (np.sum(agree, axis=0) < 2)
        wanting = lone | (~known & (there.sum(axis=0) >= 4))
        rows, columns = np.nonzero(wanting)
        if rows.size == 0:
            break
        near, near_there = beside[:, rows, columns], there[:, rows, columns]
        votes = np.stack(
            [
                np.sum((disorientation_deg(near[at][None], near) < threshold_deg) & near_there, axis=0)
                * near_there[at]
                for at in range(len(around))
            ]
        )
        best = np.argmax(votes, axis=0)
        sure = votes[best, np.arange(rows.size)] >= 3
        rows, columns, best = rows[sure], columns[sure], best[sure]
        quaternion[rows, columns] = beside[best, rows, columns]
        known[rows, columns] = True
        changed[rows, columns] = True
    return OrientationMap(quaternion, known, measured.contrast, measured.step_um), float(changed.mean())


def grain_map(measured: OrientationMap, threshold_deg: float = 10.0, least_points: int = 6) -> GrainMap:
    """Clean a map up and divide it into grains.

    Raises
    ------
    OrientationMapError
        If the map shows no crystal.
    """
    if not measured.is_crystalline:
        raise OrientationMapError(
            f"{100 * measured.pattern_share:.0f} % of the points show a pattern, "
            f"{100 * measured.known.mean():.0f} % are "
            f"indexed, {100 * _PATTERN_SHARE:.0f} % are the least: a melt, a film on the face, or a wrong "
            f"tilt"
        )
    clean, share = cleaned(measured)
    labels = _grains(clean, threshold_deg, least_points)
    count = int(labels.max())
    if count == 0:
        raise OrientationMapError(f"no grain has {least_points} points; take a smaller step")
    flat = labels.ravel()
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(1, count + 2))
    points = clean.quaternion.reshape(-1, 4)
    orientation = np.array([mean_orientation(points[order[a:b]]) for a, b in pairwise(edges)])
    area = np.diff(edges) * measured.step_um**2
    side = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    whole = ~np.isin(np.arange(1, count + 1), side)
    across, noise_deg = _misorientations(clean, labels)
    joined = _joined(clean, labels, orientation, noise_deg, threshold_deg)
    intercept = _intercept(labels, measured.step_um, share, joined)
    return GrainMap(
        labels,
        orientation,
        area,
        whole,
        *_diameter(area, whole, measured.step_um, joined),
        intercept,
        _astm(intercept),
        across,
        noise_deg,
        share,
        measured.step_um,
    )


def _moved(values: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """Neighbours of every point; what is outside the map is its side again, and not known."""
    padded = np.pad(
        values,
        [(1, 1), (1, 1)] + [(0, 0)] * (values.ndim - 2),
        mode="edge" if values.ndim > 2 else "constant",
    )
    rows, columns = values.shape[:2]
    return padded[1 + step[0] : 1 + step[0] + rows, 1 + step[1] : 1 + step[1] + columns]


def _grains(clean: OrientationMap, threshold_deg: float, least_points: int) -> np.ndarray:
    rows, columns = clean.known.shape
    number = np.arange(rows * columns).reshape(rows, columns)
    pairs: list[np.ndarray] = []
    for a, b in _neighbours():
        joined = clean.known[a] & clean.known[b]
        joined &= disorientation_deg(clean.quaternion[a], clean.quaternion[b]) < threshold_deg
        pairs.append(np.stack([number[a][joined], number[b][joined]]))
    both = np.concatenate(pairs, axis=1)
    graph = sparse.coo_matrix(
        (np.ones(both.shape[1], dtype=bool), (both[0], both[1])), shape=(number.size,) * 2
    )
    _, labels = connected_components(graph, directed=False)
    labels = np.where(clean.known.ravel(), labels + 1, 0)
    sizes = np.bincount(labels)
    keep = sizes >= least_points
    keep[0] = False
    labels = (np.cumsum(keep) * keep)[labels].reshape(rows, columns)
    if not keep.any():
        return labels
    # What is left over at boundaries goes to the nearest grain, as far as three points away.
    away, nearest = nearest_outside(labels == 0)
    return np.where(away <= 3, labels[nearest], 0)


def _neighbours() -> tuple[tuple[tuple[slice, slice], tuple[slice, slice]], ...]:
    every, but_last, but_first = slice(None), slice(None, -1), slice(1, None)
    return (((every, but_last), (every, but_first)), ((but_last, every), (but_first, every)))


@dataclass(frozen=True)
class Neighbours:
    """Pairs of grains that touch.

    Attributes
    ----------
    pairs
        Numbers from 0 on, shape (pairs, 2).
    likely
        That noise joins them in another map.
    points
        Pairs of neighbouring points across their boundary.
    """

    pairs: np.ndarray
    likely: np.ndarray
    points: np.ndarray


def _joined(
    clean: OrientationMap, labels: np.ndarray, orientation: np.ndarray, noise_deg: float, threshold_deg: float
) -> Neighbours:
    """Grains that touch, and how likely noise joins each pair: two points below the threshold are enough."""
    beside = [np.stack([labels[a].ravel(), labels[b].ravel()], axis=1) for a, b in _neighbours()]
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


def _diameter(
    area_um2: np.ndarray, whole: np.ndarray, step_um: float, joined: Neighbours
) -> tuple[Estimate, float]:
    """Of grains that lie wholly inside, and by how much another field of the sample may differ."""
    if whole.sum() < 3:
        return UNDETERMINED, float("nan")
    diameter = 2.0 * np.sqrt(area_um2[whole] / np.pi)
    mean, count = float(diameter.mean()), diameter.size
    # Points along a boundary go to the wrong side by chance: an area is uncertain by the root of their
    # number.
    area = _WRONG_SIDE * step_um * np.sqrt(np.pi * diameter * step_um)
    stat = float(np.sqrt(np.sum((2.0 * area / (np.pi * diameter)) ** 2))) / count
    pairs, likely = joined.pairs, joined.likely
    inside = whole[pairs].all(axis=1)
    first, second = (2.0 * np.sqrt(area_um2[pairs[inside, side]] / np.pi) for side in (0, 1))
    # Those that were joined this time and may not be another time are as many as those that were not.
    moved = (np.hypot(first, second) - first - second + mean) / count
    stat = float(np.sqrt(stat**2 + 2.0 * np.sum(likely[inside] * (1.0 - likely[inside]) * moved**2)))
    # Of two grains that count as one, the diameter is larger by the root of two: on the mean by half of their
    # share.
    merged = 0.5 * _PAIRS_PER_GRAIN * _MERGED_PAIRS
    by_chance = merged / np.sqrt(max(count * _PAIRS_PER_GRAIN * _MERGED_PAIRS, 1.0))
    systematic = float(np.hypot(_BOUNDARY * step_um, by_chance * mean))
    found = Estimate(mean * (1.0 - merged), stat, systematic)
    return found, float(diameter.std(ddof=1) / np.sqrt(count))


def _intercept(labels: np.ndarray, step_um: float, cleaned_share: float, joined: Neighbours) -> Estimate:
    """Length of all rows and columns by the number of boundaries they cross."""
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
    by_cleaning = _CROSSING**2 * cleaned_share * crossed
    by_joining = 2.0 * float(np.sum(joined.likely * (1.0 - joined.likely) * joined.points**2))
    return Estimate(mean, mean * float(np.sqrt(by_cleaning + by_joining)) / crossed, systematic)


def _astm(intercept: Estimate) -> Estimate:
    """G = -3.2877 - 6.6439 log10 of the mean intercept in mm (ASTM E112; recalled)."""
    if not np.isfinite(intercept.value):
        return UNDETERMINED
    slope = 6.6439 / np.log(10) / intercept.value
    return Estimate(
        float(-3.2877 - 6.6439 * np.log10(intercept.value * 1e-3)),
        slope * intercept.sigma_stat,
        slope * intercept.sigma_sys,
    )


def _misorientations(clean: OrientationMap, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Across boundaries, and the median within grains."""
    across: list[np.ndarray] = []
    within: list[np.ndarray] = []
    for a, b in _neighbours():
        both = clean.known[a] & clean.known[b] & (labels[a] > 0) & (labels[b] > 0)
        angle = disorientation_deg(clean.quaternion[a], clean.quaternion[b])
        differ = labels[a] != labels[b]
        across.append(angle[both & differ])
        within.append(angle[both & ~differ])
    inside = np.concatenate(within)
    return np.concatenate(across), float(np.median(inside)) if inside.size else float("nan")

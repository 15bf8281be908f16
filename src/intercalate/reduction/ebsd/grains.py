"""Grains of an orientation map: points that are turned against their neighbours by less than a threshold."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from intercalate.reduction.ebsd.orientation import disorientation_deg, mean_orientation, quaternions
from intercalate.reduction.ebsd.sizes import (
    NEIGHBOURS,
    astm_number,
    joined_by_noise,
    mean_diameter,
    mean_intercept,
)
from intercalate.reduction.micrographs.pixels import nearest_outside
from intercalate.reduction.results import Estimate

_LEAST_SIDE = 8
_LEAST_CONTRAST = 12.0
_PATTERN_SHARE = 0.2
"""Of points with a pattern, below which a map shows no crystal."""
_FINE = 0.5
"""Of the threshold, at which a grain is divided again into those that noise may have joined."""


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
) -> tuple[OrientationMap, np.ndarray]:
    """Points without orientation, or with one that no neighbour shares, take that of the neighbour that most
    others agree with.

    Returns
    -------
    map, changed
        The second is which points were filled or changed, shape (rows, columns).
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
    return OrientationMap(quaternion, known, measured.contrast, measured.step_um), changed


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
    clean, changed = cleaned(measured)
    labels = _grains(clean, threshold_deg, least_points)
    if labels.max() == 0:
        raise OrientationMapError(f"no grain has {least_points} points; take a smaller step")
    across, noise_deg = _misorientations(clean, labels)
    # Noise joins grains that are hardly turned against each other in one map and not in the next: whether it
    # did or not, both are seen at a smaller threshold.
    fine = _grains(clean, _FINE * threshold_deg, least_points)
    joined = joined_by_noise(fine, _mean_orientations(clean, fine), noise_deg, threshold_deg)
    area = np.bincount(labels.ravel())[1:] * measured.step_um**2
    whole = _whole(labels)
    intercept = mean_intercept(labels, changed, measured.step_um, joined)
    return GrainMap(
        labels,
        _mean_orientations(clean, labels),
        area,
        whole,
        *mean_diameter(area, whole, measured.step_um, joined, np.bincount(fine.ravel())[1:], _whole(fine)),
        intercept,
        astm_number(intercept),
        across,
        noise_deg,
        float(changed.mean()),
        measured.step_um,
    )


def _whole(labels: np.ndarray) -> np.ndarray:
    """Whether each grain lies wholly inside the map."""
    side = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return ~np.isin(np.arange(1, int(labels.max()) + 1), side)


def _mean_orientations(clean: OrientationMap, labels: np.ndarray) -> np.ndarray:
    """Of each grain, shape (count, 4)."""
    flat, points = labels.ravel(), clean.quaternion.reshape(-1, 4)
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(1, int(flat.max()) + 2))
    return np.array([mean_orientation(points[order[a:b]]) for a, b in pairwise(edges)]).reshape(-1, 4)


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
    for a, b in NEIGHBOURS:
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


def _misorientations(clean: OrientationMap, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Across boundaries, and the median within grains."""
    across: list[np.ndarray] = []
    within: list[np.ndarray] = []
    for a, b in NEIGHBOURS:
        both = clean.known[a] & clean.known[b] & (labels[a] > 0) & (labels[b] > 0)
        angle = disorientation_deg(clean.quaternion[a], clean.quaternion[b])
        differ = labels[a] != labels[b]
        across.append(angle[both & differ])
        within.append(angle[both & ~differ])
    inside = np.concatenate(within)
    return np.concatenate(across), float(np.median(inside)) if inside.size else float("nan")

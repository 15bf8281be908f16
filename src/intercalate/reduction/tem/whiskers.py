"""The axis of a whisker, its straight parts and bends, and what is inside."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from intercalate.reduction.results import UNDETERMINED, Estimate

KINK_LEAST_DEG = 12.0
"""Below which a bend is not told from an uneven outline."""

DIRECTION_SIGMA = 0.15
"""Declared, in degrees: axis of the outline against that of growth, and distortion of the image."""
CORNER_PART = 0.05
"""Declared: by how much a bend moves the end of the axis beside it, in radii."""
_SLICE_PX = 3.0
_CORE_SIGMA = 0.03
_OUTER_PARTS = (0.82, 0.86, 0.9, 0.94, 0.98, 1.02)
_SHELL_PARTS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)


@dataclass(frozen=True)
class Kink:
    """A bend: where along the axis, and by how much (anticlockwise positive)."""

    at_nm: float
    angle_deg: Estimate


def axis_of(mask: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (column, row) of the middle line, and their distance along it in pixels.

    Pixels are ordered by how far they are, within the deposit, from its one end; the middle of each slice,
    weighted by the distance to the outline, is a point.
    """
    rows, columns = np.nonzero(mask)
    number = np.full(mask.shape, -1)
    number[rows, columns] = np.arange(rows.size)
    starts, ends, lengths = [], [], []
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        near = number[max(0, 0) : mask.shape[0] - step[0], max(0, -step[1]) : mask.shape[1] - max(step[1], 0)]
        far = number[step[0] :, max(step[1], 0) : mask.shape[1] + min(step[1], 0)]
        both = (near >= 0) & (far >= 0)
        starts.append(near[both])
        ends.append(far[both])
        lengths.append(np.full(int(both.sum()), np.hypot(*step)))
    graph = csr_matrix(
        (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends))), shape=(rows.size,) * 2
    )
    first = int(np.argmax(dijkstra(graph, directed=False, indices=0)))
    away = np.asarray(dijkstra(graph, directed=False, indices=first))
    deepest = float(distance.max())
    slices = (away / _SLICE_PX).astype(int)
    weight = distance[rows, columns] ** 2
    total = np.bincount(slices, weight)
    used = total > 0
    points = np.stack(
        [
            np.bincount(slices, weight * columns)[used] / total[used],
            np.bincount(slices, weight * rows)[used] / total[used],
        ],
        axis=1,
    )
    trim = max(round(1.2 * deepest / _SLICE_PX), 1)
    if points.shape[0] > 2 * trim + 4:
        points = points[trim:-trim]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return points, along


@dataclass(frozen=True)
class Part:
    """A straight part of the axis."""

    length: float
    angle_deg: float
    sigma_deg: float
    first: int
    last: int


def _bends(points: np.ndarray, radius: float) -> list[int]:
    """Indices at which a broken line bends: the point farthest from a chord, again and again."""
    reach = 0.32 * radius
    found: list[int] = []
    pending = [(0, points.shape[0] - 1)]
    while pending:
        first, last = pending.pop()
        if last - first < 6:
            continue
        chord = points[last] - points[first]
        normal = np.array([-chord[1], chord[0]]) / max(float(np.hypot(*chord)), 1e-9)
        off = np.abs((points[first : last + 1] - points[first]) @ normal)
        worst = int(np.argmax(off))
        if off[worst] > reach and 2 < worst < last - first - 2:
            found.append(first + worst)
            pending += [(first, first + worst), (first + worst, last)]
    return sorted(found)


def beyond(mask: np.ndarray, points: np.ndarray) -> float:
    """How far the deposit reaches beyond both ends of the axis, in pixels."""
    rows, columns = np.nonzero(mask)
    total = 0.0
    for end, before in ((points[0], points[4]), (points[-1], points[-5])):
        direction = (end - before) / max(float(np.hypot(*(end - before))), 1e-9)
        away = np.stack([columns - end[0], rows - end[1]], axis=1)
        near = np.hypot(*away.T) < 60.0
        total += float(np.max(away[near] @ direction, initial=0.0)) + 0.5
    return total


def corners_of(points: np.ndarray, along: np.ndarray, radius: float) -> list[int]:
    """Two bends closer than the whisker is wide are one; one at its end, or a slight one, is none."""
    left = _bends(points, radius)
    while left:
        ends = [0, *left, points.shape[0] - 1]
        gaps = np.diff(along[ends])
        number = int(np.argmin(gaps))
        if gaps[number] < 1.6 * radius and 0 < number < gaps.size - 1:
            left[number - 1 : number + 1] = [(left[number - 1] + left[number]) // 2]
            continue
        if gaps[number] < 0.8 * radius:
            left.pop(0 if number == 0 else -1)
            continue
        parts = parts_of(points, along, left, radius)
        turns = [abs(_turn(one, other)) for one, other in pairwise(parts)]
        slightest = int(np.argmin(turns))
        if turns[slightest] > KINK_LEAST_DEG:
            break
        left.pop(slightest)
    return left


def _turn(one: Part, other: Part) -> float:
    return (other.angle_deg - one.angle_deg + 180.0) % 360.0 - 180.0


def parts_of(points: np.ndarray, along: np.ndarray, corners: list[int], radius: float) -> list[Part]:
    """Straight lines by least squares, corners themselves left out."""
    ends = [0, *corners, points.shape[0] - 1]
    spared = round(0.8 * radius / _SLICE_PX)
    parts = []
    for first, last in pairwise(ends):
        low = first + (spared if first else 0)
        high = last - (spared if last < points.shape[0] - 1 else 0)
        if high - low < 3:
            low, high = first, last
        inside = points[low : high + 1]
        centred = inside - inside.mean(axis=0)
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
        direction = directions[0] * np.sign(directions[0] @ (inside[-1] - inside[0]) or 1.0)
        scatter = singular[1] / np.sqrt(max(inside.shape[0] - 2, 1))
        # Neighbouring slices share the outline's unevenness, over some twenty pixels.
        sigma = np.rad2deg(np.sqrt(5.0) * max(scatter, 0.05) / max(float(singular[0]), 1e-9))
        angle = float(np.rad2deg(np.arctan2(-direction[1], direction[0])))
        parts.append(Part(float(along[last] - along[first]), angle, float(sigma), first, last))
    return parts


def kinks_of(
    parts: list[Part], along: np.ndarray, corners: list[int], pixel_nm: float, radius: float
) -> tuple[Kink, ...]:
    kinks = []
    for one, other, corner in zip(parts[:-1], parts[1:], corners):
        stat = float(np.hypot(one.sigma_deg, other.sigma_deg))
        moved = np.rad2deg(CORNER_PART * radius / np.array([one.length, other.length]))
        systematic = float(np.sqrt(np.sum(moved**2)))
        # A distortion turns both parts; how a bend is rounded changes with the noise.
        stat = float(np.hypot(stat, 0.6 * systematic))
        estimate = Estimate(_turn(one, other), stat, systematic)
        kinks.append(Kink(float(along[corner]) * pixel_nm, estimate))
    return tuple(kinks)


def core_of(
    contrast: np.ndarray, noise: float, points: np.ndarray, parts: list[Part], radius: float
) -> tuple[Estimate, float]:
    """Weakening by the core over that by the shell, and the outer radius over the given one.

    Both tubes are fitted to the mean profile across the axis.
    """
    across = np.linspace(-1.25, 1.25, 41)
    rows = []
    for part in parts:
        inside = points[part.first + 2 : part.last - 1]
        if inside.shape[0] < 3:
            continue
        phi = np.deg2rad(part.angle_deg)
        normal = np.array([np.sin(phi), np.cos(phi)])
        at = inside[:, None, :] + radius * across[None, :, None] * normal
        rows.append(ndimage.map_coordinates(contrast, [at[..., 1], at[..., 0]], order=1, mode="nearest"))
    if not rows:
        return UNDETERMINED, 1.0
    profile = np.concatenate(rows)
    mean, count = profile.mean(axis=0), profile.shape[0]
    best: tuple[float, Estimate, float] | None = None
    blur = 1.6 / radius / (across[1] - across[0])
    for outer in _OUTER_PARTS:
        whole = 2 * np.sqrt(np.maximum(outer**2 - across**2, 0.0))
        for thin in _SHELL_PARTS:
            core = 2 * np.sqrt(np.maximum((outer - thin) ** 2 - across**2, 0.0))
            columns = [ndimage.gaussian_filter1d(one, blur) for one in (core, whole - core)]
            design = np.stack([*columns, np.ones(across.size)], axis=1)
            solution, *_ = np.linalg.lstsq(design, mean, rcond=None)
            left = mean - design @ solution
            misfit = float(left @ left)
            if solution[1] <= 0 or (best is not None and misfit >= best[0]):
                continue
            covariance = np.linalg.inv(design.T @ design) * max(
                misfit / (across.size - 5), noise**2 / max(count, 1)
            )
            ratio = solution[0] / solution[1]
            gradient = np.array([1.0, -ratio]) / solution[1]
            sigma = float(np.sqrt(2.0 * gradient @ covariance[:2, :2] @ gradient))
            best = (misfit, Estimate(float(ratio), sigma, _CORE_SIGMA), outer)
    return (UNDETERMINED, 1.0) if best is None else (best[1], best[2])

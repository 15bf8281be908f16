"""Images of lithium at low dose: what grew, where to, with how many kinks, and whether it is hollow.

Features and limits, each with its reason:

aspect
    Area over four times the square of the largest distance to the outline: 0.8 for a disc, length over width
    for a rod. The middle between a rough cluster (up to 2) and a short whisker (4) is the limit.
lithium
    Part of the profile across a rod that a filled core explains, beside that of a shell: a tube has none.
"""

import itertools
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from intercalate.reduction.results import UNDETERMINED, Estimate


class TemError(ValueError):
    """An image or a pattern cannot be used; the message says why."""


class Habit(StrEnum):
    """What grew."""

    WHISKER = "whisker"
    CLUSTER = "cluster"
    UNDETERMINED = "undetermined"


class Filling(StrEnum):
    """What is inside a whisker."""

    FILLED = "filled"
    HOLLOW = "hollow"
    UNDETERMINED = "undetermined"


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


@dataclass(frozen=True)
class Kink:
    """A bend: where along the axis, and by how much (anticlockwise positive)."""

    at_nm: float
    angle_deg: Estimate


@dataclass(frozen=True)
class DepositShape:
    """What an image says of a deposit.

    Attributes
    ----------
    aspect
        By which the habit is told; see above.
    length_nm, width_nm, area_nm2
        Of a whisker its axis and outer diameter; of a cluster the diameter of a disc of its area twice.
    direction_deg
        Of the longest straight part, anticlockwise from the x axis, between 0 and 180; undetermined for
        clusters.
    density
        Area over that of its convex hull: 1 for a dense cluster.
    core
        Weakening by the core over that by the shell, per nm; 0 for a tube.
    mask, axis_px
        Pixels of the deposit, and the corners of its axis (column, row), for figures.
    dose_e_per_a2, rate_e_per_a2_s
        Of the exposure.
    """

    habit: Habit
    aspect: float
    length_nm: Estimate
    width_nm: Estimate
    area_nm2: Estimate
    direction_deg: Estimate
    density: float
    kinks: tuple[Kink, ...]
    filling: Filling
    core: Estimate
    mask: np.ndarray
    axis_px: np.ndarray
    dose_e_per_a2: float
    rate_e_per_a2_s: float


ASPECT_LIMIT = 2.8
KINK_LEAST_DEG = 12.0
"""Below which a bend is not told from an uneven outline."""

_DIRECTION_SIGMA = 0.15
"""Declared, in degrees: axis of the outline against that of growth, and distortion of the image."""
_OUTLINE_SIGMA = 0.04
"""Declared, relative: a width that differs along the whisker, and the blur of its outline."""
_CORNER_PART = 0.05
"""Declared: by how much a bend moves the end of the axis beside it, in radii."""
_DETECTION_SIGMA = 4.0
_SMOOTH_PX = 1.5
_LEAST_PX = 120
_ORDERS = (0, 2, 2, 3, 3, 4, 5, 5)
"""Of the surface that stands for what lies around, step by step; 0 is a constant."""
_STRIDE = 3
_SLICE_PX = 3.0


def deposit_shape(counts: np.ndarray, camera: TemCamera, exposure_s: float = 1.0) -> DepositShape:
    """Say what an image shows of one deposit.

    Parameters
    ----------
    counts
        Shape (rows, columns).

    Raises
    ------
    TemError
        If the image is no image, dark or saturated, or shows no deposit or one that the edge cuts.
    """
    electrons = _electrons(counts, camera)
    contrast, noise = _contrast(electrons, camera)
    mask = _segment(contrast, noise)
    distance = np.asarray(ndimage.distance_transform_edt(mask))
    pixel, area = camera.pixel_nm, float(mask.sum())
    deepest = float(distance.max())
    aspect = area / (4 * deepest**2)
    dose = float(np.median(electrons)) / (10.0 * pixel) ** 2
    # Half a pixel all along the outline.
    rim = float(np.sum(mask & (distance < 1.5)))
    area_estimate = Estimate(
        area * pixel**2,
        0.5 * np.sqrt(rim) * pixel**2,
        area * pixel**2 * np.hypot(2 * camera.pixel_sigma, 0.02),
    )
    common = {
        "aspect": aspect,
        "area_nm2": area_estimate,
        "density": area / _hull_area(mask),
        "mask": mask,
        "dose_e_per_a2": dose,
        "rate_e_per_a2_s": dose / exposure_s,
    }
    if aspect < ASPECT_LIMIT:
        diameter = 2 * np.sqrt(area / np.pi) * pixel
        size = Estimate(diameter, 0.25 * pixel, diameter * camera.pixel_sigma)
        return DepositShape(
            habit=Habit.CLUSTER,
            length_nm=size,
            width_nm=size,
            direction_deg=UNDETERMINED,
            kinks=(),
            filling=Filling.UNDETERMINED,
            core=UNDETERMINED,
            axis_px=np.zeros((0, 2)),
            **common,
        )
    points, along = _axis(mask, distance)
    corners = _true_corners(points, along, _corners(points, deepest), deepest)
    parts = _parts(points, along, corners, deepest)
    longest = max(parts, key=lambda part: part.length)
    turned = np.rad2deg(_CORNER_PART * deepest / longest.length) if corners else 0.0
    bent = float(np.hypot(_DIRECTION_SIGMA, turned))
    core, outer = _core(contrast, noise, points, parts, deepest)
    width = 2 * deepest * outer * pixel
    length = (float(along[-1]) + _beyond(mask, points) - 2 * deepest * (1 - outer)) * pixel
    return DepositShape(
        habit=Habit.WHISKER,
        length_nm=Estimate(length, pixel, length * float(np.hypot(camera.pixel_sigma, 0.01))),
        width_nm=Estimate(width, 0.3 * pixel, width * float(np.hypot(camera.pixel_sigma, _OUTLINE_SIGMA))),
        direction_deg=Estimate(longest.angle_deg % 180.0, longest.sigma_deg, bent),
        kinks=_kinks(parts, along, corners, pixel, deepest),
        filling=_filling(core),
        core=core,
        axis_px=np.array([points[0], *(points[corner] for corner in corners), points[-1]]),
        **common,
    )


def _electrons(counts: np.ndarray, camera: TemCamera) -> np.ndarray:
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


def _contrast(electrons: np.ndarray, camera: TemCamera) -> tuple[np.ndarray, float]:
    """Weakening in units of the mean free path over what lies around, and its noise per smoothed pixel."""
    rows, columns = electrons.shape
    logarithm = -np.log(np.maximum(ndimage.gaussian_filter(electrons, _SMOOTH_PX), 1.0))
    row, column = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    orders = [(i, j) for i in range(max(_ORDERS)) for j in range(max(_ORDERS) - i)]
    terms = np.stack([row**i * column**j for i, j in orders], axis=-1)
    total = np.array([i + j for i, j in orders])
    used = np.ones(logarithm.shape, bool)
    surface = np.full(logarithm.shape, float(np.median(logarithm)))
    spread = 0.0
    # A large deposit would be taken for an uneven illumination by many terms: they come one after another.
    for order in _ORDERS:
        if order:
            thin = np.s_[::_STRIDE, ::_STRIDE]
            chosen = used[thin]
            at = terms[..., total < order]
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


def _segment(contrast: np.ndarray, noise: float) -> np.ndarray:
    """The largest thing that stands out, with its inside."""
    level = max(_DETECTION_SIGMA * noise, 0.3 * float(np.quantile(contrast, 0.995)))
    seen = ndimage.binary_closing(contrast > level, iterations=2)
    filled = np.asarray(ndimage.binary_fill_holes(seen))
    filled = ndimage.binary_opening(filled, iterations=2)
    labels, count = _labelled(filled)
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
    return mask


def _labelled(seen: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers of connected pixels, and how many there are."""
    labels = np.empty(seen.shape, np.int32)
    ndimage.label(seen, output=labels)
    return labels, int(labels.max())


def _hull_area(mask: np.ndarray) -> float:
    """Of the convex hull in pixels, by widths in many directions (support function)."""
    rows, columns = np.nonzero(mask ^ ndimage.binary_erosion(mask))
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    support = np.max(np.outer(np.cos(angles), columns) + np.outer(np.sin(angles), rows), axis=1) + 0.5
    slope = np.gradient(np.concatenate([support[-1:], support, support[:1]]), angles[1])[1:-1]
    return float(max(0.5 * np.sum(support**2 - slope**2) * angles[1], mask.sum()))


def _axis(mask: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
class _Part:
    """A straight part of the axis."""

    length: float
    angle_deg: float
    sigma_deg: float
    first: int
    last: int


def _corners(points: np.ndarray, radius: float) -> list[int]:
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


def _beyond(mask: np.ndarray, points: np.ndarray) -> float:
    """How far the deposit reaches beyond both ends of the axis, in pixels."""
    rows, columns = np.nonzero(mask)
    total = 0.0
    for end, before in ((points[0], points[4]), (points[-1], points[-5])):
        direction = (end - before) / max(float(np.hypot(*(end - before))), 1e-9)
        away = np.stack([columns - end[0], rows - end[1]], axis=1)
        near = np.hypot(*away.T) < 60.0
        total += float(np.max(away[near] @ direction, initial=0.0)) + 0.5
    return total


def _true_corners(points: np.ndarray, along: np.ndarray, corners: list[int], radius: float) -> list[int]:
    """Two bends closer than the whisker is wide are one; one at its end, or a slight one, is none."""
    left = list(corners)
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
        parts = _parts(points, along, left, radius)
        turns = [abs(_turn(one, other)) for one, other in itertools.pairwise(parts)]
        slightest = int(np.argmin(turns))
        if turns[slightest] > KINK_LEAST_DEG:
            break
        left.pop(slightest)
    return left


def _turn(one: "_Part", other: "_Part") -> float:
    return (other.angle_deg - one.angle_deg + 180.0) % 360.0 - 180.0


def _parts(points: np.ndarray, along: np.ndarray, corners: list[int], radius: float) -> list[_Part]:
    """Straight lines by least squares, corners themselves left out."""
    ends = [0, *corners, points.shape[0] - 1]
    spared = round(0.8 * radius / _SLICE_PX)
    parts = []
    for first, last in itertools.pairwise(ends):
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
        sigma = np.rad2deg(np.sqrt(6.0) * max(scatter, 0.05) / max(float(singular[0]), 1e-9))
        angle = float(np.rad2deg(np.arctan2(-direction[1], direction[0])))
        parts.append(_Part(float(along[last] - along[first]), angle, float(sigma), first, last))
    return parts


def _kinks(
    parts: list[_Part], along: np.ndarray, corners: list[int], pixel_nm: float, radius: float
) -> tuple[Kink, ...]:
    kinks = []
    for one, other, corner in zip(parts[:-1], parts[1:], corners):
        stat = float(np.hypot(one.sigma_deg, other.sigma_deg))
        moved = np.rad2deg(_CORNER_PART * radius / np.array([one.length, other.length]))
        systematic = float(np.sqrt(np.sum(moved**2)))
        # A distortion turns both parts; how a bend is rounded changes with the noise.
        stat = float(np.hypot(stat, 0.6 * systematic))
        estimate = Estimate(_turn(one, other), stat, systematic)
        kinks.append(Kink(float(along[corner]) * pixel_nm, estimate))
    return tuple(kinks)


_CORE_LIMIT = 0.1
"""Between a tube, 0, and lithium in vacuum, about 0.25 of what surrounds it weakens."""
_CORE_SIGMA = 0.03
_OUTER_PARTS = (0.82, 0.86, 0.9, 0.94, 0.98, 1.02)
_SHELL_PARTS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)


def _core(
    contrast: np.ndarray, noise: float, points: np.ndarray, parts: list[_Part], radius: float
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


def _filling(core: Estimate) -> Filling:
    if not np.isfinite(core.value) or core.sigma > 0.5:
        return Filling.UNDETERMINED
    return Filling.FILLED if abs(core.value) > _CORE_LIMIT else Filling.HOLLOW

"""Diffraction patterns: camera length by gold, crystalline or amorphous, and the axis of growth."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, product

import numpy as np
from scipy import ndimage

from intercalate.materials.tables import METALS
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.tem.outline import TemError

LITHIUM_ANGSTROM = next(metal.a_angstrom for metal in METALS if metal.element == "Li")
GOLD_ANGSTROM = 4.0782
"""Lattice parameter of gold, 25 degC (JCPDS 4-784; recalled)."""
GOLD_SQUARES = (3, 4, 8, 11)
"""h2 + k2 + l2 of the rings that are used."""

GROWTH_AXES: Mapping[str, tuple[int, int, int]] = {"111": (1, 1, 1), "110": (1, 1, 0), "211": (2, 1, 1)}
_SQUARES = (2, 4, 6, 8)
"""Of the families of lithium's spots."""

_SPOT_SIGMA = 6.0
_SMOOTH_PX = 1.3
_LEAST_SPOTS = 3
_RADIUS_SIGMA = 0.015
"""Declared, relative: radius of a spot, by its shape and the lens."""
_ROTATION_SIGMA_DEG = 1.0
"""Declared: rotation between image and pattern."""
_SPOT_SIGMA_DEG = 1.0
"""Declared: a spot's azimuth, by tilt of the crystal and shape of the spot."""
_SCALES = np.linspace(0.9, 1.1, 81)
"""Of the camera constant on paper, among which the one is sought on which all rings lie."""
_WITHIN = 0.03
"""Relative: of what is then expected, a ring."""
_LENS_SIGMA = 5e-4
"""Declared, relative, of the camera constant: distortion, and the place of the saturated direct beam."""
_RINGS_AGREE = 0.01
"""Relative scatter of the constants of single rings at most."""
_DECIDED = 9.0
"""By how much chi squared must be better than that of the next axis."""
_MATCHED_CHI2 = 4.0


class Order(StrEnum):
    """What scatters."""

    CRYSTALLINE = "crystalline"
    """Spots of lithium."""
    AMORPHOUS = "amorphous"
    """A halo and no spots."""
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class PatternFinding:
    """What a pattern says.

    Attributes
    ----------
    spots
        Of each: 1/d in 1/A, azimuth in degrees anticlockwise from the x axis, and sigmas above
        what lies around.
    halo
        1/d of the maximum of the halo in 1/A; undetermined where there is none.
    growth_axis
        `111`, `110`, `211`, or None where spots do not decide.
    chi2_by_axis
        Mean squared deviation of the spots' angles to the direction of growth from those that the axis
        allows.
    """

    order: Order
    spots: np.ndarray
    halo: Estimate
    growth_axis: str | None
    chi2_by_axis: Mapping[str, float]


def camera_constant(counts: np.ndarray, on_paper_px_angstrom: float) -> Estimate:
    """Radius times spacing in px A, by the rings of gold.

    Parameters
    ----------
    counts
        Pattern of gold, shape (rows, columns).
    on_paper_px_angstrom
        Right within 10 %.

    Raises
    ------
    TemError
        If fewer than three rings are found.
    """
    pattern = _pattern(counts)
    row, column = beam_centre(pattern)
    profile, variance = _radial(pattern, row, column)
    found: list[float] = []
    sigmas: list[float] = []
    near = _nearest_scale(profile, variance, on_paper_px_angstrom)
    for squares in GOLD_SQUARES:
        spacing = GOLD_ANGSTROM / np.sqrt(squares)
        place = _ring(profile, variance, near / spacing, _WITHIN)
        if place is None:
            continue
        found.append(place[0] * spacing)
        sigmas.append(place[1] * spacing)
    if len(found) < 3:
        raise TemError(
            f"{len(found)} rings of gold are found near {on_paper_px_angstrom:g} px A, 3 are needed; "
            "is it gold, and the camera length right?"
        )
    if np.std(found) > _RINGS_AGREE * np.mean(found):
        named = ", ".join(f"{one:.1f}" for one in found)
        raise TemError(
            f"rings give camera constants of {named} px A, which do not agree: they are not of gold"
        )
    weights = 1 / np.array(sigmas) ** 2
    mean = float(weights @ found / weights.sum())
    stat = float(1 / np.sqrt(weights.sum()))
    scatter = float(np.std(found, ddof=1) / np.sqrt(len(found)))
    return Estimate(mean, stat, float(np.hypot(scatter, _LENS_SIGMA * mean)))


def _nearest_scale(profile: np.ndarray, variance: np.ndarray, on_paper_px_angstrom: float) -> float:
    """Camera constant on which all rings together lie; one ring alone may be taken for its neighbour."""
    radius = np.arange(profile.size)
    above = (profile - ndimage.gaussian_filter1d(profile, 4.0)) / np.sqrt(variance)
    # One strong ring must not outweigh that all are there.
    above = np.arcsinh(ndimage.gaussian_filter1d(above, 1.0))
    rings = np.sqrt(GOLD_SQUARES) / GOLD_ANGSTROM
    at = on_paper_px_angstrom * np.outer(_SCALES, rings)
    score = np.interp(at, radius, above, right=0.0).sum(axis=1)
    return on_paper_px_angstrom * float(_SCALES[int(np.argmax(score))])


def _ring(
    profile: np.ndarray, variance: np.ndarray, expected: float, within: float
) -> tuple[float, float] | None:
    """Radius of a ring and its error in px; None where there is none near."""
    radius = np.arange(profile.size)
    inside = np.flatnonzero(np.abs(radius - expected) < within * expected + 1.5)
    if inside.size < 6 or inside[-1] >= profile.size - 3:
        return None
    ends = inside[[0, 1, -2, -1]]
    above = profile[inside] - np.polyval(np.polyfit(ends, profile[ends], 1), inside)
    top = int(np.argmax(above))
    near = slice(max(top - 3, 0), top + 4)
    weight = np.maximum(above[near], 0.0)
    if weight.sum() <= 5 * float(np.sqrt(variance[inside][near].sum())):
        return None
    centre = float(weight @ inside[near] / weight.sum())
    spread = np.sqrt(np.sum(variance[inside][near] * (inside[near] - centre) ** 2)) / weight.sum()
    return centre, max(float(spread), 0.01)


def pattern_finding(
    counts: np.ndarray, camera: Estimate, growth_deg: Estimate = UNDETERMINED
) -> PatternFinding:
    """Say whether lithium is crystalline, and along which axis it grew.

    The angle between a spot and the direction in which the whisker grows in the image is that between its
    plane's normal and the growth axis, which for each family takes a few values for each axis.

    Parameters
    ----------
    camera
        Camera constant in px A.
    growth_deg
        Direction of the whisker in the image, turned into the pattern; undetermined: no axis is sought.

    Raises
    ------
    TemError
        If the pattern is none, or has no direct beam.
    """
    pattern = _pattern(counts)
    row, column = beam_centre(pattern)
    profile, variance = _radial(pattern, row, column)
    spots = _spots(pattern, row, column, profile, variance, camera)
    halo = _halo(profile, variance, camera)
    order = Order.UNDETERMINED
    if spots.shape[0] >= _LEAST_SPOTS:
        order = Order.CRYSTALLINE
    elif np.isfinite(halo.value) and spots.shape[0] == 0:
        order = Order.AMORPHOUS
    chi2: dict[str, float] = {}
    axis = None
    if order is Order.CRYSTALLINE and np.isfinite(growth_deg.value):
        chi2, total = _axes(spots, camera, growth_deg)
        axis = _decided(chi2, total)
    return PatternFinding(order, spots, halo, axis, chi2)


def _pattern(counts: np.ndarray) -> np.ndarray:
    if counts.ndim != 2 or min(counts.shape) < 64:
        raise TemError(f"a pattern of shape {counts.shape} is too small or none; 64 x 64 pixels are needed")
    values = np.asarray(counts, float)
    if not np.isfinite(values).all():
        raise TemError(f"{int(np.sum(~np.isfinite(values)))} pixels hold no number")
    return values


def beam_centre(pattern: np.ndarray) -> tuple[float, float]:
    """Row and column of the direct beam; it may be saturated.

    Raises
    ------
    TemError
        If nothing stands out near the middle.
    """
    rows, columns = pattern.shape
    middle = np.zeros(pattern.shape, bool)
    middle[
        rows // 2 - rows // 8 : rows // 2 + rows // 8,
        columns // 2 - columns // 8 : columns // 2 + columns // 8,
    ] = 1
    level, low = float(pattern[middle].max()), float(np.median(pattern[middle]))
    if level < 3 * low + 100.0:
        raise TemError(f"no direct beam in the middle: at most {level:.0f} counts over {low:.0f}")
    bright = middle & (pattern > low + 0.5 * (level - low))
    weight = np.where(bright, 1.0, 0.0)
    rows_lit, columns_lit = np.nonzero(weight)
    return float(rows_lit.mean()), float(columns_lit.mean())


def _radial(pattern: np.ndarray, row: float, column: float) -> tuple[np.ndarray, np.ndarray]:
    """Median over rings of one pixel, which spots do not move, and the variance of each."""
    at_row, at_column = np.indices(pattern.shape)
    ring = np.rint(np.hypot(at_row - row, at_column - column)).astype(int)
    last = int(min(row, column, pattern.shape[0] - 1 - row, pattern.shape[1] - 1 - column))
    order = np.argsort(ring, axis=None, kind="stable")
    borders = np.searchsorted(ring.ravel()[order], np.arange(last + 2))
    values = pattern.ravel()[order]
    groups = [values[first:end] for first, end in pairwise(borders)]
    # The innermost ring may hold no pixel, where the beam lies between four.
    groups = [one if one.size else groups[number + 1] for number, one in enumerate(groups)]
    profile = np.array([np.median(one) for one in groups])
    spread = np.array([np.median(np.abs(one - np.median(one))) * 1.4826 for one in groups])
    return profile, np.maximum(spread, 1.0) ** 2 * 1.57 / np.array([one.size for one in groups])


def _spots(
    pattern: np.ndarray,
    row: float,
    column: float,
    profile: np.ndarray,
    variance: np.ndarray,
    camera: Estimate,
) -> np.ndarray:
    """Local maxima over what lies around them, on the radii of lithium's families; shape (spots, 3)."""
    at_row, at_column = np.mgrid[: pattern.shape[0], : pattern.shape[1]]
    radius = np.hypot(at_row - row, at_column - column)
    around = np.interp(radius, np.arange(profile.size), profile)
    smooth = ndimage.gaussian_filter(pattern - around, _SMOOTH_PX)
    rings = np.arange(profile.size)
    pixel = np.sqrt(variance * np.maximum(2 * np.pi * rings, 1.0) / 1.57)
    noise = np.interp(radius, rings, pixel) / (2 * np.sqrt(np.pi) * _SMOOTH_PX)
    sigmas = smooth / np.maximum(noise, 1e-6)
    peak = (smooth == ndimage.maximum_filter(smooth, 9)) & (sigmas > _SPOT_SIGMA)
    found = []
    for place in np.argwhere(peak):
        at = (int(place[0]), int(place[1]))
        distance = radius[at]
        if distance < 12 or min(*at, *(np.array(pattern.shape) - 1 - at)) < 4:
            continue
        box = np.s_[at[0] - 3 : at[0] + 4, at[1] - 3 : at[1] + 4]
        weight = np.maximum((pattern - around)[box], 0.0)
        centre_row = float(np.sum(weight * at_row[box]) / weight.sum()) - row
        centre_column = float(np.sum(weight * at_column[box]) / weight.sum()) - column
        inverse = float(np.hypot(centre_row, centre_column)) / camera.value
        families = np.sqrt(_SQUARES) / LITHIUM_ANGSTROM
        if np.min(np.abs(inverse / families - 1)) > 3 * _RADIUS_SIGMA:
            continue
        azimuth = float(np.rad2deg(np.arctan2(-centre_row, centre_column)))
        found.append((inverse, azimuth, float(sigmas[at])))
    return np.array(found).reshape(-1, 3)


def _halo(profile: np.ndarray, variance: np.ndarray, camera: Estimate) -> Estimate:
    """Maximum of a broad ring between 1/4 and 1/2 1/A over a smooth course, by lithium's first line."""
    radius = np.arange(profile.size)
    inside = (radius > 0.36 * camera.value) & (radius < 0.46 * camera.value)
    wings = ((radius > 0.2 * camera.value) & (radius < 0.24 * camera.value)) | (
        (radius > 0.54 * camera.value) & (radius < 0.7 * camera.value)
    )
    if inside.sum() < 4 or wings.sum() < 6:
        return UNDETERMINED
    course = np.interp(radius[inside], radius[wings], profile[wings])
    above = profile[inside] - course
    noise = float(np.sqrt(variance[inside].sum() + variance[wings].mean() * inside.sum()))
    if above.sum() < 10 * noise or above.mean() < 0.15 * course.mean():
        return UNDETERMINED
    weight = np.maximum(above, 0.0)
    centre = float(weight @ radius[inside] / weight.sum())
    return Estimate(
        centre / camera.value, noise / above.sum() * 5.0 / camera.value, 0.02 * centre / camera.value
    )


def _allowed(family: int, axis: tuple[int, int, int]) -> np.ndarray:
    """Angles between normals of a family of planes and an axis, in degrees, up to 90."""
    direction = np.array(axis) / np.linalg.norm(axis)
    limit = int(np.sqrt(family)) + 1
    planes = [
        plane
        for plane in product(range(-limit, limit + 1), repeat=3)
        if sum(index**2 for index in plane) == family and sum(plane) % 2 == 0
    ]
    cosines = np.abs(np.array(planes) @ direction) / np.sqrt(family)
    return np.unique(np.round(np.rad2deg(np.arccos(np.clip(cosines, 0.0, 1.0))), 6))


def _axes(
    spots: np.ndarray, camera: Estimate, growth_deg: Estimate
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and total squared deviation of the angles for each axis."""
    families = np.sqrt(_SQUARES) / LITHIUM_ANGSTROM
    sigma = float(np.hypot(np.hypot(growth_deg.sigma, _ROTATION_SIGMA_DEG), _SPOT_SIGMA_DEG))
    mean, total = {}, {}
    for name, axis in GROWTH_AXES.items():
        off = []
        for inverse, azimuth, _ in spots:
            family = _SQUARES[int(np.argmin(np.abs(inverse / families - 1)))]
            angle = abs((azimuth - growth_deg.value + 90.0) % 180.0 - 90.0)
            off.append(float(np.min(np.abs(_allowed(family, axis) - angle))) / sigma)
        mean[name] = float(np.mean(np.square(off)))
        # Both spots of a pair say the same.
        total[name] = float(np.sum(np.square(off))) / 2
    return mean, total


def _decided(mean: Mapping[str, float], total: Mapping[str, float]) -> str | None:
    best, second = sorted(total, key=lambda name: total[name])[:2]
    fits = mean[best] < _MATCHED_CHI2
    return best if fits and total[second] - total[best] > _DECIDED else None

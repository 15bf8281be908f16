"""Images of lithium at low dose: what grew, where to, with how many kinks, and whether it is hollow.

Features and limits, each with its reason:

aspect
    Area over four times the square of the largest distance to the outline: 0.8 for a disc, length over width
    for a rod. The middle between a rough cluster (up to 2) and a short whisker (4) is the limit.
lithium
    Part of the profile across a rod that a filled core explains, beside that of a shell: a tube has none.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import ndimage

from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.tem.outline import TemCamera, contrast_of, electrons_of, hull_area, segmented
from intercalate.reduction.tem.whiskers import (
    CORNER_PART,
    DIRECTION_SIGMA,
    Kink,
    axis_of,
    beyond,
    core_of,
    corners_of,
    kinks_of,
    parts_of,
)

ASPECT_LIMIT = 2.8
CORE_LIMIT = 0.1
"""Between a tube, 0, and lithium in vacuum, about 0.25 of what surrounds it weakens."""

_OUTLINE_SIGMA = 0.02
"""Declared, relative: a width that differs along the whisker, and the blur of its outline."""


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
    electrons = electrons_of(counts, camera)
    contrast, noise = contrast_of(electrons, camera)
    mask = segmented(contrast, noise)
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
        "density": area / hull_area(mask),
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
    points, along = axis_of(mask, distance)
    corners = corners_of(points, along, deepest)
    parts = parts_of(points, along, corners, deepest)
    longest = max(parts, key=lambda part: part.length)
    turned = np.rad2deg(CORNER_PART * deepest / longest.length) if corners else 0.0
    bent = float(np.hypot(DIRECTION_SIGMA, turned))
    core, outer = core_of(contrast, noise, points, parts, deepest)
    width = 2 * deepest * outer * pixel
    length = (float(along[-1]) + beyond(mask, points) - 2 * deepest * (1 - outer)) * pixel
    return DepositShape(
        habit=Habit.WHISKER,
        length_nm=Estimate(length, pixel, length * float(np.hypot(camera.pixel_sigma, 0.01))),
        width_nm=Estimate(width, 0.5 * pixel, width * float(np.hypot(camera.pixel_sigma, _OUTLINE_SIGMA))),
        direction_deg=Estimate(longest.angle_deg % 180.0, longest.sigma_deg, bent),
        kinks=kinks_of(parts, along, corners, pixel, deepest),
        filling=_filling(core),
        core=core,
        axis_px=np.array([points[0], *(points[corner] for corner in corners), points[-1]]),
        **common,
    )


def _filling(core: Estimate) -> Filling:
    if not np.isfinite(core.value) or core.sigma > 0.5:
        return Filling.UNDETERMINED
    return Filling.FILLED if abs(core.value) > CORE_LIMIT else Filling.HOLLOW

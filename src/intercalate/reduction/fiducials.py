"""Marks on a holder, by which every instrument finds the same place of a sample: discs and where they lie."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import ndimage

from intercalate.reduction.results import Estimate

_ROUND = 0.75
"""Of the area of the smallest upright square around it, a disc fills 0.785; less is no disc."""
_SIZE = (0.6, 1.5)
"""Diameters of what counts as a mark, in parts of the stated one."""
_EDGE = 1.6
"""Ratio of light by which the edge of a mark stands out."""
_ENGRAVED_UM = 2.0
"""Declared, of the place of a mark on its holder."""
MOST_RESIDUAL = 4.0
"""Standard errors by which a mark may lie off the fitted placement."""


class FiducialError(ValueError):
    """No mark was found, or marks do not fit together; the message says why."""


@dataclass(frozen=True)
class Disc:
    """A mark that was found, in um from the middle of an image or scan; + right and down."""

    x_um: Estimate
    y_um: Estimate


def disc_in_image(grey: np.ndarray, pixel_um: float, diameter_um: float, pixel_sigma: float = 0.0) -> Disc:
    """Find a bright disc of about this diameter in an image.

    Parameters
    ----------
    grey
        Shape (rows, columns).
    pixel_sigma
        Relative standard uncertainty of the size of a pixel.

    Raises
    ------
    FiducialError
        If the image shows none, or several.
    """
    values = ndimage.gaussian_filter(np.asarray(grey, float), 1.5)
    low, high = np.percentile(values, [20.0, 99.9])
    if not high - low > 4.0 * float(np.median(np.abs(values - np.median(values)))) + 1.0:
        raise FiducialError("the image is even: no mark stands out; magnify less, or see where the stage is")
    labels, count = cast(tuple[np.ndarray, int], ndimage.label(values > 0.5 * (low + high)))
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[box] == number
        diameter = 2.0 * float(np.sqrt(inside.sum() / np.pi)) * pixel_um / diameter_um
        filled = inside.sum() / inside.size
        is_whole = all(one.start > 0 and one.stop < size for one, size in zip(box, grey.shape))
        if is_whole and _SIZE[0] < diameter < _SIZE[1] and filled > 0.9 * _ROUND:
            found.append(ndimage.center_of_mass(inside, labels=None) + np.array([box[0].start, box[1].start]))
    if len(found) != 1:
        raise FiducialError(
            f"{len(found) or 'no'} discs of {diameter_um:g} um are in the image, of {count} bright places; "
            "one is looked for"
        )
    middle = (np.array(grey.shape) - 1) / 2.0
    row_um, column_um = (found[0] - middle) * pixel_um
    sigma = 0.3 * pixel_um

    def estimate(value: float) -> Estimate:
        return Estimate(float(value), sigma, float(np.hypot(_ENGRAVED_UM, abs(value) * pixel_sigma)))

    return Disc(estimate(column_um), estimate(row_um))


def brightest(x_um: np.ndarray, y_um: np.ndarray, light: np.ndarray) -> tuple[float, float]:
    """About where a mark is, by a scan whose points are not much closer than it is wide.

    Parameters
    ----------
    x_um, y_um, light
        Places in the order of the scan, and reflected over incident light there; shape (n,). A focus that
        drifts changes all of it slowly.

    Raises
    ------
    FiducialError
        If no place reflects more than those before and after it.
    """
    over = np.asarray(light, float) / np.maximum(ndimage.median_filter(light, 9, mode="nearest"), 1e-12)
    bright = over > _EDGE
    if not bright.any():
        raise FiducialError("no place of the scan reflects more than others: there is no mark; scan wider")
    return float(x_um[bright].mean()), float(y_um[bright].mean())


def middle_of_chord(along_um: np.ndarray, light: np.ndarray, diameter_um: float) -> Estimate:
    """Where the middle of a disc lies along a line over it, by the two edges at which it begins to reflect.

    Parameters
    ----------
    along_um, light
        Places, ascending, and reflected over incident light there; shape (n,).

    Raises
    ------
    FiducialError
        If there are no two edges, as far apart as those of such a disc can be.
    """
    steps = np.diff(np.log(np.maximum(light, 1e-12)))
    rises, falls = int(np.argmax(steps)), int(np.argmin(steps))
    if steps[rises] < np.log(_EDGE) or steps[falls] > -np.log(_EDGE) or rises >= falls:
        raise FiducialError("the line crosses no mark: nothing of it reflects more than what lies around")
    edges_um = [0.5 * float(along_um[one] + along_um[one + 1]) for one in (rises, falls)]
    length_um, step_um = edges_um[1] - edges_um[0], float(np.median(np.diff(along_um)))
    if not 0.4 * diameter_um < length_um < diameter_um + 2.0 * step_um:
        raise FiducialError(
            f"what reflects is {length_um:.0f} um long, a mark {diameter_um:g} um; is it something else?"
        )
    # An edge lies anywhere between two points.
    return Estimate(0.5 * sum(edges_um), step_um / np.sqrt(24.0), _ENGRAVED_UM)


@dataclass(frozen=True)
class Placement:
    """How a holder lies: stage = centre + rotation of what is a place on the sample.

    Attributes
    ----------
    x_mm, y_mm
        Stage position of the middle of the holder.
    rotation_deg
        Of the sample's axes against those of the stage, anticlockwise.
    residual_um
        Root mean square distance of the marks from where the placement has them.
    """

    x_mm: Estimate
    y_mm: Estimate
    rotation_deg: Estimate
    residual_um: float


def placement(marks_mm: np.ndarray, found_mm: np.ndarray, sigma_mm: np.ndarray) -> Placement:
    """Fit shift and rotation to marks.

    Parameters
    ----------
    marks_mm, found_mm
        Where they are on the holder, and on the stage; shape (n, 2), three of them at least.
    sigma_mm
        Standard error of each found place, shape (n,).

    Raises
    ------
    FiducialError
        If there are fewer than three, or one lies where a stiff holder cannot have it.
    """
    marks, found = np.asarray(marks_mm, float), np.asarray(found_mm, float)
    if marks.shape != found.shape or marks.ndim != 2 or len(marks) < 3:
        raise FiducialError(f"{len(found)} marks were found; three are needed, to check each other")
    weight = 1.0 / np.asarray(sigma_mm, float) ** 2
    own, there = (np.average(one, axis=0, weights=weight) for one in (marks, found))
    p, q = marks - own, found - there
    along = float(np.sum(weight * np.sum(p * q, axis=1)))
    across = float(np.sum(weight * (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])))
    angle = float(np.arctan2(across, along))
    turn = turning(np.degrees(angle))
    centre = there - turn @ own
    left = found - (centre + marks @ turn.T)
    worst = int(np.argmax(np.hypot(*left.T) / sigma_mm))
    off_mm = float(np.hypot(*left[worst]))
    if off_mm > MOST_RESIDUAL * sigma_mm[worst]:
        raise FiducialError(
            f"mark {worst + 1} lies {1000 * off_mm:.0f} um from where the others have it, more than "
            f"{1000 * MOST_RESIDUAL * sigma_mm[worst]:.0f} um: it is another mark, or the holder is bent"
        )
    inertia = float(np.sum(weight * np.sum(p**2, axis=1)))
    mean = 1.0 / float(weight.sum())
    turned = 1.0 / inertia
    # The middle of the holder is away from that of its marks.
    x_sigma, y_sigma = (float(np.sqrt(mean + turned * away**2)) for away in (own[1], own[0]))
    residual = float(np.sqrt(np.mean(np.sum(left**2, axis=1))))
    return Placement(
        Estimate(float(centre[0]), x_sigma, 0.0),
        Estimate(float(centre[1]), y_sigma, 0.0),
        Estimate(float(np.degrees(angle)), float(np.degrees(np.sqrt(turned))), 0.0),
        1000.0 * residual,
    )


def turning(rotation_deg: float) -> np.ndarray:
    """Matrix of a rotation, anticlockwise; shape (2, 2)."""
    cosine, sine = np.cos(np.radians(rotation_deg)), np.sin(np.radians(rotation_deg))
    return np.array([[cosine, -sine], [sine, cosine]])

"""Thickness of the layers of a cell while charge passes, and isles that come with it (S40)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.reduction.micrographs.claims import ImageClaim, ImageFinding, Observation
from intercalate.reduction.micrographs.image import MicrographError
from intercalate.reduction.results import Estimate

LITHIUM_UM_PER_MAH_CM2 = 4.85
"""Of dense lithium: Faraday's law and 0.534 g/cm3 (computed)."""

_LEAST_VISITS = 4


@dataclass(frozen=True)
class LayerCourse:
    """A layer over the visits.

    Attributes
    ----------
    thickness_um
        One for each visit.
    """

    name: str
    thickness_um: Sequence[Estimate]


def slope(x: np.ndarray, course: Sequence[Estimate]) -> Estimate:
    """Weighted slope of values with errors; what all share, such as the scale, is a factor on the slope.

    `sigma_sys` of the values is taken as a common factor (a scale) and so adds to the slope in proportion
    only. The statistical error is the larger of what the errors and what the scatter about the line tell.
    """
    y = np.array([one.value for one in course])
    stat = np.array([max(one.sigma_stat, 1e-12) for one in course])
    known = np.isfinite(y) & np.isfinite(stat) & np.isfinite(x)
    if known.sum() < _LEAST_VISITS or np.ptp(x[known]) <= 0:
        raise MicrographError(
            f"{int(known.sum())} visits with a thickness, {_LEAST_VISITS} at different charges are needed"
        )
    x, y, stat = x[known], y[known], stat[known]
    weight = 1.0 / stat**2
    middle = np.average(x, weights=weight)
    centred = x - middle
    denominator = float(np.sum(weight * centred**2))
    value = float(np.sum(weight * centred * y)) / denominator
    left = y - np.average(y, weights=weight) - value * centred
    chi2 = float(np.sum(weight * left**2)) / (x.size - 2)
    shares = [one.sigma_sys / abs(one.value) for one in course if np.isfinite(one.value) and one.value]
    common = float(np.median(shares)) if shares else 0.0
    return Estimate(value, float(np.sqrt(max(chi2, 1.0) / denominator)), abs(value) * common)


def layers_against_charge(
    plated_mah_cm2: np.ndarray,
    layers: Mapping[str, LayerCourse],
    lithium: str,
    isles: Sequence[Estimate],
) -> ImageFinding:
    """Judge whether the lithium layer follows the charge, and whether isles become more.

    Parameters
    ----------
    plated_mah_cm2
        Charge that has brought lithium to the negative electrode, by visit.
    layers
        By name; `lithium` names that of lithium.
    isles
        Number of isles per mm or mm2, by visit.

    Raises
    ------
    MicrographError
        If a layer is missing or visits are too few.
    """
    if lithium not in layers:
        raise MicrographError(f"no layer {lithium!r}; there are {', '.join(layers)}")
    charge = np.asarray(plated_mah_cm2, dtype=float)
    for name, course in layers.items():
        if len(course.thickness_um) != charge.size:
            raise MicrographError(
                f"{len(course.thickness_um)} thicknesses of {name} at {charge.size} visits; give one for each"
            )
    slopes = {name: slope(charge, course.thickness_um) for name, course in layers.items()}
    more = (
        slope(np.arange(len(isles), dtype=float), isles)
        if len(isles) >= _LEAST_VISITS
        else Estimate(0.0, 1.0, 0.0)
    )
    own = slopes[lithium]
    observations = [
        Observation(f"slope_{name}", f"{name} by charge", one, "um cm2/mAh") for name, one in slopes.items()
    ]
    observations += [
        Observation("density", "dense lithium by what was seen", _density(own), ""),
        Observation("isles_per_visit", "isles that come from visit to visit", more, ""),
    ]
    claims = [
        ImageClaim.exceeds("the lithium layer grows with the charge and shrinks without it", own),
        ImageClaim.exceeds("isles become more", more),
    ]
    return ImageFinding(
        f"the lithium layer gains {own.value:.2f} um per mAh/cm2 (dense lithium: "
        f"{LITHIUM_UM_PER_MAH_CM2:g}); isles change by "
        f"{more.value:.2g} a visit",
        observations,
        claims,
    )


def _density(own: Estimate) -> Estimate:
    """Of the deposit by that of lithium: below 1 where it is porous."""
    if not own.value > 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    value = LITHIUM_UM_PER_MAH_CM2 / own.value
    return Estimate(value, value * own.sigma_stat / own.value, value * own.sigma_sys / own.value)

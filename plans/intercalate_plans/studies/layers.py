"""Whether the layers of a cut follow the charge, and whether isles stand on the lithium."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.micrographs import LayerCourse, MicrographError
from intercalate.reduction.micrographs.layers import slope
from intercalate.reduction.results import Estimate
from intercalate.views.layers import layers_figure
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity

LITHIUM, WORKING = "Li", "LFP"
LEAST_IMAGES = 8
CUT_SIGMA = 0.02
"""Relative, of every thickness of a cut: its angle, and the side to which its faces were smeared."""


def analyse(records: xr.Dataset, frames: xr.Dataset, published: Mapping[str, Published]) -> Finding:
    """Compare the thickness of each layer with the charge, and bodies on the lithium at its ends.

    Parameters
    ----------
    frames
        Micrographs of a section, aligned and reduced.
    published
        `um_per_mah_cm2`: what Faraday's law gives for lithium.
    """
    charge = np.asarray(frames["charge_mah_cm2"], float)
    courses = _courses(frames)
    try:
        slopes = {name: slope(charge, course.thickness_um) for name, course in courses.items()}
    except MicrographError as error:
        return Finding(f"No course of layers: {error}.", [], [Claim.undetermined("layers are seen")])
    missing = {LITHIUM, WORKING} - slopes.keys()
    if missing or np.isfinite(charge).sum() < LEAST_IMAGES:
        text = f"Too few images show {', '.join(sorted(missing)) or 'the layers'}."
        return Finding(text, [], [Claim.undetermined("layers are seen")])
    quantities = [
        Quantity(
            f"slope_{name}",
            f"{name} gains",
            one.value,
            float(np.hypot(one.sigma, CUT_SIGMA * one.value)),
            "um cm2/mAh",
        )
        for name, one in slopes.items()
    ]
    by_name = {one.name: one for one in quantities}
    lithium, working = by_name[f"slope_{LITHIUM}"], by_name[f"slope_{WORKING}"]
    grown = _grown(frames, charge)
    quantities.append(Quantity("isle", "tallest isle that has come", grown.value, grown.sigma, "um"))
    claims = [
        Claim.exceeds("the lithium gains with the charge", lithium.value, lithium.sigma),
        Claim.agrees("as much as Faraday's law says", lithium, published["um_per_mah_cm2"]),
        Claim.exceeds("the coating loses meanwhile", -working.value, working.sigma),
        Claim.exceeds("isles stand on the lithium that did not at first", grown.value, grown.sigma),
    ]
    return Finding(
        f"For each mAh/cm2 the lithium gains {lithium.value:.2f} um and the coating {working.value:.2f} um; "
        f"an isle of {grown.value:.1f} um has come.",
        quantities,
        claims,
    )


def _courses(frames: xr.Dataset) -> dict[str, LayerCourse]:
    names = [
        str(one).removeprefix("thickness_um.")
        for one in frames
        if str(one).startswith("thickness_um.") and "_sigma" not in str(one)
    ]
    return {name: LayerCourse(name, _estimates(frames, f"thickness_um.{name}")) for name in names}


def _estimates(frames: xr.Dataset, name: str) -> list[Estimate]:
    columns = (np.asarray(frames[f"{name}{end}"], float) for end in ("", "_sigma_stat", "_sigma_sys"))
    return [Estimate(*(float(one) for one in row)) for row in zip(*columns)]


def _grown(frames: xr.Dataset, charge: np.ndarray) -> Estimate:
    """By how much the tallest body is taller at most charge than at least; means of a fifth of the images."""
    if "body_um" not in frames:
        return Estimate(float("nan"), float("nan"), float("nan"))
    bodies = np.asarray(frames["body_um"], float)
    known = np.isfinite(charge) & np.isfinite(bodies)
    order = np.flatnonzero(known)[np.argsort(charge[known])]
    part = max(3, order.size // 5)
    least, most = bodies[order[:part]], bodies[order[-part:]]
    scatter = float(np.hypot(least.std(ddof=1), most.std(ddof=1)) / np.sqrt(part))
    face = float(np.nanmedian(frames["body_um_sigma_sys"]))
    return Estimate(float(most.mean() - least.mean()), scatter, face)


def figure(
    records: xr.Dataset, frames: xr.Dataset, finding: Finding, published: Mapping[str, Published], title: str
) -> Figure:
    """Voltage, current, and the change of each layer."""
    return layers_figure(frames, records, title)

"""Whether the layers of a cut follow the charge, and whether isles stand on the lithium."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.micrographs import LayerCourse, MicrographError
from intercalate.reduction.micrographs.layers import slope
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.views.layers import layers_figure
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

LITHIUM, WORKING = "Li", "LFP"
LEAST_IMAGES = 8
CUT_SIGMA = 0.02
"""Relative, of every thickness of a cut: its angle, and the side to which its faces were smeared."""


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare the thickness of each layer with the charge, and bodies on the lithium at its ends.

    Parameters
    ----------
    cells
        One, with micrographs of its section.
    published
        `um_per_mah_cm2`: what Faraday's law gives for lithium.
    """
    _, frames = only(cells)
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
    quantities.append(Quantity("isle", "the tallest isle of a spot gains", grown.value, grown.sigma, "um"))
    claims = [
        Claim.exceeds("the lithium gains with the charge", lithium.value, lithium.sigma),
        Claim.agrees("as much as Faraday's law says", lithium, published["um_per_mah_cm2"]),
        Claim.exceeds("the coating loses meanwhile", -working.value, working.sigma),
        Claim.exceeds("isles come with the charge, and go", grown.value, grown.sigma),
    ]
    return Finding(
        f"For each mAh/cm2 the lithium gains {lithium.value:.2f} um and the coating {working.value:.2f} um; "
        f"the tallest isle gains {grown.value:.1f} um.",
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
    """By how much the tallest body on the lithium grows over the whole charge, mean over the spots."""
    if "body_um" not in frames:
        return UNDETERMINED
    bodies = _estimates(frames, "body_um")
    spots = np.stack([np.asarray(frames[f"spot_{axis}_mm"], float) for axis in "xy"], axis=1)
    found = []
    for spot in np.unique(spots, axis=0):
        here = np.flatnonzero(np.all(spots == spot, axis=1))
        try:
            found.append(slope(charge[here], [bodies[number] for number in here]))
        except MicrographError:
            continue
    if not found:
        return UNDETERMINED
    span = float(np.nanmax(charge) - np.nanmin(charge))
    # A face is off by the same in all images of a spot: its systematic error cancels.
    sigma = float(np.sqrt(np.sum([one.sigma_stat**2 for one in found]))) / len(found)
    return Estimate(float(np.mean([one.value for one in found])) * span, sigma * span, 0.0)


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Voltage, current, and the change of each layer."""
    records, frames = only(cells)
    return layers_figure(frames, records, title)

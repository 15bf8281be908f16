"""Whether the layers of a cut follow the charge, and whether isles stand on the lithium."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.micrographs import MicrographError
from intercalate.reduction.micrographs.layers import slope
from intercalate.reduction.results import Estimate
from intercalate.views.layers import layers_figure
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

LITHIUM, WORKING = "Li", "LFP"
LEAST_IMAGES = 8
CUT_SIGMA = 0.02
"""Relative, of every thickness of a cut: its angle, and the side to which its faces were smeared."""


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare what each layer gains, and what comes of isles on the lithium, with the charge.

    Parameters
    ----------
    cells
        One, with micrographs of its section.
    published
        `um_per_mah_cm2`: what Faraday's law gives for lithium, in its layer and in isles.
    """
    _, frames = only(cells)
    charge = np.asarray(frames["charge_mah_cm2"], float)
    names = [str(one).removeprefix("gained_um.") for one in frames if str(one).startswith("gained_um.")]
    names = [name for name in names if "_sigma" not in name]
    found = {name: _by_charge(frames, charge, f"gained_um.{name}") for name in names}
    slopes = {name: _mean(each) for name, each in found.items() if each}
    of_isles = _by_charge(frames, charge, f"bodies_um.{LITHIUM}")
    missing = {LITHIUM, WORKING} - slopes.keys()
    if missing or not of_isles or np.isfinite(charge).sum() < LEAST_IMAGES:
        text = f"Too few images show {', '.join(sorted(missing)) or 'the layers'}."
        return Finding(text, [], [Claim.undetermined("layers are seen")])
    (lithium, lithium_sigma), (working, working_sigma) = slopes[LITHIUM], slopes[WORKING]
    isles, isles_sigma = _mean(of_isles)
    # Faraday's law is one of the whole face, of which few spots were seen: isles there may be more, or fewer.
    spread = np.std([one.value for one in of_isles], ddof=1) if len(of_isles) > 1 else isles
    together_sigma = float(np.hypot(lithium_sigma, spread / np.sqrt(len(of_isles))))
    unit = "um cm2/mAh"
    together = Quantity("with_isles", "lithium gains with its isles", lithium + isles, together_sigma, unit)
    quantities = [
        *(Quantity(f"slope_{name}", f"{name} gains", *one, unit) for name, one in slopes.items()),
        Quantity("isles", "isles gain, as a layer", isles, isles_sigma, unit),
        together,
    ]
    claims = [
        Claim.exceeds("the lithium gains with the charge", lithium, lithium_sigma),
        Claim.agrees("as much as Faraday's law says", together, published["um_per_mah_cm2"]),
        Claim.exceeds("the coating loses meanwhile", -working, working_sigma),
        Claim.exceeds("isles come with the charge, and go", isles, isles_sigma),
    ]
    return Finding(
        f"For each mAh/cm2 the lithium gains {lithium:.2f} um, its isles as much as {isles:.2f} "
        f"um more, and the coating {working:.2f} um.",
        quantities,
        claims,
    )


def _estimates(frames: xr.Dataset, name: str) -> list[Estimate]:
    columns = (np.asarray(frames[f"{name}{end}"], float) for end in ("", "_sigma_stat", "_sigma_sys"))
    return [Estimate(*(float(one) for one in row)) for row in zip(*columns)]


def _by_charge(frames: xr.Dataset, charge: np.ndarray, name: str) -> list[Estimate]:
    """Slope of each spot that was seen often enough, against its own first image."""
    if name not in frames:
        return []
    values = _estimates(frames, name)
    spots = np.stack([np.asarray(frames[f"spot_{axis}_mm"], float) for axis in "xy"], axis=1)
    found = []
    for spot in np.unique(spots, axis=0):
        here = np.flatnonzero(np.all(spots == spot, axis=1))
        try:
            found.append(slope(charge[here], [values[number] for number in here]))
        except MicrographError:
            continue
    return found


def _mean(slopes: Sequence[Estimate]) -> tuple[float, float]:
    """Over the spots, and its standard error; scale and cut are common to them."""
    value = float(np.mean([one.value for one in slopes]))
    stat = float(np.sqrt(np.sum([one.sigma_stat**2 for one in slopes]))) / len(slopes)
    return value, float(
        np.sqrt(stat**2 + max(one.sigma_sys for one in slopes) ** 2 + (CUT_SIGMA * value) ** 2)
    )


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Voltage, current, and the change of each layer."""
    records, frames = only(cells)
    return layers_figure(frames, records, title)

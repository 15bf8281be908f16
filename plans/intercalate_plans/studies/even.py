"""Whether an electrode is intercalated evenly, by maps of its lithium content."""

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from intercalate.reduction.raman import (
    Inhomogeneity,
    MapError,
    MapMean,
    Regime,
    inhomogeneity,
    map_mean,
    maps_of,
)
from intercalate.views.optical import show_picture
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, MeasuredCell, only

CONTENT = "graphite.x"
SIGMA, SIGMA_SYS = f"{CONTENT}_sigma_stat", f"{CONTENT}_sigma_sys"
COUNTS = "counts"
"""Whether a point says how much lithium the cell that is held has there."""
SCALE_SIGMA = 0.15
"""Relative, of differences of the lithium content: as that of the constant between bands and stage."""
MOST_UNKNOWN = 0.2
"""Share of the points of a map that may say nothing of how much lithium there is."""
CHARGE_SIGMAS, CHARGE_AH = 3.0, 1e-9
"""By how much the charge of a held cell may differ between points: in standard errors, and besides."""


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Say of each map by how much the lithium content differs from place to place.

    It has to differ by more than counting explains, and less between neighbours than between any two places:
    errors have no places.

    Parameters
    ----------
    cells
        One, with Raman spectra of maps; images in white light are shown, and say nothing here.
    published
        Not used: the publication gives no numbers.
    """
    frames, _ = _spectra_and_images(cells)
    found = _evenness(frames)
    if not found:
        text = "No map shows how much lithium there is at most of its points."
        return Finding(text, [], [Claim.undetermined("maps show the lithium content")])
    quantities, claims = [], []
    for number, (average, one) in found.items():
        name = f"map {number}"
        for key, label, estimate, systematic in (
            ("mean", f"mean x of {name}", average.mean, 0.0),
            ("spread", f"spread of x over {name}", one.spread, SCALE_SIGMA * one.spread.value),
            ("neighbours", f"likeness of neighbours in {name}", one.neighbours, 0.0),
        ):
            sigma = math.hypot(estimate.sigma, systematic)
            quantities.append(Quantity(f"{key}_{number}", label, estimate.value, sigma, ""))
        differs = f"x differs over {name} by more than counting explains"
        claims += [
            Claim.exceeds(differs, one.excess_sigmas, 1.0),
            Claim.exceeds(f"neighbours in {name} are alike", one.neighbours.value, one.neighbours.sigma),
        ]
    spreads = ", ".join(
        f"{one.spread.value:.3f} at a mean of {average.mean.value:.3f}" for average, one in found.values()
    )
    text = f"The lithium content x spreads over a map by {spreads}."
    late = int(np.sum(~_is_held(frames)))
    if late:
        text += f" {late} points that were measured after the hold of their map had ended are left out."
    return Finding(text, quantities, claims)


def _spectra_and_images(cells: Cells) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Spectra of maps of the single cell, and its images in white light, where there are some."""
    (cell,) = cells.values()
    images = [one for one in cell.frames.values() if "picture" in one]
    spectra = {name: one for name, one in cell.frames.items() if "picture" not in one}
    _, frames = only({"cell": MeasuredCell(cell.records, spectra)})
    return frames, images[0] if images else None


def _evenness(frames: xr.Dataset) -> dict[int, tuple[MapMean, Inhomogeneity]]:
    """Of each map that shows how much lithium there is, by its number as it is shown."""
    images = _maps(frames)
    found = {}
    for number in range(images.sizes["map"]):
        image = images.isel(map=number)
        known = np.asarray(image[COUNTS]) == 1.0
        if np.mean(known) < 1.0 - MOST_UNKNOWN:
            continue
        content = np.where(known, np.asarray(image[CONTENT]), np.nan)
        sigma, systematic = np.asarray(image[SIGMA]), np.asarray(image[SIGMA_SYS])
        found[number + 1] = map_mean(content, sigma, systematic), inhomogeneity(content, sigma)
    return found


def _maps(frames: xr.Dataset) -> xr.Dataset:
    staged = np.asarray(frames["graphite.regime"]).astype(str) == Regime.STAGED
    counts = (staged & _is_held(frames)).astype(float)
    return maps_of(frames.assign({COUNTS: ("frame", counts)}), [CONTENT, SIGMA, SIGMA_SYS, COUNTS])


def _is_held(frames: xr.Dataset) -> np.ndarray:
    """Whether the cell had the charge that it had at the first point of the map; shape (frames,).

    A hold ends after its longest time, whatever is measured; what is left of a map is of another state then,
    and differs from place to place for that reason alone.
    """
    if "net_capacity_ah" not in frames.coords:
        return np.ones(frames.sizes["frame"], dtype=bool)
    charge_ah, sigma_ah = (np.asarray(frames[f"net_capacity_ah{one}"], float) for one in ("", "_sigma"))
    visit = frames["visit"] if "visit" in frames else np.zeros(frames.sizes["frame"])
    _, first, number = np.unique(visit, return_index=True, return_inverse=True)
    begun = first[number]
    allowed_ah = CHARGE_SIGMAS * np.hypot(sigma_ah, sigma_ah[begun]) + CHARGE_AH
    return np.abs(charge_ah - charge_ah[begun]) <= allowed_ah


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Maps of the lithium content, how its values are distributed beside what counting explains, and what is
    seen in white light, where images were taken, with the outline of the map.
    """
    frames, seen = _spectra_and_images(cells)
    try:
        images = _maps(frames)
    except MapError:
        shown = plt.figure(figsize=(6.0, 2.0))
        shown.suptitle(title, fontsize=9)
        return shown
    count = images.sizes["map"]
    heights, high = ((3, 2), 6.2) if seen is None else ((3, 2, 3), 9.4)
    shown, axes = plt.subplots(
        len(heights),
        count,
        figsize=(3.6 * count + 0.6, high),
        squeeze=False,
        layout="constrained",
        height_ratios=heights,
    )
    for number in range(count):
        image = images.isel(map=number)
        content = np.where(np.asarray(image[COUNTS]) == 1.0, np.asarray(image[CONTENT]), np.nan)
        upper, lower = axes[0][number], axes[1][number]
        mesh = upper.pcolormesh(
            np.asarray(images["x_um"]), np.asarray(images["y_um"]), content, shading="nearest", cmap="cividis"
        )
        upper.set(aspect="equal", xlabel="x (µm)", ylabel="y (µm)")
        volts = float(image["voltage_volt"]) if "voltage_volt" in image else float("nan")
        at_v = f", {volts:.3f} V" if np.isfinite(volts) else ""
        upper.set_title(f"map {number + 1}{at_v}", fontsize=9)
        shown.colorbar(mesh, ax=upper).set_label("x in Li$_x$C$_6$")
        values = content[np.isfinite(content)]
        lower.hist(values, bins=24, color="#0072B2", alpha=0.7, density=True, label="measured")
        sigma = float(
            np.sqrt(np.nanmean(np.where(np.isfinite(content), np.asarray(image[SIGMA]) ** 2, np.nan)))
        )
        if values.size and sigma > 0:
            at = np.linspace(values.min(), values.max(), 200)
            bell = np.exp(-(((at - values.mean()) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
            lower.plot(at, bell, color="#D55E00", label="by counting alone")
        lower.set(xlabel="x in Li$_x$C$_6$", ylabel="Density")
        lower.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        if seen is not None and number >= seen.sizes["frame"]:
            axes[2][number].set_axis_off()
        elif seen is not None:
            show_picture(axes[2][number], seen.isel(frame=number))
            at_um = [np.asarray(images[axis]) for axis in ("x_um", "y_um")]
            sides = [float(np.ptp(one)) for one in at_um]
            corner = (float(at_um[0].min()), float(at_um[1].min()))
            axes[2][number].add_patch(Rectangle(corner, *sides, fill=False, color="white", lw=1.0))
    shown.suptitle(title, fontsize=9)
    return shown

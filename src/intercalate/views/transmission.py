"""Pictures of a run of a transmission microscope: its frames, and how thick its samples are."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION

MOST_FRAMES = 6
COLOURS = (BLUE, VERMILION, GREEN, ORANGE)


def frames_figure(data: xr.Dataset, title: str) -> Figure:
    """Some of the images and patterns, from the first to the last, with what was found in each.

    Parameters
    ----------
    data
        As `reduce_transmission` gives it.
    """
    count = min(MOST_FRAMES, data.sizes["frame"])
    chosen = np.unique(np.linspace(0, data.sizes["frame"] - 1, count).round().astype(int))
    figure = Figure(figsize=(2.6 * chosen.size, 3.1), layout="constrained")
    for axis, number in zip(np.atleast_1d(figure.subplots(1, chosen.size)), chosen):
        one = data.isel(frame=number)
        axis.imshow(one["thumbnail"], cmap="gray")
        axis.set_axis_off()
        axis.set_title(_caption(one), fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def save_frames_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    frames_figure(data, title).savefig(path, dpi=160)


def thickness_figure(data: xr.Dataset, title: str) -> Figure:
    """Low losses, and the thickness along the scans in mean free paths.

    Parameters
    ----------
    data
        As `reduce_losses` gives it, with `scan_step_nm`.
    """
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    spectra, profiles = figure.subplots(1, 2)
    for number, colour in zip(range(data.sizes["frame"]), COLOURS):
        one = data.isel(frame=number)
        if not np.isfinite(one["low_counts"]).all():
            continue
        spectra.semilogy(one["loss_ev"], np.maximum(one["low_counts"], 1.0), lw=0.8, color=colour)
        x_nm = float(one["scan_step_nm"]) * np.arange(data.sizes["x"])
        label = f"mean {float(one['t_over_lambda']):.3f} ± {float(one['t_over_lambda_sigma_sys']):.3f}"
        profiles.plot(x_nm, one["t_over_lambda_profile"], lw=1.0, color=colour, label=label)
    spectra.set(xlabel="Energy loss (eV)", ylabel="Counts per pixel")
    profiles.set(xlabel="Along the scan (nm)", ylabel="Thickness (mean free paths)", ylim=(0, None))
    if profiles.has_data():
        profiles.legend(loc="best", fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=10)
    return figure


def save_thickness_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    thickness_figure(data, title).savefig(path, dpi=160)


def _caption(one: xr.Dataset) -> str:
    """What was found in a frame, or why nothing was."""
    habit, order = str(one["habit"].values), str(one["order"].values)
    if habit:
        size = f"{float(one['length_nm']):.0f} x {float(one['width_nm']):.0f} nm"
        return f"{habit}, {one['filling'].values}, {int(one['kinks'])} kinks\n{size}"
    return f"{order}\n{int(one['spots'])} spots" if order else "nothing found"

"""Pictures of the colour images of a run."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MOST_IMAGES = 6
COLOURS = {"grey": "#777777", "blue": "#1b2a49", "red": "#a33a2a", "gold": "#c9992b"}
"""Of bars, by the names in `materials.optical.GRAPHITE_COLOURS`."""


def show_picture(axis: Axes, image: xr.Dataset) -> None:
    """One image, its axes in um from where the laser is, y upwards as in a map; `image` has one frame."""
    picture = np.asarray(image["picture"])
    rows, columns, _ = picture.shape
    half_um = [0.5 * count * float(image["picture"].attrs["pixel_um"]) for count in (columns, rows)]
    extent = (-half_um[0], half_um[0], -half_um[1], half_um[1])
    axis.imshow(picture, extent=extent, origin="lower", interpolation="nearest")
    axis.set(xlabel="x (µm)", ylabel="y (µm)")


def colours_figure(data: xr.Dataset, title: str) -> Figure:
    """Images from the first to the last, and below them the shares of the colours of graphite, where known.

    Parameters
    ----------
    data
        As `reduce_colours` gives it.
    """
    count = min(MOST_IMAGES, data.sizes["frame"])
    chosen = np.unique(np.linspace(0, data.sizes["frame"] - 1, count).round().astype(int))
    has_shares = "colour_share.grey" in data
    figure = Figure(figsize=(2.9 * chosen.size + 0.6, 5.0 if has_shares else 3.4), layout="constrained")
    heights: Any = [3.0, 1.6] if has_shares else [1.0]
    axes = figure.subplots(len(heights), chosen.size, squeeze=False, height_ratios=heights, sharey="row")
    for column, number in enumerate(chosen):
        one = data.isel(frame=number)
        note = str(one["note"].values)
        show_picture(axes[0][column], one)
        volts = float(one["voltage_volt"]) if "voltage_volt" in one else np.nan
        at_v = f", {volts:.3f} V" if np.isfinite(volts) else ""
        axes[0][column].set_title(f"image {number + 1}{at_v}", fontsize=9)
        if note:
            words = note if len(note) < 60 else f"{note[:57]}..."
            axes[0][column].text(0.5, 0.02, words, fontsize=5, color="white", ha="center", va="bottom",
                                 transform=axes[0][column].transAxes, wrap=True)  # fmt: skip
        if has_shares:
            _shares(axes[1][column], one)
    if has_shares:
        axes[1][0].set_ylabel("Share of the image")
    figure.suptitle(title, fontsize=10)
    return figure


def save_colours_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    colours_figure(data, title).savefig(path, dpi=160)


def _shares(axis: Axes, one: xr.Dataset) -> None:
    for place, (name, colour) in enumerate(COLOURS.items()):
        key = f"colour_share.{name}"
        sigma = float(np.hypot(one[f"{key}_sigma_stat"], one[f"{key}_sigma_sys"]))
        axis.bar(place, float(one[key]), yerr=sigma, color=colour, width=0.7, ecolor="#444444", capsize=2)
    axis.set_xticks(range(len(COLOURS)), list(COLOURS), fontsize=8)
    axis.set_ylim(0.0, 1.0)

"""The course of the grains that orientation maps show, and the maps."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.views.micrographs import colour_key, grain_edges, scale_bar
from intercalate.views.operando import BLUE, GREEN, VERMILION, hours_of, stacked_figure, voltage_panel

MOST_MAPS = 5


def grains_figure(data: xr.Dataset, records: xr.Dataset, title: str) -> Figure:
    """Voltage and current, the size of grains, and how much of the area is as in the first map.

    Parameters
    ----------
    data
        As `reduce_orientation_maps` gives it, aligned.
    records
        Cycler records with `test_time_second`, `voltage_volt`, `current_ampere`.
    title
        Above all.
    """
    return stacked_figure((voltage_panel, _sizes, _shares), (1.2, 1.8, 1.8), data, records, title)


def save_grains_figure(path: Path, data: xr.Dataset, records: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    grains_figure(data, records, title).savefig(path, dpi=160)


def orientations_figure(data: xr.Dataset, title: str) -> Figure:
    """Some of the maps, from the first to the last, with the boundaries of grains and the key of colours."""
    count = min(MOST_MAPS, data.sizes["frame"])
    chosen = np.unique(np.linspace(0, data.sizes["frame"] - 1, count).round().astype(int))
    figure = Figure(figsize=(2.5 * chosen.size + 1.9, 3.1), layout="constrained")
    axes = figure.subplots(1, chosen.size + 1, width_ratios=[*[1.0] * chosen.size, 0.7])
    for axis, number in zip(axes, chosen):
        picture = np.asarray(data["colour"][number]).copy()
        picture[grain_edges(np.asarray(data["grain"][number]))] = 15
        axis.imshow(picture, interpolation="nearest")
        scale_bar(axis, picture.shape, float(data["step_um"][number]))
        axis.set_title(_caption(data.isel(frame=number)), fontsize=8)
    colour_key(axes[-1])
    figure.suptitle(title, fontsize=10)
    return figure


def save_orientations_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    orientations_figure(data, title).savefig(path, dpi=160)


def _caption(one: xr.Dataset) -> str:
    """Time and temperature where they are known, and what became of the grains."""
    when = [f"{float(one['test_time_second']) / 3600:.2f} h"] if "test_time_second" in one else []
    if "chamber_temperature_c" in one:
        when.append(f"{float(one['chamber_temperature_c']):.0f} °C")
    said = str(one["grains_are"].values)
    count = int(one["grains"])
    words = f"{count} grains" + (f", {said}" if said else "") if count else "no grains"
    return "\n".join([", ".join(when), words] if when else [words])


def _sizes(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    for name, label, colour in (
        ("grain_diameter_um", "diameter of whole grains", BLUE),
        ("intercept_um", "mean intercept", GREEN),
    ):
        if name in data:
            _drawn(axis, data, name, label, colour)
    axis.set_ylabel("Grain size (µm)")
    if axis.has_data():
        axis.legend(loc="best", fontsize=7, frameon=False)


def _shares(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    axis.plot(
        hours_of(data), data["indexed_share"], "s-", ms=2.5, lw=0.8, color=GREEN, label="indexed points"
    )
    if "same_area" in data:
        _drawn(axis, data, "same_area", "area as in the first map", VERMILION)
    axis.set(ylabel="Share", ylim=(-0.05, 1.05))
    axis.legend(loc="best", fontsize=7, frameon=False)


def _drawn(axis: Axes, data: xr.Dataset, name: str, label: str, colour: str) -> None:
    # Errors are those of counting: what the scale adds is common to all.
    errors = np.asarray(data[f"{name}_sigma_stat"])
    axis.errorbar(
        hours_of(data), data[name], yerr=errors, fmt="o-", ms=2.5, lw=0.8, color=colour, label=label
    )

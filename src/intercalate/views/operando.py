"""The figure of an operando diffraction experiment."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

Panel = Callable[[Axes, xr.Dataset, xr.Dataset], None]

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
"""Of the palette of Okabe and Ito, which colour-blind people tell apart."""


def operando_figure(data: xr.Dataset, records: xr.Dataset, title: str) -> Figure:
    """Heat map, voltage and current, lattice parameters and phase fractions on one time axis.

    Parameters
    ----------
    data
        Aligned and fitted frames: `test_time_second` along `frame`, `intensity` (frame, two_theta), the
        columns of `fit_series`.
    records
        Cycler records with `test_time_second`, `voltage_volt`, `current_ampere`.
    title
        Above all.
    """
    panels: list[Panel] = [_heat_map, voltage_panel]
    panels += [partial(_oxide, key=key) for key in ("NMC811", "Li-rich NMC") if f"{key}.a" in data]
    if "LFP.a" in data:
        panels += [_olivine, _conversion]
    if "graphite.d" in data:
        panels += [_graphite_spacing, _graphite_plane]
    if "amount.S8" in data:
        from intercalate.views.sulfur import crystals_panel

        panels.append(crystals_panel)
    return stacked_figure(panels, [2.6, 1.2] + [1.1] * (len(panels) - 2), data, records, title)


def stacked_figure(
    panels: Sequence[Panel], heights: Sequence[float], data: xr.Dataset, records: xr.Dataset, title: str
) -> Figure:
    """Panels above each other, lettered, on one axis of test time."""
    figure, axes = plt.subplots(
        len(panels),
        1,
        sharex=True,
        figsize=(7.5, 1.3 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for panel, axis, letter in zip(panels, axes, "abcdefg", strict=False):
        panel(axis, data, records)
        axis.text(-0.155, 1.0, letter, transform=axis.transAxes, va="top", weight="bold")
    axes[-1].set_xlabel("Test time (h)")
    figure.suptitle(title, fontsize=10)
    return figure


def save_operando_figure(path: Path, data: xr.Dataset, records: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    figure = operando_figure(data, records, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def hours_of(data: xr.Dataset) -> np.ndarray:
    """Test time of each frame."""
    return np.asarray(data["test_time_second"]) / 3600.0


def _heat_map(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    two_theta = np.asarray(data["two_theta"])
    shown = (two_theta > 5.0) & (two_theta < 25.0)
    intensity = np.asarray(data["intensity"])[:, shown]
    low, high = np.percentile(intensity[intensity > 0], (3, 99.8))
    # Lines of one pattern differ by a factor of a hundred: a logarithmic scale shows all of them.
    mesh = axis.pcolormesh(
        hours_of(data),
        two_theta[shown],
        np.clip(intensity, low, high).T,
        shading="nearest",
        cmap="cividis",
        norm=LogNorm(low, high),
        rasterized=True,
    )
    axis.set_ylabel("2θ (°)")
    bar = axis.figure.colorbar(mesh, ax=axis, pad=0.01)
    units = data["intensity"].attrs.get("units", "counts per pixel")
    bar.set_label(str(units).capitalize())


def voltage_panel(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    """Voltage and current of the records."""
    hours = np.asarray(records["test_time_second"]) / 3600.0
    axis.plot(hours, np.asarray(records["voltage_volt"]), color=BLUE, lw=1.2)
    axis.set_ylabel("Voltage (V)", color=BLUE)
    other = axis.twinx()
    other.plot(hours, 1000.0 * np.asarray(records["current_ampere"]), color=VERMILION, lw=0.9, ls="--")
    other.set_ylabel("Current (mA)", color=VERMILION)


def _points(axis: Axes, data: xr.Dataset, name: str, colour: str, label: str, marker: str = "o") -> Any:
    sigma = np.asarray(data[f"{name}_sigma_stat"])
    return axis.errorbar(
        hours_of(data),
        np.asarray(data[name]),
        yerr=sigma,
        fmt=marker,
        ms=2.2,
        lw=0.7,
        color=colour,
        label=label,
    )


def _oxide(axis: Axes, data: xr.Dataset, records: xr.Dataset, key: str) -> None:
    _points(axis, data, f"{key}.c", BLUE, "c")
    axis.set_ylabel(f"{key} c (Å)", color=BLUE)
    other = axis.twinx()
    _points(other, data, f"{key}.a", VERMILION, "a", "s")
    other.set_ylabel("a (Å)", color=VERMILION)


def _olivine(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    _points(axis, data, "LFP.a", BLUE, "LFP")
    _points(axis, data, "FePO4.a", VERMILION, "FePO4", "s")
    axis.set_ylabel("a (Å)")
    axis.legend(loc="best", fontsize=7, frameon=False)


def _conversion(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    if "lithium_rich_fraction" in data:
        _points(axis, data, "lithium_rich_fraction", ORANGE, "share of LFP", "^")
    axis.set_ylim(-0.05, 1.05)
    axis.set_ylabel("Share of\nthe Li-rich phase")


def _graphite_spacing(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    _points(axis, data, "graphite.d", BLUE, "dilute stages to stage 2")
    if "LiC6.d" in data:
        _points(axis, data, "LiC6.d", GREEN, "stage 1", "s")
    axis.set_ylabel("Graphite\nlayer spacing (Å)")
    axis.legend(loc="best", fontsize=7, frameon=False)


def _graphite_plane(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    _points(axis, data, "graphite.a", BLUE, "in-plane a")
    axis.set_ylabel("Graphite a (Å)", color=BLUE)
    if "stage_1_fraction" in data:
        other = axis.twinx()
        _points(other, data, "stage_1_fraction", ORANGE, "stage 1 fraction", "^")
        other.set_ylim(-0.05, 1.05)
        other.set_ylabel("Fraction\nin stage 1", color=ORANGE)


def patterns_figure(data: xr.Dataset, title: str) -> Figure:
    """Patterns of the first, the middle and the last frame, one upon the other.

    Parameters
    ----------
    data
        Fitted frames: `intensity` (frame, two_theta).
    """
    figure, axis = plt.subplots(figsize=(7.5, 4.0), layout="constrained")
    intensity = data["intensity"]
    for number, colour in zip(
        np.unique([0, intensity.sizes["frame"] // 2, intensity.sizes["frame"] - 1]), (BLUE, GREEN, VERMILION)
    ):
        axis.plot(
            data["two_theta"], intensity[number], color=colour, linewidth=0.8, label=f"frame {number + 1}"
        )
    axis.set(xlabel=r"2θ (°)", ylabel=str(intensity.attrs.get("units", "Intensity")), yscale="log")
    axis.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def save_patterns_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    figure = patterns_figure(data, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)

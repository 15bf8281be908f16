"""The course of a surface: film, composition and voltage on one time axis."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION, stacked_figure, voltage_panel

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#777777")
MOST_REGIONS = 4


def surface_figure(data: xr.Dataset, records: xr.Dataset, title: str) -> Figure:
    """Voltage and current, thickness of the film, and composition of what is seen of the surface.

    Parameters
    ----------
    data
        As `reduce_photoelectrons` gives it, with `acquisition_test_time_second`.
    records
        Cycler records with `test_time_second`, `voltage_volt`, `current_ampere`.
    title
        Above all.
    """
    return stacked_figure((voltage_panel, _film, _composition), (1.2, 1.4, 2.0), data, records, title)


def save_surface_figure(path: Path, data: xr.Dataset, records: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    figure = surface_figure(data, records, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def spectra_figure(data: xr.Dataset, title: str) -> Figure:
    """Spectra of the first regions, one acquisition above the other, each in parts of its own highest count.

    Binding energy rises to the left, as is usual.
    """
    regions = list(dict.fromkeys(np.asarray(data["analyser_region"]).astype(str)))[:MOST_REGIONS]
    figure, axes = plt.subplots(1, len(regions), figsize=(2.6 * len(regions), 4.2), layout="constrained")
    numbers = np.asarray(data["acquisition_of_frame"])
    colours = np.asarray(plt.get_cmap("cividis")(np.linspace(0.0, 0.9, int(numbers.max()) + 1)))
    for axis, region in zip(np.atleast_1d(axes), regions):
        _spectra(axis, data, region, numbers, colours)
    figure.suptitle(title, fontsize=10)
    return figure


def save_spectra_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    figure = spectra_figure(data, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def _spectra(axis: Axes, data: xr.Dataset, region: str, numbers: np.ndarray, colours: np.ndarray) -> None:
    chosen = np.flatnonzero(np.asarray(data["analyser_region"]).astype(str) == region)
    for number in chosen:
        energy, counts = np.asarray(data["binding_ev"][number]), np.asarray(data["counts"][number])
        known = np.isfinite(energy) & np.isfinite(counts)
        if not known.any():
            continue
        low, high = counts[known].min(), max(counts[known].max(), 1.0)
        shown = (counts[known] - low) / max(high - low, 1.0) + 0.9 * numbers[number]
        axis.plot(energy[known], shown, lw=0.8, color=colours[numbers[number]])
    axis.set(xlabel="Binding energy (eV)", title=region, yticks=[])
    axis.invert_xaxis()


def _hours(data: xr.Dataset) -> np.ndarray:
    return np.asarray(data["acquisition_test_time_second"]) / 3600.0


def _with_errors(axis: Axes, data: xr.Dataset, name: str, colour: str, label: str) -> None:
    """Values with both errors in quadrature."""
    sigma = np.hypot(np.asarray(data[f"{name}_sigma_stat"]), np.asarray(data[f"{name}_sigma_sys"]))
    axis.errorbar(
        _hours(data), np.asarray(data[name]), yerr=sigma, fmt="o-", ms=3, lw=0.8, color=colour, label=label
    )


def _film(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    _with_errors(axis, data, "film_nm", BLUE, "film")
    axis.set_ylabel("Film since the\nfirst spectrum (nm)")


def _composition(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    names = [
        str(name) for name in data if str(name).startswith("atomic_percent.") and "_sigma" not in str(name)
    ]
    for name, colour in zip(names, COLOURS):
        _with_errors(axis, data, name, colour, name.split(".")[1])
    axis.set_ylabel("Composition (at.%)")
    axis.legend(loc="best", fontsize=7, frameon=False, ncols=2)

"""The course of what an electron microscope sees: layers or deposits, elements, and the images themselves."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION, hours_of, stacked_figure, voltage_panel

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#777777", "#B8A400")
MOST_IMAGES = 6
LEAST_WIDTH = 5.0
"""Of a figure in inches, in which its title has room."""
LEAST_CONTRAST = 32.0
"""Of 256 levels of grey: noise of an even face is not shown as black and white."""


def layers_figure(data: xr.Dataset, records: xr.Dataset, title: str) -> Figure:
    """Voltage and current, and the change of each layer, or what of a face is covered.

    Parameters
    ----------
    data
        As `reduce_micrographs` gives it, aligned.
    records
        Cycler records with `test_time_second`, `voltage_volt`, `current_ampere`.
    title
        Above all.
    """
    panels = (voltage_panel, _changes if _named(data, "thickness_um") else _coverage)
    return stacked_figure(panels, (1.2, 2.4), data, records, title)


def save_layers_figure(path: Path, data: xr.Dataset, records: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    _save(layers_figure(data, records, title), path)


def images_figure(data: xr.Dataset, title: str) -> Figure:
    """Some of the images, from the first to the last."""
    count = min(MOST_IMAGES, data.sizes["frame"])
    chosen = np.unique(np.linspace(0, data.sizes["frame"] - 1, count).round().astype(int))
    width = max(2.3 * chosen.size, LEAST_WIDTH)
    figure, axes = plt.subplots(1, chosen.size, figsize=(width, 2.8), layout="constrained")
    for axis, number in zip(np.atleast_1d(axes), chosen):
        picture = np.asarray(data["thumbnail"][number], float)
        field_um = float(data["column_field_of_view_um"][number])
        low, high = np.percentile(picture, [0.5, 99.5])
        middle, half = 0.5 * (low + high), 0.5 * max(high - low, LEAST_CONTRAST)
        axis.imshow(
            picture, cmap="gray", extent=(0, field_um, field_um, 0), vmin=middle - half, vmax=middle + half
        )
        hours = (
            f"{float(data['test_time_second'][number]) / 3600:.2f} h" if "test_time_second" in data else ""
        )
        axis.set(title=hours, xlabel="µm")
    figure.suptitle(title, fontsize=10)
    return figure


def save_images_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    _save(images_figure(data, title), path)


def elements_figure(data: xr.Dataset, records: xr.Dataset, title: str) -> Figure:
    """Voltage and current, and mass fractions of what gives X-rays."""
    return stacked_figure((voltage_panel, _elements), (1.2, 2.4), data, records, title)


def save_elements_figure(path: Path, data: xr.Dataset, records: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    _save(elements_figure(data, records, title), path)


def x_rays_figure(data: xr.Dataset, title: str) -> Figure:
    """The sum of all spectra, with what was said of lithium."""
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    axis = figure.subplots()
    counts = np.asarray(data["counts"]).sum(axis=0)
    axis.semilogy(np.asarray(data["energy_ev"]) / 1000.0, np.maximum(counts, 0.5), lw=0.8, color=BLUE)
    said = ", ".join(dict.fromkeys(str(one) for one in data["lithium"].values if str(one)))
    bonds = [str(one) for one in data["lithium_bond"].values if str(one)] if "lithium_bond" in data else []
    said += f"; its bond: {', '.join(dict.fromkeys(bonds))}" if bonds else ""
    axis.set(xlabel="Energy (keV)", ylabel="Counts", title=f"lithium: {said}", xlim=(0, None))
    axis.title.set_fontsize(9)
    figure.suptitle(title, fontsize=10)
    return figure


def save_x_rays_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    _save(x_rays_figure(data, title), path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=160)
    plt.close(figure)


def _named(data: xr.Dataset, what: str) -> list[str]:
    """Quantities of a kind, without their errors."""
    return [str(one) for one in data if str(one).startswith(f"{what}.") and "_sigma" not in str(one)]


def _with_errors(axis: Axes, data: xr.Dataset, names: Sequence[str], less_first: bool = False) -> None:
    for name, colour in zip(names, COLOURS):
        values = np.asarray(data[name])
        first = values[np.isfinite(values)][:1] if less_first else np.zeros(1)
        axis.errorbar(
            hours_of(data),
            values - (first[0] if first.size else np.nan),
            yerr=np.asarray(data[f"{name}_sigma_stat"]),
            fmt="o-",
            ms=2.5,
            lw=0.8,
            color=colour,
            label=name.split(".", 1)[1]
            + (f", {first[0]:.1f} µm at first" if less_first and first.size else ""),
        )
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=7, frameon=False, ncols=len(names))


def _changes(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    # Errors are those of counting: what the scale adds is common to all.
    _with_errors(axis, data, _named(data, "thickness_um"), less_first=True)
    axis.set_ylabel("Change of thickness (µm)")


def _coverage(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    _with_errors(axis, data, _named(data, "coverage"))
    axis.set_ylabel("Covered share of the face")


def _elements(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    _with_errors(axis, data, _named(data, "mass_fraction"))
    axis.set_ylabel("Mass fraction of\nwhat gives X-rays")

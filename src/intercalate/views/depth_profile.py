"""What photoelectrons show of a surface while argon ions remove it."""

import textwrap
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.reduction.raman import MapError
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#777777", "#B8A400")


def depth_profile_figure(data: xr.Dataset, title: str) -> Figure:
    """Elements and compounds over the argon ions per area, and what these may have made of the surface.

    Raises
    ------
    MapError
        If nothing was sputtered.
    """
    if "acquisition_sputtered_1e16_cm2" not in data:
        raise MapError("nothing was sputtered")
    ions = data["acquisition_sputtered_1e16_cm2"]
    figure = Figure(figsize=(9.0, 7.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    names = [str(name) for name in data if str(name).startswith("atomic_percent.")]
    elements = [name for name in names if "_sigma" not in name]
    for name, colour in zip(elements, COLOURS):
        _line(upper, np.asarray(ions), *_estimates(data, name), name.split(".")[1], colour)
    upper.set_ylabel("Elements (at.%)")
    for number, label in enumerate(data["component"].values):
        values, sigma = (one[:, number] for one in _estimates(data, "component_percent"))
        # A colour that comes a second time is dashed.
        style = "o-" if number < len(COLOURS) else "s--"
        _line(lower, np.asarray(ions), values, sigma, str(label), COLOURS[number % len(COLOURS)], style)
    lower.set(xlabel="Argon ions per area (1e16 / cm²)", ylabel="Atoms of each line (%)")
    for axis in (upper, lower):
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7, frameon=False)
    said = textwrap.fill(f"Not as it was: {ions.attrs['artefacts']}.", 110)
    figure.suptitle(f"{title}\n{said}", fontsize=8)
    return figure


def save_depth_profile_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG; raises as `depth_profile_figure`."""
    depth_profile_figure(data, title).savefig(path, dpi=160)


def _estimates(data: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values, and both errors in quadrature."""
    stat, systematic = (np.asarray(data[f"{name}_sigma_{kind}"], float) for kind in ("stat", "sys"))
    return np.asarray(data[name], float), np.hypot(stat, systematic)


def _line(
    axis: Axes,
    ions: np.ndarray,
    values: np.ndarray,
    sigma: np.ndarray,
    label: str,
    colour: str,
    style: str = "o-",
) -> None:
    axis.errorbar(ions, values, yerr=sigma, fmt=style, ms=3, lw=0.8, color=colour, label=label)

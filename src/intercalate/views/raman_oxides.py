"""Panels of the figure of an operando Raman experiment on an oxide."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION, hours_of

SHOWN_PER_CM = (350.0, 690.0)

_STYLES = tuple(zip((BLUE, GREEN, VERMILION, ORANGE), "osD^"))


def shares_panel(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    """Shares of the metal's atoms in each oxidation state."""
    names = [str(name) for name in data if str(name).startswith("share.") and "_sigma_" not in str(name)]
    for name, (colour, marker) in zip(sorted(names), _STYLES):
        _points(axis, data, name, colour, marker, name.removeprefix("share."))
    axis.set_ylabel("Share")
    axis.legend(loc="best", fontsize=7, frameon=False)


def content_panel(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    """Lithium content by bands, and by coulometry where that is known."""
    for side in ("positive", "negative"):
        if f"x_{side}" in data and np.isfinite(np.asarray(data[f"x_{side}"], float)).any():
            axis.plot(hours_of(data), np.asarray(data[f"x_{side}"]), color="0.5", lw=0.9, label="coulometry")
            break
    _points(axis, data, "oxide.x", BLUE, "o", "bands")
    axis.set_ylabel("x where the\nlaser is")
    axis.legend(loc="best", fontsize=7, frameon=False)


def _points(axis: Axes, data: xr.Dataset, name: str, colour: str, marker: str, label: str) -> None:
    sigma = np.asarray(data[f"{name}_sigma_stat"])
    style = {"fmt": marker, "ms": 2.5, "lw": 0.7, "color": colour, "label": label}
    axis.errorbar(hours_of(data), np.asarray(data[name]), yerr=sigma, **style)

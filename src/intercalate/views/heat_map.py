"""A heat map of patterns or spectra, with the voltage beside it."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from intercalate.views.operando import BLUE

LABELS = {
    "test_time_second": "Test time (h)",
    "start_unix_s": "Time since the first frame (h)",
    "voltage_volt": "Voltage (V)",
    "net_capacity_ah": "Net capacity (mAh)",
    "soc": "State of charge",
    "frame": "Frame",
}
SCALES = {"test_time_second": 1 / 3600.0, "start_unix_s": 1 / 3600.0, "net_capacity_ah": 1e3}
"""From the units of a column to those at the figure."""

STRAIGHT_ABOVE = 20.0
"""Range of intensities from which on their scale is logarithmic: lines of one pattern differ by a factor of
a hundred."""


def heat_map_figure(data: xr.DataArray, title: str) -> Figure:
    """Intensity over both axes; beside time, the voltage.

    Parameters
    ----------
    data
        As `heatmap` gives it. Against a voltage or a charge that goes up and down, rows are shown in the
        order in which they were measured, with this quantity beside them.
    """
    along, across = (str(one) for one in data.dims)
    first = np.asarray(data[along], float) * SCALES.get(along, 1.0)
    first = first - first[0] if along == "start_unix_s" else first
    rises = bool(np.all(np.diff(first) > 0))
    places = first if rises else np.arange(first.size, dtype=float)
    beside = "" if rises and "voltage_volt" not in data.coords else along if not rises else "voltage_volt"
    beside = "" if beside == along and rises else beside
    figure, axes = plt.subplots(
        2 if beside else 1,
        1,
        sharex=True,
        figsize=(7.5, 5.2 if beside else 3.8),
        height_ratios=[2.6, 1.0] if beside else None,
        squeeze=False,
        layout="constrained",
    )
    axis = axes[0, 0]
    values = np.asarray(data, float)
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = np.percentile(positive, (3, 99.8)) if positive.size else (0.0, 1.0)
    norm = LogNorm(low, high) if low > 0 and high > STRAIGHT_ABOVE * low else Normalize(low, high)
    points = np.asarray(data[across], float)
    mesh = axis.pcolormesh(
        places,
        points,
        np.clip(values, low, high).T,
        shading="nearest",
        cmap="cividis",
        norm=norm,
        rasterized=True,
    )
    units = data[across].attrs.get("units", "")
    sign = {"deg": "°", "1/cm": "cm⁻¹"}.get(units, units)
    axis.set_ylabel(f"{data[across].attrs.get('long_name', across)}{f' ({sign})' if sign else ''}")
    if across == "binding_energy":
        axis.invert_yaxis()
    figure.colorbar(mesh, ax=axis, pad=0.01).set_label(str(data.attrs["units"]).capitalize())
    if beside:
        values_beside = np.asarray(data[beside], float) * SCALES.get(beside, 1.0)
        axes[1, 0].plot(places, values_beside, color=BLUE, lw=1.2)
        axes[1, 0].set_ylabel(LABELS[beside])
    axes[-1, 0].set_xlabel(LABELS[along] if rises else "Frame, as measured")
    figure.suptitle(title, fontsize=10)
    return figure


def save_heat_map_figure(path: Path, data: xr.DataArray, title: str) -> None:
    """Write the figure as PNG."""
    figure = heat_map_figure(data, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)

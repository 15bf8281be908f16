"""Picture of the compounds in spectrum images of electron losses."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.loss_maps import LOSS_MAP
from intercalate.reduction.raman import MapError

MOST_SCANS = 4


def loss_maps_figure(data: xr.Dataset, title: str) -> Figure:
    """Thickness of each compound, and what no reference explains, of scans from the first to the last.

    Parameters
    ----------
    data
        As `reduce_compounds` gives it, with `scan_step_nm` and `scan_row_step_nm`.

    Raises
    ------
    MapError
        If no scan could be read by references.
    """
    names = [
        str(name).removeprefix(LOSS_MAP)
        for name in data.data_vars
        if str(name).startswith(LOSS_MAP) and "_sigma_" not in str(name)
    ]
    read = np.flatnonzero([bool(np.isfinite(one).any()) for one in np.asarray(data.get("loss_misfit", []))])
    if not names or not read.size:
        raise MapError("no scan was read by references of compounds")
    chosen = np.unique(read[np.linspace(0, read.size - 1, min(MOST_SCANS, read.size)).round().astype(int)])
    figure = Figure(figsize=(1.5 * (len(names) + 1) + 1.0, 1.9 * chosen.size + 0.5), layout="constrained")
    axes = figure.subplots(chosen.size, len(names) + 1, squeeze=False, sharex="row", sharey="row")
    for row, number in zip(axes, chosen):
        one = data.isel(frame=number)
        width_nm, height_nm = (
            float(one[step]) * one.sizes[along]
            for step, along in (("scan_step_nm", "x"), ("scan_row_step_nm", "y"))
        )
        # A scan of a thin layer may be far higher than wide.
        shown = {"extent": (0.0, width_nm, height_nm, 0.0), "aspect": "auto"}
        for axis, name in zip(row, names):
            amount = np.asarray(one[f"{LOSS_MAP}{name}"])
            if np.isfinite(amount).any():
                sigma = float(np.nanmedian(np.asarray(one[f"{LOSS_MAP}{name}_sigma_stat"])))
                # Noise alone shall not look like a compound.
                high = max(float(np.nanpercentile(amount, 99)), 5.0 * sigma)
                image = axis.imshow(amount, vmin=0.0, vmax=high, cmap="viridis", **shown)
                figure.colorbar(image, ax=axis, shrink=0.8)
            else:
                axis.text(0.5, 0.5, "not\ntold apart", ha="center", va="center", transform=axis.transAxes)
            axis.set_title(f"{name} (nm)", fontsize=8)
        image = row[-1].imshow(100.0 * np.asarray(one["loss_misfit"]), vmin=0.0, cmap="magma", **shown)
        figure.colorbar(image, ax=row[-1], shrink=0.8)
        row[-1].set_title("misfit (%)", fontsize=8)
        row[0].set_ylabel(f"scan {number + 1}\ny (nm)")
        for axis in row:
            axis.set_xlabel("x (nm)", fontsize=8)
            axis.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=10)
    return figure


def save_loss_maps_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG; raises as `loss_maps_figure`."""
    loss_maps_figure(data, title).savefig(path, dpi=160)

"""Maps of photoelectrons: the share of an element at each point of a grid."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.raman import maps_of


def share_figure(data: xr.Dataset, title: str) -> Figure:
    """Every map of every element whose share is known.

    Parameters
    ----------
    data
        As `share_of_each_point` gives it, with where the spot was.

    Raises
    ------
    MapError
        If the spectra are not those of a grid.
    """
    names = [str(one) for one in data if str(one).startswith("share.") and "_sigma" not in str(one)]
    images = maps_of(data, names)
    x_um, y_um = np.asarray(images["x_um"]), np.asarray(images["y_um"])
    count = images.sizes["map"]
    figure, axes = plt.subplots(
        count, len(names), figsize=(5.2 * len(names), 4.4 * count), squeeze=False, layout="constrained"
    )
    for number, row in enumerate(axes):
        for axis, name in zip(row, names):
            image = np.asarray(images[name][number])
            mesh = axis.pcolormesh(x_um, y_um, image, shading="nearest", cmap="cividis")
            figure.colorbar(mesh, ax=axis).set_label(f"{name.split('.')[1]}, atomic share")
            axis.set(aspect="equal", xlabel="x (µm)", ylabel="y (µm)")
    figure.suptitle(title, fontsize=9)
    return figure


def save_share_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG; raises as `share_figure`."""
    figure = share_figure(data, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)

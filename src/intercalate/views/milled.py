"""Walls of trenches that ions have milled, with the body that was found in each."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from intercalate.reduction.raman import MapError
from intercalate.views.micrographs import scale_bar
from intercalate.views.operando import BLUE, ORANGE

MOST_WALLS = 4


def milled_figure(data: xr.Dataset, title: str) -> Figure:
    """Images of milled places: outline of the body, its wall where it is hollow, and what was said of it.

    Raises
    ------
    MapError
        If ions have milled nothing.
    """
    if "wall_picture" not in data:
        raise MapError("nothing was milled")
    count = min(data.sizes["wall"], MOST_WALLS)
    figure = Figure(figsize=(4.6 * count, 5.2), layout="constrained")
    for axis, one in zip(np.atleast_1d(figure.subplots(1, count)), range(count)):
        _wall(axis, data, one)
    figure.suptitle(title, fontsize=10)
    return figure


def save_milled_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG; raises as `milled_figure`."""
    milled_figure(data, title).savefig(path, dpi=160)


def _wall(axis: Axes, data: xr.Dataset, one: int) -> None:
    picture, frame = np.asarray(data["wall_picture"][one]), int(data["wall_frame"][one])
    low, high = np.percentile(picture, [0.5, 99.5])
    axis.imshow(picture, cmap="gray", vmin=low, vmax=max(high, low + 1))
    rows, columns = picture.shape
    pixel_um = float(data["field_um"][frame]) / columns
    scale_bar(axis, picture.shape, pixel_um)
    inside = str(data["inside"].values[frame])
    if not inside:
        axis.set_title("nothing is said of this place", fontsize=9)
        return
    diameter, wall = _said(data, "milled.diameter_um", frame), _said(data, "milled.wall_um", frame)
    across, down = (_said(data, f"milled.{name}_um", frame)[0] / pixel_um for name in ("column", "row"))
    middle = (0.5 * columns + across, 0.5 * rows + down)
    axis.add_patch(Circle(middle, 0.5 * diameter[0] / pixel_um, fill=False, color=ORANGE, lw=1.2))
    lines = [f"{inside}; diameter {diameter[0]:.2f} ± {diameter[1]:.2f} µm"]
    if np.isfinite(wall[0]):
        radius = (0.5 * diameter[0] - wall[0]) / pixel_um
        axis.add_patch(Circle(middle, radius, fill=False, color=BLUE, lw=1.2, ls="--"))
        lines[0] += f", wall {wall[0]:.2f} ± {wall[1]:.2f} µm"
    darkness = _said(data, "milled.darkness", frame)
    lines.append(
        f"darkness of the inside {darkness[0]:.2f} ± {darkness[1]:.2f} (1 as the vacuum); "
        f"perforated below: {data['perforated'].values[frame]}"
    )
    axis.set_title("\n".join(lines), fontsize=8)


def _said(data: xr.Dataset, name: str, frame: int) -> tuple[float, float]:
    """Value, and its whole standard uncertainty."""
    value, stat, systematic = (
        float(data[f"{name}{one}"].values[frame]) for one in ("", "_sigma_stat", "_sigma_sys")
    )
    return value, float(np.hypot(stat, systematic))

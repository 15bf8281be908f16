"""Figures of transmission electron microscopy: an image with what was found in it, and a pattern."""

import numpy as np
from matplotlib.figure import Figure

from intercalate.reduction.results import Estimate
from intercalate.reduction.tem import DepositShape, PatternFinding
from intercalate.views.operando import BLUE, ORANGE, VERMILION


def image_figure(counts: np.ndarray, shape: DepositShape, pixel_nm: float, title: str) -> Figure:
    """An image with outline, axis and kinks of the deposit, and what it was taken for."""
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    axis = figure.subplots()
    rows, columns = counts.shape
    low, high = np.percentile(counts, (0.5, 99.5))
    axis.imshow(counts, cmap="gray", vmin=low, vmax=high)
    axis.contour(shape.mask, levels=[0.5], colors=ORANGE, linewidths=0.9)
    if shape.axis_px.shape[0]:
        axis.plot(*shape.axis_px.T, color=BLUE, lw=1.2)
        axis.plot(*shape.axis_px[1:-1].T, ls="none", marker="o", mfc="none", color=VERMILION, ms=9, mew=1.5)
    bar_nm = float(10 ** np.floor(np.log10(0.3 * columns * pixel_nm)))
    axis.plot([0.05 * columns, 0.05 * columns + bar_nm / pixel_nm], [0.94 * rows] * 2, color="white", lw=3)
    axis.text(0.05 * columns, 0.92 * rows, f"{bar_nm:g} nm", color="white", va="bottom")
    axis.set_axis_off()
    axis.set_title(_words(shape), fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def pattern_figure(counts: np.ndarray, found: PatternFinding, camera: Estimate, title: str) -> Figure:
    """A pattern with the spots that were used and the radii of lithium's first families."""
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    axis = figure.subplots()
    rows, columns = counts.shape
    axis.imshow(np.log(np.maximum(counts, 1.0)), cmap="viridis")
    middle = (columns - 1) / 2, (rows - 1) / 2
    for inverse, azimuth, _ in found.spots:
        phi = np.deg2rad(azimuth)
        radius = inverse * camera.value
        axis.plot(
            middle[0] + radius * np.cos(phi),
            middle[1] - radius * np.sin(phi),
            marker="o",
            mfc="none",
            color=VERMILION,
            ms=11,
        )
    axis.set_axis_off()
    said = f"{found.order}; {found.spots.shape[0]} spots"
    if found.growth_axis is not None:
        said += f"; grew along <{found.growth_axis}>"
    elif found.chi2_by_axis:
        said += "; growth axis not determined"
    axis.set_title(said, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def _words(shape: DepositShape) -> str:
    """What was found, with errors."""
    said = [str(shape.habit), f"aspect {shape.aspect:.1f}"]
    if shape.axis_px.shape[0]:
        direction = shape.direction_deg
        said += [
            f"{shape.filling}",
            f"direction {direction.value:.1f} +- {direction.sigma:.1f} deg",
            f"width {shape.width_nm.value:.0f} +- {shape.width_nm.sigma:.0f} nm",
        ]
        said += [
            f"kink {kink.angle_deg.value:+.0f} +- {kink.angle_deg.sigma:.0f} deg" for kink in shape.kinks
        ]
    said.append(f"{shape.dose_e_per_a2:.2g} e/A2")
    lines = [", ".join(said[first : first + 4]) for first in range(0, len(said), 4)]
    return "\n".join(lines)

"""Figures of micrographs, X-ray spectra and maps, and orientation maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from intercalate.reduction.ebsd import GrainMap, OrientationMap, inverse_pole_colours
from intercalate.reduction.eds import ElementMaps, EnergyAxis, LineFit, Lithium
from intercalate.reduction.micrographs import DepositClass, DepositMap, Micrograph, Section
from intercalate.views.video import bar_length_um

CLASS_COLOURS = {
    DepositClass.NEEDLE: (0.84, 0.37, 0.0),
    DepositClass.MOSSY: (0.0, 0.62, 0.45),
    DepositClass.GLOBULAR: (0.34, 0.71, 0.91),
}
"""Told apart by people who see few colours too."""


def micrograph_figure(image: Micrograph, found: DepositMap, title: str) -> Figure:
    """Image, and the image with deposits in the colour of their class."""
    figure = Figure(figsize=(10.0, 5.4), layout="constrained")
    plain, coloured = figure.subplots(1, 2)
    grey = _shade(image.grey)
    plain.imshow(grey, cmap="gray", vmin=0, vmax=1)
    overlay = np.repeat(grey[..., None], 3, axis=2)
    colours = np.array([(0.0, 0.0, 0.0), *(CLASS_COLOURS[one] for one in found.each)])
    tint = colours[found.segments.labels]
    overlay = np.where(found.segments.covered[..., None], 0.55 * overlay + 0.45 * tint, overlay)
    coloured.imshow(np.clip(overlay, 0, 1))
    shown = [kind for kind in CLASS_COLOURS if found.coverage_of[kind].value > 0]
    coloured.legend(
        handles=[
            Patch(color=CLASS_COLOURS[kind], label=f"{kind}: {_percent(found, kind)}") for kind in shown
        ],
        loc="lower right",
        fontsize=8,
    )
    for axis in (plain, coloured):
        scale_bar(axis, image.grey.shape, image.pixel_um)
    coloured.set_title(
        f"{found.kind} (confidence {found.confidence:.2f}), {100 * found.coverage.value:.1f} ± "
        f"{100 * found.coverage.sigma:.1f} % covered",
        fontsize=9,
    )
    figure.suptitle(title, fontsize=10)
    return figure


def section_figure(image: Micrograph, found: Section, title: str) -> Figure:
    """Cross-section with the faces that were followed, and thicknesses."""
    figure = Figure(figsize=(6.5, 6.0), layout="constrained")
    axis = figure.subplots()
    axis.imshow(_shade(image.grey), cmap="gray", vmin=0, vmax=1)
    for rows in found.faces_px:
        axis.plot(found.columns_px, rows, color="#d55e00", lw=0.9)
    for layer, upper, lower in zip(found.layers, found.faces_px, found.faces_px[1:]):
        thickness = layer.thickness_um
        axis.text(
            0.02 * image.grey.shape[1],
            float(np.nanmean(0.5 * (upper + lower))),
            f"{layer.name}: {thickness.value:.2f} ± {thickness.sigma:.2f} µm",
            color="white",
            fontsize=9,
            va="center",
            bbox={"facecolor": "black", "alpha": 0.6, "lw": 0},
        )
    scale_bar(axis, image.grey.shape, image.pixel_um)
    axis.set_title(title, fontsize=10)
    return figure


def spectrum_figure(
    counts: np.ndarray, axis_ev: EnergyAxis, found: LineFit, title: str, seen: Lithium | None = None
) -> Figure:
    """Counts over energy, and below them the filtered spectrum with its fit."""
    figure = Figure(figsize=(9.0, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    kev = axis_ev.energy_ev / 1e3
    upper.step(kev, np.maximum(counts, 0.5), where="mid", lw=0.7, color="#333333")
    upper.set(yscale="log", ylabel="Counts")
    text = ", ".join(name for name, is_seen in found.detected.items() if is_seen)
    upper.set_title(f"detected: {text or 'nothing'}" + (f"; Li {seen.verdict}" if seen else ""), fontsize=9)
    lower.plot(kev, found.filtered, lw=0.7, color="#333333", label="filtered")
    lower.plot(kev, found.calculated, lw=0.9, color="#d55e00", label="fit")
    for energy in found.unknown_ev:
        lower.axvline(energy / 1e3, color="#cc79a7", lw=0.8, ls=":")
    lower.set(xlabel="Energy (keV)", ylabel="Filtered counts")
    lower.legend(fontsize=8, frameon=False)
    last = kev[np.flatnonzero(counts > 2)[-1]] if np.any(counts > 2) else kev[-1]
    lower.set_xlim(0.0, float(last))
    figure.suptitle(title, fontsize=10)
    return figure


def element_figure(found: ElementMaps, names: Sequence[str], pixel_um: float, title: str) -> Figure:
    """Maps of lines side by side."""
    figure = Figure(figsize=(3.4 * len(names), 3.4), layout="constrained")
    for axis, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names):
        values = found.counts[name]
        picture = axis.imshow(
            values, cmap="cividis", vmin=0, vmax=max(float(np.percentile(values, 99.5)), 1e-9)
        )
        figure.colorbar(picture, ax=axis, shrink=0.8).set_label("counts")
        axis.set_title(name, fontsize=9)
        scale_bar(axis, values.shape, pixel_um)
    figure.suptitle(title, fontsize=10)
    return figure


def orientation_figure(measured: OrientationMap, title: str, grains: GrainMap | None = None) -> Figure:
    """Orientations by inverse pole figure colours of the normal, shaded by band contrast; grain boundaries on
    it.
    """
    figure = Figure(figsize=(9.5, 4.6), layout="constrained")
    map_axis, key_axis = figure.subplots(1, 2, width_ratios=[2.2, 1])
    colour = inverse_pole_colours(measured.quaternion)
    shade = np.clip(
        0.4 + 0.6 * measured.contrast / max(float(np.percentile(measured.contrast, 95)), 1.0), 0.0, 1.0
    )
    colour = np.where(measured.known[..., None], colour * shade[..., None], 0.0)
    if grains is not None:
        colour = np.where(grain_edges(grains.labels)[..., None], 0.05, colour)
    map_axis.imshow(colour, interpolation="nearest")
    scale_bar(map_axis, measured.contrast.shape, measured.step_um)
    if not measured.is_crystalline:
        map_axis.set_title(
            f"no crystal: {100 * measured.pattern_share:.0f} % of the points show a pattern", fontsize=9
        )
    elif grains is not None:
        size = grains.diameter_um
        map_axis.set_title(
            f"{grains.labels.max()} grains, mean {size.value:.1f} ± {size.sigma:.1f} µm", fontsize=9
        )
    colour_key(key_axis)
    figure.suptitle(title, fontsize=10)
    return figure


def grain_edges(labels: np.ndarray) -> np.ndarray:
    """Points whose neighbour below or to the right is in another grain, shape (rows, columns)."""
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return edge


def colour_key(axis: Axes) -> None:
    """The triangle of a cubic crystal's directions with their colours, in stereographic projection."""
    x, y = np.meshgrid(np.linspace(0, 0.43, 240), np.linspace(0, 0.38, 240))
    square = x**2 + y**2
    direction = np.stack([2 * x, 2 * y, 1 - square], axis=-1) / (1 + square)[..., None]
    inside = (direction[..., 1] <= direction[..., 0]) & (direction[..., 0] <= direction[..., 2])
    low, mid, high = direction[..., 1], direction[..., 0], direction[..., 2]
    colour = np.stack([high - mid, (mid - low) * np.sqrt(2.0), low * np.sqrt(3.0)], axis=-1)
    colour = np.sqrt(np.clip(colour / np.maximum(colour.max(axis=-1, keepdims=True), 1e-9), 0, 1))
    axis.imshow(np.where(inside[..., None], colour, 1.0), origin="lower", extent=(0, 0.43, 0, 0.38))
    for place, text, side in (
        ((0, 0), "001", "right"),
        ((0.414, 0), "101", "left"),
        ((0.366, 0.366), "111", "left"),
    ):
        axis.annotate(text, place, fontsize=9, ha=side, va="top" if place[1] == 0 else "bottom")
    axis.set_axis_off()


def _percent(found: DepositMap, kind: DepositClass) -> str:
    one = found.coverage_of[kind]
    return f"{100 * one.value:.1f} ± {100 * one.sigma:.1f} %"


def _shade(grey: np.ndarray) -> np.ndarray:
    low, high = np.percentile(grey, [0.5, 99.5])
    return np.clip((grey - low) / max(high - low, 1e-6), 0.0, 1.0)


def scale_bar(axis: Axes, shape: tuple[int, ...], pixel_um: float) -> None:
    """A bar of a round length at the lower left of an image, whose axes lose their ticks."""
    rows, columns = shape[:2]
    length_um = bar_length_um(0.2 * columns * pixel_um)
    length = length_um / pixel_um
    left, bottom = 0.04 * columns, 0.96 * rows
    axis.plot([left, left + length], [bottom, bottom], color="white", lw=3, solid_capstyle="butt")
    axis.text(
        left + length / 2,
        bottom - 0.015 * rows,
        f"{length_um:g} µm",
        color="white",
        ha="center",
        va="bottom",
        fontsize=8,
    )
    axis.set(xticks=[], yticks=[], xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))

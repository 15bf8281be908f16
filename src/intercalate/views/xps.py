"""Figures of photoelectron spectra: a fitted region, a chemical map, a layer that grows."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from intercalate.reduction.xps.fit import FittedRegion, XpsFit
from intercalate.reduction.xps.maps import MapIrregularity
from intercalate.reduction.xps.sei_growth import AmountSeries, SeiSteps
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION

GREY = "#777777"
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, "#CC79A7", "#56B4E9", "#B8A400", "#7F3C8D")


def region_figure(fit: XpsFit, region: str, title: str) -> Figure:
    """Data, components on their background, and the residual of one region.

    Binding energy rises to the left, as is usual. Components that do not stand out are not filled; lines that
    no component explains are marked.

    Parameters
    ----------
    title
        Above all.

    Raises
    ------
    XpsError
        If the region was not fitted.
    """
    shown = fit.region(region)
    figure = Figure(figsize=(6.0, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1.0])
    _spectrum(above, fit, shown)
    below.axhline(0.0, color=GREY, lw=0.8)
    below.fill_between(shown.binding_ev, -2, 2, color=GREY, alpha=0.15, lw=0)
    below.plot(shown.binding_ev, shown.residual, ".", ms=3, color="black")
    reach = max(4.0, 1.1 * float(np.max(np.abs(shown.residual))))
    below.set(ylim=(-reach, reach), xlabel="Binding energy (eV)", ylabel="Residual ($\\sigma$)")
    below.invert_xaxis()
    figure.suptitle(title, fontsize=10)
    return figure


def _spectrum(axis: Axes, fit: XpsFit, shown: FittedRegion) -> None:
    energy = shown.binding_ev
    axis.plot(energy, shown.counts, ".", ms=3, color="black", label="counts", zorder=3)
    axis.plot(energy, shown.background, "--", lw=1.0, color=GREY, label="background")
    for number, name in enumerate(shown.component_names):
        colour = COLOURS[number % len(COLOURS)]
        top = shown.background + shown.components[:, number]
        centre = fit.centre[name]
        if fit.present[name]:
            axis.fill_between(energy, shown.background, top, color=colour, alpha=0.35, lw=0)
            label = f"{name}, {centre.value:.2f} ± {centre.sigma:.2f} eV"
        else:
            label = f"{name}, not seen"
        axis.plot(energy, top, lw=1.0, color=colour, label=label)
    label = "fit" if fit.converged else "fit (failed)"
    axis.plot(energy, shown.model, lw=1.4, color="black", alpha=0.7, label=label)
    for line in fit.unknown:
        if line.region == shown.name:
            text = f"unknown, {line.binding_ev.value:.1f} eV ({line.significance:.0f} $\\sigma$)"
            axis.axvline(line.binding_ev.value, ls=":", color=VERMILION, label=text)
    axis.set_ylabel("Counts")
    axis.legend(fontsize=7, frameon=False)


def irregularity_figure(
    image: np.ndarray,
    step_um: float,
    found: Sequence[MapIrregularity],
    label: str,
    title: str,
    *,
    first_um: float = 0.0,
) -> Figure:
    """A map, with a circle of the area of each irregularity and a cross as large as the error of its place.

    Parameters
    ----------
    image
        Shape (rows, columns).
    label
        Of the quantity, with its unit.
    first_um
        Where the first row and the first column are shown.

    Those that reach the edge of the map have a broken circle and no size.
    """
    rows, columns = image.shape
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    axis = figure.subplots()
    x, y = first_um + np.arange(columns) * step_um, first_um + np.arange(rows) * step_um
    mesh = axis.pcolormesh(x, y, image, shading="nearest", cmap="cividis")
    figure.colorbar(mesh, ax=axis).set_label(label)
    for one in found:
        place = (first_um + one.x_um.value, first_um + one.y_um.value)
        style = "--" if one.touches_edge else "-"
        radius_um = one.diameter_um.value / 2
        axis.add_patch(Circle(place, radius_um, fill=False, color=VERMILION, lw=1.5, ls=style))
        if one.touches_edge:
            continue
        axis.errorbar(*place, one.y_um.sigma, one.x_um.sigma, color=VERMILION, lw=1.0)
        text = f"({one.diameter_um.value:.0f} ± {one.diameter_um.sigma:.0f}) µm"
        axis.annotate(
            text,
            place,
            (0, 8 + 0.5 * one.diameter_um.value),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color="white",
        )
    axis.set(aspect="equal", xlabel="x (µm)", ylabel="y (µm)")
    figure.suptitle(title, fontsize=10)
    return figure


def growth_figure(
    series: AmountSeries, steps: SeiSteps, title: str, labels: Mapping[str, str] | None = None
) -> Figure:
    """Amounts of groups over time with the onset of each, and its error as a band.

    Parameters
    ----------
    labels
        Of groups, in words.
    """
    figure = Figure(figsize=(6.0, 3.8), layout="constrained")
    axis = figure.subplots()
    for number, (group, one) in enumerate(steps.onsets.items()):
        colour = COLOURS[number % len(COLOURS)]
        name = (labels or {}).get(group, group)
        onset = one.onset_h
        when = f", from {onset.value:.1f} ± {onset.sigma:.1f} h" if one.is_growing else ", does not grow"
        axis.errorbar(
            series.time_h,
            series.amount[group],
            series.sigma[group],
            fmt="o",
            ms=3,
            lw=0.8,
            color=colour,
            label=name + when,
        )
        if one.is_growing:
            axis.axvspan(onset.value - onset.sigma, onset.value + onset.sigma, color=colour, alpha=0.2, lw=0)
    axis.set(xlabel="Time (h)", ylabel="Amount (nm)")
    axis.legend(fontsize=7, frameon=False)
    axis.set_title(steps.reason, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure

"""Figures of electron energy losses: a spectrum with its fit, maps, and profiles across a battery."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.reduction.eels import Claim, ComponentMaps, NanobatteryProfile, Prepared
from intercalate.reduction.results import Estimate
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION

GREY = "#777777"
COLOURS = {"LiCoO2": BLUE, "Li2O": ORANGE, "Li2O2": VERMILION, "LiPON": GREEN, "Si": GREY}
MARKERS = {"LiCoO2": "o", "Li2O": "s", "Li2O2": "D", "LiPON": "^", "Si": "v"}


def spectrum_figure(prepared: Prepared, maps: ComponentMaps, where: np.ndarray, title: str) -> Figure:
    """Low losses, and core losses with fit, background and what is left, of some pixels.

    Parameters
    ----------
    where
        Pixels whose sum is shown, shape (rows, columns).
    """
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    low, core, left = figure.subplots(3, 1, height_ratios=[1.2, 2.0, 0.8])
    low.semilogy(
        prepared.low.energy_ev, np.maximum(prepared.low.electrons[where].sum(axis=0), 0.5), color=BLUE, lw=0.9
    )
    low.set(xlabel="Energy loss (eV)", ylabel="Electrons")
    shown = (prepared.core.energy_ev >= maps.energy_ev[0]) & (prepared.core.energy_ev <= maps.energy_ev[-1])
    measured = prepared.core.electrons[..., shown][where].sum(axis=0)
    core.plot(maps.energy_ev, measured, color=GREY, lw=0.7, label="measured")
    core.plot(maps.energy_ev, maps.model[where].sum(axis=0), color=BLUE, lw=1.2, label="fit")
    core.plot(
        maps.energy_ev, maps.background[where].sum(axis=0), color=ORANGE, lw=1.0, ls="--", label="background"
    )
    core.set(ylabel="Electrons")
    core.legend(frameon=False)
    scale = np.sqrt(np.maximum(maps.model[where].sum(axis=0), 1.0))
    left.plot(maps.energy_ev, (measured - maps.model[where].sum(axis=0)) / scale, color=GREY, lw=0.6)
    left.axhline(0.0, color="black", lw=0.5)
    left.set(xlabel="Energy loss (eV)", ylabel="Left (sigma)")
    left.sharex(core)
    return _titled(figure, [low, core, left], title)


def maps_figure(
    maps: ComponentMaps, pixel_nm: float, title: str, names: Sequence[str] | None = None, unit: str = "nm"
) -> Figure:
    """Amounts of components, and the misfit; a component that is not determined says so."""
    shown = list(maps.amount) if names is None else list(names)
    columns = min(len(shown) + 1, 3)
    rows = -(-(len(shown) + 1) // columns)
    figure = Figure(figsize=(2.7 * columns, 2.5 * rows), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).ravel())
    extent = (0.0, maps.misfit.shape[1] * pixel_nm, maps.misfit.shape[0] * pixel_nm, 0.0)
    for axis, name in zip(axes, shown):
        if maps.determined(name):
            high = max(float(np.nanpercentile(maps.amount[name], 99)), 1e-9)
            image = axis.imshow(maps.amount[name], vmin=0.0, vmax=high, extent=extent, cmap="viridis")
            figure.colorbar(image, ax=axis, label=unit, shrink=0.8)
        else:
            axis.text(0.5, 0.5, "not determined", ha="center", va="center", transform=axis.transAxes)
        axis.set_title(name, fontsize=9)
    last = axes[len(shown)]
    misfit = last.imshow(100 * maps.misfit, extent=extent, cmap="magma", vmin=0.0)
    figure.colorbar(misfit, ax=last, label="%", shrink=0.8)
    if maps.is_unknown.any() and not maps.is_unknown.all():
        last.contour(np.flipud(maps.is_unknown), levels=[0.5], colors="white", linewidths=0.8, extent=extent)
    last.set_title("misfit", fontsize=9)
    for axis in axes[: len(shown) + 1]:
        axis.set(xlabel="x (nm)", ylabel="y (nm)")
    for axis in axes[len(shown) + 1 :]:
        axis.set_axis_off()
    figure.suptitle(title, fontsize=10)
    return figure


def profile_figure(
    profile: NanobatteryProfile, title: str, names: Sequence[str] = ("LiCoO2", "Li2O", "Li2O2", "LiPON")
) -> Figure:
    """Amounts of compounds across the battery, and the valence of cobalt with its errors."""
    figure = Figure(figsize=(7.5, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1.0])
    for name in names:
        amount, sigma = profile.maps.amount[name][0], profile.maps.sigma_stat[name][0]
        upper.errorbar(
            profile.x_nm,
            amount,
            sigma,
            color=COLOURS.get(name, GREY),
            marker=MARKERS.get(name, "x"),
            ms=3.0,
            lw=0.9,
            elinewidth=0.6,
            label=name,
        )
    end = profile.cathode_end.position_nm
    for axis in (upper, lower):
        if np.isfinite(end.value):
            axis.axvspan(end.value - end.sigma, end.value + end.sigma, color=GREY, alpha=0.3, lw=0)
    upper.set(ylabel="Amount (nm)")
    upper.legend(frameon=False, ncols=2)
    _valences(lower, profile.valence_x_nm, profile.valence.combined)
    lower.set(xlabel="Position across the layers (nm)", ylabel="Valence of Co")
    return _titled(figure, [upper, lower], title)


def _valences(axis: Axes, x_nm: np.ndarray, found: Sequence[Estimate]) -> None:
    """With statistical errors, and a thin bar of both together."""
    value = np.array([one.value for one in found])
    both = np.array([one.sigma for one in found])
    stat = np.array([one.sigma_stat for one in found])
    # Where cobalt fades the error says nothing that could be seen.
    known = np.isfinite(value) & (both < 0.5)
    axis.errorbar(x_nm[known], value[known], both[known], fmt="none", ecolor=GREY, elinewidth=0.6)
    axis.errorbar(x_nm[known], value[known], stat[known], fmt="o", ms=4, color=BLUE, elinewidth=1.6)
    axis.axhline(3.0, color="black", lw=0.5, ls=":")
    axis.axhline(4.0, color="black", lw=0.5, ls=":")
    axis.set_ylim(1.8, 4.5)


def _titled(figure: Figure, axes: Sequence[Axes], title: str) -> Figure:
    for axis, letter in zip(axes, "abcdefg"):
        axis.text(-0.11, 1.0, letter, transform=axis.transAxes, va="top", weight="bold")
    figure.suptitle(title, fontsize=10)
    return figure


def claims_text(claims: Sequence[Claim]) -> Mapping[str, str]:
    """Number, error and verdict of each claim, for captions and reports."""
    return {
        claim.name: (
            f"{claim.value.value:.3g} +- {claim.value.sigma:.2g}, over {claim.threshold:g}: "
            f"{'holds' if claim.holds else 'does not hold'}"
        )
        for claim in claims
    }

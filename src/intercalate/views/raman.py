"""The figure of an operando Raman experiment."""

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.materials.raman_sulfur import SPECIES
from intercalate.reduction.raman import map_mean, maps_of
from intercalate.views import raman_oxides, sulfur
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION, hours_of, stacked_figure, voltage_panel

GREY = "#777777"

MOST_MAPS = 6
"""In one figure."""
DEPTHS_APART_UM = 0.5
"""From which maps are of several depths: the focus of one wanders by less."""

SHOWN_PER_CM = (1480.0, 1680.0)
REGIMES = {
    "dilute": (BLUE, "o"),
    "between dilute and staged": (GREY, "v"),
    "staged": (GREEN, "s"),
    "stage 2 or denser": (ORANGE, "D"),
    "stage 1": (VERMILION, "^"),
}
"""Colour and marker of each."""
GRAPHITE_MAPS = (
    ["graphite.x", "E2g2(i).intensity", "E2g2(b).intensity"],
    ["x in Li$_x$C$_6$", "E2g2(i) (counts/cm)", "E2g2(b) (counts/cm)"],
)
OXIDE_MAPS = (["oxide.x", "oxide.oxidation_number"], ["x", "Oxidation number"])
"""Quantities, and what is written beside them."""
SULFUR_UNITS = {"cathode": "S per C", "electrolyte": "mol of S / L"}
"""Of amounts, by what light met."""
CARBIDE = "Li$_2$C$_2$, made by the laser"
READING = "reading"
"""Number of the regime by which a lithium content was read."""
BAND_STYLES = {"E2g2(i)": ("o", BLUE), "E2g2(b)": ("s", GREEN), "E2g2(1)": ("^", VERMILION)}


def raman_figure(data: xr.Dataset, records: xr.Dataset, title: str) -> Figure:
    """Spectra, voltage and current, what the bands say, and lithium content on one time axis.

    Parameters
    ----------
    data
        Aligned and reduced spectra: `test_time_second` along `frame`, `intensity` (frame, shift), and what
        `spectra_of_graphite`, `spectra_of_oxide` or `spectra_of_sulfur` gives.
    records
        Cycler records with `test_time_second`, `voltage_volt`, `current_ampere`.
    title
        Above all.
    """
    panels = (_spectra, voltage_panel, _bands, _content)
    if "oxide.x" in data:
        panels = (_spectra, voltage_panel, raman_oxides.shares_panel, raman_oxides.content_panel)
    if "cathode.S8" in data:
        panels = (_spectra, voltage_panel, sulfur.cathode_panel, sulfur.electrolyte_panel)
    return stacked_figure(panels, [2.6, 1.2, 1.3, 1.6], data, records, title)


def save_raman_figure(path: Path, data: xr.Dataset, records: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    figure = raman_figure(data, records, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def map_figure(data: xr.Dataset, title: str) -> Figure:
    """The first maps: lithium content, and brightness of the bands or oxidation number; or species of sulfur.

    Above an amount stands its mean over the points in which it is known, as `map_mean` gives it.

    Parameters
    ----------
    data
        Reduced spectra of a grid, as `maps_of` arranges them.

    Raises
    ------
    MapError
        If they are not those of a grid.
    """
    names, labels = _mapped(data)
    errors = [f"{name}_sigma_{part}" for name in names for part in ("stat", "sys", "shared")]
    if "graphite.regime" in data:
        _, regimes = np.unique(np.asarray(data["graphite.regime"]).astype(str), return_inverse=True)
        data = data.assign({READING: ("frame", regimes)})
    images = maps_of(data, [*names, *(one for one in (*errors, READING) if one in data)])
    shown = min(images.sizes["map"], MOST_MAPS)
    figure, axes = plt.subplots(
        shown, len(names), figsize=(3.4 * len(names), 3.0 * shown), squeeze=False, layout="constrained"
    )
    has_depths = "objective_z_um" in images and np.ptp(images["objective_z_um"].values) > DEPTHS_APART_UM
    for number, row in enumerate(axes):
        for axis, name, label in zip(row, names, labels):
            mesh = axis.pcolormesh(
                np.asarray(images["x_um"]),
                np.asarray(images["y_um"]),
                np.asarray(images[name][number]),
                shading="nearest",
                cmap="cividis",
            )
            axis.set(aspect="equal", xlabel="x (µm)")
            axis.set_title(_mean_of(images.isel(map=number), name), fontsize=7)
            figure.colorbar(mesh, ax=axis).set_label(label)
        hours = (
            f", {float(images['test_time_second'][number]) / 3600:.2f} h"
            if "test_time_second" in images
            else ""
        )
        depth = f", z = {float(images['objective_z_um'][number]):.1f} µm" if has_depths else ""
        row[0].set_ylabel(f"map {number + 1}{hours}{depth}\ny (µm)")
    figure.suptitle(title, fontsize=10)
    return figure


def _mapped(data: xr.Dataset) -> tuple[list[str], list[str]]:
    """What is shown of maps, and what is written beside it."""
    if "oxide.x" in data:
        return OXIDE_MAPS
    if "cathode.S8" in data:
        known = {one: int(np.isfinite(np.asarray(data[f"{one}.S8"])).sum()) for one in SULFUR_UNITS}
        where = max(known, key=lambda one: known[one])
        return [f"{where}.{one}" for one in SPECIES], [f"{one} ({SULFUR_UNITS[where]})" for one in SPECIES]
    return GRAPHITE_MAPS


def _mean_of(image: xr.Dataset, name: str) -> str:
    """The mean of one map in words; none of a brightness, nor where its errors are not known."""
    needed = [f"{name}{end}" for end in ("", "_sigma_stat", "_sigma_sys")]
    if name.endswith(".intensity") or not all(one in image for one in needed):
        return ""
    shared, readings = (
        np.asarray(image[one], float) if one in image else None for one in (f"{name}_sigma_shared", READING)
    )
    value, stat, systematic = (np.asarray(image[one], float) for one in needed)
    found = map_mean(value, stat, systematic, shared, readings)
    if not np.isfinite(found.mean.value):
        return "no mean"
    digits = max(0, 1 - math.floor(math.log10(found.mean.sigma))) if found.mean.sigma > 0 else 3
    mean = f"mean {found.mean.value:.{digits}f} ± {found.mean.sigma:.{digits}f}"
    return mean if found.points == 1 else f"{mean}, scatter {found.scatter.value:.{digits}f}"


def save_map_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG; raises as `map_figure`."""
    figure = map_figure(data, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def _spectra(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    shift = np.asarray(data["shift"])
    low_per_cm, high_per_cm = raman_oxides.SHOWN_PER_CM if "oxide.x" in data else SHOWN_PER_CM
    if "cathode.S8" in data:
        low_per_cm, high_per_cm = sulfur.SHOWN_PER_CM
    shown = (shift > low_per_cm) & (shift < high_per_cm)
    intensity = np.asarray(data["intensity"])[:, shown]
    # Fluorescence grows with lithium: each spectrum is shown in parts of its own range.
    low = np.nanpercentile(intensity, 5, axis=1, keepdims=True)
    high = np.nanpercentile(intensity, 99.5, axis=1, keepdims=True)
    mesh = axis.pcolormesh(
        hours_of(data),
        shift[shown],
        np.clip((intensity - low) / (high - low), 0.0, 1.0).T,
        shading="nearest",
        cmap="cividis",
        rasterized=True,
    )
    axis.set_ylabel("Raman shift (cm$^{-1}$)")
    axis.figure.colorbar(mesh, ax=axis, pad=0.01).set_label("Intensity, of its range")


def _bands(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    for band, (marker, colour) in BAND_STYLES.items():
        name = f"{band}.centre"
        axis.errorbar(
            hours_of(data),
            np.asarray(data[name]),
            yerr=np.asarray(data[f"{name}_sigma_stat"]),
            fmt=marker,
            ms=2.5,
            lw=0.7,
            color=colour,
            label=band,
        )
    made = np.isfinite(np.asarray(data["Li2C2.intensity"]))
    if made.any():
        at, low = np.asarray(hours_of(data))[made], np.full(made.sum(), 0.04)
        axis.plot(at, low, "x", ms=3, color="#D55E00", transform=axis.get_xaxis_transform(), label=CARBIDE)
    axis.set_ylabel("Band (cm$^{-1}$)")
    axis.legend(loc="best", fontsize=7, frameon=False)


def _content(axis: Axes, data: xr.Dataset, records: xr.Dataset) -> None:
    regimes = np.asarray(data["graphite.regime"]).astype(str)
    sigma = np.hypot(np.asarray(data["graphite.x_sigma_stat"]), np.asarray(data["graphite.x_sigma_sys"]))
    for regime, (colour, marker) in REGIMES.items():
        chosen = regimes == regime
        if chosen.any():
            axis.errorbar(
                hours_of(data)[chosen],
                np.asarray(data["graphite.x"])[chosen],
                yerr=sigma[chosen],
                fmt=marker,
                ms=2.5,
                lw=0.7,
                color=colour,
                label=regime,
            )
    axis.set_ylabel("x in Li$_x$C$_6$\nwhere the laser is")
    axis.set_ylim(-0.05, 1.05)
    axis.legend(loc="best", fontsize=7, frameon=False)

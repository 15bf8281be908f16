"""What pressure does to a sample between diamonds: lengths and volume of its cell, and the rest of a fit."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.materials.equations_of_state import EquationOfState
from intercalate.pressed_results import equation_of_state
from intercalate.reduction.pressure import AXES
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION

COLOURS = dict(zip(AXES, (BLUE, VERMILION, GREEN)))


def pressure_figure(data: xr.Dataset, title: str) -> Figure:
    """Relative lengths and the volume by the pressure of the marker, and the rest of the equation of state.

    Parameters
    ----------
    data
        As `reduce_pressed` gives it.
    """
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    lengths, right = figure.subplots(1, 2)
    grid = right.get_subplotspec()
    right.remove()
    parts = grid.subgridspec(2, 1, height_ratios=(3, 1))
    volumes = figure.add_subplot(parts[0])
    rest = figure.add_subplot(parts[1], sharex=volumes)
    pressure = np.asarray(data["pressure_gpa"], float)
    found, material = equation_of_state(data), data.attrs["material"]
    for axis, colour in COLOURS.items():
        values = np.asarray(data[f"{material}.{axis}"], float)
        first = values[np.nanargmin(pressure)] if np.isfinite(pressure).any() else np.nan
        slope = 1e3 * found.compressibility[axis].value
        error = 1e3 * found.compressibility[axis].sigma
        label = f"{axis}: {slope:.2f} ± {error:.2f} TPa⁻¹" if np.isfinite(slope) else axis
        lengths.plot(pressure, values / first, "o", ms=4, color=colour, label=label)
    lengths.set(xlabel="Pressure by the marker (GPa)", ylabel="Length / at the lowest pressure")
    lengths.legend(frameon=False, fontsize=8, title="compressibility", title_fontsize=8)
    _volume(volumes, rest, data, found)
    figure.suptitle(title, fontsize=10)
    return figure


def _volume(volumes, rest, data: xr.Dataset, found) -> None:
    pressure, volume = (np.asarray(data[name], float) for name in ("pressure_gpa", "volume_angstrom3"))
    error = np.asarray(data["pressure_gpa_sigma_stat"], float)
    volumes.errorbar(pressure, volume, xerr=error, fmt="o", ms=4, color=BLUE)
    volumes.set_ylabel("Volume of the cell (Å³)")
    volumes.tick_params(labelbottom=False)
    rest.set(xlabel="Pressure by the marker (GPa)", ylabel="Residual (GPa)")
    modulus = found.modulus_gpa
    if not np.isfinite(modulus.value):
        volumes.text(
            0.5, 0.9, "no equation of state fits", transform=volumes.transAxes, ha="center", fontsize=8
        )
        return
    law = EquationOfState(found.volume_angstrom3.value, modulus.value, found.slope.value)
    line = np.linspace(np.nanmin(volume), max(float(np.nanmax(volume)), law.volume_angstrom3), 200)
    volumes.plot(law.pressure_gpa(line), line, lw=1.0, color=ORANGE)
    words = f"K = {modulus.value:.1f} ± {modulus.sigma:.1f} GPa, K' = {found.slope.value:.2f}"
    volumes.text(0.95, 0.9, words, transform=volumes.transAxes, ha="right", fontsize=8)
    rest.errorbar(pressure, pressure - law.pressure_gpa(volume), yerr=error, fmt="o", ms=3, color=BLUE)
    rest.axhline(0.0, lw=0.8, color=ORANGE)


def save_pressure_figure(path: Path, data: xr.Dataset, title: str) -> None:
    """Write the figure as PNG."""
    pressure_figure(data, title).savefig(path, dpi=160)

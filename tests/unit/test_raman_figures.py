"""Figures of Raman spectra show what was found, and nothing where nothing was."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from intercalate.reduction.raman import MapError
from intercalate.views.raman import map_figure, raman_figure

REGIMES = ["dilute", "between dilute and staged", "staged", "stage 2 or denser", "undetermined"]
BANDS = ("E2g2(i)", "E2g2(b)", "E2g2(1)")


def spectra(points: int = 3, visits: int = 2) -> xr.Dataset:
    """Reduced spectra of maps, some of which say nothing."""
    count = visits * points**2
    draw = np.random.default_rng(1)
    steps = np.linspace(-5.0, 5.0, points)
    y_um, x_um = (np.tile(one.ravel(), visits) for one in np.meshgrid(steps, steps, indexing="ij"))
    shift = np.linspace(1400.0, 1700.0, 150)
    variables = {
        "graphite.x": draw.uniform(0.0, 0.3, count),
        "graphite.x_sigma_stat": np.full(count, 0.01),
        "graphite.x_sigma_sys": np.full(count, 0.02),
        "graphite.regime": np.array([REGIMES[i % len(REGIMES)] for i in range(count)]),
        "objective_x_um": x_um,
        "objective_y_um": y_um,
        "visit": np.repeat(np.arange(visits), points**2),
    }
    for band in BANDS:
        for part in ("centre", "centre_sigma_stat", "intensity"):
            variables[f"{band}.{part}"] = draw.uniform(1.0, 2.0, count)
    variables["graphite.x"][::5] = np.nan
    return xr.Dataset(
        {name: ("frame", values) for name, values in variables.items()}
        | {"intensity": (("frame", "shift"), draw.uniform(100.0, 200.0, (count, shift.size)))},
        {"test_time_second": ("frame", 60.0 * np.arange(count)), "shift": shift},
    )


def test_maps_are_shown_in_their_order():
    figure = map_figure(spectra(), "sample (simulated)")
    panels = [axis for axis in figure.axes if axis.get_xlabel() == "x (µm)"]
    assert len(panels) == 6
    assert panels[0].get_ylabel().startswith("map 1, 0.07 h")
    assert figure.get_suptitle() == "sample (simulated)"
    plt.close(figure)


def test_spectra_of_one_spot_are_no_map():
    with pytest.raises(MapError, match="lie on 1 x 1 points"):
        map_figure(spectra().isel(frame=[0]), "")


def test_each_regime_of_a_course_has_its_own_marker():
    times = np.arange(0.0, 1200.0, 60.0)
    records = xr.Dataset(
        {
            "test_time_second": ("record", times),
            "voltage_volt": ("record", 3.0 + times / 2000.0),
            "current_ampere": ("record", np.full(times.size, 1e-3)),
        }
    )
    figure = raman_figure(spectra(), records, "")
    (legend,) = [axis.get_legend() for axis in figure.axes if "where the laser is" in axis.get_ylabel()]
    assert [one.get_text() for one in legend.get_texts()] == REGIMES[:-1]
    plt.close(figure)

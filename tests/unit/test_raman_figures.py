"""Figures of Raman spectra show what was found, and nothing where nothing was."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from intercalate.materials.raman_sulfur import SPECIES
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
    variables["Li2C2.intensity"] = np.where(np.arange(count) % 4 == 1, 5.0, np.nan)
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


def test_maps_of_several_depths_say_at_which_they_are():
    data = spectra(visits=2)
    depth_um = np.repeat([0.0, -5.0], data.sizes["frame"] // 2)
    figure = map_figure(data.drop_vars("visit").assign(objective_z_um=("frame", depth_um)), "")
    labels = [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel().startswith("map")]
    plt.close(figure)
    assert [one.split("\n")[0].split(", ")[-1] for one in labels] == ["z = 0.0 µm", "z = -5.0 µm"]


def test_above_an_amount_stands_its_mean_with_the_systematic_error_whole():
    data = spectra(points=8, visits=1)
    content = np.random.default_rng(2).uniform(0.15, 0.3, data.sizes["frame"])
    content[:3] = np.nan
    data = data.assign({"graphite.x": ("frame", content)})
    data["graphite.x_sigma_sys"] = ("frame", np.full(content.size, 0.05))

    def titles(regimes: list[str]) -> list[str]:
        figure = map_figure(data.assign({"graphite.regime": ("frame", np.array(regimes))}), "")
        plt.close(figure)
        return [axis.get_title() for axis in figure.axes if axis.get_xlabel() == "x (µm)"]

    scatter = np.sqrt(np.nanvar(content, ddof=1) - 0.01**2)
    mean = f"mean {np.nanmean(content):.3f} ± 0.050, scatter {scatter:.3f}"
    assert titles(["staged"] * content.size) == [mean, "", ""]
    assert titles(["staged", "dilute"] * (content.size // 2)) == ["no mean", "", ""]


def test_species_of_sulfur_are_shown_where_the_light_met_them():
    names = [f"{where}.{one}" for where in ("cathode", "electrolyte") for one in SPECIES]
    data = spectra(points=4, visits=1)
    for name in names:
        value = np.nan if name.startswith("electrolyte") else 0.2
        for end, one in (("", value), ("_sigma_stat", 0.01), ("_sigma_sys", 0.02), ("_sigma_shared", 0.01)):
            data[f"{name}{end}"] = ("frame", np.full(data.sizes["frame"], one))
    figure = map_figure(data.drop_vars(["graphite.x", "graphite.regime"]), "")
    labels = [axis.get_ylabel() for axis in figure.axes if axis.get_xlabel() != "x (µm)"]
    titles = {axis.get_title() for axis in figure.axes if axis.get_xlabel() == "x (µm)"}
    plt.close(figure)
    assert labels == [f"{one} (S per C)" for one in SPECIES]
    # Counting is shared: 0.01 and 0.02 remain of it, however many points there are.
    assert titles == {"mean 0.200 ± 0.022, scatter 0.000"}


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


def oxide_spectra() -> xr.Dataset:
    """Reduced spectra of an oxide, on four points."""
    shift, draw = np.linspace(300.0, 800.0, 100), np.random.default_rng(2)
    names = ("oxide.x", "oxide.oxidation_number", "share.Ni2+", "share.Ni3+", "share.Ni4+")
    columns = {f"{name}{end}": draw.uniform(0.1, 0.3, 4) for name in names for end in ("", "_sigma_stat")}
    columns |= {"objective_x_um": np.array([0.0, 5.0] * 2), "objective_y_um": np.repeat([0.0, 5.0], 2)}
    return xr.Dataset(
        {name: ("frame", values) for name, values in columns.items()}
        | {"intensity": (("frame", "shift"), draw.uniform(1.0, 2.0, (4, shift.size)))},
        {
            "shift": shift,
            "test_time_second": ("frame", 60.0 * np.arange(4)),
            "x_positive": ("frame", np.linspace(0.9, 0.1, 4)),
        },
    )


def test_of_an_oxide_shares_of_all_ions_and_both_lithium_contents_are_shown():
    times = np.arange(0.0, 300.0, 60.0)
    columns = {"test_time_second": times, "voltage_volt": 4.0 + times, "current_ampere": times * 0.0}
    records = xr.Dataset({name: ("record", values) for name, values in columns.items()})
    figure = raman_figure(oxide_spectra(), records, "")
    legends = [axis.get_legend() for axis in figure.axes if axis.get_legend() is not None]
    texts = [[one.get_text() for one in legend.get_texts()] for legend in legends]
    assert texts == [["Ni2+", "Ni3+", "Ni4+"], ["coulometry", "bands"]]
    plt.close(figure)
    maps = map_figure(oxide_spectra(), "")
    assert sum(axis.get_xlabel() == "x (µm)" for axis in maps.axes) == 2
    plt.close(maps)

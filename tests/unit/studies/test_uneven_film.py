"""The analysis of a film decides by maps of its thickness, by places of growth and by elements in a cut."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from intercalate_plans.studies import Cells, MeasuredCell, load_study
from intercalate_plans.studies.uneven_film import film_of, starts_um

S38 = load_study("S38")
POINTS, FIELD_UM, MADE_UM = 40, 160.0, 10.0
STRIPPED = (0.0, 0.24, 0.48, 0.45)
GROWN = 60


def measured(uneven: float, follows: float, elements: float, seed: int = 0, **noise: float) -> Cells:
    """A film whose loss scatters, growth that follows it, and elements that scatter, each so much."""
    draw = np.random.default_rng(seed)
    shape = (POINTS, POINTS)
    relief = ndimage.gaussian_filter(draw.standard_normal(shape), 1.0) * 2.0
    relief += ndimage.gaussian_filter(draw.standard_normal(shape), 2.5) * 5.0
    depth = np.clip(relief / relief.std() - 0.8, 0.0, None)
    depth /= depth.mean()
    sigma_um = noise.get("sigma_um", 0.3)
    film = []
    for charge in STRIPPED:
        loss = 4.85 * charge * (1.0 - uneven + uneven * depth)
        film.append(MADE_UM - loss + (charge > 0) * sigma_um * draw.standard_normal(shape))
    chance = np.exp(follows * (depth > 0)).ravel()
    at = draw.choice(POINTS**2, GROWN, replace=False, p=chance / chance.sum())
    step = FIELD_UM / POINTS
    places = {"y": (at // POINTS + 0.5) * step - 80.0, "x": (at % POINTS + 0.5) * step - 80.0}
    time_s = 1e4 * np.arange(4.0)
    charge = ("frame", -np.array(STRIPPED))
    columns: dict[str, Any] = {
        f"deposit_{axis}_um": (("frame", "deposit"), np.vstack([np.full((3, GROWN), np.nan), values]))
        for axis, values in places.items()
    }
    kinds = np.array([[""] * GROWN] * 3 + [["mossy"] * (GROWN - 5) + ["needle"] * 5])
    images = xr.Dataset(
        {
            **columns,
            "deposit_class": (("frame", "deposit"), kinds),
            "note": ("frame", np.full(4, "")),
            "pixel_um": ("frame", np.full(4, 0.3)),
            "field_um": ("frame", np.full(4, FIELD_UM)),
            "column_field_of_view_um": ("frame", np.full(4, FIELD_UM)),
            "charge_mah_cm2": charge,
            "thumbnail": (("frame", "row", "column"), np.zeros((4, 8, 8), np.uint8)),
        },
        {"test_time_second": ("frame", time_s)},
    )
    dims = ("frame", "map_row", "map_column")
    maps = xr.Dataset(
        {
            "film_um": (dims, np.array(film)),
            "film_um_sigma_stat": (dims, np.full((4, *shape), sigma_um)),
            "map_step_um": ("frame", np.full(4, step)),
            "charge_mah_cm2": charge,
        },
        {"test_time_second": ("frame", time_s + 1000.0)},
    )
    lines = {}
    for name in ("Zr", "La", "C"):
        mean = 400.0 * np.exp(elements * ndimage.gaussian_filter(draw.standard_normal(shape), 1.5) * 5.0)
        lines[f"line.{name}"] = (dims, draw.poisson(mean)[None].astype(float))
        lines[f"line.{name}_sigma_stat"] = (dims, np.sqrt(mean)[None])
    return {
        "V1": MeasuredCell(xr.Dataset(), {"sem": images, "eds": maps}),
        "V2": MeasuredCell(xr.Dataset(), {"eds": xr.Dataset(lines)}),
    }


@pytest.mark.parametrize("seed", range(12))
def test_uneven_thinning_with_growth_in_it_is_found_only_where_it_is(seed: int) -> None:
    assert S38.analyse(measured(0.5, 4.0, 0.2, seed)).recovered
    for without in ((0.0, 0.0, 0.2), (0.5, 0.0, 0.2), (0.5, -4.0, 0.2), (0.5, 4.0, 0.0)):
        found = S38.analyse(measured(*without, seed))
        assert not found.recovered, (without, [str(one) for one in found.claims])


def test_unevenness_is_given_by_the_charge() -> None:
    found = S38.analyse(measured(0.5, 4.0, 0.2))
    truth = film_of(measured(0.5, 4.0, 0.2, sigma_um=1e-6)["V1"])
    for number in (1, 2):
        one = found.quantity(f"spread_{number}")
        assert abs(one.value - float(truth.loss_um[number].std())) < 3.0 * one.sigma
    assert found.quantity("spread_2").value > 1.8 * found.quantity("spread_1").value
    assert found.quantity("count_needle").value == 5.0
    assert found.quantity("largest").value > found.quantity("smallest").value > 0.0


def test_what_was_there_before_has_not_started() -> None:
    cell = measured(0.5, 4.0, 0.2)["V1"]
    assert len(starts_um(cell)) == GROWN
    images = cell.frames["sem"].copy(deep=True)
    for axis in "xy":
        images[f"deposit_{axis}_um"][2, :10] = images[f"deposit_{axis}_um"][3, :10]
    assert len(starts_um(MeasuredCell(cell.records, {**cell.frames, "sem": images}))) == GROWN - 10


def test_what_cannot_be_used_is_said() -> None:
    cells = measured(0.5, 4.0, 0.2)
    found = S38.analyse({"V1": cells["V1"]})
    assert not found.recovered
    assert "no map of a cut shows Zr, La, C" in found.text
    assert "no cell has images of a film" in S38.analyse({"V2": cells["V2"]}).text
    dark = cells["V1"].frames["eds"].isel(frame=slice(0, 2))
    short = MeasuredCell(xr.Dataset(), {**cells["V1"].frames, "eds": dark})
    assert "2 maps of a film are of use, 3 are the least" in S38.analyse({**cells, "V1": short}).text


def test_the_figure_has_the_film_its_growth_and_the_cut() -> None:
    cells = measured(0.5, 4.0, 0.2)
    figure = S38.figure(cells, S38.analyse(cells), "S38")
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles[-3:] == ["Zr in the cut", "La in the cut", "C in the cut"]

"""The analysis of a heated metal decides by relief, patterns and grains, and says when it cannot."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from intercalate_plans.studies import Cells, MeasuredCell, load_study

S43 = load_study("S43")
HEATED_C = (25.0, 150.0, 325.0, 25.0)


def estimated(name: str, values: list[float], sigma: float) -> dict[str, Any]:
    return {
        name: ("frame", np.array(values)),
        f"{name}_sigma_stat": ("frame", np.full(len(values), 0.5 * sigma)),
        f"{name}_sigma_sys": ("frame", np.full(len(values), sigma)),
    }


def seen(
    seed: int = 0,
    *,
    temperatures_c: tuple[float, ...] = HEATED_C,
    collapses: bool = False,
    melts: bool = True,
    same_grains: float = 0.0,
) -> Cells:
    """A cell at some temperatures; images are taken before maps."""
    draw = np.random.default_rng(seed)
    hot = [melts and one > 200.0 for one in temperatures_c]
    count = len(temperatures_c)

    def frames(start_s: float, columns: dict[str, Any]) -> xr.Dataset:
        time_s = start_s + 2000.0 * np.arange(count)
        told = {
            "chamber_temperature_c": ("frame", np.array(temperatures_c) + 0.3 * draw.standard_normal(count))
        }
        return xr.Dataset({**told, **columns}, {"test_time_second": ("frame", time_s)})

    flat = [collapses and one for one in hot]
    noise = 0.005 * draw.standard_normal(count)
    covered = [0.0 if one else 0.2 + error for one, error in zip(flat, noise)]
    relief = [np.nan if one else 0.9 + 2.0 * error for one, error in zip(flat, noise)]
    images = frames(
        0.0,
        {
            **estimated("coverage", covered, 0.01),
            **estimated("same_relief", [np.nan, *relief[1:]], 0.05),
            "thumbnail": (("frame", "row", "column"), np.zeros((count, 8, 8), np.uint8)),
            "column_field_of_view_um": ("frame", np.full(count, 50.0)),
        },
    )
    share = [0.01 if one else 0.98 for one in hot]
    after = np.cumsum(hot) > 0
    area = [np.nan if one else (same_grains if later else 0.95) for one, later in zip(hot, after)]
    maps = frames(
        100.0,
        {
            **estimated("same_area", [np.nan, *area[1:]], 0.04),
            "pattern_share": ("frame", np.array(share)),
            "colour": (("frame", "row", "column", "channel"), np.zeros((count, 64, 64, 3), np.uint8)),
            "step_um": ("frame", np.full(count, 1.25)),
        },
    )
    return {"V2": MeasuredCell(xr.Dataset(), {"sem": images, "ebsd": maps})}


@pytest.mark.parametrize("seed", range(20))
def test_melting_below_a_layer_that_stays_is_found_where_it_is_alone(seed: int) -> None:
    assert S43.analyse(seen(seed)).recovered
    for world in ({"collapses": True}, {"melts": False, "same_grains": 0.95}, {"same_grains": 0.95}):
        found = S43.analyse(seen(seed, **world))
        assert not found.recovered, (world, [str(one) for one in found.claims])


def test_who_saw_no_melt_says_so() -> None:
    found = S43.analyse(seen(temperatures_c=(25.0, 100.0, 150.0)))
    assert not found.recovered
    assert "3 visits below and 0 above" in found.text
    assert str(found.claims[0]).endswith("(undetermined)")


def test_who_did_not_look_after_cooling_knows_nothing_of_the_grains() -> None:
    found = S43.analyse(seen(temperatures_c=HEATED_C[:3]))
    assert not found.recovered
    assert not np.isfinite(found.quantity("same_grains").value)
    assert found.claims[0].holds


def test_the_figure_shows_every_temperature() -> None:
    cells = seen()
    figure = S43.figure(cells, S43.analyse(cells), "S43")
    titles = [axis.get_title() for axis in figure.axes]
    assert [one for one in titles if one] == ["25 °C", "150 °C", "325 °C", "25 °C"]

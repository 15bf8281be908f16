"""The analysis of a liquid cell decides by classes of deposits at two overpotentials, and once dissolved."""

import tomllib
from typing import Any

import numpy as np
import pytest
import xarray as xr

from intercalate_plans.studies import Cells, Study, StudyError, load_study, one_cell, only
from intercalate_plans.studies.overpotential import steps_of
from intercalate_plans.studies.study import FOLDER

S50 = load_study("S50")
STEPS = ((-0.04, 20), (0.3, 4), (-0.3, 16), (0.3, 16))
WRONG = 0.01
"""Share of images that are given the wrong class."""


def imaged(whiskers: tuple[float, float], tubes: tuple[float, float], seed: int = 0) -> Cells:
    """Shares of whiskers at small and large overpotential, and of tubes among them as grown and dissolved."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number, (bias_v, count) in enumerate(STEPS):
        for _ in range(count):
            is_whisker = draw.uniform() < whiskers[number // 2]
            is_whisker ^= draw.uniform() < WRONG
            is_tube = draw.uniform() < tubes[number % 2]
            row = {"scan_bias_v": bias_v, "habit": "cluster", "filling": "undetermined", "width_nm": 400.0}
            if is_whisker:
                row |= {"habit": "whisker", "filling": "hollow" if is_tube else "filled", "width_nm": 140.0}
            elif number % 2:
                row |= {"habit": "", "filling": ""}
            row["density"] = 0.92 + 0.02 * draw.standard_normal()
            rows.append(row)
    columns = {name: ("frame", np.array([row[name] for row in rows])) for name in rows[0]}
    errors = {f"width_nm_sigma_{kind}": ("frame", np.full(len(rows), 5.0)) for kind in ("stat", "sys")}
    thumbnail = {"thumbnail": (("frame", "row", "column"), np.zeros((len(rows), 8, 8), np.uint8))}
    return one_cell(xr.Dataset(), xr.Dataset(columns | errors | thumbnail), "tem")


@pytest.mark.parametrize("seed", range(12))
def test_clusters_and_whiskers_that_turn_hollow_are_found_only_where_they_are(seed: int) -> None:
    assert S50.analyse(imaged((0.0, 1.0), (0.0, 0.97), seed)).recovered
    for without in (
        ((0.5, 0.5), (0.0, 0.97)),
        ((1.0, 0.0), (0.0, 0.97)),
        ((0.0, 1.0), (0.0, 0.0)),
        ((0.0, 1.0), (1.0, 1.0)),
        ((1.0, 1.0), (0.0, 0.97)),
    ):
        found = S50.analyse(imaged(*without, seed))
        assert not found.recovered, (without, [str(one) for one in found.claims])


def test_voltages_say_what_was_grown_and_what_dissolved() -> None:
    steps = steps_of(only(imaged((0.0, 1.0), (0.0, 0.97)))[1])
    assert [(one.grown_v, one.is_dissolved, len(one.frames)) for one in steps] == [
        (0.04, False, 20),
        (0.04, True, 4),
        (0.3, False, 16),
        (0.3, True, 16),
    ]


def test_sizes_are_those_of_what_was_grown() -> None:
    found = S50.analyse(imaged((0.0, 1.0), (0.0, 0.97)))
    assert found.quantity("cluster_nm").value == pytest.approx(400.0)
    assert found.quantity("whisker_nm").value == pytest.approx(140.0)
    assert found.quantity("tubes").value > 0.7


def test_what_cannot_be_used_is_said() -> None:
    records, frames = only(imaged((0.0, 1.0), (0.0, 0.97)))
    grown = one_cell(records, frames.isel(frame=slice(0, 40)))
    found = S50.analyse(grown)
    assert not found.recovered
    assert "0 images are dissolved, 8 are needed" in found.text
    assert "At 0.04 V 0 of 20 deposits are whiskers." in found.text
    small = one_cell(records, frames.isel(frame=slice(0, 24)))
    assert "fewer than two overpotentials" in S50.analyse(small).text
    unknown = one_cell(records, frames.drop_vars("scan_bias_v"))
    assert "do not say which voltage" in S50.analyse(unknown).text


def test_a_mistake_in_what_is_imaged_is_explained() -> None:
    content = tomllib.loads((FOLDER / "S50.toml").read_text())
    content.pop("study")
    wrong = Study(id="S50", about=S50.about, content=content | {"places": [28, 4]})
    with pytest.raises(StudyError, match="2 numbers of places at 4 voltages; give one for each"):
        _ = wrong.series


def test_places_are_apart_and_the_same_at_each_voltage() -> None:
    assert S50.series is not None
    places = [(one.bias_v, one.beside_mm) for one in S50.series.scans]
    assert len(places) == 28 + 4 + 16 + 16
    grown = [at for _, at in places[:28]]
    assert [at for _, at in places[28:32]] == grown[:4]
    assert np.min(np.diff(sorted(grown))) == pytest.approx(0.002)


def test_the_figure_has_every_step() -> None:
    cells = imaged((0.0, 1.0), (0.0, 0.97))
    figure = S50.figure(cells, S50.analyse(cells), "S50")
    labels = [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()]
    assert labels == ["-0.04 V", "+0.30 V", "-0.30 V", "+0.30 V", "Share of the places"]

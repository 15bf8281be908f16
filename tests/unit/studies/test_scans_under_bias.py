"""Scans of a thin battery under voltage: what they say in each world, and when they say nothing."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scans_in_process import scanned
from intercalate.config import EXAMPLES, Config
from intercalate.nanobattery_results import reduce_nanobattery
from intercalate_plans.studies import Study, StudyError, World, load_study, one_cell, only
from intercalate_plans.studies.study import FOLDER
from intercalate_sims.probes.nanobattery import FILM_NM, FILM_SIGMA, NanobatteryLaw, film, nanobattery

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(
    ("world", "recovered"), [(World.EFFECT, True), (World.NULL, False), (World.PERMUTED, False)]
)
def test_the_layer_comes_out_where_it_is(world: World, recovered: bool, tmp_path: Path) -> None:
    study = load_study("S53")
    measured = scanned(study, study.told(world), 3, tmp_path)
    finding = study.analyse(measured.cells)
    assert finding.recovered is recovered
    held = {claim.text: claim.holds for claim in finding.claims}
    # Nothing happens in the null world, whose disordered layer is as real.
    assert all(held[one] for one in held if one.startswith("before")) is (world is not World.PERMUTED)
    # What is not there before and after is not there: one scan says nothing of charging.
    records, frames = only(measured.cells)
    alone = one_cell(records, frames.isel(frame=slice(0, -1)))
    assert not study.analyse(alone).recovered
    assert study.analyse(alone).quantities == []


def test_before_charging_and_afterwards_laws_differ_as_they_say() -> None:
    def layers(law: NanobatteryLaw, was_charged: bool) -> str:
        return nanobattery(1, law, was_charged=was_charged).layers[1].name

    states = {law: [layers(law, charged) for charged in (False, True)] for law in NanobatteryLaw}
    assert states == {
        NanobatteryLaw.REAL: ["disordered", "oxidised"],
        NanobatteryLaw.STILL: ["disordered", "disordered"],
        NanobatteryLaw.REVERSED: ["oxidised", "disordered"],
    }


def test_films_are_about_as_thick_as_is_told() -> None:
    section = Config.from_file(EXAMPLES / "config" / "simulated.toml").eels
    assert section is not None
    told = {(one.thickness_nm, one.thickness_sigma) for one in section.detector.films.values()}
    assert told == {(FILM_NM, FILM_SIGMA)}
    off = np.array([film("Li2O", seed).thickness_nm for seed in range(200)]) / FILM_NM - 1.0
    assert off.std() == pytest.approx(FILM_SIGMA, rel=0.2)


def test_contents_belong_to_frames() -> None:
    section = Config.from_file(EXAMPLES / "config" / "simulated.toml").eels
    assert section is not None
    with pytest.raises(ValueError, match="what was in 1 frames, and has 0"):
        reduce_nanobattery([], scanned_nothing(), ["CoO"], {}, section)


def scanned_nothing():
    import xarray as xr

    return xr.Dataset({"scan_step_nm": ("frame", np.zeros(0))})


def test_a_mistake_in_what_is_scanned_is_explained() -> None:
    study = load_study("S53")
    content = tomllib.loads((FOLDER / "S53.toml").read_text())
    content.pop("study")
    wrong = Study(id="S53", about=study.about, content=content | {"step": 1.0})
    with pytest.raises(StudyError, match=r"S53.toml(.|\n)*step = 1.0: unknown key; did you mean step_nm"):
        _ = wrong.series

"""Data files of studies are valid, and mistakes in them and in their names are explained."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from intercalate.cli import main
from intercalate.config import EXAMPLES, Config
from intercalate.pressed import CheckedScan
from intercalate_plans.studies import Study, StudyError, World, load_study, merged, studies
from intercalate_plans.studies.study import FOLDER
from intercalate_sims.settings import SimulationSettings

CONFIG = Config.from_file(EXAMPLES / "config" / "simulated.toml")
SITE = CONFIG.site


@pytest.mark.parametrize("name", studies())
def test_a_study_is_an_experiment_that_can_run(name: str) -> None:
    study = load_study(name)
    if study.pressed is not None:
        assert CheckedScan.from_content(study.content, name, EXAMPLES, CONFIG).sample.material == "LFP"
    elif study.series is None:
        *formation, measured = study.experiments(SITE)
        assert not any(one.cells[0].measurements for one in formation)
        assert bool(formation) == (study.about.formation is not None)
        assert measured.cells[0].measurements
    else:
        assert study.series.scans
    shipped = tomllib.loads((EXAMPLES / "config" / "simulation.toml").read_text())
    told = [study.told(World(one)) for one in [World.EFFECT, *study.about.worlds]]
    for one in told:
        assert SimulationSettings.model_validate(merged(shipped, one))
    assert all(one != told[0] for one in told[1:])
    assert study.about.published.source


def test_both_studies_of_graphite_are_there() -> None:
    assert {"S20", "S26"} <= set(studies())


def changed(tmp_path: Path, old: str, new: str) -> Path:
    path = tmp_path / "S20.toml"
    shutil.copy(FOLDER / "S20.toml", path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_mistake_in_what_is_said_of_a_study_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"study.orign = 'emergent': unknown key; did you mean origin\?"):
        Study.from_file(changed(tmp_path, "origin =", "orign ="))


def test_a_mistake_in_the_experiment_is_explained(tmp_path: Path) -> None:
    study = Study.from_file(changed(tmp_path, "exposure_s", "exposure"))
    with pytest.raises(StudyError, match=r"S20.toml(.|\n)*did you mean exposure_s\?"):
        study.experiments(SITE)


def test_a_study_that_has_no_direction_has_no_permuted_world(tmp_path: Path) -> None:
    study = Study.from_file(changed(tmp_path, '[study.worlds.permuted.hosts]\nA1 = "reversed"\n', ""))
    assert study.told(World.NULL)["hosts"] == {"A1": "solid_solution"}
    with pytest.raises(StudyError, match=r"neither ranks nor has a direction; use one of effect, null"):
        study.told(World.PERMUTED)


def command(*words: str):
    return CliRunner().invoke(main, ["study", *words])


def test_a_name_that_is_mistyped_is_guessed_and_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = command("S200")
    assert answer.exit_code == 1
    assert "there is no such study; did you mean S20?" in answer.output
    assert not list(tmp_path.iterdir())


def test_what_does_not_go_together_is_a_mistake_of_use() -> None:
    assert command().exit_code == 2
    assert "intercalate study --list" in command().output
    assert "two worlds" in command("S20", "--null", "--permuted").output
    assert command("S20", "--seed", "-1").exit_code == 2


def test_studies_are_listed() -> None:
    answer = command("--list")
    assert "S20" in answer.output
    assert "emergent; worlds: effect, null, permuted" in answer.output
    rows = json.loads(command("--list", "--json").output)
    assert {"S20", "S26"} <= {row["study"] for row in rows}


@pytest.mark.parametrize("name", [one for one in studies() if load_study(one).has_cells])
def test_its_cells_have_places_on_the_beamline_of_the_study(name: str) -> None:
    study = load_study(name)
    shipped = tomllib.loads((EXAMPLES / "config" / "simulated.toml").read_text())
    config = Config.model_validate(merged(shipped, study.about.beamline))
    places = {**config.changer.places, **({} if config.vacuum is None else config.vacuum.changer.places)}
    for one in study.experiments(SITE)[-1].cells:
        assert one.place is None or places[one.place].channel is not None

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from intercalate.cli import main
from intercalate.config import EXAMPLES, STARTUP_FOLDER, Config
from intercalate.queue.manager import LISTS, PERMISSIONS


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTERCALATE_CONFIG", raising=False)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    return invoke


def test_init_writes_a_folder_that_works(command, tmp_path: Path) -> None:
    result = command("init", "mine")
    assert result.exit_code == 0, result.output
    for name in ("simulated.toml", "beamline.toml", "simulation.toml", "experiments/first_light.toml"):
        assert (tmp_path / "mine" / name).exists()
    startup = Config.from_file(tmp_path / "mine" / "simulated.toml").queue.startup_folder
    assert startup == tmp_path / "mine" / STARTUP_FOLDER
    shipped = {path.name: path.read_text() for path in (EXAMPLES / STARTUP_FOLDER).glob("*.*")}
    assert {path.name: path.read_text() for path in startup.iterdir()} == shipped
    assert set(shipped) == {"00_session.py", LISTS, PERMISSIONS}
    assert "intercalate simulate up" in result.output


def test_init_overwrites_nothing(command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    result = command("init", "mine")
    assert result.exit_code == 1
    assert "not empty" in result.output
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_mistake_in_an_experiment_is_a_message_and_no_traceback(command, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('mode = "operando"\ncel = "x"\n')
    result = command("run", str(path))
    assert result.exit_code == 1
    assert "did you mean cell?" in result.output
    assert "Traceback" not in result.output


def test_nothing_running_is_said(command) -> None:
    for words in (("simulate", "status"), ("catalog", "status")):
        assert "nothing is running" in command(*words).output
    for words in (("simulate", "down"), ("catalog", "down")):
        assert "nothing was running" in command(*words).output


def test_runs_without_a_catalog_say_how_to_start_it(command, tmp_path: Path) -> None:
    text = (EXAMPLES / "config" / "simulated.toml").read_text().replace("8410", "18499")
    (tmp_path / "simulated.toml").write_text(text)
    result = command("runs")
    assert result.exit_code == 1
    assert "intercalate catalog up" in result.output


def test_running_without_simulators_says_how_to_start_them(command) -> None:
    result = command("run", str(EXAMPLES / "experiments" / "first_light.toml"))
    assert result.exit_code == 1
    assert "start the simulators first" in result.output


def test_an_unknown_cell_model_names_the_known_ones(command) -> None:
    result = command("simulate", "up", "--cell", "lfp-unobtainium")
    assert result.exit_code == 1
    assert "nmc811-graphite" in result.output


def test_a_folder_of_something_else_is_no_place_for_a_demo(command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious.h5").touch()
    result = command("demo", "--folder", "data")
    assert result.exit_code == 1
    assert "something else" in result.output
    assert (tmp_path / "data" / "precious.h5").exists()


def test_check_plans_the_visits_without_hardware(command) -> None:
    answer = command("check", str(EXAMPLES / "experiments" / "two_cells.toml"))
    assert answer.exit_code == 0, answer.output
    rows = [line.split() for line in answer.output.splitlines() if line.startswith(("H1  ", "H2  "))]
    assert [row[0] for row in rows] == ["H1", "H2"]
    assert all(int(row[1]) > 100 and row[2] == "0" for row in rows)
    assert "of which the beam is on a cell" in answer.output
    assert "depend on the course" not in answer.output


def test_a_command_without_hardware_makes_no_storage_folder(command, tmp_path: Path) -> None:
    assert command("init", "mine").exit_code == 0
    config, experiment = tmp_path / "mine/simulated.toml", tmp_path / "mine/experiments/two_cells.toml"
    answer = command("-c", str(config), "check", str(experiment))
    assert answer.exit_code == 0, answer.output
    assert not (tmp_path / "mine/.intercalate").exists()


def test_check_goes_through_the_course_of_the_cell(command) -> None:
    answer = command("check", str(EXAMPLES / "experiments" / "right_moment.toml"))
    assert answer.exit_code == 0, answer.output
    assert "xrd: frames every 3600 s or at 3.6, 3.8, 4 V going up or on a peak of dQ/dV" in answer.output
    assert "Course of a simulated cell (nmc811-graphite)" in answer.output
    assert "GB before compression" in answer.output


def test_check_names_a_place_that_is_not_there(command, tmp_path: Path) -> None:
    text = (EXAMPLES / "experiments" / "two_cells.toml").read_text().replace('"../', f'"{EXAMPLES}/')
    path = tmp_path / "experiment.toml"
    path.write_text(text.replace('place = "H2"', 'place = "H7"'))
    answer = command("check", str(path))
    assert answer.exit_code == 1
    assert "no place 'H7' on the changer; there are H1, H2" in answer.output


def test_an_override_needs_a_reason(command) -> None:
    answer = command("run", str(EXAMPLES / "experiments" / "two_cells.toml"), "--override", "disk")
    assert answer.exit_code == 2
    assert "gives no reason" in answer.output


def test_only_instruments_that_there_are_can_be_calibrated(tmp_path: Path) -> None:
    path = tmp_path / "simulated.toml"
    path.write_text((EXAMPLES / "config" / "simulated.toml").read_text().split("\n# Ex situ: ")[0])
    answer = CliRunner().invoke(main, ["-c", str(path), "calibrate", "--station", "laboratory_xrd"])
    assert answer.exit_code == 2
    assert "the configuration has no laboratory_xrd; it has xrd" in answer.output
    answer = CliRunner().invoke(main, ["-c", str(path), "calibrate", "--station", "xdr"])
    assert "'xdr' is not one of 'xrd', 'laboratory_xrd'" in answer.output
    answer = CliRunner().invoke(main, ["-c", str(path), "calibrate", "H1", "H9"])
    assert "'H9' is no place on the changer of xrd; H1, H2" in answer.output
    answer = CliRunner().invoke(main, ["-c", str(path), "calibrate", "--calibrant", "LaB7"])
    assert "'LaB7' is no calibrant on the changer of xrd; there is LaB6" in answer.output
    assert not (tmp_path / ".intercalate").exists()

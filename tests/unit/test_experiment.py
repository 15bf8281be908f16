from pathlib import Path

import pytest

from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.experiment import Experiment, ExperimentError
from intercalate.orchestration import occasions
from intercalate.orchestration.tasks import CellTask
from intercalate.pressed import is_pressure_scan
from intercalate.protocol import ProtocolError, SiteLimits
from intercalate.user_plans import load_user_plans

FIRST_LIGHT = EXAMPLES / "experiments" / "first_light.toml"


@pytest.fixture(scope="module")
def site() -> SiteLimits:
    return Config.from_file(DEFAULT_CONFIG).site


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    text = FIRST_LIGHT.read_text().replace('"../', f'"{EXAMPLES}/')
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    return path


OF_CELLS = [one for one in sorted((EXAMPLES / "experiments").glob("*.toml")) if not is_pressure_scan(one)]


@pytest.mark.parametrize("path", OF_CELLS, ids=lambda p: p.stem)
def test_the_shipped_experiments_can_run_on_the_simulated_site(path: Path, site: SiteLimits) -> None:
    experiment = Experiment.from_file(path, site)
    assert all(one.protocol.describe() for one in experiment.cells)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (('on_abort = "rest"\n', ""), ("on_abort", "(absent)")),
        (('on_client_lost = "rest"\n', ""), ("on_client_lost", "(absent)")),
        (('on_abort = "rest"', 'on_abort = "stop"'), ("on_abort", "stop")),
        (("exposure_s = 60.0", "exposure_s = -1.0"), ("measurements.xrd.exposure_s", "-1")),
        (("exposure_s = 60.0", "exposure_s = nan"), ("measurements.xrd.exposure_s",)),
        (('budget_MGy = "unlimited"', ""), ("measurements.xrd.budget_MGy", "(absent)")),
        (('budget_MGy = "unlimited"', "budget_MGy = 0"), ("measurements.xrd.budget_MGy", "0")),
        (('budget_MGy = "unlimited"', 'budget_MGy = "lots"'), ("measurements.xrd.budget_MGy", "lots")),
        (("time_s = 300.0", "times = 300.0"), ("times", "did you mean time_s")),
        (("time_s = 300.0", ""), ("measurements.xrd.when",)),
        (('mode = "operando"', 'mode = "opperando"'), ("mode", "opperando")),
        (("initial_soc = 0.0", "initial_soc = 3.0"), ("initial_soc", "3")),
    ],
)
def test_a_mistake_is_named_with_file_and_field(
    tmp_path: Path, site: SiteLimits, pair: tuple[str, str], words: tuple[str, ...]
) -> None:
    path = changed(tmp_path, pair)
    with pytest.raises(ExperimentError) as refused:
        Experiment.from_file(path, site)
    message = str(refused.value)
    assert str(path) in message
    for word in words:
        assert word in message


def test_operando_without_a_measurement_is_refused(tmp_path: Path, site: SiteLimits) -> None:
    text = FIRST_LIGHT.read_text().replace('"../', f'"{EXAMPLES}/')
    path = tmp_path / "experiment.toml"
    path.write_text(text[: text.index("[measurements.xrd]")])
    with pytest.raises(ExperimentError, match="the mode measures"):
        Experiment.from_file(path, site)


TWO_CELLS = EXAMPLES / "experiments" / "two_cells.toml"


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (('place = "H2"', ""), ("cells[1].place", "(absent)", "there are other cells")),
        (("spots_mm = [[0.0, 0.0]", "spots_mm = [[0.0, 99.0]"), ("cells[1].measurements.xrd.spots_mm", "99")),
        (
            ("priority = 1", "priorities = 1"),
            ("cells[0].measurements.xrd.priorities", "did you mean priority"),
        ),
        (
            ("every = { time_s = 600.0 }", "at = { voltage_V = [9.0] }"),
            ("cells[0].measurements.xrd.when.at.voltage_V", "9.0", "the program stays within 0 to 4.3 V"),
        ),
        (
            ("every = { time_s = 600.0 }", "at = { stp = [1] }"),
            ("measurements.xrd.when.at.stp", "did you mean step"),
        ),
        (('mode = "operando"', 'mode = "cycling"'), ("measurements", "the mode is cycling alone")),
        (("nmc811_graphite_twin", "no_such_twin"), ("no such file as", "no_such_twin")),
        (("preflight = true", 'preflight = true\ncell = "x.toml"'), ("cell", "belongs to one of [[cells]]")),
    ],
)
def test_a_mistake_in_several_cells_is_named(
    tmp_path: Path, site: SiteLimits, pair: tuple[str, str], words: tuple[str, ...]
) -> None:
    text = TWO_CELLS.read_text().replace('"../', f'"{EXAMPLES}/')
    assert pair[0] in text
    path = tmp_path / "experiment.toml"
    path.write_text(text.replace(*pair))
    with pytest.raises(ExperimentError) as refused:
        Experiment.from_file(path, site)
    for word in words:
        assert word in str(refused.value)


def test_several_cells_are_read_with_their_own_times_and_spots(site: SiteLimits) -> None:
    experiment = Experiment.from_file(TWO_CELLS, site)
    assert [one.place for one in experiment.cells] == ["H1", "H2"]
    assert [len(one.measurements[0].spots_mm) for one in experiment.cells] == [1, 3]
    assert experiment.preflight
    tasks = CellTask.all_of([one.task() for one in experiment.cells])
    assert [task.checked_cell() for task in tasks] == [one.cell for one in experiment.cells]


def test_a_cell_file_that_is_not_there_is_named(tmp_path: Path, site: SiteLimits) -> None:
    path = changed(tmp_path, ("nmc811_graphite_operando.toml", "no_such_cell.toml"))
    with pytest.raises(ExperimentError, match=r"no such file as .*no_such_cell"):
        Experiment.from_file(path, site)


def test_a_site_that_allows_less_refuses_the_protocol(tmp_path: Path, site: SiteLimits) -> None:
    narrow = site.model_copy(update={"max_current_mA": 0.1})
    with pytest.raises(ProtocolError, match=r"0\.1"):
        Experiment.from_file(changed(tmp_path), narrow)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("[3.6, 3.8, 4.0]", "[3.6, 4.9]"), ("hold.voltage_V", "4.9", "no step of the protocol passes it")),
        (("max_s = 900.0", "max = 900.0"), ("hold.max", "did you mean max_s")),
        (('mode = "in_situ"', 'mode = "operando"'), ("hold", "no cell is held in the mode operando")),
        (("relax_time_s = 1800.0\n", ""), ("hold.relax_time_s", "(absent)")),
    ],
)
def test_a_mistake_in_a_hold_is_named(
    tmp_path: Path, site: SiteLimits, pair: tuple[str, str], words: tuple[str, ...]
) -> None:
    text = (EXAMPLES / "experiments" / "held_points.toml").read_text().replace('"../', f'"{EXAMPLES}/')
    assert pair[0] in text
    path = tmp_path / "experiment.toml"
    path.write_text(text.replace(*pair))
    with pytest.raises(ExperimentError) as refused:
        Experiment.from_file(path, site)
    for word in (*words, str(path)):
        assert word in str(refused.value)


def test_without_holds_there_is_nothing_to_measure_at_them(tmp_path: Path, site: SiteLimits) -> None:
    path = changed(tmp_path, ("when = { every = { time_s = 300.0 } }\n", ""))
    with pytest.raises(ExperimentError, match=r"measurements\.xrd\.when\.at\.hold.*nothing holds the cell"):
        Experiment.from_file(path, site)


def carried(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    text = (EXAMPLES / "experiments" / "ex_situ.toml").read_text().replace('"../', f'"{EXAMPLES}/')
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "carried.toml"
    path.write_text(text)
    return path


def test_a_cell_to_be_carried_says_how(tmp_path: Path, site: SiteLimits) -> None:
    experiment = Experiment.from_file(carried(tmp_path), site)
    assert experiment.transfer is not None
    assert experiment.transfer.voltage_V == (2.5, 4.0)
    assert experiment.transfer.measurements["relaxed"].count == 2


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("max_o2_ppm", "max_o_ppm")], "did you mean max_o2_ppm"),
        ([("max_h2o_ppm = 1.0\n", "")], "transfer.max_h2o_ppm"),
        ([("voltage_V = [2.5, 4.0]", "voltage_V = [4.0, 2.5]")], "lower voltage first"),
        ([('to = "laboratory_xrd"', 'to = "xrd"')], "cells are carried to laboratory_xrd"),
        ([("exposure_s = 1800.0", "exposure_s = 9000.0")], "transfer.measurements.relaxed.exposure_s"),
        ([('mode = "ex_situ"', 'mode = "operando"')], "no cell is carried anywhere in the mode operando"),
        ([("[transfer]", "[transfers]"), ("[transfer.", "[transfers.")], "transfers"),
    ],
)
def test_a_mistake_of_a_transfer_is_named(
    tmp_path: Path, site: SiteLimits, pairs: list[tuple[str, str]], words: str
) -> None:
    with pytest.raises(ExperimentError, match=words):
        Experiment.from_file(carried(tmp_path, *pairs), site)


def test_the_vessel_carries_one_cell(tmp_path: Path, site: SiteLimits) -> None:
    text = TWO_CELLS.read_text().replace('"../', f'"{EXAMPLES}/').replace('"operando"', '"ex_situ"')
    path = tmp_path / "two.toml"
    path.write_text(text)
    with pytest.raises(ExperimentError, match="the vessel carries one cell") as refused:
        Experiment.from_file(path, site)
    assert "nobody said how the cell is carried" in str(refused.value)


CONDITION = """
from intercalate.orchestration import condition

@condition
def warm_enough(record, kept):
    return record["surface_temperature_celsius"] > 30.0
"""


def with_function(tmp_path: Path, *more: tuple[str, str]) -> Path:
    return changed(
        tmp_path, ("{ every = { time_s = 300.0 } }", '{ on = { function = "warm_enough" } }'), *more
    )


def test_a_condition_of_ones_own_is_named_by_its_function(
    tmp_path: Path, site: SiteLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occasions, "_CONDITIONS", {})
    path = with_function(tmp_path)
    with pytest.raises(ExperimentError, match="no loaded plan file has registered it"):
        Experiment.from_file(path, site)
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "mine.py").write_text(CONDITION)
    assert load_user_plans(tmp_path / "plans").refused == {}
    (cell,) = Experiment.from_file(path, site).cells
    assert cell.measurements[0].when.on is not None
    assert cell.measurements[0].when.on.function == "warm_enough"


def test_an_experiment_names_no_file_to_execute(tmp_path: Path, site: SiteLimits) -> None:
    (tmp_path / "mine.py").write_text(CONDITION)
    path = with_function(tmp_path, ('mode = "operando"', 'mode = "operando"\ncondition_files = ["mine.py"]'))
    with pytest.raises(ExperimentError, match="condition_files"):
        Experiment.from_file(path, site)

"""No cell goes between diamonds: each is refused with its reason, and with what works."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from intercalate.cell import Cell, CellFormat
from intercalate.check import check
from intercalate.cli import main
from intercalate.config import EXAMPLES, Config, ConfigError
from intercalate.experiment import Experiment, ExperimentError
from intercalate.orchestration.pressure_check import problems_of_cell, problems_of_pressure
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.pressed import CheckedScan, PressedError, PressedSample, is_pressure_scan
from intercalate.problems import ProblemsError

CONFIG = Config.from_file(EXAMPLES / "config" / "simulated.toml")
SCAN = EXAMPLES / "experiments" / "pressed_lfp.toml"
LIQUID = Cell.from_file(EXAMPLES / "cells" / "lfp_lithium_operando.toml")
SOLID = Cell.from_file(EXAMPLES / "cells" / "lfp_polymer_lithium.toml")


@pytest.mark.parametrize(
    ("form", "words"), [("coin", "20 mm wide"), ("pouch", "bursts"), ("swagelok", "bear no pressure")]
)
def test_a_cell_is_refused_by_its_housing_and_its_liquid(form: str, words: str) -> None:
    cell = LIQUID.model_copy(update={"format": CellFormat(form)})
    housing, liquid = (str(one) for one in problems_of_cell(cell, "sample"))
    assert re.search(f"sample.format = '{form}'.*{words}.*powder.*pressure_scan", housing)
    assert re.search("electrolyte.kind = 'liquid'.*turns solid.*powder", liquid)
    assert len(problems_of_cell(SOLID, "sample")) == 1


def test_only_measurements_that_ask_for_a_pressure_are_refused() -> None:
    plain = MeasurementTask(exposure_s=30.0, budget_MGy="unlimited")
    assert problems_of_pressure(plain, LIQUID) == []
    pressed = plain.model_copy(update={"settings": {"pressure_gpa": 5.0}})
    assert "settings.pressure_gpa" in str(problems_of_pressure(pressed, LIQUID)[0])


def test_an_experiment_that_presses_a_cell_is_refused_without_hardware(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "mine")
    path = tmp_path / "mine" / "experiments" / "first_light.toml"
    path.write_text(path.read_text() + "settings = { pressure_gpa = 5.0 }\n")
    with pytest.raises(ExperimentError, match=r"settings.pressure_gpa(.|\n)*pressure_scan"):
        Experiment.from_file(path, CONFIG.site)


def test_a_cell_at_the_place_of_the_diamonds_is_refused(tmp_path: Path) -> None:
    text = (EXAMPLES / "experiments" / "two_cells.toml").read_text().replace('"../', f'"{EXAMPLES}/')
    experiment = Experiment.from_content(
        tomllib.loads(text.replace('"H2"', '"DAC"')), "two", tmp_path, CONFIG.site
    )
    with pytest.raises(ProblemsError, match=r"cell at DAC(.|\n)*between two diamonds"):
        list(check(experiment, CONFIG))


def scan_with(tmp_path: Path, old: str, new: str) -> Path:
    text = SCAN.read_text().replace('"../', f'"{EXAMPLES}/')
    assert old in text
    path = tmp_path / "scan.toml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "8.0, 10.0]",
            "8.0, 26.0]",
            r"pressures_gpa\[5\] = 26.0: the anvils may be pressed to 25 GPa; say less",
        ),
        ("[0.0, 2.0", "[-1.0, 2.0", r"pressures_gpa\[0\] = -1"),
        ("beam_mm = 0.08", "beam_mm = 0.2", "beam_mm = 0.2: the hole in the gasket is 0.3 mm wide"),
        ("beam_mm = 0.08", 'place = "H1"', "place = 'H1': there is no diamond-anvil cell.*say DAC"),
        ("samples/lfp_nanopowder_gold.toml", "samples/none.toml", "there is no such file"),
        ("samples/lfp_nanopowder_gold.toml", "cells/lfp_lithium_operando.toml", "does not fit into a hole"),
        ("exposure_s = 300.0", "exposures = 300.0", "did you mean exposure_s"),
        ("sample =", "cell =", "cell = .*a cell does not go between diamonds; name a powder"),
    ],
)
def test_what_cannot_be_done_is_said_by_check_before_anything_moves(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = scan_with(tmp_path, old, new)
    with pytest.raises(PressedError) as refused:
        CheckedScan.from_file(path, CONFIG)
    assert re.search(words, str(refused.value))
    answer = CliRunner().invoke(main, ["check", str(path)])
    assert answer.exit_code == 1
    assert re.search(words, answer.output)


def test_a_filling_may_bear_less_than_the_anvils(tmp_path: Path) -> None:
    sample = tmp_path / "soft.toml"
    text = (EXAMPLES / "samples" / "lfp_nanopowder_gold.toml").read_text()
    sample.write_text(text + "highest_gpa = 9.0\n")
    path = scan_with(tmp_path, f'"{EXAMPLES}/samples/lfp_nanopowder_gold.toml"', f'"{sample}"')
    with pytest.raises(
        PressedError, match=r"pressures_gpa\[5\].*lfp-nanopowder-gold may be pressed to 9 GPa"
    ):
        CheckedScan.from_file(path, CONFIG)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"marker": "Pb"}, "no equation of state.*use one of Au"), ({"material": "XYZ"}, "no structure")],
)
def test_samples_of_which_nothing_is_known_are_refused(change: dict[str, str], words: str) -> None:
    sample = {"name": "one", "material": "LFP", "marker": "Au", "medium": "neon"}
    with pytest.raises(PressedError, match=words):
        PressedSample.from_content(sample | change, "sample")


def test_the_shipped_scan_can_be_done_and_says_what_it_does() -> None:
    assert is_pressure_scan(SCAN)
    assert not is_pressure_scan(EXAMPLES / "experiments" / "first_light.toml")
    said = "\n".join(CheckedScan.from_file(SCAN, CONFIG).describe())
    assert "measured in the lines of Au" in said
    assert "the pressure stays" in said


def test_a_place_without_its_controller_is_a_mistake(tmp_path: Path) -> None:
    text = (EXAMPLES / "config" / "simulated.toml").read_text()
    start = text.index("[pressure_cell]")
    path = tmp_path / "simulated.toml"
    path.write_text(text[:start] + text[text.index("[changer]") :])
    with pytest.raises(ConfigError, match=r"a diamond-anvil cell is at DAC; add \[pressure_cell\]"):
        Config.from_file(path)


def test_the_adviser_sends_cells_away_and_takes_powders() -> None:
    cell = str(EXAMPLES / "cells" / "lfp_lithium_operando.toml")
    refused = CliRunner().invoke(main, ["advise", "compressibility", "--cell", cell]).output
    assert "not xrd" in refused
    assert "no cell goes between diamonds" in refused
    taken = (
        CliRunner().invoke(main, ["advise", "compressibility", "--cell", cell, "--mode", "ex_situ"]).output
    )
    assert re.search(r"1\. xrd.*diamond-anvil cell.*\[S29\]", taken)

"""Techniques: what they see, which samples they take, and advice that says where it comes from."""

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from intercalate.cell import Cell, Electrolyte
from intercalate.cli import main
from intercalate.config import EXAMPLES, Config
from intercalate.experiment import Experiment
from intercalate.techniques import AdviceError, Containment, Sample, advise, table, takes

ROWS = {"XRD", "Raman", "XPS", "SEM", "SEM + EDS", "SEM + EBSD", "SEM + FIB", "TEM", "STEM (+ EELS)", "own"}
CELL = Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")
OPTICAL = EXAMPLES / "cells" / "nmc811_graphite_optical.toml"
IN_VACUUM = [name for name, one in table().techniques.items() if one.vacuum_mbar is not None]


def cell(**electrolyte) -> Cell:
    return CELL.model_copy(update={"electrolyte": Electrolyte(name="the electrolyte", **electrolyte)})


LIQUID = cell(kind="liquid", solvents=("EC", "EMC"))
POLYMER = cell(kind="polymer")


def test_every_statement_says_where_it_comes_from():
    known = table()
    statements = [*known.combinations]
    for one in known.techniques.values():
        statements += [one.damage, *one.sees, *one.cannot, *one.needs]
    for one in statements:
        for row in one.rows:
            assert row in ROWS or re.fullmatch(r"S\d\d", row), one


def test_the_table_names_nothing_that_is_not_in_it():
    known = table()
    for name, one in known.techniques.items():
        assert one.on is None or one.on in known.techniques, name
        assert {sight.question for sight in one.sees} <= set(known.questions), name
    for one in known.combinations:
        assert set(one.members) <= set(known.techniques)
    for question in known.questions:
        strengths = [one.sight(question).strength for one in known.techniques.values() if one.sight(question)]
        assert max(strengths) >= 2, question
    assert [name for name, one in known.techniques.items() if one.damage.level == "destructive"] == ["fib"]
    assert max(known.techniques, key=lambda name: known.techniques[name].order) == "fib"


@given(name=st.sampled_from(sorted(table().solvents)), temperature_c=st.floats(-170.0, 80.0))
def test_vapour_falls_with_temperature_and_back(name, temperature_c):
    one = table().solvents[name]
    assert one.at(25.0) == pytest.approx(one.mbar)
    assert one.at(temperature_c) < one.at(temperature_c + 1.0)
    assert one.temperature_c(one.at(temperature_c)) == pytest.approx(temperature_c, abs=1e-6)


def test_the_boiling_point_of_dimethyl_carbonate_is_about_right():
    """90 degC at 1013 mbar: the enthalpy is that at room temperature."""
    assert table().solvents["DMC"].temperature_c(1013.0) == pytest.approx(90.0, abs=8.0)


@pytest.mark.parametrize("name", IN_VACUUM)
@pytest.mark.parametrize(
    "electrolyte",
    [
        {"kind": "polymer"},
        {"kind": "ceramic"},
        {"kind": "ionic_liquid"},
        {"kind": "liquid", "solvents": ("PY13-FSI",)},
        {"kind": "gel", "vapour_pressure_mbar": 1e-9},
    ],
)
def test_what_gives_off_nothing_is_taken_whatever_it_is_called(name, electrolyte):
    thin = Sample(cell(**electrolyte), thickness_nm=80.0)
    assert takes(name, thin, "in_situ" if name != "fib" else "ex_situ").refusals == ()


@pytest.mark.parametrize("name", ["sem", "eds", "xps"])
def test_a_volatile_solvent_is_refused_with_what_would_work(name):
    (why,) = takes(name, Sample(LIQUID), "in_situ").refusals
    assert re.match(
        r"EMC gives off up to 36 mbar at 25 degC, the vacuum bears 1e-\d+; below -\d+ degC it", why
    )
    assert "sealed window cell" in why
    cold_c = float(re.search(r"below (-\d+) degC", why).group(1)) - 1.0
    assert takes(name, Sample(LIQUID, temperature_c=cold_c), "in_situ").refusals == ()
    assert takes(name, Sample(LIQUID, dry=True), "ex_situ").refusals == ()
    sealed = takes(name, Sample(LIQUID, containment=Containment.WINDOW_CELL), "in_situ")
    assert bool(sealed.refusals) is (name == "xps")
    assert name == "xps" or "less resolution, and more dose" in sealed.penalties[0]


def test_the_limit_of_a_site_counts_in_the_place_of_that_of_the_table():
    gel = Sample(cell(kind="gel", solvents=("PC", "EC")))
    assert takes("sem", gel, "in_situ").refusals
    assert takes("sem", gel, "in_situ", {"sem": 0.5}).refusals == ()


def test_an_electrolyte_of_which_nothing_is_known_is_asked_for():
    (why,) = takes("sem", Sample(cell(kind="liquid")), "in_situ").refusals
    assert "say its solvents or vapour_pressure_mbar" in why
    (why,) = takes("sem", Sample(CELL.model_copy(update={"electrolyte": None})), "in_situ").refusals
    assert "nobody said of its electrolyte" in why


@pytest.mark.parametrize(
    ("thickness_nm", "words"), [(None, "nobody said how thick"), (5000.0, "5000 nm are too")]
)
def test_what_is_too_thick_is_refused(thickness_nm, words):
    (why,) = takes("tem", Sample(POLYMER, thickness_nm=thickness_nm), "in_situ").refusals
    assert words in why
    assert "lamella" in why


def test_light_needs_a_window_unless_the_cell_is_opened():
    assert "optical_window" in takes("raman", Sample(CELL), "operando").refusals[0]
    assert takes("raman", Sample(CELL), "ex_situ").refusals == ()
    assert takes("raman", Sample(Cell.from_file(OPTICAL)), "operando").refusals == ()
    bare = CELL.model_copy(update={"window_material": None})
    assert "window_material" in takes("xrd", Sample(bare), "operando").refusals[0]


def test_dendrites_of_a_polymer_cell_are_looked_at_before_they_are_milled():
    found = advise("dendrite composition", Sample(POLYMER), "in_situ")
    assert found.options[0].name == "eds"
    assert found.combinations[0].members == ("sem", "eds", "fib")
    assert set(found.refused) == {"eels"}
    spared = advise("dendrite composition", Sample(POLYMER), "in_situ", non_destructive=True)
    assert "fib" in spared.refused
    assert all("fib" not in one.members for one in spared.combinations)
    liquid = advise("dendrite composition", Sample(LIQUID), "in_situ")
    assert liquid.options == ()
    assert "nothing that sees it takes this sample" in liquid.lines()


def test_the_bulk_of_a_cell_with_both_windows_is_seen_by_both_probes():
    found = advise("intercalation mechanism", Sample(Cell.from_file(OPTICAL)), "operando")
    assert [one.name for one in found.options] == ["xrd", "raman"]
    assert ("xrd", "raman") in [one.members for one in found.combinations]
    assert "[S20, S24, S28]" in found.lines()[1]


@pytest.mark.parametrize(
    ("question", "electrolyte", "limits", "words"),
    [
        ("SEI chemestry", {}, {}, "did you mean SEI chemistry?"),
        ("morphology", {"solvents": ("DMCC",)}, {}, "did you mean DMC"),
        ("morphology", {}, {"sme": 1.0}, "did you mean sem?"),
    ],
)
def test_a_mistake_is_explained(question, electrolyte, limits, words):
    with pytest.raises(AdviceError, match=re.escape(words)):
        advise(question, Sample(cell(**electrolyte)), "operando", limits_mbar=limits)


def command(*words: str):
    return CliRunner().invoke(main, ["advise", *words])


def test_the_command_lists_questions_and_answers_one():
    listed = command("--list")
    assert listed.exit_code == 0
    assert len(listed.output.splitlines()) == len(table().questions)
    answer = command("lattice parameters", "--cell", str(OPTICAL))
    assert answer.exit_code == 0, answer.output
    assert "1. xrd, X-ray diffraction: unit cell by Bragg's law [XRD, S21, S26, S29]" in answer.output
    assert command().exit_code == 2
    assert "no '='" in command("morphology", "--cell", str(OPTICAL), "--limit", "sem").output
    assert "above 0 mbar" in command("morphology", "--cell", str(OPTICAL), "--limit", "sem=low").output


def test_a_plan_is_an_experiment_that_can_run(tmp_path: Path):
    path = tmp_path / "asked.toml"
    words = ["intercalation mechanism", "--cell", str(OPTICAL), "--plan", str(path)]
    protocol = ["--protocol", str(EXAMPLES / "protocols" / "formation_c10.json")]
    assert "say --protocol FILE" in command(*words).output
    budget = ["--budget", "xrd=2.5"]
    assert "say --budget raman=AMOUNT" in command(*words, *protocol, *budget).output
    assert not path.exists()
    assert command(*words, *protocol, *budget, "--budget", "raman=much").exit_code == 1
    assert not path.exists()
    done = command(*words, *protocol, *budget, "--budget", "raman=unlimited")
    assert done.exit_code == 0, done.output
    config = Config.from_file(EXAMPLES / "config" / "simulated.toml")
    (only,) = Experiment.from_file(path, config.site).cells
    assert [one.instrument for one in only.measurements] == ["xrd", "raman"]
    assert "exists; name another" in command(*words, *protocol, *budget, "--budget", "raman=unlimited").output


def test_nothing_is_written_for_what_nobody_drives(tmp_path: Path):
    answer = command("morphology", "--cell", str(OPTICAL), "--mode", "in_situ", "--plan", str(tmp_path / "x"))
    assert answer.exit_code == 1
    assert "drives none of these techniques" in answer.output


def test_what_is_written_is_on_one_stage_and_can_run(tmp_path: Path):
    cell = EXAMPLES / "cells" / "lfp_polymer_lithium.toml"
    protocol = EXAMPLES / "protocols" / "lfp_c5.json"
    path = tmp_path / "mine.toml"
    asked = ("--plan", str(path), "--protocol", str(protocol), "--budget", "sem=unlimited")
    answer = command("layer thickness", "--cell", str(cell), *asked)
    assert answer.exit_code == 0, answer.output
    written = tomllib.loads(path.read_text())
    assert list(written["measurements"]) == ["sem"]
    assert written["measurements"]["sem"]["settings"] == {"image_detector": "backscattered electrons"}
    assert written["cells"][0]["place"] == "V1"


@pytest.mark.parametrize(
    ("name", "words"), [("fib", "milling would open it"), ("xps", "no window lets them")]
)
def test_what_needs_the_bare_surface_refuses_a_sealed_cell(name, words):
    sealed = Sample(POLYMER, containment=Containment.WINDOW_CELL)
    (why,) = takes(name, sealed, "in_situ").refusals
    assert words in why
    found = advise("dendrite initiation", sealed, "in_situ")
    assert [one.members for one in found.combinations] == [("sem", "eds")]


def test_the_cells_that_are_shipped_say_what_their_electrolyte_gives_off():
    for path in sorted((EXAMPLES / "cells").glob("*.toml")):
        cell = Cell.from_file(path)
        refusals = takes("sem", Sample(cell), "in_situ").refusals
        assert cell.electrolyte is not None
        if cell.electrolyte.kind == "liquid":
            (why,) = refusals
            assert "gives off" in why, path
        else:
            assert not refusals, path


def test_a_solvent_that_nobody_knows_is_refused_by_its_name():
    odd = Sample(cell(kind="liquid", solvents=("EC", "sulfolane")))
    (why,) = takes("sem", odd, "in_situ").refusals
    assert "nobody knows what sulfolane in the electrolyte gives off; say vapour_pressure_mbar" in why
    said = Sample(cell(kind="liquid", solvents=("EC", "sulfolane"), vapour_pressure_mbar=1e-9))
    assert not takes("sem", said, "in_situ").refusals

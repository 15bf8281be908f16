"""Files of chemistries: what they say, what is refused, and that the old cells are what they were."""

import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from intercalate import materials
from intercalate.contract import ControlMode
from intercalate.problems import ProblemsError
from intercalate_sims.cell import REDUCED, between_electrodes_m, cell_specs, make_cell
from intercalate_sims.cell.ocv import TablePotential, potential_table
from intercalate_sims.cell.parameters import CELLS, PorousElectrode, build_cell, read_parameters

GOLDEN = json.loads((Path(__file__).parent / "golden_cells.json").read_text())
"""Readings recorded while the parameters were still constants of a module."""
HELD_V = {"nmc811-graphite": 3.7, "lfp-polymer-li": 3.3, "graphite-li": 0.12, "graphite-polymer-li": 0.12}


def rows_of(spec):
    """Terminals and, after them, what is inside, of a fresh and of a formed cell under every control."""
    rows, sign = [], -1 if spec.startswith("graphite") else 1
    for soc in (None, 0.5):
        cell = make_cell(spec, seed=7, dt_s=10.0, initial_soc=soc)
        one_c = cell.describe()["nominal_capacity_ah"]
        for mode, setpoint, steps in (
            (ControlMode.CURRENT, sign * 0.2 * one_c, 120),
            (ControlMode.REST, 0.0, 30),
            (ControlMode.CURRENT, -sign * 0.1 * one_c, 60),
            (ControlMode.VOLTAGE, HELD_V[spec], 60),
            (ControlMode.POWER, 0.2 * one_c, 30),
        ):
            for _ in range(steps):
                reading = cell.advance(mode, setpoint)
            rows.append(list(astuple(reading)[1:]))
        state = cell.probe_state()
        contents = [*state.positive.li_content, *state.negative.li_content]
        rows.append([*contents, state.plated_li_ah, state.sei_charge_ah])
    return rows


@pytest.mark.parametrize("spec", GOLDEN)
def test_cells_are_what_they_were_before_they_became_files(spec):
    rows = rows_of(spec)
    assert len(rows) == len(GOLDEN[spec])
    for row, expected in zip(rows, GOLDEN[spec]):
        assert row == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", REDUCED)
def test_every_cell_can_be_read_and_its_potentials_fall(name):
    cell = CELLS[name]
    assert cell.name == name
    assert "[" in cell.source
    for electrode in (cell.positive, cell.negative):
        if isinstance(electrode, PorousElectrode):
            assert np.all(np.diff(potential_table(electrode.potential)) < 0)


@pytest.mark.parametrize("name", REDUCED)
def test_the_window_of_x_holds_the_nominal_capacity(name):
    cell = CELLS[name]
    for electrode, window in (
        (cell.positive, cell.positive_x_window),
        (cell.negative, cell.negative_x_window),
    ):
        if isinstance(electrode, PorousElectrode):
            held_ah_m2 = electrode.sites_mol_m2 * 26.8015 * abs(window[1] - window[0])
            assert held_ah_m2 == pytest.approx(cell.nominal_capacity_ah_m2, rel=0.06)


@pytest.mark.parametrize("name", REDUCED)
def test_materials_are_those_of_the_tables(name):
    cell = CELLS[name]
    for one in (cell.positive, cell.negative):
        known = materials.electrode(one.material)
        if isinstance(one, PorousElectrode):
            assert one.site_mass_g_mol == pytest.approx(known.molar_mass_g_mol, rel=2e-3)


ELECTRODE = """
kind = "foil"
exchange_current_a_m2 = 15.0
[[source]]
of = ["rest"]
citation = "nobody"
mark = "I"
"""


def test_a_figure_without_a_source_is_refused_by_name():
    with pytest.raises(
        ProblemsError, match=r"electrodes/mine\.toml(.|\n)*exchange_current_a_m2 = 15\.0: covered"
    ):
        read_parameters(ELECTRODE.replace('"rest"', '"kind"'), "electrodes/mine.toml")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"nobody"', '""', "citation"),
        ('mark = "I"', 'mark = "sure"', "mark = 'sure': one of V, R"),
        ('"rest"', '"rest", "exchange_current"', "did you mean exchange_current_a_m2"),
        ("15.0", "", "TOML"),
        ("kind", 'variant_of = "silver"\nkind', r"silver(.|\n)*no such file"),
    ],
    ids=["citation", "mark", "of", "syntax", "variant"],
)
def test_what_is_wrong_with_a_file_is_said(before, after, message):
    with pytest.raises(ProblemsError, match=message):
        read_parameters(ELECTRODE.replace(before, after), "electrodes/mine.toml")


CELL = {
    "source": "",
    "electrolyte": "lipf6-nyman2008",
    "separator_thickness_m": 25e-6,
    "separator_porosity": 0.47,
    "contact_resistance_ohm_m2": 0.0,
    "positive_x_fresh": 0.003,
    "negative_x_fresh": 0.0,
    "positive_x_window": [0.98, 0.01],
    "negative_x_window": [0.0, 0.0],
    "nominal_capacity_ah_m2": 30.0,
    "area_cm2": 1.5,
    "heat_capacity_j_m2_k": 1e4,
    "heat_loss_w_m2_k": 50.0,
    "positive": {"electrode": "graphite-verbrugge2017"},
    "negative": {"electrode": "lithium-250um"},
}


def test_a_cell_of_files_is_built():
    cell = build_cell("mine", CELL)
    assert replace(cell, name="graphite-li", area_cm2=1.539) == replace(
        CELLS["graphite-li"], source=cell.source, heat_capacity_j_m2_k=1e4, heat_loss_w_m2_k=50.0
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"separator_porosity": 1.2}, r"cells/mine\.toml(.|\n)*separator_porosity = 1\.2: 0\.01 to 1"),
        ({"separator_porosity": None}, "separator_porosity = None: a finite number"),
        ({"area_cm2": float("nan")}, "area_cm2 = nan: a finite number"),
        ({"positive_x_window": [0.98]}, "2 members"),
        ({"positive_x_window": [0.98, 1.4]}, r"positive_x_window\[1\] = 1\.4: 0 to 1"),
        ({"seperator": 1.0}, "unknown key"),
        ({"positive": {"electrode": "lithium-250um"}}, "only be the negative"),
        ({"positive": {"electrode": "graphite-verbruge2017"}}, "did you mean graphite"),
        ({"positive": {"electrode": "graphite-verbrugge2017", "porosity": 7}}, "porosity = 7: 0.01 to 0.99"),
        ({"electrolyte": "water"}, "no such file"),
        (
            {"positive": {"electrode": "graphite-verbrugge2017", "potential": {"form": "cubic"}}},
            "potential.form",
        ),
        (
            {
                "positive": {
                    "electrode": "graphite-verbrugge2017",
                    "potential": {"sites": {"stage_1": {"fraction": 0.9}}},
                }
            },
            "sum to 1",
        ),
        (
            {
                "positive": {
                    "electrode": "lfp-prada2013",
                    "potential": {"tanhs": [[1.0, 2.0]]},
                }
            },
            r"potential\.tanhs\[0\]",
        ),
    ],
)
def test_a_wrong_cell_is_refused_with_the_key_and_the_limit(changes, message):
    with pytest.raises(ProblemsError, match=message):
        build_cell("mine", {**CELL, **changes})


def test_every_missing_key_is_named_at_once():
    with pytest.raises(ProblemsError) as caught:
        build_cell("mine", {key: CELL[key] for key in ("source", "positive", "negative", "electrolyte")})
    assert len(caught.value.problems) == 11


def test_a_table_goes_through_its_points_and_falls_between():
    potential = TablePotential(((0.0, 4.3), (0.4, 3.9), (0.5, 3.89), (1.0, 3.0)))
    assert potential.potential_v(np.array([0.4, 0.5])) == pytest.approx([3.9, 3.89])
    assert np.all(np.diff(potential_table(potential)) < 0)
    with pytest.raises(ValueError, match="rises"):
        potential_table(TablePotential(((0.0, 3.0), (0.5, 3.1), (1.0, 2.0))))


def test_unknown_cell_is_no_key():
    assert "lco-water" not in CELLS
    with pytest.raises(KeyError):
        CELLS["lco-water"]


def test_every_cell_knows_what_lies_between_its_electrodes():
    for spec in cell_specs():
        assert 1e-7 < between_electrodes_m(spec) < 1e-3
    with pytest.raises(ValueError, match="nothing is known"):
        between_electrodes_m("replay:file.mpr")

"""Example cells: each is a cell, and what it says of itself is what its model is made of."""

from importlib.resources import files
from pathlib import Path

import pytest

from intercalate.cell import Cell
from intercalate_sims.cell import cell_specs, make_cell
from intercalate_sims.cell.parameters import CELLS, PorousElectrode
from intercalate_sims.foresee import model_of

EXAMPLES = sorted(Path(str(files("intercalate") / "examples" / "cells")).glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_a_model_of_its_chemistry_and_its_figures(path):
    cell = Cell.from_file(path)
    model = model_of(cell)
    assert model in cell_specs()
    made = make_cell(model, area_cm2=cell.positive.area_cm2)
    assert cell.capacity_mAh == pytest.approx(1e3 * made.describe()["nominal_capacity_ah"], rel=0.03)
    parameters = CELLS.get(model)
    for side in ("positive", "negative"):
        told, made = getattr(cell, side), getattr(parameters, side, None)
        if isinstance(made, PorousElectrode):
            assert told.material == made.material
            assert told.loading_mg_cm2 == pytest.approx(made.active_loading_mg_cm2, rel=0.01)
            assert told.thickness_um == pytest.approx(1e6 * made.thickness_m)


@pytest.mark.parametrize(
    ("solvents", "model"),
    [
        (("EC", "EMC"), "graphite-li"),
        (("DEC", "EC"), "graphite-ecdec-li"),
        (("PC",), "graphite-pc-li"),
        (("THF",), "graphite-thf-li"),
        (("DMC", "H2O"), "graphite-wetdmc-li"),
        ((), "graphite-li"),
    ],
)
def test_solvents_decide_what_becomes_of_graphite(solvents, model):
    cell = Cell.from_file(next(path for path in EXAMPLES if path.stem == "graphite_lithium_operando"))
    assert cell.electrolyte is not None
    other = cell.model_copy(
        update={"electrolyte": cell.electrolyte.model_copy(update={"solvents": solvents})}
    )
    assert model_of(other) == model
    assert make_cell(model).describe()["spec"] == model

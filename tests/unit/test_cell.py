import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.cell import Cell, CellError

EXAMPLES = Path(str(files("intercalate") / "examples" / "cells"))


def content(**changes: Any) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "name": "cell 1",
        "format": "coin",
        "positive": {"material": "NMC811"},
        "negative": {"material": "graphite"},
        "working": "positive",
    }
    return cell | changes


def problems_in(**changes: Any) -> dict[str, str]:
    with pytest.raises(CellError) as caught:
        Cell.from_dict(content(**changes))
    return {problem.where: str(problem) for problem in caught.value.problems}


def electrode(**fields: Any) -> dict[str, Any]:
    return {"material": "NMC811"} | fields


@pytest.fixture(scope="module")
def records(real_data: Path) -> list[dict[str, Any]]:
    return json.loads((real_data / "protocol" / "aurora_samples_240620_kigr_gen2.json").read_text())


@pytest.mark.realdata
def test_all_records_of_a_robot_batch_map(records):
    cells = [Cell.from_aurora(record) for record in records]
    assert len({cell.name for cell in cells}) == 36
    for cell, record in zip(cells, records, strict=True):
        assert cell.positive.active_mass_mg == record["Cathode Active Material Weight (mg)"]
        assert cell.assembled_at is not None
        assert any(step["uts"] == cell.assembled_at.timestamp() for step in record["Assembly history"])


@pytest.mark.realdata
def test_units_of_a_robot_record(records):
    record = next(one for one in records if one["Sample ID"] == "240620_kigr_gen2_01")
    cell = Cell.from_aurora(record)
    assert cell.one_c_current_mA == pytest.approx(24.4076e-3 * 147)
    assert "147 mAh/g" in (cell.one_c_basis or "")
    assert cell.positive.area_cm2 == pytest.approx(1.5394, abs=1e-4)
    assert cell.negative.area_cm2 == pytest.approx(1.7671, abs=1e-4)
    assert cell.positive.areal_capacity_mAh_cm2 == pytest.approx(24.4076e-3 * 140 / 1.5394, rel=1e-4)
    assert cell.np_ratio == pytest.approx(0.952, abs=1e-3)
    assert cell.electrolyte is not None
    assert cell.electrolyte.volume_uL == 100.0
    assert cell.assembled_at.isoformat() == "2024-06-20T10:53:05+02:00"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"Cathode Diameter (mm)": None}, ""),
        ({"Cathode Active Material Weight (mg)": 0}, "positive.active_mass_mg"),
        ({"Actual N:P Ratio": 2.0}, "np_ratio"),
    ],
)
def test_a_robot_record_in_error_is_refused(records, change, where):
    with pytest.raises(CellError) as caught:
        Cell.from_aurora(records[0] | change)
    assert where in [problem.where for problem in caught.value.problems]


def test_a_robot_record_without_a_needed_key_names_it():
    with pytest.raises(CellError, match="Cathode Diameter"):
        Cell.from_aurora({"Sample ID": "x"})


def test_the_areal_definition_of_c_rate_goes_first():
    record: dict[str, Any] = {"Sample ID": "x", "Casing Type": 2032, "Electrolyte Name": "LP57"}
    for side in ("Cathode", "Anode"):
        record |= {
            f"{side} Diameter (mm)": 14,
            f"{side} Active Material Weight (mg)": 10,
            f"{side} Type": side,
        }
    record["Cathode C-rate Definition Specific Capacity (mAh/g)"] = 100
    assert Cell.from_aurora(record).one_c_current_mA == pytest.approx(1.0)
    record["Cathode C-rate Definition Areal Capacity (mAh/cm2)"] = 2.0
    assert Cell.from_aurora(record).one_c_current_mA == pytest.approx(2.0 * 1.5394, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"positive": electrode(active_mass_mg=0)}, "positive.active_mass_mg"),
        ({"positive": electrode(thickness_um=-1)}, "positive.thickness_um"),
        ({"positive": electrode(porosity=1.2)}, "positive.porosity"),
        ({"positive": electrode(porosity=float("nan"))}, "positive.porosity"),
        (
            {"positive": electrode(active_mass_mg=10, area_cm2=1, loading_mg_cm2=12)},
            "positive.active_mass_mg",
        ),
        ({"min_voltage_V": 4.2, "max_voltage_V": 2.5}, "min_voltage_V"),
        ({"assembled_at": "2024-06-20T10:53:05"}, "assembled_at"),
        ({"one_c_current_mA": 5.0}, "one_c_basis"),
        ({"one_c_basis": "nominal"}, "one_c_current_mA"),
        ({"electrode_count": 3}, "reference"),
        ({"reference": "Li"}, "reference"),
        (
            {"formation": [{"description": "C/10", "irreversible_capacity_mAh": -1}]},
            "formation[0].irreversible_capacity_mAh",
        ),
        ({"electrolyte": {"name": "LP57", "volume_uL": 0}}, "electrolyte.volume_uL"),
        ({"format": "coyn"}, "format"),
    ],
)
def test_what_cannot_be_is_refused(changes, where):
    assert list(problems_in(**changes)) == [where]


def test_a_mass_that_disagrees_is_told_with_both_numbers():
    text = problems_in(positive=electrode(active_mass_mg=10, area_cm2=1.5, loading_mg_cm2=8))[
        "positive.active_mass_mg"
    ]
    assert "10" in text
    assert "12" in text


def test_a_ratio_of_capacities_that_disagrees_is_told_with_both_numbers():
    sides = {
        "positive": electrode(areal_capacity_mAh_cm2=4),
        "negative": electrode(areal_capacity_mAh_cm2=4.4),
    }
    assert "1.1" in problems_in(np_ratio=1.3, **sides)["np_ratio"]
    assert Cell.from_dict(content(np_ratio=1.12, **sides)).np_ratio == 1.12


def test_several_mistakes_come_at_once_and_a_misspelt_key_is_recognised():
    found = problems_in(positive=electrode(thickness_mm=0.1, porosity=3), seperator="PE")
    assert "did you mean thickness_um?" in found["positive.thickness_mm"]
    assert "did you mean separator?" in found["seperator"]
    assert "positive.porosity" in found


@given(st.floats(0.1, 100), st.floats(0.1, 10), st.floats(0.5, 1.5))
def test_mass_is_consistent_within_five_percent(loading, area, factor):
    mass = loading * area * factor
    fields = electrode(loading_mg_cm2=loading, area_cm2=area, active_mass_mg=mass)
    far = abs(1 / factor - 1)
    if far > 0.051:
        assert "positive.active_mass_mg" in problems_in(positive=fields)
    elif far < 0.049:
        assert Cell.from_dict(content(positive=fields)).positive.mass_mg == mass


def test_mass_follows_from_loading_and_area_where_they_are_known():
    cell = Cell.from_dict(content(positive=electrode(loading_mg_cm2=10, area_cm2=1.5)))
    assert cell.positive.mass_mg == 15.0
    assert cell.negative.mass_mg is None
    assert cell.working_electrode is cell.positive


@pytest.mark.parametrize("name", ["nmc811_graphite_operando", "graphite_lithium_operando"])
def test_example_cells_are_whole_and_round_trip(name, tmp_path):
    cell = Cell.from_file(EXAMPLES / f"{name}.toml")
    assert cell.working_electrode.mass_mg is not None
    assert cell.capacity_mAh == pytest.approx(
        cell.working_electrode.areal_capacity_mAh_cm2 * cell.working_electrode.area_cm2, rel=0.02
    )
    path = tmp_path / "cell.json"
    path.write_text(cell.model_dump_json())
    assert Cell.from_file(path) == cell


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(Cell.model_fields)), json_values)
def test_any_value_in_any_field_gives_a_cell_or_a_cell_error(field, value):
    try:
        cell = Cell.from_dict(content(**{field: value}))
    except CellError:
        return
    assert Cell.from_dict(json.loads(cell.model_dump_json())) == cell


@settings(deadline=None)
@given(json_values)
def test_any_robot_record_gives_a_cell_error(value):
    with pytest.raises(CellError):
        Cell.from_aurora(value)


def test_an_unreadable_file_is_named(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("name = ")
    with pytest.raises(CellError, match=r"broken\.toml"):
        Cell.from_file(path)

"""What is asked of a transfer: limits are given by the experimenter, and typing errors are named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate.orchestration.transfer_task import TransferTask, TransferTaskError


def content(**changes: Any) -> dict[str, Any]:
    whole = {
        "max_o2_ppm": 1.0,
        "max_h2o_ppm": 2.0,
        "max_minutes": 60.0,
        "max_pressure_rise_mbar": 5.0,
        "voltage_V": [2.5, 4.0],
        "measurements": {"relaxed": {"exposure_s": 600.0, "budget_MGy": "unlimited"}},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def test_a_measurement_has_the_name_of_its_key() -> None:
    task = TransferTask.of(content())
    assert task.measurements["relaxed"].name == "relaxed"
    assert (task.to, task.measurements["relaxed"].count) == ("laboratory_xrd", 1)


def test_instruments_of_one_chamber_measure_what_is_carried_there() -> None:
    film = {"exposure_s": 9.0, "regions": ["C 1s"], "budget_MGy": "unlimited"}
    image = {"instrument": "sem", "exposure_s": 9.0, "budget_e_A2": "unlimited"}
    given = content(to="xps", opened="negative", measurements={"film": film, "image": image})
    task = TransferTask.of(given)
    assert [one.instrument for one in task.measurements.values()] == ["xps", "sem"]
    assert "taken apart, and its negative electrode is carried to xps" in task.describe()
    assert TransferTask.of(task.given()) == task


@pytest.mark.parametrize(
    "missing",
    ["max_o2_ppm", "max_h2o_ppm", "max_minutes", "max_pressure_rise_mbar", "voltage_V", "measurements"],
)
def test_no_limit_has_a_default(missing: str) -> None:
    with pytest.raises(TransferTaskError, match=missing):
        TransferTask.of(content(**{missing: None}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_o2_ppm": 0.0}, "max_o2_ppm"),
        ({"max_h2o_ppm": "dry"}, "max_h2o_ppm"),
        ({"max_minutes": float("inf")}, "max_minutes"),
        ({"voltage_V": [4.0, 2.5]}, "lower voltage first"),
        ({"voltage_V": [2.5, 40.0]}, "voltage_V"),
        ({"to": "xrd"}, "cells are carried to laboratory_xrd"),
        ({"to": "xps", "opened": "both"}, "opened"),
        ({"opened": "negative"}, "at laboratory_xrd a cell is measured whole"),
        (
            {"measurements": {"one": {"instrument": "sem", "exposure_s": 1.0, "budget_e_A2": 1.0}}},
            "made with 'sem', and the cell is carried to laboratory_xrd; there are laboratory_xrd",
        ),
        ({"max_O2_ppm": 1.0}, "unknown key"),
        ({"measurements": {}}, "measurements"),
        ({"measurements": {"Relaxed": {"exposure_s": 1.0, "budget_MGy": 1.0}}}, "measurements.Relaxed.name"),
        ({"measurements": {"cycling": {"exposure_s": 1.0, "budget_MGy": 1.0}}}, "stream of something else"),
        ({"measurements": {"transfer": {"exposure_s": 1.0, "budget_MGy": 1.0}}}, "stream of something else"),
        ({"measurements": {"one": {"exposure_s": 1.0}}}, "measurements.one.budget_MGy"),
        ({"measurements": {"one": {"exposure_s": 1.0, "budget_MGy": 1.0, "count": 0}}}, "one.count"),
        ({"measurements": {"one": {"exposure_s": 1.0, "budget_MGy": 1.0, "when": {}}}}, "unknown key"),
    ],
)
def test_a_mistake_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(TransferTaskError, match=words):
        TransferTask.of(content(**changes))


@given(st.floats(1e-3, 1e5), st.floats(1e-3, 1e5), st.integers(1, 1000))
def test_what_is_given_survives_json(o2_ppm: float, minutes: float, count: int) -> None:
    measurements = {"one": {"exposure_s": 5.0, "budget_MGy": 2.0, "count": count}}
    task = TransferTask.of(content(max_o2_ppm=o2_ppm, max_minutes=minutes, measurements=measurements))
    assert TransferTask.of(json.loads(json.dumps(task.given()))) == task

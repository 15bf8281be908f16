"""The analysis of growth decides by classes at two current densities, and by a short circuit."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from intercalate_plans.studies import Cells, MeasuredCell, load_study
from intercalate_plans.studies.dendrites import current_density, growth_of, short_at_s

S35 = load_study("S35")
AREA_CM2, FIELDS, CHARGE_MAH = 1.539, 6, 0.154
SHARES = {"needle": (0.2, 0.0, 0.01), "mossy": (0.01, 0.25, 0.02)}
"""Coverage by needles, moss and globules where this class prevails."""


def records(current_ma: float, short_at: float | None, *, noise_v: float = 1e-4, seed: int = 0) -> xr.Dataset:
    """A rest, then a constant current for as long as 0.6 mAh takes, 200 records long."""
    draw = np.random.default_rng(seed)
    time_s = np.concatenate([[0.0, 60.0], 120.0 + np.linspace(0.0, 0.6 / current_ma * 3600.0, 200)])
    current = np.where(time_s >= 120.0, current_ma / 1000.0, 0.0)
    voltage = 100.0 * current
    if short_at is not None:
        voltage[2 + int(200 * short_at) :] = 1e-3
    return xr.Dataset(
        {
            "test_time_second": ("record", time_s),
            "current_ampere": ("record", current),
            "voltage_volt": ("record", voltage + noise_v * draw.standard_normal(time_s.size)),
            "net_capacity_ah": ("record", np.concatenate([[0.0, 0.0], np.linspace(0.0, 6e-4, 200)])),
        }
    )


def plated(current_ma: float, habit: str, short_at: float | None, seed: int = 0) -> MeasuredCell:
    """Images at a quarter of the charge."""
    draw = np.random.default_rng([seed, round(1000 * current_ma)])
    columns: dict[str, Any] = {}
    for kind, share in zip(("needle", "mossy", "globular"), SHARES[habit]):
        columns[f"coverage.{kind}"] = ("frame", share * np.exp(0.3 * draw.standard_normal(FIELDS)))
        columns[f"coverage.{kind}_sigma_stat"] = ("frame", np.full(FIELDS, 1e-3))
        columns[f"coverage.{kind}_sigma_sys"] = ("frame", np.full(FIELDS, 0.01))
    frames = xr.Dataset(
        {
            **columns,
            "habit": ("frame", np.full(FIELDS, habit)),
            "note": ("frame", np.full(FIELDS, "")),
            "charge_mah_cm2": ("frame", np.full(FIELDS, CHARGE_MAH / AREA_CM2)),
            "net_capacity_ah": ("frame", np.full(FIELDS, CHARGE_MAH / 1000.0)),
            "thumbnail": (("frame", "row", "column"), np.zeros((FIELDS, 8, 8), np.uint8)),
            "column_field_of_view_um": ("frame", np.full(FIELDS, 50.0)),
        },
        {"test_time_second": ("frame", np.full(FIELDS, 120.0 + CHARGE_MAH / current_ma * 3600.0))},
    )
    return MeasuredCell(records(current_ma, short_at, seed=seed), {"sem": frames})


def cells(low: MeasuredCell, high: MeasuredCell) -> Cells:
    return {"V1": low, "V2": high}


@pytest.mark.parametrize("seed", range(10))
def test_moss_at_low_and_needles_at_high_current_are_found_where_they_are(seed: int) -> None:
    moss, needles = plated(0.154, "mossy", None, seed), plated(1.54, "needle", 0.6, seed)
    assert S35.analyse(cells(moss, needles)).recovered
    # Which of the cells is the first is nothing to the finding.
    assert S35.analyse(cells(needles, moss)).recovered
    for low, high in (
        (plated(0.154, "needle", 0.6, seed), plated(1.54, "mossy", None, seed)),
        (plated(0.154, "mossy", None, seed), plated(1.54, "mossy", 0.6, seed)),
        (plated(0.154, "needle", None, seed), plated(1.54, "needle", 0.6, seed)),
        (moss, plated(1.54, "needle", None, seed)),
        (plated(0.154, "mossy", 0.5, seed), needles),
        (moss, plated(1.54, "needle", 0.1, seed)),
    ):
        found = S35.analyse(cells(low, high))
        assert not found.recovered, [str(one) for one in found.claims]


def test_a_short_circuit_is_found_when_it_comes_and_only_then() -> None:
    assert short_at_s(records(1.54, None, noise_v=2e-3)) is None
    found = records(1.54, 0.5)
    assert short_at_s(found) == float(found["test_time_second"][102])
    # A cell that is shorted from the beginning has no voltage to fall from.
    assert short_at_s(records(1.54, 0.0)) is None


def test_the_current_density_is_that_of_plating() -> None:
    assert current_density(plated(1.54, "needle", None)) == pytest.approx(1.0, rel=1e-3)


def test_what_cannot_be_used_is_said() -> None:
    blank = plated(1.54, "needle", 0.6)
    frames = blank.frames["sem"].assign(note=("frame", np.full(FIELDS, "the image is blank")))
    found = S35.analyse(cells(plated(0.154, "mossy", None), MeasuredCell(blank.records, {"sem": frames})))
    assert not found.recovered
    assert "0 images of a cell are of use, 4 are the least" in found.text
    no_area = plated(1.54, "needle", 0.6)
    frames = no_area.frames["sem"].drop_vars("charge_mah_cm2")
    found = S35.analyse(cells(plated(0.154, "mossy", None), MeasuredCell(no_area.records, {"sem": frames})))
    assert "say area_cm2" in found.text
    found = S35.analyse({"V1": plated(0.154, "mossy", None)})
    assert "two different ones are the least" in found.text


def test_needles_are_seen_from_their_first_image_on() -> None:
    assert growth_of(plated(1.54, "needle", 0.6)).needles_from_s == pytest.approx(480.0)
    assert growth_of(plated(0.154, "mossy", None)).needles_from_s is None


def test_the_figure_has_both_cells() -> None:
    both = cells(plated(1.54, "needle", 0.6), plated(0.154, "mossy", None))
    figure = S35.figure(both, S35.analyse(both), "S35")
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["0.1 mA/cm²: mossy"] * 2 + ["1 mA/cm²: needle"] * 2

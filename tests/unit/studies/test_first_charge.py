"""The course of c and a is found where c turns on the plateau, and nowhere else."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate_plans.studies import Cells, load_study, one_cell

S27 = load_study("S27")
CHARGE_AH = 4.6e-3
TURN = 0.45
"""Part of the charge after which c turns, at 4.4 V."""


def charge(c_after: float, a_after: float = 0.0, *, c_before: float = 0.18, seed: int = 0) -> Cells:
    """A rest and a charge with 26 frames, in which c and a change evenly until the turn and from there on."""
    draw = np.random.default_rng(seed)
    part = np.linspace(0.0, 1.0, 400)
    voltage = np.interp(part, [0.0, TURN, 1.0], [3.7, 4.4, 4.57]) + 2e-4 * draw.standard_normal(400)
    records = xr.Dataset(
        {
            "step_id": ("record", np.concatenate([[1.0, 1.0], np.full(400, 2.0)])),
            "net_capacity_ah": ("record", np.concatenate([[0.0, 0.0], part * CHARGE_AH])),
            "voltage_volt": ("record", np.concatenate([[3.5, 3.5], voltage])),
        }
    )
    at = np.linspace(0.0, 1.0, 26)
    columns: dict[str, np.ndarray] = {"net_capacity_ah": at * CHARGE_AH, "in_gap": np.zeros(26, bool)}
    for name, fresh, before, after in (("c", 14.25, c_before, c_after), ("a", 2.852, -0.015, a_after)):
        course = np.interp(at, [0.0, TURN, 1.0], [fresh, fresh + before, fresh + before + after])
        columns[f"Li-rich NMC.{name}"] = course + 1e-4 * draw.standard_normal(26)
        columns[f"Li-rich NMC.{name}_sigma_stat"] = np.full(26, 1e-4)
        columns[f"Li-rich NMC.{name}_sigma_sys"] = np.full(26, 1e-4)
    return one_cell(records, xr.Dataset({name: ("frame", one) for name, one in columns.items()}))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_course_is_found_where_it_is_alone(seed: int) -> None:
    found = S27.analyse(charge(-0.16, seed=seed))
    assert found.recovered, [str(one) for one in found.claims]
    assert found.quantity("turning_v").value == pytest.approx(4.4, abs=2 * found.quantity("turning_v").sigma)
    assert not S27.analyse(charge(0.05, -0.012, seed=seed)).recovered
    assert not S27.analyse(charge(0.16, c_before=-0.18, seed=seed)).recovered


def test_an_a_that_goes_on_falling_is_not_the_finding() -> None:
    finding = S27.analyse(charge(-0.16, -0.012))
    assert [one.text for one in finding.claims if not one.holds] == [
        "a stays on the plateau, as against that"
    ]


def test_what_was_found_can_be_written_down() -> None:
    finding = S27.analyse(charge(-0.16))
    assert json.loads(json.dumps([one.given() for one in (*finding.quantities, *finding.claims)]))


def test_a_turn_at_another_voltage_is_not_the_finding() -> None:
    cells = charge(-0.16)
    records = cells["cell"].records
    lower = records.assign(voltage_volt=records["voltage_volt"] - 0.3)
    finding = S27.analyse(one_cell(lower, cells["cell"].frames["frames"]))
    assert [one.text for one in finding.claims if not one.holds] == ["it turns where the plateau begins"]


def test_a_charge_that_was_hardly_measured_leaves_it_undecided() -> None:
    cells = charge(-0.16)
    few = cells["cell"].frames["frames"].isel(frame=slice(9, 13))
    finding = S27.analyse(one_cell(cells["cell"].records, few))
    assert not finding.recovered
    assert "4 frames" in finding.text


@pytest.mark.parametrize("c_after", [-0.16, 0.05])
def test_the_figure_is_drawn_whatever_came_out(c_after: float, tmp_path) -> None:
    from matplotlib import pyplot as plt

    cells = charge(c_after)
    figure = S27.figure(cells, S27.analyse(cells), "title")
    figure.savefig(tmp_path / "figure.png")
    plt.close(figure)
    assert (tmp_path / "figure.png").stat().st_size > 10_000

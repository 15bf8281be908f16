"""Solvents are told apart by the lithium that is seen in graphite, not by the charge that has passed."""

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate_plans.studies import MeasuredCell, load_study
from intercalate_plans.studies.solvents import course_of, cycle_of

S19 = load_study("S19")
TAKEN = {"LiPF6 in EC-DEC": 0.92, "LiPF6 in wet DMC": 0.84, "LiPF6 in PC": 0.0, "LiClO4 in THF": 0.4}
"""Part of the charge that becomes lithium in graphite."""
SPACING = np.array([[0.0, 3.355], [0.06, 3.370], [0.13, 3.430], [0.25, 3.470], [0.27, 3.490], [0.5, 3.525]])


def cell(electrolyte: str, taken: float, *, returned: float = 1.0, seed: int = 0) -> MeasuredCell:
    """A lithiation for a charge of 1.06, less where less is taken up, and a delithiation, at even times."""
    draw = np.random.default_rng(seed)
    count = 12
    ramp = np.concatenate([np.linspace(0, 1, count), np.linspace(1, 1 - returned * taken, count)[1:]])
    held = np.concatenate([np.linspace(0, 1, count), np.linspace(1, 1 - returned, count)[1:]])
    charge, x = 1.06 * ramp, 1.06 * taken * held
    share = np.clip(2 * x - 1, 0, 1)
    seen = (share > 0.03) & (share < 0.97)
    measured = np.where(seen, share + 0.01 * draw.standard_normal(x.size), share.round())
    columns = {
        "test_time_second": 3600.0 * np.arange(x.size),
        "net_capacity_ah": -4.66e-3 * charge,
        "x_positive": charge,
        "stage_1_fraction": measured,
        "stage_1_fraction_sigma_stat": np.where(seen, 0.005, 0.0),
        "stage_1_fraction_sigma_sys": np.where(seen, 0.02, 0.05),
        "graphite.d": np.interp(np.minimum(x, 0.5), *SPACING.T) + 1e-4 * draw.standard_normal(x.size),
        "graphite.d_sigma_stat": np.full(x.size, 1e-4),
        "graphite.d_sigma_sys": np.full(x.size, 1e-4),
        "reduced_chi2": np.full(x.size, 40.0),
    }
    frames = xr.Dataset({name: ("frame", one) for name, one in columns.items()})
    records = xr.Dataset(
        {
            "test_time_second": ("record", columns["test_time_second"]),
            "voltage_volt": ("record", np.linspace(1.0, 0.1, x.size)),
        }
    )
    return MeasuredCell(records, {"xrd": frames.assign_attrs(electrolyte=electrolyte)})


def cells(taken: dict[str, float], **others: Any) -> dict[str, MeasuredCell]:
    return {f"H{number}": cell(name, one, **others) for number, (name, one) in enumerate(taken.items())}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_two_groups_are_found_where_they_are_and_not_where_they_are_not(seed: int) -> None:
    assert S19.analyse(cells(TAKEN, seed=seed)).recovered
    alike = dict.fromkeys(TAKEN, 0.9)
    assert not S19.analyse(cells(alike, seed=seed)).recovered
    exchanged = dict(zip(TAKEN, (0.4, 0.0, 0.92, 0.84)))
    assert not S19.analyse(cells(exchanged, seed=seed)).recovered


@pytest.mark.parametrize(("taken", "expected"), [(0.9, 0.9), (0.3, 0.3), (0.0, 0.0)])
def test_the_efficiency_is_that_of_the_charge(taken: float, expected: float) -> None:
    cycle = cycle_of(course_of(cell("LiPF6 in PC", taken)))
    assert cycle is not None
    value, sigma = cycle.efficiency
    assert abs(value - expected) < 2 * sigma < 0.2
    assert cycle.passed == pytest.approx((1.06, 0.02 * 1.06))


def test_a_first_frame_that_is_late_changes_nothing() -> None:
    whole = cell("LiClO4 in THF", 0.4)
    late = MeasuredCell(whole.records, {"xrd": whole.frames["xrd"].isel(frame=slice(3, None))})
    of_late, of_whole = (cycle_of(course_of(one)) for one in (late, whole))
    assert of_late is not None
    assert of_whole is not None
    assert of_late.passed == pytest.approx(of_whole.passed)
    assert of_late.efficiency == pytest.approx(of_whole.efficiency)
    assert of_late.returned == pytest.approx(of_whole.returned)


def test_what_was_found_can_be_written_down() -> None:
    finding = S19.analyse(cells(TAKEN))
    assert json.loads(json.dumps([one.given() for one in (*finding.quantities, *finding.claims)]))


def test_stages_that_form_and_stay_are_not_reversed() -> None:
    finding = S19.analyse(cells(TAKEN, returned=0.1))
    assert not finding.recovered
    failed = [one.text for one in finding.claims if not one.holds]
    assert failed == [f"in {one} most of the lithium comes out again" for one in ("EC-DEC", "wet DMC")]


def test_a_bad_fit_has_the_larger_error() -> None:
    good = cell("LiClO4 in THF", 0.5)
    frames = good.frames["xrd"]
    misfit = np.where(np.arange(frames.sizes["frame"]) == 11, 360.0, 40.0)
    bad = MeasuredCell(good.records, {"xrd": frames.assign(reduced_chi2=("frame", misfit))})
    assert course_of(bad).stage_1_sigma[11] == pytest.approx(3 * course_of(good).stage_1_sigma[11])
    assert course_of(bad).sigma[10] == course_of(good).sigma[10]


def test_an_electrolyte_of_which_nothing_is_known_leaves_it_undecided() -> None:
    three = {name: one for name, one in TAKEN.items() if "PC" not in name}
    finding = S19.analyse(cells(three))
    assert finding.text == "Nothing is known of graphite in PC."
    assert not finding.recovered
    lost = cells(TAKEN)
    frames = lost["H2"].frames["xrd"]
    nothing = frames.assign({"graphite.d": frames["graphite.d"] * np.nan})
    lost["H2"] = MeasuredCell(lost["H2"].records, {"xrd": nothing})
    assert S19.analyse(lost).text == "Nothing is known of graphite in PC."


def test_without_a_delithiation_nothing_is_said_of_it() -> None:
    whole = cell("LiPF6 in PC", 0.0)
    first = whole.frames["xrd"].isel(frame=slice(0, 12))
    cycle = cycle_of(course_of(MeasuredCell(whole.records, {"xrd": first})))
    assert cycle is not None
    assert np.isnan(cycle.returned[0])
    assert np.isnan(cycle.left[0])


@pytest.mark.parametrize("names", [tuple(TAKEN), ("LiPF6 in EC-DEC",), ()])
def test_the_figure_is_drawn_whatever_there_is(names: tuple[str, ...], tmp_path) -> None:
    from matplotlib import pyplot as plt

    found = cells({name: TAKEN[name] for name in names})
    figure = S19.figure(found, S19.analyse(found), "title")
    figure.savefig(tmp_path / "figure.png")
    plt.close(figure)
    assert (tmp_path / "figure.png").stat().st_size > 5_000

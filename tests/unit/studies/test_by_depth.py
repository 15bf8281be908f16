"""Lithium that is lacking next to the collector is found where it is, at high rate, and nowhere else."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate_plans.studies import load_study, one_cell
from intercalate_plans.studies.by_depth import FRONT, rates_of

S24 = load_study("S24")
SHARES = {1.0: 0.95, 2.0: 0.82, 3.0: 0.75}


def frames(slow: float, fast: float, *, between: float = 0.5, bias: float = 0.0, seed: int = 0) -> xr.Dataset:
    """Six frames at each of two rates, with so much lacking in the front of the coating.

    What is seen behind is `between` the front (0) and the mean behind (1); `bias` is an error of all.
    """
    draw = np.random.default_rng(seed)
    angles = np.tile([1.0, 2.0, 3.0], 4)
    share = np.array([SHARES[angle] for angle in angles])
    mean = np.tile(np.linspace(0.54, 0.74, 6), 2)
    lacking = np.repeat([fast, slow], 6)
    front = mean - lacking
    behind = front + between * lacking / (1 - FRONT)
    seen = share * front + (1 - share) * behind + bias + 0.003 * draw.standard_normal(12)
    columns = {
        "x_positive": mean,
        "current_ampere": np.repeat([-12e-3, -1.2e-3], 6),
        "incidence_deg": angles,
        "mean_depth_um": 12.0 + 8.0 * angles,
        "lithium_seen": seen,
        "lithium_seen_sigma_stat": np.full(12, 0.003),
        "lithium_seen_sigma_sys": np.full(12, 0.019),
        "front_share": share,
        "front_share_sigma_sys": np.full(12, 0.015),
    }
    return xr.Dataset({name: ("frame", column) for name, column in columns.items()})


def analysed(*lacking: float, **others):
    return S24.analyse(one_cell(xr.Dataset(), frames(*lacking, **others)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), between=st.floats(0.2, 0.8))
def test_what_is_lacking_is_found_where_it_is(seed, between):
    finding = analysed(0.04, 0.15, seed=seed, between=between)
    assert finding.recovered
    for name, true in (("lacking_slow", 0.04), ("lacking_fast", 0.15), ("more", 0.11)):
        one = finding.quantity(name)
        assert abs(one.value - true) < 2 * one.sigma
    assert finding.quantity("contrast_fast").value == pytest.approx(
        finding.quantity("lacking_fast").value / (1 - FRONT)
    )


@pytest.mark.parametrize("lacking", [(0.0, 0.0), (0.0, 0.02), (0.15, 0.15), (0.15, 0.04), (-0.04, -0.15)])
def test_other_coatings_are_not_the_finding(lacking):
    assert not analysed(*lacking).recovered


@pytest.mark.parametrize("bias", [-0.038, 0.038])
def test_an_error_of_two_sigma_that_is_common_to_all_makes_no_finding(bias):
    assert not analysed(0.0, 0.0, bias=bias).recovered


def test_one_rate_tells_nothing():
    (all_frames,) = (frames(0.04, 0.15),)
    finding = S24.analyse(one_cell(xr.Dataset(), all_frames.isel(frame=slice(0, 6))))
    assert not finding.recovered
    assert "at 1 rates" in finding.text


def test_frames_that_were_not_fitted_and_charges_do_not_count():
    found = frames(0.04, 0.15)
    found["lithium_seen"][0] = np.nan
    found["current_ampere"][6] = 1.2e-3
    slow, fast = rates_of(found)
    assert (list(slow.frames), list(fast.frames)) == ([7, 8, 9, 10, 11], [1, 2, 3, 4, 5])


def test_the_figure_is_drawn_whatever_was_found():
    for found in (frames(0.04, 0.15), frames(0.04, 0.15).isel(frame=slice(0, 2))):
        cells = one_cell(xr.Dataset(), found)
        assert S24.figure(cells, S24.analyse(cells), "S24").axes

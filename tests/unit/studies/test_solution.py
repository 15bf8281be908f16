"""Solid solution in both phases of LFP is found where it grows with rate, and nowhere else."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate_plans.studies import load_study, one_cell
from intercalate_plans.studies.solution import lithium_in

S28 = load_study("S28")
LENGTHS = ((9.814, 10.329), (5.789, 6.007), (4.782, 4.691))
"""a, b and c in A of FePO4 and LFP."""


def frames(shares: tuple[float, ...], *, rich: float = 1.0, poor: float = 1.0, seed: int = 0) -> xr.Dataset:
    """A charge of 14 frames at 0.5, 1, 2 ... per hour, with these shares of solid solution.

    `rich` and `poor` say how much of its share each phase has.
    """
    draw = np.random.default_rng(seed)
    x = np.tile(np.linspace(0.9, 0.1, 14), len(shares))
    share = np.repeat(shares, 14)
    rate = np.repeat([0.5 * 2**number for number in range(len(shares))], 14)
    turned = (0.93 - x) / 0.89
    contents = {"LFP": 0.93 - rich * share * (0.93 - x), "FePO4": 0.04 + poor * share * (x - 0.04)}
    columns = {
        "x_positive": x,
        "current_ampere": 2e-3 * rate,
        "step_id": np.repeat(np.arange(len(shares)), 14),
        "test_time_second": np.cumsum(3600 * 0.8 / 13 / rate),
        "lithium_rich_fraction": 1 - turned + 0.01 * draw.standard_normal(x.size),
        "lithium_rich_fraction_sigma_stat": np.full(x.size, 0.01),
        "lithium_rich_fraction_sigma_sys": np.full(x.size, 0.02),
    }
    for phase, content in contents.items():
        for name, (empty, full) in zip("abc", LENGTHS):
            noise = 5e-4 * draw.standard_normal(x.size)
            columns[f"{phase}.{name}"] = empty + (full - empty) * content + noise
            columns[f"{phase}.{name}_sigma_stat"] = np.full(x.size, 5e-4)
            columns[f"{phase}.{name}_sigma_sys"] = np.full(x.size, 1e-3)
    return xr.Dataset({name: ("frame", column) for name, column in columns.items()})


def analysed(*shares: float, **others: Any):
    return S28.analyse(one_cell(xr.Dataset(), frames(shares, **others)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_solid_solution_is_found_where_it_grows_with_rate_alone(seed: int) -> None:
    assert analysed(0.12, 0.20, 0.28, seed=seed).recovered
    assert not analysed(0.0, 0.0, 0.0, seed=seed).recovered
    assert not analysed(0.28, 0.20, 0.12, seed=seed).recovered
    assert not analysed(0.2, 0.2, 0.2, seed=seed).recovered


@pytest.mark.parametrize("still", ["rich", "poor"])
def test_one_phase_that_keeps_its_composition_is_not_the_finding(still: str) -> None:
    assert not analysed(0.12, 0.20, 0.28, **{still: 0.0}).recovered


def test_shares_and_rates_are_those_that_were_put_in() -> None:
    finding = analysed(0.12, 0.20, 0.28)
    for number, share in enumerate((0.12, 0.20, 0.28), 1):
        one = finding.quantity(f"solution_{number}")
        assert abs(one.value - share) < 3 * one.sigma
        assert one.sigma < 0.1 * share + 0.01
        assert f"{0.5 * 2 ** (number - 1):.2f} per hour" in one.label


def test_one_rate_tells_nothing() -> None:
    finding = analysed(0.2)
    assert not finding.recovered
    assert "at 1 rates" in finding.text


def test_lithium_follows_from_the_axis_by_vegards_law() -> None:
    content, _ = lithium_in(frames((0.0,)), "LFP")
    assert content == pytest.approx(0.93, abs=5e-3)

"""Stages of a particle are found in their order, and its 2D band where it goes, and nowhere else."""

import matplotlib
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.reduction.raman import Regime
from intercalate_plans.studies import load_study, one_cell
from intercalate_plans.studies.particle import branches_of, step_of

matplotlib.use("Agg")

S32 = load_study("S32")
POINTS = 60


def regime(x: float) -> Regime:
    if x < 0.06:
        return Regime.DILUTE
    if x < 0.13:
        return Regime.TRANSITION
    return Regime.STAGED if x < 0.33 else Regime.STAGE_2


def frames(*, reversed_: bool = False, staged: bool = True, moves: bool = True, seed: int = 0) -> xr.Dataset:
    """Insertion and extraction, in 120 spectra."""
    draw = np.random.default_rng(seed)
    x = np.concatenate([np.linspace(0.0, 0.9, POINTS), np.linspace(0.9, 0.0, POINTS)])
    seen = 1.0 - x if reversed_ else x
    there = (seen < 0.37) | (not staged)
    centre = 2700.0 - (200.0 * np.clip(seen - 0.06, 0.0, None) if staged and moves else 0.0 * x)
    shift = np.concatenate([np.linspace(1500.0, 1700.0, 40), np.linspace(2500.0, 2800.0, 60)])
    columns = {
        "x_positive": 0.05 + x,
        "current_ampere": np.repeat([-1e-3, 1e-3], POINTS),
        "test_time_second": 300.0 * np.arange(x.size),
        "voltage_volt": 0.25 - 0.2 * x,
        "graphite.regime": np.array([str(regime(one) if staged else Regime.DILUTE) for one in seen]),
        "2D.centre": np.where(there, centre + 1.5 * draw.standard_normal(x.size), np.nan),
        "2D.centre_sigma_stat": np.where(there, 1.5, np.nan),
    }
    return xr.Dataset(
        {name: ("frame", values) for name, values in columns.items()}
        | {"intensity": (("frame", "shift"), draw.uniform(0.0, 1.0, (x.size, shift.size)))},
        {"shift": shift},
    )


def analysed(found: xr.Dataset):
    return S32.analyse(one_cell(xr.Dataset(), found))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_it_is_found_in_real_graphite_alone(seed: int) -> None:
    assert analysed(frames(seed=seed)).recovered
    assert not analysed(frames(reversed_=True, seed=seed)).recovered
    assert not analysed(frames(staged=False, seed=seed)).recovered
    assert not analysed(frames(moves=False, seed=seed)).recovered


def test_steps_and_shifts_are_those_that_were_put_in() -> None:
    found = analysed(frames())
    expected = {"staged_{}": 0.095, "stage_2_{}": 0.33, "gone_{}": 0.37, "moved_{}": 57.0}
    for branch in ("insertion", "extraction"):
        for name, value in expected.items():
            one = found.quantity(name.format(branch))
            assert abs(one.value - value) < 3 * one.sigma
        assert found.quantity(f"staged_{branch}_v").value == pytest.approx(0.25 - 0.2 * 0.095, abs=0.005)


def test_insertion_alone_is_not_the_finding() -> None:
    found = analysed(frames().isel(frame=slice(0, POINTS)))
    assert not found.recovered
    assert [one.text for one in found.claims][-1] == "extraction is seen"


def test_some_spectra_astray_cost_accuracy_and_many_the_step() -> None:
    x = np.linspace(0.0, 1.0, 100)
    clean = (x > 0.4).astype(float)
    astray = clean.copy()
    astray[[35, 36]] = 1.0
    none = np.tile([0.0, 1.0], 50)
    sharp, blurred = step_of(x, clean, 1), step_of(x, astray, 1)
    assert sharp is not None
    assert blurred is not None
    assert sharp[0] == pytest.approx(0.4, abs=0.01)
    assert blurred[0] == pytest.approx(0.4, abs=0.01)
    assert blurred[1] > sharp[1]
    assert step_of(x, none, 1) is None
    assert step_of(x, 1.0 - clean, 1) is None
    assert step_of(x, np.zeros(100), 1) is None
    assert step_of(x, np.full(100, np.nan), 1) is None


def test_content_is_counted_from_where_insertion_began() -> None:
    assert branches_of(frames())["insertion"].x.min() == 0.0


@pytest.mark.parametrize("staged", [True, False])
def test_the_figure_is_drawn_whatever_came_out(staged: bool, tmp_path) -> None:
    cells = one_cell(
        xr.Dataset({"test_time_second": ("record", [0.0, 9e3]), "voltage_volt": ("record", [0.2, 0.1])}),
        frames(staged=staged),
    )
    shown = S32.figure(cells, S32.analyse(cells), "title")
    shown.savefig(tmp_path / "figure.png")
    assert len(shown.axes) == 7

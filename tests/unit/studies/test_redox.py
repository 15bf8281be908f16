"""A metal that follows lithium and comes back in all cells is found where it does, and nowhere else."""

import matplotlib
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.materials.raman_oxides import OXIDES
from intercalate_plans.studies import MeasuredCell, load_study

matplotlib.use("Agg")

S30 = load_study("S30")
POINTS = 20


def cell(material: str, *, follows: float = 1.0, stuck: float = 0.0, seed: int = 0) -> MeasuredCell:
    """Charge and discharge in 40 spectra; a part of the metal may not follow, or not come back."""
    draw, oxide = np.random.default_rng(seed), OXIDES[material]
    x = np.concatenate([np.linspace(0.96, 0.14, POINTS), np.linspace(0.14, 0.96, POINTS)])
    current = np.repeat([1e-3, -1e-3], POINTS)
    content = 1.0 - follows * (1.0 - x)
    content = np.where(current < 0, (1 - stuck) * content + stuck * content.min(), content)
    number = (-oxide.other_charge - content) / oxide.metal_content
    low, high = (np.clip(one, 0.0, 1.0) for one in (3.0 - number, number - 3.0))
    columns = {"x_positive": x, "current_ampere": current, "test_time_second": 600.0 * np.arange(x.size)}
    noise = 0.03 * draw.standard_normal(x.size)
    measured = {
        "oxide.oxidation_number": number + noise,
        "oxide.x": content - oxide.metal_content * noise,
        "share.Ni2+": low,
        "share.Ni3+": 1.0 - low - high,
        "share.Ni4+": high,
    }
    for name, values in measured.items():
        columns |= {name: values, f"{name}_sigma_stat": np.full(x.size, 0.03)}
        columns[f"{name}_sigma_sys"] = np.full(x.size, 0.06)
    columns["oxide.x_sigma_stat"] = np.full(x.size, 0.03 * oxide.metal_content)
    shift = np.linspace(340.0, 700.0, 60)
    frames = xr.Dataset(
        {name: ("frame", values) for name, values in columns.items()}
        | {
            "converged": ("frame", np.ones(x.size, bool)),
            "intensity": (("frame", "shift"), draw.uniform(0.0, 1.0, (x.size, shift.size))),
        },
        {"shift": shift},
    )
    frames["oxide.x"].attrs["material"] = material
    records = xr.Dataset(
        {name: ("record", np.linspace(0.0, 1.0, 5)) for name in ("test_time_second", "voltage_volt")}
    )
    return MeasuredCell(records, {"raman": frames})


def analysed(chromium: MeasuredCell, cobalt: MeasuredCell):
    return S30.analyse({"H1": chromium, "H2": cobalt})


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_it_is_found_where_nickel_follows_and_comes_back_with_both_dopants(seed: int) -> None:
    cobalt = cell("LMNO-Co", seed=seed + 1)
    assert analysed(cell("LMNO-Cr", seed=seed), cobalt).recovered
    assert not analysed(cell("LMNO-Cr", follows=0.0, seed=seed), cobalt).recovered
    assert not analysed(cell("LMNO-Cr", follows=0.6, seed=seed), cobalt).recovered
    assert not analysed(cell("LMNO-Cr", stuck=0.5, seed=seed), cobalt).recovered


def test_numbers_are_those_that_were_put_in() -> None:
    found = analysed(cell("LMNO-Cr"), cell("LMNO-Co", stuck=0.5))
    expected = {
        "before_LMNO-Cr": 2.22,
        "oxidised_LMNO-Cr": 3.78,
        "followed_LMNO-Cr": 1.0,
        "left_LMNO-Cr": 0.0,
    }
    for name, value in expected.items():
        one = found.quantity(name)
        assert abs(one.value - value) < 3 * one.sigma
    left = found.quantity("left_LMNO-Co")
    # Half of what was oxidised at x = 0.14 is still there, over what is between 0.9 and 0.2.
    assert left.value == pytest.approx(0.5 * (0.9 - 0.14) / 0.7, abs=3 * left.sigma)
    assert not next(one for one in found.claims if one.text.startswith("alike")).holds


def test_half_a_cycle_leaves_it_undetermined() -> None:
    whole = cell("LMNO-Cr")
    half = MeasuredCell(whole.records, {"raman": whole.frames["raman"].isel(frame=slice(0, POINTS))})
    found = analysed(half, cell("LMNO-Co"))
    assert not found.recovered
    assert found.claims[0].text == "charge and discharge of every cell are seen"
    nothing = S30.analyse({"H1": half})
    assert not nothing.recovered
    assert not nothing.quantities


def test_spectra_whose_fit_failed_do_not_count() -> None:
    whole = cell("LMNO-Cr")
    frames = whole.frames["raman"].copy(deep=True)
    frames["oxide.oxidation_number"][5] = 40.0
    frames["converged"][5] = False
    with_bad = analysed(MeasuredCell(whole.records, {"raman": frames}), cell("LMNO-Co"))
    assert with_bad.recovered


@pytest.mark.parametrize("follows", [1.0, 0.0])
def test_the_figure_shows_both_cells_whatever_came_out(follows: float, tmp_path) -> None:
    cells = {"H1": cell("LMNO-Cr", follows=follows), "H2": cell("LMNO-Co")}
    shown = S30.figure(cells, S30.analyse(cells), "title")
    assert [axis.get_title() for axis in shown.axes[:2]] == ["LMNO-Cr", "LMNO-Co"]
    shown.savefig(tmp_path / "figure.png")

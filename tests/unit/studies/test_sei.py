"""The order of three onsets decides; a layer that comes at once or in another order has not that order."""

import numpy as np
import pytest
import xarray as xr

from intercalate_plans.studies import load_study, one_cell
from intercalate_plans.studies.sei import GROUPS

from .made_up import Noise, records

S17 = load_study("S17")
HOURS = np.arange(0.0, 22.0, 1.3)


def frames(onsets: dict[str, float], *, seed: int = 0, noise_nm: float = 0.02) -> xr.Dataset:
    """Amounts of every line of the groups that begin at these times and level off."""
    draw = np.random.default_rng(seed)
    names = [f"film: {line}" for lines in GROUPS.values() for line in lines] + ["substrate: Li Li 1s"]
    nm = np.full((HOURS.size, len(names)), np.nan)
    for group, lines in GROUPS.items():
        course = 0.6 * (-np.expm1(-np.maximum(HOURS - onsets.get(group, np.inf), 0.0) / 3.0))
        for line in lines:
            nm[:, names.index(f"film: {line}")] = course + noise_nm * draw.standard_normal(HOURS.size)
    dims = ("acquisition", "component")
    return xr.Dataset(
        {
            "component": ("component", np.array(names)),
            "component_nm": (dims, nm),
            "component_nm_sigma_stat": (dims, np.full(nm.shape, noise_nm)),
            "component_nm_sigma_sys": (dims, 0.1 * np.abs(np.nan_to_num(nm))),
            "converged": ("acquisition", np.ones(HOURS.size, dtype=bool)),
            "acquisition_test_time_second": ("acquisition", 3600.0 * HOURS),
        }
    )


def analysed(data: xr.Dataset):
    return S17.analyse(one_cell(records(staged=True, noise=Noise()), data))


@pytest.mark.parametrize("seed", range(10))
def test_three_steps_are_found_in_their_order_alone(seed: int) -> None:
    first, second, third = GROUPS
    onsets = {first: 2.0, second: 7.0, third: 12.0}
    finding = analysed(frames(onsets, seed=seed))
    assert finding.recovered, [str(one) for one in finding.claims]
    for group, true in onsets.items():
        found = finding.quantity(f"onset_{group}")
        assert abs(found.value - true) < 3 * found.sigma
    assert not analysed(frames({first: 7.0, second: 2.0, third: 12.0}, seed=seed)).recovered
    assert not analysed(frames(dict.fromkeys(GROUPS, 2.0), seed=seed)).recovered


def test_a_group_that_never_comes_leaves_the_finding_open() -> None:
    first, second, third = GROUPS
    finding = analysed(frames({first: 2.0, second: 7.0}))
    assert not finding.recovered
    assert np.isnan(finding.quantity(f"onset_{third}").value)
    assert f"{third} did not grow" in finding.text


@pytest.mark.parametrize("missing", ["component_nm", "acquisition_test_time_second"])
def test_spectra_without_a_course_say_so(missing: str) -> None:
    finding = analysed(frames({}).drop_vars(missing))
    assert finding.text.startswith("No growth: the spectra give no amounts over time")
    assert not finding.recovered


def test_too_few_visits_are_no_course() -> None:
    first, second, third = GROUPS
    data = frames({first: 2.0, second: 7.0, third: 12.0}).isel(acquisition=slice(0, 5))
    assert "known at 5 times" in analysed(data).text


def test_the_figure_names_every_group() -> None:
    first, second, third = GROUPS
    cells = one_cell(records(staged=True, noise=Noise()), frames({first: 2.0, second: 7.0, third: 12.0}))
    figure = S17.figure(cells, S17.analyse(cells), "simulated")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 3

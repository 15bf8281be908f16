"""Irregularities of a map count by what differs, and are sized only where all of them is seen."""

import numpy as np
import pytest
import xarray as xr

from intercalate_plans.studies import load_study, one_cell

from .made_up import Noise, records

S34 = load_study("S34")
STEP_UM = 8.0
AT_UM = STEP_UM * (np.arange(25) - 12)
NOISE = 0.02


def frames(*discs: tuple[float, float, float], seed: int = 0, contrast: float = 0.15) -> xr.Dataset:
    """A map of discs of centre and radius, each point by the part that is covered."""
    fine = (np.arange(25 * 5) - 62) * STEP_UM / 5
    covered = np.zeros((25, 25))
    for x, y, radius in discs:
        inside = (fine[None, :] - x) ** 2 + (fine[:, None] - y) ** 2 < radius**2
        covered += inside.reshape(25, 5, 25, 5).mean(axis=(1, 3))
    noise = NOISE * np.random.default_rng(seed).standard_normal((25, 25))
    y_um, x_um = (one.ravel() for one in np.meshgrid(AT_UM, AT_UM, indexing="ij"))
    return xr.Dataset(
        {
            "share.Al": ("frame", (0.4 + contrast * covered + noise).ravel()),
            "share.Al_sigma_stat": ("frame", np.full(625, NOISE)),
            "objective_x_um": ("frame", x_um),
            "objective_y_um": ("frame", y_um),
            "source_spot_um": ("frame", np.full(625, 8.0)),
        }
    )


def analysed(data: xr.Dataset):
    return S34.analyse(one_cell(records(staged=True, noise=Noise()), data))


def test_whole_irregularities_are_located_from_the_middle_of_the_map() -> None:
    discs = ((-40.0, 25.0, 20.0), (45.0, -30.0, 26.0))
    for seed in range(5):
        finding = analysed(frames(*discs, seed=seed))
        assert finding.recovered, [str(one) for one in finding.claims]
        for number, (x, y, radius) in enumerate(discs, start=1):
            for name, true in (("x", x), ("y", y), ("diameter", 2 * radius)):
                found = finding.quantity(f"{name}_{number}")
                assert abs(found.value - true) < 4 * found.sigma


def test_an_even_map_and_a_faint_one_are_not_recovered() -> None:
    for seed in range(40):
        assert not analysed(frames(seed=seed)).recovered
    assert not analysed(frames((0.0, 0.0, 20.0), contrast=0.01)).recovered


def test_what_reaches_the_edge_is_counted_and_not_sized() -> None:
    finding = analysed(frames((90.0, 0.0, 25.0)))
    assert finding.text.startswith("1 irregularities, 0 of them as a whole")
    assert not finding.quantities
    assert not finding.recovered


@pytest.mark.parametrize("missing", ["share.Al", "objective_x_um"])
def test_spectra_that_are_no_map_say_so(missing: str) -> None:
    finding = analysed(frames((0.0, 0.0, 20.0)).drop_vars(missing))
    assert not finding.recovered
    assert finding.text.startswith("No map: the spectra")


def test_the_figure_shows_the_map_and_what_was_found() -> None:
    data = frames((0.0, 0.0, 25.0))
    cells = one_cell(records(staged=True, noise=Noise()), data)
    figure = S34.figure(cells, S34.analyse(cells), "simulated")
    assert figure.get_suptitle() == "simulated"
    assert len(figure.axes[0].patches) == 1

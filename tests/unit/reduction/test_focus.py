"""The focus of a laser, by the light that comes back."""

import numpy as np
import pytest

from intercalate.reduction.raman import FocusError, find_focus

Z_UM = np.arange(-80.0, 81.0, 2.0)
I0 = np.full(Z_UM.size, 1e5)


def returned(centre_um, depth_um=4.2, height=4000.0, dark=10.0, seed=0):
    bell = np.exp(-4 * np.log(2) * ((Z_UM - centre_um) / depth_um) ** 2)
    return np.random.default_rng(seed).poisson(dark + height * bell).astype(float)


@pytest.mark.parametrize("centre_um", [-41.3, 0.0, 17.9, 60.0])
def test_the_focus_is_found_within_its_error(centre_um):
    pulls = []
    for seed in range(60):
        found = find_focus(Z_UM, returned(centre_um, seed=seed), I0)
        pulls.append((found.z_um - centre_um) / found.sigma_um)
        assert found.depth_um == pytest.approx(4.2, rel=0.1)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.3)
    assert abs(np.mean(pulls)) < 0.5


def test_a_scan_that_ends_on_the_flank_is_refused():
    with pytest.raises(FocusError, match=r"end of the scan, 80\.0 um; scan around there"):
        find_focus(Z_UM, returned(83.0), I0)


@pytest.mark.parametrize("seed", range(40))
def test_counts_of_the_dark_are_no_focus(seed):
    with pytest.raises(FocusError, match="nothing comes back from anywhere in particular"):
        find_focus(Z_UM, returned(0.0, height=0.0, seed=seed), I0)


def test_a_laser_that_is_off_is_refused():
    with pytest.raises(FocusError, match="0 points of the scan had light"):
        find_focus(Z_UM, returned(0.0), np.zeros(Z_UM.size))

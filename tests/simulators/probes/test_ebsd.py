"""Grains of a simulated face, before, while and after it is molten."""

import numpy as np
import pytest

from intercalate.reduction.ebsd import compare, grain_map, orientation_map
from intercalate_sims.probes.ebsd import EbsdConditions, Grains, HiddenIndexing
from intercalate_sims.probes.ebsd import orientation_map as simulated

STEP_UM = 1.0


def taken(seed, start_s=1.0, generation=0, hidden=None, **changed):
    conditions = EbsdConditions(step_um=STEP_UM, rows=96, columns=96, **changed)
    grains = Grains(diameter_um=14.0, generation=generation)
    return simulated(grains, conditions, hidden or HiddenIndexing.draw(seed), seed, start_s)


def measured(one):
    return orientation_map(one.euler_deg, one.band_contrast, one.indexed, STEP_UM)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_grain_size(seed):
    one = taken(seed)
    found = grain_map(measured(one))
    number, points = np.unique(one.grain, return_counts=True)
    side = np.concatenate([one.grain[0], one.grain[-1], one.grain[:, 0], one.grain[:, -1]])
    true = 2 * np.sqrt(points[~np.isin(number, side)] / np.pi).mean() * STEP_UM
    assert abs(found.diameter_um.value - true) < 3 * found.diameter_um.sigma
    crossings = np.sum(np.diff(one.grain, axis=0) != 0) + np.sum(np.diff(one.grain, axis=1) != 0)
    assert abs(found.intercept_um.value - 2 * 96 * 96 / crossings) < 3 * found.intercept_um.sigma


def test_grains_stay_until_they_melt_and_are_new_after():
    cold, again = (
        grain_map(measured(taken(4))),
        grain_map(measured(taken(4, 50.0, hidden=HiddenIndexing.draw(9)))),
    )
    hot = measured(taken(4, 100.0, temperature_c=325.0))
    frozen = grain_map(measured(taken(4, 200.0, generation=1)))
    assert compare(cold, again).are_same
    assert not hot.is_crystalline
    assert compare(cold, frozen).are_new


def test_a_wrong_tilt_loses_patterns_and_noise_has_a_key():
    good, bad = (measured(taken(5, tilt_deg=tilt)) for tilt in (70.0, 40.0))
    assert good.pattern_share > 0.9
    assert bad.pattern_share < 0.5
    assert np.array_equal(taken(6).euler_deg, taken(6).euler_deg)
    assert not np.array_equal(taken(6).euler_deg, taken(6, 2.0).euler_deg)

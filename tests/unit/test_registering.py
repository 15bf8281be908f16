"""A scan in which a mark is looked for."""

import numpy as np
import pytest

from intercalate_plans.registering import coarse_points


@pytest.mark.parametrize(("side_um", "diameter_um"), [(400.0, 80.0), (1000.0, 80.0), (50.0, 80.0)])
def test_no_mark_lies_between_the_points_of_a_coarse_scan(side_um: float, diameter_um: float) -> None:
    at_um = np.linspace(-0.5, 0.5, coarse_points(side_um, diameter_um)) * side_um
    away_um = np.abs(np.linspace(-0.5 * side_um, 0.5 * side_um, 401)[:, None] - at_um).min(axis=1).max()
    assert np.hypot(away_um, away_um) <= 0.5 * diameter_um

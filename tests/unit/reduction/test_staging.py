"""Lithium by layer spacing covers particles that are alike, and empty ones beside those of stage 2."""

import numpy as np
import pytest

from intercalate.materials import GRAPHITE
from intercalate.reduction.staging import lithium_by_spacing


def test_empty_graphite_and_stage_2_are_certain() -> None:
    x, sigma = lithium_by_spacing(np.array([3.355, 3.525]))
    assert x == pytest.approx([0.0, 0.5])
    assert sigma == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize("key", ["1'", "4", "3", "2L"])
def test_stages_are_within_the_error_whether_alike_or_mixed(key: str) -> None:
    stage = GRAPHITE.stage(key)
    spacing, alike = np.array(stage.layer_spacing_angstrom), np.array(stage.li_content)
    x, sigma = lithium_by_spacing(spacing)
    mixed = 0.5 * (spacing - 3.355) / (3.525 - 3.355)
    assert (abs(x - alike) <= sigma + 1e-12).all()
    assert (abs(x - mixed) <= sigma + 1e-12).all()
    assert (sigma < 0.08).all()


def test_what_is_not_determined_stays_so() -> None:
    x, sigma = lithium_by_spacing(np.array([np.nan]))
    assert np.isnan(x).all()
    assert np.isnan(sigma).all()

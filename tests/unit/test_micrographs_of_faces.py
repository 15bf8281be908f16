"""What a run of images of a face becomes: what is covered, and whether the relief is as before."""

import numpy as np
import pytest
import xarray as xr

from intercalate.cell import Cell
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.sem_results import reduce_micrographs
from intercalate_sims.probes.sem_image import HiddenMicroscope, ImageConditions, SemProbe
from intercalate_sims.probes.sem_surface import Deposit, Habit, SurfaceView

VIEW = SurfaceView([Deposit(Habit.MOSSY, 0.25, 9.0, 2.0)], material="passivated lithium")
PIXEL_UM, PIXELS = 0.1, 512


def image(at_um: float, start_s: float, seed: int = 3) -> np.ndarray:
    conditions = ImageConditions(columns=PIXELS, rows=PIXELS, pixel_um=PIXEL_UM, dwell_us=30.0, x_um=at_um)
    return SemProbe(HiddenMicroscope(), seed).surface(VIEW, conditions, start_s).counts


def test_a_place_that_moves_is_the_same_and_another_one_is_not() -> None:
    section, cell = (
        Config.from_file(DEFAULT_CONFIG).sem,
        Cell.from_file(EXAMPLES / "cells" / "lithium_magnesium_llzo.toml"),
    )
    assert section is not None
    images = [image(0.0, 0.0), image(60.0, 1.0), image(1.5, 2.0), image(400.0, 3.0), image(60.0, 4.0)]
    spots_mm = [0.0, 0.06, 0.0, 0.0, 0.06]
    aligned = xr.Dataset(
        {
            "column_field_of_view_um": ("frame", np.full(5, PIXEL_UM * PIXELS)),
            "spot_x_mm": ("frame", np.array(spots_mm)),
            "spot_y_mm": ("frame", np.zeros(5)),
        }
    )
    data, _ = reduce_micrographs(images, aligned, {}, section, cell, lambda done: None)
    same = np.asarray(data["same_relief"])
    # The first of each spot has none before it; in the fourth image another place is seen.
    assert np.isnan(same[:2]).all()
    assert same[2] > 0.85
    assert same[4] > 0.9
    assert not same[3] > 0.4
    parts = sum(np.asarray(data[f"coverage.{kind}"]) for kind in ("needle", "mossy", "globular"))
    assert np.asarray(data["coverage"]) == pytest.approx(parts)

"""Micrographs in, class and coverage out: the reduction against images of a microscope that it knows nothing
of.
"""

import numpy as np
import pytest

from intercalate.reduction.micrographs import deposits, micrograph
from intercalate_sims.probes.sem_image import HiddenMicroscope, ImageConditions, SemProbe
from intercalate_sims.probes.sem_surface import Deposit, Habit, SurfaceView

PIXEL_UM = 0.08


def image_of(seed, *grown, start_s=10.0, **changed):
    conditions = ImageConditions(columns=640, rows=640, pixel_um=PIXEL_UM, **changed)
    return SemProbe(HiddenMicroscope.draw(seed), seed).surface(SurfaceView(grown), conditions, start_s)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("habit", "size_um"),
    [(Habit.NEEDLE, 16.0), (Habit.MOSSY, 10.0), (Habit.GLOBULAR, 5.0), (Habit.NONE, 0.0)],
)
def test_class_and_coverage(seed, habit, size_um):
    taken = image_of(seed, Deposit(habit, 0.2, size_um, 2.0))
    found = deposits(micrograph(taken.counts, PIXEL_UM))
    assert found.kind == habit
    true = float(np.mean(taken.truth.covered[habit]))
    assert abs(found.coverage.value - true) < 3 * found.coverage.sigma
    assert found.coverage.sigma < 0.05

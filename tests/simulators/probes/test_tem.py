"""Images and patterns of drawn deposits, given their classes by a reduction that shares nothing."""

from contextlib import suppress
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.honesty.ensembles import confusion
from benchmarks.honesty.tem import CAMERA, MICROSCOPE, Habits, KinkCounts, Patterns, deposit_of
from intercalate.reduction.tem import (
    Observation,
    TemError,
    camera_constant,
    deposit_shape,
    growth_finding,
    pattern_finding,
)
from intercalate.views.tem import image_figure, pattern_figure
from intercalate_sims.probes.tem import Deposit, Exposure, HiddenTem, TemProbe, lithium_left


@pytest.mark.parametrize(("sorting", "images"), [(Habits(), 18), (KinkCounts(), 9), (Patterns(), 8)])
def test_most_are_given_their_class(sorting, images):
    counts, _ = confusion(sorting, images)
    assert np.trace(counts) >= 0.8 * images


def test_camera_length_within_its_error():
    pulls = []
    for seed in range(8):
        gold = TemProbe(MICROSCOPE, HiddenTem.draw(seed), seed).gold(1)
        found = camera_constant(gold.counts, MICROSCOPE.camera_px_angstrom)
        pulls.append((found.value - gold.truth["camera_px_angstrom"]) / found.sigma)
    assert np.abs(pulls).max() < 3.5


IMAGES = 10


@lru_cache
def seen(part, number, habit, hollow):
    """What an image shows; None where it drowns in what lies around, and is refused."""
    probe = TemProbe(MICROSCOPE, HiddenTem.draw(part), part)
    deposit = deposit_of(100 * part + number, habit, hollow)
    with suppress(TemError):
        return deposit_shape(probe.image(deposit, Exposure(1.0), number).counts, CAMERA)
    return None


def series(whiskers_small, whiskers_large, tubes):
    """Images at small and large overpotential and after dissolution."""
    found = []
    for part, (share, volts, is_dissolved) in enumerate(
        ((whiskers_small, 0.02, False), (whiskers_large, 0.3, False), (1.0, 0.3, True))
    ):
        for number in range(IMAGES):
            habit = "whisker" if number < IMAGES * share else "cluster"
            shape = seen(part, number, habit, is_dissolved and number < IMAGES * tubes)
            if shape is not None:
                found.append(Observation(shape, volts, is_dissolved))
    return found


@pytest.mark.parametrize(
    ("shares", "recovered"),
    [((0.0, 1.0, 1.0), True), ((0.5, 0.5, 1.0), False), ((1.0, 0.0, 1.0), False), ((0.0, 1.0, 0.0), False)],
    ids=["effect", "null", "permuted", "nothing dissolves"],
)
def test_growth_by_overpotential_and_tubes_are_found_only_where_they_are(shares, recovered):
    assert growth_finding(series(*shares), 0.1).recovered is recovered


def test_the_beam_takes_lithium_and_cold_slows_it():
    warm, cold = (lithium_left(Exposure(20.0, is_cold=is_cold), 100.0) for is_cold in (False, True))
    assert warm < cold < 1.0
    assert lithium_left(Exposure(0.0), 0.0) == 1.0


def test_the_same_keys_give_the_same_counts():
    probe = TemProbe(MICROSCOPE, HiddenTem.draw(1), 1)
    one, same, other = (probe.image(Deposit("cluster"), Exposure(), key).counts for key in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_deposits_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="take one of whisker, cluster"):
        Deposit("moss")
    with pytest.raises(ValueError, match="do not fit"):
        Deposit("whisker", width_nm=20.0, shell_nm=15.0)


def test_figures_say_what_was_found():
    probe = TemProbe(MICROSCOPE, HiddenTem.draw(4), 4)
    deposit = deposit_of(4, "whisker", True, 2)
    counts = probe.image(deposit, Exposure(0.5), 1).counts
    shape = deposit_shape(counts, CAMERA)
    drawn = image_figure(counts, shape, MICROSCOPE.pixel_nm, "simulated")
    assert "whisker" in drawn.axes[0].get_title()
    assert drawn.axes[0].get_title().count("kink") == len(shape.kinks)
    camera = camera_constant(probe.gold(1).counts, MICROSCOPE.camera_px_angstrom)
    pattern = probe.pattern(deposit, 2).counts
    found = pattern_finding(pattern, camera, shape.direction_deg)
    figure = pattern_figure(pattern, found, camera, "simulated")
    assert f"{found.spots.shape[0]} spots" in figure.axes[0].get_title()
    assert len(figure.axes[0].lines) == found.spots.shape[0]

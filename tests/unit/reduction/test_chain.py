"""Each correction against a frame that needs it."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.reduction import Pattern
from intercalate.reduction.chain import (
    MONITOR_UNIT,
    Corrections,
    ReductionChain,
    UnusableFrameError,
    mean_pattern,
)
from intercalate.reduction.pixels import Dark

SHAPE = (200, 220)
PIXEL_M = 1.5e-4
PONI = (
    "poni_version: 2\nDetector: Detector\n"
    f'Detector_config: {{"pixel1": {PIXEL_M}, "pixel2": {PIXEL_M}, "max_shape": [200, 220], '
    '"orientation": 3}\n'
    "Distance: 0.05\nPoni1: 0.003\nPoni2: 0.003\nRot1: 0.0\nRot2: 0.0\nRot3: 0.0\nWavelength: 4.95937e-11\n"
)
LEVEL = 500.0
NO_MASK = np.zeros(SHAPE, bool)
generator = np.random.default_rng(5)
EFFICIENCY = 1 + 0.1 * generator.standard_normal(SHAPE)
DARK_RATE = 100 + 30 * generator.random(SHAPE)


def solid_angle():
    rows, columns = np.indices(SHAPE)
    radius = np.hypot((rows + 0.5) * PIXEL_M - 0.003, (columns + 0.5) * PIXEL_M - 0.003)
    return np.cos(np.arctan(radius / 0.05)) ** 3


def lit(level=LEVEL, seed=0):
    """Counts of isotropic scattering, without detector."""
    return np.random.default_rng(seed).poisson(level * solid_angle()).astype(float)


def dark():
    return Dark(60.0, 10, DARK_RATE.astype(np.float32), np.full(SHAPE, 9.0, np.float32))


def reduced(frame, corrections=None, **options):
    chain = ReductionChain(PONI, corrections or Corrections(NO_MASK), polarisation=None)
    return chain.reduce(frame, **options)


def pulls(pattern, level=LEVEL):
    return (pattern.intensity - level) / pattern.sigma


def test_without_corrections_it_is_the_integration():
    pattern = reduced(lit()).pattern
    assert abs(pulls(pattern).mean()) < 0.1
    assert 0.9 < pulls(pattern).std() < 1.1


def test_dark_counts_are_taken_off_and_their_noise_is_counted():
    frame = lit() + DARK_RATE + 3 * np.random.default_rng(1).standard_normal(SHAPE)
    without = reduced(frame).pattern
    with_dark = reduced(frame, Corrections(NO_MASK, dark=dark())).pattern
    assert without.intensity.mean() > LEVEL + 80
    assert abs(pulls(with_dark).mean()) < 0.1
    assert 0.9 < pulls(with_dark).std() < 1.1


def test_the_flat_field_takes_the_pixels_out_of_the_pattern():
    frame = np.random.default_rng(2).poisson(LEVEL * solid_angle() * EFFICIENCY).astype(float)
    flat = reduced(frame, Corrections(NO_MASK, efficiency=EFFICIENCY)).pattern
    rough = reduced(frame).pattern
    assert 0.9 < pulls(flat).std() < 1.1
    assert pulls(rough).std() > 1.3


def test_what_the_frame_before_left_is_taken_off():
    before = lit(5000.0, 3)
    frame = lit() + 0.02 * before
    known = Corrections(NO_MASK, lag=0.02)
    assert abs(pulls(reduced(frame, known, before=before).pattern).mean()) < 0.1
    assert reduced(frame, known).pattern.intensity.mean() == pytest.approx(LEVEL + 100, rel=0.01)


def test_saturated_pixels_are_left_out_and_counted():
    frame = lit()
    frame[100, 50:90] = 65_535
    known = Corrections(NO_MASK, dark=Dark(1.0, 5, np.zeros(SHAPE), np.zeros(SHAPE)), saturation=65_535)
    found = reduced(frame, known)
    assert found.saturated == 40
    assert abs(pulls(found.pattern)).max() < 6
    mask = NO_MASK.copy()
    mask[100] = True
    assert reduced(frame, replace(known, mask=mask)).saturated == 0


def test_masked_pixels_do_not_count():
    mask = NO_MASK.copy()
    mask[:, 100:] = True
    frame = np.where(mask, 1e7, lit())
    assert abs(pulls(reduced(frame, Corrections(mask)).pattern).mean()) < 0.2


def test_half_the_beam_gives_the_same_pattern_with_larger_errors():
    full, half = (reduced(lit(level, 7), monitor=level * 100).pattern for level in (LEVEL, LEVEL / 2))
    expected = LEVEL * MONITOR_UNIT / (LEVEL * 100)
    assert full.intensity.mean() == pytest.approx(expected, rel=2e-3)
    assert half.intensity.mean() == pytest.approx(expected, rel=2e-3)
    assert np.median(half.sigma / full.sigma) == pytest.approx(np.sqrt(2), rel=0.05)


def test_the_background_goes_with_the_monitor():
    empty = mean_pattern([reduced(lit(100.0, seed), monitor=1e5).pattern for seed in range(4)])
    frame = lit(100.0, 9) + lit(LEVEL, 10)
    found = reduced(frame, Corrections(NO_MASK, background=empty), monitor=1e5).pattern
    assert abs(pulls(found, LEVEL * MONITOR_UNIT / 1e5).mean()) < 0.15
    alone = reduced(frame, Corrections(NO_MASK, background=empty)).pattern
    assert alone.intensity.mean() == pytest.approx(LEVEL + 100, rel=0.01)


def test_two_counts_for_each_photon_have_twice_the_variance():
    frame = 2 * lit()
    known = reduced(frame, Corrections(NO_MASK, counts_per_photon=2.0)).pattern
    assert 0.9 < pulls(known, 2 * LEVEL).std() < 1.1


def test_the_raw_frame_stays_as_it_is():
    frame = (lit() + DARK_RATE).astype(np.uint32)
    copy = frame.copy()
    frame.flags.writeable = False
    reduced(frame, Corrections(NO_MASK, dark=dark(), lag=0.1, saturation=600.0), before=frame, monitor=1e3)
    np.testing.assert_array_equal(frame, copy)


@pytest.mark.parametrize(
    ("corrections", "message"),
    [
        (Corrections(np.zeros((10, 10), bool)), r"mask has shape \(10, 10\).*another detector"),
        (Corrections(NO_MASK, efficiency=np.ones((10, 10))), r"flat field has shape \(10, 10\)"),
        (Corrections(NO_MASK, dark=Dark(1.0, 3, np.ones((9, 9)), np.ones((9, 9)))), r"shape \(9, 9\)"),
    ],
)
def test_what_belongs_to_another_detector_is_refused(corrections, message):
    with pytest.raises(ValueError, match=message):
        ReductionChain(PONI, corrections)


def test_a_frame_of_another_detector_is_refused():
    with pytest.raises(ValueError, match=r"the frame has shape \(5, 5\)"):
        reduced(np.ones((5, 5)))


def test_a_frame_of_dark_counts_alone_is_empty():
    frame = DARK_RATE + 3 * np.random.default_rng(8).standard_normal(SHAPE)
    with pytest.raises(UnusableFrameError, match="dark counts only"):
        reduced(frame, Corrections(NO_MASK, dark=dark()))


@pytest.mark.parametrize("monitor", [0.0, -5.0])
def test_a_monitor_that_counted_nothing_is_refused(monitor):
    with pytest.raises(UnusableFrameError, match="the monitor counted"):
        reduced(lit(), monitor=monitor)


def test_every_step_is_named_with_what_it_used():
    background = Pattern(np.arange(1.0, 50.0), np.ones(49), np.ones(49), 0.5)
    chain = ReductionChain(
        PONI,
        Corrections(NO_MASK, dark(), EFFICIENCY, 1.1, 0.01, 1e6, background),
    )
    names = [step["step"] for step in chain.steps]
    assert names == [
        "dark",
        "lag",
        "saturated pixels left out",
        "flat field",
        "mask",
        "solid angle and polarisation",
        "azimuthal integration",
        "background",
    ]
    assert chain.steps[0] == {"step": "dark", "exposure_s": 60.0, "frames": 10}
    bare = [step["step"] for step in ReductionChain(PONI, Corrections(NO_MASK)).steps]
    assert bare == ["mask", "solid angle and polarisation", "azimuthal integration"]


def test_only_patterns_on_the_same_bins_are_averaged():
    one = reduced(lit()).pattern
    with pytest.raises(ValueError, match="no pattern"):
        mean_pattern([])
    with pytest.raises(ValueError, match="different bins"):
        mean_pattern([one, one.between(1.0, 20.0)])
    mean = mean_pattern([one, one, one, one])
    np.testing.assert_allclose(mean.sigma, one.sigma / 2)

"""What pixels are like, from frames of a detector that the test has made."""

import numpy as np
import pytest

from intercalate.reduction.pixels import PixelError, average_dark, blind_pixels, flat_field

SHAPE = (120, 130)
EXPOSURE_S = 60.0
OFFSET, NOISE = 100.0, 3.0
HOT, DEAD = (30, 40), (50, 60)
GAP = slice(58, 62)
PHOTONS, GAIN, LAG = 4000.0, 1.3, 0.02


class Detector:
    """Integrating, with a gap, a hot and a dead pixel, a shadow in the corner, and a memory."""

    def __init__(self, seed=0):
        self.generator = np.random.default_rng(seed)
        self.efficiency = 1 + 0.05 * self.generator.standard_normal(SHAPE)
        self.efficiency /= np.median(self.efficiency)
        rows, columns = np.indices(SHAPE)
        self.lit = np.hypot(rows, columns) > 20
        self.last = np.zeros(SHAPE)

    def frame(self, photons=0.0):
        counts = GAIN * self.efficiency * self.generator.poisson(photons * self.lit * np.ones(SHAPE))
        counts[DEAD] = 0.0
        counts += LAG * self.last
        self.last = counts
        counts = counts + OFFSET + NOISE * self.generator.standard_normal(SHAPE)
        counts[HOT] += 5000.0
        counts[GAP] = 0.0
        return np.rint(counts).astype(np.uint32)

    def darks(self, count=10):
        return [self.frame() for _ in range(count)]


@pytest.fixture(scope="module")
def calibrated():
    detector = Detector()
    dark = average_dark(detector.darks(), EXPOSURE_S)
    blind = blind_pixels(dark)
    flats = [detector.frame(PHOTONS) for _ in range(8)]
    after = detector.frame()
    return detector, dark, blind, flats, after


def test_dark_mean_and_variance_are_those_of_the_frames():
    frames = np.random.default_rng(1).poisson(40.0, (12, *SHAPE)).astype(np.uint32)
    dark = average_dark(iter(frames), EXPOSURE_S)
    np.testing.assert_allclose(dark.mean, frames.mean(0), rtol=1e-6)
    np.testing.assert_allclose(dark.variance, frames.var(0, ddof=1), rtol=1e-5)
    assert (dark.frames, dark.exposure_s) == (12, EXPOSURE_S)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_darks_are_refused(count):
    with pytest.raises(PixelError, match=f"{count} dark frames"):
        average_dark([np.ones(SHAPE)] * count, EXPOSURE_S)


def test_gap_and_hot_pixels_are_blind_and_few_others(calibrated):
    _, _, blind, _, _ = calibrated
    assert blind[GAP].all()
    assert blind[HOT]
    others = blind.copy()
    others[GAP] = False
    assert others.sum() <= 3


def test_a_detector_without_power_is_noticed():
    with pytest.raises(PixelError, match="100 % of the pixels are blind"):
        blind_pixels(average_dark([np.zeros(SHAPE)] * 5, EXPOSURE_S))


def test_efficiency_gain_and_lag_come_back(calibrated):
    detector, dark, blind, flats, after = calibrated
    flat = flat_field(flats, dark, blind, np.ones(SHAPE), dark_after=after)
    used = ~flat.mask
    ratio = flat.efficiency[used] / detector.efficiency[used]
    # What the frame before left behind lifts them all alike.
    assert np.std(ratio) == pytest.approx(flat.relative_sigma, rel=0.15)
    assert flat.counts_per_photon == pytest.approx(GAIN, rel=0.03)
    assert flat.lag == pytest.approx(LAG, rel=0.03)


def test_dead_pixels_and_the_shadow_with_its_edge_are_masked(calibrated):
    detector, dark, blind, flats, _ = calibrated
    flat = flat_field(flats, dark, blind, np.ones(SHAPE))
    assert np.isnan(flat.lag)
    assert flat.mask[DEAD]
    assert flat.mask[~detector.lit].all()
    assert flat.mask[:20, 21].any()
    assert (flat.efficiency[flat.mask] == 1).all()
    assert flat.mask.mean() < 0.15


def test_an_uneven_solid_angle_is_not_taken_for_efficiency(calibrated):
    detector, dark, blind, _, _ = calibrated
    angle = np.linspace(1.0, 0.7, SHAPE[1])[None, :] * np.ones(SHAPE)
    detector.last = np.zeros(SHAPE)
    flats = [detector.frame(PHOTONS * angle) for _ in range(6)]
    flat = flat_field(flats, dark, blind, angle)
    used = ~flat.mask
    assert np.std(flat.efficiency[used] / detector.efficiency[used]) < 0.012


def test_light_that_is_too_faint_or_too_strong_is_refused(calibrated):
    detector, dark, blind, flats, _ = calibrated
    faint = [detector.frame(1.0) for _ in range(3)]
    with pytest.raises(PixelError, match=r"counts per pixel in all.*fluorescent foil"):
        flat_field(faint, dark, blind, np.ones(SHAPE))
    with pytest.raises(PixelError, match="saturated"):
        flat_field(flats, dark, blind, np.ones(SHAPE), saturation=4000.0)
    with pytest.raises(PixelError, match="1 even frames are too few"):
        flat_field(flats[:1], dark, blind, np.ones(SHAPE))

import numpy as np
import pytest

from intercalate_sims.probes import response
from intercalate_sims.probes.response import PixelMaps, Response

SHAPE = (256, 256)


@pytest.fixture(scope="module")
def maps():
    return PixelMaps.draw(SHAPE, seed=4)


def ordinary(maps):
    """Pixels that are neither hot, dead nor in a gap."""
    return (maps.gain > 0.5) & (maps.dark_per_s < 10) & ~maps.gap


def frames(maps, photons, exposure_s, count, seed=0):
    """Independent frames of a detector that had been dark for long."""
    found = []
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        found.append(Response(maps).count(np.full(SHAPE, photons, np.float32), exposure_s, generator))
    return np.array(found, dtype=float)


def test_the_detector_is_drawn_from_its_seed(maps):
    again, other = PixelMaps.draw(SHAPE, seed=4), PixelMaps.draw(SHAPE, seed=5)
    np.testing.assert_array_equal(maps.gain, again.gain)
    np.testing.assert_array_equal(maps.dark_per_s, again.dark_per_s)
    assert (maps.gain != other.gain).mean() > 0.9


def test_pixels_are_as_declared():
    maps = PixelMaps.draw((1024, 1024), seed=1)
    # A few of either may lie in a gap, which is 0.8 % of the detector.
    assert (maps.dark_per_s > 40).sum() == pytest.approx(response.HOT_SHARE * 1024**2, abs=4)
    assert ((maps.gain == 0) & ~maps.gap).sum() == pytest.approx(response.DEAD_PIXELS, abs=2)
    assert maps.gap.sum() == 2 * response.GAP_PIXELS * 1024 - response.GAP_PIXELS**2
    rows, columns = np.flatnonzero(maps.gap.all(axis=1)), np.flatnonzero(maps.gap.all(axis=0))
    assert list(rows) == list(columns) == [510, 511, 512, 513]
    good = ordinary(maps)
    neighbours = np.diff(maps.gain, axis=1)[good[:, 1:] & good[:, :-1]]
    assert np.std(neighbours) / np.sqrt(2) == pytest.approx(response.PIXEL_GAIN_SIGMA, rel=0.02)
    modules = [maps.gain[y, x][good[y, x]].mean() for y in (slice(0, 500), slice(520, 1024)) for x in
               (slice(0, 500), slice(520, 1024))]  # fmt: skip
    assert 0.005 < np.std(modules) < 0.1


def test_dark_grows_with_time_pixel_by_pixel(maps):
    short, long = (frames(maps, 0.0, exposure_s, 20).mean(axis=0) for exposure_s in (10.0, 110.0))
    good = ordinary(maps)
    slope = (long - short)[good] / 100.0
    np.testing.assert_allclose(slope.mean(), maps.dark_per_s[good].mean(), rtol=0.02)
    assert np.corrcoef(slope, maps.dark_per_s[good])[0, 1] > 0.6
    offset = (short - 10 * (long - short) / 100)[good].mean()
    assert offset == pytest.approx(response.OFFSET, abs=0.1)


def test_hot_pixels_are_far_above_the_others(maps):
    dark = frames(maps, 0.0, 60.0, 4).mean(axis=0)
    hot = maps.dark_per_s >= response.HOT_PER_S[0]
    assert hot.sum() > 0
    assert dark[hot].min() > dark[ordinary(maps)].max()


@pytest.mark.parametrize("photons", [5.0, 15.0, 100.0, 10_000.0])
def test_counts_have_the_mean_and_variance_of_photons_dark_and_read_out(maps, photons):
    seen = frames(maps, photons, 100.0, 40)[:, ordinary(maps)]
    gain, dark = maps.gain[ordinary(maps)].astype(float), 100.0 * maps.dark_per_s[ordinary(maps)]
    np.testing.assert_allclose(seen.mean(), (gain * photons + dark + response.OFFSET).mean(), atol=0.1)
    variance = (gain**2 * photons + dark + response.READ_NOISE**2 + 1 / 12).mean()
    assert seen.var(axis=0, ddof=1).mean() == pytest.approx(variance, rel=0.01)


def test_flat_field_shows_the_gain(maps):
    flat = frames(maps, 20_000.0, 1.0, 20).mean(axis=0) - response.OFFSET - maps.dark_per_s
    good = ordinary(maps)
    np.testing.assert_allclose(flat[good] / 20_000.0, maps.gain[good], atol=0.01)


def test_gaps_count_nothing_and_dead_pixels_only_their_dark(maps):
    frame = frames(maps, 5000.0, 10.0, 1)[0]
    assert not frame[maps.gap].any()
    dead = (maps.gain == 0) & ~maps.gap
    assert dead.any()
    assert np.abs(frame[dead] - response.OFFSET).max() < 100


def test_a_full_pixel_stays_at_the_limit(maps):
    frame = frames(maps, 2e6, 10.0, 1)[0]
    good = ordinary(maps)
    assert (frame[good] == response.SATURATION).all()
    assert (frames(maps, 5e5, 10.0, 1)[0][good] < response.SATURATION).all()


def test_the_last_frame_lags_and_is_forgotten(maps):
    detector, generator = Response(maps), np.random.default_rng(1)
    good = ordinary(maps)
    light, dark = np.full(SHAPE, 500_000.0, np.float32), np.zeros(SHAPE, np.float32)
    detector.count(light.copy(), 1.0, generator)
    after = [detector.count(dark.copy(), 1.0, generator)[good].mean() for _ in range(3)]
    left = np.array(after) - response.OFFSET - maps.dark_per_s[good].mean()
    gain = maps.gain[good].mean()
    assert left[0] == pytest.approx(500_000 * gain * response.LAG, rel=0.01)
    assert left[1] == pytest.approx(500_000 * gain * response.LAG**2, abs=0.1)
    assert left[2] == pytest.approx(0.0, abs=0.1)


def test_what_was_beyond_the_full_well_does_not_lag(maps):
    detector, generator = Response(maps), np.random.default_rng(1)
    detector.count(np.full(SHAPE, 1e8, np.float32), 1.0, generator)
    after = detector.count(np.zeros(SHAPE, np.float32), 1.0, generator)[ordinary(maps)]
    assert after.mean() - response.OFFSET == pytest.approx(response.SATURATION * response.LAG, rel=0.01)


def test_noise_depends_on_the_generator_alone(maps):
    one, same = (Response(maps).count(np.full(SHAPE, 50.0, np.float32), 5.0, np.random.default_rng(8))
                 for _ in range(2))  # fmt: skip
    np.testing.assert_array_equal(one, same)

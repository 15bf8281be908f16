"""Texture belongs to a holder, grains to a place on it; a raster averages the grains."""

import numpy as np
import pytest

from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.grains import GRAIN_SIGMA, TEXTURE, Grains

GEOMETRY = DetectorGeometry(shape=(256, 256), pixel_mm=0.6)
BEAM = (0.5, 0.5)
RADIUS_MM = np.arange(0, 250, 0.01)


@pytest.fixture(scope="module")
def grains():
    return Grains(GEOMETRY, seed=7)


def modulation(grains, phase, place_mm=(0.0, 0.0), *, holder="H1", beam=BEAM, rest=0.0):
    """Factor of each pixel, of a sample of one phase that scatters the same everywhere."""
    frame = np.ones(GEOMETRY.shape, dtype=np.float32)
    even = np.ones(RADIUS_MM.size)
    grains.modulate(frame, holder, place_mm, beam, {phase: even}, rest * even)
    return frame


def far_out(frame):
    return frame[GEOMETRY.radius_mm > 60]


def test_the_same_place_has_the_same_grains(grains):
    one = modulation(grains, "Al", (0.2, -0.1))
    np.testing.assert_array_equal(one, modulation(Grains(GEOMETRY, seed=7), "Al", (0.2, -0.1)))
    assert (one != modulation(Grains(GEOMETRY, seed=8), "Al", (0.2, -0.1))).mean() > 0.9
    assert (one != modulation(grains, "Al", (0.2, -0.1), holder="H2")).mean() > 0.9


def test_one_beam_further_all_grains_are_others_and_half_a_beam_half_of_them(grains):
    texture = np.mean(
        [modulation(grains, "LaB6", (x * 0.5, y * 0.5)) for x in range(8) for y in range(8)], axis=0
    )
    here, half, whole = (modulation(grains, "LaB6", (x, 0.0)) - texture for x in (0.0, 0.25, 0.5))
    assert np.corrcoef(here.ravel(), half.ravel())[0, 1] == pytest.approx(np.sqrt(0.5), abs=0.1)
    assert abs(np.corrcoef(here.ravel(), whole.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("phase", ["Al", "graphite"])
def test_a_raster_averages_the_grains_and_keeps_the_texture(grains, phase):
    """The deviation from the mean of very many places falls with the square root of the number of places."""
    places = [(0.5 * x, 0.5 * y) for x in range(12) for y in range(12)]
    all_places = np.array([far_out(modulation(grains, phase, place)) for place in places])
    mean = all_places.mean(axis=0)
    single = np.std(all_places[:16] - mean)
    of_nine = np.std([all_places[i : i + 9].mean(axis=0) - mean for i in range(0, 144, 9)])
    assert single == pytest.approx(GRAIN_SIGMA[phase], rel=0.4)
    assert of_nine / single == pytest.approx(1 / 3, rel=0.15)
    assert np.std(mean) == pytest.approx(TEXTURE[phase] / 2, rel=0.6)
    assert mean.mean() == pytest.approx(1.0, abs=TEXTURE[phase])


def test_the_strength_of_grains_does_not_depend_on_where_between_two_places_the_beam_is(grains):
    spread = [np.std(far_out(modulation(grains, "LaB6", (x, 3.0)))) for x in (0.0, 0.1, 0.25, 0.4)]
    np.testing.assert_allclose(spread, spread[0], rtol=0.1)


def test_a_larger_beam_sees_more_grains(grains):
    small, large = (
        np.std(far_out(modulation(grains, "LaB6", beam=beam))) for beam in ((0.5, 0.5), (1.0, 1.0))
    )
    assert small / large == pytest.approx(2.0, rel=0.15)


def test_what_scatters_evenly_is_not_modulated(grains):
    alone, diluted = (modulation(grains, "Al", rest=rest) - 1 for rest in (0.0, 3.0))
    np.testing.assert_allclose(diluted, alone / 4, atol=1e-5)
    np.testing.assert_array_equal(modulation(grains, "unknown phase"), 1.0)


def test_no_intensity_is_negative(grains):
    assert min(modulation(grains, "Li", (0.3 * n, 0.1 * n)).min() for n in range(6)) >= 0.0

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.detector import DetectorGeometry, count_photons, read_stamp, write_stamp


@given(stamp=st.integers(0, 2**32 - 1))
def test_stamp_is_read_as_it_was_written(stamp):
    frame = np.zeros((4, 8), dtype=np.uint32)
    write_stamp(frame, stamp)
    assert read_stamp(frame) == stamp


def test_frames_without_an_intact_stamp_have_none():
    frame = np.zeros((4, 8), dtype=np.uint32)
    assert read_stamp(frame) is None
    write_stamp(frame, 7)
    frame[0, 1] += 1
    assert read_stamp(frame) is None


def test_stamps_beyond_32_bits_are_refused():
    with pytest.raises(ValueError, match="4294967296"):
        write_stamp(np.zeros((2, 8), dtype=np.uint32), 2**32)


@pytest.mark.parametrize("expected", [0.3, 5.0, 19.0, 25.0, 400.0])
def test_counts_have_the_mean_and_the_variance_of_poisson(expected):
    counts = count_photons(np.full(200_000, expected, dtype=np.float32), keyed_generator(0, "xrd", 1))
    assert counts.dtype == np.uint32
    assert counts.mean() == pytest.approx(expected, abs=5 * np.sqrt(expected / 200_000) + 0.002)
    assert counts.var() == pytest.approx(expected, rel=0.03)


def test_noise_depends_on_seed_instrument_and_key_alone():
    draws = {
        key: keyed_generator(*key).integers(2**63)
        for key in [(0, "xrd", 1), (1, "xrd", 1), (0, "raman", 1), (0, "xrd", 2), (0, "xrd", 1 + 2**32)]
    }
    assert len(set(draws.values())) == len(draws)
    assert keyed_generator(0, "xrd", 1).integers(2**63) == draws[(0, "xrd", 1)]


def test_detector_reaches_graphite_110_and_hides_its_stamp():
    geometry = DetectorGeometry()
    edge_deg = np.degrees(np.arctan(geometry.radius_mm[40, -1] / geometry.distance_mm))
    assert edge_deg > np.degrees(2 * np.arcsin(geometry.wavelength_angstrom / 2 / 1.23))
    assert geometry.mask[0, :4].all()
    assert 0 < geometry.mask.mean() < 0.05


def test_radius_is_that_of_the_pixel_centres():
    geometry = DetectorGeometry(shape=(64, 80))
    y, x = np.indices(geometry.shape)
    expected = np.hypot((y + 0.5) * 0.15 - 6.0, (x + 0.5) * 0.15 - 6.0)
    np.testing.assert_allclose(geometry.radius_mm, expected, atol=1e-6)

from pathlib import Path

import numpy as np
import pytest

from intercalate.reduction import Integrator, Pattern

SHAPE = (200, 220)
PIXEL_M = 1.5e-4


def poni(wavelength="Wavelength: 4.95937e-11\n", rotation=0.0, shape=True):
    maximum = f', "max_shape": [{SHAPE[0]}, {SHAPE[1]}]' if shape else ""
    return (
        "poni_version: 2\nDetector: Detector\n"
        f'Detector_config: {{"pixel1": {PIXEL_M}, "pixel2": {PIXEL_M}{maximum}, "orientation": 3}}\n'
        f"Distance: 0.05\nPoni1: 0.003\nPoni2: 0.003\nRot1: {rotation}\nRot2: 0.0\nRot3: 0.0\n{wavelength}"
    )


def pixel_angles():
    """2theta in degrees of each pixel's centre, without pyFAI."""
    y, x = np.indices(SHAPE)
    radius = np.hypot((y + 0.5) * PIXEL_M - 0.003, (x + 0.5) * PIXEL_M - 0.003)
    return np.degrees(np.arctan(radius / 0.05))


def corrections(polarisation=0.99):
    """Solid angle (cos^3) and polarisation of each pixel, without pyFAI."""
    y, x = np.indices(SHAPE)
    dy, dx = (y + 0.5) * PIXEL_M - 0.003, (x + 0.5) * PIXEL_M - 0.003
    two_theta = np.radians(pixel_angles())
    cos2chi = (dx**2 - dy**2) / np.maximum(dx**2 + dy**2, 1e-30)
    factor = 0.5 * (1 + np.cos(two_theta) ** 2 - polarisation * cos2chi * np.sin(two_theta) ** 2)
    return np.cos(two_theta) ** 3 * factor


def test_isotropic_scattering_integrates_to_a_flat_pattern():
    frame = np.random.default_rng(0).poisson(400.0 * corrections()).astype(np.uint32)
    pattern = Integrator(poni(), n_bins=100).integrate(frame)
    pull = (pattern.intensity - 400.0) / pattern.sigma
    assert abs(pull.mean()) < 0.4
    assert 0.8 < pull.std() < 1.2
    assert pattern.wavelength_angstrom == pytest.approx(0.495937)
    assert pattern.distance_mm == pytest.approx(50.0)


def test_errors_are_those_of_the_counts_in_a_bin():
    frame = np.random.default_rng(1).poisson(50.0, SHAPE).astype(np.uint32)
    integrator = Integrator(poni(), n_bins=80, polarisation=None)
    pattern = integrator.integrate(frame)
    angle = pixel_angles()
    edges = np.linspace(angle.min(), angle.max(), 81)
    which = np.clip(np.searchsorted(edges, angle.ravel(), side="right") - 1, 0, 79)
    counts = np.bincount(which, frame.ravel().astype(float), 80)
    weight = np.bincount(which, np.cos(np.radians(angle.ravel())) ** 3, 80)
    middle = slice(10, 70)
    np.testing.assert_allclose(pattern.intensity[middle], (counts / weight)[middle], rtol=0.02)
    np.testing.assert_allclose(pattern.sigma[middle], (np.sqrt(counts) / weight)[middle], rtol=0.02)


def test_errors_of_faint_frames_are_not_too_large():
    integrator = Integrator(poni(), n_bins=60)
    expected = 0.05 * corrections()
    draws = np.random.default_rng(2)
    patterns = [integrator.integrate(draws.poisson(expected).astype(np.uint32)) for _ in range(20)]
    pull = np.concatenate([(p.intensity - 0.05)[10:50] / p.sigma[10:50] for p in patterns])
    assert pull.std() == pytest.approx(1.0, abs=0.1)


def test_angles_are_means_of_the_pixels_not_centres_of_the_bins():
    pattern = Integrator(poni(), n_bins=100).integrate(np.ones(SHAPE, dtype=np.uint32))
    centres = np.linspace(pattern.two_theta_deg[0], pattern.two_theta_deg[-1], len(pattern))
    width = np.median(np.diff(pattern.two_theta_deg))
    offset = np.abs(pattern.two_theta_deg - centres)
    assert 0 < offset.max() < width


def test_masked_pixels_do_not_count_and_empty_bins_are_left_out():
    frame = np.full(SHAPE, 100, dtype=np.uint32)
    mask = pixel_angles() < 10.0
    frame[mask] = 4_000_000_000
    pattern = Integrator(poni(), mask, n_bins=100).integrate(frame)
    assert pattern.two_theta_deg[0] >= 9.9
    assert pattern.intensity.max() < 1000
    assert (pattern.sigma > 0).all()


def test_geometry_may_be_a_file(tmp_path: Path):
    path = tmp_path / "geometry.poni"
    path.write_text(poni())
    frame = np.full(SHAPE, 7, dtype=np.uint32)
    from_file = Integrator(path, n_bins=50).integrate(frame)
    from_text = Integrator(poni(), n_bins=50).integrate(frame)
    np.testing.assert_array_equal(from_file.intensity, from_text.intensity)


def test_tilted_detector_has_no_distance_for_displacement():
    assert Integrator(poni(rotation=0.1), n_bins=50).distance_mm is None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Integrator(poni(wavelength="")), "no wavelength"),
        (lambda: Integrator(poni(shape=False)), "no detector shape"),
        (lambda: Integrator(poni(), np.zeros((3, 3), dtype=bool)), r"mask has shape \(3, 3\)"),
        (lambda: Integrator(poni(), np.ones(SHAPE, dtype=bool)), "leaves no pixel"),
        (lambda: Integrator(poni(), n_bins=1), "n_bins is 1"),
        (lambda: Integrator("/nowhere/geometry.poni"), "no PONI file"),
        (lambda: Integrator(poni(), n_bins=50).integrate(np.zeros((5, 5))), r"frame has shape \(5, 5\)"),
        (lambda: Integrator(poni(), n_bins=50).integrate(np.zeros(SHAPE)), "no counts"),
    ],
)
def test_wrong_input_is_refused_with_the_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("x", "y", "sigma", "message"),
    [
        ([1.0, 2.0], [1.0], [1.0, 1.0], "one length"),
        ([1.0, 2.0], [1.0, np.nan], [1.0, 1.0], "finite"),
        ([1.0, 2.0], [1.0, 1.0], [1.0, 0.0], "1 bins are not"),
        ([2.0, 1.0], [1.0, 1.0], [1.0, 1.0], "ascend"),
    ],
)
def test_patterns_check_themselves(x, y, sigma, message):
    with pytest.raises(ValueError, match=message):
        Pattern(np.array(x), np.array(y), np.array(sigma), 0.5)

"""Rings on a tilted detector, as an integration by pyFAI alone finds them."""

import numpy as np
import pyFAI
import pytest

from intercalate_sims.probes.calibrant import CALIBRANTS
from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.halos import Halos
from intercalate_sims.probes.projection import Projection
from intercalate_sims.probes.samples import Sample

TILTED = DetectorGeometry(distance_mm=301.2, beam_mm=(6.4, 5.3), rot1_rad=0.012, rot2_rad=-0.009)
NOTHING = Halos(air_mm=0.0, compton=0.0)
RINGS = 12


def integrator_of(geometry, tmp_path):
    path = tmp_path / "geometry.poni"
    path.write_text(geometry.poni())
    return pyFAI.load(str(path))


def true_angles_deg(wavelength_angstrom):
    inverse_d = np.sort(CALIBRANTS["LaB6"].lines(wavelength_angstrom).inverse_d)[:RINGS]
    return np.degrees(2 * np.arcsin(wavelength_angstrom * inverse_d / 2))


def centroids_deg(two_theta_deg, intensity, near_deg, width_deg=0.15):
    found = []
    for angle in near_deg:
        near = np.abs(two_theta_deg - angle) < width_deg
        height = intensity[near] - np.interp(
            two_theta_deg[near], *_ends(two_theta_deg[near], intensity[near])
        )
        found.append(np.average(two_theta_deg[near], weights=np.maximum(height, 0.0)))
    return np.array(found)


def _ends(x, y):
    return [x[0], x[-1]], [y[:3].mean(), y[-3:].mean()]


@pytest.fixture(scope="module")
def frame():
    wavelength = TILTED.wavelength_angstrom
    sample = Sample([CALIBRANTS["LaB6"].lines(wavelength)], NOTHING)
    return Projection(TILTED).expected(sample, wavelength, 1e11)


def test_the_beam_and_the_distance_are_where_pyfai_has_them(tmp_path):
    fit2d = integrator_of(TILTED, tmp_path).getFit2D()
    assert fit2d["directDist"] == pytest.approx(TILTED.distance_mm, rel=1e-9)
    assert fit2d["centerY"] * TILTED.pixel_mm == pytest.approx(TILTED.beam_mm[0], abs=1e-6)
    assert fit2d["centerX"] * TILTED.pixel_mm == pytest.approx(TILTED.beam_mm[1], abs=1e-6)


def test_rings_lie_at_their_angles_in_the_true_geometry(frame, tmp_path):
    found = integrator_of(TILTED, tmp_path).integrate1d(
        frame, 6000, unit="2th_deg", method=("bbox", "csr", "cython"), mask=TILTED.mask
    )
    angles = true_angles_deg(TILTED.wavelength_angstrom)
    np.testing.assert_allclose(centroids_deg(*found, angles) / angles, 1.0, atol=1e-4)


def test_rings_lie_elsewhere_in_the_geometry_on_paper(frame, tmp_path):
    found = integrator_of(DetectorGeometry(), tmp_path).integrate1d(
        frame, 6000, unit="2th_deg", method=("bbox", "csr", "cython")
    )
    angles = true_angles_deg(TILTED.wavelength_angstrom)[:6]
    assert np.abs(centroids_deg(*found, angles, width_deg=0.4) / angles - 1).min() > 1e-3


def test_rings_are_round_in_the_true_geometry_and_not_on_paper(frame, tmp_path):
    """Position of one ring over the azimuth."""
    angle = true_angles_deg(TILTED.wavelength_angstrom)[4]
    spreads = []
    for geometry in (TILTED, DetectorGeometry()):
        intensity, radial, azimuth = integrator_of(geometry, tmp_path).integrate2d(
            frame, 3000, 36, unit="2th_deg", method=("bbox", "csr", "cython"), mask=TILTED.mask
        )
        sectors = [row for row, chi in zip(intensity, azimuth) if 5 < chi < 85]
        found = [centroids_deg(np.asarray(radial), row, [angle], width_deg=0.4)[0] for row in sectors]
        spreads.append(np.ptp(found))
    assert spreads[0] < 2e-3
    assert spreads[1] > 10 * spreads[0]


def test_an_even_source_follows_the_solid_angle(tmp_path):
    sample = Sample((), NOTHING, isotropic_per_sr=1.0)
    frame = Projection(TILTED).expected(sample, TILTED.wavelength_angstrom, 1.0)
    solid_angle = np.asarray(integrator_of(TILTED, tmp_path).solidAngleArray(TILTED.shape, absolute=True))
    lit = ~TILTED.mask & (TILTED.radius_mm > TILTED.beamstop_radius_mm + 0.3)
    np.testing.assert_allclose(frame[lit], solid_angle[lit], rtol=1e-4)


def test_without_tilt_nothing_is_changed_by_it():
    flat = DetectorGeometry()
    np.testing.assert_allclose(flat.tilt_factor, 1.0, rtol=1e-5)
    assert flat.poni_mm == flat.beam_mm
    assert flat.normal_distance_mm == flat.distance_mm


def test_a_sample_downstream_has_smaller_rings():
    wavelength = TILTED.wavelength_angstrom
    lines = CALIBRANTS["LaB6"].lines(wavelength)
    projection = Projection(TILTED)
    radius = []
    for displacement_um in (0.0, 600.0):
        profile = projection.rings([lines], wavelength, displacement_um)["LaB6"]
        angle = np.radians(true_angles_deg(wavelength)[3])
        near = np.abs(projection.grid_mm - TILTED.distance_mm * np.tan(angle)) < 1.0
        radius.append(np.average(projection.grid_mm[near], weights=profile[near]))
    assert radius[0] - radius[1] == pytest.approx(0.6 * np.tan(angle), rel=0.02)

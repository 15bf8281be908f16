"""Geometry and energy from rings, against frames whose geometry was chosen by the test."""

from dataclasses import replace

import numpy as np
import pyFAI
import pytest

from intercalate.reduction import geometry
from intercalate.reduction.geometry import (
    PARAMETERS,
    GeometryError,
    NominalGeometry,
    fit_geometry,
)
from intercalate.reduction.integration import solid_angle
from intercalate.reduction.shifts import line_shifts

from .ring_frames import PIXEL_MM, SHAPE, ring_frame, two_theta_deg

NOMINAL = NominalGeometry(distance_mm=250.0, pixel_mm=PIXEL_MM, beam_mm=(10.0, 12.0), energy_kev=25.0)
NO_MASK = np.zeros(SHAPE, bool)


def drawn(seed, calibrant="LaB6", energy=0.0):
    """Frame, and the true parameters in the order of PARAMETERS."""
    generator = np.random.default_rng(seed)
    distance = 250.0 + generator.normal(0, 1.0)
    rot1, rot2 = np.radians(generator.normal(0, 0.3, 2))
    poni = (10.0 - distance * np.tan(rot2) + generator.normal(0, 0.3), 12.0 + distance * np.tan(rot1))
    energy_kev = 25.0 * (1 + generator.normal(0, 5e-4) + energy)
    angle = two_theta_deg(distance, poni, rot1, rot2)
    true = np.array([distance, *poni, rot1, rot2, energy_kev])
    return ring_frame(angle, calibrant, energy_kev, seed), true


@pytest.mark.parametrize("calibrant", ["LaB6", "Si"])
def test_geometry_and_energy_come_back_within_their_errors(calibrant):
    pulls = []
    for seed in range(4):
        frame, true = drawn(seed, calibrant)
        found = fit_geometry(frame, NO_MASK, NOMINAL, calibrant)
        sigma = np.array([found.sigma(name) for name in PARAMETERS])
        pulls.append((np.array(list(found.values.values())) - true) / sigma)
        # The rings are narrower than a pixel here, of 0.09 degrees.
        assert abs(found.values["energy_kev"] / true[5] - 1) < 6e-4
        assert abs(found.values["distance_mm"] - true[0]) < 0.15
        assert len(found.rings) >= 6
    rms = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert (rms < 2.0).all(), rms
    assert rms.mean() > 0.3


def test_the_poni_file_is_the_geometry_that_was_found(tmp_path):
    frame, true = drawn(3)
    found = fit_geometry(frame, NO_MASK, NOMINAL)
    path = tmp_path / "geometry.poni"
    path.write_text(found.poni)
    read = pyFAI.load(str(path))
    angle = np.degrees(read.center_array(shape=SHAPE, unit="2th_rad"))
    expected = two_theta_deg(true[0], (true[1], true[2]), true[3], true[4])
    # A pixel is 0.09 degrees.
    assert np.abs(angle - expected).max() < 0.01
    assert read.wavelength * 1e10 == pytest.approx(12.398419843 / true[5], rel=3e-4)
    assert solid_angle(found.poni).shape == SHAPE
    assert solid_angle(found.poni).max() == pytest.approx(1.0, abs=1e-3)


def test_the_covariance_says_by_how_much_lines_may_be_off():
    """Against geometries drawn from the covariance: apparent angle of a ring less its Bragg angle."""
    frame, _ = drawn(3)
    found = fit_geometry(frame, NO_MASK, NOMINAL)
    values = np.array(list(found.values.values()))
    draws = np.random.default_rng(0).multivariate_normal(values, found.covariance, 200)
    spacing = np.array([4.0, 2.0, 1.2])

    def offsets(p):
        """Of the mean ring, of lines of these spacings."""
        seen = two_theta_deg(p[0], (p[1], p[2]), p[3], p[4])
        true = two_theta_deg(values[0], (values[1], values[2]), values[3], values[4])
        result = []
        for d in spacing:
            at = np.degrees(2 * np.arcsin(12.398419843 / values[5] / 2 / d))
            bragg = np.degrees(2 * np.arcsin(12.398419843 / p[5] / 2 / d))
            ring = np.abs(true - at) < 0.3
            result.append((seen - true)[ring].mean() - (bragg - at))
        return result

    spread = np.std([offsets(p) for p in draws], axis=0)
    shifts = line_shifts(found.poni, found.covariance)
    angles = np.degrees(2 * np.arcsin(12.398419843 / values[5] / 2 / spacing))
    claimed = np.sqrt(np.sum(np.square(shifts.at(angles)), axis=0))
    np.testing.assert_allclose(claimed, spread, rtol=0.2)


@pytest.mark.parametrize("seed", [3, 5])
def test_a_detector_that_stands_elsewhere_is_found(seed):
    # By itself the search takes one ring for another there.
    frame, true = drawn(seed)
    found = fit_geometry(frame, NO_MASK, replace(NOMINAL, distance_mm=0.985 * true[0]))
    assert abs(found.values["distance_mm"] - true[0]) < 0.15


@pytest.mark.parametrize(("seed", "off_mm"), [(3, (2.5, -2.5)), (4, (0.0, 3.5))])
def test_rings_are_looked_for_again_where_a_fit_puts_them(seed, off_mm, monkeypatch):
    # Of the first geometry some rings are taken for their neighbours, or are not seen.
    monkeypatch.setattr(geometry, "_DISTANCES", (1.0,))
    frame, true = drawn(seed)
    beam_mm = (NOMINAL.beam_mm[0] + off_mm[0], NOMINAL.beam_mm[1] + off_mm[1])
    found = fit_geometry(frame, NO_MASK, replace(NOMINAL, beam_mm=beam_mm))
    assert abs(found.values["distance_mm"] - true[0]) < 0.15
    assert len(found.rings) == 13


def test_masked_pixels_are_not_looked_at():
    frame, true = drawn(4)
    mask = NO_MASK.copy()
    mask[:, 150:160] = True
    spoiled = np.where(mask, 1e6, frame)
    found = fit_geometry(spoiled, mask, NOMINAL)
    assert found.values["energy_kev"] == pytest.approx(true[5], rel=3e-4)


def test_an_energy_that_is_one_percent_off_is_found_and_said():
    frame, _ = drawn(5, energy=0.01)
    with pytest.raises(GeometryError, match=r"the rings say 25\.2\d+ keV, the monochromator 25\.000") as said:
        fit_geometry(frame, NO_MASK, NOMINAL)
    assert "monochromator's scale" in str(said.value)


def test_noise_has_no_rings():
    noise = np.random.default_rng(0).poisson(50.0, SHAPE).astype(float)
    with pytest.raises(GeometryError, match=r"rings.*(calibrant in the beam|expose longer)"):
        fit_geometry(noise, NO_MASK, NOMINAL)


def test_an_empty_frame_has_no_rings():
    with pytest.raises(GeometryError, match="rings"):
        fit_geometry(np.zeros(SHAPE), NO_MASK, NOMINAL)


@pytest.mark.parametrize(("truly", "said"), [("Si", "LaB6"), ("LaB6", "Si")])
def test_the_wrong_calibrant_gives_no_geometry(truly, said):
    frame, _ = drawn(6, truly)
    with pytest.raises(GeometryError):
        fit_geometry(frame, NO_MASK, NOMINAL, said)


def test_what_does_not_fit_together_is_refused():
    frame, _ = drawn(7)
    with pytest.raises(GeometryError, match=r"shape \(400, 400\), the mask \(10, 10\)"):
        fit_geometry(frame, np.zeros((10, 10), bool), NOMINAL)
    with pytest.raises(GeometryError, match="no calibrant 'CeO2' is known; say LaB6 or Si"):
        fit_geometry(frame, NO_MASK, NOMINAL, "CeO2")

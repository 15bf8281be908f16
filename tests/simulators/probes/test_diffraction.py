from dataclasses import replace

import numpy as np
import pytest

from intercalate.reduction import Integrator
from intercalate_sims.probes.detector import DetectorGeometry, read_stamp
from intercalate_sims.probes.diffraction import DiffractionProbe
from intercalate_sims.probes.powder import CellMakeup

from .cells import angle_deg, electrode, full_cell_state, half_cell_state

WAVELENGTH_ANGSTROM = DetectorGeometry().wavelength_angstrom


@pytest.fixture(scope="module")
def probe():
    return DiffractionProbe(seed=5)


@pytest.fixture(scope="module")
def integrator(probe):
    return Integrator(probe.geometry_poni(), probe.mask)


def excess(integrator, frame, d_angstrom, width_deg=0.12):
    """Area of a line of this spacing over the median of its surroundings, in sigma of counting."""
    pattern = integrator.integrate(frame)
    distance = np.abs(pattern.two_theta_deg - angle_deg(d_angstrom, WAVELENGTH_ANGSTROM))
    line, around = distance < width_deg, (distance > 1.5 * width_deg) & (distance < 4 * width_deg)
    height = pattern.intensity[line] - np.median(pattern.intensity[around])
    return height.sum() / np.sqrt((pattern.sigma[line] ** 2).sum())


def test_same_key_same_frame_other_key_other_noise(probe):
    states = [(1.0, full_cell_state(0.6, 0.4))]
    first = probe.frame(states, 60.0, 120.0)
    assert first.dtype == np.uint32
    assert first.shape == (1024, 1024)
    np.testing.assert_array_equal(first, DiffractionProbe(seed=5).frame(states, 60.0, 120.0))
    assert (first != probe.frame(states, 60.0, 120.001)).mean() > 0.5
    assert (first != DiffractionProbe(seed=6).frame(states, 60.0, 120.0)).mean() > 0.5
    assert (first != DiffractionProbe(seed=5, instrument="xrd2").frame(states, 60.0, 120.0)).mean() > 0.5


def test_stamp_changes_masked_pixels_only(probe):
    states = [(1.0, full_cell_state(0.6, 0.4))]
    plain, stamped = probe.frame(states, 60.0, 0.0), probe.frame(states, 60.0, 0.0, stamp=41)
    assert read_stamp(stamped) == 41
    assert read_stamp(plain) is None
    assert probe.mask[plain != stamped].all()


def test_exposure_scales_counts(probe):
    states = [(1.0, full_cell_state(0.6, 0.4))]
    one, two = probe.expectation(states, 10.0), probe.expectation(states, 20.0)
    np.testing.assert_allclose(two, 2 * one, rtol=1e-5)
    assert not probe.expectation(states, 0.0).any()


def test_frame_is_the_average_over_the_exposure(probe):
    early, late = full_cell_state(0.7, 0.3), full_cell_state(0.5, 0.5)
    both = probe.expectation([(3.0, early), (1.0, late)], 60.0)
    parts = 0.75 * probe.expectation([(1.0, early)], 60.0) + 0.25 * probe.expectation([(1.0, late)], 60.0)
    np.testing.assert_allclose(both, parts, rtol=2e-3, atol=0.05)


@pytest.mark.parametrize(
    ("x_negative", "present", "absent"), [(0.3, 3.50, 3.40), (0.75, 3.70, 3.45), (0.75, 3.525, 3.40)]
)
def test_stages_show_where_they_should(probe, integrator, x_negative, present, absent):
    frame = probe.frame([(1.0, full_cell_state(0.5, x_negative))], 60.0, 0.0)
    assert excess(integrator, frame, present) > 100
    assert excess(integrator, frame, absent) < 40


@pytest.mark.parametrize(
    "d_angstrom", [4.11, 2.338, 2.0871, 1.8075], ids=["PE", "Al 111", "Cu 111", "Cu 200"]
)
def test_foils_and_separator_are_in_every_frame(probe, integrator, d_angstrom):
    width = 0.35 if d_angstrom > 4 else 0.12
    frame = probe.frame([(1.0, full_cell_state(0.6, 0.4))], 60.0, 0.0)
    assert excess(integrator, frame, d_angstrom, width) > 50


def test_lithium_shows_in_half_cells_and_when_plated(probe, integrator):
    lithium_110 = 3.5092 / np.sqrt(2)
    states = {
        "full": full_cell_state(0.6, 0.4),
        "half": half_cell_state("graphite", 0.2),
        "plated": full_cell_state(0.6, 0.4, plated_li_ah=0.01),
    }
    found = {
        name: excess(integrator, probe.frame([(1.0, state)], 60.0, 0.0), lithium_110, 0.08)
        for name, state in states.items()
    }
    assert found["half"] > found["full"] + 50
    assert found["plated"] > found["full"] + 50


def test_electrodes_lie_at_their_own_depth():
    """The foil behind the negative electrode is seen at a smaller radius than its cell says."""
    thick = CellMakeup(displacement_um=0.0, separator_um=2000.0)
    thin = CellMakeup(displacement_um=0.0, separator_um=20.0)
    angle = angle_deg(3.6149 / np.sqrt(3), WAVELENGTH_ANGSTROM)
    centres = []
    for makeup in (thick, thin):
        probe = DiffractionProbe(makeup=makeup)
        pattern = Integrator(probe.geometry_poni(), probe.mask).integrate(
            probe.expectation([(1.0, full_cell_state(0.6, 0.4))], 60.0)
        )
        near = np.abs(pattern.two_theta_deg - angle) < 0.2
        height = pattern.intensity[near] - pattern.intensity[near].min()
        centres.append(np.average(pattern.two_theta_deg[near], weights=height**2))
    expected = np.degrees(np.sin(np.radians(angle)) * np.cos(np.radians(angle)) * 0.99 / 300.0)
    assert centres[1] - centres[0] == pytest.approx(expected, rel=0.1)


def test_truth_is_the_mean_over_material_and_exposure(probe):
    truth = probe.truth([(1.0, full_cell_state(0.6, 0.75, 0.0)), (1.0, full_cell_state(0.4, 0.65, 0.0))])
    assert truth["positive"]["li_content"] == pytest.approx(0.5)
    assert truth["positive"]["c_angstrom"] == pytest.approx((14.415 + 14.430) / 2)
    assert truth["negative"]["stage_1_fraction"] == pytest.approx(0.4)
    assert truth["negative"]["stages"]["1"]["layer_spacing_angstrom"] == pytest.approx(3.70)
    assert truth["negative"]["poor_layer_spacing_angstrom"] == pytest.approx(3.525)


def test_lithium_has_no_truth_but_its_name(probe):
    assert probe.truth([(1.0, half_cell_state("NMC811", 0.5))])["negative"] == {"material": "Li"}


@pytest.mark.parametrize(
    ("states", "exposure_s", "message"),
    [
        ([], 1.0, "at least one state"),
        ([(0.0, full_cell_state(0.6, 0.4))], 1.0, "positive weight"),
        ([(1.0, full_cell_state(0.6, 0.4))], -1.0, "exposure_s is -1.0"),
        ([(1.0, full_cell_state(0.6, 0.4))], float("nan"), "exposure_s is nan"),
    ],
)
def test_impossible_exposures_are_refused(probe, states, exposure_s, message):
    with pytest.raises(ValueError, match=message):
        probe.frame(states, exposure_s, 0.0)


def test_unknown_electrode_is_refused_with_the_known_ones(probe):
    state = full_cell_state(0.6, 0.4)
    strange = replace(state, positive=replace(electrode("NMC811", 0.5), material="LTO"))
    with pytest.raises(ValueError, match="'LTO'"):
        probe.frame([(1.0, strange)], 1.0, 0.0)

"""Frames in reflection: losses by depth, the horizon, places along the beam, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.contract import ControlMode
from intercalate.reduction.depth import Coating, seen
from intercalate_sims.cell import make_cell
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.hidden import Hidden
from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.powder import Lines, all_lines, makeup_of
from intercalate_sims.probes.reflection import Incidence, Stack, lines_in_sector, merged
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.station import DiffractionStation

MAKEUP = makeup_of("lfp-thick-li")
WAVELENGTH, ENERGY_KEV = 0.495937, 25.0
GEOMETRY = DetectorGeometry()


@pytest.fixture(scope="module")
def state():
    cell = make_cell("lfp-thick-li", initial_soc=0.5)
    cell.advance(ControlMode.REST, 0.0)
    return cell.probe_state()


@pytest.fixture(scope="module")
def perfect():
    makeups = {"A1": MAKEUP, "B1": makeup_of("lfp-li")}
    return DiffractionStation(GEOMETRY, Hidden(), makeups, 3, is_perfect=True)


def shot(state, incidence_deg, content="A1", beam_mm=(0.5, 0.03)):
    in_beam = InBeam(Holder("H1", content, 0.0, 0.0), 1.0, 0.0, (0.0, 0.0))
    return Shot(
        0.0, 30.0, 3e8, 3e8, 25.0, beam_mm, in_beam, [(1.0, state)], settings={"incidence_deg": incidence_deg}
    )


def even_coating(state, count=400):
    """A line of FePO4 from everywhere in the coating, of one strength."""
    depth_um = -(MAKEUP.separator_um / 2 + (np.arange(count) + 0.5) / count * state.positive.thickness_um)
    return Lines("FePO4", np.full(count, 1 / 2.7), np.full(count, 1.0 / count), depth_um)


@pytest.mark.parametrize("incidence_deg", [0.5, 1.0, 3.0])
def test_losses_by_depth_are_those_by_which_a_reduction_reckons(state, incidence_deg):
    stack = Stack(state, MAKEUP, ENERGY_KEV)
    collector_um, thickness_um = MAKEUP.positive_collector_um, state.positive.thickness_um
    low, high = stack.optical_depth(np.array([collector_um, collector_um + thickness_um]))
    coating = Coating(thickness_um, (high - low) / thickness_um, low, collector_um)
    two_theta_deg = 2 * np.degrees(np.arcsin(WAVELENGTH / 2 / 2.7))
    azimuths = np.radians(np.linspace(0.0, 25.0, 19))
    how, line = Incidence(incidence_deg, 0.03), even_coating(state)
    total = np.mean(
        [lines_in_sector([line], stack, how, one, WAVELENGTH)[0].fraction.sum() for one in azimuths]
    )
    expected = seen(coating, incidence_deg, two_theta_deg).effective_um / thickness_um
    assert total * np.sin(np.radians(incidence_deg)) == pytest.approx(expected, rel=0.01)


def test_what_is_deeper_is_further_along_the_beam(state):
    stack, line = Stack(state, MAKEUP, ENERGY_KEV), even_coating(state)
    (out,) = lines_in_sector([line], stack, Incidence(1.0, 1e-6, height_um=5.0), 0.0, WAVELENGTH)
    places = out.depth_um.reshape(line.depth_um.size, -1).mean(axis=1) * np.sin(np.radians(1.0))
    below_um = places - 5.0 - MAKEUP.positive_collector_um
    np.testing.assert_allclose(
        below_um, state.positive.thickness_um + MAKEUP.separator_um / 2 + line.depth_um
    )


def test_a_higher_beam_is_drawn_out_over_the_sample(state):
    stack, line = Stack(state, MAKEUP, ENERGY_KEV), even_coating(state, 1)
    spreads = []
    for angle_deg in (1.0, 2.0):
        (out,) = lines_in_sector([line], stack, Incidence(angle_deg, 0.05), 0.0, WAVELENGTH)
        spreads.append(np.ptp(out.depth_um))
    two_theta = 2 * np.arcsin(WAVELENGTH / 2 / 2.7)
    by_height = [1 / np.tan(np.radians(angle)) - 1 / np.tan(two_theta) for angle in (1.0, 2.0)]
    assert spreads[0] == pytest.approx(0.8 * 50.0 * by_height[0])
    assert spreads[0] / spreads[1] == pytest.approx(by_height[0] / by_height[1])


def test_merged_lines_are_as_strong(state):
    lines = all_lines([(1.0, state), (1.0, state)], MAKEUP, WAVELENGTH)
    fewer = merged(lines)
    for one, other in zip(lines, fewer, strict=True):
        assert other.fraction.sum() == pytest.approx(one.fraction.sum())
        assert other.inverse_d.size <= one.inverse_d.size / (2 if one.phase == "LFP" else 1)


def test_below_the_plane_of_the_sample_there_is_nothing_but_air(state, perfect):
    frame, counts, truth = perfect.take(shot(state, 3.0), 0)
    azimuth_deg = np.degrees(GEOMETRY.azimuth_rad)
    radius_mm = GEOMETRY.radius_mm
    ring = (radius_mm > 40.0) & (radius_mm < 90.0)
    above, below = ring & (abs(azimuth_deg - 90.0) < 20.0), ring & (azimuth_deg < 0.0)
    assert frame[above].mean() > 10 * frame[below].mean()
    assert frame[below].mean() > 0
    assert counts.it_expected < 0.01 * counts.i0_expected
    assert truth["positive"]["material"] == "LFP"


def test_a_cell_that_is_not_tilted_is_taken_as_before(state, perfect):
    straight, without = shot(state, 90.0), replace(shot(state, 90.0), settings={})
    np.testing.assert_array_equal(perfect.take(straight, 0)[0], perfect.take(without, 0)[0])


def test_a_beam_that_is_longer_than_the_window_is_partly_lost():
    assert Incidence(1.0, 0.05).on_window == 1.0
    assert Incidence(1.0, 0.5).on_window == pytest.approx(6.0 * np.sin(np.radians(1.0)) / 0.5)


@pytest.mark.parametrize(
    ("incidence_deg", "content", "words"),
    [(2.0, "B1", "no window for reflection"), (40.0, "A1", "40 deg"), (0.05, "A1", "0.05 deg")],
)
def test_what_cannot_be_simulated_is_refused(state, perfect, incidence_deg, content, words):
    with pytest.raises(ValueError, match=words):
        perfect.take(shot(state, incidence_deg, content), 0)

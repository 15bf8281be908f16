"""One exposure on the station: frame, monitors and truth."""

from dataclasses import replace

import numpy as np
import pyFAI
import pytest

from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.changer import Holder, InBeam
from intercalate_sims.hidden import Hidden
from intercalate_sims.probes.calibrant import CALIBRANTS
from intercalate_sims.probes.detector import DetectorGeometry, read_stamp
from intercalate_sims.probes.monitors import DARK_PER_S, I0_PER_PHOTON, IT_PER_PHOTON
from intercalate_sims.probes.powder import makeup_of
from intercalate_sims.probes.response import OFFSET
from intercalate_sims.probes.shot import Shot
from intercalate_sims.probes.station import DiffractionStation

from .cells import full_cell_state

MAKEUPS = {"A1": makeup_of("nmc811-graphite"), "B1": makeup_of("graphite-li")}
STATES = [(1.0, full_cell_state(0.6, 0.4))]
HIDDEN = Hidden.draw(11, ["H1"], ["A1", "B1"])
FULL = 4e9


def station(hidden=HIDDEN, *, seed=3, is_perfect=False):
    return DiffractionStation(DetectorGeometry(), hidden, MAKEUPS, seed, is_perfect=is_perfect)


@pytest.fixture(scope="module")
def real():
    return station()


@pytest.fixture(scope="module")
def perfect():
    return station(Hidden(), is_perfect=True)


def shot(content="A1", *, photons_s=FULL, exposure_s=60.0, start_s=0.0, window=1.0, air=0.0, place=(0.0, 0.0),
         energy_kev=25.0):  # fmt: skip
    holder = None if content is None else Holder("H1", content, 0.0, 0.0)
    states = STATES if content in MAKEUPS else []
    in_beam = InBeam(holder, window, air, place)
    return Shot(start_s, exposure_s, photons_s, FULL, energy_kev, (0.5, 0.5), in_beam, states)


def test_a_frame_depends_on_seed_and_start_alone(real):
    frame, counts, _ = real.take(shot(start_s=60.0), 5)
    assert frame.dtype == np.uint32
    assert read_stamp(frame) == 5
    again, counts_again, _ = station().take(shot(start_s=60.0), 5)
    np.testing.assert_array_equal(frame, again)
    assert counts == counts_again
    later, _, _ = station().take(shot(start_s=61.0), 5)
    assert (later != frame).mean() > 0.5


@pytest.mark.parametrize("kind", ["real", "perfect"])
def test_a_calibrant_has_its_certified_spacings_in_the_true_geometry(kind, request, tmp_path):
    """Read with the true geometry and energy, which only the simulator knows; else it is off."""
    one = request.getfixturevalue(kind)
    frame, _, _ = one.take(shot("LaB6", exposure_s=30.0), 0)
    wavelength = one.wavelength_angstrom(25.0)
    inverse_d = np.sort(CALIBRANTS["LaB6"].lines(wavelength).inverse_d)[1:10]
    found = []
    for geometry, true_wavelength in ((one.geometry, wavelength), (one.nominal, 12.398419843 / 25.0)):
        path = tmp_path / f"{len(found)}.poni"
        path.write_text(geometry.poni())
        mask = geometry.mask | (frame == 0) | (frame > 50_000)
        two_theta, intensity = pyFAI.load(str(path)).integrate1d(
            frame, 4000, unit="2th_deg", method=("bbox", "csr", "cython"), mask=mask
        )
        expected = np.degrees(2 * np.arcsin(true_wavelength * inverse_d / 2))
        ratios = []
        for angle in expected:
            near = np.abs(two_theta - angle) < 0.25
            height = np.maximum(intensity[near] - np.percentile(intensity[near], 60), 0.0)
            ratios.append(np.average(two_theta[near], weights=height) / angle)
        found.append(np.abs(np.array(ratios) - 1).max())
    assert found[0] < 2e-4
    if kind == "real":
        assert found[1] > 1e-3
    else:
        assert found[1] == pytest.approx(found[0], abs=1e-6)


def test_the_scale_of_the_monochromator_is_off_by_what_is_hidden(real, perfect):
    assert perfect.wavelength_angstrom(25.0) == pytest.approx(0.4959368, rel=1e-7)
    ratio = perfect.wavelength_angstrom(25.0) / real.wavelength_angstrom(25.0)
    assert ratio - 1 == pytest.approx(HIDDEN.energy)
    scale = real.nominal.wavelength_angstrom / real.geometry.wavelength_angstrom
    assert scale - 1 == pytest.approx(HIDDEN.energy)
    assert real.wavelength_angstrom(24.0) / real.wavelength_angstrom(25.0) == pytest.approx(25 / 24)


@pytest.mark.parametrize(
    ("content", "transmission"),
    [("A1", 0.62), ("LaB6", 0.80), ("Si", 0.95), ("empty", 0.97), ("fluorescence", 0.45), (None, 1.0)],
)
def test_monitors_count_before_and_behind_the_sample(real, content, transmission):
    one = shot(content, exposure_s=10.0, **({} if content else {"window": 0.0, "air": 1.0}))
    counts = real.count(one)
    # Given at 25 keV; what is absorbed grows with the wavelength.
    transmission **= (1 + HIDDEN.energy) ** -2.9
    dark = 10 * DARK_PER_S
    assert counts.i0_expected == pytest.approx(10 * FULL * I0_PER_PHOTON + dark)
    assert counts.it_expected == pytest.approx(10 * FULL * IT_PER_PHOTON * transmission + dark)
    assert abs(counts.i0 - counts.i0_expected) < 5 * np.sqrt(counts.i0_expected)


def test_an_electrode_without_a_diffraction_model_lets_the_beam_through(real):
    """A cell for light is aligned by X-rays."""
    state = replace(full_cell_state(0.6, 0.4), positive=ElectrodeState("LMNO", (0.5,), (0.0,), 60.0, 16.0))
    through = real.count(replace(shot(), states=[(1.0, state)]))
    assert through.it_expected == real.count(shot()).it_expected


def test_a_frame_and_its_monitors_are_of_the_same_photons(real):
    for photons_s in (FULL, FULL / 3, 0.0):
        _, counts, truth = real.take(shot(photons_s=photons_s, exposure_s=20.0), 0)
        assert counts.i0_expected == pytest.approx(20 * (photons_s * I0_PER_PHOTON + DARK_PER_S))
        assert truth["i0"] == counts.i0
        assert truth["photons_s"] == photons_s


@pytest.mark.parametrize(
    ("share", "quality"), [(1.0, "valid"), (0.3, "weak"), (0.001, "none"), (0.0, "none")]
)
def test_the_truth_tells_the_quality_of_the_beam(real, share, quality):
    _, _, truth = real.take(shot(photons_s=share * FULL), 0)
    assert truth["quality"] == quality
    assert ("positive" in truth) == (share > 0)


def test_the_metal_frame_stops_everything(perfect):
    frame, counts, truth = perfect.take(shot(window=0.0), 7)
    frame[0, :4] = 0
    assert not frame.any()
    assert counts.it_expected == pytest.approx(60 * DARK_PER_S)
    assert truth["content"] is None
    assert "positive" not in truth


def test_at_the_edge_of_a_window_a_part_of_the_beam_counts(perfect):
    whole, part = (
        perfect.take(shot(window=window, start_s=1.0), 0)[0].astype(float) for window in (1.0, 0.25)
    )
    for frame in (whole, part):
        frame[0, :4] = 0
    assert part.sum() / whole.sum() == pytest.approx(0.25, rel=1e-3)


def test_without_beam_the_real_detector_shows_its_dark(real):
    real.take(shot(None, photons_s=0.0, window=0.0), 0)
    frame, _, _ = real.take(shot(None, photons_s=0.0, window=0.0, exposure_s=10.0), 0)
    assert np.median(frame) == pytest.approx(OFFSET + 10 * 0.4, abs=1.5)


def test_fluorescence_lights_the_whole_detector(perfect):
    frame, _, _ = perfect.take(shot("fluorescence"), 0)
    lit = frame[~perfect.geometry.mask & (perfect.geometry.radius_mm > 16)]
    assert np.percentile(lit, 1) > 0.5 * np.percentile(lit, 99) > 100


def test_the_empty_cell_has_separator_and_halo_but_no_electrodes(perfect):
    frame, _, _ = perfect.take(shot("empty"), 0)
    radius = perfect.geometry.radius_mm

    def at(d_angstrom, width_mm=0.2):
        wavelength = perfect.wavelength_angstrom(25.0)
        centre = perfect.geometry.distance_mm * np.tan(2 * np.arcsin(wavelength / 2 / d_angstrom))
        return frame[np.abs(radius - centre) < width_mm].mean()

    assert at(4.11) > 1.2 * at(4.6)
    for d_angstrom in (4.73, 2.338, 2.087):
        assert at(d_angstrom) == pytest.approx((at(d_angstrom * 1.02) + at(d_angstrom * 0.98)) / 2, rel=0.03)


def test_intensities_differ_from_place_to_place_and_a_raster_averages(real):
    """Sum over the ring of Cu 111, per place and over a raster of as many places elsewhere."""
    radius = real.geometry.radius_mm
    centre = real.geometry.distance_mm * np.tan(2 * np.arcsin(real.wavelength_angstrom(25.0) / 2 / 2.0871))
    ring = (
        (np.abs(radius - centre) < 0.4)
        & (real.geometry.azimuth_rad > 0.4)
        & (real.geometry.azimuth_rad < 0.5)
    )

    def intensity(place):
        return float(real._expected(shot(place=place), real._sample(shot(place=place)))[ring].sum())

    single = np.array([intensity((0.5 * n, 0.0)) for n in range(20)])
    rasters = single.reshape(5, 4).mean(axis=1)
    assert np.std(single) / single.mean() > 0.03
    assert np.std(rasters) < 0.8 * np.std(single)
    assert intensity((0.0, 0.0)) == single[0]

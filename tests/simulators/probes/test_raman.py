"""Spectra in, lithium out: the Raman reduction against a simulator that shares nothing with it but tables."""

from dataclasses import replace

import numpy as np
import pytest

from intercalate.materials.raman import DENSE, FANO_COUPLING, FANO_COUPLING_SIGMA
from intercalate.reduction.bands import Spectrum
from intercalate.reduction.raman import (
    CountingDetector,
    Regime,
    SpectrographOnPaper,
    calibrated_axis,
    cosmic_rays,
    graphite_state,
    reduced,
)
from intercalate.reduction.raman.axis import AxisError, axis_on_paper
from intercalate.reduction.raman.carbide import carbide_bands
from intercalate.reduction.raman.counts import CountsError
from intercalate_sims.cell.hosts import Host
from intercalate_sims.probes.raman import HiddenSpectrograph, Line, RamanProbe, Spectrograph, graphite_lines

from .cells import electrode

NOMINAL = Spectrograph()
PAPER = SpectrographOnPaper(
    NOMINAL.laser_nm,
    NOMINAL.first_nm,
    NOMINAL.nm_per_pixel,
    NOMINAL.curvature_nm_per_pixel2,
    NOMINAL.pixels,
    NOMINAL.width_nm,
)
DETECTOR = CountingDetector(
    NOMINAL.counts_per_electron,
    NOMINAL.read_noise_electrons,
    60000.0,
    NOMINAL.width_nm / NOMINAL.nm_per_pixel,
)
EXPOSURE_S, POWER_MW = 20.0, 1.0


class Instrument:
    """A spectrometer that nobody was told of, with its axis set by silicon."""

    def __init__(self, seed: int, **nominal):
        self.probe = RamanProbe(replace(NOMINAL, **nominal), HiddenSpectrograph.draw(seed), seed)
        self._start_s = 0.0
        darks = np.array([self.count(np.zeros(NOMINAL.pixels)) for _ in range(20)], dtype=float)
        self.dark, self.dark_sigma = np.median(darks, axis=0), darks.std(axis=0) / np.sqrt(20) * 1.25
        self.axis = calibrated_axis(*self.reduced(self.probe.silicon(POWER_MW, EXPOSURE_S)), PAPER)

    def count(self, electrons):
        self._start_s += 100.0
        return self.probe.count(electrons, EXPOSURE_S, self._start_s)

    def reduced(self, electrons):
        return reduced(self.count(electrons), self.dark, self.dark_sigma, DETECTOR)

    def graphite(self, li_content, power_mw=POWER_MW):
        electrons = self.probe.graphite(li_content, power_mw, EXPOSURE_S)
        return graphite_state(Spectrum(self.axis.shift_per_cm, *self.reduced(electrons)), self.axis)


@pytest.fixture(scope="module")
def instruments():
    return [Instrument(seed) for seed in range(12)]


def test_silicon_sets_the_axis(instruments):
    """The true shift of silicon's line, and with it all others, within the errors that are stated."""
    pulls = []
    for one in instruments:
        for shift in (520.7, 1590.0):
            pixel = np.argmin(np.abs(one.probe.true.shift_per_cm() - shift))
            off = one.axis.shift_per_cm[pixel] - one.probe.true.shift_per_cm()[pixel]
            pulls.append(off / one.axis.sigma_at(shift))
    assert np.abs(pulls).max() < 3
    assert np.mean(np.square(pulls)) < 1.5


@pytest.mark.parametrize(
    ("li_content", "regime"),
    [
        (0.0, Regime.DILUTE),
        (0.04, Regime.DILUTE),
        (0.10, Regime.TRANSITION),
        (0.17, Regime.STAGED),
        (0.25, Regime.STAGED),
        (0.42, Regime.STAGE_2),
    ],
)
def test_bands_say_how_much_lithium_is_in_graphite(instruments, li_content, regime):
    for one in instruments:
        found = one.graphite(li_content)
        assert found.regime is regime, found.fit
        assert abs(found.li_content.value - li_content) < 3 * found.li_content.sigma


def test_staged_graphite_whose_upper_band_lies_low_is_staged(instruments):
    """Authors differ by 1 1/cm in where it is; dilute graphite between both bands makes it broad as well."""
    staged, between = [], []
    for seed, one in enumerate(instruments):
        sample = RamanProbe(NOMINAL, replace(HiddenSpectrograph.draw(seed), outer_per_cm=-1.8), seed)
        for li_content in (0.10, 0.18, 0.22):
            electrons = sample.graphite(li_content, POWER_MW, EXPOSURE_S)
            found = graphite_state(Spectrum(one.axis.shift_per_cm, *one.reduced(electrons)), one.axis)
            (between if li_content < 0.13 else staged).append(found.regime)
            if found.regime is Regime.STAGED:
                assert abs(found.li_content.value - li_content) < 3.0 * found.li_content.sigma
    assert set(between) == {Regime.TRANSITION}
    # The width scatters by counting.
    assert staged.count(Regime.STAGED) > 0.9 * len(staged)


@pytest.mark.parametrize("li_content", [0.6, 0.75, 0.9])
def test_stage_1_is_not_taken_for_anything_else(instruments, li_content):
    """Its band drowns in fluorescence: where it is not seen, what is said is wide enough, or nothing."""
    for one in instruments:
        found = one.graphite(li_content)
        assert found.regime in (Regime.DENSE, Regime.STAGE_2, Regime.UNDETERMINED)
        if found.regime is not Regime.UNDETERMINED:
            assert abs(found.li_content.value - li_content) < 3 * found.li_content.sigma


@pytest.mark.parametrize("li_content", [0.75, 0.9])
@pytest.mark.parametrize("seed", range(6))
def test_with_hardly_any_fluorescence_stage_1_is_seen(seed, li_content):
    one = Instrument(seed)
    one.probe = RamanProbe(NOMINAL, replace(HiddenSpectrograph.draw(seed), fluorescence=0.02), seed)
    found = one.graphite(li_content, power_mw=20.0)
    assert found.regime is Regime.DENSE
    assert abs(found.li_content.value - li_content) < 3 * found.li_content.sigma
    assert found.li_content.sigma < 0.05


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.06), (0.06, 0.13), (0.13, 0.33), (0.33, 0.4), (0.4, 1.0)])
def test_errors_cover_the_truth_at_any_lithium_content(instruments, low, high):
    """Also where kinds of graphite lie beside each other; errors of the tables are declared and not made.

    Where little is known, the error is that of a uniform distribution, whose ends are 1.7 sigma away.
    """
    draw = np.random.default_rng(7)
    pulls = []
    for one in instruments:
        for li_content in draw.uniform(low, high, 25):
            found = one.graphite(float(li_content), power_mw=float(np.exp(draw.uniform(-1.6, 1.4))))
            if found.regime is not Regime.UNDETERMINED:
                pulls.append((found.li_content.value - li_content) / found.li_content.sigma)
    assert len(pulls) > 200
    assert np.mean(np.abs(pulls) < 1.8) > 0.95
    assert np.abs(pulls).max() < 3.5


@pytest.mark.parametrize("li_content", [0.03, 0.2, 0.27])
def test_the_statistical_error_is_the_spread(instruments, li_content):
    one = instruments[4]
    found = [one.graphite(li_content, power_mw=0.5).li_content for _ in range(120)]
    spread = np.std([each.value for each in found])
    assert spread / np.mean([each.sigma_stat for each in found]) == pytest.approx(1.0, abs=0.15)


def test_a_spectrum_without_light_says_nothing(instruments):
    found = instruments[0].graphite(0.2, power_mw=0.0)
    assert found.regime is Regime.UNDETERMINED
    assert np.isnan(found.li_content.value)


def test_cosmic_rays_are_found_and_lines_are_not():
    rays = Instrument(3, rays_per_pixel_s=3e-4)
    none = Instrument(3, rays_per_pixel_s=0.0)
    for one in (rays, none):
        electrons = one.probe.silicon(5.0, EXPOSURE_S)
        hit = np.array([one.count(electrons) for _ in range(40)], dtype=float)
        clean = 0.5 * (electrons + 0.05 * EXPOSURE_S) + 300.0
        sigma = np.sqrt(np.maximum(0.5 * (clean - 300.0), 1.0) + 4.0)
        struck = hit - clean > 12 * sigma
        flagged = np.array([cosmic_rays(frame, sigma, DETECTOR.line_width_pixels) for frame in hit])
        if one is none:
            assert flagged.sum() == 0
        else:
            assert struck.sum() > 100
            assert np.mean(flagged[struck]) > 0.9
            assert np.mean(flagged[~struck]) < 0.05


@pytest.mark.parametrize("li_content", [0.10, 0.13, 0.20, 0.25])
def test_two_bands_beside_each_other_are_no_rays(instruments, li_content):
    """At any strength: between them lies a valley, and no background."""
    for one in instruments[:6]:
        for power_mw in (0.5, 2.0):
            without_rays = replace(one.probe.true, rays_per_pixel_s=0.0)
            probe = RamanProbe(without_rays, HiddenSpectrograph(), 1)
            one_count = probe.count(probe.graphite(li_content, power_mw, EXPOSURE_S), EXPOSURE_S, 1.0)
            _, _, used = reduced(one_count, one.dark, one.dark_sigma, DETECTOR)
            shift = probe.true.shift_per_cm()
            assert used[(shift > 1480.0) & (shift < 1680.0)].all()


def test_a_spectrum_that_is_not_of_silicon_does_not_set_the_axis(instruments):
    one = instruments[0]
    with pytest.raises(AxisError, match="silicon"):
        calibrated_axis(*one.reduced(one.probe.graphite(0.0, POWER_MW, EXPOSURE_S)), PAPER)


def test_saturated_and_mismatched_counts_are_refused():
    full = np.full(NOMINAL.pixels, 65535)
    with pytest.raises(CountsError, match="saturated"):
        reduced(full, np.zeros(NOMINAL.pixels), np.zeros(NOMINAL.pixels), DETECTOR)
    with pytest.raises(CountsError, match=r"shape \(1024,\), the dark one \(512,\)"):
        reduced(full, np.zeros(512), np.zeros(512), DETECTOR)


def test_particles_differ_and_neighbours_are_alike():
    probe = RamanProbe(NOMINAL, HiddenSpectrograph(), 5)
    graphite = electrode("graphite", 0.3, 0.05)
    far = [probe.li_content(graphite, 100.0 * i, 70.0 * j) for i in range(20) for j in range(20)]
    assert np.std(far) == pytest.approx(0.05, rel=0.2)
    near = [probe.li_content(graphite, 100.0 * i + 0.5, 0.0) - probe.li_content(graphite, 100.0 * i, 0.0)
            for i in range(20)]  # fmt: skip
    assert np.std(near) < 0.01


def test_axis_on_paper_is_that_of_the_instrument():
    np.testing.assert_allclose(axis_on_paper(PAPER), NOMINAL.shift_per_cm())


@pytest.mark.parametrize(("li_content", "lower"), [(0.0, 0.0), (0.15, 18.5), (0.25, 39.1)])
def test_2d_moves_down_and_disappears(instruments, li_content, lower):
    for one in instruments:
        found = one.graphite(li_content).overtone
        assert found is not None
        centre = found.centre["2D"]
        assert abs(centre.value - (2700.0 - lower)) < 4.0 * np.hypot(centre.sigma, one.axis.sigma_at(2700.0))
        gone = one.graphite(0.45).overtone
        assert gone is not None
        assert not gone.present["2D"]


def test_other_graphite_has_other_bands(instruments):
    probe = instruments[0].probe
    real, same = (graphite_lines(x, NOMINAL.laser_nm, probe._hidden) for x in (0.2, 0.8))
    assert probe.graphite_lines(0.2) == real
    assert probe.graphite_lines(0.2, Host.REVERSED) == same
    shifts = [[line.shift for line in probe.graphite_lines(x, Host.SOLID_SOLUTION)] for x in (0.0, 0.9)]
    assert np.subtract(*shifts) == pytest.approx([-8.1, 0.0, 0.0])


@pytest.mark.parametrize("coupling", [-0.3, -0.06, 0.0, 0.2])
def test_a_band_that_couples_to_electrons_is_a_fano_line(coupling):
    """By its formula, blurred number by number; its maximum is half a width times the coupling away."""
    shift = np.arange(1000.0, 2200.0, 0.25)
    line = Line(1580.0, 40.0, 0.0, 1.0, coupling)
    reduced = (shift - line.shift) / 20.0
    sharp = ((1 + coupling * reduced) ** 2 / (1 + reduced**2) - coupling**2) / (np.pi * 20.0)
    kernel = np.exp(-0.5 * (np.arange(-200, 201) * 0.25 / 8.0) ** 2)
    blurred = np.convolve(sharp, kernel / kernel.sum(), "same")
    inside = np.abs(shift - line.shift) < 400.0
    np.testing.assert_allclose(line.at(shift, 8.0)[inside], blurred[inside], atol=2e-3 * blurred.max())
    assert shift[np.argmax(sharp)] - line.shift == pytest.approx(20.0 * coupling, abs=0.3)


def test_samples_lean_differently_and_the_usual_one_is_where_the_table_has_it():
    drawn = [HiddenSpectrograph.draw(seed).fano_coupling for seed in range(300)]
    assert np.mean(drawn) == pytest.approx(FANO_COUPLING, abs=0.006)
    assert np.std(drawn) == pytest.approx(FANO_COUPLING_SIGMA, rel=0.15)
    shift = np.arange(1400.0, 1750.0, 0.1)
    (dense,) = [line for line in graphite_lines(0.98) if line.coupling]
    assert shift[np.argmax(dense.at(shift, 1.0))] == pytest.approx(DENSE.at(0.98), abs=0.4)


def carbide(instrument, share, li_content=0.3, power_mw=8.0):
    """What a spectrum of graphite says on which the laser has made so much of it."""
    electrons = instrument.probe.graphite(li_content, power_mw, EXPOSURE_S, carbide=share)
    return graphite_state(
        Spectrum(instrument.axis.shift_per_cm, *instrument.reduced(electrons)), instrument.axis
    )


@pytest.mark.parametrize("li_content", [0.0, 0.3, 0.9])
def test_carbide_that_the_laser_made_is_seen_and_changes_nothing_else(instruments, li_content):
    """Wherever between 1845 and 1856 a sample has it."""
    for instrument in instruments:
        found = carbide(instrument, 0.8, li_content).carbide
        assert found is not None
        known = instrument.probe._hidden.carbide_per_cm
        centre = found.centre["Li2C2"]
        assert centre.value == pytest.approx(known, abs=4.0 * np.hypot(centre.sigma, 0.5))
    states = [carbide(instruments[0], share) for share in (0.0, 0.8)]
    assert states[0].regime is states[1].regime
    x, other = (one.li_content for one in states)
    assert x.value == pytest.approx(other.value, abs=4.0 * np.hypot(x.sigma_stat, other.sigma_stat))


def test_no_carbide_is_seen_where_none_is(instruments):
    contents = np.linspace(0.0, 1.0, 20)
    assert not any(carbide(one, 0.0, x).carbide for one in instruments for x in contents)


def test_a_spectrum_that_ends_before_carbide_does_not_tell(instruments):
    instrument = instruments[0]
    electrons = instrument.probe.graphite(0.3, 8.0, EXPOSURE_S, carbide=1.0)
    whole = Spectrum(instrument.axis.shift_per_cm, *instrument.reduced(electrons))
    used = whole.used & (whole.x < 1800.0)
    cut = replace(whole, used=used)
    assert graphite_state(whole, instrument.axis).carbide is not None
    assert graphite_state(cut, instrument.axis).carbide is None
    assert carbide_bands([], instrument.axis) == []

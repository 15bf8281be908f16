"""Electron energy losses: what the pieces do on spectra that are known exactly."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.config import EXAMPLES, Config
from intercalate.reduction.eels import (
    Component,
    EelsCamera,
    EelsError,
    FitSettings,
    SpectrumImage,
    aligned,
    difference,
    electrons_of,
    fit_components,
    fit_interface,
    fit_layer,
    power_law,
    single_scattering,
    thickness,
    zero_loss_ev,
)
from intercalate.reduction.eels.inner_shells import inner_share
from intercalate.reduction.eels.nanobattery import mean_amount
from intercalate.tem_results import loss_thickness

CAMERA = EelsCamera(0.5, -20.0, 500.0, 0.1, 4.0, 1.0, 60000.0, (0.1, 0.8, 0.1))
ENERGY = np.arange(500.0, 700.0, 0.5)


def image(electrons, energy=ENERGY, read=0.0):
    electrons = np.atleast_3d(electrons)
    ones = np.ones(electrons.shape[:2])
    return SpectrumImage(energy, electrons, read, ones, ones)


def edge(onset, fall=2.0, peak=0.0):
    step = 1 / (1 + np.exp(-(ENERGY - onset) / 1.0)) * (ENERGY / onset) ** -fall
    return step + peak * np.exp(-0.5 * ((ENERGY - onset - 4) / 1.5) ** 2)


FIRST, SECOND = edge(532.0, peak=1.0), edge(560.0, peak=2.0)
BACKGROUND = 400.0 * (ENERGY / 500.0) ** -2.7


def noisy(amounts, seed=0, pixels=64):
    expected = BACKGROUND + amounts[0] * FIRST + amounts[1] * SECOND
    return np.random.default_rng(seed).poisson(expected, (1, pixels, ENERGY.size)).astype(float)


def components():
    return [Component("first", FIRST), Component("second", SECOND)]


class TestComponents:
    def test_spread_is_the_statistical_error_and_the_mean_is_true(self):
        found = fit_components(image(noisy((100.0, 40.0), pixels=400)), components(), np.ones((1, 400)))
        for name, true in (("first", 100.0), ("second", 40.0)):
            pulls = (found.amount[name] - true) / found.sigma_stat[name]
            assert pulls.std() == pytest.approx(1.0, abs=0.12)
            assert abs(pulls.mean()) < 0.2
        assert found.reduced_chi2.mean() == pytest.approx(1.0, abs=0.02)
        assert not found.is_unknown.any()

    def test_few_counts_are_not_biased(self):
        few = np.random.default_rng(3).poisson((BACKGROUND + 100 * FIRST) / 400.0, (1, 900, ENERGY.size))
        found = fit_components(image(few.astype(float), read=0.5), components(), np.ones((1, 900)))
        mean = found.mean("first")
        assert abs(mean.value - 0.25) < 4 * mean.sigma_stat

    def test_a_species_that_is_not_asked_for_is_reported(self):
        found = fit_components(image(noisy((100.0, 60.0))), components()[:1], np.ones((1, 64)))
        assert found.is_unknown.all()
        peak = found.energy_ev[np.argmax(found.residual)]
        assert abs(peak - 564.0) < 4.0

    def test_two_of_a_kind_are_not_determined(self):
        twin = Component("twin", edge(532.0, fall=2.02, peak=1.0))
        found = fit_components(image(noisy((100.0, 0.0))), [components()[0], twin], np.ones((1, 64)))
        assert not found.determined("first")
        assert not found.determined("twin")
        assert np.isnan(found.mean("first").value)

    def test_what_is_alike_is_one_amount_and_a_difference(self):
        other = Component("other", edge(532.0, peak=1.4))
        found = fit_components(
            image(noisy((100.0, 0.0))),
            [components()[0], difference("change", other, components()[0])],
            np.ones((1, 64)),
        )
        assert abs(found.mean("first").value - 100.0) < 4 * found.mean("first").sigma
        assert abs(found.mean("change").value) < 4 * found.mean("change").sigma

    def test_where_one_became_the_other_the_shape_of_each_errs_as_far_as_it_is_there(self):
        twin = Component("other", edge(532.0, peak=1.4))
        parts = [components()[0], difference("change", twin, components()[0])]
        all_changed = np.random.default_rng(5).poisson(BACKGROUND + 100 * twin.template, (1, 64, ENERGY.size))
        found = fit_components(image(all_changed.astype(float)), parts, np.ones((1, 64)))
        assert found.edges == ("first", "other")
        by_edge = np.abs(found.sigma_by_edge["first"].mean(axis=(1, 2)))
        assert by_edge[0] < 0.2 * by_edge[1]
        total = np.sqrt(np.sum(found.sigma_by_edge["first"] ** 2, axis=0))
        np.testing.assert_allclose(total, found.sigma_sys["first"], rtol=1e-6)

    def test_what_a_reference_is_off_is_the_same_in_two_images(self):
        wave = 1.0 + 0.03 * np.sin(2 * np.pi * ENERGY / 14.0)
        means = []
        for number, second in enumerate((10.0, 20.0)):
            expected = 1e4 * (BACKGROUND + 100.0 * FIRST * wave + second * SECOND)
            data = np.random.default_rng(number).poisson(expected, (1, 64, ENERGY.size)).astype(float)
            found = fit_components(image(data), components(), np.full((1, 64), 1e4))
            means.append(mean_amount(found, "second", np.ones(64, bool)))
        off = means[0].value - 10.0
        alone = means[0].minus(replace(means[1], by_edge=0 * means[1].by_edge, sigma_stat=0.0))
        # Far from the truth by its statistical error, but not by its systematic one, which the change lacks.
        assert abs(off) > 5 * means[0].sigma_stat
        assert abs(off) < 3 * alone.sigma
        change = means[1].minus(means[0])
        assert change.sigma_sys < 0.5 * alone.sigma_sys
        assert abs(change.value - 10.0) < 3 * change.sigma

    def test_what_was_fitted_adds_up(self):
        data = image(noisy((100.0, 40.0)))
        bins = np.arange(64).reshape(1, 64) % 2
        parts = [Component(one.name, np.array([one.template, 2 * one.template])) for one in components()]
        found = fit_components(data, parts, np.ones((1, 64)), thickness_bin=bins)
        templates = np.array([one.template for one in parts])
        edges = sum(found.amount[one.name][0, :, None] * templates[n, bins[0]] for n, one in enumerate(parts))
        np.testing.assert_allclose(found.model[0] - found.background[0], edges, atol=1e-9 * edges.max())
        left = data.electrons - found.model
        np.testing.assert_allclose(found.residual, left[0].mean(axis=0), atol=1e-6 * data.electrons.max())

    def test_amounts_may_be_held_above_nothing(self):
        data = image(noisy((0.0, 40.0)))
        free = fit_components(data, components(), np.ones((1, 64)))
        held = fit_components(data, components(), np.ones((1, 64)), FitSettings(is_nonnegative=True))
        assert free.amount["first"].min() < 0
        assert held.amount["first"].min() == 0.0
        same = free.amount["first"] > 0
        np.testing.assert_allclose(held.amount["first"][same], free.amount["first"][same], rtol=1e-6)

    def test_bins_have_templates_of_their_own(self):
        scaled = [Component(one.name, np.array([one.template, 2 * one.template])) for one in components()]
        data = image(noisy((100.0, 40.0)))
        bins = np.arange(64).reshape(1, 64) % 2
        found = fit_components(data, scaled, np.ones((1, 64)), thickness_bin=bins)
        assert found.amount["first"][bins == 0].mean() == pytest.approx(
            2 * found.amount["first"][bins == 1].mean(), rel=0.03
        )

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda data: (data, [], np.ones((1, 64))), "no components"),
            (
                lambda data: (data, [Component("short", FIRST[:-1])], np.ones((1, 64))),
                "'short' has the shape",
            ),
            (lambda data: (data, components(), np.zeros((1, 64))), "above 0"),
            (lambda data: (image(0 * data.electrons), components(), np.ones((1, 64))), "dark"),
            (lambda data: (image(np.nan * data.electrons), components(), np.ones((1, 64))), "no number"),
        ],
    )
    def test_what_cannot_be_fitted_is_refused(self, change, message):
        with pytest.raises(EelsError, match=message):
            fit_components(*change(image(noisy((1.0, 1.0)))))


class TestBackground:
    def test_a_power_law_is_found_and_its_error_grows_with_distance(self):
        data = np.random.default_rng(0).poisson(BACKGROUND, (1, 200, ENERGY.size)).astype(float)
        found = power_law(image(data), (500.0, 530.0))
        assert found.exponent.mean() == pytest.approx(2.7, abs=0.05)
        near, far = np.searchsorted(ENERGY, [540.0, 640.0])
        for place in (near, far):
            spread = found.background[0, :, place].std()
            assert spread == pytest.approx(found.sigma_stat[0, :, place].mean(), rel=0.25)
        assert np.all(found.sigma_sys[0, :, far] > found.sigma_sys[0, :, near])
        assert np.all(found.sigma_sys[0, :, :60] < 1e-9)

    def test_a_background_that_is_none_is_within_what_is_declared(self):
        bent = 400.0 * (ENERGY / 500.0) ** -(2.7 + 0.1 * np.log(ENERGY / 500.0))
        found = power_law(image(1000 * bent[None, None]), (500.0, 530.0))
        place = np.searchsorted(ENERGY, 640.0)
        off = abs(found.background[0, 0, place] - 1000 * bent[place])
        assert off < 2 * found.sigma_sys[0, 0, place]

    def test_windows_without_channels_or_electrons_are_refused(self):
        with pytest.raises(EelsError, match=r"0 channels.*500\.0 to 699\.5"):
            power_law(image(BACKGROUND[None, None]), (100.0, 200.0))
        with pytest.raises(EelsError, match="1 of 1 pixels have no electrons"):
            power_law(image(0 * BACKGROUND[None, None]), (500.0, 530.0))

    def test_a_place_without_electrons_does_not_stop_the_others(self):
        both = power_law(image(np.array([[0 * BACKGROUND, BACKGROUND]])), (500.0, 530.0))
        assert np.isnan(both.background[0, 0]).all()
        np.testing.assert_allclose(both.background[0, 1], BACKGROUND, rtol=1e-3)


LOW_ENERGY = np.arange(-20.0, 250.0, 0.5)


def low_loss(t_over_lambda, electrons=1e7, shift=0.0):
    """Zero loss and plasmons of all orders, by the series itself and not its transform."""
    loss = np.exp(-0.5 * ((LOW_ENERGY - 22.0) / 4.0) ** 2)
    loss /= loss.sum()
    zero = np.exp(-0.5 * ((LOW_ENERGY - shift) / 0.6) ** 2)
    zero /= zero.sum()
    total, order = zero.copy(), zero
    origin = int(np.argmin(np.abs(LOW_ENERGY)))
    factor = 1.0
    for number in range(1, 12):
        order = np.convolve(order, loss)[origin : origin + LOW_ENERGY.size]
        factor *= t_over_lambda / number
        total = total + factor * order
    return electrons * np.exp(-t_over_lambda) * total, loss


class TestLowLoss:
    @pytest.mark.parametrize("true", [0.1, 0.5, 1.2])
    def test_thickness_in_mean_free_paths(self, true):
        found = thickness(image(low_loss(true)[0][None, None], LOW_ENERGY))
        assert abs(found.t_over_lambda[0, 0] - true) < 2 * np.hypot(found.sigma_stat, found.sigma_sys)[0, 0]
        assert bool(found.warning) == (true > 0.4)

    def test_error_of_the_thickness_is_its_spread(self):
        draw = np.random.default_rng(0)
        data = draw.poisson(low_loss(0.6, 2e4)[0], (1, 500, LOW_ENERGY.size)).astype(float)
        found = thickness(image(data, LOW_ENERGY))
        assert found.t_over_lambda.std() == pytest.approx(found.sigma_stat.mean(), rel=0.1)

    @settings(max_examples=15, deadline=None)
    @given(st.floats(0.05, 1.5))
    def test_plural_scattering_is_taken_out(self, t_over_lambda):
        electrons, loss = low_loss(t_over_lambda)
        single = single_scattering(image(electrons[None, None], LOW_ENERGY))[0, 0]
        inside = (LOW_ENERGY > 8.0) & (LOW_ENERGY < 80.0)
        smooth = np.convolve(loss, np.exp(-0.5 * (np.arange(-6, 7) * 0.5 / 0.6) ** 2) / 3.008, "same")
        np.testing.assert_allclose(
            single[inside], t_over_lambda * smooth[inside], atol=0.02 * t_over_lambda * smooth.max()
        )

    def test_light_that_a_camera_scatters_is_not_taken_for_losses(self):
        plain, _ = low_loss(0.5)
        away = np.exp(-np.abs(np.arange(-40, 41)) * 0.5 / 1.5)
        scattered = 0.94 * plain + 0.06 * np.convolve(plain, away / away.sum(), "same")
        without, found = (thickness(image(one[None, None], LOW_ENERGY)) for one in (plain, scattered))
        moved = float((found.t_over_lambda - without.t_over_lambda)[0, 0])
        taken_for_losses = np.log(plain[LOW_ENERGY <= 3].sum() / scattered[LOW_ENERGY <= 3].sum())
        assert abs(moved) < 0.15 * taken_for_losses
        assert found.sigma_sys[0, 0] > without.sigma_sys[0, 0]

    def test_what_a_known_compound_scatters_beyond_the_window_is_added(self):
        low = image(low_loss(0.5)[0][None, None], LOW_ENERGY)
        anything = thickness(low)
        for compound in ("Si", "Li2O", "C"):
            found, (share, sigma) = thickness(low, compound), inner_share(compound, LOW_ENERGY[-1])
            expected = anything.t_over_lambda / (1.0 + inner_share(None, LOW_ENERGY[-1])[0]) * (1.0 + share)
            np.testing.assert_allclose(found.t_over_lambda, expected, rtol=1e-9)
            assert found.sigma_sys[0, 0] >= 0.99 * sigma * found.t_over_lambda[0, 0]
            assert found.sigma_sys[0, 0] < anything.sigma_sys[0, 0]
        with pytest.raises(EelsError, match="there is no compound 'gold'; known are Li, "):
            thickness(low, "gold")

    def test_an_edge_that_begins_at_the_end_is_not_extrapolated(self):
        energy = np.arange(-20.0, 300.0, 0.5)
        tail = np.where(energy > 10.0, 30.0 * (np.maximum(energy, 10.0) / 100.0) ** -3.0, 0.0)
        zero = 1e6 * np.exp(-0.5 * (energy / 0.6) ** 2)
        jumps = np.where(energy > 284.0, 10.0, 0.0)
        known, edge = (thickness(image((zero + tail + one)[None, None], energy), "C") for one in (0, jumps))
        seen = jumps.sum() / (zero + tail).sum()
        np.testing.assert_allclose(edge.t_over_lambda - known.t_over_lambda, seen, rtol=0.05)
        unknown, with_edge = (thickness(image((zero + tail + one)[None, None], energy)) for one in (0, jumps))
        assert np.all(with_edge.t_over_lambda - unknown.t_over_lambda > 1.3 * seen)

    def test_a_window_that_ends_too_early_is_refused(self):
        short = LOW_ENERGY < 60.0
        with pytest.raises(EelsError, match=r"from -20 to 60 eV"):
            thickness(image(low_loss(0.3)[0][None, None, short], LOW_ENERGY[short]))


class TestAxis:
    @settings(max_examples=30, deadline=None)
    @given(st.floats(-3.0, 3.0))
    def test_zero_loss_is_found_between_channels(self, shift):
        found = zero_loss_ev(low_loss(0.3, shift=shift)[0][None, None], CAMERA)
        assert found[0, 0] == pytest.approx(shift, abs=0.03)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.floats(-4.0, 4.0), min_size=2, max_size=5))
    def test_alignment_keeps_electrons_and_brings_peaks_together(self, shifts):
        data = np.array([[low_loss(0.3, shift=one)[0] for one in shifts]])
        found = aligned(data, zero_loss_ev(data, CAMERA), -20.0, CAMERA)
        assert np.all(found.noise_factor <= 1.0)
        inside = (found.energy_ev > -10) & (found.energy_ev < 100)
        sums = found.electrons[0][:, inside].sum(axis=1)
        np.testing.assert_allclose(sums, sums[0], rtol=2e-3)
        centres = (
            found.electrons[0][:, np.abs(found.energy_ev) < 2.5]
            @ found.energy_ev[np.abs(found.energy_ev) < 2.5]
        )
        np.testing.assert_allclose(centres / sums, 0.0, atol=0.05)

    def test_no_beam_and_a_drift_beyond_the_window_are_refused(self):
        dark = np.zeros((2, 3, LOW_ENERGY.size))
        with pytest.raises(EelsError, match="6 pixels have no zero loss"):
            zero_loss_ev(dark, CAMERA)
        with pytest.raises(EelsError, match="hardly any channel is common"):
            aligned(np.ones((1, 2, 400)), np.array([[-80.0, 80.0]]), -20.0, CAMERA)

    @pytest.mark.parametrize(
        ("counts", "dark", "message"),
        [
            (np.ones((4, 5)), np.ones(5), "shape"),
            (np.ones((1, 2, 5)), np.ones(4), "shape"),
            (np.zeros((0, 2, 5)), np.ones(5), "shape"),
            (np.full((1, 2, 5), 60000.0), np.ones(5), "channel 0 of pixel 0, 0 is saturated"),
            (np.full((1, 2, 5), np.nan), np.ones(5), "no number"),
        ],
    )
    def test_counts_that_cannot_be_used_are_refused(self, counts, dark, message):
        with pytest.raises(EelsError, match=message):
            electrons_of(counts, dark, CAMERA)


X_NM = np.arange(0.0, 60.0, 1.0)


def blurred_step(position, width):
    fine = np.arange(-40.0, 100.0, 0.02)
    kernel = np.exp(-0.5 * (np.arange(-2000, 2001) * 0.02 / width) ** 2)
    step = np.convolve((fine > position).astype(float), kernel / kernel.sum(), "same")
    return np.interp(X_NM, fine, step)


class TestProfiles:
    def test_position_and_width_of_an_interface(self):
        draw, pulls = np.random.default_rng(1), []
        for _ in range(60):
            position, width = draw.uniform(20, 40), draw.uniform(0.8, 4.0)
            value = 30.0 - 25.0 * blurred_step(position, width) + draw.normal(0, 1.0, X_NM.size)
            found = fit_interface(X_NM, value, np.ones(X_NM.size))
            assert found.converged
            pulls.append((found.position_nm.value - position) / found.position_nm.sigma_stat)
            pulls.append((found.width_nm.value - width) / found.width_nm.sigma)
        assert np.std(pulls) == pytest.approx(1.0, abs=0.2)

    def test_no_step_is_not_determined(self):
        flat = np.random.default_rng(2).normal(5.0, 1.0, X_NM.size)
        assert not fit_interface(X_NM, flat, np.ones(X_NM.size)).converged

    def test_a_layer_is_found_with_its_amount(self):
        layer = 10.0 * (blurred_step(25.0, 1.0) - blurred_step(33.0, 1.0))
        value = layer + np.random.default_rng(3).normal(0, 1.0, X_NM.size)
        found = fit_layer(X_NM, value, np.ones(X_NM.size), 1.0)
        assert abs(found.centre_nm.value - 29.0) < 4 * found.centre_nm.sigma
        assert abs(found.amount_nm.value - 80.0) < 4 * found.amount_nm.sigma
        assert abs(found.width_nm.value - 8.0) < 4 * found.width_nm.sigma

    def test_too_few_points_are_refused(self):
        few = np.where(X_NM < 5, 1.0, np.nan)
        with pytest.raises(EelsError, match="5 points of the profile are known, 8 are needed"):
            fit_interface(X_NM, few, np.ones(X_NM.size))
        with pytest.raises(EelsError, match="shapes"):
            fit_layer(X_NM, few[:-1], np.ones(X_NM.size), 1.0)


def test_the_error_of_a_thickness_holds_what_lies_beyond_the_window():
    """Few electrons at its end stand for many beyond: where losses fall slowly, they scatter most."""
    energy = np.arange(-20.0, 120.0, 0.5)
    loss = np.where(energy > 8.0, 40.0, 0.0) * (np.maximum(energy, 8.0) / 8.0) ** -1.2
    expected = 4000.0 * np.exp(-0.5 * (energy / 0.6) ** 2) + loss
    drawn = np.random.default_rng(1).poisson(expected, (1, 2000, energy.size)).astype(float)
    found = thickness(image(drawn, energy, 1e-6))
    assert found.t_over_lambda.std() / found.sigma_stat.mean() == pytest.approx(1.0, abs=0.05)


def test_what_is_the_same_for_all_pixels_of_a_scan_does_not_become_less_by_taking_many():
    """The level of a dark camera, and the losses beyond the window, are told once for a whole scan."""
    generator, means = np.random.default_rng(3), []
    paper = Config.from_file(EXAMPLES / "config" / "simulated.toml").eels.detector
    loss_ev = paper.low_first_ev + paper.dispersion_ev * np.arange(paper.channels)
    losses = np.where(loss_ev > 5.0, 40.0 * (np.maximum(loss_ev, 10.0) / 10.0) ** -3.0, 0.0)
    expected = 8000.0 * np.exp(-0.5 * (loss_ev / 0.5) ** 2) + losses
    for _ in range(60):
        electrons = generator.poisson(expected, (6, 10, loss_ev.size))
        electrons = electrons + paper.read_noise_electrons * generator.standard_normal(electrons.shape)
        counts = np.round(200.0 + paper.counts_per_electron * electrons)
        means.append(loss_thickness(counts, paper).mean)
    scatter = np.std([one.value for one in means], ddof=1)
    assert scatter / np.median([one.sigma_stat for one in means]) == pytest.approx(1.0, abs=0.25)

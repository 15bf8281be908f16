"""Drift of a focus, charge of a sample, dose rate and zero loss: what plans make of their data."""

import numpy as np
import pytest

from intercalate.reduction.eels import EelsError, full_width_ev
from intercalate.reduction.raman import FocusError, focus_drift
from intercalate.reduction.tem import TemCamera, TemError, dose_rate
from intercalate.reduction.xps.charging import LineShape, line_shape, narrower
from intercalate.reduction.xps.counts import XpsError

ENERGY_EV = np.arange(278.0, 298.0, 0.1)
CAMERA = TemCamera(5.0, 8.0, 1.0, 100.0, 60_000, 0.02)


def test_a_drift_is_a_slope_whose_error_covers_it() -> None:
    generator = np.random.default_rng(1)
    time_h = np.arange(5) * 0.5
    off = []
    for _ in range(400):
        z_um = 3.0 - 1.2 * time_h + 0.2 * generator.standard_normal(5)
        found = focus_drift(time_h, z_um, np.full(5, 0.2)).um_per_h
        off.append((found.value + 1.2) / found.sigma)
    # A scatter that is larger by chance makes the error larger, one that is smaller does not make it smaller.
    assert 0.6 < np.mean(np.abs(off) < 1) < 0.85
    assert abs(np.mean(off)) < 0.15


def test_a_scatter_beyond_the_errors_makes_the_slope_less_certain_and_the_focus_hold_for_less() -> None:
    time_h, wave = np.arange(6) * 0.5, np.array([0.0, 1.0, 0.0, -1.0, 0.0, 1.0])
    steady = focus_drift(time_h, 0.3 * time_h, np.full(6, 0.05))
    restless = focus_drift(time_h, 0.3 * time_h + 0.4 * wave, np.full(6, 0.05))
    assert restless.um_per_h.sigma > 3 * steady.um_per_h.sigma
    assert steady.holds_for_h(6.0) == pytest.approx(0.75 / (0.3 + 2 * steady.um_per_h.sigma))
    assert restless.holds_for_h(6.0) < 0.75 * steady.holds_for_h(6.0)
    with pytest.raises(FocusError, match="needs three"):
        focus_drift(time_h[:2], time_h[:2], np.ones(2))


def spectrum(
    centre_ev: float, sigma_ev: float, generator: np.random.Generator, area: float = 4e3
) -> np.ndarray:
    line = np.exp(-((ENERGY_EV - centre_ev) ** 2) / (2 * sigma_ev**2))
    return generator.poisson(30.0 + 0.5 * (ENERGY_EV - 278.0) + area * line / line.sum())


def test_place_and_width_of_a_line_are_covered_by_their_errors() -> None:
    generator = np.random.default_rng(2)
    shapes = [line_shape(ENERGY_EV, spectrum(286.3, 0.5, generator)) for _ in range(200)]
    centre = np.array([(one.centre_ev.value - 286.3) / one.centre_ev.sigma for one in shapes])
    width = np.array([(one.width_ev.value - 1.0) / one.width_ev.sigma for one in shapes])
    for pull in (centre, width):
        assert 0.55 < np.mean(np.abs(pull) < 1) < 0.82
        assert abs(pull.mean()) < 0.4


def test_noise_that_moves_the_highest_channel_moves_a_line_by_no_more_than_its_error() -> None:
    generator = np.random.default_rng(5)

    def flat_topped() -> LineShape:
        return line_shape(ENERGY_EV, sum(spectrum(at, 0.45, generator, 600.0) for at in (285.4, 286.6)))

    shapes = [flat_topped() for _ in range(150)]
    for name in ("centre_ev", "width_ev"):
        found = [getattr(one, name) for one in shapes]
        scatter = np.std([one.value for one in found]) / np.median([one.sigma_stat for one in found])
        assert 0.6 < scatter < 1.15


def test_a_line_is_narrower_only_where_that_stands_out() -> None:
    generator = np.random.default_rng(3)

    def shape(sigma_ev: float) -> LineShape:
        return line_shape(ENERGY_EV, spectrum(286.0, sigma_ev, generator, 2e4))

    assert narrower(shape(0.8), shape(0.5)) is True
    assert narrower(shape(0.5), shape(0.8)) is False
    assert narrower(shape(0.5), shape(0.5)) is None


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (spectrum(278.2, 0.5, np.random.default_rng(4)), "at an end of the region"),
        (np.random.default_rng(5).poisson(2.0, ENERGY_EV.size), "no line stands out|at an end"),
        (np.zeros(ENERGY_EV.size), "no line stands out|at an end"),
    ],
)
def test_a_spectrum_without_a_line_is_refused(counts: np.ndarray, words: str) -> None:
    with pytest.raises(XpsError, match=words):
        line_shape(ENERGY_EV, counts)


def test_a_dose_rate_is_that_of_the_beam_within_its_error() -> None:
    generator = np.random.default_rng(6)
    off = []
    for _ in range(60):
        pixel, gain = 1 + 0.02 * generator.standard_normal(2)
        electrons = 0.02 * 2.0 * (10.0 * CAMERA.pixel_nm * pixel) ** 2
        counts = CAMERA.dark_counts + 8.0 * gain * generator.poisson(electrons, (128, 128))
        found = dose_rate(counts, CAMERA, 2.0).e_per_a2_s
        off.append((found.value - 0.02) / found.sigma)
    assert 0.5 < np.mean(np.abs(off) < 1) < 0.85
    assert found.sigma_stat < 0.02 * found.value


def test_uneven_light_is_no_noise() -> None:
    generator = np.random.default_rng(7)
    light = 100.0 * (1.0 + 0.2 * np.sin(np.arange(128) / 40.0))[:, None] * np.ones((1, 128))
    found = [
        dose_rate(CAMERA.dark_counts + 8.0 * generator.poisson(light), CAMERA, 1.0).e_per_a2_s
        for _ in range(200)
    ]
    scatter = np.std([one.value for one in found], ddof=1)
    assert scatter == pytest.approx(np.mean([one.sigma_stat for one in found]), rel=0.15)


def test_a_dose_rate_needs_a_hole() -> None:
    counts = CAMERA.dark_counts + 8.0 * 100.0 * np.ones((128, 128))
    counts[:, :50] = CAMERA.dark_counts + 8.0 * 20.0
    with pytest.raises(TemError, match="something is in the beam"):
        dose_rate(counts, CAMERA, 1.0)
    with pytest.raises(TemError, match="dark"):
        dose_rate(np.full((64, 64), CAMERA.dark_counts), CAMERA, 1.0)


def test_the_width_of_a_zero_loss_is_that_at_half_its_height() -> None:
    energy = np.arange(-10.0, 20.0, 0.3)
    gauss = np.exp(-4 * np.log(2) * ((energy - 0.1) / 1.5) ** 2)
    assert full_width_ev(energy, 1e5 * gauss) == pytest.approx(1.5, abs=0.03)
    with pytest.raises(EelsError, match="does not fall"):
        full_width_ev(energy, np.ones(energy.size))

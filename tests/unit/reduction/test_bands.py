import numpy as np
import pytest

from intercalate.reduction.bands import Band, BandOptions, Spectrum, SpectrumError, fit_bands

X = np.arange(1400.0, 1700.0, 1.5)
RANGE = (1450.0, 1680.0)
OPTIONS = BandOptions(instrument_width=8.0)
LEFT = Band("left", (1580.0, 1565.0, 1592.0), (12.0, 3.0, 40.0))
RIGHT = Band("right", (1603.0, 1594.0, 1612.0), (12.0, 3.0, 40.0))


def spectrum(lines, seed=0, level=200.0, scale=1.0):
    """Lorentzians of centre, width and area behind the instrument's Gaussian, by brute convolution."""
    fine = np.arange(1300.0, 1800.0, 0.25)
    total = np.zeros(fine.size)
    for centre, width, area in lines:
        total += area * width / 2 / np.pi / ((fine - centre) ** 2 + width**2 / 4)
    kernel = np.exp(-4 * np.log(2) * (np.arange(-60, 61) * 0.25 / 8.0) ** 2)
    seen = np.convolve(total, kernel / kernel.sum(), "same")
    expected = scale * (np.interp(X, fine, seen) + level + 0.1 * (X - 1400))
    counts = np.random.default_rng(seed).poisson(expected).astype(float)
    return Spectrum(X, counts, np.sqrt(np.maximum(counts, 1.0)), np.ones(X.size, dtype=bool))


TWO = [(1578.0, 11.0, 12000.0), (1602.0, 11.0, 9000.0)]


def test_two_bands_are_told_apart():
    found = fit_bands(spectrum(TWO), [LEFT, RIGHT], RANGE, OPTIONS)
    assert found.converged, found.message
    for name, (centre, width, area) in zip(("left", "right"), TWO):
        for estimate, truth in zip((found.centre, found.width, found.intensity), (centre, width, area)):
            assert abs(estimate[name].value - truth) < 4 * estimate[name].sigma, name
            assert estimate[name].sigma < 0.1 * truth


def test_spread_over_realisations_is_sigma_stat():
    found = [fit_bands(spectrum(TWO, seed), [LEFT, RIGHT], RANGE, OPTIONS) for seed in range(100)]
    assert all(one.converged for one in found)
    for name in ("left", "right"):
        for quantity in ("centre", "width", "intensity"):
            estimates = [getattr(one, quantity)[name] for one in found]
            spread = np.std([one.value for one in estimates], ddof=1)
            assert spread == pytest.approx(np.mean([one.sigma_stat for one in estimates]), rel=0.3), name


@pytest.mark.parametrize("apart", [24.0, 14.0])
def test_the_error_of_a_ratio_knows_that_overlapping_bands_share_their_counts(apart):
    lines = [(1578.0, 11.0, 12000.0), (1578.0 + apart, 11.0, 9000.0)]
    right = Band("right", (1578.0 + apart, 1578.0 + apart - 8.0, 1578.0 + apart + 8.0), (12.0, 3.0, 40.0))
    found = [fit_bands(spectrum(lines, seed), [LEFT, right], RANGE, OPTIONS) for seed in range(150)]
    ratios = [one.ratio("left", "right") for one in found if all(one.present.values())]
    assert len(ratios) > 140
    spread = np.std([one.value for one in ratios], ddof=1)
    assert spread == pytest.approx(np.mean([one.sigma_stat for one in ratios]), rel=0.2)
    apart_alone = [
        one.intensity["left"].sigma_stat / one.intensity["left"].value
        + 1j * one.intensity["right"].sigma_stat / one.intensity["right"].value
        for one in found
    ]
    # Taken as independent, the errors would be too small.
    assert np.mean([one.sigma_stat / one.value for one in ratios]) > 1.1 * np.mean(np.abs(apart_alone))


def test_a_band_that_is_not_there_is_absent_and_has_no_values():
    found = fit_bands(spectrum(TWO[:1]), [LEFT, RIGHT], RANGE, OPTIONS)
    assert found.converged
    assert found.present == {"left": True, "right": False}
    assert np.isnan(found.centre["right"].value)
    assert abs(found.centre["left"].value - 1578.0) < 4 * found.centre["left"].sigma


def test_noise_alone_holds_no_band():
    for seed in range(30):
        assert not any(fit_bands(spectrum([], seed), [LEFT, RIGHT], RANGE, OPTIONS).present.values())


def test_points_that_must_not_be_used_are_not():
    clean, hit = spectrum(TWO), spectrum(TWO)
    spoilt = np.abs(X - 1590.0) < 2.0
    hit.intensity[spoilt] += 1e5
    masked = [Spectrum(one.x, one.intensity, one.sigma, ~spoilt) for one in (clean, hit)]
    first, second = (fit_bands(one, [LEFT, RIGHT], RANGE, OPTIONS) for one in masked)
    assert first.centre == second.centre


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_numbers_are_left_out(bad):
    hit = spectrum(TWO)
    hit.intensity[100] = bad
    assert fit_bands(hit, [LEFT, RIGHT], RANGE, OPTIONS).converged


def test_a_spectrum_that_does_not_reach_is_refused():
    with pytest.raises(SpectrumError, match=r"no point between 100 and 200.*from 1400 to 1698\.5"):
        fit_bands(spectrum(TWO), [LEFT], (100.0, 200.0), OPTIONS)
    with pytest.raises(SpectrumError, match="too few for 2 bands"):
        fit_bands(spectrum(TWO), [LEFT, RIGHT], (1570.0, 1590.0), OPTIONS)


def test_arrays_of_different_length_and_a_falling_axis_are_refused():
    whole = np.ones(5, dtype=bool)
    with pytest.raises(SpectrumError, match=r"shapes \(5,\), \(4,\)"):
        Spectrum(np.arange(5.0), np.ones(4), np.ones(5), whole)
    with pytest.raises(SpectrumError, match="does not ascend"):
        Spectrum(-np.arange(5.0), np.ones(5), np.ones(5), whole)

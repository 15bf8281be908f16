"""Bands of many spectra at once: the numbers of the single fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.reduction.band_batch import _solve_nonnegative, fit_bands_of
from intercalate.reduction.bands import Band, Spectrum, SpectrumError, fit_bands
from intercalate.reduction.linear import solve_nonnegative

from .test_bands import LEFT, OPTIONS, RANGE, RIGHT, TWO, X, spectrum

PARTS = ("centre", "width", "intensity")


def assert_alike(one, other):
    assert one.message == other.message
    assert one.present == other.present
    assert one.reduced_chi2 == pytest.approx(other.reduced_chi2, rel=1e-9)
    np.testing.assert_allclose(one.calculated, other.calculated, rtol=1e-8)
    for part in PARTS:
        for name, found in getattr(one, part).items():
            expected = getattr(other, part)[name]
            for value in ("value", "sigma_stat", "sigma_sys"):
                ours, theirs = getattr(found, value), getattr(expected, value)
                assert ours == pytest.approx(theirs, rel=1e-7, nan_ok=True), (part, name, value)
    assert one.covariance.keys() == other.covariance.keys()
    for pair, value in one.covariance.items():
        assert value == pytest.approx(other.covariance[pair], rel=1e-6, nan_ok=True)


def drawn(number):
    """Anything from nothing to two bands that can hardly be told apart, some with points left out."""
    draw = np.random.default_rng(number)
    lines = [
        (float(draw.uniform(1570, 1610)), float(draw.uniform(2, 60)), float(10 ** draw.uniform(2, 4.5)))
        for _ in range(draw.integers(0, 3))
    ]
    found = spectrum(lines, number, level=float(10 ** draw.uniform(0.5, 3)))
    used = draw.random(X.size) > 0.05 * (number % 2)
    return Spectrum(found.x, found.intensity, found.sigma, used)


WIDE = Band("wide", (1580.0, 1555.0, 1600.0), (40.0, 20.0, 90.0))


@pytest.mark.parametrize("bands", [[LEFT, RIGHT], [LEFT], [WIDE, RIGHT]])
def test_numbers_are_those_of_the_single_fit(bands):
    spectra = [drawn(number) for number in range(120)]
    together = fit_bands_of(spectra, bands, RANGE, OPTIONS)
    assert {tuple(one.present.values()) for one in together if not isinstance(one, SpectrumError)} >= {
        (True,) * len(bands),
        (False,) * len(bands),
    }
    for one, spectrum_ in zip(together, spectra):
        assert_alike(one, fit_bands(spectrum_, bands, RANGE, OPTIONS))


def test_what_is_beside_it_does_not_change_a_spectrum():
    spectra = [drawn(number) for number in range(7)]
    whole = fit_bands_of(spectra, [LEFT, RIGHT], RANGE, OPTIONS)
    for number in (0, 3, 6):
        (alone,) = fit_bands_of([spectra[number]], [LEFT, RIGHT], RANGE, OPTIONS)
        assert_alike(whole[number], alone)


def test_a_spectrum_that_cannot_be_fitted_does_not_stop_the_others():
    good = spectrum(TWO)
    none = Spectrum(X, good.intensity, good.sigma, np.zeros(X.size, bool))
    few = Spectrum(X, good.intensity, good.sigma, np.abs(X - 1590.0) < 12.0)
    found = fit_bands_of([none, good, few], [LEFT, RIGHT], RANGE, OPTIONS)
    assert isinstance(found[0], SpectrumError)
    assert isinstance(found[2], SpectrumError)
    for one, bad in ((found[0], none), (found[2], few)):
        with pytest.raises(SpectrumError) as single:
            fit_bands(bad, [LEFT, RIGHT], RANGE, OPTIONS)
        assert str(one) == str(single.value)
    assert_alike(found[1], fit_bands(good, [LEFT, RIGHT], RANGE, OPTIONS))


def test_spectra_on_different_axes_are_refused_and_none_is_none():
    good = spectrum(TWO)
    moved = Spectrum(X + 0.1, good.intensity, good.sigma, good.used)
    with pytest.raises(SpectrumError, match="one axis"):
        fit_bands_of([good, moved], [LEFT, RIGHT], RANGE, OPTIONS)
    assert fit_bands_of([], [LEFT, RIGHT], RANGE, OPTIONS) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_non_negative_solutions_are_those_of_one_at_a_time(seed):
    draw = np.random.default_rng(seed)
    designs = draw.normal(size=(4, 20, 5)) + draw.uniform(0, 2)
    right = draw.normal(size=(4, 20))
    gram = np.einsum("sij,sik->sjk", designs, designs)
    seen = np.einsum("sij,si->sj", designs, right)
    solution, passive = _solve_nonnegative(gram, seen, 2, None)
    for number in range(4):
        alone, used = solve_nonnegative(gram[number], seen[number], np.ones(5, bool), 2)
        np.testing.assert_allclose(solution[number], alone, atol=1e-9)
        np.testing.assert_array_equal(passive[number], used)

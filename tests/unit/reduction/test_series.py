import numpy as np
import pytest

from intercalate.reduction import (
    fit,
    fit_series,
    graphite,
    layered_oxide,
    lithiated_graphite,
    stage_1_fraction,
)
from intercalate.reduction.staging import ABSENT_SIGMA

from .powder_samples import WAVELENGTH_ANGSTROM, carbon_lines, oxide_lines, pattern_of

PHASES = [layered_oxide("NMC811"), graphite(), lithiated_graphite()]
C = np.linspace(14.30, 14.45, 8)
RICH = np.array([0.0, 0.0, 5.0, 10.0, 20.0, 30.0, 30.0, 0.0])


@pytest.fixture(scope="module")
def series():
    patterns = []
    for number, (c, rich) in enumerate(zip(C, RICH)):
        lines = oxide_lines(2.84, c) | carbon_lines(2.4757, 3.525, 40.0 - rich)
        if rich:
            lines |= carbon_lines(2.4860, 3.700, rich)
        patterns.append(pattern_of(lines, number))
    return patterns


def test_series_follows_the_lattice_while_a_phase_comes_and_goes(series):
    dataset = fit_series(iter(series), PHASES, times=10.0 * np.arange(8))
    assert dataset["converged"].all()
    np.testing.assert_allclose(dataset["NMC811.c"], C, atol=2e-3)
    np.testing.assert_array_equal(dataset["present_LiC6"], RICH > 0)
    assert np.isnan(dataset["LiC6.d"].values[RICH == 0]).all()
    np.testing.assert_allclose(dataset["LiC6.d"].values[RICH > 0], 3.700, atol=2e-3)
    assert dataset["NMC811.c"].attrs["units"] == "angstrom"
    assert dataset.frame.values.tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    fraction = dataset["stage_1_fraction"].values
    assert fraction[0] == 0
    assert (np.diff(fraction[1:6]) > 0).all()


def test_foreign_pattern_is_a_gap_and_not_the_end(series):
    foreign = pattern_of(dict.fromkeys(np.random.default_rng(3).uniform(1.3, 5.0, 25), 80.0))
    dataset = fit_series([series[0], foreign, series[1]], PHASES)
    assert dataset["converged"].values.tolist() == [True, False, True]
    assert np.isnan(dataset["NMC811.c"].values[1])
    assert dataset["NMC811.c"].values[2] == pytest.approx(C[1], abs=2e-3)


def test_empty_and_mismatched_series_are_refused(series):
    with pytest.raises(ValueError, match="no pattern"):
        fit_series([], PHASES)
    with pytest.raises(ValueError, match="3 times"):
        fit_series(series[:2], PHASES, times=[0.0, 1.0, 2.0])


def test_fraction_is_that_of_equal_amounts_where_scattering_says_so():
    """Powder intensity per solid angle of N cells: N F^2 / (v sin(theta) sin(2theta))."""
    amounts = []
    for a, d, factor in ((2.4757, 3.525, 25.35), (2.4860, 3.700, 25.32)):
        theta = np.arcsin(WAVELENGTH_ANGSTROM / 2 / d)
        amounts.append(factor**2 / (a**2 * d * np.sin(theta) * np.sin(2 * theta)))
    scale = 40.0 / amounts[0]
    lines = oxide_lines(2.84, 14.3) | carbon_lines(2.4757, 3.525, 40.0)
    lines |= carbon_lines(2.4860, 3.700, amounts[1] * scale)
    estimate = stage_1_fraction(fit(pattern_of(lines), PHASES), WAVELENGTH_ANGSTROM)
    assert abs(estimate.value - 0.5) < 2 * estimate.sigma
    assert estimate.value == pytest.approx(0.5, abs=0.02)


def test_fraction_of_a_failed_or_empty_fit_is_undetermined(series):
    assert np.isnan(stage_1_fraction(fit(pattern_of({}), PHASES), WAVELENGTH_ANGSTROM).value)
    absent = stage_1_fraction(fit(series[0], PHASES), WAVELENGTH_ANGSTROM)
    assert (absent.value, absent.sigma) == (0.0, ABSENT_SIGMA)

"""Lines in many sets of pixels, fitted together, against what was drawn and against a fit of each."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from intercalate.reduction.ring_lines import fit_lines

GENERATOR = np.random.default_rng(7)
SETS = 120


def profile(x, centre, gaussian, lorentzian):
    """A true Voigt profile, of unit area."""
    from scipy.special import voigt_profile

    return voigt_profile(x - centre, gaussian / 2.3548, lorentzian / 2)


@pytest.fixture(scope="module")
def drawn():
    """Sizes, abscissae, counts and true centres of sets with a line each."""
    sizes = GENERATOR.integers(200, 900, SETS)
    centre = GENERATOR.uniform(-0.05, 0.05, SETS)
    pixels, counts = [], []
    for size, middle in zip(sizes, centre):
        x = GENERATOR.uniform(-0.35, 0.35, size)
        area, level = np.exp(GENERATOR.uniform(np.log(3.0), np.log(300.0))), GENERATOR.uniform(10.0, 200.0)
        expected = area * profile(x, middle, 0.06, 0.02) + level * (1 + 0.3 * x)
        pixels.append(x)
        counts.append(GENERATOR.poisson(expected).astype(float))
    return sizes, np.concatenate(pixels), np.concatenate(counts), centre


def test_centres_come_back_within_their_errors(drawn):
    sizes, x, counts, centre = drawn
    found = fit_lines(x, counts, sizes)
    clear = found.area > 10 * found.area_sigma
    assert clear.mean() > 0.7
    pull = ((found.centre_deg - centre) / found.sigma_deg)[clear]
    assert np.sqrt(np.mean(pull**2)) == pytest.approx(1.0, abs=0.25)
    assert np.median(found.width_deg[clear]) == pytest.approx(0.06, abs=0.01)


def test_sets_do_not_see_each_other(drawn):
    sizes, x, counts, _ = drawn
    together = fit_lines(x, counts, sizes)
    first = np.cumsum(sizes) - sizes
    for one in (0, 17, SETS - 1):
        own = slice(first[one], first[one] + sizes[one])
        alone = fit_lines(x[own], counts[own], sizes[one : one + 1])
        assert alone.centre_deg[0] == pytest.approx(together.centre_deg[one], abs=1e-3 * alone.sigma_deg[0])


def test_a_fit_is_where_another_minimiser_ends(drawn):
    sizes, x, counts, _ = drawn
    found = fit_lines(x, counts, sizes)
    first = np.cumsum(sizes) - sizes
    clearest = np.argsort(found.area_sigma / found.area)[:10]
    for one in clearest:
        own = slice(first[one], first[one] + sizes[one])
        weight = 1 / np.sqrt(counts[own] + 10.0)

        def residual(p, own=own, weight=weight):
            width, share = p[2], p[3]
            u = 2 * (x[own] - p[0]) / width
            shape = share / (1 + u * u) + (1 - share) * np.exp(-np.log(2) * u * u)
            return (p[1] * shape + p[4] + p[5] * x[own] - counts[own]) * weight

        start = [0.0, counts[own].max(), 0.06, 0.3, np.percentile(counts[own], 30), 0.0]
        other = least_squares(residual, start, x_scale=[0.02, start[1], 0.05, 0.3, 10.0, 10.0])
        assert abs(other.x[0] - found.centre_deg[one]) < 0.05 * found.sigma_deg[one]


def test_noise_and_nothing_have_no_line():
    counts = np.concatenate([np.full(300, 7.0), np.zeros(300), GENERATOR.poisson(50.0, 300)]).astype(float)
    found = fit_lines(np.tile(np.linspace(-0.3, 0.3, 300), 3), counts, np.array([300, 300, 300]))
    with np.errstate(invalid="ignore"):
        assert not (found.area > 10 * found.area_sigma).any()

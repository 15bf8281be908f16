import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import voigt_profile

from intercalate.reduction.profiles import mixing, pseudo_voigt, total_width, windowed_pseudo_voigt

widths = st.floats(0.01, 0.5)
X = np.linspace(0.0, 20.0, 4001)


def one(gaussian, lorentzian, centre=10.0):
    return np.array([centre]), np.array([gaussian]), np.array([lorentzian])


@given(gaussian=widths, lorentzian=widths)
def test_area_is_one_and_the_width_is_the_width(gaussian, lorentzian):
    centre, g, lo = one(gaussian, lorentzian)
    width = total_width(g, lo)[0]
    height = pseudo_voigt(centre, centre, g, lo).value[0, 0]
    half = pseudo_voigt(centre + width / 2, centre, g, lo).value[0, 0]
    assert half == pytest.approx(height / 2, rel=1e-9)
    u = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 20_001)[1:-1])
    value = pseudo_voigt(centre + u * width, centre, g, lo).value[:, 0]
    assert np.trapezoid(value, u * width) == pytest.approx(1.0, abs=1e-3)


def test_pure_parts_are_gaussian_and_lorentzian():
    centre, g, lo = one(0.2, 0.0)
    expected = np.exp(-4 * np.log(2) * ((X - 10) / 0.2) ** 2) * 2 / 0.2 * np.sqrt(np.log(2) / np.pi)
    np.testing.assert_allclose(pseudo_voigt(X, centre, g, lo).value[:, 0], expected, atol=1e-12)
    centre, g, lo = one(1e-9, 0.2)
    expected = 0.1 / np.pi / ((X - 10) ** 2 + 0.01)
    np.testing.assert_allclose(pseudo_voigt(X, centre, g, lo).value[:, 0], expected, atol=1e-4)


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5, 1.0, 2.0, 4.0])
def test_total_width_is_that_of_the_voigt_profile_within_half_a_percent(ratio):
    sigma, gamma = 0.1 / np.sqrt(8 * np.log(2)), 0.05 * ratio
    half_height = voigt_profile(0.0, sigma, gamma) / 2
    exact = 2 * brentq(lambda x: voigt_profile(x, sigma, gamma) - half_height, 1e-4, 1.0)
    width = total_width(np.array([0.1]), np.array([0.1 * ratio]))[0][0]
    assert width == pytest.approx(exact, rel=5e-3)


@given(gaussian=widths, lorentzian=widths, offset=st.floats(-0.5, 0.5))
def test_derivatives_are_those_of_finite_differences(gaussian, lorentzian, offset):
    x = np.array([10.0 + offset])
    base = np.array([10.0, gaussian, lorentzian])
    found = pseudo_voigt(x, *base[:, None])
    analytic = [found.by_centre, found.by_gaussian, found.by_lorentzian]
    scale = float(found.value.max()) / min(gaussian, lorentzian)
    for index, derivative in enumerate(analytic):
        step = np.zeros(3)
        step[index] = 1e-6
        up = pseudo_voigt(x, *(base + step)[:, None]).value
        down = pseudo_voigt(x, *(base - step)[:, None]).value
        assert derivative[0, 0] == pytest.approx((up - down)[0, 0] / 2e-6, rel=1e-4, abs=1e-5 * scale + 1e-6)


@given(gaussian=widths, lorentzian=widths)
def test_mixing_is_a_share_and_its_slopes_are_right(gaussian, lorentzian):
    g, lo = np.array([gaussian]), np.array([lorentzian])
    width = total_width(g, lo)[0]
    share, by_lorentzian, by_width = mixing(lo, width)
    assert 0 <= share[0] <= 1.0001
    step = 1e-7
    assert by_lorentzian[0] == pytest.approx((mixing(lo + step, width)[0] - share)[0] / step, rel=1e-3)
    assert by_width[0] == pytest.approx((mixing(lo, width + step)[0] - share)[0] / step, rel=1e-3, abs=1e-4)


def test_windows_cut_lines_and_nothing_else():
    """Within a window the whole profile less what it is at the end; outside nothing."""
    centre = np.array([0.05, 5.0, 9.0, 19.95, 30.0])
    gaussian, lorentzian = np.full(5, 0.05), np.array([0.01, 0.01, 1.5, 0.01, 0.01])
    reach = np.maximum(1.0, 5.0 * total_width(gaussian, lorentzian)[0])
    cut = windowed_pseudo_voigt(X, centre, gaussian, lorentzian, least_reach=1.0, reach_widths=5.0)
    whole = pseudo_voigt(X, centre, gaussian, lorentzian)
    end = pseudo_voigt((centre + reach)[None, :], centre, gaussian, lorentzian)
    inside = np.abs(X[:, None] - centre) < reach * 0.999
    assert inside[:, :4].any(axis=0).all()
    np.testing.assert_allclose(cut.value[inside], (whole.value - end.value)[inside], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(cut.by_centre[inside], whole.by_centre[inside])
    for name in ("value", "by_centre", "by_gaussian", "by_lorentzian"):
        assert not getattr(cut, name)[np.abs(X[:, None] - centre) > reach * 1.001].any()


@given(centre=st.floats(9.9, 10.1), gaussian=widths, lorentzian=widths)
def test_a_window_ends_without_a_step(centre, gaussian, lorentzian):
    """The sum over the points changes as smoothly as the parameters: by its derivatives."""
    base = np.array([centre, gaussian, lorentzian])

    def profile(parameters):
        return windowed_pseudo_voigt(X, *parameters[:, None], least_reach=0.9, reach_widths=8.0)

    found = profile(base)
    height = found.value.max()
    for index, derivative in enumerate((found.by_centre, found.by_gaussian, found.by_lorentzian)):
        step = np.zeros(3)
        step[index] = 1e-6
        change = profile(base + step).value - found.value
        assert np.abs(change - derivative * 1e-6).max() < 1e-6 * height

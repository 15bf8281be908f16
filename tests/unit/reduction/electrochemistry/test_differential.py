"""dQ/dV, dV/dQ and their peaks, against curves known in closed form and convolved by sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from intercalate.reduction.electrochemistry import dq_dv, dv_dq, peaks

SITES = ((3.50, 0.012, 2e-3), (3.70, 0.020, 3e-3))
"""Potential, width and capacity of each kind of site: Q(V) is a sum of logistic steps."""
SMOOTHING_V = 0.006
NOISE_V = 4e-4


def charge_at(voltage):
    return sum(q / (1 + np.exp(-(voltage - u) / w)) for u, w, q in SITES) + 1e-3 * (voltage - 3.3)


def curve(seed=None, count=1500):
    """A sweep at constant current: equal steps of charge."""
    fine = np.linspace(3.3, 3.9, 20_001)
    charge = np.linspace(charge_at(fine[0]), charge_at(fine[-1]), count)
    voltage = np.interp(charge, charge_at(fine), fine)
    if seed is not None:
        voltage = voltage + NOISE_V * np.random.default_rng(seed).standard_normal(count)
    return voltage, charge


def smoothed_truth(at):
    """The true derivative through the kernel, as a sum over a fine grid."""
    fine = np.linspace(3.2, 4.0, 80_001)
    derivative = np.gradient(charge_at(fine), fine)
    derivative[(fine < 3.3) | (fine > 3.9)] = 0.0
    kernel = np.exp(-(((at[:, None] - fine) / SMOOTHING_V) ** 2) / 2)
    inside = np.where((fine < 3.3) | (fine > 3.9), 0.0, kernel)
    return kernel @ derivative / inside.sum(axis=1)


def test_charge_per_voltage_is_the_true_one_through_the_kernel():
    found = dq_dv(*curve(), smoothing_v=SMOOTHING_V)
    inner = (found.x > 3.32) & (found.x < 3.88)
    assert found.value[inner] == pytest.approx(smoothed_truth(found.x[inner]), rel=2e-3)
    assert np.all(np.diff(found.x) == pytest.approx(SMOOTHING_V / 5))
    assert found.value.sum() * SMOOTHING_V / 5 == pytest.approx(np.ptp(curve()[1]), rel=0.02)


def test_discharge_and_charge_agree():
    voltage, charge = curve()
    up = dq_dv(voltage, charge, smoothing_v=SMOOTHING_V)
    down = dq_dv(voltage[::-1], charge[::-1], smoothing_v=SMOOTHING_V)
    assert down.value == pytest.approx(up.value)


def test_voltage_per_charge_is_the_inverse_where_both_are_smooth():
    voltage, charge = curve()
    found = dv_dq(charge, voltage, smoothing_ah=2e-5)
    fine = np.linspace(3.3, 3.9, 20_001)
    truth = np.interp(found.x, charge_at(fine), np.gradient(fine, charge_at(fine)))
    inner = truth < 60
    assert np.count_nonzero(inner) > 300
    assert found.value[inner] == pytest.approx(truth[inner], rel=0.01)


@pytest.mark.parametrize("of_voltage", [True, False])
def test_uncertainties_cover_the_truth(of_voltage):
    voltage, charge = curve()

    def evaluate(v):
        if of_voltage:
            return dq_dv(v, charge, smoothing_v=SMOOTHING_V, step_v=0.005, voltage_noise_v=NOISE_V)
        return dv_dq(charge, v, smoothing_ah=4e-5, step_ah=1e-4, voltage_noise_v=NOISE_V)

    clean = evaluate(voltage)
    inner = slice(4, -4)
    at = clean.x[inner]
    scores = []
    for seed in range(120):
        found = evaluate(curve(seed)[0])
        value, sigma = (np.interp(at, found.x, y) for y in (found.value, found.sigma))
        scores.append((value - clean.value[inner]) / sigma)
    assert 0.62 <= np.mean(np.abs(scores) < 1) <= 0.76
    assert 0.9 <= np.std(scores) <= 1.15


def test_peaks_are_where_they_are_with_uncertainties_that_cover():
    clean = peaks(dq_dv(*curve(), smoothing_v=SMOOTHING_V, step_v=5e-4, voltage_noise_v=NOISE_V))
    # The second peak stands on the flank of the first; smoothing moves neither by a tenth of its width.
    assert [one.position.value for one in clean] == pytest.approx([u for u, _, _ in SITES], abs=2e-4)
    scores = []
    for seed in range(60):
        found = peaks(dq_dv(*curve(seed), smoothing_v=SMOOTHING_V, step_v=5e-4, voltage_noise_v=NOISE_V))
        assert len(found) == 2
        for one, truth in zip(found, clean):
            scores.append((one.position.value - truth.position.value) / one.position.sigma_stat)
    assert 0.6 <= np.mean(np.abs(scores) < 1) <= 0.78
    assert 0.85 <= np.std(scores) <= 1.2


def test_a_plateau_is_a_peak_as_wide_as_the_kernel():
    charge = np.linspace(0, 1e-3, 200)
    away = np.maximum(np.abs(charge - 5e-4) - 2e-4, 0.0)
    voltage = 3.5 + 100 * np.sign(charge - 5e-4) * away
    found = max(peaks(dq_dv(voltage, charge, smoothing_v=0.003)), key=lambda one: one.height.value)
    assert found.position.value == pytest.approx(3.5, abs=5e-5)
    height = 4e-4 / (0.003 * np.sqrt(2 * np.pi))
    assert found.height.value == pytest.approx(height + 0.01, rel=0.02)


@settings(deadline=None)
@given(hnp.arrays(float, hnp.array_shapes(min_dims=1, max_dims=2, max_side=8), elements=st.floats(-3, 3)))
def test_any_array_has_a_finite_derivative_or_is_refused(voltage):
    charge = np.arange(voltage.size, dtype=float).reshape(voltage.shape)
    if voltage.ndim > 1 or voltage.size < 3 or np.ptp(voltage) <= 0.1:
        with pytest.raises(ValueError, match=r"records|half"):
            dq_dv(voltage, charge, smoothing_v=0.05)
        return
    found = dq_dv(voltage, charge, smoothing_v=0.05, voltage_noise_v=1e-3)
    assert np.all(np.isfinite(found.value))
    assert np.all(np.isfinite(found.sigma))
    assert all(np.isfinite(one.position.value) for one in peaks(found))


def test_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        dq_dv(np.array([3.0, np.nan, 3.2]), np.arange(3.0), smoothing_v=0.01)
    with pytest.raises(ValueError, match="less than half"):
        dq_dv(np.array([3.0, 3.001, 3.002]), np.arange(3.0), smoothing_v=0.01)

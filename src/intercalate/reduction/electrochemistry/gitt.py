"""Galvanostatic intermittent titration: overpotentials and diffusion coefficients."""

import math
from dataclasses import dataclass

import numpy as np

from intercalate.contract import StepType, code_of
from intercalate.reduction.electrochemistry.records import (
    DEFAULT_ACCURACY,
    Accuracy,
    checked,
    column,
    steps,
)
from intercalate.reduction.results import UNDETERMINED, Estimate

LEAST_POINTS = 8
"""Records of a pulse that a fit needs."""

MOST_CURVED = 0.2
"""Largest part of the change that may not be linear in sqrt(t) at the end of the fitted window."""


@dataclass(frozen=True, slots=True)
class GittPulse:
    """One pulse of a galvanostatic titration.

    Attributes
    ----------
    open_circuit_before_v, open_circuit_after_v
        Last voltage of each rest. `sigma_sys` is what the relaxation may still have to go: the change
        over the last three quarters of the rest, which is just that for a decay with 1/sqrt(t), and too
        much for an exponential one.
    ohmic_overpotential_v
        Jump of the voltage at the begin of the pulse, extrapolated in sqrt(t): all that is faster than
        diffusion, so the charge transfer too, which records seconds apart cannot tell from ohmic drop.
    total_overpotential_v
        Voltage at the end of the pulse against the rest after it.
    diffusion_coefficient_m2_s
        After Weppner and Huggins; NaN where the pulse is not linear in sqrt(t).
    window_s
        Length of the part that was fitted; NaN where none was linear.
    charge_ah
        Passed in the pulse, + is charge.
    """

    step_count: int
    start_s: float
    charge_ah: float
    open_circuit_before_v: Estimate
    open_circuit_after_v: Estimate
    ohmic_overpotential_v: Estimate
    total_overpotential_v: Estimate
    diffusion_coefficient_m2_s: Estimate
    window_s: float


def gitt(
    records: np.ndarray, *, diffusion_length_m: float, accuracy: Accuracy = DEFAULT_ACCURACY
) -> list[GittPulse]:
    """Evaluate each constant current that stands between two rests.

    D = (4/pi) L^2 [(dE_s / tau) / (dE / dsqrt(t))]^2, with the change dE_s of the open-circuit voltage
    over a pulse of length tau: W. Weppner, R. A. Huggins, J. Electrochem. Soc. 124 (1977) 1569. It assumes
    one-dimensional, semi-infinite diffusion, a current that enters evenly, and D and the slope of the
    open-circuit voltage constant over the pulse; that the other electrode's voltage does not change; and
    that L is right. In a cell of two working electrodes the polarisation of the other one and of the
    electrolyte counts as diffusion: D is an apparent one, and no error here says by how much it is too small
    (the simulated NMC811|graphite cell gives 0.6 of its own). dE/dsqrt(t) is the coefficient b of
    E = a + b sqrt(t) + c t, as c holds the first effects of a finite, curved particle. The window is the
    whole pulse, or the first half of it, a quarter and so on, until c t is within 20 % of b sqrt(t); if no
    window of eight records is, D is NaN. Of D, `sigma_sys` holds the relaxation that was not waited for, and
    the square of that share (1.02 times it is what the next term of a sphere makes of D).

    Parameters
    ----------
    records
        Of one program, shape (n, len(RECORD_COLUMNS)).
    diffusion_length_m
        L: volume over surface of the active material; a third of the radius for spheres.
    accuracy
        Of the cycler; its voltage noise weighs the fit.

    Raises
    ------
    ValueError
        If these are no records, or the length is not above 0.
    """
    if not diffusion_length_m > 0:
        raise ValueError(f"diffusion_length_m is {diffusion_length_m}; it must be above 0")
    parts = list(steps(checked(records)))
    rest, current = code_of(StepType.REST), code_of(StepType.CONSTANT_CURRENT)
    found = []
    for before, pulse, after in zip(parts, parts[1:], parts[2:]):
        if [column(part, "step_type")[0] for part in (before, pulse, after)] == [rest, current, rest]:
            found.append(_pulse(before, pulse, after, diffusion_length_m, accuracy))
    return found


def _pulse(
    before: np.ndarray, pulse: np.ndarray, after: np.ndarray, length_m: float, accuracy: Accuracy
) -> GittPulse:
    begin_s = column(before, "test_time_second")[-1]
    first, second = (
        _relaxed(before, begin_s=None, accuracy=accuracy),
        _relaxed(after, begin_s=column(pulse, "test_time_second")[-1], accuracy=accuracy),
    )
    time_s = column(pulse, "test_time_second") - begin_s
    voltage_v = column(pulse, "voltage_volt")
    noise_v = max(accuracy.voltage_noise_v, 1e-9)
    window = _linear_window(time_s, voltage_v, noise_v)
    ohmic, diffusion, window_s = UNDETERMINED, UNDETERMINED, math.nan
    if window is not None:
        (intercept, slope, _), covariance, share, window_s = window
        ohmic = Estimate(
            intercept - first.value, math.hypot(covariance[0, 0] ** 0.5, first.sigma_stat), first.sigma_sys
        )
        diffusion = _weppner_huggins(
            slope, covariance[1, 1] ** 0.5, share, first, second, float(time_s[-1]), length_m
        )
    total_v = float(voltage_v[-1]) - second.value
    charge_ah = column(pulse, "net_capacity_ah")[-1] - column(before, "net_capacity_ah")[-1]
    return GittPulse(
        step_count=int(column(pulse, "step_count")[0]),
        start_s=float(begin_s),
        charge_ah=float(charge_ah),
        open_circuit_before_v=first,
        open_circuit_after_v=second,
        ohmic_overpotential_v=ohmic,
        total_overpotential_v=Estimate(total_v, math.sqrt(2) * accuracy.voltage_noise_v, second.sigma_sys),
        diffusion_coefficient_m2_s=diffusion,
        window_s=window_s,
    )


def _relaxed(rest: np.ndarray, *, begin_s: float | None, accuracy: Accuracy) -> Estimate:
    """Open-circuit voltage at the end of a rest."""
    time_s, voltage_v = column(rest, "test_time_second"), column(rest, "voltage_volt")
    begin_s = time_s[0] if begin_s is None else begin_s
    quarter_s = begin_s + (time_s[-1] - begin_s) / 4
    at_quarter_v = float(np.interp(quarter_s, time_s, voltage_v))
    return Estimate(float(voltage_v[-1]), accuracy.voltage_noise_v, abs(float(voltage_v[-1]) - at_quarter_v))


def _linear_window(
    time_s: np.ndarray, voltage_v: np.ndarray, noise_v: float
) -> tuple[np.ndarray, np.ndarray, float, float] | None:
    """Longest beginning of a pulse that is linear in sqrt(t): coefficients, covariance, share, length."""
    end_s = float(time_s[-1])
    while np.count_nonzero(inside := (time_s > 0) & (time_s <= end_s)) >= LEAST_POINTS:
        root = np.sqrt(time_s[inside])
        design = np.column_stack([np.ones_like(root), root, root**2])
        inverse = np.linalg.inv(design.T @ design)
        coefficients = inverse @ design.T @ voltage_v[inside]
        residual = voltage_v[inside] - design @ coefficients
        variance = max(noise_v**2, float(residual @ residual) / max(root.size - 3, 1))
        covariance = variance * inverse
        slope, curved = coefficients[1], coefficients[2] * root[-1]
        # Of c sqrt(t) - 0.2 b and its mirror image, both linear in the coefficients.
        share = abs(curved / slope) if slope else math.inf
        spread = covariance[2, 2] ** 0.5 * root[-1] / abs(slope) if slope else math.inf
        if share - 2 * spread <= MOST_CURVED and abs(slope) > 3 * covariance[1, 1] ** 0.5:
            return coefficients, covariance, share, end_s
        end_s /= 2
    return None


def _weppner_huggins(
    slope: float,
    slope_sigma: float,
    share: float,
    before: Estimate,
    after: Estimate,
    pulse_s: float,
    length_m: float,
) -> Estimate:
    change_v = after.value - before.value
    if change_v == 0:
        return UNDETERMINED
    value = 4 / math.pi * length_m**2 * (change_v / pulse_s / slope) ** 2
    noise_v = math.hypot(before.sigma_stat, after.sigma_stat)
    left_v = math.hypot(before.sigma_sys, after.sigma_sys)
    stat = 2 * math.hypot(slope_sigma / slope, noise_v / change_v)
    return Estimate(value, value * stat, value * math.hypot(2 * left_v / change_v, share**2))

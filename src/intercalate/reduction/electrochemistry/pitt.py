"""Potentiostatic intermittent titration: diffusion coefficients from the decay of the current."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

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
"""Records of a decay that a fit needs."""

MODES = 60
"""Terms of the series of a sphere."""

MOST_EVALUATIONS = 100
"""Of a fit from one start."""

CURRENT_NOISE = 1e-3
"""Relative error of a current against the decay, before the misfit itself widens it."""


@dataclass(frozen=True, slots=True)
class PittStep:
    """One voltage step of a potentiostatic titration.

    Attributes
    ----------
    voltage_v
        Held.
    charge_ah
        That the step would pass without end, + is charge.
    diffusion_time_s
        R^2/D.
    biot_number
        Diffusion resistance of a particle over that of its surface and all that is in series.
    diffusion_coefficient_m2_s
        R^2 over the diffusion time.
    reduced_chi2
        Against a relative error of 0.1 %; `sigma_stat` is widened by its root.
    """

    step_count: int
    voltage_v: float
    charge_ah: Estimate
    diffusion_time_s: Estimate
    biot_number: Estimate
    diffusion_coefficient_m2_s: Estimate
    reduced_chi2: float


def pitt(
    records: np.ndarray, *, particle_radius_m: float, accuracy: Accuracy = DEFAULT_ACCURACY
) -> list[PittStep]:
    """Evaluate each voltage hold by the decay of its current.

    C. J. Wen, B. A. Boukamp, R. A. Huggins, W. Weppner, J. Electrochem. Soc. 126 (1979) 2258 take the
    surface to be at its new content at once. A resistance in series (solution, contacts, charge transfer)
    delays it; the current is then that of a sphere with a surface resistance, I = Q D/R^2 sum of
    6 L^2 / (b^2 + L (L - 1)) exp(-b^2 D t/R^2) with b cot b = 1 - L (J. Crank, The Mathematics of
    Diffusion, 2nd ed. 1975, eq. 6.43), which is Wen's for L to infinity. Fitted are Q, R^2/D and L. It
    assumes D, and the slope of the open-circuit voltage, constant over the step; spheres of one size;
    that the step begins at equilibrium; a capacity of the other electrode without limit.

    Of the diffusion time, `sigma_sys` is the change when the first third of the records is left out: what
    the decay is not that of one sphere shows there. NaN where a hold has fewer than 8 records, the current
    does not decay by half, the fit ends at a bound of it, or an error is as large as its value.

    Parameters
    ----------
    records
        Of one program, shape (n, len(RECORD_COLUMNS)).
    particle_radius_m
        R.

    Raises
    ------
    ValueError
        If these are no records, or the radius is not above 0.
    """
    if not particle_radius_m > 0:
        raise ValueError(f"particle_radius_m is {particle_radius_m}; it must be above 0")
    parts = list(steps(checked(records)))
    held = code_of(StepType.CONSTANT_VOLTAGE)
    return [
        _step(before, hold, particle_radius_m, accuracy)
        for before, hold in itertools.pairwise(parts)
        if column(hold, "step_type")[0] == held
    ]


def _step(before: np.ndarray, hold: np.ndarray, radius_m: float, accuracy: Accuracy) -> PittStep:
    time_s = column(hold, "test_time_second") - column(before, "test_time_second")[-1]
    current_a = column(hold, "current_ampere")
    sign = math.copysign(1.0, float(np.sum(current_a)))
    floor_a = max(accuracy.current_offset_a, 1e-12)
    whole = _fit_sphere(time_s, sign * current_a, floor_a)
    late = _fit_sphere(time_s[time_s.size // 3 :], sign * current_a[time_s.size // 3 :], floor_a)
    voltage_v, count = float(np.median(column(hold, "voltage_volt"))), int(column(hold, "step_count")[0])
    if whole is None or late is None:
        return PittStep(count, voltage_v, UNDETERMINED, UNDETERMINED, UNDETERMINED, UNDETERMINED, math.nan)
    logs, covariance, chi2 = whole
    sigma = np.sqrt(np.diag(covariance))
    charge, diffusion_s, biot = (float(one) for one in np.exp(logs))
    shift = np.abs(late[0] - logs)
    charge_sys = math.hypot(accuracy.current_gain, float(shift[0]))
    return PittStep(
        count,
        voltage_v,
        _estimate(sign * charge / 3600.0, sigma[0], charge_sys),
        _estimate(diffusion_s, sigma[1], shift[1]),
        _estimate(biot, sigma[2], shift[2]),
        _estimate(radius_m**2 / diffusion_s, sigma[1], shift[1]),
        chi2,
    )


def _estimate(value: float, relative_stat: float, relative_sys: float) -> Estimate:
    """Undetermined where the error is as large as the value."""
    if not math.hypot(relative_stat, relative_sys) < 1.0:
        return UNDETERMINED
    return Estimate(value, abs(value) * float(relative_stat), abs(value) * float(relative_sys))


def sphere_current(time_s: np.ndarray, charge: float, diffusion_s: float, biot: float) -> np.ndarray:
    """Current in a sphere after a step at its surface, behind a surface resistance.

    Parameters
    ----------
    time_s
        Shape (n,).
    charge
        That will have passed at last; the current is in this unit per second.
    diffusion_s
        R^2/D.
    biot
        L of Crank.
    """
    root = _roots(biot)
    weight = 6 * biot**2 / (root**2 + biot * (biot - 1))
    return charge / diffusion_s * (np.exp(-np.outer(time_s, root**2 / diffusion_s)) @ weight)


def _roots(biot: float) -> np.ndarray:
    """The first roots of b cot b = 1 - L, one between each two multiples of pi, by bisection."""
    low = np.pi * np.arange(MODES)
    high = low + np.pi
    low = low + 1e-9
    sign = np.where(np.arange(MODES) % 2 == 0, 1.0, -1.0)
    for _ in range(50):
        middle = (low + high) / 2
        above = sign * (middle * np.cos(middle) + (biot - 1) * np.sin(middle)) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


_BOUNDS = (np.log([1e-12, 1.0, 1e-2]), np.log([1e9, 1e9, 1e4]))
"""Of the logarithms of charge in As, diffusion time in s and Biot number."""


def _fit_sphere(
    time_s: np.ndarray, current: np.ndarray, floor_a: float
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Logarithms of charge, diffusion time and Biot number, their covariance, and reduced chi squared."""
    good = (time_s > 0) & np.isfinite(current) & (current > 0)
    time_s, current = time_s[good], current[good]
    if time_s.size < LEAST_POINTS or not current[-1] < current[0] / 2:
        return None
    sigma = np.hypot(CURRENT_NOISE * current, floor_a)
    passed = float(np.sum((current[1:] + current[:-1]) / 2 * np.diff(time_s))) + current[0] * time_s[0]
    best = None
    for biot in (0.3, 3.0, 30.0):
        start = np.log([passed, 3.0 * time_s[-1], biot])
        fit = least_squares(
            lambda p: (sphere_current(time_s, *np.exp(p)) - current) / sigma,
            np.clip(start, *_BOUNDS),
            bounds=_BOUNDS,
            x_scale=0.3,
            max_nfev=MOST_EVALUATIONS,
        )
        best = fit if best is None or fit.cost < best.cost else best
    assert best is not None
    at_bound = np.any(np.abs(best.active_mask[:2]) > 0)
    normal = best.jac.T @ best.jac
    if at_bound or not np.all(np.isfinite(normal)):
        return None
    chi2 = 2 * best.cost / (time_s.size - 3)
    covariance = np.linalg.pinv(normal) * max(1.0, chi2)
    return best.x, covariance, float(chi2)

"""dQ/dV and dV/dQ on a uniform grid, and the peaks of either."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from intercalate.reduction.results import Estimate

_BLOCK = 32
"""Points of the grid that are worked on together, with the records near them."""

_REACH = 8.0
"""Kernel widths beyond which a record does not count."""

_SHORT = 1e-3
"""A step shorter than this many kernel widths is treated as a point."""


@dataclass(frozen=True, slots=True)
class Differential:
    """A derivative dy/dx, smoothed over x with a Gaussian of standard width `smoothing`.

    Attributes
    ----------
    x, value, sigma
        Shape (n,). `sigma` is what noise of the voltage alone makes of it, at each point; neighbouring
        points share it.
    slope_sigma
        The same of the derivative's own slope, by which positions of peaks are uncertain.
    smoothing
        In units of x. The kernel widens a peak: its variance is that of the peak and of the kernel.
    """

    x: np.ndarray
    value: np.ndarray
    sigma: np.ndarray
    slope_sigma: np.ndarray
    smoothing: float


@dataclass(frozen=True, slots=True)
class Peak:
    """A maximum of the smoothed derivative: where, and how high."""

    position: Estimate
    height: Estimate


def dq_dv(
    voltage_v: np.ndarray,
    charge_ah: np.ndarray,
    *,
    smoothing_v: float,
    step_v: float | None = None,
    voltage_noise_v: float = 0.0,
) -> Differential:
    """Charge per voltage, dQ/dV in Ah/V, on a uniform grid of voltage.

    The charge between two records is spread evenly between their voltages, then smoothed with a Gaussian.
    So charge is conserved and a plateau gives a peak as wide as the kernel, never an infinite one, whether
    or not the voltage rises from record to record.

    Parameters
    ----------
    voltage_v, charge_ah
        Of one sweep in one direction, shape (n,); see `sweep`. Electrode polarisation is not taken off.
    smoothing_v
        Standard width of the Gaussian; steps of voltage between records should be shorter.
    step_v
        Of the grid; a fifth of the smoothing where None.
    voltage_noise_v
        Standard deviation from record to record.

    Raises
    ------
    ValueError
        If there are fewer than 3 records, or a number is not finite.
    """
    return _derivative(
        voltage_v, charge_ah, smoothing_v, step_v, noise_of_x=voltage_noise_v, noise_of_y=0.0, what="voltage"
    )


def dv_dq(
    charge_ah: np.ndarray,
    voltage_v: np.ndarray,
    *,
    smoothing_ah: float,
    step_ah: float | None = None,
    voltage_noise_v: float = 0.0,
) -> Differential:
    """Voltage per charge, dV/dQ in V/Ah, on a uniform grid of charge; see `dq_dv`."""
    return _derivative(
        charge_ah, voltage_v, smoothing_ah, step_ah, noise_of_x=0.0, noise_of_y=voltage_noise_v, what="charge"
    )


def _derivative(
    x: np.ndarray,
    y: np.ndarray,
    width: float,
    step: float | None,
    *,
    noise_of_x: float,
    noise_of_y: float,
    what: str,
) -> Differential:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or x.size < 3:
        raise ValueError(f"a derivative needs two arrays of at least 3 records, not {x.shape} and {y.shape}")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise ValueError("a derivative needs finite numbers; leave out records that are not")
    step = width / 5 if step is None else step
    if not (width > 0 and step > 0):
        raise ValueError(f"smoothing ({width}) and step ({step}) of {what} must be above 0")
    low, high = float(x.min()), float(x.max())
    if not high - low > 2 * width:
        raise ValueError(f"the {what} spans {high - low:g}; smoothing {width:g} must be less than half of it")
    grid = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
    values = np.empty((3, grid.size))
    for start in range(0, grid.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        reach = (grid[part][0] - _REACH * width, grid[part][-1] + _REACH * width)
        near = _steps_within(x, *reach)
        values[:, part] = _smoothed(grid[part, None], x[near], y[near], width, noise_of_x, noise_of_y)
    # The kernel reaches beyond the data at both ends: the mean is over what is there.
    inside = ndtr((grid - low) / width) - ndtr((grid - high) / width)
    values /= inside
    if x[-1] < x[0]:
        values[0] = -values[0]
    return Differential(grid, values[0], values[1], values[2], width)


def _steps_within(x: np.ndarray, low: float, high: float) -> slice:
    """The records between the first and the last step that comes near this range."""
    inside = np.flatnonzero((np.maximum(x[1:], x[:-1]) >= low) & (np.minimum(x[1:], x[:-1]) <= high))
    return slice(int(inside[0]), int(inside[-1]) + 2) if inside.size else slice(0, 2)


def _smoothed(
    at: np.ndarray, x: np.ndarray, y: np.ndarray, width: float, noise_of_x: float, noise_of_y: float
) -> np.ndarray:
    """Smoothed slope at a column of points, its error, and the error of its own slope."""
    from_left, to_right = (at - x[:-1]) / width, (at - x[1:]) / width
    dx = np.diff(x)
    is_short = np.abs(dx) < _SHORT * width
    safe = np.where(is_short, 1.0, dx)
    middle = (at - (x[:-1] + x[1:]) / 2) / width
    density = np.where(is_short, _normal(middle) / width, (ndtr(from_left) - ndtr(to_right)) / safe)
    ends = (_normal(from_left) - _normal(to_right)) / width
    tilt = np.where(is_short, -middle * _normal(middle) / width**2, ends / safe)
    dy = np.diff(y)
    value = density @ dy
    if noise_of_y:
        sigma = noise_of_y * _norm_of_differences(density)
        slope = noise_of_y * _norm_of_differences(tilt)
    else:
        left, right = _by_ends(from_left, to_right, middle, density, safe, is_short, width)
        sigma = noise_of_x * _norm_of_sums(left * dy, right * dy)
        left, right = _tilt_by_ends(from_left, to_right, middle, tilt, safe, is_short, width)
        slope = noise_of_x * _norm_of_sums(left * dy, right * dy)
    return np.array([value, sigma, slope])


def _normal(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _by_ends(
    from_left: np.ndarray,
    to_right: np.ndarray,
    middle: np.ndarray,
    density: np.ndarray,
    dx: np.ndarray,
    is_short: np.ndarray,
    width: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Derivative of the density of each step by the position of its first and of its last record."""
    point = middle * _normal(middle) / width**2 / 2
    left = np.where(is_short, point, (density - _normal(from_left) / width) / dx)
    right = np.where(is_short, point, (_normal(to_right) / width - density) / dx)
    return left, right


def _tilt_by_ends(
    from_left: np.ndarray,
    to_right: np.ndarray,
    middle: np.ndarray,
    tilt: np.ndarray,
    dx: np.ndarray,
    is_short: np.ndarray,
    width: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The same of the slope of the density."""
    point = (1 - middle**2) * _normal(middle) / width**3 / 2
    left = np.where(is_short, point, (tilt + from_left * _normal(from_left) / width**2) / dx)
    right = np.where(is_short, point, (-to_right * _normal(to_right) / width**2 - tilt) / dx)
    return left, right


def _norm_of_sums(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Independent errors of records, each of which ends one step and begins the next."""
    total = np.zeros((left.shape[0], left.shape[1] + 1))
    total[:, :-1] += left
    total[:, 1:] += right
    return np.sqrt(np.sum(total**2, axis=1))


def _norm_of_differences(weight: np.ndarray) -> np.ndarray:
    """The same for a sum of weight times difference between records."""
    return _norm_of_sums(-weight, weight)


def peaks(
    curve: Differential, *, least_sigma: float = 5.0, least_share: float = 0.02, x_accuracy: float = 0.0
) -> list[Peak]:
    """Peaks of a smoothed derivative, in order of position.

    Parameters
    ----------
    curve
        Of `dq_dv` or `dv_dq`.
    least_sigma, least_share
        A peak rises above the higher of the two valleys beside it by so many sigma at least, and by such a
        part of the highest peak.
    x_accuracy
        Standard uncertainty of x that all records share, such as the cycler's voltage offset.

    Returns
    -------
    list of Peak
        `sigma_stat` of a position is that of the slope at it over the curvature; `sigma_sys` is
        `x_accuracy`. Peaks closer than about two kernel widths are one.
    """
    from scipy.signal import find_peaks, peak_prominences

    if curve.x.size < 3:
        return []
    found, _ = find_peaks(curve.value)
    if not found.size:
        return []
    prominence = peak_prominences(curve.value, found)[0]
    least = np.maximum(least_sigma * curve.sigma[found], least_share * float(np.max(curve.value)))
    step = float(curve.x[1] - curve.x[0])
    result = []
    for at in found[prominence >= least]:
        before, here, after = curve.value[at - 1 : at + 2]
        curvature = (before - 2 * here + after) / step**2
        if not curvature < 0:
            continue
        slope = (after - before) / (2 * step)
        shift = float(np.clip(-slope / curvature, -step, step))
        position = Estimate(
            float(curve.x[at]) + shift, float(curve.slope_sigma[at] / abs(curvature)), x_accuracy
        )
        height = Estimate(float(here - slope**2 / (2 * curvature)), float(curve.sigma[at]), 0.0)
        result.append(Peak(position, height))
    return result

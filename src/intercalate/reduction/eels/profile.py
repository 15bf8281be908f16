"""Profiles across an interface: where it lies, how wide it is, and what lies on it."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import erf

from intercalate.reduction.eels.spectra import EelsError
from intercalate.reduction.results import UNDETERMINED, Estimate

_LEAST_POINTS = 8

_PIXEL_PART = 0.05
"""Declared, in pixels: what a pixel averages over, of a width."""


@dataclass(frozen=True)
class Interface:
    """A step, blurred.

    Attributes
    ----------
    position_nm
        Of its middle.
    width_nm
        Standard deviation of the blur.
    """

    position_nm: Estimate
    width_nm: Estimate
    reduced_chi2: float
    converged: bool


@dataclass(frozen=True)
class LayerFound:
    """A layer, blurred.

    Attributes
    ----------
    centre_nm, width_nm
        Of the layer; the width is uncertain where it is less than the blur.
    amount_nm
        Height times width.
    """

    centre_nm: Estimate
    width_nm: Estimate
    amount_nm: Estimate
    reduced_chi2: float
    converged: bool


def fit_interface(
    x_nm: np.ndarray, value: np.ndarray, sigma: np.ndarray, pixel_sys: float = 0.0
) -> Interface:
    """Fit a step.

    Parameters
    ----------
    x_nm, value, sigma
        Shape (points,); NaN where there is no value.
    pixel_sys
        Declared relative standard uncertainty of the pixel.

    Raises
    ------
    EelsError
        If too few points are known.
    """
    x, y, weight = _known(x_nm, value, sigma)
    edge = max(x.size // 6, 2)
    before, after = float(np.mean(y[:edge])), float(np.mean(y[-edge:]))
    crossed = np.flatnonzero((y - (before + after) / 2) * np.sign(after - before) > 0)
    start = np.array([before, after, x[crossed[0]] if crossed.size else x.mean(), np.log(np.ptp(x) / x.size)])

    def model(p: np.ndarray) -> np.ndarray:
        return p[0] + (p[1] - p[0]) * 0.5 * (1 + erf((x - p[2]) / np.sqrt(2) / np.exp(p[3])))

    pixel = np.ptp(x) / (x.size - 1)
    low = [-np.inf, -np.inf, x[0], np.log(0.2 * pixel)]
    high = [np.inf, np.inf, x[-1], np.log(np.ptp(x))]
    found = least_squares(lambda p: (model(p) - y) * weight, np.clip(start, low, high), bounds=(low, high))
    errors, misfit, chi2 = _errors(found, x.size)
    is_step = abs(found.x[1] - found.x[0]) > 5.0 * np.hypot(errors[0], errors[1])
    if not found.success or not is_step or not np.isfinite(errors[2]):
        return Interface(UNDETERMINED, UNDETERMINED, chi2, False)
    width = float(np.exp(found.x[3]))
    # What the pixels do not resolve is no width.
    unresolved = width < 0.6 * pixel
    return Interface(
        Estimate(
            float(found.x[2]), errors[2], float(np.hypot(misfit * errors[2], pixel_sys * abs(found.x[2])))
        ),
        UNDETERMINED
        if unresolved
        else Estimate(
            width,
            float(width * errors[3]),
            float(np.hypot(width * np.hypot(misfit * errors[3], pixel_sys), _PIXEL_PART * pixel)),
        ),
        chi2,
        True,
    )


def fit_layer(
    x_nm: np.ndarray, value: np.ndarray, sigma: np.ndarray, blur_nm: float, background: bool = True
) -> LayerFound:
    """Fit a layer of uniform height between two sides, blurred by a known width.

    Raises
    ------
    EelsError
        If too few points are known.
    """
    x, y, weight = _known(x_nm, value, sigma)
    pixel = np.ptp(x) / (x.size - 1)
    smooth = np.convolve(y, np.full(3, 1 / 3), "same")
    start_height = max(float(smooth.max()), 1e-6)

    def model(p: np.ndarray) -> np.ndarray:
        half, scale = np.exp(p[1]) / 2, np.sqrt(2) * max(blur_nm, 0.3 * pixel)
        box = 0.5 * (erf((x - p[0] + half) / scale) - erf((x - p[0] - half) / scale))
        return p[2] / np.exp(p[1]) * box + (p[3] if background else 0.0)

    low = [x[0], np.log(0.5 * pixel), -np.inf, -np.inf]
    high = [x[-1], np.log(np.ptp(x) / 2), np.inf, np.inf]
    best = None
    for width in (3 * pixel, 8 * pixel):
        start = np.array([x[int(np.argmax(smooth))], np.log(width), start_height * width, 0.0])
        start = np.clip(start, low, high)
        one = least_squares(lambda p: (model(p) - y) * weight, start, bounds=(low, high), x_scale="jac")
        best = one if best is None or one.cost < best.cost else best
    if best is None:
        raise EelsError("no fit of a layer was made")
    errors, misfit, chi2 = _errors(best, x.size)
    if not best.success or not np.isfinite(errors[[0, 2]]).all():
        return LayerFound(UNDETERMINED, UNDETERMINED, UNDETERMINED, chi2, False)
    width = float(np.exp(best.x[1]))
    stat = width * errors[1]
    return LayerFound(
        Estimate(float(best.x[0]), errors[0], misfit * errors[0]),
        Estimate(width, stat, misfit * stat) if stat < width else UNDETERMINED,
        Estimate(float(best.x[2]), errors[2], misfit * errors[2]),
        chi2,
        True,
    )


def _known(
    x_nm: np.ndarray, value: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not x_nm.shape == value.shape == sigma.shape or x_nm.ndim != 1:
        raise EelsError(
            f"a profile has places, values and errors of shapes {x_nm.shape}, {value.shape}, "
            f"{sigma.shape}; all must be alike"
        )
    known = np.isfinite(value) & np.isfinite(sigma) & (sigma > 0)
    if known.sum() < _LEAST_POINTS:
        raise EelsError(f"{int(known.sum())} points of the profile are known, {_LEAST_POINTS} are needed")
    return x_nm[known], value[known], 1 / sigma[known]


def _errors(found, points: int) -> tuple[np.ndarray, float, float]:
    """Standard errors of the parameters, by how much the misfit adds to them, and chi squared."""
    normal = found.jac.T @ found.jac
    normal[np.diag_indices_from(normal)] *= 1 + 1e-12
    normal[np.diag_indices_from(normal)] += 1e-300
    try:
        variances = np.diag(np.linalg.inv(normal))
    except np.linalg.LinAlgError:
        variances = np.full(normal.shape[0], np.nan)
    chi2 = 2 * float(found.cost) / max(points - found.x.size, 1)
    errors = np.sqrt(np.where(variances > 0, variances, np.nan))
    return errors, float(np.sqrt(max(chi2 - 1.0, 0.0))), chi2

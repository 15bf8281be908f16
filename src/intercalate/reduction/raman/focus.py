"""Where the focus of a laser must be: from the light that comes back through the pinhole."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import curve_fit

from intercalate.reduction.results import Estimate


class FocusError(ValueError):
    """No focus was found; the message says why."""


@dataclass(frozen=True)
class Focus:
    """A focus that was found.

    Attributes
    ----------
    z_um, sigma_um
        Of the strongest return, and its standard error.
    depth_um
        Full width at half maximum of the return.
    contrast
        Strongest return over that from elsewhere.
    """

    z_um: float
    sigma_um: float
    depth_um: float
    contrast: float


@dataclass(frozen=True)
class FocusDrift:
    """How a focus moves by itself.

    Attributes
    ----------
    um_per_h
        Slope of a straight line through what was found, as it is to be expected next. Statistical is the
        error by those of the points; systematic, by how much the slope changes from one pair of points to
        the next: a mount that warms up does not go on as it went.
    scatter_um
        Root mean square deviation from the line.
    span_um
        From the lowest to the highest.
    """

    um_per_h: Estimate
    scatter_um: float
    span_um: float

    def holds_for_h(self, depth_um: float) -> float:
        """Hours after which the focus may have left an eighth of its depth, at twice the error of the slope.

        At an eighth of the full width at half maximum, 4 % of the light is lost.
        """
        room_um = max(depth_um / 8.0 - self.scatter_um, 0.0)
        return room_um / (abs(self.um_per_h.value) + 2.0 * self.um_per_h.sigma)


def focus_drift(time_h: np.ndarray, z_um: np.ndarray, sigma_um: np.ndarray) -> FocusDrift:
    """Fit a straight line to a focus that was found several times.

    Parameters
    ----------
    time_h, z_um, sigma_um
        When and where it was found, and the standard error of each; shape (n,).

    Raises
    ------
    FocusError
        If it was found fewer than three times, or always at one time.
    """
    if len(time_h) < 3 or not np.ptp(time_h) > 0:
        raise FocusError(f"the focus was found {len(time_h)} times; a drift needs three, one after the other")
    weight = 1.0 / np.asarray(sigma_um, float) ** 2
    design = np.stack([np.ones(len(time_h)), time_h - np.average(time_h, weights=weight)], axis=1)
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design))
    line = covariance @ (design.T @ (weight * z_um))
    left = z_um - design @ line
    return FocusDrift(
        Estimate(float(line[1]), float(np.sqrt(covariance[1, 1])), _unsteady(time_h, z_um, 1.0 / weight)),
        float(np.sqrt(np.mean(left**2))),
        float(np.ptp(z_um)),
    )


def _unsteady(time_h: np.ndarray, z_um: np.ndarray, variance_um2: np.ndarray) -> float:
    """Error of the mean of the slopes so far as a forecast of the next, beyond the errors of the points.

    Slopes are taken for a random walk, whose steps are as large as those seen. There are few of them, so
    that the error is that of Student's distribution which holds as often as one of a normal does.
    """
    _, order = np.unique(time_h, return_index=True)
    when_h, where_um, variance = (np.asarray(one, float)[order] for one in (time_h, z_um, variance_um2))
    passed_h = np.diff(when_h)
    slopes = np.diff(where_um) / passed_h
    if slopes.size < 2:
        return np.inf
    steps = np.diff(slopes)
    near, far = 1.0 / passed_h[:-1], 1.0 / passed_h[1:]
    by_points = variance[:-2] * near**2 + variance[1:-1] * (near + far) ** 2 + variance[2:] * far**2
    step2 = max(float(np.mean(steps**2 - by_points)), 0.0)
    # The next slope is a step from the last one, and the mean lags behind that by shares of those before.
    shares = np.arange(1, slopes.size + 1) / slopes.size
    few = stats.t.ppf(stats.norm.cdf(1.0), steps.size)
    return float(few * np.sqrt(step2 * np.sum(shares**2)))


_SHARE = 4 * np.log(2)
_POINTS = 6
_LEAST_SIGMA = 8.0
"""By which the strongest return must stand above the middle one."""

_SCATTER = 2e-3
"""Relative, of counts besides their statistics: the laser's noise between two photodiodes."""


def find_focus(z_um: np.ndarray, returned_counts: np.ndarray, i0_counts: np.ndarray) -> Focus:
    """Fit a bell over a constant to the return along the focus.

    Parameters
    ----------
    z_um, returned_counts, i0_counts
        Positions of the drive, ascending, counts of the light that came back, and of that which went in;
        shape (n,).

    Raises
    ------
    FocusError
        If there are too few points, nothing comes back from anywhere in particular, or the strongest return
        is at an end of the scan.
    """
    known = np.asarray(i0_counts) > 0
    z, back, gone = (np.asarray(one, float)[known] for one in (z_um, returned_counts, i0_counts))
    light = back / gone
    sigma = np.sqrt(back + 1.0 + (_SCATTER * back) ** 2) / gone
    if z.size < _POINTS:
        raise FocusError(f"{z.size} points of the scan had light; {_POINTS} are needed: is the laser on?")
    top, base = int(np.argmax(light)), float(np.median(light))
    if not light[top] - base > _LEAST_SIGMA * sigma[top]:
        raise FocusError(
            f"nothing comes back from anywhere in particular between {z[0]:g} and {z[-1]:g} um: the "
            f"strongest return is {light[top]:.3g}, the middle one {base:.3g}; scan further, or see "
            "whether a sample is there"
        )
    step_um = float(np.median(np.diff(z)))
    start = (z[top], max(2.0 * step_um, 1e-3), light[top] - base, base)
    bounds = ([z[0], 0.3 * step_um, 0.0, -np.inf], [z[-1], z[-1] - z[0], np.inf, np.inf])
    try:
        found, covariance = curve_fit(_bell, z, light, start, sigma=sigma, absolute_sigma=True, bounds=bounds)
    except RuntimeError as error:
        raise FocusError(f"no bell fits the return between {z[0]:g} and {z[-1]:g} um: {error}") from None
    centre, depth, height, constant = (float(value) for value in found)
    if min(centre - z[0], z[-1] - centre) < step_um:
        raise FocusError(
            f"the strongest return is at the end of the scan, {centre:.1f} um; scan around there"
        )
    contrast = (height + constant) / constant if constant > 0 else np.inf
    return Focus(centre, float(np.sqrt(covariance[0, 0])), depth, float(contrast))


def _bell(z: np.ndarray, centre: float, depth: float, height: float, constant: float) -> np.ndarray:
    return constant + height * np.exp(-_SHARE * ((z - centre) / depth) ** 2)

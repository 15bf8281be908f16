"""When something begins: a quantity that stays where it is, and from then on rises."""

import math
from dataclasses import dataclass

import numpy as np

from intercalate_plans.studies.finding import SIGNIFICANCE

FLANKS = (0.4, 0.6, 0.8)
"""Parts of the highest value up to which the rise is looked at; the middle one counts, the others say how far
a rise that is not straight can be trusted."""
IN_A_ROW = 2
"""Frames that must each stand out."""
_LEAST_FRAMES = 6
_LEAST_ON_FLANK = 2
_STEPS = 400
_EXACT = 1000.0
"""Part of the highest value below which an error is none: what is exact is weighed evenly."""
_HIGH_PERCENTILE = 90.0
"""That stands for the highest value: the highest of many is one that noise has raised."""
_BETWEEN_FRAMES = 0.05
"""Of the spacing of frames: standard error where all of a rise that is not straight lies between two."""


@dataclass(frozen=True)
class Series:
    """A quantity by time.

    Attributes
    ----------
    time, value, stat, sys
        Ascending times; the value with its two standard errors, shape (n,).
    """

    time: np.ndarray
    value: np.ndarray
    stat: np.ndarray
    sys: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """Both errors."""
        return np.hypot(self.stat, self.sys)

    @property
    def is_found(self) -> bool:
        """Whether it ever stands out, some frames in a row."""
        there = self.value > SIGNIFICANCE * self.sigma
        return any(bool(there[at : at + IN_A_ROW].all()) for at in range(there.size - IN_A_ROW + 1))

    def reversed(self) -> "Series":
        """The other way round: what began, ends."""
        return Series(-self.time[::-1], self.value[::-1], self.stat[::-1], self.sys[::-1])


Onset = tuple[float, float]
"""Time and standard error; both NaN where nothing began."""
NEVER = (math.nan, math.nan)


def onset_of(series: Series) -> Onset:
    """When a quantity begins to rise, by a straight line up to a part of the highest value, over a constant.

    The error is that of the fit, scaled where it misses the points; with it, the range between the parts
    of the rise that may be looked at, and what of a spacing of frames a straight line leaves open.
    """
    if series.time.size < _LEAST_FRAMES or not series.is_found:
        return NEVER
    fits = [found for flank in FLANKS if (found := _hinge(series, flank)) is not None]
    if not fits:
        return NEVER
    middle = fits[len(fits) // 2]
    times = [time for time, _ in fits]
    spread = max(times) - min(times)
    spacing = float(np.median(np.diff(series.time))) * _BETWEEN_FRAMES
    return middle[0], math.sqrt(middle[1] ** 2 + spread**2 + spacing**2)


def end_of(series: Series) -> Onset:
    """When a quantity has fallen to what it stays at, as `onset_of`."""
    time, sigma = onset_of(series.reversed())
    return -time, sigma


def _hinge(series: Series, flank: float) -> Onset | None:
    """Of value = a + b max(0, t - t0) up to a part of the highest value; None where the rise is too short."""
    smooth = np.convolve(np.pad(series.value, 1, mode="edge"), np.full(3, 1 / 3), "valid")
    top = float(np.percentile(smooth, _HIGH_PERCENTILE))
    if not top > 0.0:
        return None
    first = int(np.flatnonzero(smooth > flank * top)[0])
    if first == 0:
        # It is there from the first frame on.
        return float(series.time[0]), float(series.time[1] - series.time[0])
    last = min(max(first + 1, _LEAST_ON_FLANK + 2), series.time.size)
    time, value = series.time[:last], series.value[:last]
    sigma = np.maximum(series.sigma[:last], top / _EXACT)
    places = np.linspace(time[0], time[-1], _STEPS, endpoint=False)
    squares = _misfits(time, value, sigma, places)
    best = int(np.argmin(squares))
    degrees = max(last - 3, 1)
    allowed = squares[best] + max(1.0, squares[best] / degrees)
    inside = places[squares <= allowed]
    sigma_time = max(float(inside[-1] - inside[0]) / 2, float(places[1] - places[0]) / 2)
    return float(places[best]), sigma_time


def _misfits(time: np.ndarray, value: np.ndarray, sigma: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Sums of squares of the best constant and slope with each of these onsets; the slope is not negative."""
    weight = 1.0 / sigma**2
    ramp = np.maximum(time - places[:, None], 0.0)
    total = weight.sum()
    mean = float(weight @ value) / total
    from_mean = value - mean
    ramp = ramp - (ramp @ weight)[:, None] / total
    across, along = ramp @ (weight * from_mean), (ramp**2) @ weight
    gained = np.where((across > 0.0) & (along > 0.0), across**2 / np.maximum(along, 1e-300), 0.0)
    return float(weight @ from_mean**2) - gained

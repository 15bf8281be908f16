"""Maps: spectra of a grid as images, their means, and whether the sample is the same everywhere."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from intercalate.reduction.results import UNDETERMINED, Estimate

POSITION_UM = 0.05
"""To which positions of the objective are told apart."""

_LEAST_PIXELS = 16
_LEAST_SHARE = 0.8
"""Of the points of a map that must be read in one way for a mean of it."""


class MapError(ValueError):
    """There is no map; the message says why."""


@dataclass(frozen=True)
class MapMean:
    """A quantity in the mean of a map.

    Attributes
    ----------
    mean
        Each point with the same weight: a sample that differs from place to place has no other. Its error is
        that of the mean of these points; by how much other places may differ, `scatter` tells.
    scatter
        Standard deviation over the points, without what counting adds; not determined by a single point.
    points
        That were averaged.
    """

    mean: Estimate
    scatter: Estimate
    points: int


@dataclass(frozen=True)
class Inhomogeneity:
    """By how much a quantity differs over a map.

    Attributes
    ----------
    spread
        Standard deviation over the sample, without what counting adds.
    excess_sigmas
        By how many standard errors the scatter is more than counting explains.
    neighbours
        Moran's I of points side by side: 0 where what differs has no places, 1 where it changes slowly.
    pixels
        In which the quantity is determined.
    """

    spread: Estimate
    excess_sigmas: float
    neighbours: Estimate
    pixels: int


def maps_of(data: xr.Dataset, names: list[str]) -> xr.Dataset:
    """Arrange quantities as images.

    Parameters
    ----------
    data
        Along `frame`, as they were taken: `objective_x_um`, `objective_y_um`, `visit` where there was more
        than one, and the quantities.
    names
        Of quantities.

    Returns
    -------
    xarray.Dataset
        Each quantity along (map, y_um, x_um), NaN at points without a spectrum; where there is a test time, a
        voltage or a depth, their mean along `map`. Spectra that a visit takes of the same point, one after
        the other or at several depths, are of several maps.

    Raises
    ------
    MapError
        If the spectra are not those of a grid.
    """
    missing = {"objective_x_um", "objective_y_um", *names} - set(data)
    if missing:
        raise MapError(f"the spectra lack {', '.join(sorted(missing))}: were they taken with an objective?")
    columns, rows = (np.round(np.asarray(data[f"objective_{axis}_um"]) / POSITION_UM) for axis in "xy")
    visit = np.asarray(data["visit"]) if "visit" in data else np.zeros(data.sizes["frame"], dtype=int)
    (x, column), (y, row) = (np.unique(one, return_inverse=True) for one in (columns, rows))
    if x.size < 2 or y.size < 2:
        raise MapError(
            f"the spectra lie on {x.size} x {y.size} points; a map has two in each direction at least"
        )
    maps, number = np.unique([visit, _times_before([visit, row, column])], axis=1, return_inverse=True)
    shape = (maps.shape[1], y.size, x.size)
    images: dict[str, Any] = {}
    for name in names:
        image = np.full(shape, np.nan)
        image[number, row, column] = np.asarray(data[name], float)
        images[name] = (("map", "y_um", "x_um"), image, data[name].attrs)
    for name in ("test_time_second", "voltage_volt", "objective_z_um"):
        if name in data.variables:
            values = np.asarray(data[name], float)
            means = [_mean(values[number == one]) for one in range(maps.shape[1])]
            images[name] = ("map", np.array(means), data[name].attrs)
    return xr.Dataset(images, {"x_um": x * POSITION_UM, "y_um": y * POSITION_UM})


def _times_before(columns: list[np.ndarray]) -> np.ndarray:
    """How often each row of some columns was there before, shape (rows,)."""
    _, which = np.unique(columns, axis=1, return_inverse=True)
    order = np.argsort(which, kind="stable")
    _, first = np.unique(which[order], return_index=True)
    before = np.empty(which.size, dtype=int)
    before[order] = np.arange(which.size) - first[which[order]]
    return before


def _mean(values: np.ndarray) -> float:
    """Of those that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def map_mean(
    value: np.ndarray,
    sigma_stat: np.ndarray,
    sigma_sys: np.ndarray,
    sigma_shared: np.ndarray | None = None,
    readings: np.ndarray | None = None,
) -> MapMean:
    """Average a quantity over one map.

    All points have one axis, one table of bands, one model of a background and one sample: their systematic
    errors have one sign, and that of the mean is the mean of theirs. Errors of counting are those of each
    point alone, and go down with the root of their number, but for what the points share of them.

    Parameters
    ----------
    value, sigma_stat, sigma_sys
        Of each point, NaN where it is not known; of any shape. A point without a statistical error is not
        counted, as of graphite of which no more than a range is known: the mean of ranges is no better known.
    sigma_shared
        The part of `sigma_stat` that is the same for all points, as of bands that were refined for all of
        their spectra together. None where each was fitted for itself.
    readings
        Number of the way in which each point was read, as by the regime of graphite: noise turns one into
        another, by more than the errors of either say. The mean is of the points that are read as most are,
        and not determined where these are less than 80 % of the map. Those that are read otherwise are
        missing in it by noise, each for itself: they would be the highest or the lowest. None where there is
        one way only.
    """
    known = np.isfinite(value) & (sigma_stat > 0) & np.isfinite(sigma_sys)
    missing = np.zeros(0)
    if readings is not None and known.any():
        numbers, counts = np.unique(readings[known], return_counts=True)
        is_most = readings == numbers[np.argmax(counts)]
        known &= is_most
        missing = value[~is_most & np.isfinite(value)]
        if np.mean(known) < _LEAST_SHARE:
            return MapMean(UNDETERMINED, UNDETERMINED, 0)
    points = int(known.sum())
    if points == 0:
        return MapMean(UNDETERMINED, UNDETERMINED, 0)
    shared = np.zeros(points) if sigma_shared is None else sigma_shared[known]
    noise = float(np.mean(np.maximum(sigma_stat[known] ** 2 - shared**2, 0.0)))
    mean = float(np.mean(value[known]))
    # As rare events are counted: their number is uncertain by its root.
    by_reading = (
        float(np.linalg.norm(np.clip(missing, value[known].min(), value[known].max()) - mean)) / points
    )
    stat = float(np.sqrt(noise / points + np.mean(shared) ** 2 + by_reading**2))
    scatter = _scatter(value[known] - mean, noise, points - 1) if points > 1 else UNDETERMINED
    return MapMean(Estimate(mean, stat, float(np.mean(sigma_sys[known]))), scatter, points)


def inhomogeneity(image: np.ndarray, sigma: np.ndarray, time_s: np.ndarray | None = None) -> Inhomogeneity:
    """Say by how much a quantity differs over one map.

    Parameters
    ----------
    image, sigma
        Value and statistical error of each point, NaN where it is not known; shape (rows, columns).
    time_s
        When each was taken: what changes evenly with time is taken out. None where nothing changes.

    Raises
    ------
    MapError
        If too few points are known.
    """
    known = np.isfinite(image) & np.isfinite(sigma) & (sigma > 0)
    pixels = int(known.sum())
    if pixels < _LEAST_PIXELS:
        raise MapError(f"{pixels} points of the map are known; {_LEAST_PIXELS} are needed")
    mean = float(np.mean(image[known]))
    left = image - mean
    if time_s is not None:
        slope, offset = np.polyfit(time_s[known] - np.mean(time_s[known]), image[known], 1)
        left = image - slope * (time_s - np.mean(time_s[known])) - offset
    noise = float(np.mean(sigma[known] ** 2))
    freedom = pixels - 2
    variance = float(np.sum(left[known] ** 2)) / freedom
    # The scatter of independent errors has a variance of 2 / (n - 2), relative.
    excess = (variance / noise - 1.0) / np.sqrt(2.0 / freedom)
    return Inhomogeneity(
        _scatter(left[known], noise, freedom),
        float(excess),
        _neighbours(np.where(known, left, np.nan)),
        pixels,
    )


def _scatter(left: np.ndarray, noise: float, freedom: int) -> Estimate:
    """Standard deviation of what is left of a mean, or a line, beyond a variance by counting."""
    variance = float(np.sum(left**2)) / freedom
    scatter = float(np.sqrt(max(variance - noise, 0.0)))
    # Of a scatter that is not there the error is that by which counting hides one.
    least = max(scatter, float(np.sqrt(noise / left.size)))
    sigma = variance / np.sqrt(2.0 * freedom) / least if least > 0 else 0.0
    return Estimate(scatter, float(sigma), 0.0)


def _neighbours(left: np.ndarray) -> Estimate:
    """Moran's I over points side by side, with its error where values have no places (P. A. P. Moran,
    Biometrika 37 (1950) 17).
    """
    products = [left[:, 1:] * left[:, :-1], left[1:] * left[:-1]]
    pairs = np.concatenate([one[np.isfinite(one)] for one in products])
    variance = float(np.nanmean(left**2))
    if pairs.size == 0 or not variance > 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    return Estimate(float(np.mean(pairs) / variance), float(1.0 / np.sqrt(pairs.size)), 0.0)

"""Maps: spectra of a grid as images, and whether the sample is the same everywhere."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from intercalate.reduction.results import Estimate

POSITION_UM = 0.05
"""To which positions of the objective are told apart."""

_LEAST_PIXELS = 16


class MapError(ValueError):
    """There is no map; the message says why."""


@dataclass(frozen=True)
class Inhomogeneity:
    """By how much a quantity differs over a map.

    Attributes
    ----------
    mean
        Over the map; the statistical error is that of the mean of what was measured.
    spread
        Standard deviation over the sample, without what counting adds.
    excess_sigmas
        By how many standard errors the scatter is more than counting explains.
    neighbours
        Moran's I of points side by side: 0 where what differs has no places, 1 where it changes slowly.
    pixels
        In which the quantity is determined.
    """

    mean: Estimate
    spread: Estimate
    excess_sigmas: float
    neighbours: Estimate
    pixels: int


def maps_of(data: xr.Dataset, names: list[str]) -> xr.Dataset:
    """Arrange quantities as images.

    Parameters
    ----------
    data
        Along `frame`: `objective_x_um`, `objective_y_um`, `visit` where there was more than one, and the
        quantities.
    names
        Of quantities.

    Returns
    -------
    xarray.Dataset
        Each quantity along (map, y_um, x_um), NaN at points without a spectrum; where there is a test time or
        a voltage, their mean along `map`.

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
    (x, column), (y, row), (numbers, number) = (
        np.unique(one, return_inverse=True) for one in (columns, rows, visit)
    )
    if x.size < 2 or y.size < 2:
        raise MapError(
            f"the spectra lie on {x.size} x {y.size} points; a map has two in each direction at least"
        )
    shape = (numbers.size, y.size, x.size)
    images: dict[str, Any] = {}
    for name in names:
        image = np.full(shape, np.nan)
        image[number, row, column] = np.asarray(data[name], float)
        images[name] = (("map", "y_um", "x_um"), image, data[name].attrs)
    for name in ("test_time_second", "voltage_volt"):
        if name in data.coords:
            values = np.asarray(data[name], float)
            means = [_mean(values[number == one]) for one in range(numbers.size)]
            images[name] = ("map", np.array(means), data[name].attrs)
    return xr.Dataset(images, {"x_um": x * POSITION_UM, "y_um": y * POSITION_UM})


def _mean(values: np.ndarray) -> float:
    """Of those that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


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
    variance = float(np.mean(left[known] ** 2)) * pixels / (pixels - 2)
    # The scatter of independent errors has a variance of 2 / (n - 2), relative.
    excess = (variance / noise - 1.0) / np.sqrt(2.0 / (pixels - 2))
    spread = float(np.sqrt(max(variance - noise, 0.0)))
    spread_sigma = variance / np.sqrt(2.0 * (pixels - 2)) / max(spread, np.sqrt(noise / pixels))
    return Inhomogeneity(
        Estimate(mean, float(np.sqrt(noise / pixels)), 0.0),
        Estimate(spread, float(spread_sigma), 0.0),
        float(excess),
        _neighbours(np.where(known, left, np.nan)),
        pixels,
    )


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

"""Where the rings of a calibrant lie on a frame, in sectors of azimuth."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intercalate.reduction.ring_lines import fit_lines

if TYPE_CHECKING:
    from pyFAI.geometry import Geometry

MIN_RINGS = 4
_HALF_WIDTH_DEG = 0.35
_SECTOR_DEG = 6.0
_MIN_PIXELS = 200
_MIN_SIGNIFICANCE = 10.0


class GeometryError(ValueError):
    """No geometry could be had from a frame; the message says what to look at."""


@dataclass(frozen=True)
class RingPoints:
    """Positions of rings, each of shape (n,).

    Attributes
    ----------
    ring
        Number of the ring.
    row, column
        Mean place of the ring's pixels in this sector.
    offset_deg, sigma_deg, width_deg
        2theta of the ring less that of the geometry it was measured with, its error, and full width.
    """

    ring: np.ndarray
    row: np.ndarray
    column: np.ndarray
    offset_deg: np.ndarray
    sigma_deg: np.ndarray
    width_deg: np.ndarray


def ring_positions(
    frame: np.ndarray, mask: np.ndarray, geometry: "Geometry", angles_deg: np.ndarray
) -> RingPoints:
    """Fit every ring with a profile in each sector of azimuth.

    Parameters
    ----------
    frame
        Counts without dark current, shape (rows, columns).
    mask
        True where a pixel must not be used.
    geometry
        By which pixels are near a ring; it need not be exact.
    angles_deg
        2theta of the rings, ascending.

    Raises
    ------
    GeometryError
        If too few rings stand out.
    """
    two_theta = np.asarray(geometry.center_array(shape=frame.shape, unit="2th_deg"))
    azimuth = np.asarray(geometry.center_array(shape=frame.shape, unit="chi_deg"))
    sectors = [
        one
        for number, angle in enumerate(angles_deg)
        if angle <= two_theta.max()
        for one in _sectors(number, angles_deg, two_theta, azimuth, mask)
    ]
    points = _on_rings(frame, two_theta, angles_deg, sectors)
    if np.unique(points.ring).size < MIN_RINGS:
        raise GeometryError(
            f"only {np.unique(points.ring).size} rings stand out of the noise, {MIN_RINGS} are needed: "
            "expose longer, and look at I0 and at what is in the beam"
        )
    return points


@dataclass(frozen=True)
class _Sector:
    """Pixels near a ring, within some degrees of azimuth."""

    ring: int
    half_deg: float
    row: np.ndarray
    column: np.ndarray


def _sectors(
    number: int, angles_deg: np.ndarray, two_theta: np.ndarray, azimuth: np.ndarray, mask: np.ndarray
) -> list[_Sector]:
    """Those of a ring that hold enough pixels."""
    gaps = np.abs(np.delete(angles_deg, number) - angles_deg[number])
    half_deg = min(_HALF_WIDTH_DEG, 0.45 * float(gaps.min()))
    rows, columns = np.nonzero((np.abs(two_theta - angles_deg[number]) < half_deg) & ~mask)
    sector = np.floor(azimuth[rows, columns] / _SECTOR_DEG).astype(int)
    order = np.argsort(sector, kind="stable")
    ends = np.flatnonzero(np.diff(sector[order])) + 1
    return [
        _Sector(number, half_deg, rows[own], columns[own])
        for own in np.split(order, ends)
        if own.size >= _MIN_PIXELS
    ]


def _on_rings(
    frame: np.ndarray, two_theta: np.ndarray, angles_deg: np.ndarray, sectors: list[_Sector]
) -> RingPoints:
    """Where the lines of sectors are, of those that stand out."""
    if not sectors:
        return RingPoints(np.zeros(0, int), *np.zeros((5, 0)))
    row, column = (np.concatenate([getattr(one, name) for one in sectors]) for name in ("row", "column"))
    sizes = np.array([one.row.size for one in sectors])
    ring = np.array([one.ring for one in sectors])
    x_deg = two_theta[row, column] - np.repeat(angles_deg[ring], sizes)
    lines = fit_lines(x_deg, frame[row, column].astype(float), sizes)
    half_deg = np.array([one.half_deg for one in sectors])
    with np.errstate(invalid="ignore"):
        seen = (lines.area > _MIN_SIGNIFICANCE * lines.area_sigma) & (
            np.abs(lines.centre_deg) <= half_deg / 2
        )
        away = (x_deg - np.repeat(lines.centre_deg, sizes)) / np.repeat(lines.width_deg, sizes)
    # The pixel of the mean place need not lie on the ring: what counts is the offset there.
    weight = np.exp(-4 * np.log(2) * np.nan_to_num(away) ** 2) + 1e-12
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    total = np.add.reduceat(weight, starts)
    place = [np.add.reduceat(weight * one, starts) / total for one in (row, column)]
    columns = (*place, lines.centre_deg, lines.sigma_deg, lines.width_deg)
    return RingPoints(ring[seen], *(one[seen] for one in columns))

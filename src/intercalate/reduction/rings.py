"""Where the rings of a calibrant lie on a frame, in sectors of azimuth."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares

from intercalate.reduction.profiles import ProfileMatrix, pseudo_voigt

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
    found: list[tuple[float, ...]] = []
    for number, angle in enumerate(angles_deg):
        if angle > two_theta.max():
            break
        gaps = np.abs(np.delete(angles_deg, number) - angle)
        half_deg = min(_HALF_WIDTH_DEG, 0.45 * gaps.min())
        rows, columns = np.nonzero((np.abs(two_theta - angle) < half_deg) & ~mask)
        sector = np.floor(azimuth[rows, columns] / _SECTOR_DEG).astype(int)
        for one in np.unique(sector):
            own = sector == one
            if own.sum() < _MIN_PIXELS:
                continue
            row, column = rows[own], columns[own]
            line = _fit_line(two_theta[row, column] - angle, frame[row, column].astype(float))
            if line is None or abs(line[0]) > half_deg / 2:
                continue
            centre, sigma, width, weight = line
            # The pixel of the mean place need not lie on the ring: what counts is the offset there.
            place = np.average(row, weights=weight), np.average(column, weights=weight)
            found.append((number, *place, centre, sigma, width))
    columns_of_points = np.array(found, dtype=float).reshape(-1, 6).T
    points = RingPoints(columns_of_points[0].astype(int), *columns_of_points[1:])
    if np.unique(points.ring).size < MIN_RINGS:
        raise GeometryError(
            f"only {np.unique(points.ring).size} rings stand out of the noise, {MIN_RINGS} are needed: "
            "expose longer, and look at I0 and at what is in the beam"
        )
    return points


def _fit_line(x_deg: np.ndarray, counts: np.ndarray) -> tuple[float, float, float, np.ndarray] | None:
    """Centre, its error, full width, and weights of the pixels on the line; None where there is none."""
    weight = 1 / np.sqrt(np.maximum(counts, 0.0) + 10.0)
    low = float(np.percentile(counts, 30))
    start = np.array([0.0, max(float(counts.max()) - low, 1.0) * 0.05, 0.06, 0.02, low, 0.0])

    def line(p: np.ndarray) -> ProfileMatrix:
        return pseudo_voigt(x_deg, p[:1], np.abs(p[2:3]) + 1e-3, np.abs(p[3:4]) + 1e-4)

    def residual(p: np.ndarray) -> np.ndarray:
        return (p[1] * line(p).value[:, 0] + p[4] + p[5] * x_deg - counts) * weight

    def derivatives(p: np.ndarray) -> np.ndarray:
        one = line(p)
        columns = (
            p[1] * one.by_centre[:, 0],
            one.value[:, 0],
            p[1] * np.sign(p[2]) * one.by_gaussian[:, 0],
            p[1] * np.sign(p[3]) * one.by_lorentzian[:, 0],
            np.ones_like(x_deg),
            x_deg,
        )
        return np.stack(columns, axis=1) * weight[:, None]

    scale = np.array([0.02, start[1], 0.05, 0.05, max(low, 1.0), max(low, 1.0)])
    # Where a step gains a hundred-thousandth, the centre is within a hundredth of its error.
    near = {"ftol": 1e-5, "xtol": 1e-5}
    fitted = least_squares(residual, start, jac=derivatives, x_scale=scale, max_nfev=60, **near)  # type: ignore[arg-type]
    normal = fitted.jac.T @ fitted.jac
    if np.linalg.matrix_rank(normal) < start.size:
        return None
    covariance = np.linalg.inv(normal)
    chi2 = float(fitted.fun @ fitted.fun) / (x_deg.size - start.size)
    sigma = np.sqrt(np.diag(covariance) * max(1.0, chi2))
    if not fitted.x[1] > _MIN_SIGNIFICANCE * sigma[1]:
        return None
    width = float(max(abs(fitted.x[2]), abs(fitted.x[3])))
    on_line = np.exp(-4 * np.log(2) * ((x_deg - fitted.x[0]) / width) ** 2)
    return float(fitted.x[0]), float(sigma[0]), width, on_line + 1e-12

"""Geometry and photon energy from the rings of a calibrant.

pyFAI finds control points on the rings and fits the geometry to them. Its points lie on pixels, to about a
quarter of one; here every ring is then fitted with a profile in sectors of azimuth, and geometry and
wavelength together to those positions. Distance and wavelength are told apart by the curvature of
tan(2 theta) against sin(theta), which wants rings over a wide range of angles.

A symmetric profile is not centred on the centroid of an asymmetric one. The beam spot and the detector,
which make it so, do it at every radius alike: one radial shift common to all rings is fitted along, held
near zero by its prior `ASYMMETRY_FRACTION`. The covariance is a jackknife over rings, to each of which
errors are common (B. Efron, Ann. Statist. 7 (1979) 1).
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import least_squares

from intercalate.materials.calibrants import CALIBRANTS
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.reduction.control_points import NominalGeometry, from_control_points
from intercalate.reduction.rings import GeometryError, RingPoints, ring_positions

if TYPE_CHECKING:
    from pyFAI.geometry import Geometry


_MOST_ROUNDS = 6

_SETTLED_DEG = 0.02
"""Root mean square distance of the rings from where they were looked for, below which all are seen."""

_NEARER = 0.7
"""Part of the last scatter to which a further round must come where the rings do not fit."""

_DISTANCES = (1.0, 0.993, 1.007)
"""Of the nominal one, from which the rings are sought in turn."""

ENERGY_TOLERANCE = 3e-3
"""Relative difference from the monochromator's scale beyond which something else is wrong."""

ASYMMETRY_FRACTION = 0.01
"""Standard deviation, in full widths, of the centre of a fitted symmetric profile about the centroid of the
true one: a skewness of 0.15, in the relation of `Systematics.distribution_fraction`."""

_ENERGY_REACH = 0.1
"""Relative; what lies farther off fits nothing."""

_FLOOR_DEG = 3e-5
"""A thousandth of a pixel: grains and flat field shift a ring by more than counting says."""

_MAX_SCATTER_DEG = 0.01
"""Of ring positions about the fitted geometry; a calibrant of another name gives a tenth of a degree."""


PARAMETERS = ("distance_mm", "poni1_mm", "poni2_mm", "rot1_rad", "rot2_rad", "energy_kev")


@dataclass(frozen=True)
class CalibratedGeometry:
    """Where the detector is, and at which energy.

    Attributes
    ----------
    poni
        As a PONI file, with detector and wavelength.
    values
        By the names of `PARAMETERS`; distance and point of normal incidence as pyFAI defines them.
    covariance
        Of `values` in this order, shape (6, 6).
    rings
        Of each ring: spacing (A), number of sectors, mean and standard deviation of the residual (deg).
    calibrant, scale_energy_kev
        What was in the beam, and what the monochromator said.
    """

    poni: str
    values: dict[str, float]
    covariance: np.ndarray
    rings: tuple[dict[str, float], ...]
    calibrant: str
    scale_energy_kev: float

    def sigma(self, name: str) -> float:
        """Standard uncertainty of one parameter."""
        index = PARAMETERS.index(name)
        return float(np.sqrt(self.covariance[index, index]))

    @property
    def wavelength_sigma(self) -> float:
        """Relative standard uncertainty of the wavelength."""
        return self.sigma("energy_kev") / self.values["energy_kev"]


def fit_geometry(
    frame: np.ndarray, mask: np.ndarray, nominal: NominalGeometry, calibrant: str = "LaB6"
) -> CalibratedGeometry:
    """Find geometry and energy from one frame of a calibrant.

    A detector that stands too far from where it should be takes one ring for another: where the rings fit no
    geometry, it is sought a little nearer and farther.

    Parameters
    ----------
    frame
        Counts without dark current, shape (rows, columns).
    mask
        True where a pixel must not be used, of the same shape.
    calibrant
        A key of `CALIBRANTS`.

    Raises
    ------
    GeometryError
        If the frame holds too few rings, they fit no geometry, or only at quite another energy.
    """
    if calibrant not in CALIBRANTS:
        raise GeometryError(f"no calibrant {calibrant!r} is known; say {' or '.join(CALIBRANTS)}")
    if frame.shape != mask.shape:
        raise GeometryError(f"the frame has shape {frame.shape}, the mask {mask.shape}; take new darks")
    first: GeometryError | None = None
    with _quiet():
        for factor in _DISTANCES:
            start = replace(nominal, distance_mm=factor * nominal.distance_mm)
            try:
                geometry = from_control_points(frame, mask, start, calibrant)
                return _calibrated(geometry, frame, mask, start, calibrant)
            except GeometryError as error:
                first = first or error
    assert first is not None
    raise first


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """pyFAI warns of every pixel at the edge; what matters is raised."""
    logger = logging.getLogger("pyFAI")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _spacings(calibrant: str) -> np.ndarray:
    """In A, descending, shape (rings,)."""
    from pyFAI.calibrant import get_calibrant

    return np.array(get_calibrant(CALIBRANTS[calibrant]).dspacing, dtype=float)


def _bragg_deg(spacing_angstrom: np.ndarray, wavelength_angstrom: float) -> np.ndarray:
    return np.degrees(2 * np.arcsin(wavelength_angstrom / 2 / spacing_angstrom))


def _angles(calibrant: str, wavelength_angstrom: float) -> np.ndarray:
    """2theta of every ring below 90 degrees, shape (rings,)."""
    spacing = _spacings(calibrant)
    return _bragg_deg(spacing[spacing > wavelength_angstrom], wavelength_angstrom)


@dataclass(frozen=True)
class _Refined:
    """Geometry and energy that fit the rings best.

    Attributes
    ----------
    parameters
        Those of `PARAMETERS`, and the radial shift that is common to all rings.
    left, sigma_deg
        Residuals in units of their errors, and these errors, shape (points,).
    jacobian
        Of `left`, with a row for the prior, shape (points + 1, parameters).
    """

    parameters: np.ndarray
    left: np.ndarray
    sigma_deg: np.ndarray
    jacobian: np.ndarray

    @property
    def scatter_deg(self) -> float:
        """Of the rings about the geometry."""
        return float(np.sqrt(np.mean((self.left * self.sigma_deg) ** 2)))


def _calibrated(
    geometry: "Geometry", frame: np.ndarray, mask: np.ndarray, nominal: NominalGeometry, calibrant: str
) -> CalibratedGeometry:
    """Look for the rings near a geometry, fit it to them, and look again near what was found until the rings
    are where they are looked for: far from there, outer rings are taken for their neighbours or not seen.
    """
    looked_for = nominal
    last_deg = np.inf
    for _ in range(_MOST_ROUNDS):
        angles = _angles(calibrant, looked_for.wavelength_angstrom)
        points = ring_positions(frame, mask, geometry, angles)
        found = _refined(geometry, points, looked_for, calibrant)
        fits = found.scatter_deg <= _MAX_SCATTER_DEG
        if fits and np.sqrt(np.mean(points.offset_deg**2)) <= _SETTLED_DEG:
            return _judged(found, points, nominal, calibrant, frame.shape)
        if not fits and found.scatter_deg > _NEARER * last_deg:
            break
        last_deg = found.scatter_deg
        geometry.dist, geometry.poni1, geometry.poni2 = found.parameters[:3] * 1e-3
        geometry.rot1, geometry.rot2 = found.parameters[3:5]
        geometry.reset()
        looked_for = replace(nominal, energy_kev=float(found.parameters[5]))
    raise GeometryError(
        f"the rings lie {last_deg:.3f} deg off any geometry (limit {_MAX_SCATTER_DEG}): "
        f"is {calibrant} really what is in the beam, and is the pixel {nominal.pixel_mm:g} mm?"
    )


def _refined(geometry: "Geometry", points: RingPoints, nominal: NominalGeometry, calibrant: str) -> _Refined:
    """Fit geometry and energy to the rings' positions."""
    spacing = _spacings(calibrant)[points.ring]
    start = np.array(
        [
            geometry.dist * 1e3,
            geometry.poni1 * 1e3,
            geometry.poni2 * 1e3,
            geometry.rot1,
            geometry.rot2,
            nominal.energy_kev,
            0.0,
        ]
    )

    def seen(p: np.ndarray) -> np.ndarray:
        # pyFAI counts its positions from the centre of a pixel.
        parameters = [p[0] * 1e-3, p[1] * 1e-3, p[2] * 1e-3, p[3], p[4], 0.0]
        return np.degrees(np.asarray(geometry.tth(points.row, points.column, param=parameters)))

    def expected(p: np.ndarray) -> np.ndarray:
        return _bragg_deg(spacing, HC_KEV_ANGSTROM / p[5])

    at_start = seen(start) - expected(start)
    sigma = np.hypot(points.sigma_deg, _FLOOR_DEG)
    radial_deg = np.cos(np.radians(expected(start))) ** 2
    prior_deg = ASYMMETRY_FRACTION * float(np.median(points.width_deg / radial_deg))

    def residual(p: np.ndarray) -> np.ndarray:
        left = seen(p) - expected(p) - at_start + points.offset_deg - p[6] * radial_deg
        return np.append(left / sigma, p[6] / prior_deg)

    scale = np.array([1.0, 1.0, 1.0, 1e-3, 1e-3, 1e-2, 1e-3])
    reach = np.full(start.size, np.inf)
    reach[PARAMETERS.index("energy_kev")] = _ENERGY_REACH * nominal.energy_kev
    fitted = least_squares(
        residual, start, bounds=(start - reach, start + reach), x_scale=scale, loss="soft_l1", f_scale=5.0
    )
    return _Refined(fitted.x, residual(fitted.x)[:-1], sigma, _jacobian(residual, fitted.x, scale))


def _judged(
    found: _Refined,
    points: RingPoints,
    nominal: NominalGeometry,
    calibrant: str,
    shape: tuple[int, ...],
) -> CalibratedGeometry:
    """With its covariance, unless its energy is not that of the monochromator."""
    energy_kev = float(found.parameters[5])
    relative = energy_kev / nominal.energy_kev - 1
    if abs(relative) > ENERGY_TOLERANCE:
        raise GeometryError(
            f"the rings say {energy_kev:.3f} keV, the monochromator {nominal.energy_kev:.3f} "
            f"({100 * relative:+.2f} %, limit {100 * ENERGY_TOLERANCE:g} %): check the calibrant's name and "
            "the pixel size; if both are right, calibrate the monochromator's scale"
        )
    covariance = _covariance(found.jacobian, found.left, points.ring)[:6, :6]
    values: dict[str, float] = dict(zip(PARAMETERS, found.parameters.tolist()))
    return CalibratedGeometry(
        poni=_poni(nominal.pixel_mm, shape, values),
        values=values,
        covariance=covariance,
        rings=_ring_table(points, _spacings(calibrant)[points.ring], found.left * found.sigma_deg),
        calibrant=calibrant,
        scale_energy_kev=nominal.energy_kev,
    )


def _jacobian(residual: Any, at: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Central differences, shape (points, parameters)."""
    columns = []
    for index, unit in enumerate(scale):
        step = np.zeros_like(at)
        step[index] = 1e-3 * unit
        columns.append((residual(at + step) - residual(at - step)) / (2e-3 * unit))
    return np.stack(columns, axis=1)


def _covariance(jacobian: np.ndarray, residual: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Jackknife over rings, as errors are common to a ring; the last row of the Jacobian is the prior's."""
    normal = jacobian.T @ jacobian
    found = np.zeros_like(normal)
    numbers = np.unique(ring)
    for number in numbers:
        own = jacobian[:-1][ring == number]
        change = np.linalg.solve(normal - own.T @ own, own.T @ residual[ring == number])
        found += np.outer(change, change)
    found *= (numbers.size - 1) / numbers.size
    by_prior = np.linalg.solve(normal, jacobian[-1])
    return found + np.outer(by_prior, by_prior)


def _ring_table(
    points: RingPoints, spacing: np.ndarray, residual_deg: np.ndarray
) -> tuple[dict[str, float], ...]:
    table = []
    for ring in np.unique(points.ring):
        own = points.ring == ring
        table.append(
            {
                "d_angstrom": float(spacing[own][0]),
                "sectors": int(own.sum()),
                "residual_deg": float(residual_deg[own].mean()),
                "scatter_deg": float(residual_deg[own].std()),
            }
        )
    return tuple(table)


def _poni(pixel_mm: float, shape: tuple[int, ...], values: dict[str, float]) -> str:
    pixel_m, (rows, columns) = pixel_mm * 1e-3, shape
    wavelength_m = HC_KEV_ANGSTROM / values["energy_kev"] * 1e-10
    return (
        "poni_version: 2\n"
        "Detector: Detector\n"
        f'Detector_config: {{"pixel1": {pixel_m!r}, "pixel2": {pixel_m!r}, '
        f'"max_shape": [{rows}, {columns}], "orientation": 3}}\n'
        f"Distance: {values['distance_mm'] * 1e-3!r}\n"
        f"Poni1: {values['poni1_mm'] * 1e-3!r}\n"
        f"Poni2: {values['poni2_mm'] * 1e-3!r}\n"
        f"Rot1: {values['rot1_rad']!r}\n"
        f"Rot2: {values['rot2_rad']!r}\n"
        "Rot3: 0.0\n"
        f"Wavelength: {wavelength_m!r}\n"
    )

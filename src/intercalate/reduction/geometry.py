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

from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.reduction.rings import MIN_RINGS, GeometryError, RingPoints, ring_positions

if TYPE_CHECKING:
    from pyFAI.geometry import Geometry


CALIBRANTS = {"LaB6": "LaB6_SRM660c", "Si": "Si_SRM640e"}
"""By the certificates of NIST SRM 660c and 640e, as pyFAI has them."""

_DISTANCES = (1.0, 0.993, 1.007)
"""Of the nominal one, from which the rings are sought in turn."""

ENERGY_TOLERANCE = 3e-3
"""Relative difference from the monochromator's scale beyond which something else is wrong."""

ASYMMETRY_FRACTION = 0.01
"""Standard deviation, in full widths, of the centre of a fitted symmetric profile about the centroid of the
true one: a skewness of 0.15, in the relation of `Systematics.distribution_fraction`."""

_CONTROL_POINTS_PER_DEG = 1.0
_CONTROL_RINGS = 12
_ENERGY_REACH = 0.1
"""Relative; what lies farther off fits nothing."""

_FLOOR_DEG = 3e-5
"""A thousandth of a pixel: grains and flat field shift a ring by more than counting says."""

_MAX_SCATTER_DEG = 0.01
"""Of ring positions about the fitted geometry; a calibrant of another name gives a tenth of a degree."""


@dataclass(frozen=True)
class NominalGeometry:
    """The detector as built, from which a calibration starts.

    Attributes
    ----------
    distance_mm
        Along the beam.
    pixel_mm
        Of a square pixel; it is not refined.
    beam_mm
        Where the beam meets the detector, down and across from the corner of its first pixel.
    energy_kev
        By the scale of the monochromator.
    """

    distance_mm: float
    pixel_mm: float
    beam_mm: tuple[float, float]
    energy_kev: float

    @property
    def wavelength_angstrom(self) -> float:
        """Of the scale's energy."""
        return HC_KEV_ANGSTROM / self.energy_kev


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
                geometry = _from_control_points(frame, mask, start, calibrant)
                points = ring_positions(frame, mask, geometry, _angles(calibrant, start.wavelength_angstrom))
                return _refined(geometry, points, start, calibrant, frame.shape)
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


def _from_control_points(
    frame: np.ndarray, mask: np.ndarray, nominal: NominalGeometry, calibrant: str
) -> "Geometry":
    from pyFAI.calibrant import get_calibrant
    from pyFAI.detectors import Detector
    from pyFAI.geometry import Geometry
    from pyFAI.goniometer import SingleGeometry

    pixel_m = nominal.pixel_mm * 1e-3
    detector = Detector(pixel1=pixel_m, pixel2=pixel_m, max_shape=frame.shape, orientation=3)
    detector.mask = mask.astype(np.int8)
    powder = get_calibrant(CALIBRANTS[calibrant])
    powder.wavelength = nominal.wavelength_angstrom * 1e-10
    guess = Geometry(
        dist=nominal.distance_mm * 1e-3,
        poni1=nominal.beam_mm[0] * 1e-3,
        poni2=nominal.beam_mm[1] * 1e-3,
        detector=detector,
        wavelength=powder.wavelength,
    )
    single = SingleGeometry(
        "calibrant", frame.astype(np.float32), calibrant=powder, detector=detector, geometry=guess
    )
    refinement = None
    with contextlib.suppress(ValueError, IndexError, RuntimeError):
        single.extract_cp(max_rings=_CONTROL_RINGS, pts_per_deg=_CONTROL_POINTS_PER_DEG)
        refinement = single.geometry_refinement
    points = np.zeros((0, 3)) if refinement is None else np.reshape(np.array(refinement.data), (-1, 3))
    found = np.unique(points[:, 2]).size
    if refinement is None or found < MIN_RINGS:
        raise GeometryError(
            f"{found} rings of {calibrant} were found, {MIN_RINGS} are needed: is the calibrant in the beam, "
            "are both shutters open, and do nominal distance, beam position and energy roughly hold?"
        )
    refinement.refine3(fix=["rot3", "wavelength"])
    return refinement


def _refined(
    geometry: "Geometry",
    points: RingPoints,
    nominal: NominalGeometry,
    calibrant: str,
    shape: tuple[int, ...],
) -> CalibratedGeometry:
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
    left = residual(fitted.x)[:-1]
    scatter_deg = float(np.sqrt(np.mean((left * sigma) ** 2)))
    if scatter_deg > _MAX_SCATTER_DEG:
        raise GeometryError(
            f"the rings lie {scatter_deg:.3f} deg off any geometry (limit {_MAX_SCATTER_DEG}): "
            f"is {calibrant} really what is in the beam, and is the pixel {nominal.pixel_mm:g} mm?"
        )
    energy_kev = float(fitted.x[5])
    relative = energy_kev / nominal.energy_kev - 1
    if abs(relative) > ENERGY_TOLERANCE:
        raise GeometryError(
            f"the rings say {energy_kev:.3f} keV, the monochromator {nominal.energy_kev:.3f} "
            f"({100 * relative:+.2f} %, limit {100 * ENERGY_TOLERANCE:g} %): check the calibrant's name and "
            "the pixel size; if both are right, calibrate the monochromator's scale"
        )
    jacobian = _jacobian(residual, fitted.x, scale)
    covariance = _covariance(jacobian, left, points.ring)[:6, :6]
    values: dict[str, float] = dict(zip(PARAMETERS, fitted.x.tolist()))
    return CalibratedGeometry(
        poni=_poni(nominal.pixel_mm, shape, values),
        values=values,
        covariance=covariance,
        rings=_ring_table(points, spacing, left * sigma),
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

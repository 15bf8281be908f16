"""What the uncertainty of a geometry means for the positions of lines."""

from typing import Any

import numpy as np

from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.reduction.integration import load_geometry
from intercalate.reduction.results import LineShifts

_EVERY_PIXEL = 8
_SHIFT_POINTS = 60


def line_shifts(poni: str, covariance: np.ndarray) -> LineShifts:
    """What the covariance of a calibration means for the positions of lines.

    Parameters
    ----------
    poni
        Geometry, with wavelength.
    covariance
        Of `PARAMETERS`, shape (6, 6).
    """
    geometry: Any = load_geometry(poni)
    shape = geometry.get_shape()
    every = _EVERY_PIXEL
    rows, columns = (axis.ravel() for axis in np.mgrid[0 : shape[0] : every, 0 : shape[1] : every])
    energy_kev = HC_KEV_ANGSTROM / (geometry.wavelength * 1e10)
    at = np.array([geometry.dist, geometry.poni1, geometry.poni2, geometry.rot1, geometry.rot2, 0.0])

    def seen_deg(parameters: np.ndarray) -> np.ndarray:
        found = geometry.tth(rows.astype(float), columns.astype(float), param=list(parameters))
        return np.degrees(np.asarray(found))

    angle = seen_deg(at)
    edges = np.linspace(angle.min(), angle.max(), _SHIFT_POINTS + 1)
    number = np.clip(np.searchsorted(edges, angle, side="right") - 1, 0, _SHIFT_POINTS - 1)
    count = np.bincount(number, minlength=_SHIFT_POINTS)
    filled = count > 0
    # Metres for millimetres: distance and point of normal incidence.
    units = np.array([1e-3, 1e-3, 1e-3, 1.0, 1.0])
    by_parameter = []
    for index, unit in enumerate(units):
        step = np.zeros(6)
        step[index] = 1e-3 * unit
        change = (seen_deg(at + step) - seen_deg(at - step)) / 2e-3
        by_parameter.append(np.bincount(number, change, _SHIFT_POINTS)[filled] / count[filled])
    centre = ((edges[1:] + edges[:-1]) / 2)[filled]
    by_parameter.append(np.degrees(2 * np.tan(np.radians(centre) / 2)) / energy_kev)
    values, vectors = np.linalg.eigh(covariance)
    modes = (vectors * np.sqrt(np.maximum(values, 0.0))).T @ np.array(by_parameter)
    return LineShifts(centre, modes)

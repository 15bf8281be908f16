"""A first geometry: control points that pyFAI finds on the rings of a calibrant, and its fit to them."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intercalate.materials.calibrants import CALIBRANTS
from intercalate.materials.constants import HC_KEV_ANGSTROM
from intercalate.reduction.rings import MIN_RINGS, GeometryError

if TYPE_CHECKING:
    from pyFAI.geometry import Geometry

_CONTROL_POINTS_PER_DEG = 1.0
_CONTROL_RINGS = 12


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


def from_control_points(
    frame: np.ndarray, mask: np.ndarray, nominal: NominalGeometry, calibrant: str
) -> "Geometry":
    """Geometry that fits control points on the rings, which lie on pixels.

    Raises
    ------
    GeometryError
        If too few rings are found.
    """
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
    guess.auto_gc = False
    single = SingleGeometry(
        "calibrant", frame.astype(np.float32), calibrant=powder, detector=detector, geometry=guess
    )
    # pyFAI would collect the garbage of the whole process at each parameter that it changes.
    single.geometry_refinement.auto_gc = False
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

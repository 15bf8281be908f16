"""An area detector: where its pixels are, which are blind, how it counts, and the hidden frame stamp."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pyFAI.detectors import Detector
from pyFAI.geometry import Geometry

_STAMP_MAGIC = 0x494E5443
_NORMAL_ABOVE_COUNTS = 20.0


@dataclass(frozen=True)
class DetectorGeometry:
    """A flat detector, square to the beam or tilted.

    The defaults (25 keV, 1024 x 1024 pixels of 0.15 mm at 300 mm, beam near the corner) span 2theta
    from 2.9 deg, the edge of the beamstop, to 26 deg along the edges: d from 9.8 to 1.10 A, which
    holds NMC 003 (4.73 A) and graphite 110 (1.23 A). One pixel is 0.029 deg.

    Attributes
    ----------
    distance_mm
        Along the beam, from the sample to the detector.
    beam_mm
        Where the beam meets the detector, down and across from its first pixel's corner.
    rot1_rad, rot2_rad
        Tilts as pyFAI counts them.
    polarisation
        pyFAI's factor, 1 for a beam polarised along axis 2 (horizontal).
    beamstop_radius_mm
        Pixels nearer to the beam are masked.
    """

    wavelength_angstrom: float = 0.495937
    distance_mm: float = 300.0
    pixel_mm: float = 0.15
    shape: tuple[int, int] = (1024, 1024)
    beam_mm: tuple[float, float] = (6.0, 6.0)
    rot1_rad: float = 0.0
    rot2_rad: float = 0.0
    polarisation: float = 0.99
    beamstop_radius_mm: float = 15.0

    @property
    def normal_distance_mm(self) -> float:
        """Of the sample from the plane of the detector: pyFAI's distance."""
        return self.distance_mm * math.cos(self.rot1_rad) * math.cos(self.rot2_rad)

    @property
    def poni_mm(self) -> tuple[float, float]:
        """Point of normal incidence. The beam is at `L tan(rot2) / cos(rot1)`, `-L tan(rot1)` from it."""
        normal = self.normal_distance_mm
        return (
            self.beam_mm[0] - normal * math.tan(self.rot2_rad) / math.cos(self.rot1_rad),
            self.beam_mm[1] + normal * math.tan(self.rot1_rad),
        )

    @cached_property
    def pyfai(self) -> Geometry:
        """The same geometry as a pyFAI object."""
        pixel_m = self.pixel_mm * 1e-3
        return Geometry(
            dist=self.normal_distance_mm * 1e-3,
            poni1=self.poni_mm[0] * 1e-3,
            poni2=self.poni_mm[1] * 1e-3,
            rot1=self.rot1_rad,
            rot2=self.rot2_rad,
            detector=Detector(pixel1=pixel_m, pixel2=pixel_m, max_shape=self.shape),
            wavelength=self.wavelength_angstrom * 1e-10,
        )

    @cached_property
    def radius_mm(self) -> np.ndarray:
        """Distance from the beam, shape `shape`, of each pixel's image on the plane square to the beam."""
        two_theta = np.asarray(self.pyfai.center_array(shape=self.shape, unit="2th_rad"))
        return self.distance_mm * np.tan(two_theta)

    @cached_property
    def azimuth_rad(self) -> np.ndarray:
        """Of each pixel's centre around the beam, -pi to pi, shape `shape`."""
        return np.asarray(self.pyfai.center_array(shape=self.shape, unit="chi_rad"))

    @cached_property
    def tilt_factor(self) -> np.ndarray:
        """Solid angle of each pixel over that of its image on the plane square to the beam, float32."""
        two_theta = np.arctan(self.radius_mm / self.distance_mm)
        own = np.asarray(self.pyfai.solidAngleArray(self.shape)) / self.normal_distance_mm**2
        return (own * self.distance_mm**2 / np.cos(two_theta) ** 3).astype(np.float32)

    @cached_property
    def polarisation_factor(self) -> np.ndarray:
        """Scattered share of each pixel relative to no polarisation loss, float32, shape `shape`."""
        factor = self.pyfai.polarization(shape=self.shape, factor=self.polarisation)
        return np.asarray(factor, dtype=np.float32)

    @cached_property
    def mask(self) -> np.ndarray:
        """True where a pixel must not be used: beamstop and stamp."""
        masked = self.radius_mm < self.beamstop_radius_mm
        masked[0, :4] = True
        return masked

    def poni(self) -> str:
        """PONI file of this geometry, as text."""
        pixel_m = self.pixel_mm * 1e-3
        return (
            "poni_version: 2\n"
            "Detector: Detector\n"
            f'Detector_config: {{"pixel1": {pixel_m!r}, "pixel2": {pixel_m!r}, '
            f'"max_shape": [{self.shape[0]}, {self.shape[1]}], "orientation": 3}}\n'
            f"Distance: {self.normal_distance_mm * 1e-3!r}\n"
            f"Poni1: {self.poni_mm[0] * 1e-3!r}\n"
            f"Poni2: {self.poni_mm[1] * 1e-3!r}\n"
            f"Rot1: {self.rot1_rad!r}\nRot2: {self.rot2_rad!r}\nRot3: 0.0\n"
            f"Wavelength: {self.wavelength_angstrom * 1e-10!r}\n"
        )


def count_photons(expected: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw counts (uint32) of these expectations (float32).

    Poisson where fewer than 20 are expected, elsewhere rounded normal deviates of the same mean and
    variance, which take a third of the time.
    """
    if not expected.any():
        return np.zeros(expected.shape, dtype=np.uint32)
    counts = generator.standard_normal(expected.shape, dtype=np.float32)
    counts *= np.sqrt(expected)
    counts += expected
    counts += np.float32(0.5)
    np.maximum(counts, 0, out=counts)
    frame = counts.astype(np.uint32)
    faint = np.flatnonzero((expected > 0) & (expected < _NORMAL_ABOVE_COUNTS))
    if faint.size:
        frame.flat[faint] = generator.poisson(expected.flat[faint])
    return frame


def write_stamp(frame: np.ndarray, stamp: int) -> None:
    """Write a 32-bit counter into four masked pixels of the first row, in place.

    Raises
    ------
    ValueError
        If the stamp does not fit in 32 bits.
    """
    if not 0 <= stamp <= 0xFFFFFFFF:
        raise ValueError(f"stamp {stamp} does not fit in 32 bits (0 to 4294967295)")
    frame[0, :4] = (_STAMP_MAGIC, stamp, stamp ^ 0xFFFFFFFF, _STAMP_MAGIC)


def read_stamp(frame: np.ndarray) -> int | None:
    """Counter that `write_stamp` left in a frame, or None where there is none."""
    magic, stamp, inverted, magic_again = (int(value) for value in frame[0, :4])
    intact = magic == magic_again == _STAMP_MAGIC and stamp ^ inverted == 0xFFFFFFFF
    return stamp if intact else None

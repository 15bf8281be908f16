"""From powder lines to a frame: rings on the plane square to the beam, looked up by every pixel.

The instrument's profile is a beam spot of two unequal Gaussians, the box of a pixel and an
exponential glow in the plane of the detector, its centroid on the Bragg angle: asymmetric, and
constant in radius rather than in angle. Crystallites add Gaussians of several sizes. The reduction
fits something else.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from intercalate_sims.probes.detector import DetectorGeometry
from intercalate_sims.probes.halos import REFERENCE_WAVELENGTH_ANGSTROM, Halos
from intercalate_sims.probes.powder import Lines
from intercalate_sims.probes.samples import Sample

Modulation = Callable[[np.ndarray, dict[str, np.ndarray], np.ndarray], None]

GRID_STEP_MM = 0.01
_GRID_FACTOR = 1000
"""A length divisible by this transforms fast."""


@dataclass(frozen=True, slots=True)
class InstrumentProfile:
    """Point spread in the plane of the detector, in mm.

    Attributes
    ----------
    narrow_sigma, broad_sigma, broad_share
        The two Gaussians of the beam spot; they sit on either side of the centroid.
    offset
        Distance between the centres of the two Gaussians.
    glow_length, glow_share
        Two-sided exponential of the detector's own spread.
    """

    narrow_sigma: float = 0.085
    broad_sigma: float = 0.13
    broad_share: float = 0.3
    offset: float = 0.03
    glow_length: float = 0.35
    glow_share: float = 0.04


_CRYSTALLITE_SIGMA_MM = {
    "NMC811": 0.045,
    "Li-rich NMC": 0.06,
    "graphite": 0.09,
    "LFP": 0.06,
    "Au": 0.04,
    "FePO4": 0.06,
    "Al": 0.03,
    "Cu": 0.04,
    "Li": 0.02,
    "PE": 0.45,
    "S8": 0.03,
    "Li2S": 0.28,
    "LaB6": 0.01,
    "Si": 0.01,
}
_SIZE_CLASSES = ((0.6, 0.3), (1.0, 0.45), (1.6, 0.25))


class Projection:
    """Radial profiles and what the pixels of one detector make of them.

    A profile is an array over `grid_mm`: photons per incident photon that a pixel of the plane square to
    the beam takes at this distance from it, polarisation aside.
    """

    def __init__(self, geometry: DetectorGeometry, profile: InstrumentProfile | None = None):
        self.geometry = geometry
        self.profile = profile or InstrumentProfile()
        largest = float(geometry.radius_mm.max())
        length = -(-(int(largest / GRID_STEP_MM) + 200) // _GRID_FACTOR) * _GRID_FACTOR
        self.grid_mm = np.arange(length) * GRID_STEP_MM
        self.two_theta_deg = np.degrees(np.arctan(self.grid_mm / geometry.distance_mm))
        self._pixel_index = np.rint(geometry.radius_mm / GRID_STEP_MM).astype(np.int32)
        self._factor = geometry.polarisation_factor * geometry.tilt_factor
        self._shadow = self.grid_mm < geometry.beamstop_radius_mm - geometry.pixel_mm
        self._frequency = np.fft.rfftfreq(length, GRID_STEP_MM)
        self._instrument_transform = self._transform_of_instrument()
        self._transforms: dict[str, np.ndarray] = {}
        self._smooth: dict[Halos, np.ndarray] = {}

    def rings(
        self, lines: Iterable[Lines], wavelength_angstrom: float, displacement_um: float
    ) -> dict[str, np.ndarray]:
        """Profile of each phase, of a sample displaced downstream by so much."""
        size = self.grid_mm.size
        deposits: dict[str, np.ndarray] = {}
        for one in lines:
            two_theta = 2 * np.arcsin(wavelength_angstrom * one.inverse_d / 2)
            downstream_mm = (one.depth_um + displacement_um) * 1e-3
            position = (self.geometry.distance_mm - downstream_mm) * np.tan(two_theta) / GRID_STEP_MM
            inside = position < size - 2
            below = position[inside].astype(np.intp)
            share = position[inside] - below
            density = one.fraction[inside] / GRID_STEP_MM
            deposit = deposits.setdefault(one.phase, np.zeros(size))
            deposit += np.bincount(below, density * (1 - share), size)
            deposit += np.bincount(below + 1, density * share, size)
        circumference = 2 * np.pi * np.maximum(self.grid_mm, self.geometry.pixel_mm)
        per_ring = self.geometry.pixel_mm**2 / circumference
        found = {}
        for phase, deposit in deposits.items():
            smeared = np.fft.irfft(np.fft.rfft(deposit) * self._transform(phase), size)
            found[phase] = np.maximum(smeared, 0.0) * per_ring
        return found

    def halo(self, halos: Halos) -> np.ndarray:
        """Profile of what scatters without lines."""
        if halos not in self._smooth:
            self._smooth[halos] = halos.per_sr(self._two_theta_at_25_kev_deg) * self._solid_angle
        return self._smooth[halos]

    def expected(
        self,
        sample: Sample,
        wavelength_angstrom: float,
        photons: float,
        modulate: Modulation | None = None,
    ) -> np.ndarray:
        """Photons expected in each pixel, float32, of so many before the sample; none behind the beamstop.

        `modulate` is given the frame, the profiles of its phases and that of the rest, and changes the frame.
        """
        rings = self.rings(sample.lines, wavelength_angstrom, sample.displacement_um)
        halo = self.halo(sample.halos)
        if sample.opening_deg is not None:
            seen = self.two_theta_deg < sample.opening_deg
            rings, halo = {phase: one * seen for phase, one in rings.items()}, halo * seen
        scattered = photons * sample.transmission
        found = self._lookup(sum(rings.values(), halo) * scattered)
        found *= self._factor
        if modulate is not None and rings:
            modulate(found, rings, halo)
        if sample.isotropic_per_sr:
            flat = self._lookup(self._solid_angle * (sample.isotropic_per_sr * scattered))
            found += flat * self.geometry.tilt_factor
        return found

    def at(self, profile: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """What pixels, by their flat numbers, make of a profile, polarisation and tilt included."""
        shaded = np.where(self._shadow, 0.0, profile).astype(np.float32)
        return shaded[self._pixel_index.flat[pixels]] * self._factor.flat[pixels]

    @property
    def _two_theta_at_25_kev_deg(self) -> np.ndarray:
        """Angle at which 25 keV photons see the spacings of the grid: halos are given there."""
        sine = np.sin(np.radians(self.two_theta_deg / 2)) * REFERENCE_WAVELENGTH_ANGSTROM
        return 2 * np.degrees(np.arcsin(np.minimum(sine / self.geometry.wavelength_angstrom, 1.0)))

    @property
    def _solid_angle(self) -> np.ndarray:
        """Profile of one photon per sr."""
        at_centre = (self.geometry.pixel_mm / self.geometry.distance_mm) ** 2
        return at_centre * np.cos(np.radians(self.two_theta_deg)) ** 3

    def _lookup(self, profile: np.ndarray) -> np.ndarray:
        shaded = np.where(self._shadow, 0.0, profile).astype(np.float32)
        return shaded[self._pixel_index]

    def _transform_of_instrument(self) -> np.ndarray:
        p, f = self.profile, self._frequency
        narrow = _gaussian_transform(f, p.narrow_sigma, -p.offset * p.broad_share)
        broad = _gaussian_transform(f, p.broad_sigma, p.offset * (1 - p.broad_share))
        spot = (1 - p.broad_share) * narrow + p.broad_share * broad
        glow = 1 - p.glow_share + p.glow_share / (1 + (2 * np.pi * f * p.glow_length) ** 2)
        return spot * glow * np.sinc(f * self.geometry.pixel_mm)

    def _transform(self, phase: str) -> np.ndarray:
        """Of the instrument's profile with the crystallites of a phase."""
        if phase not in self._transforms:
            sigma = _CRYSTALLITE_SIGMA_MM[phase]
            self._transforms[phase] = self._instrument_transform * sum(
                share * _gaussian_transform(self._frequency, sigma * scale, 0.0)
                for scale, share in _SIZE_CLASSES
            )
        return self._transforms[phase]


def _gaussian_transform(frequency: np.ndarray, sigma: float, centre: float) -> np.ndarray:
    return np.exp(-2 * (np.pi * frequency * sigma) ** 2 - 2j * np.pi * frequency * centre)

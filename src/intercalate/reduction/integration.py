"""Azimuthal integration of detector frames, with the counting error of every bin."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator


@dataclass(frozen=True, slots=True)
class SecondLine:
    """The weaker line of a doublet, such as K-alpha 2 of a laboratory tube.

    Attributes
    ----------
    wavelength_angstrom
        Of this line.
    share
        Of the intensity of both lines, 0 to 1.
    """

    wavelength_angstrom: float
    share: float

    def __post_init__(self) -> None:
        if not self.wavelength_angstrom > 0:
            raise ValueError(
                f"wavelength_angstrom of the second line is {self.wavelength_angstrom}, not above 0"
            )
        if not 0 < self.share < 1:
            raise ValueError(f"the second line's share of the intensity is {self.share}, not between 0 and 1")


@dataclass(frozen=True)
class Pattern:
    """Intensity against scattering angle.

    Attributes
    ----------
    two_theta_deg
        Centres of the bins, ascending, shape (n,).
    intensity, sigma
        Counts per pixel of reference solid angle, and one standard deviation, shape (n,). Every
        `sigma` is positive: bins without a valid pixel are left out.
    wavelength_angstrom
        Of the radiation; of the first line where there are two.
    distance_mm
        Along the beam from sample to detector, where it is flat and as good as square to the beam; None in
        other geometries, for which no displacement of the sample can be fitted.
    second_line
        Of a tube whose doublet is not separated; None for monochromatic radiation.
    """

    two_theta_deg: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray
    wavelength_angstrom: float
    distance_mm: float | None = None
    second_line: SecondLine | None = None

    def __post_init__(self) -> None:
        shapes = {array.shape for array in (self.two_theta_deg, self.intensity, self.sigma)}
        if len(shapes) != 1 or self.two_theta_deg.ndim != 1:
            raise ValueError(
                "two_theta_deg, intensity and sigma must be one-dimensional and of one length, "
                f"got shapes {self.two_theta_deg.shape}, {self.intensity.shape}, {self.sigma.shape}"
            )
        if not np.all(np.isfinite(self.intensity)) or not np.all(np.isfinite(self.sigma)):
            raise ValueError("intensity and sigma must be finite; leave masked bins out of the pattern")
        if np.any(self.sigma <= 0):
            raise ValueError(f"sigma must be positive, {np.count_nonzero(self.sigma <= 0)} bins are not")
        if np.any(np.diff(self.two_theta_deg) <= 0):
            raise ValueError("two_theta_deg must ascend strictly")

    def __len__(self) -> int:
        return self.two_theta_deg.size

    def between(self, low_deg: float, high_deg: float) -> "Pattern":
        """The part of the pattern from `low_deg` to `high_deg` in 2theta."""
        inside = (self.two_theta_deg >= low_deg) & (self.two_theta_deg <= high_deg)
        return Pattern(
            self.two_theta_deg[inside],
            self.intensity[inside],
            self.sigma[inside],
            self.wavelength_angstrom,
            self.distance_mm,
            self.second_line,
        )


SQUARE_WITHIN_RAD = 0.035
"""Tilt (2 deg) up to which a displacement of the sample acts as with a detector square to the beam, to
tan(2 theta) times the tilt: 2 % of the shift at 30 deg."""


class Integrator:
    """Turns frames of one geometry into patterns.

    Parameters
    ----------
    poni
        Geometry: a PONI file, or its text.
    mask
        True (or non-zero) where a pixel must not be used, shape of a frame; None uses all.
    n_bins
        Of equal width in 2theta over the detector.
    polarisation
        pyFAI's factor, 1 for a beam polarised along axis 2 (horizontal); None corrects nothing.
    efficiency
        Relative response of each pixel, positive, shape of a frame; None takes all as alike.

    Raises
    ------
    ValueError
        If the geometry has no wavelength or detector shape, or mask or efficiency have another shape.
    """

    def __init__(
        self,
        poni: str | Path,
        mask: np.ndarray | None = None,
        n_bins: int = 2048,
        *,
        polarisation: float | None = 0.99,
        efficiency: np.ndarray | None = None,
    ) -> None:
        if n_bins < 10:
            raise ValueError(f"n_bins is {n_bins}; a pattern needs at least 10")
        self._pyfai = load_geometry(poni)
        shape = getattr(self._pyfai.detector, "shape", None)
        if shape is None:
            raise ValueError("the PONI geometry names no detector shape; add max_shape to Detector_config")
        if not self._pyfai.wavelength:
            raise ValueError("the PONI geometry has no wavelength; add a line 'Wavelength: <metres>'")
        self.shape: tuple[int, int] = (int(shape[0]), int(shape[1]))
        for name, array in (("mask", mask), ("flat field", efficiency)):
            if array is not None and array.shape != self.shape:
                raise ValueError(
                    f"the {name} has shape {array.shape}, the detector of the PONI file {self.shape}: one of "
                    "them belongs to another detector; calibrate anew"
                )
        self.n_bins = n_bins
        self.polarisation = polarisation
        self.wavelength_angstrom = float(self._pyfai.wavelength) * 1e10
        rot1, rot2 = float(self._pyfai.rot1), float(self._pyfai.rot2)
        self.distance_mm = None
        if math.hypot(rot1, rot2) < SQUARE_WITHIN_RAD:
            self.distance_mm = float(self._pyfai.dist) * 1e3 / (math.cos(rot1) * math.cos(rot2))
        unused = np.zeros(self.shape, bool) if mask is None else np.asarray(mask, bool)
        self._set_bins(unused, np.ones(self.shape) if efficiency is None else efficiency)

    def _set_bins(self, mask: np.ndarray, efficiency: np.ndarray) -> None:
        """Sort the pixels into bins, once: a frame is then one product with a sparse matrix.

        Each pixel falls into one bin as a whole, so that the errors of bins are independent.
        """
        two_theta = np.asarray(self._pyfai.center_array(shape=self.shape, unit="2th_deg")).ravel()
        used = np.flatnonzero(~mask)
        if not used.size:
            raise ValueError("the mask leaves no pixel to integrate; True in a mask means not to use it")
        angle = two_theta[used]
        width = np.ptp(two_theta) / self.n_bins
        number = np.minimum(((angle - two_theta.min()) / width).astype(np.int32), self.n_bins - 1)
        self._correction = (self._solid_angle_and_polarisation() * efficiency).ravel()
        correction = self._correction[used]
        filled, number = np.unique(number, return_inverse=True)
        self._sums = csr_array((np.ones(used.size), (number, used)), (filled.size, two_theta.size))
        self._bin_of_pixel = np.full(two_theta.size, -1, dtype=np.int32)
        self._bin_of_pixel[used] = number
        self._correction_of_bins = np.bincount(number, correction)
        # Few pixels share a bin near the beam; their mean is off its centre by as much as 4e-4 deg.
        self._mean_two_theta_deg = np.bincount(number, angle * correction) / self._correction_of_bins

    def _solid_angle_and_polarisation(self) -> np.ndarray:
        """Solid angle relative to normal incidence and polarisation of each pixel."""
        correction = np.asarray(self._pyfai.solidAngleArray(self.shape), dtype=float)
        if self.polarisation is not None:
            factor = self._pyfai.polarization(shape=self.shape, factor=self.polarisation)
            correction = correction * np.asarray(factor, dtype=float)
        return correction

    @property
    def azimuth_rad(self) -> np.ndarray:
        """Of each pixel around the beam, from axis 2 towards axis 1; shape of a frame."""
        return np.asarray(self._pyfai.center_array(shape=self.shape, unit="chi_rad"))

    def sums(self, frame: np.ndarray) -> np.ndarray:
        """Sum of a frame over the pixels of each bin, shape (bins,).

        Raises
        ------
        ValueError
            If the frame has another shape than the geometry.
        """
        if frame.shape != self.shape:
            raise ValueError(
                f"the frame has shape {frame.shape}, the geometry describes {self.shape}: it belongs to "
                "another detector"
            )
        return self._sums @ np.asarray(frame, dtype=float).ravel()

    def without(self, pixels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What these pixels add to the sums of `values`, and to the corrections of the bins.

        Parameters
        ----------
        pixels
            Flat indices.
        values
            Of these pixels, of the same shape.
        """
        own = self._bin_of_pixel[pixels] >= 0
        bins, size = self._bin_of_pixel[pixels[own]], self._correction_of_bins.size
        return (
            np.bincount(bins, values[own], size),
            np.bincount(bins, self._correction[pixels[own]], size),
        )

    def pattern(
        self, counts: np.ndarray, variance: np.ndarray, less_correction: np.ndarray | float = 0.0
    ) -> Pattern:
        """Pattern from sums over bins.

        Solid angle, polarisation and efficiency are corrected by their sum over each bin, so that the sum
        of the counts stays the sufficient statistic: intensity = sum(counts) / sum(correction).

        Parameters
        ----------
        counts, variance
            Sums over the pixels of each bin, shape (bins,).
        less_correction
            Of pixels that are missing from the sums, as `without` gives it.
        """
        correction = self._correction_of_bins - less_correction
        there = correction > 0.5 * self._correction_of_bins
        return Pattern(
            self._mean_two_theta_deg[there],
            counts[there] / correction[there],
            np.sqrt(variance[there]) / correction[there],
            self.wavelength_angstrom,
            self.distance_mm,
        )

    def integrate(self, frame: np.ndarray) -> Pattern:
        """Integrate one frame of photon counts that needs no other correction.

        The standard error of a bin is the square root of its counts, of one count where there was none.

        Parameters
        ----------
        frame
            Counts, shape of the detector.

        Raises
        ------
        ValueError
            If the frame has another shape than the geometry, or no bin received a count.
        """
        counts = self.sums(frame)
        if not counts.any():
            raise ValueError("the frame has no counts outside the mask")
        return self.pattern(counts, np.maximum(counts, 1.0))


def load_geometry(poni: str | Path) -> "AzimuthalIntegrator":
    """Read a PONI file or text; pyFAI is imported here because that takes seconds."""
    import pyFAI

    if isinstance(poni, str) and "\n" in poni:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "geometry.poni"
            path.write_text(poni)
            return pyFAI.load(str(path))
    path = Path(poni)
    if not path.is_file():
        raise ValueError(f"no PONI file at {path}")
    return pyFAI.load(str(path))


def solid_angle(poni: str) -> np.ndarray:
    """Solid angle of each pixel relative to normal incidence, shape of the detector."""
    geometry = load_geometry(poni)
    return np.asarray(geometry.solidAngleArray(geometry.get_shape()), dtype=float)

"""Azimuthal integration of detector frames, with the counting error of every bin."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pyFAI.containers import Integrate1dResult
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

_METHOD = ("no", "histogram", "cython")
"""Without pixel splitting each photon falls into one bin, so that the errors of bins are independent."""


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
        Of the radiation.
    distance_mm
        From sample to detector where it is flat and square to the beam; None in other geometries,
        for which no displacement of the sample can be fitted.
    """

    two_theta_deg: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray
    wavelength_angstrom: float
    distance_mm: float | None = None

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
        )


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

    Raises
    ------
    ValueError
        If the geometry has no wavelength or detector shape, or the mask has another shape.
    """

    def __init__(
        self,
        poni: str | Path,
        mask: np.ndarray | None = None,
        n_bins: int = 2048,
        *,
        polarisation: float | None = 0.99,
    ) -> None:
        if n_bins < 10:
            raise ValueError(f"n_bins is {n_bins}; a pattern needs at least 10")
        self._pyfai = _load_geometry(poni)
        shape = getattr(self._pyfai.detector, "shape", None)
        if shape is None:
            raise ValueError("the PONI geometry names no detector shape; add max_shape to Detector_config")
        if not self._pyfai.wavelength:
            raise ValueError("the PONI geometry has no wavelength; add a line 'Wavelength: <metres>'")
        self.shape: tuple[int, int] = (int(shape[0]), int(shape[1]))
        if mask is not None and mask.shape != self.shape:
            raise ValueError(f"mask has shape {mask.shape}, the detector {self.shape}")
        self._mask = None if mask is None else np.ascontiguousarray(mask, dtype=np.int8)
        self.n_bins = n_bins
        self.polarisation = polarisation
        self.wavelength_angstrom = float(self._pyfai.wavelength) * 1e10
        rotated = any(abs(self._pyfai.param[index]) > 1e-6 for index in (3, 4))
        self.distance_mm = None if rotated else float(self._pyfai.dist) * 1e3
        self._mean_two_theta_deg = self._mean_angle_of_bins()

    def integrate(self, frame: np.ndarray) -> Pattern:
        """Integrate one frame of counts.

        Solid angle and polarisation are corrected by their mean over each bin, so that the sum of
        the raw counts stays the sufficient statistic: intensity = sum(counts) / sum(correction),
        sigma = sqrt(sum(counts)) / sum(correction), of one count where there was none. (pyFAI's own
        Poisson model gives every pixel a variance of at least one: too much for faint frames.)

        Parameters
        ----------
        frame
            Counts, shape of the detector.

        Raises
        ------
        ValueError
            If the frame has another shape than the geometry, or no bin received a count.
        """
        if frame.shape != self.shape:
            raise ValueError(f"frame has shape {frame.shape}, the geometry describes {self.shape}")
        result = self._histogram(frame)
        usable = np.asarray(result.count) > 0
        counts = np.asarray(result.sum_signal, dtype=float)[usable]
        correction = np.asarray(result.sum_normalization, dtype=float)[usable]
        if not counts.any():
            raise ValueError("the frame has no counts outside the mask")
        return Pattern(
            self._mean_two_theta_deg[usable],
            counts / correction,
            np.sqrt(np.maximum(counts, 1.0)) / correction,
            self.wavelength_angstrom,
            self.distance_mm,
        )

    def _histogram(self, image: np.ndarray) -> "Integrate1dResult":
        return self._pyfai.integrate1d_ng(
            image,
            self.n_bins,
            unit="2th_deg",
            mask=self._mask,
            method=_METHOD,
            correctSolidAngle=True,
            polarization_factor=self.polarisation,
        )

    def _mean_angle_of_bins(self) -> np.ndarray:
        """Mean 2theta of the pixels in each bin, weighted as the counts are.

        Few pixels share a bin near the beam; their mean is off its centre by as much as 4e-4 deg.
        """
        angle = np.asarray(self._pyfai.center_array(shape=self.shape, unit="2th_deg"))
        correction = np.asarray(self._pyfai.solidAngleArray(self.shape))
        if self.polarisation is not None:
            polarisation = self._pyfai.polarization(shape=self.shape, factor=self.polarisation)
            correction = correction * np.asarray(polarisation, dtype=float)
        return np.asarray(self._histogram(angle * correction).intensity, dtype=float)


def _load_geometry(poni: str | Path) -> "AzimuthalIntegrator":
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

"""The axis of a Raman spectrum: from pixels to shifts, by a grating on paper and the line of silicon."""

from dataclasses import dataclass, replace

import numpy as np

from intercalate.materials.raman import SILICON_PER_CM
from intercalate.reduction.bands import Band, BandOptions, Spectrum, fit_bands

PER_CM_NM = 1e7
"""Wavenumber in 1/cm times wavelength in nm."""

_SILICON_REACH_PER_CM = 40.0
"""How far off the line may be on paper."""

_SILICON_SIGMA_PER_CM = 0.3
"""Between samples: strain, and heating by the laser at low power."""


class AxisError(ValueError):
    """The axis cannot be set by this spectrum; the message says why."""


@dataclass(frozen=True)
class SpectrographOnPaper:
    """What a spectrograph is said to be.

    Attributes
    ----------
    laser_nm
        Wavelength of the laser.
    first_nm, nm_per_pixel
        Wavelength in the first pixel, and dispersion there.
    curvature_nm_per_pixel2
        Second-order coefficient of wavelength against pixel.
    pixels
        In the direction of dispersion.
    width_nm
        Full width at half maximum of an infinitely sharp line.
    dispersion_sigma
        Relative standard uncertainty of the dispersion.
    """

    laser_nm: float
    first_nm: float
    nm_per_pixel: float
    curvature_nm_per_pixel2: float
    pixels: int
    width_nm: float
    dispersion_sigma: float = 3e-4

    def wavelength_nm(self) -> np.ndarray:
        """Of every pixel, shape (pixels,)."""
        pixel = np.arange(self.pixels)
        return self.first_nm + self.nm_per_pixel * pixel + self.curvature_nm_per_pixel2 * pixel**2


@dataclass(frozen=True)
class ShiftAxis:
    """Shifts of all pixels, and how far they can be trusted.

    Attributes
    ----------
    shift_per_cm
        Ascending, shape (pixels,).
    offset_nm
        By which wavelengths on paper are too small.
    sigma_per_cm
        Standard uncertainty at silicon's line.
    dispersion_sigma
        Relative standard uncertainty of the distance from that line.
    width_nm, laser_nm
        Of the instrument.
    """

    shift_per_cm: np.ndarray
    offset_nm: float
    sigma_per_cm: float
    dispersion_sigma: float
    width_nm: float
    laser_nm: float

    def sigma_at(self, shift_per_cm: float) -> float:
        """Standard uncertainty of the axis at a shift."""
        away = self.dispersion_sigma * (shift_per_cm - SILICON_PER_CM)
        return float(np.hypot(self.sigma_per_cm, away))

    def width_at(self, shift_per_cm: float) -> float:
        """Full width at half maximum, in 1/cm, of an infinitely sharp line at a shift."""
        line_per_cm = PER_CM_NM / self.laser_nm - shift_per_cm
        return self.width_nm * line_per_cm**2 / PER_CM_NM


def axis_on_paper(paper: SpectrographOnPaper, offset_nm: float = 0.0) -> np.ndarray:
    """Shift of every pixel in 1/cm, with all wavelengths larger than on paper by so much."""
    return PER_CM_NM / paper.laser_nm - PER_CM_NM / (paper.wavelength_nm() + offset_nm)


def calibrated_axis(
    intensity: np.ndarray, sigma: np.ndarray, used: np.ndarray, paper: SpectrographOnPaper
) -> ShiftAxis:
    """Set the axis by a spectrum of crystalline silicon.

    The line sets one number, by how much all wavelengths are off: laser and grating drift so. Dispersion is
    taken from paper.

    Parameters
    ----------
    intensity, sigma, used
        Of each pixel, shape (pixels,); `used` is False where it must not be used.

    Raises
    ------
    AxisError
        If the line is not found, or not where the spectrograph can have it.
    """
    on_paper = ShiftAxis(axis_on_paper(paper), 0.0, 0.0, 0.0, paper.width_nm, paper.laser_nm)
    spectrum = Spectrum(on_paper.shift_per_cm, intensity, sigma, used)
    low, high = SILICON_PER_CM - 2 * _SILICON_REACH_PER_CM, SILICON_PER_CM + 2 * _SILICON_REACH_PER_CM
    part = spectrum.between(low, high)
    highest = float(part.x[np.argmax(part.intensity)])
    if abs(highest - SILICON_PER_CM) > _SILICON_REACH_PER_CM:
        raise AxisError(
            f"the highest point near the line of silicon lies at {highest:.1f} 1/cm, not within "
            f"{_SILICON_REACH_PER_CM:g} of {SILICON_PER_CM:g}: is it silicon, and is the grating in place?"
        )
    band = Band("Si", (highest, highest - 10.0, highest + 10.0), (3.0, 0.5, 15.0))
    options = BandOptions(on_paper.width_at(SILICON_PER_CM), background_terms=3, profile_fraction=0.01)
    found = fit_bands(spectrum, [band], (low, high), options)
    if not found.converged or not found.present["Si"]:
        raise AxisError(f"the line of silicon was not found: {found.message}")
    seen = found.centre["Si"]
    laser_per_cm = PER_CM_NM / paper.laser_nm
    offset_nm = PER_CM_NM / (laser_per_cm - SILICON_PER_CM) - PER_CM_NM / (laser_per_cm - seen.value)
    return replace(
        on_paper,
        shift_per_cm=axis_on_paper(paper, offset_nm),
        offset_nm=float(offset_nm),
        sigma_per_cm=float(np.hypot(seen.sigma, _SILICON_SIGMA_PER_CM)),
        dispersion_sigma=paper.dispersion_sigma,
    )

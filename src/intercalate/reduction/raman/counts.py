"""From the counts of a spectrometer's detector to intensities with errors, cosmic rays left out."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


class CountsError(ValueError):
    """A spectrum cannot be used; the message says why."""


@dataclass(frozen=True)
class CountingDetector:
    """What is known of the detector.

    Attributes
    ----------
    counts_per_electron, read_noise_electrons
        Of one read-out of a pixel; the noise with that of the dark current of an exposure.
    saturation_counts
        From which on a pixel says nothing.
    line_width_pixels
        Full width at half maximum of an infinitely sharp line.
    """

    counts_per_electron: float
    read_noise_electrons: float
    saturation_counts: float
    line_width_pixels: float


_SPIKE_SIGMA = 6.0
"""By which a pixel must stand above its neighbours."""

_WIDE = 8
"""Pixels on either side among which the background of a spike is sought."""


def reduced(
    counts: np.ndarray, dark_counts: np.ndarray, dark_sigma: np.ndarray, detector: CountingDetector
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts without dark counts, their standard errors, and which pixels can be used.

    Parameters
    ----------
    counts
        Of one exposure, shape (pixels,).
    dark_counts, dark_sigma
        Mean of dark exposures of the same length, with its standard error, shape (pixels,).

    Returns
    -------
    intensity, sigma, used
        Shape (pixels,); saturated pixels and cosmic rays are not to be used.

    Raises
    ------
    CountsError
        If shapes differ, or no pixel is left.
    """
    if not counts.shape == dark_counts.shape == dark_sigma.shape or counts.ndim != 1:
        raise CountsError(
            f"the spectrum has shape {counts.shape}, the dark one {dark_counts.shape}; take new darks"
        )
    intensity = np.asarray(counts, dtype=float) - dark_counts
    # The mean over neighbours says how much light there was; one pixel's own count would weigh itself.
    light = np.convolve(np.pad(intensity, 2, mode="edge"), np.full(5, 0.2), "valid")
    gain = detector.counts_per_electron
    electrons = np.maximum(light / gain, 0.0)
    sigma = np.hypot(gain * np.sqrt(electrons + detector.read_noise_electrons**2), dark_sigma)
    used = (np.asarray(counts) < detector.saturation_counts) & np.isfinite(intensity)
    used &= ~cosmic_rays(intensity, sigma, detector.line_width_pixels)
    if not used.any():
        raise CountsError("every pixel is saturated or no number; lower the exposure or the laser's power")
    return intensity, sigma, used


def cosmic_rays(intensity: np.ndarray, sigma: np.ndarray, line_width_pixels: float) -> np.ndarray:
    """Pixels that a cosmic ray has hit, and those beside them; shape (pixels,).

    A line cannot be narrower than the instrument makes it: what rises over its neighbours more steeply is
    none. Rays over up to three pixels are found.
    """
    found = np.zeros(intensity.size, dtype=bool)
    background = _local_background(intensity)
    for pixels in (1, 2, 3):
        height, edge, error = _steps(intensity, sigma, pixels)
        centre = (pixels + 1) // 2
        local = background[centre : centre + height.size]
        # Of a line in the middle of these pixels, the edges have at least this share of the height.
        at_edge = np.exp(-np.log(2) * ((pixels + 1) / line_width_pixels) ** 2)
        share = at_edge / _mean_share(pixels, line_width_pixels)
        is_ray = (height - edge > _SPIKE_SIGMA * error) & (edge - local < 0.5 * share * (height - local))
        for start in np.flatnonzero(is_ray):
            found[start : start + pixels + 2] = True
    return found


def _steps(
    intensity: np.ndarray, sigma: np.ndarray, pixels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of so many pixels, mean of the two that enclose them, and the error of the difference."""
    count = intensity.size - pixels - 1
    variance = sigma**2

    def mean(values: np.ndarray, first: int, last: int, step: int = 1) -> np.ndarray:
        chosen = [values[place : place + count] for place in range(first, last + 1, step)]
        return sum(chosen[1:], start=chosen[0]) / len(chosen)

    height, edge = mean(intensity, 1, pixels), mean(intensity, 0, pixels + 1, pixels + 1)
    error = np.sqrt(mean(variance, 1, pixels) / pixels + mean(variance, 0, pixels + 1, pixels + 1) / 2)
    return height, edge, error


def _mean_share(pixels: int, line_width_pixels: float) -> float:
    """Mean over so many pixels of a Gaussian line in their middle, in parts of its height."""
    away = np.arange(pixels) - (pixels - 1) / 2
    return float(np.mean(np.exp(-4 * np.log(2) * (away / line_width_pixels) ** 2)))


def _local_background(intensity: np.ndarray) -> np.ndarray:
    """Lower quartile of the pixels around each; between two bands the median would be one of their points."""
    return np.asarray(ndimage.percentile_filter(intensity, 25, 2 * _WIDE + 1, mode="nearest"))

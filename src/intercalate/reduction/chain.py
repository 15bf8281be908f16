"""From a raw frame to a pattern: dark, lag, flat field, mask, solid angle, monitor and background.

All of it is linear in the counts, and so done on the sums over the bins of a pattern, with the variance of
each sum. The raw frame is only read. What was done, and with what, is in `steps`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.reduction.integration import Integrator, Pattern
from intercalate.reduction.pixels import Dark

MONITOR_UNIT = 1e6
"""Normalised intensities are counts per pixel for so many counts of the transmission monitor."""


@dataclass(frozen=True)
class Corrections:
    """What is known of detector and background.

    Attributes
    ----------
    mask
        True where a pixel must not be used, shape of a frame.
    dark
        Of the exposure of the frames; None corrects none, and takes counts for photons.
    efficiency
        Relative, shape of a frame.
    counts_per_photon
        By which the variance of the counts follows from their sum.
    lag
        Share of a frame's signal that the next one holds too.
    saturation
        Counts from which a pixel is left out of a frame.
    background
        Pattern of what is in the beam besides the cell, for `MONITOR_UNIT` counts of the monitor.
    """

    mask: np.ndarray
    dark: Dark | None = None
    efficiency: np.ndarray | None = None
    counts_per_photon: float = 1.0
    lag: float = 0.0
    saturation: float = np.inf
    background: Pattern | None = None


@dataclass(frozen=True)
class Reduced:
    """One frame's pattern, and what stands out of its making.

    Attributes
    ----------
    saturated
        Number of used pixels that were left out because they were saturated.
    monitor
        Counts of the transmission monitor by which it was divided; NaN where it was not.
    """

    pattern: Pattern
    saturated: int
    monitor: float


class UnusableFrameError(ValueError):
    """One frame cannot be reduced; others of the run may."""


class ReductionChain:
    """Reduces the frames of one geometry and exposure.

    Parameters
    ----------
    poni
        Geometry: a PONI file, or its text.
    polarisation
        As of `Integrator`.

    Raises
    ------
    ValueError
        If mask, dark or flat field have another shape than the geometry.
    """

    def __init__(
        self, poni: str | Path, corrections: Corrections, *, polarisation: float | None = 0.99
    ) -> None:
        self.corrections = corrections
        self._poni, self._polarisation = poni, polarisation
        self._integrator = Integrator(
            poni, corrections.mask, polarisation=polarisation, efficiency=corrections.efficiency
        )
        self.shape = self._integrator.shape
        dark = corrections.dark
        self._dark_sums = self._dark_variance = np.zeros(1)
        if dark is not None:
            self._dark_sums = self._integrator.sums(dark.mean)
            # The mean dark is subtracted from all frames alike: its own error is common to them.
            self._dark_variance = self._integrator.sums(dark.variance) * (1 + 1 / dark.frames)

    @property
    def wavelength_angstrom(self) -> float:
        """Of the geometry."""
        return self._integrator.wavelength_angstrom

    @property
    def azimuth_rad(self) -> np.ndarray:
        """Of each pixel around the beam, from the direction of its columns; shape of a frame."""
        return self._integrator.azimuth_rad

    def with_corrections(self, corrections: Corrections) -> "ReductionChain":
        """A chain of the same geometry."""
        return ReductionChain(self._poni, corrections, polarisation=self._polarisation)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """What is done to every frame, in order."""
        known, dark = self.corrections, self.corrections.dark
        steps: list[dict[str, Any]] = []
        if dark is not None:
            steps.append({"step": "dark", "exposure_s": dark.exposure_s, "frames": dark.frames})
        if known.lag:
            steps.append({"step": "lag", "share_of_the_frame_before": known.lag})
        if np.isfinite(known.saturation):
            steps.append({"step": "saturated pixels left out", "from_counts": known.saturation})
        if known.efficiency is not None:
            steps.append({"step": "flat field", "counts_per_photon": known.counts_per_photon})
        steps.append({"step": "mask", "pixels": int(known.mask.sum())})
        steps.append({"step": "solid angle and polarisation", "polarisation": self._integrator.polarisation})
        steps.append({"step": "azimuthal integration", "bins": self._integrator.n_bins})
        if known.background is not None:
            steps.append({"step": "background", "points": len(known.background)})
        return steps

    def reduce(
        self, frame: np.ndarray, *, before: np.ndarray | None = None, monitor: float = np.nan
    ) -> Reduced:
        """Reduce one frame.

        Parameters
        ----------
        frame
            Raw counts, shape of the detector.
        before
            The frame exposed right before it; None corrects no lag.
        monitor
            Counts of the transmission monitor (I0 times transmission) during the exposure, without dark
            counts. NaN divides by nothing, and subtracts no background.

        Raises
        ------
        UnusableFrameError
            If nothing is left after the dark counts, or the monitor counted nothing.
        ValueError
            If the frame has another shape.
        """
        known, integrator = self.corrections, self._integrator
        counts = integrator.sums(frame) - self._dark_sums
        if before is not None and known.lag:
            counts = counts - known.lag * (integrator.sums(before) - self._dark_sums)
        less: np.ndarray | float = 0.0
        saturated = np.flatnonzero(frame >= known.saturation)
        if saturated.size:
            dark = known.dark.mean.flat[saturated] if known.dark is not None else 0.0
            taken, less = integrator.without(saturated, frame.flat[saturated] - dark)
            counts = counts - taken
            saturated = saturated[~known.mask.flat[saturated]]
        variance = known.counts_per_photon * np.maximum(counts, 0.0) + self._dark_variance
        if counts.sum() < 5 * np.sqrt(variance.sum()):
            raise UnusableFrameError(
                "the frame holds dark counts only; were the shutters open, and was there beam (I0)?"
            )
        pattern = integrator.pattern(counts, np.maximum(variance, 1.0), less)
        if np.isnan(monitor):
            return Reduced(pattern, saturated.size, monitor)
        if not monitor > 0:
            raise UnusableFrameError(
                f"the monitor counted {monitor:g} beyond dark counts; was there beam, is it connected?"
            )
        scale = MONITOR_UNIT / monitor
        pattern = replace(pattern, intensity=pattern.intensity * scale, sigma=pattern.sigma * scale)
        if known.background is not None:
            pattern = self._less_background(pattern, known.background)
        return Reduced(pattern, saturated.size, monitor)

    def _less_background(self, pattern: Pattern, background: Pattern) -> Pattern:
        """Its error is common to all frames; of one frame it is a part."""
        at, known = pattern.two_theta_deg, background.two_theta_deg
        return replace(
            pattern,
            intensity=pattern.intensity - np.interp(at, known, background.intensity),
            sigma=np.hypot(pattern.sigma, np.interp(at, known, background.sigma)),
        )


def mean_pattern(patterns: list[Pattern]) -> Pattern:
    """Mean of patterns on the same bins, with its error.

    Raises
    ------
    ValueError
        If there is none, or their bins differ.
    """
    if not patterns:
        raise ValueError("there is no pattern to average")
    first = patterns[0]
    if any(not np.array_equal(one.two_theta_deg, first.two_theta_deg) for one in patterns):
        raise ValueError("the patterns have different bins; leave out frames with saturated pixels")
    variance = sum(one.sigma**2 for one in patterns)
    return replace(
        first,
        intensity=np.mean([one.intensity for one in patterns], axis=0),
        sigma=np.sqrt(variance) / len(patterns),
    )

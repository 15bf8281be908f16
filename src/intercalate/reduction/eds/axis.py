"""The energy of a channel, from two lines that are known."""

from dataclasses import dataclass

import numpy as np

from intercalate.materials.eds import XrayDetector, emission_lines
from intercalate.reduction.eds.errors import SpectrumError, require_counts

_LEAST_COUNTS = 500.0
_BLEND = 0.2
"""Uncertainty of the place of lines that are seen as one, in parts of their spread."""
_FARTHEST = 2.0
"""Full widths by which a line may lie off its place on paper."""


@dataclass(frozen=True)
class EnergyAxis:
    """Energy of every channel.

    Attributes
    ----------
    energy_ev
        Of the middle of each channel, shape (channels,).
    sigma_ev
        Standard error of the energy of a line.
    """

    energy_ev: np.ndarray
    sigma_ev: float

    @property
    def channel_ev(self) -> float:
        """Width of a channel."""
        return float((self.energy_ev[-1] - self.energy_ev[0]) / (self.energy_ev.size - 1))


def axis_on_paper(detector: XrayDetector) -> EnergyAxis:
    """As the maker states it; good to some 15 eV."""
    return EnergyAxis(detector.channel_ev * (np.arange(detector.channels) + 0.5), 15.0)


def calibrated_axis(
    spectra: dict[str, np.ndarray], detector: XrayDetector, families: tuple[str, ...] = ("L", "K")
) -> EnergyAxis:
    """Axis from spectra of pure metals such as copper and cobalt: their K and L lines.

    Parameters
    ----------
    spectra
        Counts by element, shape (channels,) each.

    Raises
    ------
    SpectrumError
        If fewer than two lines are found, or one where it cannot be.
    """
    paper = axis_on_paper(detector)
    places: list[tuple[float, float, float]] = []
    for element, counts in spectra.items():
        values = require_counts(counts, detector.channels)
        for family in families:
            lines = [one for one in emission_lines(element) if one.family == family]
            if not lines:
                continue
            strongest = max(lines, key=lambda one: one.branching * one.shell_electrons)
            # Lines closer than half a width are seen as one.
            width = float(detector.width_ev(strongest.energy_ev))
            near = [one for one in lines if abs(one.energy_ev - strongest.energy_ev) < 0.5 * width]
            weight = np.array([one.branching * one.shell_electrons * one.fluorescence_yield for one in near])
            place = np.array([one.energy_ev for one in near])
            mean_ev = float(np.average(place, weights=weight))
            spread_ev = float(np.sqrt(np.average((place - mean_ev) ** 2, weights=weight)))
            found = _middle(values, paper.energy_ev, mean_ev, width)
            if found is not None:
                places.append((found[0], mean_ev, float(np.hypot(found[1], 0.3 + _BLEND * spread_ev))))
    if len(places) < 2:
        raise SpectrumError(
            f"{len(places)} lines were found where they are expected; count copper and cobalt at 15 kV for a "
            f"minute"
        )
    seen, true, sigma = np.array(places).T
    fit, covariance = np.polyfit(seen, true, 1, w=1.0 / sigma, cov="unscaled")
    left = np.abs(np.polyval(fit, seen) - true)
    if left.max() > 10.0:
        raise SpectrumError(
            f"lines disagree by {left.max():.0f} eV, 10 are the limit; is the element the one named?"
        )
    return EnergyAxis(np.polyval(fit, paper.energy_ev), float(np.sqrt(covariance[1, 1]) + left.max()))


def _middle(
    counts: np.ndarray, energy_ev: np.ndarray, expected_ev: float, width_ev: float
) -> tuple[float, float] | None:
    """Middle of a line by a parabola through the logarithm of its upper half, and its error."""
    near = np.abs(energy_ev - expected_ev) < _FARTHEST * width_ev
    if not near.any():
        return None
    base = float(np.percentile(counts[near], 10))
    at = np.flatnonzero(near)[int(np.argmax(counts[near]))]
    upper = np.abs(energy_ev - energy_ev[at]) < 0.5 * width_ev
    height = counts[upper] - base
    total = float(height.sum())
    if total < _LEAST_COUNTS or np.any(height <= 0) or counts[at] < 2 * base:
        return None
    offset = energy_ev[upper] - energy_ev[at]
    curve, slope, _ = np.polyfit(offset, np.log(height), 2, w=np.sqrt(height))
    if curve >= 0:
        return None
    return float(energy_ev[at] - slope / (2 * curve)), 1.5 * width_ev / 2.35 / np.sqrt(total)

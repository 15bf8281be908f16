"""The energy of a channel, from two lines that are known."""

from dataclasses import dataclass

import numpy as np

from intercalate.materials.eds import EmissionLine, XrayDetector, emission_lines, mass_absorption_cm2_g
from intercalate.reduction.eds.errors import SpectrumError, require_counts
from intercalate.reduction.eds.profile import TAIL, peak_and_tail

_LEAST_COUNTS = 500.0
_SOFT_EV = 2000.0
_BLEND = 0.05
"""Uncertainty of the place of lines that are seen as one, in parts of their spread: their ratio is known to
some 5 %, and what the metal takes of soft ones is not much better."""
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
            seen_as, width, spread_ev = _seen_as(lines, paper.energy_ev, detector)
            found = _middle(values, paper.energy_ev, seen_as, width)
            if found is not None:
                places.append((found[0], seen_as, float(np.hypot(found[1], 0.3 + _BLEND * spread_ev))))
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
    # Lines that scatter by more than they should make the fit of them as much less certain; how far a single
    # one lies off is no error of the axis besides. It is that within the range of the lines, not where the
    # axis would cross zero. Tails move lines of a sample as they move those of the metals.
    scatter = max(float(np.sum((left / sigma) ** 2)) / max(left.size - 2, 1), 1.0)
    powers = np.stack([seen, np.ones(seen.size)])
    variance = scatter * float(np.mean(np.einsum("ki,kl,li->i", powers, covariance, powers)))
    return EnergyAxis(np.polyval(fit, paper.energy_ev), float(np.sqrt(variance)))


def _seen_as(
    lines: list[EmissionLine], energy_ev: np.ndarray, detector: XrayDetector
) -> tuple[float, float, float]:
    """Where `_middle` would find the peak that lines make together on a perfect axis; its width, and the
    spread of the lines in it.
    """
    strength = np.array([one.branching * one.shell_electrons * one.fluorescence_yield for one in lines])
    place = np.array([one.energy_ev for one in lines])
    # Soft lines come from a depth that their absorption sets; L beta of copper is above the L3 edge of copper
    # itself.
    own = mass_absorption_cm2_g(lines[0].element, place)
    strength = strength / (own / own.min() if place.max() < _SOFT_EV else 1.0)
    width = np.array(detector.width_ev(place))
    drawn = np.zeros(energy_ev.size)
    for one, share in zip(place, strength):
        peak, tail = peak_and_tail(energy_ev, float(one), detector)
        drawn += share * ((1.0 - TAIL) * peak + TAIL * tail)
    best = int(np.argmax(strength))
    found = _middle(1e6 * drawn / drawn.max(), energy_ev, place[best], float(width[best]))
    near = np.abs(place - place[best]) < 0.5 * width[best]
    mean = float(np.average(place[near], weights=strength[near]))
    spread_ev = float(np.sqrt(np.average((place[near] - mean) ** 2, weights=strength[near])))
    return (found[0] if found else mean), float(width[best]), spread_ev


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

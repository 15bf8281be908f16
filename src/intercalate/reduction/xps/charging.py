"""What a flood gun does to a line: where it is with and without slow electrons, and how wide."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.results import Estimate
from intercalate.reduction.xps.counts import XpsError

REACH_EV = 2.5
"""Around its mean, of what counts for a line."""

_LEAST_COUNTS = 200.0
_DRAWS = 200
_ROUNDS = 60
"""In which the mean of a line is followed at most."""


@dataclass(frozen=True)
class LineShape:
    """Of the strongest line of a region, over a straight background.

    Attributes
    ----------
    centre_ev, width_ev
        Mean and twice the standard deviation of what lies within `REACH_EV` of that mean; the error is that
        of counting.
    """

    centre_ev: Estimate
    width_ev: Estimate


def line_shape(binding_ev: np.ndarray, counts: np.ndarray) -> LineShape:
    """Centre and width of the strongest line, without a model of what it consists of.

    Parameters
    ----------
    binding_ev, counts
        Ascending energies, and counts; shape (points,).

    Raises
    ------
    XpsError
        If no line stands out, or the strongest one lies at the end of the region.
    """
    values = np.asarray(counts, float)
    step_ev = float(np.median(np.diff(binding_ev)))
    smooth = np.convolve(values, np.ones(5) / 5, mode="same")
    top = int(np.argmax(smooth))
    reach = round(REACH_EV / step_ev)
    first, last = top - reach, top + reach
    if first < 2 or last > values.size - 3:
        raise XpsError(
            f"the strongest line lies at {binding_ev[top]:.1f} eV, at an end of the region from "
            f"{binding_ev[0]:.1f} to {binding_ev[-1]:.1f} eV; take a wider region"
        )
    energy = np.asarray(binding_ev, float)
    centre_ev = _followed(energy, values[None], np.array([energy[top]]), step_ev)
    reach_ev = REACH_EV + 2.0 * step_ev
    if not energy[0] + reach_ev < centre_ev[0] < energy[-1] - reach_ev:
        raise XpsError(
            f"the strongest line lies at {centre_ev[0]:.1f} eV, at an end of the region from "
            f"{energy[0]:.1f} to {energy[-1]:.1f} eV; take a wider region"
        )
    inside = np.abs(energy - centre_ev[0]) < REACH_EV
    area, _, width_ev = (float(one[0]) for one in _moments(energy, values[None], centre_ev, step_ev))
    if not area > max(_LEAST_COUNTS, 5.0 * np.sqrt(values[inside].sum())):
        raise XpsError(f"no line stands out near {binding_ev[top]:.1f} eV; expose for longer")
    drawn = np.random.default_rng(0).poisson(np.maximum(values, 0.0), (_DRAWS, values.size)).astype(float)
    centres_ev = _followed(energy, drawn, np.full(_DRAWS, centre_ev[0]), step_ev)
    widths_ev = _moments(energy, drawn, centres_ev, step_ev)[2]
    return LineShape(
        Estimate(float(centre_ev[0]), float(centres_ev.std(ddof=1)), 0.0),
        Estimate(width_ev, float(widths_ev.std(ddof=1)), 0.0),
    )


def _followed(energy: np.ndarray, values: np.ndarray, centre_ev: np.ndarray, step_ev: float) -> np.ndarray:
    """Centres that are the means of what lies around them, from those where to begin; shape (spectra,)."""
    for _ in range(_ROUNDS):
        # A spectrum may have no line there, and no mean; it is then looked at where it was.
        moved = np.clip(_moments(energy, values, centre_ev, step_ev)[1], energy[0], energy[-1])
        last, centre_ev = centre_ev, moved
        if np.all(np.abs(centre_ev - last) < 1e-3 * step_ev):
            break
    return centre_ev


def _moments(
    energy: np.ndarray, values: np.ndarray, centre_ev: np.ndarray, step_ev: float
) -> tuple[np.ndarray, ...]:
    """Area, mean and twice the standard deviation of what lies within reach of a centre, above a straight
    line through both ends; shape (spectra,).

    Points at an end count in parts, so that nothing jumps where the window moves.
    """
    away = energy - centre_ev[:, None]

    def within(distance_ev: np.ndarray, half_ev: float) -> np.ndarray:
        return np.clip((half_ev - np.abs(distance_ev)) / step_ev + 0.5, 0.0, 1.0)

    levels = []
    for end_ev in (-REACH_EV, REACH_EV):
        weight = within(away - end_ev, 1.5 * step_ev)
        levels.append(np.sum(weight * values, axis=1) / np.maximum(weight.sum(axis=1), 1e-9))
    low, high = levels
    line = 0.5 * (low + high)[:, None] + away * ((high - low) / (2.0 * REACH_EV))[:, None]
    net = within(away, REACH_EV) * (values - line)
    area = net.sum(axis=1)
    per = 1.0 / np.where(area > 0, area, np.inf)
    mean = np.sum(away * net, axis=1) * per
    variance = np.sum((away - mean[:, None]) ** 2 * net, axis=1) * per
    return area, centre_ev + mean, 2.0 * np.sqrt(np.maximum(variance, 0.0))


def narrower(without: LineShape, having: LineShape, sigmas: float = 3.0) -> bool | None:
    """Whether a line is narrower with slow electrons than without; None where it cannot be told."""
    less = without.width_ev.value - having.width_ev.value
    error = float(np.hypot(without.width_ev.sigma, having.width_ev.sigma))
    return None if abs(less) < sigmas * error else less > 0

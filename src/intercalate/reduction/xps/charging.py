"""What a flood gun does to a line: where it is with and without slow electrons, and how wide."""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.results import Estimate
from intercalate.reduction.xps.counts import XpsError

REACH_EV = 2.5
"""Around the maximum, of what counts for a line."""

_LEAST_COUNTS = 200.0
_DRAWS = 200


@dataclass(frozen=True)
class LineShape:
    """Of the strongest line of a region, over a straight background.

    Attributes
    ----------
    centre_ev, width_ev
        Mean and twice the standard deviation of what lies within `REACH_EV` of the maximum; the error is
        that of counting.
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
    part, energy = values[first : last + 1], np.asarray(binding_ev)[first : last + 1]
    net = _net(part)
    if not net.sum() > max(_LEAST_COUNTS, 5.0 * np.sqrt(part.sum())):
        raise XpsError(f"no line stands out near {binding_ev[top]:.1f} eV; expose for longer")
    generator = np.random.default_rng(0)
    drawn = np.array([_moments(energy, _net(generator.poisson(part).astype(float))) for _ in range(_DRAWS)])
    centre, width = _moments(energy, net)
    spread = drawn.std(axis=0)
    return LineShape(Estimate(centre, float(spread[0]), 0.0), Estimate(width, float(spread[1]), 0.0))


def _net(part: np.ndarray) -> np.ndarray:
    """Counts above a straight line through both ends."""
    ends = part[:3].mean(), part[-3:].mean()
    return part - np.linspace(*ends, part.size)


def _moments(energy: np.ndarray, net: np.ndarray) -> tuple[float, float]:
    total = net.sum()
    centre = float(energy @ net / total)
    return centre, 2.0 * float(np.sqrt(max(((energy - centre) ** 2) @ net / total, 0.0)))


def narrower(without: LineShape, having: LineShape, sigmas: float = 3.0) -> bool | None:
    """Whether a line is narrower with slow electrons than without; None where it cannot be told."""
    less = without.width_ev.value - having.width_ev.value
    error = float(np.hypot(without.width_ev.sigma, having.width_ev.sigma))
    return None if abs(less) < sigmas * error else less > 0

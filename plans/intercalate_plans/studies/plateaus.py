"""Plateaus of a voltage at constant current: where charge gathers, by a density that noise only widens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.signal import fftconvolve, find_peaks

from intercalate_plans.studies.finding import SIGNIFICANCE

KERNEL_V = 0.004
"""Standard deviation of the Gaussian with which every piece of charge is spread over the voltage."""

GRID_V = 0.001
"""Of the grid on which densities are kept."""

PARTS = 10
"""Into which the records are dealt in turn for the jackknife."""

RISE = 2.0
"""A plateau holds at least so many times the charge per volt of the slopes on both its sides."""

FLANK = 0.25
"""A plateau reaches to where the charge per volt is this share of that of its peak."""

SMALLEST_SHARE = 0.05
"""Of all charge; what holds less is a shoulder."""


@dataclass(frozen=True)
class Plateau:
    """One plateau.

    Attributes
    ----------
    voltage_v, sigma_v
        Of its peak of dQ/dV.
    low_v, high_v
        Where dQ/dV is `FLANK` of that.
    from_ah, to_ah
        Charge that the step had passed when the voltage came to it and left it.
    rise_sigmas
        By how many standard errors the peak is above `RISE` times the higher of the slopes beside it.
    """

    voltage_v: float
    sigma_v: float
    low_v: float
    high_v: float
    from_ah: float
    to_ah: float
    rise_sigmas: float

    @property
    def charge_ah(self) -> float:
        """That it holds."""
        return self.to_ah - self.from_ah


@dataclass(frozen=True)
class Step:
    """Records of the step at constant current that passed most charge.

    Attributes
    ----------
    voltage_v, charge_ah
        Shape (n,), in order of time; charge is what the step has passed, without sign.
    began_at_ah
        Net charge of the run when the step began.
    sign
        Of the current.
    """

    voltage_v: np.ndarray
    charge_ah: np.ndarray
    began_at_ah: float = 0.0
    sign: float = -1.0

    def passed_ah(self, net_capacity_ah: np.ndarray) -> np.ndarray:
        """What the step had passed at these net charges of the run; negative before it."""
        return (net_capacity_ah - self.began_at_ah) * self.sign

    def between_ah(self, low_v: float, high_v: float) -> tuple[float, float]:
        """Charge passed when the voltage came between both limits, and when it left.

        It falls or rises through the step; what noise carries across a limit is counted as often to
        either side.
        """
        pieces = np.diff(self.charge_ah)
        middle = (self.voltage_v[1:] + self.voltage_v[:-1]) / 2
        before = middle > high_v if self.voltage_v[0] > self.voltage_v[-1] else middle < low_v
        came_ah = float(pieces[before].sum())
        return came_ah, came_ah + float(pieces[(middle >= low_v) & (middle <= high_v)].sum())


def constant_current_step(records: xr.Dataset) -> Step:
    """Find it.

    Raises
    ------
    ValueError
        If no step passed charge.
    """
    step = np.asarray(records["step_id"], int)
    charge = np.asarray(records["net_capacity_ah"], float)
    passed = {int(one): np.ptp(charge[step == one]) for one in np.unique(step)}
    most = max(passed, key=lambda one: passed[one])
    if not passed[most] > 0:
        raise ValueError("no step of the run passed any charge: there is no voltage course to look at")
    chosen = step == most
    own = charge[chosen]
    sign = float(np.sign(own[-1] - own[0]))
    voltage = np.asarray(records["voltage_volt"], float)[chosen]
    return Step(voltage, sign * (own - own[0]), float(own[0]), sign)


def density(step: Step, grid_v: np.ndarray, kernel_v: float = KERNEL_V) -> np.ndarray:
    """Charge per volt on an even grid, in Ah/V; every piece between two records is spread with `KERNEL_V`.

    The grid is where the step went. What would be spread beyond its ends is not lost: a step that was cut
    off on a plateau has no slope there.
    """
    voltage = np.clip((step.voltage_v[1:] + step.voltage_v[:-1]) / 2, grid_v[0], grid_v[-1])
    edges = np.append(grid_v - GRID_V / 2, grid_v[-1] + GRID_V / 2)
    counted, _ = np.histogram(voltage, edges, weights=np.diff(step.charge_ah))
    reach = np.arange(-5 * kernel_v, 5 * kernel_v + GRID_V / 2, GRID_V)
    kernel = np.exp(-0.5 * (reach / kernel_v) ** 2)
    within = fftconvolve(np.ones_like(grid_v), kernel, mode="same")
    return fftconvolve(counted, kernel, mode="same") / within / GRID_V


def find_plateaus(step: Step) -> list[Plateau]:
    """Plateaus from high to low voltage.

    Errors are those of a jackknife over interleaved records; that of the voltage also has the shift of the
    peak when the charge is spread by half as much again.
    """
    grid_v = np.arange(step.voltage_v.min(), step.voltage_v.max(), GRID_V)
    curve, wider, without = density(step, grid_v), density(step, grid_v, 1.5 * KERNEL_V), []
    numbers = np.arange(step.voltage_v.size)
    for part in range(PARTS):
        # The ends stay, so that all curves hold the same charge.
        kept = (numbers % PARTS != part) | (numbers == 0) | (numbers == numbers[-1])
        without.append(density(Step(step.voltage_v[kept], step.charge_ah[kept]), grid_v))
    peaks, found = find_peaks(curve, prominence=0.0)
    plateaus = []
    for peak, left, right in zip(peaks.tolist(), found["left_bases"], found["right_bases"]):
        low, high = _extent(curve, peak, int(left), int(right))
        low_v, high_v = float(grid_v[low]), float(grid_v[high])
        from_ah, to_ah = step.between_ah(low_v, high_v)
        rise, *rises = [float(one[peak] - RISE * max(one[left], one[right])) for one in (curve, *without)]
        error = _jackknife(rises)
        if rise > SIGNIFICANCE * error > 0 and to_ah - from_ah >= SMALLEST_SHARE * step.charge_ah[-1]:
            place_v = _summit(grid_v, curve, peak)
            scatter_v = _jackknife([_summit(grid_v, one, peak) for one in without])
            sigma_v = math.hypot(scatter_v, _summit(grid_v, wider, peak) - place_v)
            plateaus.append(Plateau(place_v, sigma_v, low_v, high_v, from_ah, to_ah, rise / error))
    return plateaus[::-1]


def _summit(grid_v: np.ndarray, curve: np.ndarray, near: int) -> float:
    """Vertex of the parabola through the highest point near a peak and its neighbours."""
    reach = round(2 * KERNEL_V / GRID_V)
    first = max(1, near - reach)
    top = first + int(np.argmax(curve[first : min(near + reach + 1, curve.size - 1)]))
    before, middle, after = curve[top - 1 : top + 2]
    bend = before - 2 * middle + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(grid_v[top] + np.clip(shift, -1, 1) * GRID_V)


def _extent(curve: np.ndarray, peak: int, left_base: int, right_base: int) -> tuple[int, int]:
    """First and last point of the flanks of a peak, which end at the valleys beside it at the latest."""
    below = np.flatnonzero(curve < FLANK * curve[peak])
    left, right = below[below < peak], below[below > peak]
    first = int(left[-1]) + 1 if left.size else 0
    last = int(right[0]) - 1 if right.size else curve.size - 1
    return max(first, left_base), min(last, right_base)


def _jackknife(values: Sequence[float]) -> float:
    """Standard error from estimates that each leave one part out."""
    count = len(values)
    return float(np.sqrt((count - 1) / count * np.sum((np.asarray(values) - np.mean(values)) ** 2)))

"""When groups of species of a surface layer begin to grow, and whether they do so one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from intercalate.materials.xps import AL_K_ALPHA_EV, LEVELS, MEAN_FREE_PATH_SIGMA, compound_named
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.xps.composition import Sensitivity, atoms_per_area
from intercalate.reduction.xps.counts import XpsError
from intercalate.reduction.xps.fit import XpsFit

_LEAST_TIMES = 8
_ONSETS = 240
_TIME_CONSTANTS = np.geomspace(0.02, 1.5, 10)
_EXPONENTS = (0.6, 1.0, 1.6)
"""Of a rise that begins steeply or slowly."""

_BEFORE = 0.15
"""Of the series, by which an onset may lie before its first time."""


@dataclass(frozen=True)
class AmountSeries:
    """Amounts of groups of species over time.

    Attributes
    ----------
    time_h
        Ascending, shape (times,).
    amount, sigma
        By group, shape (times,) each; errors independent between times. NaN where unknown.
    """

    time_h: np.ndarray
    amount: Mapping[str, np.ndarray]
    sigma: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        if self.time_h.ndim != 1 or not np.all(np.diff(self.time_h) > 0):
            raise XpsError("the times of a series do not ascend")
        for group in self.amount:
            if self.amount[group].shape != self.time_h.shape or self.sigma[group].shape != self.time_h.shape:
                raise XpsError(
                    f"{group}: {self.amount[group].shape} amounts and {self.sigma[group].shape} errors for "
                    f"{self.time_h.size} times"
                )


@dataclass(frozen=True, slots=True)
class GroupOnset:
    """When one group begins to grow.

    Attributes
    ----------
    onset_h
        Undetermined where the group does not grow.
    growth_sigmas
        By how many standard errors the series is better described by growth than by none.
    """

    group: str
    onset_h: Estimate
    growth_sigmas: float
    is_growing: bool


@dataclass(frozen=True)
class SeiSteps:
    """Whether a layer grows in steps.

    Attributes
    ----------
    onsets
        By group.
    order
        Of the groups that grow, the earliest first.
    apart_sigmas
        Of each expected step from the one before, by which it comes later, in combined standard errors.
    recovered
        Whether all groups grow, in the expected order, each later than the one before by three standard
        errors.
    reason
        In words.
    """

    onsets: Mapping[str, GroupOnset]
    order: tuple[str, ...]
    apart_sigmas: tuple[float, ...]
    recovered: bool
    reason: str


def sei_steps(
    series: AmountSeries, expected: Sequence[str], *, least_growth: float = 5.0, least_apart: float = 3.0
) -> SeiSteps:
    """Find when each group begins to grow, and whether that is in the expected order.

    Parameters
    ----------
    expected
        Groups in the order that is claimed.

    Raises
    ------
    XpsError
        If a group is not in the series, or too few times are known.
    """
    missing = [group for group in expected if group not in series.amount]
    if missing:
        raise XpsError(f"the series has no group {missing[0]!r}; there are {', '.join(series.amount)}")
    onsets = {group: _onset(series, group, least_growth) for group in expected}
    growing = [one for one in onsets.values() if one.is_growing]
    order = tuple(one.group for one in sorted(growing, key=lambda one: one.onset_h.value))
    idle = [group for group in expected if not onsets[group].is_growing]
    apart = tuple(
        (onsets[late].onset_h.value - onsets[early].onset_h.value)
        / float(np.hypot(onsets[late].onset_h.sigma, onsets[early].onset_h.sigma))
        for early, late in pairwise(expected)
    )
    if idle:
        reason = f"{', '.join(idle)} did not grow"
    elif all(value > least_apart for value in apart):
        reason = f"{', then '.join(expected)}"
    elif order != tuple(expected):
        reason = f"the order is {', then '.join(order)}"
    else:
        reason = f"onsets are not {least_apart:g} standard errors apart"
    recovered = not idle and all(value > least_apart for value in apart)
    return SeiSteps(onsets, order, apart, recovered, reason)


def _onset(series: AmountSeries, group: str, least_growth: float) -> GroupOnset:
    """Onset of a level that begins to rise and levels off, over all courses of the rise.

    The errors are those of the distribution of the onset over all courses, weighted by their likelihood;
    where none describes the series within its errors, these are scaled.
    """
    known = np.isfinite(series.amount[group]) & (series.sigma[group] > 0)
    time, amount, sigma = (one[known] for one in (series.time_h, series.amount[group], series.sigma[group]))
    if time.size < _LEAST_TIMES:
        raise XpsError(f"{group} is known at {time.size} times; {_LEAST_TIMES} are needed")
    span = float(np.ptp(time))
    onsets = np.linspace(time[0] - _BEFORE * span, time[-1], _ONSETS)
    since = np.maximum(time[None, :] - onsets[:, None], 0.0)
    chi2 = np.full((_TIME_CONSTANTS.size * len(_EXPONENTS), _ONSETS), np.inf)
    rises = np.zeros_like(chi2)
    courses = [(constant, power) for constant in _TIME_CONSTANTS * span for power in _EXPONENTS]
    for row, (constant, power) in enumerate(courses):
        chi2[row], rises[row] = _level_and_rise((-np.expm1(-since / constant)) ** power, amount, sigma)
    chi2 = np.where(rises > 0, chi2, np.inf)
    weight = 1.0 / sigma**2
    flat = float(weight @ (amount - weight @ amount / weight.sum()) ** 2)
    best = float(chi2.min())
    scale = max(1.0, best / max(time.size - 5, 1)) if np.isfinite(best) else 1.0
    growth = float(np.sqrt(max(flat - best, 0.0) / scale)) if np.isfinite(best) else 0.0
    if growth < least_growth:
        return GroupOnset(group, UNDETERMINED, growth, False)
    likelihood = np.exp(-0.5 * (chi2 - best) / scale).sum(axis=0)
    likelihood /= likelihood.sum()
    mean = float(likelihood @ onsets)
    spread = float(np.sqrt(likelihood @ (onsets - mean) ** 2))
    after = int(np.clip(np.searchsorted(time, mean), 1, time.size - 1))
    gap = float(time[after] - time[after - 1])
    return GroupOnset(group, Estimate(mean, spread, 0.25 * gap), growth, True)


def _level_and_rise(
    course: np.ndarray, amount: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Chi squared of the best level and rise for each course, and the rise; shape (courses,)."""
    weight = 1.0 / sigma**2
    total = weight.sum()
    mean, middle = course @ weight / total, weight @ amount / total
    centred, off = course - mean[:, None], amount - middle
    square = centred**2 @ weight
    rise = (centred @ (weight * off)) / np.maximum(square, 1e-12)
    rise = np.where(square > 1e-9 * total, rise, 0.0)
    return weight @ off**2 - rise**2 * square, rise


def layer_amounts_nm(
    fit: XpsFit,
    groups: Mapping[str, Sequence[str]],
    *,
    substrate_line: str,
    substrate: str,
    matrix: str = "Li2CO3",
    sensitivity: Sensitivity | None = None,
) -> dict[str, Estimate]:
    """Thickness of each group in a mixed layer on a substrate, from one fit.

    The thickness of the whole follows from atoms of the layer against those of the substrate, d = path cos
    ln(1 + R); groups share it by their atoms. Atoms that are not measured for a group are not counted: what
    is compared is one group with itself over time.

    Parameters
    ----------
    groups
        Names of components by group.
    substrate_line, substrate
        Component and compound of the substrate.

    Raises
    ------
    XpsError
        If a component was not fitted.
    """
    names = [name for members in groups.values() for name in members]
    numbers = {one.name: number for number, one in enumerate(fit.components)}
    missing = [name for name in (*names, substrate_line) if name not in numbers]
    if missing:
        raise XpsError(f"{missing[0]} was not fitted; there are {', '.join(numbers)}")
    if not fit.converged:
        return dict.fromkeys(groups, UNDETERMINED)
    every = [*names, substrate_line]
    components = [fit.components[numbers[name]] for name in every]
    spectra = {one.name: one for one in fit.spectra}
    units = np.array(
        [
            atoms_per_area(
                LEVELS[one.level],
                one.binding_ev,
                spectra[one.region].pass_energy_ev,
                spectra[one.region].analyser,
                substrate if one.name == substrate_line else matrix,
            )
            * spectra[one.region].seconds
            for one in components
        ]
    )
    areas = np.array([fit.area[name].value for name in every])
    kinetic = AL_K_ALPHA_EV - components[-1].binding_ev
    cosine = spectra[components[-1].region].analyser.cosine
    path = compound_named(matrix).mean_free_path_nm(kinetic) * cosine
    bulk = _atoms_per_nm3(substrate) / _atoms_per_nm3(matrix)
    index, members = 0, []
    for one in groups.values():
        members.append(slice(index, index + len(one)))
        index += len(one)

    def amounts(values: np.ndarray) -> np.ndarray:
        atoms = np.maximum(values, 0.0) / units
        layer = atoms[:-1].sum()
        floor = 1e-3 * (layer + atoms[-1]) + 1e-300
        whole = path * np.log1p(layer / max(atoms[-1], floor) * bulk)
        return np.array([atoms[one].sum() for one in members]) / max(layer, 1e-300) * whole

    value = amounts(areas)
    steps = np.maximum(1e-3 * areas, 1e-6 * areas.max())
    slope = np.array(
        [(amounts(areas + row) - value) / step for step, row in zip(steps, np.diag(steps), strict=True)]
    )
    block = np.ix_([numbers[name] for name in every], [numbers[name] for name in every])
    known = (sensitivity or Sensitivity()).covariance(
        [LEVELS[one.level] for one in components], np.array([one.binding_ev for one in components])
    )
    sys = fit.covariance_sys[block] + known * np.outer(areas, areas)
    found = {}
    for number, group in enumerate(groups):
        by = slope[:, number]
        stat = float(np.sqrt(by @ fit.covariance_stat[block] @ by))
        common = float(np.sqrt(by @ sys @ by + (MEAN_FREE_PATH_SIGMA * value[number]) ** 2))
        found[group] = Estimate(float(value[number]), stat, common)
    return found


def _atoms_per_nm3(compound: str) -> float:
    one = compound_named(compound)
    return one.units_per_nm3 * sum(count for element, count in one.elements.items() if element != "H")


def amount_series(
    time_h: Sequence[float], amounts: Sequence[Mapping[str, Estimate]], *, relative: float = 0.05
) -> AmountSeries:
    """A series from amounts at single times.

    Errors that are common to all times move no onset; of those that are not shown by counting, the part
    `relative` is taken to change from time to time.
    """
    groups = list(amounts[0]) if amounts else []
    if len(amounts) != len(time_h):
        raise XpsError(f"{len(amounts)} amounts for {len(time_h)} times")
    values = {group: np.array([one[group].value for one in amounts]) for group in groups}
    sigma = {
        group: np.hypot([one[group].sigma_stat for one in amounts], relative * np.abs(values[group]))
        for group in groups
    }
    return AmountSeries(np.asarray(time_h, float), values, sigma)

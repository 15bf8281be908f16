"""Ensembles of simulated measurements, and what they say of the errors that a reduction claims.

noise
    Worlds that are each measured again and again: the scatter of the values about the mean of their world, in
    units of sigma_stat, is 1 where counting is all there is. The squares of all worlds go together, each with
    one degree of freedom less than it has values. How right a sigma_stat is differs more between worlds than
    ten repeats of one leave unknown: so there are many of them.
worlds
    Every measurement in a world of its own, cells and instruments drawn from what they are declared to be:
    how often the truth lies within hypot(sigma_stat, sigma_sys). The mean error over all of them is the bias
    of the reduction, to be held against sigma_sys; that of one world is what sigma_sys is there for.
classes
    What is drawn has a class; how often it is given another one.

A reduction may refuse what it cannot measure, by an error of its own (`REFUSALS`): the quantity then counts
as not determined, and a sample as refused. Any other exception is a mistake and ends the run.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from intercalate.reduction import Estimate
from intercalate.reduction.bands import SpectrumError as BandError
from intercalate.reduction.ebsd.grains import OrientationMapError
from intercalate.reduction.eds.errors import SpectrumError as XrayError
from intercalate.reduction.eels.spectra import EelsError
from intercalate.reduction.fiducials import FiducialError
from intercalate.reduction.micrographs.image import MicrographError
from intercalate.reduction.raman.axis import AxisError
from intercalate.reduction.raman.counts import CountsError
from intercalate.reduction.raman.focus import FocusError
from intercalate.reduction.raman.maps import MapError
from intercalate.reduction.tem.outline import TemError
from intercalate.reduction.window import WindowError
from intercalate.reduction.xps.counts import XpsError

SPREAD = (0.85, 1.15)
COVERAGE = (0.60, 0.85)
ACCURACY = 0.9
WORLDS = 400
NOISE_WORLDS = 40
NOISE = 10
IMAGES = 300
LEAST_FREEDOM = 10
"""Degrees of freedom of a spread: with fewer it is not known to a quarter of itself."""
SELDOM = 0.5
"""A quantity that is determined in fewer worlds is said to be so."""
REFUSALS = (
    AxisError,
    BandError,
    CountsError,
    EelsError,
    FiducialError,
    FocusError,
    MapError,
    MicrographError,
    OrientationMapError,
    TemError,
    WindowError,
    XpsError,
    XrayError,
)
"""What reductions raise where they cannot measure."""
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One quantity of one measurement; the estimate is NaN where it was not determined."""

    truth: float
    estimate: Estimate


class Measurement(Protocol):
    """Measures quantities in drawn worlds.

    One that names a quantity by what was found draws one sample in a world, since two of them may be given
    one name. It says how many kinds of samples follow each other, as `kinds`; of worlds there are as many
    times more.

    Attributes
    ----------
    title
        Of its table.
    """

    title: str

    def measure(self, world: int, noise: int) -> Mapping[str, Outcome]:
        """Quantities by name with unit; the same seeds give the same numbers. May raise one of `REFUSALS`."""
        ...


class Sorting(Protocol):
    """Gives drawn samples their class."""

    title: str
    classes: Sequence[str]

    def sort(self, number: int) -> tuple[str, str]:
        """The true class of a drawn sample, and the one that it was given: maybe another, or `REFUSED`."""
        ...


@dataclass(frozen=True)
class Honesty:
    """What ensembles say of one quantity.

    Attributes
    ----------
    spread
        Standard deviation of (value - mean of the world) / sigma_stat over all worlds; NaN where they leave
        less than ten degrees of freedom.
    is_counted
        Whether there is a statistical error at all: a window that is merely known to hold the value has none.
    bias
        Mean error over all worlds in units of their median sigma_sys, less twice its own standard error.
    coverage
        Share of worlds with the truth within one combined standard error.
    determined
        Share of worlds in which there was a value at all.
    typical_sigma
        Median combined standard error.
    """

    spread: float
    is_counted: bool
    bias: float
    coverage: float
    determined: float
    typical_sigma: float

    @property
    def is_honest(self) -> bool:
        """Whether all goals are met."""
        # Where there is no statistical error, nothing scatters by it.
        spread_fits = not self.is_counted or SPREAD[0] <= self.spread <= SPREAD[1]
        return bool(spread_fits and self.bias <= 1.0 and COVERAGE[0] <= self.coverage <= COVERAGE[1])


@dataclass(frozen=True)
class Judgement:
    """Quantities by name, and why how many of all measurements were refused."""

    quantities: Mapping[str, Honesty]
    refusals: Mapping[str, int] = field(default_factory=dict)


def kinds_of(measurement: Measurement) -> int:
    """How many kinds of samples its worlds have, one after the other."""
    return int(getattr(measurement, "kinds", 1))


def judge(
    measurement: Measurement, worlds: int = WORLDS, noise: int = NOISE, first_world: int = 0
) -> Judgement:
    """Run both ensembles of a measurement; other worlds by another first one."""
    refusals: Counter[str] = Counter()
    kinds = kinds_of(measurement)

    def measured(world: int, number: int) -> Mapping[str, Outcome]:
        try:
            return measurement.measure(first_world + world, number)
        except REFUSALS as error:
            refusals[_reason(error)] += 1
            return {}

    of_noise = kinds * NOISE_WORLDS
    repeated = [[measured(world, 1 + number) for number in range(noise)] for world in range(of_noise)]
    drawn = [measured(of_noise + world, 0) for world in range(kinds * worlds)]
    names = {name: None for one in (*(one for world in repeated for one in world), *drawn) for name in one}
    return Judgement({name: _of(name, repeated, drawn) for name in names}, refusals)


def given_class(find: Callable[[], str]) -> str:
    """The class that a reduction finds, or that it refused."""
    try:
        return find()
    except REFUSALS:
        return REFUSED


def _reason(error: Exception) -> str:
    """What it says without its numbers, which differ from one measurement to the next."""
    return re.sub(r"[-+]?\d[\d.e+-]*", "#", re.split(r"[:;(]", str(error))[0]).strip()


def _of(
    name: str, repeated: Sequence[Sequence[Mapping[str, Outcome]]], drawn: Sequence[Mapping[str, Outcome]]
) -> Honesty:
    spread = _spread([_columns(name, world) for world in repeated])
    value, stat, systematic, truth = _columns(name, drawn)
    sigma = np.hypot(stat, systematic)
    return Honesty(
        spread=spread,
        is_counted=bool(np.any(stat > 0) or np.isfinite(spread)),
        bias=_bias(value - truth, systematic),
        coverage=float(np.mean(np.abs(value - truth) <= sigma)) if value.size else float("nan"),
        determined=value.size / max(len(drawn), 1),
        typical_sigma=float(np.median(sigma)) if value.size else float("nan"),
    )


def _spread(repeated: Sequence[tuple[np.ndarray, ...]]) -> float:
    """Standard deviation in units of sigma_stat about the mean of each world, over all of them."""
    squares, freedom = 0.0, 0
    for value, stat, _, _ in repeated:
        counted = value[stat > 0]
        if counted.size > 1:
            squares += float(np.sum(((counted - counted.mean()) / stat[stat > 0]) ** 2))
            freedom += counted.size - 1
    return float(np.sqrt(squares / freedom)) if freedom >= LEAST_FREEDOM else float("nan")


def _bias(error: np.ndarray, systematic: np.ndarray) -> float:
    """Mean error in units of sigma_sys, less what the number of worlds leaves unknown."""
    if error.size < 10:
        return float("nan")
    uncertain = 2.0 * float(error.std(ddof=1)) / np.sqrt(error.size)
    left = max(abs(float(error.mean())) - uncertain, 0.0)
    known = float(np.median(systematic))
    return left / known if known > 0 else (0.0 if left == 0.0 else float("inf"))


def _columns(name: str, measured: Sequence[Mapping[str, Outcome]]) -> tuple[np.ndarray, ...]:
    """Value, both errors and truth where the quantity is there and was determined."""
    rows = [
        (one.estimate.value, one.estimate.sigma_stat, one.estimate.sigma_sys, one.truth)
        for found in measured
        if (one := found.get(name)) is not None and np.isfinite(one.estimate.value)
    ]
    columns = np.array(rows, dtype=float).reshape(-1, 4).T
    return tuple(columns)


def confusion(sorting: Sorting, images: int = IMAGES, first: int = 0) -> tuple[np.ndarray, list[str]]:
    """Counts of true class (rows) against the one that was given (columns), and the names of the columns."""
    pairs = [sorting.sort(number) for number in range(first, first + images)]
    columns = list(dict.fromkeys((*sorting.classes, *(found for _, found in pairs))))
    counts = np.zeros((len(sorting.classes), len(columns)), dtype=int)
    for true, found in pairs:
        counts[list(sorting.classes).index(true), columns.index(found)] += 1
    return counts, columns

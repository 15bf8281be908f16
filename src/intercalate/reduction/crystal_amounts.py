"""How much there is of crystals that come and go, where their structures are known.

Of such a phase all lines together have one scale, by its structure factors; what else is in the beam has
lines of free intensities. A phase that is absent has an amount near 0 with an error, and so an upper limit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import least_squares

from intercalate.materials.model import Mark, Source
from intercalate.reduction.crystal_profiles import (
    BACKGROUND_TERMS,
    COMMON,
    GROWN,
    HIGH,
    LOW,
    RANGE_DEG,
    START,
    CrystalModel,
    KnownCrystal,
    Shape,
)
from intercalate.reduction.integration import Pattern
from intercalate.reduction.linear import regularised
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.results import UNDETERMINED, Estimate

DETECTION_SIGMA = 3.0
STRUCTURE_SIGMA = 0.05
"""Relative, of the amount of one crystal in parts of another: texture and absorption in their grains."""
MOST_WEIGHTED_RESIDUAL = 0.2
_LEAST_POINTS = 100

DEBYE_WALLER_SOURCE = Source("orders of magnitude of molecular crystals and of salts", Mark.ILLUSTRATION)


def sulfur_crystals(depth_um: float) -> list[KnownCrystal]:
    """Orthorhombic sulfur, which all amounts are parts of, and Li2S; both counted by atoms of sulfur."""
    return [
        KnownCrystal("S8", 128.0, 3.0, 1.0, depth_um),
        KnownCrystal("Li2S", 4.0, 1.3, 0.5, depth_um),
    ]


@dataclass(frozen=True)
class _Solved:
    """A linear fit.

    Attributes
    ----------
    value, covariance
        Of all coefficients; by counting.
    residual
        In sigma.
    response
        Of each coefficient to each residual, shape (coefficients, points).
    """

    value: np.ndarray
    covariance: np.ndarray
    residual: np.ndarray
    response: np.ndarray

    @classmethod
    def of(cls, columns: np.ndarray, part: Pattern, weighted: Pattern) -> "_Solved":
        """With the weights of a pattern, which may be another one."""
        weight_sigma = np.interp(part.two_theta_deg, weighted.two_theta_deg, weighted.sigma)
        scaled = columns / weight_sigma[:, None]
        norm = np.sqrt((scaled**2).sum(axis=0))
        norm[norm == 0] = 1.0
        scaled /= norm
        inverse = np.linalg.inv(regularised(scaled.T @ scaled))
        response = (inverse @ scaled.T) / norm[:, None] * (part.sigma / weight_sigma)
        observed = part.intensity / part.sigma
        value = response @ observed
        residual = observed - columns @ value / part.sigma
        return cls(value, response @ response.T, residual, response)


@dataclass(frozen=True)
class _Both:
    """A linear fit with the weights of the first pattern, and one with those of the pattern itself."""

    common: _Solved
    own: _Solved

    @classmethod
    def of(cls, columns: np.ndarray, part: Pattern, first: Pattern) -> "_Both":
        """Of the columns of one shape."""
        return cls(_Solved.of(columns, part, first), _Solved.of(columns, part, part))

    def by(self, number: int) -> _Solved:
        """The one by which a crystal is measured."""
        return self.common if number == 0 else self.own


@dataclass(frozen=True)
class _Unit:
    """The first pattern, of whose first crystal all amounts are parts."""

    solved: _Solved
    part: Pattern

    @property
    def value(self) -> float:
        """Its scale."""
        return float(self.solved.value[0])

    @property
    def sigma(self) -> float:
        """By counting."""
        return float(np.sqrt(self.solved.covariance[0, 0]))

    def counting_variance(self, one: _Solved, number: int) -> float:
        """Of an amount: the pattern that it is a part of was counted, too."""
        relative = one.value[number] / self.value * self.sigma
        return float(one.covariance[number, number] + relative**2) / self.value**2

    def misfit(self, one: _Solved, part: Pattern, number: int, width_deg: float) -> float:
        """Standard error of an amount by what is left of both patterns, beyond counting.

        What is left moves an amount where the crystal has lines. Within a line it has both signs, which
        cancel in part, as its scale was fitted: products of points count less the further they are apart, up
        to the extent of a line, a full width to either side (W. K. Newey and K. D. West, Econometrica 55
        (1987) 703). What fits in neither pattern moves the amount and its unit alike.
        """
        moved = one.response[number] * one.residual / self.value
        unit_moved = (
            one.value[number] / self.value * self.solved.response[0] * self.solved.residual / self.value
        )
        same = np.array_equal(part.two_theta_deg, self.part.two_theta_deg)
        parts = [moved - unit_moved] if same else [moved, unit_moved]
        reach = round(2 * width_deg / float(np.median(np.diff(part.two_theta_deg))))
        kernel = np.bartlett(2 * reach + 3)[1:-1]
        seen = sum(float(each @ np.convolve(each, kernel, "same")) for each in parts)
        return float(np.sqrt(max(seen - self.counting_variance(one, number), 0.0)))


@dataclass(frozen=True)
class _FittedShape:
    """A shape with some of it refined.

    Attributes
    ----------
    moved
        The same moved by one standard error, by counting, along each axis of its covariance.
    misfit
        By what factor its variance is larger by misfit than by counting, less 1; 0 at least.
    went_well
        Whether the fit ended in a minimum.
    """

    shape: Shape
    moved: list[Shape]
    misfit: float
    went_well: bool

    @classmethod
    def of(cls, model: CrystalModel, start: Shape, free: slice) -> "_FittedShape":
        """By one pattern."""
        whole = start.vector()

        def residuals(vector: np.ndarray) -> np.ndarray:
            whole[free] = vector
            return _Solved.of(model.columns(Shape.of(whole)), model.part, model.part).residual

        low, high = LOW.vector()[free], HIGH.vector()[free]
        found = least_squares(
            residuals,
            np.clip(whole[free], low + 1e-6, high - 1e-6),
            bounds=(low, high),
            x_scale=0.1,
            ftol=1e-6,
            xtol=1e-6,
            max_nfev=200,
        )
        degrees = max(found.fun.size - found.jac.shape[1] - BACKGROUND_TERMS, 1)
        variance, axes = np.linalg.eigh(np.linalg.pinv(found.jac.T @ found.jac))

        def at(vector: np.ndarray) -> Shape:
            whole[free] = np.clip(vector, low, high)
            return Shape.of(whole)

        off = np.sqrt(np.maximum(variance, 0.0)) * axes
        moved = [at(found.x + one) for one in off.T]
        return cls(at(found.x), moved, max(2 * found.cost / degrees - 1.0, 0.0), bool(found.success))


def crystal_amounts(
    patterns: Iterable[Pattern | str], crystals: Sequence[KnownCrystal], others: Sequence[FitPhase]
) -> xr.Dataset:
    """Amounts of crystals in every pattern of a series, in parts of the first crystal in the first pattern.

    Displacement and widths are those of the first pattern for all; the widths of what grows are those of the
    pattern in which it stands out most. For the first crystal all are weighted as the first pattern is: what
    does not fit of it, in its profile or the strengths of its lines, is then the same part of every amount.
    `sigma_stat` holds the counting of the pattern, of the first, which gives displacement and widths as well
    as the unit, and of that which gave the widths of what grows. `sigma_sys` holds the misfit where lines of
    the crystal are, less what is the same in the first pattern, what misfit makes of the widths of what
    grows, the displacements of the atoms, and, of all crystals but the first, `STRUCTURE_SIGMA`.

    Parameters
    ----------
    patterns
        In order of time. A text in the place of one says why there is none.
    crystals
        The first is there in the first pattern.
    others
        What else has lines in the beam; their intensities are free.

    Returns
    -------
    xarray.Dataset
        Along `frame`: `amount.KEY` with `_sigma_stat` and `_sigma_sys`, `present_KEY`, `limit.KEY` (the upper
        limit where it is not present, by three standard errors; NaN where it is), `reduced_chi2`, `converged`
        and `message`.

    Raises
    ------
    ValueError
        If the series holds no pattern at all.
    """
    given = list(patterns)
    models = [None if isinstance(one, str) else CrystalModel(one, crystals, others) for one in given]
    usable = [number for number, one in enumerate(models) if one is not None]
    if not usable:
        raise ValueError(f"the series holds no pattern{f': {given[0]}' if given else ''}")
    first = models[usable[0]]
    assert first is not None
    if len(first.part) < _LEAST_POINTS:
        raise ValueError(
            f"{len(first.part)} points between {RANGE_DEG[0]} and {RANGE_DEG[1]} deg are too few; "
            f"at least {_LEAST_POINTS} are needed"
        )
    unit_part = first.part

    def solved_with(shape: Shape) -> list[_Both | None]:
        return [None if one is None else _Both.of(one.columns(shape), one.part, unit_part) for one in models]

    fitted = _FittedShape.of(first, START, COMMON)
    went_well, grown = fitted.went_well, None
    shape, solved = fitted.shape, solved_with(fitted.shape)
    own = [None if one is None else one.own for one in solved]
    signals = [-np.inf if one is None else one.value[1] / np.sqrt(one.covariance[1, 1]) for one in own]
    best = int(np.argmax(signals))
    if signals[best] > 3 * DETECTION_SIGMA:
        clearest = models[best]
        assert clearest is not None
        grown = _FittedShape.of(clearest, shape, GROWN)
        went_well &= grown.went_well
        shape, solved = grown.shape, solved_with(grown.shape)
    # What misfit does to the shape of the first pattern, it does to all of them, and to the unit, alike.
    errors = [
        _ShapeError([solved_with(shape.with_part(free, one)) for one in part.moved], usable[0], misfit)
        for part, free, misfit in ((fitted, COMMON, 0.0), (grown, GROWN, grown.misfit if grown else 0.0))
        if part is not None
    ]
    return _dataset(given, models, crystals, solved, errors, shape, went_well)


@dataclass(frozen=True)
class _ShapeError:
    """What the error of a part of the shape does to amounts.

    Attributes
    ----------
    moved
        All patterns with a shape that is off by a standard error, by counting, for each axis of it.
    first
        Number of the pattern of which amounts are parts: it has the same shape.
    misfit
        As of `_FittedShape`; 0 where it is the same in all patterns.
    """

    moved: Sequence[Sequence[_Both | None]]
    first: int
    misfit: float

    def variance(self, pattern: int, number: int, value: float) -> float:
        """Of an amount, by counting."""
        total = 0.0
        for every in self.moved:
            one, unit = every[pattern], every[self.first]
            assert one is not None
            assert unit is not None
            total += (float(one.by(number).value[number] / unit.common.value[0]) - value) ** 2
        return total


def _dataset(
    given: Sequence[Pattern | str],
    models: Sequence[CrystalModel | None],
    crystals: Sequence[KnownCrystal],
    solved: Sequence[_Both | None],
    errors: Sequence[_ShapeError],
    shape: Shape,
    went_well: bool,
) -> xr.Dataset:
    unit = next(
        _Unit(one.common, at.part) for one, at in zip(solved, models) if one is not None and at is not None
    )
    is_there = unit.value > 3 * DETECTION_SIGMA * unit.sigma
    columns: dict[str, tuple] = {}
    chi2, good, messages = [], [], []
    for one, model, pattern in zip(solved, models, given):
        if one is None or model is None:
            chi2.append(np.nan)
            good.append(False)
            messages.append(pattern if isinstance(pattern, str) else "")
            continue
        observed, squares = (
            model.part.intensity / model.part.sigma,
            float(one.own.residual @ one.own.residual),
        )
        chi2.append(squares / max(observed.size - one.own.value.size, 1))
        off = float(np.sqrt(squares / (observed @ observed)))
        message = "" if went_well else "displacement and widths were not found"
        if not is_there:
            message = f"{crystals[0].key} does not stand out in the first pattern, which amounts are parts of"
        if off > MOST_WEIGHTED_RESIDUAL:
            message = f"weighted residual {off:.2f} exceeds {MOST_WEIGHTED_RESIDUAL}: a phase is missing"
        good.append(not message)
        messages.append(message)
    for number, phase in enumerate(crystals):
        scale = structure_sigma(phase, crystals[0]) if number > 0 else 0.0
        width = shape.width_of(number)
        found = []
        for at, (both, model, well) in enumerate(zip(solved, models, good)):
            if both is None or model is None or not well:
                found.append(UNDETERMINED)
                continue
            one = both.by(number)
            value = float(one.value[number] / unit.value)
            by_shape = np.array([error.variance(at, number, value) for error in errors])
            stat = np.sqrt(unit.counting_variance(one, number) + by_shape.sum())
            misfit = unit.misfit(one, model.part, number, width)
            of_shape = float(by_shape @ [error.misfit for error in errors])
            sys = np.sqrt(misfit**2 + of_shape + (value * scale) ** 2)
            found.append(Estimate(value, float(stat), float(sys)))
        name, attributes = f"amount.{phase.key}", {"units": f"of {crystals[0].key} in the first frame"}
        value, stat, sys = (
            np.array([getattr(one, part) for one in found]) for part in ("value", "sigma_stat", "sigma_sys")
        )
        total = np.hypot(stat, sys)
        present = value > DETECTION_SIGMA * total
        columns |= {
            name: ("frame", value, attributes),
            f"{name}_sigma_stat": ("frame", stat, attributes),
            f"{name}_sigma_sys": ("frame", sys, attributes),
            f"present_{phase.key}": ("frame", present),
            f"limit.{phase.key}": (
                "frame",
                np.where(present, np.nan, np.maximum(value, 0.0) + DETECTION_SIGMA * total),
                attributes,
            ),
        }
    columns |= {
        "reduced_chi2": ("frame", np.array(chi2)),
        "converged": ("frame", np.array(good)),
        "message": ("frame", np.array(messages)),
    }
    return xr.Dataset(columns, coords={"frame": np.arange(len(given))})


def structure_sigma(phase: KnownCrystal, first: KnownCrystal) -> float:
    """Relative standard uncertainty of the amount of one crystal in parts of another by their structures."""
    # Both at the spacing of their strongest lines, near 3.5 A.
    atoms = np.hypot(phase.debye_waller_sigma, first.debye_waller_sigma) / (2 * 3.5**2)
    return float(np.hypot(STRUCTURE_SIGMA, atoms))

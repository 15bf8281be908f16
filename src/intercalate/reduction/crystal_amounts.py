"""How much there is of crystals that come and go, where their structures are known.

Of such a phase all lines together have one scale, by its structure factors; what else is in the beam has
lines of free intensities. A phase that is absent has an amount near 0 with an error, and so an upper limit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.polynomial import chebyshev
from scipy.optimize import least_squares

from intercalate.materials.crystals import crystal, powder_lines
from intercalate.materials.model import Mark, Source
from intercalate.reduction.integration import Pattern
from intercalate.reduction.linear import regularised
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.profiles import total_width, windowed_pseudo_voigt
from intercalate.reduction.results import UNDETERMINED, Estimate

RANGE_DEG = (4.5, 16.0)
BACKGROUND_TERMS = 10
DETECTION_SIGMA = 3.0
LEAST_D_ANGSTROM = 1.6
"""Spacing down to which lines are reckoned: they reach into the range."""
STRUCTURE_SIGMA = 0.05
"""Relative, of the amount of one crystal in parts of another: texture and absorption in their grains."""
MOST_WEIGHTED_RESIDUAL = 0.2
_LEAST_POINTS = 100
_SCALE = 1e-5
"""Brings the scale of a phase to that of the intensity of other lines."""


@dataclass(frozen=True)
class KnownCrystal:
    """A crystal whose amount is sought.

    Attributes
    ----------
    key
        In the table of crystals.
    atoms
        In a cell, of the element by which it is counted.
    debye_waller, debye_waller_sigma
        B in A^2, and its standard uncertainty.
    depth_um
        Downstream of the reference plane of the cell.
    """

    key: str
    atoms: float
    debye_waller: float
    debye_waller_sigma: float
    depth_um: float = 0.0


DEBYE_WALLER_SOURCE = Source("orders of magnitude of molecular crystals and of salts", Mark.ILLUSTRATION)


def sulfur_crystals(depth_um: float) -> list[KnownCrystal]:
    """Orthorhombic sulfur, which all amounts are parts of, and Li2S; both counted by atoms of sulfur."""
    return [
        KnownCrystal("S8", 128.0, 3.0, 1.0, depth_um),
        KnownCrystal("Li2S", 4.0, 1.3, 0.5, depth_um),
    ]


@dataclass(frozen=True)
class _Shape:
    """What is common to all patterns of a series: displacement, and widths in degrees of 2theta."""

    displacement_um: float
    gaussian: float
    lorentzian: float
    separator: float
    grown: float

    def vector(self) -> np.ndarray:
        """As the fit has it."""
        widths = (self.gaussian, self.lorentzian, self.separator, self.grown)
        return np.array([self.displacement_um / 100.0, *np.log(widths)])

    def widths_of(self, number: int) -> tuple[float, float]:
        """Gaussian and Lorentzian of a crystal by its number: what grows in the cell is fine, and broader."""
        gaussian = self.gaussian if number == 0 else float(np.hypot(self.gaussian, self.grown))
        return gaussian, self.lorentzian

    @classmethod
    def of(cls, vector: np.ndarray) -> "_Shape":
        """The other way."""
        return cls(100.0 * float(vector[0]), *(float(one) for one in np.exp(vector[1:])))


_START = _Shape(0.0, 0.045, 0.01, 0.2, 0.12)
_LOW, _HIGH = (_Shape(*ends) for ends in ((-800.0, 0.01, 1e-4, 0.05, 0.02), (800.0, 0.2, 0.1, 0.6, 0.8)))
_COMMON, _GROWN = slice(0, 4), slice(4, 5)


class _Model:
    """Columns of the linear fit of one pattern."""

    def __init__(self, part: Pattern, crystals: Sequence[KnownCrystal], others: Sequence[FitPhase]):
        self.part, self.crystals, self.others = part, crystals, others
        x = part.two_theta_deg
        span = (x - RANGE_DEG[0]) / (RANGE_DEG[1] - RANGE_DEG[0]) * 2 - 1
        self._background = chebyshev.chebvander(span, BACKGROUND_TERMS - 1)
        self._sticks = [self._of(one) for one in crystals]

    def _of(self, one: KnownCrystal) -> tuple[np.ndarray, np.ndarray]:
        """1/d of the lines of a crystal, and their power per solid angle for an atom."""
        found = crystal(one.key)
        lines = powder_lines(found, 1.0, least_d_angstrom=LEAST_D_ANGSTROM)
        inverse_d = 1.0 / lines.d_angstrom
        theta = np.arcsin(np.minimum(self.part.wavelength_angstrom * inverse_d / 2, 0.99))
        power = lines.strength * np.exp(-one.debye_waller * inverse_d**2 / 2)
        power = power / (float(found.volume_at(1.0)) * one.atoms * np.sin(theta) * np.sin(2 * theta))
        kept = power > 1e-3 * power.max()
        return inverse_d[kept], power[kept] * _SCALE

    def _profiles(self, inverse_d: np.ndarray, depth_um: float, shape: _Shape, gaussian: float) -> np.ndarray:
        angle = 2 * np.arcsin(np.minimum(self.part.wavelength_angstrom * inverse_d / 2, 0.99))
        if self.part.distance_mm is not None:
            scale = 1 - (depth_um + shape.displacement_um) * 1e-3 / self.part.distance_mm
            angle = np.arctan(scale * np.tan(angle))
        every = np.ones(inverse_d.size)
        made = windowed_pseudo_voigt(
            self.part.two_theta_deg,
            np.degrees(angle),
            gaussian * every,
            shape.lorentzian * every,
            least_reach=0.5,
            reach_widths=8.0,
        )
        return made.value

    def columns(self, shape: _Shape) -> np.ndarray:
        """Shape (points, crystals + lines of others + background)."""
        columns = []
        for number, (one, (inverse_d, power)) in enumerate(zip(self.crystals, self._sticks)):
            gaussian, _ = shape.widths_of(number)
            columns.append(self._profiles(inverse_d, one.depth_um, shape, gaussian) @ power[:, None])
        for phase in self.others:
            inverse_d = np.sqrt(phase.inverse_d_squared(np.array(phase.start)))
            angle = np.degrees(2 * np.arcsin(np.minimum(self.part.wavelength_angstrom * inverse_d / 2, 0.99)))
            inside = (angle > RANGE_DEG[0]) & (angle < RANGE_DEG[1])
            gaussian = shape.separator if phase.broad_deg > 0 else shape.gaussian
            columns.append(self._profiles(inverse_d[inside], phase.depth_um, shape, gaussian))
        return np.concatenate([*columns, self._background], axis=1)

    def residuals(self, shape: _Shape) -> np.ndarray:
        """Of the linear fit, in sigma."""
        solved = _Solved.of(self.columns(shape), self.part)
        return solved.residual


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
    def of(cls, columns: np.ndarray, part: Pattern) -> "_Solved":
        scaled = columns / part.sigma[:, None]
        norm = np.sqrt((scaled**2).sum(axis=0))
        norm[norm == 0] = 1.0
        scaled /= norm
        covariance = np.linalg.inv(regularised(scaled.T @ scaled))
        observed = part.intensity / part.sigma
        response = covariance @ scaled.T
        value = response @ observed
        residual = observed - scaled @ value
        return cls(value / norm, covariance / np.outer(norm, norm), residual, response / norm[:, None])


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


def _fitted_shape(model: _Model, shape: _Shape, free: slice) -> tuple[_Shape, np.ndarray, bool]:
    """Shape with some of it refined, standard errors by counting and misfit, and whether that went well."""
    start = shape.vector()

    def residuals(vector: np.ndarray) -> np.ndarray:
        whole = start.copy()
        whole[free] = vector
        return model.residuals(_Shape.of(whole))

    low, high = _LOW.vector()[free], _HIGH.vector()[free]
    found = least_squares(
        residuals,
        np.clip(start[free], low + 1e-6, high - 1e-6),
        bounds=(low, high),
        x_scale=0.1,
        ftol=1e-6,
        xtol=1e-6,
        max_nfev=200,
    )
    whole = start.copy()
    whole[free] = found.x
    degrees = max(found.fun.size - found.jac.shape[1] - BACKGROUND_TERMS, 1)
    spread = np.linalg.pinv(found.jac.T @ found.jac) * max(1.0, 2 * found.cost / degrees)
    return _Shape.of(whole), np.sqrt(np.diag(spread)), bool(found.success)


def crystal_amounts(
    patterns: Iterable[Pattern | str], crystals: Sequence[KnownCrystal], others: Sequence[FitPhase]
) -> xr.Dataset:
    """Amounts of crystals in every pattern of a series, in parts of the first crystal in the first pattern.

    Displacement and widths are those of the first pattern for all; the width of what grows is that of the
    pattern in which it stands out most. `sigma_sys` holds the misfit where lines of the crystal are, less
    what is the same in the first pattern, that width, the displacements of the atoms, and, of all crystals
    but the first, `STRUCTURE_SIGMA`.

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
    models = [
        None if isinstance(one, str) else _Model(one.between(*RANGE_DEG), crystals, others) for one in given
    ]
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
    shape, _, went_well = _fitted_shape(first, _START, _COMMON)
    solved = [None if one is None else _Solved.of(one.columns(shape), one.part) for one in models]
    signals = [-np.inf if one is None else one.value[1] / np.sqrt(one.covariance[1, 1]) for one in solved]
    best = int(np.argmax(signals))
    widened = shape
    if signals[best] > 3 * DETECTION_SIGMA:
        clearest = models[best]
        assert clearest is not None
        shape, sigma, grown_well = _fitted_shape(clearest, shape, _GROWN)
        went_well &= grown_well
        widened = replace(shape, grown=min(shape.grown * float(np.exp(sigma[0])), _HIGH.grown))
    solved = [None if one is None else _Solved.of(one.columns(shape), one.part) for one in models]
    others_of = [None if one is None else _Solved.of(one.columns(widened), one.part) for one in models]
    return _dataset(given, models, crystals, solved, others_of, shape, went_well)


def _dataset(
    given: Sequence[Pattern | str],
    models: Sequence[_Model | None],
    crystals: Sequence[KnownCrystal],
    solved: Sequence[_Solved | None],
    widened: Sequence[_Solved | None],
    shape: _Shape,
    went_well: bool,
) -> xr.Dataset:
    unit = next(_Unit(one, at.part) for one, at in zip(solved, models) if one is not None and at is not None)
    is_there = unit.value > 3 * DETECTION_SIGMA * unit.sigma
    columns: dict[str, tuple] = {}
    chi2, good, messages = [], [], []
    for one, model, pattern in zip(solved, models, given):
        if one is None or model is None:
            chi2.append(np.nan)
            good.append(False)
            messages.append(pattern if isinstance(pattern, str) else "")
            continue
        observed = model.part.intensity / model.part.sigma
        chi2.append(float(one.residual @ one.residual) / max(one.residual.size - one.value.size, 1))
        off = float(np.sqrt(one.residual @ one.residual / (observed @ observed)))
        message = "" if went_well else "displacement and widths were not found"
        if not is_there:
            message = f"{crystals[0].key} does not stand out in the first pattern, which amounts are parts of"
        if off > MOST_WEIGHTED_RESIDUAL:
            message = f"weighted residual {off:.2f} exceeds {MOST_WEIGHTED_RESIDUAL}: a phase is missing"
        good.append(not message)
        messages.append(message)
    for number, phase in enumerate(crystals):
        scale = structure_sigma(phase, crystals[0]) if number > 0 else 0.0
        width = total_width(*(np.array([one]) for one in shape.widths_of(number)))[0].item()
        found = [
            _amount(one, other, number, unit, unit.misfit(one, model.part, number, width), scale)
            if one is not None and other is not None and model is not None and well
            else UNDETERMINED
            for one, other, model, well in zip(solved, widened, models, good)
        ]
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


def _amount(
    one: _Solved, other: _Solved, number: int, unit: _Unit, misfit: float, structure: float
) -> Estimate:
    value = float(one.value[number] / unit.value)
    width = float(abs(other.value[number] - one.value[number]) / unit.value)
    stat = np.sqrt(unit.counting_variance(one, number))
    return Estimate(value, float(stat), float(np.sqrt(misfit**2 + width**2 + (value * structure) ** 2)))


def structure_sigma(phase: KnownCrystal, first: KnownCrystal) -> float:
    """Relative standard uncertainty of the amount of one crystal in parts of another by their structures."""
    # Both at the spacing of their strongest lines, near 3.5 A.
    atoms = np.hypot(phase.debye_waller_sigma, first.debye_waller_sigma) / (2 * 3.5**2)
    return float(np.hypot(STRUCTURE_SIGMA, atoms))

"""Separable least squares: intensities and background solved inside, all else refined by damped steps.

Intensities, not negative and free for every line, and the coefficients of the background are solved exactly
for each set of the other parameters (variable projection in the form of L. Kaufman, BIT 15 (1975) 49).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from intercalate.reduction.linear import reduced_normal, regularised, solve_nonnegative
from intercalate.reduction.profiles import ProfileMatrix
from intercalate.reduction.results import CONVERGED

NEAR_MINIMUM = 0.2
"""Where no step lowers chi squared any more, a remaining step of this many sigma (counting and misfit)
is rounding."""

GOOD_GAIN = (0.5, 1.5)
"""A step that lowers chi squared by less or more than these parts of what the linear model promises is too
long or too short: where the profile does not fit, the model misses curvature, and would cross a minimum back
and forth, or crawl along a valley."""

LONGEST = 8.0
"""Times a step, where it is too short."""


@dataclass(frozen=True, slots=True)
class LineGeometry:
    """Positions and widths of all lines at one parameter vector, with their derivatives.

    Attributes
    ----------
    centre, gaussian, lorentzian
        In units of the abscissa, shape (R,).
    centre_by, gaussian_by, lorentzian_by
        Derivatives by all parameters, shape (R, P).
    """

    centre: np.ndarray
    gaussian: np.ndarray
    lorentzian: np.ndarray
    centre_by: np.ndarray
    gaussian_by: np.ndarray
    lorentzian_by: np.ndarray


def pattern_jacobian(geometry: LineGeometry, profiles: ProfileMatrix, intensities: np.ndarray) -> np.ndarray:
    """Derivatives of the sum of all lines by the nonlinear parameters, shape (points, P)."""
    column = intensities[:, None]
    return (
        profiles.by_centre @ (column * geometry.centre_by)
        + profiles.by_gaussian @ (column * geometry.gaussian_by)
        + profiles.by_lorentzian @ (column * geometry.lorentzian_by)
    )


class LineModel(Protocol):
    """Lines over a background.

    Attributes
    ----------
    background
        Shape (points, terms).
    low, high
        Bounds of the nonlinear parameters.
    """

    background: np.ndarray
    low: list[float]
    high: list[float]

    def geometry(self, parameters: np.ndarray) -> LineGeometry:
        """Positions and widths of all lines."""
        ...

    def profiles(self, geometry: LineGeometry) -> ProfileMatrix:
        """Profiles of all lines, shape (points, R)."""
        ...


@dataclass(frozen=True)
class Point:
    """A model at one parameter vector, with the linear part solved."""

    parameters: np.ndarray
    geometry: LineGeometry
    profiles: ProfileMatrix
    design: np.ndarray
    gram: np.ndarray
    linear: np.ndarray
    passive: np.ndarray
    residual: np.ndarray
    chi2: float


@dataclass(frozen=True, slots=True)
class Solved:
    """The linear part of a model: its weighted columns, their products, coefficients, which of these are not
    held at zero, and what is left of the observations.
    """

    design: np.ndarray
    gram: np.ndarray
    linear: np.ndarray
    passive: np.ndarray
    residual: np.ndarray


class SeparableFit:
    """A model and what was observed.

    Parameters
    ----------
    observed, sigma
        Shape (points,).
    allowed
        Lines that may have an intensity, shape (R,); may be changed between two minimisations.
    decisive
        Nonlinear parameters by whose steps convergence is judged, shape (P,).
    tolerance
        Converged when every decisive parameter moves by less than this part of its standard error.
    max_iterations
        After which the fit has failed.
    """

    def __init__(
        self,
        model: LineModel,
        observed: np.ndarray,
        sigma: np.ndarray,
        *,
        allowed: np.ndarray,
        decisive: np.ndarray,
        tolerance: float,
        max_iterations: int,
    ):
        self.model = model
        self.weight = 1 / sigma
        self.observed = observed * self.weight
        self.allowed = allowed
        self.low, self.high = np.array(model.low), np.array(model.high)
        self._decisive = decisive
        self._tolerance = tolerance
        self._max_iterations = max_iterations
        self._background = model.background * self.weight[:, None]

    def evaluate(self, parameters: np.ndarray, passive: np.ndarray | None = None) -> Point:
        """Solve for intensities and background; `passive` are the columns in use at a point nearby."""
        geometry = self.model.geometry(parameters)
        profiles = self.model.profiles(geometry)
        solved = self.solved(profiles.value * self.weight[:, None], passive)
        chi2 = float(solved.residual @ solved.residual)
        return Point(
            parameters,
            geometry,
            profiles,
            solved.design,
            solved.gram,
            solved.linear,
            solved.passive,
            solved.residual,
            chi2,
        )

    def solved(self, lines: np.ndarray, passive: np.ndarray | None = None) -> Solved:
        """Intensities of lines, weighted, shape (points, R), and background."""
        design = np.concatenate([lines, self._background], axis=1)
        gram = design.T @ design
        allowed = np.concatenate([self.allowed, np.ones(self._background.shape[1], dtype=bool)])
        linear, passive = solve_nonnegative(gram, design.T @ self.observed, allowed, lines.shape[1], passive)
        return Solved(design, gram, linear, passive, self.observed - design @ linear)

    def jacobian(self, point: Point) -> np.ndarray:
        """Derivatives of the weighted pattern by the nonlinear parameters, shape (points, P)."""
        lines = point.profiles.value.shape[1]
        found = pattern_jacobian(point.geometry, point.profiles, point.linear[:lines])
        return found * self.weight[:, None]

    def normal_matrix(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of all nonlinear parameters and the linear ones in use, and the gradient."""
        jacobian = self.jacobian(point)
        used = np.flatnonzero(point.passive)
        count = jacobian.shape[1]
        normal = np.empty((count + used.size, count + used.size))
        normal[:count, :count] = jacobian.T @ jacobian
        normal[:count, count:] = jacobian.T @ point.design[:, used]
        normal[count:, :count] = normal[:count, count:].T
        normal[count:, count:] = point.gram[used[:, None], used]
        return normal, jacobian.T @ point.residual

    def minimise(self, point: Point, refined: np.ndarray) -> tuple[Point, np.ndarray, np.ndarray, int, str]:
        """Levenberg-Marquardt; the undamped step in units of the standard error decides on convergence.

        Parameters
        ----------
        refined
            Nonlinear parameters that may move, shape (P,).

        Returns
        -------
        point, normal, free, iterations, message
            Where it ended, with the normal equations there; which parameters were free of their bounds;
            `CONVERGED`, or why not.
        """
        damping, count, free = 1e-4, refined.size, refined
        for iteration in range(1, self._max_iterations + 1):
            normal, gradient = self.normal_matrix(point)
            free = refined & ~self._held_at_bound(point.parameters, gradient)
            free &= np.diag(normal)[:count] > 0
            reduced, used = reduced_normal(normal, free, count)
            step = self._step(point.parameters, regularised(reduced), gradient, used)
            sigma = np.sqrt(np.diag(np.linalg.inv(regularised(reduced))))
            matters = self._decisive[used]
            remaining = np.max(np.abs(step[used][matters]) / sigma[matters], initial=0.0)
            if remaining < self._tolerance:
                return point, normal, free, iteration, CONVERGED
            lower = None
            while lower is None and damping < 1e8:
                damped = reduced.copy()
                damped.flat[:: damped.shape[0] + 1] *= 1 + damping
                step = self._step(point.parameters, damped, gradient, used)
                candidate = self._along(point, step, gradient[used], reduced, used)
                if candidate.chi2 <= point.chi2:
                    lower = candidate
                else:
                    damping *= 10
            if lower is None:
                degrees = max(self.observed.size - normal.shape[0], 1)
                near = remaining < NEAR_MINIMUM * max(1.0, np.sqrt(point.chi2 / degrees))
                message = CONVERGED if near else "stopped: no step lowers chi squared"
                return point, normal, free, iteration, message
            point, damping = lower, max(damping / 10, 1e-9)
        normal, _ = self.normal_matrix(point)
        message = f"not converged after {self._max_iterations} iterations"
        return point, normal, free, self._max_iterations, message

    def _along(
        self, point: Point, step: np.ndarray, gradient: np.ndarray, normal: np.ndarray, used: np.ndarray
    ) -> Point:
        """The point that a step leads to; shorter or longer, where a parabola through both says so."""
        candidate = self.evaluate(point.parameters + step, point.passive)
        moved = step[used]
        promised = float(moved @ (2 * gradient - normal @ moved))
        slope, gained = 2 * float(moved @ gradient), point.chi2 - candidate.chi2
        if promised <= 0 or GOOD_GAIN[0] <= gained / promised <= GOOD_GAIN[1]:
            return candidate
        curvature = slope - gained
        length = min(slope / 2 / curvature, LONGEST) if curvature > 0 else LONGEST
        parameters = np.clip(point.parameters + length * step, self.low, self.high)
        return min(candidate, self.evaluate(parameters, point.passive), key=lambda one: one.chi2)

    def _step(
        self, parameters: np.ndarray, matrix: np.ndarray, gradient: np.ndarray, used: np.ndarray
    ) -> np.ndarray:
        """Step that stays within the bounds."""
        step = np.zeros(parameters.size)
        step[used] = np.linalg.solve(matrix, gradient[used])
        return np.clip(parameters + step, self.low, self.high) - parameters

    def _held_at_bound(self, parameters: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        return ((parameters <= self.low) & (gradient < 0)) | ((parameters >= self.high) & (gradient > 0))

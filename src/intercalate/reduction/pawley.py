"""Pawley fit of several phases at once, with honest errors.

Positions and widths are refined, intensities free for every line: after G. S. Pawley, J. Appl. Cryst. 14
(1981) 357.

`sigma_stat` is the square root of the covariance's diagonal with the counting errors of the bins: it is
not scaled by chi squared. `sigma_sys` adds in quadrature the linear response of a parameter to each of
the errors named in `Systematics`, which are declared, not fitted.
"""

from collections.abc import Sequence

import numpy as np

from intercalate.reduction.integration import Pattern
from intercalate.reduction.linear import regularised
from intercalate.reduction.model import STRAIN_UNIT, PowderModel
from intercalate.reduction.phases import FitPhase
from intercalate.reduction.profiles import total_width
from intercalate.reduction.results import CONVERGED, UNDETERMINED, Estimate, FitOptions, PawleyResult
from intercalate.reduction.search import at_temperature, moved, searched, warm_start
from intercalate.reduction.separable import Point, SeparableFit

_MARGIN_DEG = 0.1
"""Lines so far outside the range still reach into it."""

_SCREENING = 0.3
"""Part of the threshold of detection that a phase must reach to be tried. The misfit by which that is
reckoned is the last frame's; a phase that grows would raise it itself, and never be found."""

_STILL_NEAR = 5.0
"""A pattern whose misfit with the lattice of the last one is below this multiple of the last misfit needs
no search for its lines."""

_COLD_MOVES = (-1e-3, 1e-3)
"""Relative changes of all searched lattices from which a cold start is tried as well: where lines lie upon
each other the nearest minimum may not be the deepest."""

_COLD_WIDTHS_DEG = (0.04, 0.12)
"""Instrumental widths of which a cold start takes the better: synchrotron and laboratory."""


def fit(
    pattern: Pattern,
    phases: Sequence[FitPhase],
    options: FitOptions | None = None,
    *,
    start: PawleyResult | None = None,
) -> PawleyResult:
    """Fit a pattern.

    Parameters
    ----------
    pattern
        Intensity with independent errors per bin.
    phases
        All that may be in the beam; those that are not are found to be absent.
    start
        Result of a similar pattern. Where it is not near any more, lines are searched for as well, and the
        better fit is taken: it does not stay behind when the cell has moved on.

    Returns
    -------
    PawleyResult
        Look at `converged` first.

    Raises
    ------
    ValueError
        If the range holds too few points for the number of parameters.
    """
    options = options or FitOptions()
    part = pattern.between(options.range_deg[0], min(options.range_deg[1], _end_deg(pattern, phases)))
    fitted = [at_temperature(phase, options.temperature_c) for phase in phases]
    lines = sum(len(phase.reflections) for phase in fitted)
    if len(part) < 2 * (lines + options.background_terms):
        raise ValueError(
            f"{len(part)} points between {options.range_deg[0]} and {options.range_deg[1]} deg are too "
            f"few for {lines} lines and {options.background_terms} background terms; widen range_deg"
        )
    candidates: list[_Fit] = []
    if start is not None and start.converged:
        last = [warm_start(part, phase, start) for phase in fitted]
        known, _ = _nearest(part, last, options, start)
        if known.first.chi2 / len(part) < _STILL_NEAR * start.reduced_chi2:
            return known.run()
        if options.moves and (result := known.run()).converged:
            # Looked for from where it was last; a table knows nothing of a lattice that is compressed.
            return result
        candidates.append(known)
    found = [searched(part, phase) for phase in fitted]
    if options.moves:
        _, found = _nearest(part, found, options, start)
    widths_deg = (None,) if candidates else _COLD_WIDTHS_DEG
    cold = [_Fit(part, found, options, start, width_deg) for width_deg in widths_deg]
    best = min(cold, key=lambda candidate: candidate.first.chi2)
    candidates.append(best)
    for relative in _COLD_MOVES:
        shifted = [moved(phase, relative) for phase in found]
        candidates.append(_Fit(part, shifted, options, start, best.width_deg))
    results = [candidate.run() for candidate in candidates]
    lowest = min(results, key=_rank)
    if lowest.converged and (beside := _beside(part, fitted, options, lowest)) is not None:
        lowest = min(lowest, beside.run(), key=_rank)
    return lowest


def _rank(result: PawleyResult) -> tuple[bool, float]:
    return not result.converged, result.reduced_chi2


def _beside(
    pattern: Pattern, phases: Sequence[FitPhase], options: FitOptions, found: PawleyResult
) -> "_Fit | None":
    """The fit that begins lowest beside a minimum, with one lattice parameter of one phase moved.

    Where lines of two phases lie upon each other there is a minimum with each of them under the other, and
    noise decides into which one a search falls. None where nothing is refined.
    """
    there = [warm_start(pattern, phase, found) for phase in phases]
    tried = [
        _Fit(pattern, [*there[:index], moved(phase, relative, name), *there[index + 1 :]], options, found)
        for index, phase in enumerate(there)
        if not phase.fixed and found.present[phase.name]
        for name in phase.parameters
        for relative in _COLD_MOVES
    ]
    return min(tried, key=lambda candidate: candidate.first.chi2, default=None)


def _nearest(
    pattern: Pattern, phases: Sequence[FitPhase], options: FitOptions, start: PawleyResult | None
) -> "tuple[_Fit, list[FitPhase]]":
    """The fit that begins nearest to the pattern, with each phase moved by itself, and its phases."""
    there = list(phases)
    best = _Fit(pattern, there, options, start)
    for index, phase in enumerate(phases):
        for relative in () if phase.fixed else options.moves:
            tried = [*there[:index], moved(phase, relative), *there[index + 1 :]]
            candidate = _Fit(pattern, tried, options, start)
            if candidate.first.chi2 < best.first.chi2:
                best, there = candidate, tried
    return best, there


def _end_deg(pattern: Pattern, phases: Sequence[FitPhase]) -> float:
    """Angle down to whose spacing the lines of all phases are listed."""
    least_d = max((phase.least_d_angstrom for phase in phases), default=0.0)
    if not least_d > pattern.wavelength_angstrom / 2:
        return 180.0
    return float(2 * np.degrees(np.arcsin(pattern.wavelength_angstrom / (2 * least_d))))


class _Fit:
    def __init__(
        self,
        pattern: Pattern,
        phases: Sequence[FitPhase],
        options: FitOptions,
        start: PawleyResult | None,
        width_deg: float | None = None,
    ) -> None:
        self.options = options
        self.model = PowderModel(pattern, phases, options.background_terms)
        self.width_deg = width_deg
        lattice = {f"{phase.name}.{name}" for phase in phases for name in phase.parameters}
        initial = np.array(self.model.start)
        if width_deg is not None:
            initial[self.model.names.index("W")] = width_deg**2
        if start is not None and start.converged:
            for index, name in enumerate(self.model.names):
                # Widths of a phase that was absent belong to whatever its lines were fitted to before.
                if name not in lattice and start.present.get(name.split(".")[0], True):
                    initial[index] = start.vector.get(name, initial[index])
        self.initial = np.clip(initial, self.model.low, self.model.high)
        self.separable = SeparableFit(
            self.model,
            pattern.intensity,
            pattern.sigma,
            allowed=self._lines_in_range(pattern),
            decisive=np.array([name in {*lattice, "displacement_um"} for name in self.model.names]),
            tolerance=options.tolerance,
            max_iterations=options.max_iterations,
        )
        self.first = self.separable.evaluate(self.initial)
        self.expected_chi2 = start.reduced_chi2 if start is not None and start.converged else 1.0

    def _lines_in_range(self, pattern: Pattern) -> np.ndarray:
        centre = self.model.geometry(self.initial).centre
        low, high = pattern.two_theta_deg[0] - _MARGIN_DEG, pattern.two_theta_deg[-1] + _MARGIN_DEG
        return (centre > low) & (centre < high)

    def run(self) -> PawleyResult:
        point = self.first
        absent = self._absent_phases(point, self.expected_chi2 * _SCREENING**2)
        while True:
            refined = np.ones(self.initial.size, dtype=bool)
            for index in absent:
                self.separable.allowed[self.model.rows(index)] = False
                refined[self.model.parameter_slice(index)] = False
            if absent:
                point = self.separable.evaluate(self.initial)
            point, normal, free, iterations, message = self.separable.minimise(point, refined)
            degrees = max(self.separable.observed.size - int(point.passive.sum()), 1)
            now_absent = self._absent_phases(point, point.chi2 / degrees, free)
            more = [index for index in now_absent if index not in absent]
            if not more:
                return self._result(point, normal, free, iterations, message, absent)
            absent += more

    def _absent_phases(self, point: Point, reduced_chi2: float, free: np.ndarray | None = None) -> list[int]:
        """Phases whose key line does not stand out, or whose lattice a fit has driven to a bound.

        Where the profile fits worse than counting allows, the line of a phase whose lattice is free
        must stand out of the misfit, or it would be found on the flank of a neighbour.
        """
        significance = self._significance(point)
        misfit = max(1.0, np.sqrt(reduced_chi2))
        absent = []
        for index, phase in enumerate(self.model.phases):
            rows, span = self.model.rows(index), self.model.lattice_slice(index)
            if phase.key_line:
                strength = significance[rows][phase.reflections.index(phase.key_line)]
            else:
                strength = significance[rows].max(initial=0.0)
            at_bound = free is not None and not free[span].all()
            needed = self.options.detection_sigma * (1.0 if phase.fixed else misfit)
            if strength < needed or (at_bound and not phase.seeds):
                absent.append(index)
        return absent

    def _significance(self, point: Point) -> np.ndarray:
        lines = self.model.reflection_phase.size
        used = np.flatnonzero(point.passive)
        variance = np.full(point.linear.size, np.inf)
        variance[used] = np.diag(np.linalg.inv(regularised(point.gram[np.ix_(used, used)])))
        return point.linear[:lines] / np.sqrt(variance[:lines])

    def _result(
        self,
        point: Point,
        normal: np.ndarray,
        free: np.ndarray,
        iterations: int,
        message: str,
        absent: Sequence[int],
    ) -> PawleyResult:
        model = self.model
        count = free.size
        keep = np.concatenate([np.flatnonzero(free), np.arange(count, normal.shape[0])])
        covariance = np.linalg.inv(regularised(normal[np.ix_(keep, keep)]))
        used = np.flatnonzero(free)
        sigma_stat = np.sqrt(np.diag(covariance))
        systematic = self._systematic(point, free, covariance)
        parameters = dict.fromkeys(model.names, UNDETERMINED)
        for row, index in enumerate(used):
            parameters[model.names[index]] = Estimate(
                float(point.parameters[index]), float(sigma_stat[row]), float(systematic[row])
            )
        problems = self._stuck(point.parameters, free, absent)
        labels = [f"{phase.name} {name}" for phase in model.phases for name in phase.reflections]
        linear_sigma = np.full(point.linear.size, np.nan)
        linear_sigma[point.passive] = sigma_stat[used.size :]
        intensities = {
            label: (float(point.linear[index]), float(linear_sigma[index]))
            for index, label in enumerate(labels)
        }
        degrees = self.separable.observed.size - keep.size
        finite = bool(np.all(np.isfinite(sigma_stat)))
        residual = float(np.sqrt(point.chi2 / (self.separable.observed @ self.separable.observed)))
        if residual > self.options.max_weighted_residual:
            message = (
                f"weighted residual {residual:.2f} exceeds {self.options.max_weighted_residual}: lines are "
                "misplaced, or a phase is missing from the list"
            )
        lines = (point.design[:, : len(labels)] @ point.linear[: len(labels)] + point.residual) ** 2
        unexplained = max(point.chi2 - degrees, 0.0) / float(lines.sum())
        if unexplained > self.options.max_unexplained:
            message = (
                f"{unexplained:.0%} of the weight of the lines is not explained, more than "
                f"{self.options.max_unexplained:.0%}: lines are misplaced, or a phase is missing"
            )
        return PawleyResult(
            parameters=parameters,
            intensities=intensities,
            present={phase.name: index not in absent for index, phase in enumerate(model.phases)},
            reduced_chi2=point.chi2 / degrees,
            weighted_residual=residual,
            converged=message == CONVERGED and finite,
            message="; ".join([message, *problems]),
            iterations=iterations,
            calculated=(point.design @ point.linear) / self.separable.weight,
            vector=dict(zip(model.names, point.parameters.tolist())),
        )

    def _stuck(self, parameters: np.ndarray, free: np.ndarray, absent: Sequence[int]) -> list[str]:
        stuck = []
        for index in range(len(self.model.phases)):
            if index in absent:
                continue
            span = self.model.lattice_slice(index)
            for position in range(span.start, span.stop):
                if not free[position]:
                    stuck.append(
                        f"{self.model.names[position]} ended at its bound {parameters[position]:g} A"
                    )
        return stuck

    def _systematic(self, point: Point, free: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """Quadratic sum of the responses of all free parameters to the declared shifts of lines."""
        model, declared = self.model, self.options.systematics
        lines = model.reflection_phase.size
        jacobian = self.separable.jacobian(point)[:, free]
        columns = np.concatenate([jacobian, point.design[:, point.passive]], axis=1)
        by_shift = point.profiles.by_centre * (point.linear[:lines] * self.separable.weight[:, None])
        response = covariance @ (columns.T @ by_shift)
        width, _, _ = total_width(point.geometry.gaussian, point.geometry.lorentzian)
        by_depth = model.shift_by_depth(point.parameters)
        by_scale = np.degrees(2 * np.tan(np.radians(point.geometry.centre) / 2))
        if declared.geometry is not None:
            shifts = declared.geometry.at(point.geometry.centre)
        else:
            shifts = [np.full(lines, declared.zero_deg), by_scale * declared.wavelength]
        if not model.refines_displacement:
            shifts.append(by_depth * declared.displacement_um)
        for index, phase in enumerate(model.phases):
            own = model.reflection_phase == index
            shifts.append(np.where(own, declared.profile_fraction * width, 0.0))
            shifts.append(np.where(own, by_depth * phase.depth_sigma_um, 0.0))
            strain = np.sqrt(point.parameters[model.strain_slice(index)] * STRAIN_UNIT)
            for column, spread in enumerate(strain):
                shift = np.zeros(lines)
                relative_shift = model.share(index)[:, column] * declared.distribution_fraction * spread
                shift[own] = by_scale[own] * relative_shift
                shifts.append(shift)
            if phase.standard_sigma is not None:
                relative = np.hypot(phase.standard_sigma, phase.expansion_per_k * declared.temperature_k)
                shifts.append(np.where(own, by_scale * relative, 0.0))
        degrees = max(self.separable.observed.size - covariance.shape[0], 1)
        misfit = np.diag(covariance) * max(point.chi2 / degrees - 1.0, 0.0)
        return np.sqrt(misfit + sum((response @ shift) ** 2 for shift in shifts))

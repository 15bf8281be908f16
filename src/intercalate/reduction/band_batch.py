"""Bands of many spectra on one axis, fitted at once: the algorithm of `bands`, step for step, over arrays.

One spectrum has some eighty points and seven unknowns: nearly all of its time goes into calling. Here every
step is taken for all spectra that still need it; each keeps its own damping, active set and end. The numbers
are those of `bands.fit_bands` to rounding, which a test holds them to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.polynomial import chebyshev

from intercalate.reduction.bands import Band, BandFit, BandOptions, Spectrum, SpectrumError
from intercalate.reduction.profiles import pseudo_voigt
from intercalate.reduction.results import CONVERGED, UNDETERMINED, Estimate
from intercalate.reduction.separable import GOOD_GAIN, LONGEST, NEAR_MINIMUM

_BLOCK = 1024
"""Spectra at once; the fewer blocks, the fewer calls, and a map of 32 x 32 takes 40 MB."""


def fit_bands_of(
    spectra: Sequence[Spectrum], bands: Sequence[Band], range_: tuple[float, float], options: BandOptions
) -> list[BandFit | SpectrumError]:
    """Fit the same bands to many spectra.

    Parameters
    ----------
    spectra
        On one axis; what must not be used differs.
    range_
        Part of the axis.

    Returns
    -------
    list
        For each spectrum its fit, or why there is none.

    Raises
    ------
    SpectrumError
        If the axes differ.
    """
    if not spectra:
        return []
    x = spectra[0].x
    for one in spectra:
        if one.x is not x and not np.array_equal(one.x, x):
            raise SpectrumError("spectra that are fitted together must be on one axis")
    found: list[BandFit | SpectrumError] = []
    for first in range(0, len(spectra), _BLOCK):
        found += _block(spectra[first : first + _BLOCK], bands, range_, options)
    return found


def _block(
    spectra: Sequence[Spectrum], bands: Sequence[Band], range_: tuple[float, float], options: BandOptions
) -> list[BandFit | SpectrumError]:
    x = spectra[0].x
    inside = (x >= range_[0]) & (x <= range_[1])
    part = x[inside]
    intensity = np.array([one.intensity[inside] for one in spectra])
    sigma = np.array([one.sigma[inside] for one in spectra])
    used = np.array([one.used[inside] for one in spectra]) & np.isfinite(intensity) & (sigma > 0)
    weight = np.where(used, 1 / np.where(used, sigma, 1.0), 0.0)
    observed = np.where(used, intensity, 0.0) * weight
    unknowns = 3 * len(bands) + options.background_terms
    found: list[BandFit | SpectrumError | None] = [None] * len(spectra)
    points = used.sum(axis=1)
    for number in np.flatnonzero(points < 2 * unknowns):
        found[int(number)] = _too_few(spectra[int(number)], int(points[number]), bands, range_, options)
    span = (part - range_[0]) / (range_[1] - range_[0]) * 2 - 1
    background = chebyshev.chebvander(span, options.background_terms - 1)
    pending = {tuple(range(len(bands))): np.flatnonzero(points >= 2 * unknowns)}
    while pending:
        left, members = pending.popitem()
        if not members.size:
            continue
        chosen = [bands[number] for number in left]
        fit = _Batch(part, observed[members], weight[members], chosen, background, options)
        fit.minimise()
        weakest = fit.weakest()
        done = weakest < 0
        for row in np.flatnonzero(done):
            found[members[row]] = fit.result(int(row), bands)
        for number in np.unique(weakest[~done]):
            fewer = tuple(one for place, one in enumerate(left) if place != number)
            more = members[weakest == number]
            pending[fewer] = np.concatenate([pending.get(fewer, more[:0]), more])
    return [one for one in found if one is not None]


def _too_few(
    spectrum: Spectrum,
    points: int,
    bands: Sequence[Band],
    range_: tuple[float, float],
    options: BandOptions,
) -> SpectrumError:
    """The words of the single fit."""
    if points == 0:
        try:
            spectrum.between(*range_)
        except SpectrumError as error:
            return error
    return SpectrumError(
        f"{points} points between {range_[0]:g} and {range_[1]:g} are too few for {len(bands)} "
        f"bands and {options.background_terms} background terms"
    )


@dataclass
class _Points:
    """Models of some spectra at their parameters, with the linear part solved; first axis: spectra."""

    parameters: np.ndarray
    by_centre: np.ndarray
    by_width: np.ndarray
    design: np.ndarray
    gram: np.ndarray
    linear: np.ndarray
    passive: np.ndarray
    residual: np.ndarray
    chi2: np.ndarray

    def put(self, which: np.ndarray, other: "_Points", rows: np.ndarray) -> None:
        """Take rows of another set in the place of `which`."""
        for one in fields(self):
            np.asarray(getattr(self, one.name))[which] = np.take(getattr(other, one.name), rows, axis=0)


class _Batch:
    """One minimisation of each spectrum, with the same bands."""

    def __init__(
        self,
        x: np.ndarray,
        observed: np.ndarray,
        weight: np.ndarray,
        bands: Sequence[Band],
        background: np.ndarray,
        options: BandOptions,
    ):
        self._x, self._observed, self._weight = x, observed, weight
        self._bands, self._options = bands, options
        self._background = background
        self._lines, self._count = len(bands), 2 * len(bands)
        self._low, self._high = (
            np.array([part[bound] for band in bands for part in (band.centre, band.width)])
            for bound in (1, 2)
        )
        spectra = observed.shape[0]
        start = np.array([part[0] for band in bands for part in (band.centre, band.width)])
        everything = np.arange(spectra)
        self.points = self._evaluate(everything, np.tile(start, (spectra, 1)), None)
        unknowns = self._count + self._lines + background.shape[1]
        self.normal = np.zeros((spectra, unknowns, unknowns))
        self.free = np.ones((spectra, self._count), bool)
        self.message = np.full(spectra, "", dtype=object)

    def _evaluate(self, rows: np.ndarray, parameters: np.ndarray, passive: np.ndarray | None) -> _Points:
        """Solve for intensities and background of some spectra."""
        spectra, points = rows.size, self._x.size
        columns = np.broadcast_to(self._x[:, None], (points, spectra * self._lines))
        profiles = pseudo_voigt(
            columns,
            parameters[:, 0::2].ravel(),
            np.full(spectra * self._lines, self._options.instrument_width),
            parameters[:, 1::2].ravel(),
        )
        value, by_centre, by_width = (
            one.reshape(points, spectra, self._lines).transpose(1, 0, 2)
            for one in (profiles.value, profiles.by_centre, profiles.by_lorentzian)
        )
        weight = self._weight[rows][:, :, None]
        design = np.concatenate([value * weight, self._background[None] * weight], axis=2)
        gram = np.matmul(design.transpose(0, 2, 1), design)
        observed = self._observed[rows]
        right = np.matmul(design.transpose(0, 2, 1), observed[:, :, None])[..., 0]
        linear, passive = _solve_nonnegative(gram, right, self._lines, passive)
        residual = observed - np.matmul(design, linear[:, :, None])[..., 0]
        chi2 = np.sum(residual**2, axis=1)
        return _Points(
            parameters, by_centre * weight, by_width * weight, design, gram, linear, passive, residual, chi2
        )

    def _normal_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of all unknowns, and the gradient; unknowns not in use are left standing alone."""
        points = self.points
        jacobian = np.empty((rows.size, self._x.size, self._count))
        amounts = points.linear[rows][:, None, : self._lines]
        jacobian[:, :, 0::2] = points.by_centre[rows] * amounts
        jacobian[:, :, 1::2] = points.by_width[rows] * amounts
        both = np.concatenate([jacobian, points.design[rows]], axis=2)
        normal = np.matmul(both.transpose(0, 2, 1), both)
        idle = np.concatenate([np.zeros((rows.size, self._count), bool), ~points.passive[rows]], axis=1)
        gradient = np.matmul(jacobian.transpose(0, 2, 1), points.residual[rows][:, :, None])[..., 0]
        return _standing_alone(normal, idle), gradient

    def minimise(self) -> None:
        """Levenberg-Marquardt, as `SeparableFit.minimise`."""
        damping = np.full(self.message.size, 1e-4)
        active = np.arange(self.message.size)
        for _ in range(self._options.max_iterations):
            if not active.size:
                return
            normal, gradient = self._normal_of(active)
            here = self.points.parameters[active]
            held = ((here <= self._low) & (gradient < 0)) | ((here >= self._high) & (gradient > 0))
            free = ~held & (np.diagonal(normal, axis1=1, axis2=2)[:, : self._count] > 0)
            reduced = self._reduced(normal, free)
            gradient = np.where(free, gradient, 0.0)
            regular = _regularised(reduced)
            step = self._step(here, regular, gradient)
            sigma = np.sqrt(np.diagonal(np.linalg.inv(regular), axis1=1, axis2=2))
            remaining = np.max(np.where(free, np.abs(step) / sigma, 0.0), axis=1, initial=0.0)
            self.normal[active], self.free[active] = normal, free
            near = remaining < self._options.tolerance
            self.message[active[near]] = CONVERGED
            go = np.flatnonzero(~near)
            stopped = self._descend(active[go], reduced[go], gradient[go], damping)
            degrees = np.maximum(self._numbers(active) - self._used(active), 1)
            limit = NEAR_MINIMUM * np.maximum(1.0, np.sqrt(self.points.chi2[active] / degrees))
            for row in go[stopped]:
                close = remaining[row] < limit[row]
                self.message[active[row]] = CONVERGED if close else "stopped: no step lowers chi squared"
            moving = go[~stopped]
            damping[active[moving]] = np.maximum(damping[active[moving]] / 10, 1e-9)
            active = active[moving]
        if active.size:
            self.normal[active], _ = self._normal_of(active)
            self.message[active] = f"not converged after {self._options.max_iterations} iterations"

    def _descend(
        self, rows: np.ndarray, reduced: np.ndarray, gradient: np.ndarray, damping: np.ndarray
    ) -> np.ndarray:
        """One step downhill of each; True where there is none."""
        waiting = np.arange(rows.size)
        while waiting.size:
            waiting = waiting[damping[rows[waiting]] < 1e8]
            if not waiting.size:
                break
            damped = reduced[waiting].copy()
            diagonal = np.arange(self._count)
            damped[:, diagonal, diagonal] *= 1 + damping[rows[waiting]][:, None]
            at = rows[waiting]
            step = self._step(self.points.parameters[at], damped, gradient[waiting])
            candidate = self._along(at, step, gradient[waiting], reduced[waiting])
            lower = candidate.chi2 <= self.points.chi2[at]
            self.points.put(at[lower], candidate, np.flatnonzero(lower))
            damping[at[~lower]] *= 10
            waiting = waiting[~lower]
        stopped = np.zeros(rows.size, bool)
        stopped[np.flatnonzero(damping[rows] >= 1e8)] = True
        return stopped

    def _along(self, rows: np.ndarray, step: np.ndarray, gradient: np.ndarray, normal: np.ndarray) -> _Points:
        """Where steps lead to; shorter or longer, where a parabola through both ends says so."""
        points = self.points
        here, passive, before = points.parameters[rows], points.passive[rows], points.chi2[rows]
        candidate = self._evaluate(rows, here + step, passive)
        bent = np.matmul(normal, step[:, :, None])[..., 0]
        promised = np.sum(step * (2 * gradient - bent), axis=1)
        slope, gained = 2 * np.sum(step * gradient, axis=1), before - candidate.chi2
        with np.errstate(divide="ignore", invalid="ignore"):
            part = gained / promised
            curvature = slope - gained
            length = np.where(curvature > 0, np.minimum(slope / 2 / curvature, LONGEST), LONGEST)
        again = np.flatnonzero((promised > 0) & ~((part >= GOOD_GAIN[0]) & (part <= GOOD_GAIN[1])))
        if again.size:
            moved = np.clip(here[again] + length[again, None] * step[again], self._low, self._high)
            other = self._evaluate(rows[again], moved, passive[again])
            better = other.chi2 < candidate.chi2[again]
            candidate.put(again[better], other, np.flatnonzero(better))
        return candidate

    def _step(self, parameters: np.ndarray, matrix: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        step = np.linalg.solve(matrix, gradient[:, :, None])[..., 0]
        return np.clip(parameters + step, self._low, self._high) - parameters

    def _reduced(self, normal: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Normal equations of the nonlinear parameters, the linear ones eliminated."""
        count = self._count
        mixed = normal[:, :count, count:]
        linear = _regularised(normal[:, count:, count:])
        inner = np.matmul(mixed, np.linalg.solve(linear, mixed.transpose(0, 2, 1)))
        return _standing_alone(normal[:, :count, :count] - inner, ~free)

    def _numbers(self, rows: np.ndarray) -> np.ndarray:
        """Size of what was observed, as the single fit counts it."""
        return np.sum(self._weight[rows] > 0, axis=1)

    def _used(self, rows: np.ndarray) -> np.ndarray:
        return self._count + self.points.passive[rows].sum(axis=1)

    def _finish(self) -> None:
        """Covariances, of unknowns in use, and reduced chi squared."""
        if hasattr(self, "covariance"):
            return
        everything = np.arange(self.message.size)
        keep = np.concatenate([self.free, self.points.passive], axis=1)
        self.covariance = np.linalg.inv(_regularised(_standing_alone(self.normal, ~keep)))
        sigma = np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))
        self.sigma = np.where(keep, sigma, np.nan)
        self.reduced_chi2 = self.points.chi2 / np.maximum(self._numbers(everything) - keep.sum(axis=1), 1)

    def weakest(self) -> np.ndarray:
        """Number of the weakest band that does not stand out, -1 where all do."""
        self._finish()
        needed = self._options.detection_sigma * np.maximum(1.0, np.sqrt(self.reduced_chi2))
        sigma = self.sigma[:, self._count : self._count + self._lines]
        with np.errstate(divide="ignore", invalid="ignore"):
            strength = np.where(np.isfinite(sigma), self.points.linear[:, : self._lines] / sigma, 0.0)
        if not self._lines:
            return np.full(self.message.size, -1)
        weak = strength < needed[:, None]
        least = np.argmin(np.where(weak, strength, np.inf), axis=1)
        return np.where(weak.any(axis=1), least, -1)

    def result(self, row: int, asked: Sequence[Band]) -> BandFit:
        """Of one spectrum, with every band that was asked for."""
        self._finish()
        options, points, count = self._options, self.points, self._count
        misfit = float(np.sqrt(max(self.reduced_chi2[row] - 1.0, 0.0)))
        parameters, sigma = points.parameters[row].tolist(), self.sigma[row].tolist()
        estimates: dict[str, tuple[Estimate, Estimate, Estimate]] = {}
        for number, band in enumerate(self._bands):
            centre, width = parameters[2 * number : 2 * number + 2]
            centre_sigma, width_sigma = sigma[2 * number : 2 * number + 2]
            shape = options.profile_fraction * float(np.hypot(width, options.instrument_width))
            area, area_sigma = float(points.linear[row, number]), sigma[count + number]
            estimates[band.name] = (
                _estimate(centre, centre_sigma, np.hypot(misfit * centre_sigma, shape)),
                _estimate(width, width_sigma, np.hypot(misfit * width_sigma, 2 * shape)),
                _estimate(area, area_sigma, np.hypot(misfit * area_sigma, options.profile_fraction * area)),
            )
        nothing = (UNDETERMINED,) * 3
        by_name = {band.name: estimates.get(band.name, nothing) for band in asked}
        seen = self._weight[row] > 0
        areas = self.covariance[row, count : count + self._lines, count : count + self._lines].tolist()
        passive = points.passive[row]
        return BandFit(
            centre={name: one[0] for name, one in by_name.items()},
            width={name: one[1] for name, one in by_name.items()},
            intensity={name: one[2] for name, one in by_name.items()},
            present={band.name: band.name in estimates for band in asked},
            reduced_chi2=float(self.reduced_chi2[row]),
            converged=self.message[row] == CONVERGED,
            message=self.message[row],
            calculated=(points.design[row][seen] @ points.linear[row]) / self._weight[row][seen],
            covariance={
                (one.name, other.name): areas[i][j] if passive[i] and passive[j] else float("nan")
                for i, one in enumerate(self._bands)
                for j, other in enumerate(self._bands)
            },
        )


def _estimate(value: float, stat: float, systematic: float) -> Estimate:
    return Estimate(value, stat, float(systematic)) if np.isfinite(stat) else UNDETERMINED


def _regularised(matrices: np.ndarray) -> np.ndarray:
    """As `linear.regularised`, of each."""
    regular = matrices.copy()
    diagonal = np.arange(matrices.shape[-1])
    regular[..., diagonal, diagonal] *= 1 + 1e-11
    return regular


def _standing_alone(matrices: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Rows and columns of some unknowns replaced by those of the unit matrix."""
    if not which.any():
        return matrices
    kept = ~which
    result = np.where(kept[:, :, None] & kept[:, None, :], matrices, 0.0)
    diagonal = np.arange(matrices.shape[-1])
    result[:, diagonal, diagonal] += which
    return result


def _solve_nonnegative(
    gram: np.ndarray, right: np.ndarray, constrained: int, passive: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """As `linear.solve_nonnegative`, of each."""
    diagonal = np.diagonal(gram, axis1=1, axis2=2)
    allowed = diagonal > 0
    passive = allowed.copy() if passive is None else passive & allowed
    scale = np.sqrt(np.maximum(diagonal, 1e-300))
    solution = np.zeros(right.shape)
    open_ = np.arange(right.shape[0])

    def solved(rows: np.ndarray) -> np.ndarray:
        matrix = _regularised(_standing_alone(gram[rows], ~passive[rows]))
        found = np.linalg.solve(matrix, np.where(passive[rows], right[rows], 0.0)[:, :, None])[..., 0]
        return np.where(passive[rows], found, 0.0)

    for _ in range(3 * right.shape[1]):
        solution[open_] = solved(open_)
        negative = solution[open_][:, :constrained] < 0
        fell = negative.any(axis=1)
        passive[open_, :constrained] &= ~negative
        rest = open_[~fell]
        slope = right[rest] - np.matmul(gram[rest], solution[rest][:, :, None])[..., 0]
        slope /= scale[rest]
        waiting = allowed[rest] & ~passive[rest]
        rises = (waiting & (slope > 1e-6)).any(axis=1)
        rest, slope, waiting = rest[rises], slope[rises], waiting[rises]
        if rest.size:
            best = np.argmax(np.where(waiting, slope, -np.inf), axis=1)
            passive[rest, best] = True
            fails = solved(rest)[np.arange(rest.size), best] <= 0
            passive[rest[fails], best[fails]] = False
            rest = rest[~fails]
        open_ = np.concatenate([open_[fell], rest])
        if not open_.size:
            break
    return solution, passive

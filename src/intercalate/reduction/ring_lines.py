"""One line over a sloping background, fitted to many sets of pixels at once.

A damped least-squares step (D. W. Marquardt, J. Soc. Indust. Appl. Math. 11 (1963) 431) is made of all sets
together; each has a damping of its own, and those that have converged are left out of the next ones.
"""

from dataclasses import dataclass

import numpy as np

from intercalate.reduction.profiles import pseudo_voigt

_PARAMETERS = 6
"""Centre, area, Gaussian and Lorentzian full widths, level and slope of the background."""
_LEAST_WIDTHS = (1e-3, 1e-4)
"""Added to both widths, so that neither vanishes."""
_MOST_STEPS = 60
_GAIN = 1e-5
"""Of the sum of squares: where a step gains less, the centre is within a hundredth of its error."""
_FIRST_DAMPING, _MOST_DAMPING = 1e-3, 1e8
_FARTHEST_DEG = 10.0
_LONGEST = 0.7
"""Step of the logarithm of a width."""
_AT_ONCE = 64
"""Sets of like size, which fill a processor's cache."""


@dataclass(frozen=True)
class Lines:
    """Of each set of pixels, shape (sets,).

    Attributes
    ----------
    centre_deg, sigma_deg, width_deg
        Place, its error and full width; NaN where the fit says nothing.
    area, area_sigma
        In counts times degrees.
    """

    centre_deg: np.ndarray
    sigma_deg: np.ndarray
    width_deg: np.ndarray
    area: np.ndarray
    area_sigma: np.ndarray


@dataclass(frozen=True)
class _Sets:
    """Pixels of some sets, each of shape (pixels, sets); those that fill up a column have no weight."""

    x_deg: np.ndarray
    counts: np.ndarray
    weight: np.ndarray

    def only(self, chosen: np.ndarray) -> "_Sets":
        """Some of them."""
        return _Sets(self.x_deg[:, chosen], self.counts[:, chosen], self.weight[:, chosen])

    def normal(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sum of squares, normal matrices and gradients of each set."""
        centre, area, gaussian, lorentzian, level, slope = parameters.T
        one = pseudo_voigt(self.x_deg, centre, gaussian + _LEAST_WIDTHS[0], lorentzian + _LEAST_WIDTHS[1])
        residual = (area * one.value + level + slope * self.x_deg - self.counts) * self.weight
        derivatives = (
            area * one.by_centre,
            one.value,
            area * one.by_gaussian,
            area * one.by_lorentzian,
            np.ones_like(self.x_deg),
            self.x_deg,
        )
        weighted = np.stack([each * self.weight for each in derivatives], axis=-1).transpose(1, 0, 2)
        matrix = weighted.transpose(0, 2, 1) @ weighted
        gradient = (residual.T[:, None, :] @ weighted)[:, 0]
        return np.einsum("ps,ps->s", residual, residual), matrix, gradient


def fit_lines(x_deg: np.ndarray, counts: np.ndarray, sizes: np.ndarray) -> Lines:
    """Fit a line to each set of pixels.

    Parameters
    ----------
    x_deg, counts
        Of all pixels, set after set, shape (pixels,); x is counted from where a line is expected.
    sizes
        Pixels of each set.
    """
    firsts = np.cumsum(sizes) - sizes
    found = np.full((5, sizes.size), np.nan)
    order = np.argsort(sizes)
    for chosen in np.split(order, range(_AT_ONCE, sizes.size, _AT_ONCE)):
        offsets = np.arange(sizes[chosen].max())[:, None]
        inside = offsets < sizes[chosen]
        pixels = firsts[chosen] + np.minimum(offsets, sizes[chosen] - 1)
        weight = np.where(inside, 1 / np.sqrt(np.maximum(counts[pixels], 0.0) + 10.0), 0.0)
        start = _start([counts[firsts[one] :][: sizes[one]] for one in chosen])
        found[:, chosen] = _fitted(_Sets(x_deg[pixels], counts[pixels], weight), start, sizes[chosen])
    return Lines(*found)


def _fitted(sets: _Sets, parameters: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Fields of `Lines`, from where each set starts."""
    chi2, matrix, gradient = sets.normal(parameters)
    damping = np.full(sizes.size, _FIRST_DAMPING)
    active = np.ones(sizes.size, bool)
    for _ in range(_MOST_STEPS):
        if not active.any():
            break
        step = _step(matrix[active], gradient[active], damping[active])
        # Without a line its place is anywhere: it stays within the degrees that rings are looked for in.
        step[:, 0] = np.clip(step[:, 0], -_FARTHEST_DEG, _FARTHEST_DEG)
        tried = parameters[active] + step
        tried[:, 0] = np.clip(tried[:, 0], -_FARTHEST_DEG, _FARTHEST_DEG)
        # Widths grow and shrink by factors, and reach no other sign.
        factor = np.exp(np.clip(step[:, 2:4] / parameters[active, 2:4], -_LONGEST, _LONGEST))
        tried[:, 2:4] = np.clip(parameters[active, 2:4] * factor, _LEAST_WIDTHS[1], _FARTHEST_DEG)
        tried_chi2, tried_matrix, tried_gradient = sets.only(active).normal(tried)
        better = tried_chi2 < chi2[active]
        where = np.flatnonzero(active)
        done = better & (chi2[active] - tried_chi2 < _GAIN * chi2[active])
        kept = where[better]
        parameters[kept], chi2[kept] = tried[better], tried_chi2[better]
        matrix[kept], gradient[kept] = tried_matrix[better], tried_gradient[better]
        damping[where] *= np.where(better, 0.1, 10.0)
        active[where] = ~done & (damping[where] < _MOST_DAMPING)
    return _lines(parameters, chi2, matrix, sizes)


def _start(counts: list[np.ndarray]) -> np.ndarray:
    """Parameters of every set, by the counts of its pixels."""
    low = np.array([np.percentile(one, 30) for one in counts])
    height = np.maximum([float(one.max()) for one in counts] - low, 1.0)
    start = np.zeros((len(counts), _PARAMETERS))
    start[:, 1], start[:, 2], start[:, 3], start[:, 4] = 0.05 * height, 0.06, 0.02, low
    return start


def _step(matrix: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    diagonal = np.einsum("sii->si", matrix)
    # A parameter on which nothing depends is not moved.
    length = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = matrix / (length[:, :, None] * length[:, None, :])
    damped = scaled + (damping[:, None, None] + 1e-12) * np.eye(_PARAMETERS)
    damped = damped + np.einsum("si,ij->sij", (diagonal <= 0).astype(float), np.eye(_PARAMETERS))
    return -np.linalg.solve(damped, (gradient / length)[..., None])[..., 0] / length


def _lines(parameters: np.ndarray, chi2: np.ndarray, matrix: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Fields of `Lines`, NaN where a fit says nothing."""
    known = np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
    known[known] = np.linalg.matrix_rank(matrix[known]) == _PARAMETERS
    found = np.full((5, sizes.size), np.nan)
    reduced = np.maximum(1.0, chi2[known] / (sizes[known] - _PARAMETERS))
    variance = np.einsum("sii->is", np.linalg.inv(matrix[known])) * reduced
    centre, area, gaussian, lorentzian, *_ = parameters[known].T
    sigma = np.sqrt(np.maximum(variance, 0.0))
    found[:, known] = centre, sigma[0], np.maximum(gaussian, lorentzian), area, sigma[1]
    return found

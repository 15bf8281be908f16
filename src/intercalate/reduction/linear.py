"""Linear algebra of the fit: normal equations, elimination, non-negative least squares."""

import numpy as np


def regularised(matrix: np.ndarray) -> np.ndarray:
    """The matrix with 1e-11 of its diagonal added, so that two coincident lines stay solvable."""
    regular = matrix.copy()
    regular.flat[:: matrix.shape[0] + 1] *= 1 + 1e-11
    return regular


def reduced_normal(normal: np.ndarray, free: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations of the free nonlinear parameters, the linear ones eliminated."""
    used = np.flatnonzero(free)
    linear = normal[count:, count:]
    mixed = normal[np.ix_(used, np.arange(count, normal.shape[0]))]
    return normal[np.ix_(used, used)] - mixed @ np.linalg.solve(regularised(linear), mixed.T), used


NEGLIGIBLE = 1e-30
"""Of the largest square of a column: less is lost in rounding, and its unknown could have any size."""


def solve_nonnegative(
    gram: np.ndarray,
    right: np.ndarray,
    allowed: np.ndarray,
    constrained: int,
    passive: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with the first `constrained` unknowns not negative and some held at zero.

    Active sets after Lawson and Hanson, started from the whole set or a given one. An unknown on which
    nothing depends, such as a line that has left the pattern, is zero.

    Returns
    -------
    solution, passive
        The unknowns, and which of them are not held at zero.
    """
    seen = np.diag(gram)
    allowed = allowed & (seen > NEGLIGIBLE * seen.max(initial=0.0))
    passive = allowed.copy() if passive is None else passive & allowed
    solution = np.zeros(right.size)
    scale = np.sqrt(np.maximum(seen, 1e-300))
    for _ in range(3 * right.size):
        used = np.flatnonzero(passive)
        solution[:] = 0.0
        solution[used] = np.linalg.solve(regularised(gram[used[:, None], used]), right[used])
        negative = np.flatnonzero(solution[:constrained] < 0)
        if negative.size:
            passive[negative] = False
            continue
        slope = (right - gram @ solution) / scale
        waiting = allowed & ~passive
        if not np.any(waiting & (slope > 1e-6)):
            break
        best = int(np.argmax(np.where(waiting, slope, -np.inf)))
        passive[best] = True
        trial = np.flatnonzero(passive)
        probe = np.linalg.solve(regularised(gram[trial[:, None], trial]), right[trial])
        if probe[np.searchsorted(trial, best)] <= 0:
            passive[best] = False
            break
    return solution, passive

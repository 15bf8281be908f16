"""Maps of elements: the lines of every pixel's spectrum by one batch of non-negative least squares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intercalate.materials.eds import XrayDetector
from intercalate.reduction.eds.axis import EnergyAxis
from intercalate.reduction.eds.errors import SpectrumError, require_counts
from intercalate.reduction.eds.lines import line_shapes
from intercalate.reduction.results import Estimate

_PATTERNS = 12


@dataclass(frozen=True)
class ElementMaps:
    """Areas of families of lines over a grid of places.

    Attributes
    ----------
    counts, sigma
        By `element family`: non-negative area and its statistical error, shape (rows, columns).
    free
        The same without the bound at zero; averages over it are unbiased.
    """

    counts: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]
    free: dict[str, np.ndarray]

    def mean(self, name: str, where: np.ndarray | None = None) -> Estimate:
        """Mean area over some pixels.

        Raises
        ------
        SpectrumError
            If there is no such family, or no pixel.
        """
        if name not in self.free:
            raise SpectrumError(f"no map of {name}; there are {', '.join(self.free)}")
        chosen = np.ones(self.free[name].shape, dtype=bool) if where is None else where
        pixels = int(chosen.sum())
        if pixels == 0:
            raise SpectrumError(f"the mask leaves no pixel of the map of {name}")
        error = float(np.sqrt(np.sum(self.sigma[name][chosen] ** 2))) / pixels
        return Estimate(float(self.free[name][chosen].mean()), error, 0.0)


def element_maps(
    counts: np.ndarray, elements: Sequence[str], axis: EnergyAxis, detector: XrayDetector, kv: float
) -> ElementMaps:
    """Fit every pixel of a map.

    Parameters
    ----------
    counts
        Shape (rows, columns, channels).

    Raises
    ------
    SpectrumError
        If the map cannot be used, or an element has no line.
    """
    cube = np.asarray(counts)
    if cube.ndim != 3 or cube.shape[2] != detector.channels:
        raise SpectrumError(
            f"the map has shape {cube.shape}; rows, columns and {detector.channels} channels are expected"
        )
    total = require_counts(cube.sum(axis=(0, 1), dtype=float), detector.channels)
    shapes = line_shapes(elements, axis, detector, kv)
    rows, columns, channels = cube.shape
    used = np.unique(shapes.filter_matrix.indices)
    matrix = shapes.filter_matrix[:, used]
    expected = np.maximum(np.convolve(np.pad(total, 2, mode="edge"), np.full(5, 0.2), "valid"), 1.0)
    variance = np.maximum(matrix.power(2) @ expected[used], 1e-12)
    weight = np.where(shapes.used, 1.0 / variance, 0.0)
    design = matrix @ shapes.area[:, used].T
    gram = design.T @ (weight[:, None] * design)
    right = (matrix.T @ (weight[:, None] * design)).T
    pixels = cube.reshape(-1, channels)[:, used].astype(np.float32)
    projected = pixels @ right.T.astype(np.float32)
    inverse = np.linalg.pinv(gram)
    free = projected @ inverse.T
    to_areas = (inverse @ right).astype(np.float32)
    sigma = np.sqrt(np.maximum(pixels @ (to_areas**2).T, np.min(np.diag(inverse)) * 1e-12))
    bounded = _nonnegative(gram, projected, free)
    shape = (rows, columns)
    return ElementMaps(
        *(
            {name: values[:, at].reshape(shape) for at, name in enumerate(shapes.names)}
            for values in (bounded, sigma, free)
        )
    )


def _nonnegative(gram: np.ndarray, projected: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Pixels with the same unknowns at zero are solved together; a few rounds settle all."""
    passive = np.ones(free.shape, dtype=bool)
    found = free.copy()
    for _ in range(_PATTERNS):
        negative = passive & (found < 0)
        slope = projected - found @ gram
        waiting = ~passive & (slope > 1e-6 * np.abs(projected).max())
        changed = negative.any(axis=1) | waiting.any(axis=1)
        if not changed.any():
            break
        passive = (passive & ~negative) | (waiting & ~np.any(negative, axis=1, keepdims=True))
        keys, group = np.unique(passive[changed], axis=0, return_inverse=True)
        at = np.flatnonzero(changed)
        for number, key in enumerate(keys):
            mine = at[group.ravel() == number]
            found[mine] = 0.0
            if key.any():
                part = gram[np.ix_(key, key)]
                found[np.ix_(mine, np.flatnonzero(key))] = np.linalg.solve(
                    part, projected[np.ix_(mine, np.flatnonzero(key))].T
                ).T
    return np.maximum(found, 0.0)

"""Weighted least squares of one design in many pixels, and the spectra that it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.reduction.linear import regularised, solve_nonnegative


@dataclass(frozen=True)
class Solved:
    """Coefficients of every pixel, shape (pixels, unknowns), with their covariances, the normal equations
    without noise of templates, and the weights, shape (pixels, channels).
    """

    solution: np.ndarray
    covariance: np.ndarray
    gram: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Solver:
    """Weighted least squares of one design: products of all pairs of its columns, and of the noise of
    pairs of templates.
    """

    design: np.ndarray
    count: int
    products: np.ndarray
    triangle: tuple[np.ndarray, np.ndarray]
    triangle_of_noise: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, design: np.ndarray, noise: np.ndarray) -> "Solver":
        """`noise` is the covariance of the templates in each channel, shape (channels, components,
        components).
        """
        count = noise.shape[1]
        pairs, of_noise = np.triu_indices(design.shape[1]), np.triu_indices(count)
        products = np.concatenate([design[:, pairs[0]] * design[:, pairs[1]], noise[:, *of_noise]], axis=1)
        return cls(design, count, products, pairs, of_noise)

    def solved(self, data: np.ndarray, weight: np.ndarray, held: int) -> Solved:
        """Least squares of every pixel, the first unknowns held at 0 or above."""
        unknowns, count = self.design.shape[1], self.count
        found = weight @ self.products
        pairs = self.triangle[0].size
        gram = _symmetric(found[:, :pairs], self.triangle)
        whole = gram.copy()
        whole[:, np.arange(unknowns), np.arange(unknowns)] *= 1 + 1e-11
        whole[:, :count, :count] -= _symmetric(found[:, pairs:], self.triangle_of_noise)
        right = (weight * data) @ self.design
        covariance = np.linalg.inv(whole)
        solution = (covariance @ right[..., None])[..., 0]
        allowed = np.ones(unknowns, bool)
        for pixel in np.flatnonzero((solution[:, :held] < 0).any(axis=1)):
            solution[pixel], passive = solve_nonnegative(whole[pixel], right[pixel], allowed, held)
            used = np.flatnonzero(passive)
            covariance[pixel] = 0.0
            covariance[pixel][np.ix_(used, used)] = np.linalg.inv(
                regularised(whole[pixel][np.ix_(used, used)])
            )
        return Solved(solution, covariance, gram, weight)


def _symmetric(upper: np.ndarray, triangle: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Matrices of their upper triangles, shape (pixels, size, size)."""
    first, second = triangle
    size = int(second[-1]) + 1
    found = np.empty((upper.shape[0], size, size))
    found[:, first, second] = found[:, second, first] = upper
    return found


@dataclass(frozen=True)
class Fitted:
    """Spectra by their coefficients: they are seldom looked at, and larger than all else.

    Attributes
    ----------
    bins
        Whose design each pixel has, shape (rows, columns).
    designs
        Edges and then powers of the loss, by bin, shape (channels, unknowns).
    coefficients
        Shape (rows, columns, unknowns).
    edges
        How many columns of a design are edges.
    """

    bins: np.ndarray
    designs: Mapping[int, np.ndarray]
    coefficients: np.ndarray
    edges: int

    def spectra(self, first: int = 0) -> np.ndarray:
        """Sums of the columns from the `first` on, shape (rows, columns, channels)."""
        channels = next(iter(self.designs.values())).shape[0]
        found = np.empty((*self.bins.shape, channels))
        for number, design in self.designs.items():
            which = self.bins == number
            found[which] = self.coefficients[which][:, first:] @ design[:, first:].T
        return found

    def mean(self, where: np.ndarray) -> np.ndarray:
        """Mean spectrum of some pixels, shape (channels,)."""
        sums = [
            self.coefficients[where & (self.bins == number)].sum(axis=0) @ design.T
            for number, design in self.designs.items()
        ]
        return np.sum(sums, axis=0) / where.sum()

"""Patterns drawn without the simulators: Gaussian pairs at Bragg angles over a sloping background."""

from collections.abc import Mapping

import numpy as np

from intercalate.reduction import Pattern

WAVELENGTH_ANGSTROM = 0.5


def hexagonal_d(h: int, k: int, index_l: float, a: float, c: float) -> float:
    return float(1 / np.sqrt(4 / 3 * (h * h + h * k + k * k) / a**2 + (index_l / c) ** 2))


def oxide_lines(a: float, c: float, strength: float = 100.0) -> dict[float, float]:
    indices = [
        (0, 0, 3),
        (1, 0, 1),
        (0, 0, 6),
        (0, 1, 2),
        (1, 0, 4),
        (0, 1, 5),
        (1, 0, 7),
        (0, 1, 8),
        (1, 1, 0),
        (1, 1, 3),
    ]
    return {hexagonal_d(h, k, index_l, a, c): strength / (1 + n) for n, (h, k, index_l) in enumerate(indices)}


def carbon_lines(a: float, d: float, strength: float) -> dict[float, float]:
    indices = [(0, 0, 1, 1.0), (1, 0, 0, 0.3), (1, 0, 1, 0.3), (0, 0, 2, 0.1), (1, 1, 0, 0.2)]
    return {hexagonal_d(h, k, index_l, a, d): strength * share for h, k, index_l, share in indices}


def pattern_of(lines: Mapping[float, float], seed: int = 0, noise: bool = True) -> Pattern:
    """Lines of spacing -> area (deg x counts), each a sum of two Gaussians; 400 pixels in each bin."""
    x = np.arange(4.0, 26.0, 0.017)
    expected = 20.0 - 0.4 * x
    for d, area in lines.items():
        centre = np.degrees(2 * np.arcsin(WAVELENGTH_ANGSTROM / 2 / d))
        for sigma, share in ((0.02, 0.8), (0.045, 0.2)):
            shape = np.exp(-(((x - centre) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
            expected = expected + area * share * shape
    counts = np.random.default_rng(seed).poisson(400 * expected) if noise else 400 * expected
    return Pattern(x, counts / 400, np.sqrt(np.maximum(counts, 1)) / 400, WAVELENGTH_ANGSTROM)

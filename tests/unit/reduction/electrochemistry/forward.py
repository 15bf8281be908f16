"""What the cells of these tests do: other models than those that the reduction fits.

A sphere is solved shell by shell, a constant-phase arc is summed over its distribution of times, diffusion to
a blocking end is a ladder of resistors and capacitors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from intercalate.contract import RECORD_COLUMNS, StepType, code_of

FARADAY = 96485.33212


class Sphere:
    """A particle in concentric shells of equal width, advanced by backward Euler.

    Contents are fractions of the sites; the unit of the diffusion coefficient is m2/s.
    """

    def __init__(self, radius_m: float, diffusion_m2_s: float, x: float, shells: int = 100):
        edge = np.linspace(0.0, radius_m, shells + 1)
        self.volume = (edge[1:] ** 3 - edge[:-1] ** 3) / radius_m**3
        self.x = np.full(shells, x)
        between = 3 * edge[1:-1] ** 2 / radius_m**3
        self._link = diffusion_m2_s * between / (radius_m / shells)
        # From the centre of the outermost shell to the surface.
        self._skin = diffusion_m2_s * 3 / radius_m / (radius_m / shells / 2)
        self._inverse: dict[tuple[float, float], np.ndarray] = {}

    def _matrix(self, dt_s: float, conductance: float) -> np.ndarray:
        key = (dt_s, conductance)
        if key not in self._inverse:
            n = self.x.size
            matrix = np.diag(self.volume / dt_s)
            for k, link in enumerate(self._link):
                matrix[k, k] += link
                matrix[k + 1, k + 1] += link
                matrix[k, k + 1] -= link
                matrix[k + 1, k] -= link
            matrix[n - 1, n - 1] += conductance
            self._inverse[key] = np.linalg.inv(matrix)
        return self._inverse[key]

    def give(self, rate_per_s: float, dt_s: float) -> float:
        """Let the mean content change at this rate; returns the content of the surface."""
        right = self.volume / dt_s * self.x
        right[-1] += rate_per_s
        self.x = self._matrix(dt_s, 0.0) @ right
        return float(self.x[-1] + rate_per_s / self._skin)

    def pull(self, goal: float, conductance: float, dt_s: float) -> float:
        """Let the surface relax to `goal` through a resistance; returns the rate of the mean content."""
        total = 1 / (1 / conductance + 1 / self._skin)
        right = self.volume / dt_s * self.x
        right[-1] += total * goal
        self.x = self._matrix(dt_s, total) @ right
        return float(total * (goal - self.x[-1]))


def make_records(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """Records of the columns that a test cares about; the others are 0."""
    table = np.zeros((len(rows), len(RECORD_COLUMNS)))
    for number, row in enumerate(rows):
        table[number, 0] = number
        for name, value in row.items():
            table[number, RECORD_COLUMNS.index(name)] = (
                code_of(value) if isinstance(value, StepType) else value
            )
    return table


def arc(omega: np.ndarray, resistance: float, time_s: float, exponent: float) -> np.ndarray:
    """A depressed arc as the integral over its distribution of relaxation times (Cole and Cole 1941)."""
    log_tau = np.linspace(-40, 40, 40_001)
    share = np.sin((1 - exponent) * np.pi) / (np.cosh(exponent * log_tau) - np.cos((1 - exponent) * np.pi))
    share *= (log_tau[1] - log_tau[0]) / (2 * np.pi)
    tau = time_s * np.exp(log_tau)
    return np.array([resistance * np.sum(share / (1 + 1j * w * tau)) for w in omega])


def ladder(omega: np.ndarray, resistance: float, time_s: float, rungs: int = 4000) -> np.ndarray:
    """Diffusion to a blocking end: a line of equal resistors with capacitors to ground."""
    r, c = resistance / rungs, time_s / resistance / rungs
    admittance = np.zeros(omega.size, complex)
    for _ in range(rungs):
        admittance = admittance + 1j * omega * c
        admittance = 1 / (r + 1 / admittance)
    return 1 / admittance

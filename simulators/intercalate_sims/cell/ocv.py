"""Open-circuit potentials of host materials, as data that can be tabulated and put into metadata."""

from dataclasses import dataclass

import numpy as np

THERMAL_VOLTAGE_25C_V = 0.025692579
"""R T / F at 298.15 K (CODATA 2018)."""

TABLE_POINTS = 2001
"""Points of a table over x = 0..1; a step of 0.0005 keeps linear interpolation within 0.1 mV on plateaus."""

WALL_WIDTH = 0.004
WALL_HEIGHT_V = 20.0
"""Within `WALL_WIDTH` of an empty or full host the potential bends away quadratically, to `WALL_HEIGHT_V`.

No published fit holds there. The wall keeps x between 0 and 1 for every voltage a cycler can apply.
"""


@dataclass(frozen=True, slots=True)
class TanhPotential:
    """Sum of a line, exponentials and hyperbolic tangents of x, the form of Chen et al. 2020.

    U(x) = constant + slope x + sum a exp(b x) + sum a tanh(b (x - c)), in V against Li/Li+.

    Attributes
    ----------
    exponentials
        Pairs (a in V, b).
    tanhs
        Triples (a in V, b, c).
    """

    constant_v: float
    slope_v: float
    exponentials: tuple[tuple[float, float], ...]
    tanhs: tuple[tuple[float, float, float], ...]

    def potential_v(self, x: np.ndarray) -> np.ndarray:
        """Potential against Li/Li+ in V at the Li contents `x`."""
        potential = self.constant_v + self.slope_v * x
        for a, b in self.exponentials:
            potential = potential + a * np.exp(b * x)
        for a, b, c in self.tanhs:
            potential = potential + a * np.tanh(b * (x - c))
        return potential


@dataclass(frozen=True, slots=True)
class SitePotential:
    """Several kinds of host sites that fill independently (multi-species, multi-reaction).

    x(U) = sum X / (1 + exp((U - U0) / (omega RT/F))), Verbrugge, Baker, Koch, Xiao & Gu,
    J. Electrochem. Soc. 164 (2017) E3243, at 25 C. omega << 1 makes a two-phase plateau.

    Attributes
    ----------
    sites
        Triples (U0 in V, fraction X of the sites, omega).
    bounds_v
        Between which it is inverted; all sites are full at the lower and empty at the upper one.
    """

    sites: tuple[tuple[float, float, float], ...]
    bounds_v: tuple[float, float] = (-1.0, 3.0)

    def content(self, potential_v: np.ndarray) -> np.ndarray:
        """Li content x at the potentials against Li/Li+ in V."""
        x = np.zeros_like(potential_v)
        for u0, fraction, omega in self.sites:
            argument = (potential_v - u0) / (2.0 * omega * THERMAL_VOLTAGE_25C_V)
            x = x + 0.5 * fraction * (1.0 - np.tanh(argument))
        return x

    def potential_v(self, x: np.ndarray) -> np.ndarray:
        """Potential against Li/Li+ in V at the Li contents `x`, by inverting `content` on a fine grid."""
        potential = np.linspace(self.bounds_v[1], self.bounds_v[0], 200_001)
        return np.interp(x, self.content(potential), potential)


@dataclass(frozen=True, slots=True)
class TablePotential:
    """Points of a curve that has no published formula, joined monotonically (Fritsch and Carlson's PCHIP).

    Attributes
    ----------
    points
        Pairs (x, U in V) of rising x, from 0 to 1.
    """

    points: tuple[tuple[float, float], ...]

    def potential_v(self, x: np.ndarray) -> np.ndarray:
        """Potential against Li/Li+ in V at the Li contents `x`."""
        # Half of the imports of every server would be for this.
        from scipy.interpolate import PchipInterpolator

        contents, potentials = zip(*self.points)
        return PchipInterpolator(contents, potentials)(x)


def potential_table(potential: TanhPotential | SitePotential | TablePotential) -> np.ndarray:
    """Potential on `TABLE_POINTS` equally spaced Li contents 0..1, with the walls at both ends.

    Raises
    ------
    ValueError
        If the potential does not fall strictly with x: no reaction can be solved for then.
    """
    x = np.linspace(0.0, 1.0, TABLE_POINTS)
    table = potential.potential_v(x)
    table = table + WALL_HEIGHT_V * np.clip(1.0 - x / WALL_WIDTH, 0.0, None) ** 2
    table = table - WALL_HEIGHT_V * np.clip(1.0 - (1.0 - x) / WALL_WIDTH, 0.0, None) ** 2
    rising = np.flatnonzero(np.diff(table) >= 0.0)
    if rising.size:
        raise ValueError(
            f"open-circuit potential rises with x at x = {x[rising[0]]:.4f}; it must fall from 0 to 1"
        )
    return table

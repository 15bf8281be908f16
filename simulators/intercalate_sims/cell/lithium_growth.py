"""How lithium grows on a face of lithium and leaves it: habits, their heights, and what loses contact."""

import math
from typing import Any, Self

import numpy as np
from numba import njit

from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.shapes import CellParameters, LithiumFoil, LithiumGrowth

LITHIUM_CHARGE_C_M3 = 7.424e9
"""Charge per volume of lithium metal: 534 kg/m3, 6.941 g/mol."""

DENSE, NEEDLES, MOSS, GLOBULES, DEAD, FILM = range(6)
ENTRIES = 6
"""Of the state of one face, in C/m2."""
GROWN = slice(NEEDLES, GLOBULES + 1)

TURNOVER, SHARPNESS, FLAT_SHARE, GLOBULE_SHARE, DEAD_FRACTION, FILM_FRACTION = range(6)
LAWS = 6
"""Of growth, as the compiled step takes them."""

MOST_WAITING = 1024
"""Steps that a face keeps before it lives through them."""

DEPLETED_SHARE = 0.1
"""Of the salt at the face, in parts of what was filled in: below it lithium grows at tips ever more."""
SURFACE_OF_MOSS = 3.0
"""More surface than the flat face has, where moss covers it."""


@njit(cache=True, error_model="numpy")
def needle_share(current_a_m2, salt_share, turnover_a_m2, sharpness):
    """Part of what is plated that grows as needles.

    Parameters
    ----------
    current_a_m2
        Of plating.
    salt_share
        Salt at the face in parts of what was filled in.
    """
    if current_a_m2 <= 0.0:
        return 0.0
    exponent = sharpness * math.log(turnover_a_m2 / current_a_m2)
    by_current = 1.0 / (1.0 + math.exp(min(exponent, 700.0)))
    by_depletion = min(max(1.0 - salt_share / DEPLETED_SHARE, 0.0), 1.0)
    return max(by_current, by_depletion)


@njit(cache=True, error_model="numpy")
def pass_current(face, current_a_m2, salt_share, dt_s, p):
    """Let a current pass through a face for a time, in place; positive plates.

    What has grown is stripped first, evenly, and a part of it stays behind dead.
    """
    charge = abs(current_a_m2) * dt_s
    if current_a_m2 > 0.0:
        film = p[FILM_FRACTION] * charge
        left = charge - film
        needles = needle_share(current_a_m2, salt_share, p[TURNOVER], p[SHARPNESS]) * left
        globules = p[GLOBULE_SHARE] * (left - needles)
        dense = p[FLAT_SHARE] * (left - needles)
        face[FILM] += film
        face[NEEDLES] += needles
        face[DENSE] += dense
        face[GLOBULES] += globules
        face[MOSS] += left - needles - dense - globules
        return
    grown = face[NEEDLES] + face[MOSS] + face[GLOBULES]
    from_grown = min(charge, (1.0 - p[DEAD_FRACTION]) * grown)
    if from_grown > 0.0:
        leaves = min(from_grown / (1.0 - p[DEAD_FRACTION]), grown)
        for habit in range(NEEDLES, GLOBULES + 1):
            face[habit] *= 1.0 - leaves / grown
        face[DEAD] += leaves - from_grown
    face[DENSE] = max(face[DENSE] - (charge - from_grown), 0.0)


def laws_of(growth: LithiumGrowth, turnover_a_m2: float, law: Growth = Growth.REAL) -> np.ndarray:
    """What `pass_current` takes, with the true turn-over."""
    p = np.zeros(LAWS)
    p[TURNOVER], p[SHARPNESS] = turnover_a_m2, law.sharpness(growth.turnover_sharpness)
    p[FLAT_SHARE], p[GLOBULE_SHARE] = growth.flat_share, growth.globule_share
    p[DEAD_FRACTION], p[FILM_FRACTION] = growth.dead_fraction, growth.film_fraction
    return p


def strippable_c_m2(face: np.ndarray, growth: LithiumGrowth) -> float:
    """Charge that can be taken from a face."""
    return float(face[DENSE] + (1.0 - growth.dead_fraction) * face[GROWN].sum())


def moss_coverage(face: np.ndarray, growth: LithiumGrowth) -> float:
    """Share of the area under moss."""
    return -math.expm1(-float(face[MOSS]) / growth.moss_charge_c_m2)


def surface_factor(face: np.ndarray, growth: LithiumGrowth) -> float:
    """Surface over that of the flat face."""
    return 1.0 + SURFACE_OF_MOSS * moss_coverage(face, growth)


def needle_height_m(face: np.ndarray, growth: LithiumGrowth) -> float:
    """Mean height of the needles."""
    return float(face[NEEDLES]) / LITHIUM_CHARGE_C_M3 / growth.needle_coverage


def deposits(face: np.ndarray, growth: LithiumGrowth) -> tuple[tuple[str, float, float, float], ...]:
    """Habit, share of the area, width of one and mean height in um of all that stands on a face."""
    found = []
    if face[NEEDLES] > 0.0:
        height_um = 1e6 * needle_height_m(face, growth)
        found.append(("needles", growth.needle_coverage, 1e6 * growth.needle_diameter_m, height_um))
    if face[MOSS] > 0.0:
        coverage = moss_coverage(face, growth)
        volume_m = float(face[MOSS]) / LITHIUM_CHARGE_C_M3 / (1.0 - growth.moss_porosity)
        height_um = 1e6 * volume_m / coverage
        found.append(("moss", coverage, height_um, height_um))
    if face[GLOBULES] > 0.0:
        volume_m3 = float(face[GLOBULES]) / LITHIUM_CHARGE_C_M3 / growth.globules_m2
        # Halves of balls on the face.
        radius_m = (1.5 * volume_m3 / math.pi) ** (1.0 / 3.0)
        coverage = min(growth.globules_m2 * math.pi * radius_m**2, 1.0)
        found.append(("globules", coverage, 2e6 * radius_m, 1e6 * radius_m))
    return tuple(found)


@njit(cache=True, error_model="numpy")
def _pass_all(face, currents, salt_shares, dt_s, p):
    """Step after step as `pass_current`."""
    for k in range(currents.size):
        if currents[k] != 0.0:
            pass_current(face, currents[k], salt_shares[k], dt_s, p)


class Face:
    """The face of a foil in a cell with another electrode: what grows there, beside the cell's own balance.

    Steps are kept and lived through when somebody looks, which comes to the same and costs the cell less.

    Parameters
    ----------
    turnover_a_m2
        The true one.
    thickness_m
        Of the fresh foil.
    dt_s
        Of each step.
    """

    def __init__(self, growth: LithiumGrowth, turnover_a_m2: float, thickness_m: float, dt_s: float):
        self.growth, self._turnover, self._dt_s = growth, turnover_a_m2, dt_s
        self._laws = laws_of(growth, turnover_a_m2)
        self._content = np.zeros(ENTRIES)
        self._content[DENSE] = thickness_m * LITHIUM_CHARGE_C_M3
        self._currents: list[float] = []
        self._salt_shares: list[float] = []

    @classmethod
    def of(cls, parameters: CellParameters, turnover_a_m2: float | None, dt_s: float) -> Self | None:
        """The face of a fresh foil; None where there is none, or its growth is not followed.

        Raises
        ------
        ValueError
            If a turn-over is given that is out of range, or of a cell whose growth is not followed.
        """
        foil, growth = parameters.negative, parameters.growth
        if growth is None or not isinstance(foil, LithiumFoil):
            if turnover_a_m2 is not None:
                raise ValueError(
                    f"turnover_current_a_m2 = {turnover_a_m2}: growth of lithium is not followed in "
                    f"{parameters.name}; leave it out"
                )
            return None
        turnover = growth.turnover_current_a_m2 if turnover_a_m2 is None else turnover_a_m2
        if not 1e-6 <= turnover <= 1e6:
            raise ValueError(f"turnover_current_a_m2 = {turnover} is outside 1e-06 to 1e+06")
        return cls(growth, turnover, foil.thickness_m, dt_s)

    def step(self, current_a_m2: float, salt_share: float) -> None:
        """Let a current pass for a step; positive plates."""
        self._currents.append(current_a_m2)
        self._salt_shares.append(salt_share)
        if len(self._currents) >= MOST_WAITING:
            self._catch_up()

    def _catch_up(self) -> None:
        if self._currents:
            currents, shares = np.array(self._currents), np.array(self._salt_shares)
            _pass_all(self._content, currents, shares, self._dt_s, self._laws)
            self._currents.clear()
            self._salt_shares.clear()

    def deposits(self) -> tuple[tuple[str, float, float, float], ...]:
        """What stands on the face; see `ElectrodeState.deposits`."""
        self._catch_up()
        return deposits(self._content, self.growth)

    def dead_um(self) -> float:
        """Lithium without contact, as if dense."""
        self._catch_up()
        return 1e6 * float(self._content[DEAD]) / LITHIUM_CHARGE_C_M3

    def to_state(self) -> dict[str, Any]:
        """JSON-able."""
        self._catch_up()
        return {"turnover_current_a_m2": self._turnover, "content": self._content.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Become what `to_state` described.

        Raises
        ------
        ValueError
            If there are not as many numbers as a face has.
        """
        content = np.array(state["content"], dtype=float)
        if content.shape != (ENTRIES,):
            raise ValueError(f"state['face'] holds {content.size} numbers, {ENTRIES} expected")
        self._turnover, self._content = state["turnover_current_a_m2"], content
        self._laws = laws_of(self.growth, self._turnover)

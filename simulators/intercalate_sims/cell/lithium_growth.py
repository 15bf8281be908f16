"""How lithium grows on a face of lithium and leaves it: habits, their heights, and what loses contact."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from intercalate_sims.cell.shapes import CellParameters, LithiumFoil, LithiumGrowth

LITHIUM_CHARGE_C_M3 = 7.424e9
"""Charge per volume of lithium metal: 534 kg/m3, 6.941 g/mol."""

DENSE, NEEDLES, MOSS, GLOBULES, DEAD, FILM = range(6)
ENTRIES = 6
"""Of the state of one face, in C/m2."""
GROWN = slice(NEEDLES, GLOBULES + 1)

DEPLETED_SHARE = 0.1
"""Of the salt at the face, in parts of what was filled in: below it lithium grows at tips ever more."""
SURFACE_OF_MOSS = 3.0
"""More surface than the flat face has, where moss covers it."""


def needle_share(
    current_a_m2: float, salt_share: float, turnover_a_m2: float, growth: LithiumGrowth
) -> float:
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
    exponent = growth.turnover_sharpness * math.log(turnover_a_m2 / current_a_m2)
    by_current = 1.0 / (1.0 + math.exp(min(exponent, 700.0)))
    by_depletion = min(max(1.0 - salt_share / DEPLETED_SHARE, 0.0), 1.0)
    return max(by_current, by_depletion)


def plate(face: np.ndarray, charge_c_m2: float, needles: float, growth: LithiumGrowth) -> None:
    """Lay lithium on a face; `needles` is the share of it that grows so."""
    film = growth.film_fraction * charge_c_m2
    left = charge_c_m2 - film
    rest = (1.0 - needles) * left
    globules = growth.globule_share * rest
    dense = growth.flat_share * rest
    face[FILM] += film
    face[NEEDLES] += needles * left
    face[DENSE] += dense
    face[GLOBULES] += globules
    face[MOSS] += rest - dense - globules


def strippable_c_m2(face: np.ndarray, growth: LithiumGrowth) -> float:
    """Charge that can be taken from a face."""
    return float(face[DENSE] + (1.0 - growth.dead_fraction) * face[GROWN].sum())


def strip(face: np.ndarray, charge_c_m2: float, growth: LithiumGrowth) -> None:
    """Take lithium from a face: what has grown first, evenly, a part of which stays behind dead."""
    grown = float(face[GROWN].sum())
    from_grown = min(charge_c_m2, (1.0 - growth.dead_fraction) * grown)
    if from_grown > 0.0:
        leaves = min(from_grown / (1.0 - growth.dead_fraction), grown)
        face[GROWN] *= 1.0 - leaves / grown
        face[DEAD] += leaves - from_grown
    face[DENSE] = max(face[DENSE] - (charge_c_m2 - from_grown), 0.0)


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


@dataclass
class Face:
    """The face of a foil in a cell with another electrode: what grows there, beside the cell's own balance.

    Attributes
    ----------
    turnover_a_m2
        The true one.
    content
        As `plate` and `strip` take it.
    """

    growth: LithiumGrowth
    turnover_a_m2: float
    content: np.ndarray

    @classmethod
    def of(cls, parameters: CellParameters, turnover_a_m2: float | None) -> Self | None:
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
        content = np.zeros(ENTRIES)
        content[DENSE] = foil.thickness_m * LITHIUM_CHARGE_C_M3
        return cls(growth, turnover, content)

    def pass_current(self, current_a_m2: float, salt_share: float, dt_s: float) -> None:
        """Let a current pass for a time; positive plates."""
        charge = abs(current_a_m2) * dt_s
        if current_a_m2 > 0.0:
            needles = needle_share(current_a_m2, salt_share, self.turnover_a_m2, self.growth)
            plate(self.content, charge, needles, self.growth)
        elif current_a_m2 < 0.0:
            strip(self.content, charge, self.growth)

    def deposits(self) -> tuple[tuple[str, float, float, float], ...]:
        """What stands on the face; see `ElectrodeState.deposits`."""
        return deposits(self.content, self.growth)

    def dead_um(self) -> float:
        """Lithium without contact, as if dense."""
        return 1e6 * float(self.content[DEAD]) / LITHIUM_CHARGE_C_M3

    def to_state(self) -> dict[str, Any]:
        """JSON-able."""
        return {"turnover_current_a_m2": self.turnover_a_m2, "content": self.content.tolist()}

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
        self.turnover_a_m2, self.content = state["turnover_current_a_m2"], content

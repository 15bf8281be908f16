"""A sealed liquid cell: lithium on gold, as it grows at an overpotential and leaves at a reversed voltage."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np

from intercalate.materials import Mark, Source
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.tem import Deposit, Kink
from intercalate_sims.probes.tem_crystals import GROWTH_AXES

LIQUID_PER_NM = 1 / 4000.0
"""By which the thin liquid around a deposit, which takes its place, weakens the bright field."""
LIQUID_SOURCE = Source("an organic electrolyte a few hundred nanometres thick", Mark.ILLUSTRATION)

AT_REST_V = 0.005
"""Voltage, without its sign, below which nothing grows and nothing leaves."""


class LiquidCellLaw(StrEnum):
    """What grows on the gold; nobody is told."""

    REAL = "real"
    """Dense clusters at small, whiskers at large overpotential, of which shells are left."""
    EVEN = "even"
    """Half of it whiskers, at any overpotential, and nothing of them is left hollow."""
    REVERSED = "reversed"
    """Whiskers at small, clusters at large overpotential."""


@dataclass(frozen=True)
class HiddenLiquidCell:
    """How lithium grows in a cell.

    Attributes
    ----------
    turnover_v
        Overpotential at which half of the deposits are whiskers.
    width_v
        Over which their share changes.
    left_hollow
        Share of whiskers whose shell is left when lithium leaves; the others keep their lithium.
    """

    turnover_v: float = 0.12
    width_v: float = 0.015
    left_hollow: float = 0.97

    @classmethod
    def draw(cls, seed: int) -> Self:
        """Of a seed."""
        n = keyed_generator(seed, "liquid cell", 0).standard_normal(3)
        return cls(
            0.12 * float(np.exp(0.15 * n[0])),
            0.015 * float(np.exp(0.2 * n[1])),
            float(np.clip(0.97 + 0.02 * n[2], 0.9, 1.0)),
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def whisker_chance(self, overpotential_v: float, law: LiquidCellLaw) -> float:
        """That a deposit is a whisker."""
        if law is LiquidCellLaw.EVEN:
            return 0.5
        away = (overpotential_v - self.turnover_v) / self.width_v
        share = 1.0 / (1.0 + math.exp(-min(max(away, -50.0), 50.0)))
        return share if law is LiquidCellLaw.REAL else 1.0 - share


class LiquidCell:
    """Gold below a liquid, and what was done to it so far.

    Parameters
    ----------
    seed
        Of what grows where.
    """

    def __init__(self, seed: int, law: LiquidCellLaw = LiquidCellLaw.REAL):
        self.hidden = HiddenLiquidCell.draw(seed)
        self._seed, self._law = seed, law
        self._grown_v: float | None = None
        self._grown = 0
        self._is_dissolved = False

    def bias(self, bias_v: float) -> None:
        """Put a voltage across the cell: below 0 lithium grows, afresh where it had been dissolved, above it
        dissolves.
        """
        if bias_v < -AT_REST_V:
            if self._grown_v is None or self._is_dissolved:
                self._grown_v, self._grown, self._is_dissolved = -bias_v, self._grown + 1, False
        elif bias_v > AT_REST_V and self._grown_v is not None:
            self._is_dissolved = True

    @property
    def grown(self) -> int:
        """How often lithium has grown."""
        return self._grown

    def deposit(self, place: int) -> Deposit | None:
        """What is at a place; None where nothing is."""
        if self._grown_v is None:
            return None
        generator = keyed_generator(self._seed, f"grown in liquid {self._grown}", place)
        chance = self.hidden.whisker_chance(self._grown_v, self._law)
        draws = generator.random(2)
        if draws[0] >= chance:
            # Clusters are dissolved as a whole.
            return None if self._is_dissolved else _cluster(generator)
        whisker = _whisker(generator)
        if self._is_dissolved and self._law is not LiquidCellLaw.EVEN:
            return replace(whisker, is_hollow=bool(draws[1] < self.hidden.left_hollow))
        return whisker


def _cluster(generator: np.random.Generator) -> Deposit:
    return Deposit("cluster", size_nm=float(generator.uniform(380.0, 620.0)))


def _whisker(generator: np.random.Generator) -> Deposit:
    """With kinks or without."""
    count = int(generator.integers(0, 3))
    kinks = tuple(
        Kink(float(at), float(sign * angle))
        for at, sign, angle in zip(
            np.linspace(0.35, 0.65, count),
            generator.choice([-1.0, 1.0], count),
            generator.uniform(25.0, 55.0, count),
        )
    )
    return Deposit(
        "whisker",
        kinks=kinks,
        direction_deg=float(generator.uniform(0.0, 180.0)),
        size_nm=float(generator.uniform(650.0, 850.0)),
        width_nm=float(generator.uniform(110.0, 170.0)),
        growth_axis=str(generator.choice(sorted(GROWTH_AXES))),
    )


def of_deposit(deposit: Deposit | None) -> Mapping[str, Any]:
    """What is true of a place, JSON-able."""
    if deposit is None:
        return {"habit": "none"}
    return {"habit": deposit.habit, "is_hollow": deposit.is_hollow, "width_nm": deposit.width_nm}

"""Particles that lost contact: they keep the lithium that was in them, and no current reaches them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.cell.shapes import LithiumFoil, PorousElectrode

SITES, CHARGE, SQUARE = range(3)
"""Of the isolated part of a slice, per electrode area: its sites, times x, times x squared; C/m2."""


@dataclass
class Isolated:
    """What of an electrode is isolated.

    Attributes
    ----------
    share
        Of the particles still in contact that lose it while the charge of a whole film passes.
    all_sites
        Of each slice as it was made, C/m2.
    content
        Shape (slices, 3).
    """

    share: float
    all_sites: np.ndarray
    content: np.ndarray

    @classmethod
    def of(cls, electrode: PorousElectrode | LithiumFoil, sites: np.ndarray, side_reactions: bool) -> Self:
        """Nothing of a new electrode."""
        side = electrode.side_reactions if isinstance(electrode, PorousElectrode) else None
        share = side.isolated_share if side is not None and side_reactions else 0.0
        return cls(share, sites.copy(), np.zeros((sites.size, 3)))

    def left(self) -> np.ndarray:
        """Sites of each slice that are still in contact."""
        return self.all_sites - self.content[:, SITES]

    def take(self, sites: np.ndarray, x: np.ndarray, film_grown: np.ndarray) -> None:
        """Take from `sites`, in place, what lost contact while the film grew by so many whole films."""
        lost = -sites * np.expm1(-self.share * np.maximum(film_grown, 0.0))
        self.content[:, SITES] += lost
        self.content[:, CHARGE] += lost * x
        self.content[:, SQUARE] += lost * x * x
        sites[:] = self.left()

    def seen_with(self, state: ElectrodeState, sites: np.ndarray) -> ElectrodeState:
        """The electrode as a probe finds it, which does not know what is in contact."""
        if self.share == 0.0:
            return state
        x, spread = np.array(state.li_content), np.array(state.li_spread)
        mean = (sites * x + self.content[:, CHARGE]) / self.all_sites
        square = (sites * (spread**2 + x**2) + self.content[:, SQUARE]) / self.all_sites
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))
        mean = np.clip(mean, 0.0, 1.0)
        return replace(state, li_content=tuple(mean.tolist()), li_spread=tuple(spread.tolist()))

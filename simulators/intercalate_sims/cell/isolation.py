"""Particles that lost contact: they keep the lithium that was in them, and no current reaches them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.cell.shapes import HighVoltageFade, LithiumFoil, PorousElectrode

SITES, CHARGE, SQUARE = range(3)
"""Of the isolated part of a slice, per electrode area: its sites, times x, times x squared; C/m2."""


@dataclass
class Isolated:
    """What of an electrode is isolated.

    Attributes
    ----------
    share
        Of the particles still in contact that lose it while the charge of a whole film passes.
    fade
        By which more lose it while the potential is high; None where it does no harm.
    all_sites
        Of each slice as it was made, C/m2.
    content
        Shape (slices, 3).
    """

    share: float
    all_sites: np.ndarray
    content: np.ndarray
    fade: HighVoltageFade | None = None

    @classmethod
    def of(cls, electrode: PorousElectrode | LithiumFoil, sites: np.ndarray, side_reactions: bool) -> Self:
        """Nothing of a new electrode."""
        side = fade = None
        if isinstance(electrode, PorousElectrode) and side_reactions:
            side, fade = electrode.side_reactions, electrode.high_voltage
        share = 0.0 if side is None else side.isolated_share
        return cls(share, sites.copy(), np.zeros((sites.size, 3)), fade)

    @property
    def takes(self) -> bool:
        """Whether particles can lose contact at all."""
        return self.share > 0.0 or self.fade is not None

    def left(self) -> np.ndarray:
        """Sites of each slice that are still in contact."""
        return self.all_sites - self.content[:, SITES]

    def take(
        self, sites: np.ndarray, x: np.ndarray, film_grown: np.ndarray | float, over_v_h: float = 0.0
    ) -> None:
        """Take from `sites`, in place, what lost contact while the film grew by so many whole films, and
        while the potential was too high for so long.
        """
        high = 0.0 if self.fade is None else self.fade.loss_per_v_h * over_v_h
        lost = -sites * np.expm1(-self.share * np.maximum(film_grown, 0.0) - high)
        self.content[:, SITES] += lost
        self.content[:, CHARGE] += lost * x
        self.content[:, SQUARE] += lost * x * x
        sites[:] = self.left()

    def seen_with(self, state: ElectrodeState, sites: np.ndarray) -> ElectrodeState:
        """The electrode as a probe finds it, which does not know what is in contact."""
        if not self.takes:
            return state
        x, spread = np.array(state.li_content), np.array(state.li_spread)
        mean = (sites * x + self.content[:, CHARGE]) / self.all_sites
        square = (sites * (spread**2 + x**2) + self.content[:, SQUARE]) / self.all_sites
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))
        mean = np.clip(mean, 0.0, 1.0)
        return replace(state, li_content=tuple(mean.tolist()), li_spread=tuple(spread.tolist()))

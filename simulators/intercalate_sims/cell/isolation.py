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
    cracked_share
        Of the particles still in contact that crack and lose it while x goes from 0 to 1 or back.
    all_sites
        Of each slice as it was made, C/m2.
    content
        Shape (slices, 3).
    """

    share: float
    all_sites: np.ndarray
    content: np.ndarray
    fade: HighVoltageFade | None = None
    cracked_share: float = 0.0

    @classmethod
    def of(cls, electrode: PorousElectrode | LithiumFoil, sites: np.ndarray, side_reactions: bool) -> Self:
        """Nothing of a new electrode."""
        share, fade, cracked = 0.0, None, 0.0
        if isinstance(electrode, PorousElectrode) and side_reactions:
            fade = electrode.high_voltage
            if electrode.side_reactions is not None:
                share = electrode.side_reactions.isolated_share
            if electrode.cracking is not None:
                cracked = electrode.cracking.share(electrode.particle_radius_m)
        return cls(share, sites.copy(), np.zeros((sites.size, 3)), fade, cracked)

    @property
    def takes(self) -> bool:
        """Whether particles can lose contact at all."""
        return self.share > 0.0 or self.fade is not None or self.cracked_share > 0.0

    def left(self) -> np.ndarray:
        """Sites of each slice that are still in contact."""
        return self.all_sites - self.content[:, SITES]

    def take(
        self,
        sites: np.ndarray,
        x: np.ndarray,
        film_grown: np.ndarray | float,
        over_v_h: float = 0.0,
        turned: np.ndarray | float = 0.0,
    ) -> None:
        """Take from `sites`, in place, what lost contact while the film grew by so many whole films, the
        potential was too high for so long, and x changed by so much.
        """
        high = 0.0 if self.fade is None else self.fade.loss_per_v_h * over_v_h
        cracked = self.cracked_share * np.abs(turned)
        lost = -sites * np.expm1(-self.share * np.maximum(film_grown, 0.0) - high - cracked)
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

"""An alloy of lithium and aluminium of any extent, with places that lack lithium all over it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps_map import Irregularity
from intercalate_sims.probes.xps_samples import Layer, Stack

PITCH_UM = 78.0
"""Between the middles of neighbouring irregularities, on average."""
_SHIFT_UM = 6.0
_SEMI_UM = (10.0, 15.0)
_STRETCH = 0.12
_REACH = 3
"""Places of irregularities around a point that may belong to it, in each direction."""

_LENGTH_UM = (20.0, 80.0)
_WAVES = 12
_UNEVENNESS = 0.05
"""Relative standard deviation, by roughness, of everything that is seen."""

_QUADRATURE = np.linspace(-1.2, 1.2, 13)
"""Over a spot, in its full widths at half maximum."""


@dataclass(frozen=True)
class Alloy:
    """A polished face.

    Attributes
    ----------
    is_even
        Whether nothing lacks lithium anywhere.
    """

    seed: int
    is_even: bool = False

    @cached_property
    def lacking(self) -> float:
        """Share of the lithium that is missing where it is."""
        return float(keyed_generator(self.seed, "alloy", 0).uniform(0.4, 0.8))

    @property
    def usual(self) -> Stack:
        """Where nothing is missing."""
        return [*self._skin, Layer("LiAl")]

    @property
    def other(self) -> Stack:
        """Where lithium is missing."""
        return [*self._skin, Layer({"LiAl": 1.0 - self.lacking, "Al": self.lacking})]

    @property
    def _skin(self) -> list[Layer]:
        return [Layer("adventitious carbon", 0.4), Layer("Li2O", 0.6)]

    def irregularities(self, x_um: float, y_um: float, reach: int = _REACH) -> list[Irregularity]:
        """Those around a point, in coordinates of the face."""
        if self.is_even:
            return []
        column, row = round(x_um / PITCH_UM), round(y_um / PITCH_UM)
        steps = range(-reach, reach + 1)
        return [self._irregularity(column + i, row + j) for j in steps for i in steps]

    def _irregularity(self, column: int, row: int) -> Irregularity:
        generator = keyed_generator(self.seed, f"alloy {column}", row % 2**32)
        x_um, y_um = (PITCH_UM * at + generator.uniform(-_SHIFT_UM, _SHIFT_UM) for at in (column, row))
        semi_um = generator.uniform(*_SEMI_UM)
        stretch = float(np.exp(_STRETCH * generator.standard_normal()))
        return Irregularity(float(x_um), float(y_um), semi_um * stretch, semi_um / stretch)

    def share(self, x_um: float, y_um: float, spot_um: float) -> float:
        """Of places that lack lithium in what a round spot of this full width at half maximum sees."""
        if self.is_even:
            return 0.0
        steps = _QUADRATURE * spot_um
        weight = np.exp(-4.0 * np.log(2.0) * _QUADRATURE**2)
        weights = weight[:, None] * weight[None, :]
        across, down = x_um + steps[None, :], y_um + steps[:, None]
        inside = np.zeros(weights.shape, dtype=bool)
        for one in self.irregularities(x_um, y_um, 1):
            inside |= ((across - one.x_um) / one.semi_x_um) ** 2 + (
                (down - one.y_um) / one.semi_y_um
            ) ** 2 < 1
        return float((weights * inside).sum() / weights.sum())

    def brightness(self, x_um: float, y_um: float) -> float:
        """Of everything that is seen at a point, about 1."""
        generator = keyed_generator(self.seed, "alloy roughness", 0)
        length_um = generator.uniform(*_LENGTH_UM, _WAVES)
        angle, phase = (generator.uniform(0.0, 2.0 * np.pi, _WAVES) for _ in range(2))
        along = x_um * np.cos(angle) + y_um * np.sin(angle)
        wave = np.cos(2.0 * np.pi * along / length_um + phase).sum() / np.sqrt(_WAVES / 2.0)
        return float(np.exp(_UNEVENNESS * wave))

"""The sample changer: which holder is in the beam, and how much of the beam goes through its window."""

import cmath
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

WINDOW_RADIUS_MM = 3.0
"""Of a holder's X-ray window."""

FRAME_RADIUS_MM = 5.0
"""Of the metal around the window, which lets nothing through; beyond there is air."""

_POINTS = 9
"""Along each side of the beam, by which its overlap with a window is counted."""


@dataclass(frozen=True)
class Holder:
    """A place on the changer.

    Attributes
    ----------
    x_mm, y_mm
        Stage position at which the window's centre is really in the beam.
    content
        Name of a cell of the world, `LaB6`, `Si`, `empty`, `fluorescence`, `diamond anvil cell`, or
        `vessel` for the cell in the transfer vessel; None where a cell was carried away.
    rotation_deg
        Of its axes against those of the stage, anticlockwise.
    window_radius_mm
        Of what the beam passes through.
    """

    name: str
    content: str | None
    x_mm: float
    y_mm: float
    rotation_deg: float = 0.0
    window_radius_mm: float = WINDOW_RADIUS_MM

    def place_mm(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Of a beam with the stage at x, y, along the axes of the holder."""
        away = complex(x_mm - self.x_mm, y_mm - self.y_mm)
        own = away * cmath.rect(1.0, -math.radians(self.rotation_deg))
        return own.real, own.imag


@dataclass(frozen=True)
class InBeam:
    """What the beam meets at one position of the stage.

    Attributes
    ----------
    holder
        Of which at least the frame is in the beam; None between the holders.
    window, air
        Shares of the beam that go through the holder's window, and past every holder.
    place_mm
        Of the beam on the holder, from the centre of the window.
    """

    holder: Holder | None
    window: float
    air: float
    place_mm: tuple[float, float]

    @property
    def content(self) -> str | None:
        """What is behind the window, if any of the beam goes through it."""
        return self.holder.content if self.holder is not None and self.window > 0 else None


class Changer:
    """Holders beside each other on the stage."""

    def __init__(self, holders: Iterable[Holder]):
        self.holders = {holder.name: holder for holder in holders}

    def _nearest(self, x_mm: float, y_mm: float, reach_mm: float) -> Holder | None:
        """Holder whose frame is within reach; frames do not overlap."""
        by_distance = {math.hypot(x_mm - one.x_mm, y_mm - one.y_mm): one for one in self.holders.values()}
        distance = min(by_distance, default=math.inf)
        return by_distance[distance] if distance < FRAME_RADIUS_MM + reach_mm else None

    def content_near(self, x_mm: float, y_mm: float) -> str | None:
        """What is in the holder that a beam of any size at x, y could meet."""
        holder = self._nearest(x_mm, y_mm, math.inf)
        return holder.content if holder is not None else None

    def place_near(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Of a beam at x, y on the nearest holder, from the centre of its window."""
        holder = self._nearest(x_mm, y_mm, math.inf)
        return holder.place_mm(x_mm, y_mm) if holder is not None else (0.0, 0.0)

    def in_beam(self, x_mm: float, y_mm: float, size_mm: tuple[float, float]) -> InBeam:
        """What a beam of this size (horizontal, vertical) meets with the stage at x, y."""
        holder = self._nearest(x_mm, y_mm, math.hypot(*size_mm) / 2)
        if holder is None:
            return InBeam(None, 0.0, 1.0, (0.0, 0.0))
        steps = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
        beam_x, beam_y = np.meshgrid(x_mm + steps * size_mm[0], y_mm + steps * size_mm[1])
        distance = np.hypot(beam_x - holder.x_mm, beam_y - holder.y_mm)
        return InBeam(
            holder,
            float(np.mean(distance <= holder.window_radius_mm)),
            float(np.mean(distance > FRAME_RADIUS_MM)),
            holder.place_mm(x_mm, y_mm),
        )

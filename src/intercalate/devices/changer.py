"""Sample stage and sample changer."""

import cmath
import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ophyd import Component as Cpt
from ophyd import Device, Kind, Signal
from ophyd.status import DeviceStatus
from ophyd.utils.errors import UnknownStatusFailure

from intercalate.contract import DIAMOND_ANVIL_CELL
from intercalate.devices.axis import Axis
from intercalate.devices.statuses import end_in_thread

ARRIVED_MM = 0.01
"""Distance from its target within which an axis has arrived: far less than a beam is wide."""


class ChangerError(RuntimeError):
    """The sample changer stopped where it was not sent."""


class SampleStage(Device):
    """Motor records across the beam; positions in mm."""

    x_mm = Cpt(Axis, "StageX", kind=Kind.hinted)
    y_mm = Cpt(Axis, "StageY", kind=Kind.hinted)


@dataclass(frozen=True)
class Place:
    """A place of the sample changer.

    Attributes
    ----------
    x_mm, y_mm
        Of the stage, on paper, with the centre of the window in the beam.
    channel
        Of the cycler, whose cables end there; None where it is no place for a cell.
    content
        What is there otherwise: a calibrant, `empty`, `fluorescence`, a `diamond anvil cell`, or a `vessel`
        with a cell in it.
    """

    x_mm: float
    y_mm: float
    channel: str | None = None
    content: str | None = None

    @property
    def takes_cells(self) -> bool:
        """Whether a cell can be there, or a sample on no channel whose doses count as well."""
        return self.channel is not None or self.content in SAMPLES


FILMS = ("CoO", "Co3O4", "LiCoO2", "Li0.5CoO2", "Li2O", "Li2O2", "LiPON")
SAMPLES = ("vessel", DIAMOND_ANVIL_CELL, "deposit", "nanobattery", "liquid cell", *FILMS)
"""Contents of places that a beam may harm."""


class SampleChanger(SampleStage):
    """A stage with named places: `set("H1")`, or `set(("H1", 0.3, -0.2))` for a spot off its centre.

    Parameters
    ----------
    places
        By name.
    measured
        Gives the measured centre of a place, or None where it was not aligned.
    turned_deg
        Gives the measured rotation of the sample at a place against the stage, anticlockwise.
    marks_mm, mark_diameter_um
        Discs on each holder of a cell, from its middle.

    Attributes
    ----------
    place, spot_x_mm, spot_y_mm
        Where it was sent last: name, and offset from the centre in the sample's coordinates.
    """

    place = Cpt(Signal, value="", kind=Kind.normal)
    spot_x_mm = Cpt(Signal, value=0.0, kind=Kind.normal)
    spot_y_mm = Cpt(Signal, value=0.0, kind=Kind.normal)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        places: Mapping[str, Place] | None = None,
        measured: Callable[[str], tuple[float, float] | None] = lambda place: None,
        turned_deg: Callable[[str], float] = lambda place: 0.0,
        marks_mm: Sequence[tuple[float, float]] = (),
        mark_diameter_um: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self.places = dict(places or {})
        self._stopped = False
        self._measured = measured
        self._turned_deg = turned_deg
        self.marks_mm = tuple(marks_mm)
        self.mark_diameter_um = mark_diameter_um

    def sample_mm(self, place: str, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Where on the sample at a place the beam is with the stage at x, y."""
        centre_x_mm, centre_y_mm = self.centre_mm(place)
        own = complex(x_mm - centre_x_mm, y_mm - centre_y_mm) / self._turn(place)
        return own.real, own.imag

    def _turn(self, place: str) -> complex:
        """By which a place on the sample is multiplied: rotations of the plane are such numbers."""
        return cmath.rect(1.0, math.radians(self._turned_deg(place)))

    def centre_mm(self, place: str) -> tuple[float, float]:
        """Stage position of the centre of a place: as measured, or else on paper.

        Raises
        ------
        ValueError
            If there is no such place.
        """
        if place not in self.places:
            raise ValueError(f"{self.name} has no place {place!r}; it has {', '.join(self.places)}")
        on_paper = self.places[place]
        return self._measured(place) or (on_paper.x_mm, on_paper.y_mm)

    def find(self, *, content: str | None = None, channel: str | None = None) -> str:
        """Name of the place with this content, or of the cell on this channel.

        Raises
        ------
        ValueError
            If there is none.
        """
        wanted = content if channel is None else channel
        for name, place in self.places.items():
            if wanted == (place.content if channel is None else place.channel):
                return name
        what = f"content {content!r}" if channel is None else f"channel {channel!r}"
        raise ValueError(f"{self.name} has no place with {what}; add it under [changer.places]")

    def position_mm(self, where: str | tuple[str, float, float]) -> tuple[float, float]:
        """Stage position of a place, or of a spot on it.

        Raises
        ------
        ValueError
            If there is no such place.
        LimitError
            If it is outside the travel of an axis.
        """
        place, dx_mm, dy_mm = (where, 0.0, 0.0) if isinstance(where, str) else where
        x_mm, y_mm = self.centre_mm(place)
        moved = complex(dx_mm, dy_mm) * self._turn(place)
        target = (x_mm + moved.real, y_mm + moved.imag)
        for axis, value in zip((self.x_mm, self.y_mm), target):
            axis.check_value(value)
        return target

    def is_at(self, where: str | tuple[str, float, float]) -> bool:
        """Whether the axes are there, by an explicit read; raises as `position_mm`."""
        return self._is_at(self.position_mm(where))

    def _is_at(self, target_mm: tuple[float, float]) -> bool:
        axes = (self.x_mm, self.y_mm)
        return bool(
            np.allclose(
                [float(axis.user_readback.get(use_monitor=False)) for axis in axes],
                target_mm,
                rtol=0.0,
                atol=ARRIVED_MM,
            )
        )

    def stop(self, *, success: bool = False) -> None:
        """Stop both axes, wherever they are; a move under way ends without an error."""
        self._stopped = True
        super().stop(success=success)

    def set(self, where: str | tuple[str, float, float]) -> DeviceStatus:
        """Move both axes at once; raises as `position_mm`.

        The status fails with `ChangerError` where they stop elsewhere, unless this client has stopped them.
        """
        x_mm, y_mm = target_mm = self.position_mm(where)
        place, dx_mm, dy_mm = (where, 0.0, 0.0) if isinstance(where, str) else where
        self.place.put(place)
        self.spot_x_mm.put(dx_mm)
        self.spot_y_mm.put(dy_mm)
        self._stopped = False
        moves = self.x_mm.set(x_mm) & self.y_mm.set(y_mm)

        def arrive() -> None:
            # An axis that fails does not say why; where it is says it.
            with contextlib.suppress(UnknownStatusFailure):
                moves.wait()
            if not self._stopped and not self._is_at(target_mm):
                at_mm = ", ".join(f"{axis.user_readback.get():.3f}" for axis in (self.x_mm, self.y_mm))
                raise ChangerError(
                    f"{self.name} was sent to {place} at {x_mm:.3f}, {y_mm:.3f} mm and stopped at "
                    f"{at_mm} mm: see who else moves it, and whether it is blocked"
                )

        status = DeviceStatus(self)
        end_in_thread(status, arrive)
        return status

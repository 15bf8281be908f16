"""What focuses a beam on the sample and moves it over it."""

from collections.abc import Callable
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, Kind

from intercalate.devices.axis import Axis


class Objective(Device):
    """Moves the spot of a laser or of an X-ray microprobe over the sample, and its focus into it.

    Parameters
    ----------
    beside_mm
        Where the spot is on paper with the objective at rest, from where the sample changer means.
    measured
        Gives where it is, or None where nobody has measured it.

    Attributes
    ----------
    x_um, y_um
        Across the sample, from the middle of the range.
    z_um
        Of the focus, + into the sample.
    """

    x_um = Cpt(Axis, "ObjectiveX", kind=Kind.normal)
    y_um = Cpt(Axis, "ObjectiveY", kind=Kind.normal)
    z_um = Cpt(Axis, "Focus", kind=Kind.normal)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        beside_mm: tuple[float, float] = (0.0, 0.0),
        measured: Callable[[], tuple[float, float] | None] = lambda: None,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self._on_paper_mm = beside_mm
        self._measured = measured

    @property
    def beside_mm(self) -> tuple[float, float]:
        """Where the spot is with the objective at rest: as measured, or else on paper."""
        return self._measured() or self._on_paper_mm

    def offset_mm(self) -> tuple[float, float]:
        """Where the spot is, from where the sample changer means."""
        moved_mm = (float(axis.user_readback.get()) / 1000.0 for axis in (self.x_um, self.y_um))
        x_mm, y_mm = (at + moved for at, moved in zip(self.beside_mm, moved_mm))
        return x_mm, y_mm

"""What focuses a beam on the sample and moves it over it."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsMotor, Kind


class Objective(Device):
    """Moves the spot of a laser or of an X-ray microprobe over the sample, and its focus into it.

    Parameters
    ----------
    beside_mm
        Where the spot is with the objective at rest, from where the sample changer means.

    Attributes
    ----------
    x_um, y_um
        Across the sample, from the middle of the range.
    z_um
        Of the focus, + into the sample.
    """

    x_um = Cpt(EpicsMotor, "ObjectiveX", kind=Kind.normal)
    y_um = Cpt(EpicsMotor, "ObjectiveY", kind=Kind.normal)
    z_um = Cpt(EpicsMotor, "Focus", kind=Kind.normal)

    def __init__(self, prefix: str, *, name: str, beside_mm: tuple[float, float] = (0.0, 0.0), **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self.beside_mm = beside_mm

    def offset_mm(self) -> tuple[float, float]:
        """Where the spot is, from where the sample changer means."""
        moved_mm = (float(axis.user_readback.get()) / 1000.0 for axis in (self.x_um, self.y_um))
        x_mm, y_mm = (at + moved for at, moved in zip(self.beside_mm, moved_mm))
        return x_mm, y_mm

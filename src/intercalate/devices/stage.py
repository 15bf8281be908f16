"""Two-axis sample stage."""

from ophyd import Component as Cpt
from ophyd import Device, EpicsMotor, Kind


class SampleStage(Device):
    """Motor records across the beam; positions in mm, zero at the centre of the cell's window."""

    x_mm = Cpt(EpicsMotor, "StageX", kind=Kind.hinted)
    y_mm = Cpt(EpicsMotor, "StageY", kind=Kind.hinted)

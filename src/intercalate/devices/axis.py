"""A motor record of which a session hears what a measurement uses."""

from ophyd import Component as Cpt
from ophyd import EpicsMotor, EpicsSignal, EpicsSignalRO, Kind


class Axis(EpicsMotor):
    """A motor whose settings and commands beyond a move connect when they are first asked for.

    A beamline has dozens of motors, and a session that opens would wait for nine fields of each that few
    experiments ask for once.
    """

    user_offset = Cpt(EpicsSignal, ".OFF", kind=Kind.config, auto_monitor=True, lazy=True)
    user_offset_dir = Cpt(EpicsSignal, ".DIR", kind=Kind.config, auto_monitor=True, lazy=True)
    offset_freeze_switch = Cpt(EpicsSignal, ".FOFF", kind=Kind.omitted, lazy=True)
    set_use_switch = Cpt(EpicsSignal, ".SET", kind=Kind.omitted, lazy=True)
    velocity = Cpt(EpicsSignal, ".VELO", kind=Kind.config, auto_monitor=True, lazy=True)
    acceleration = Cpt(EpicsSignal, ".ACCL", kind=Kind.config, auto_monitor=True, lazy=True)
    motor_is_moving = Cpt(EpicsSignalRO, ".MOVN", kind=Kind.omitted, lazy=True)
    home_forward = Cpt(EpicsSignal, ".HOMF", kind=Kind.omitted, lazy=True)
    home_reverse = Cpt(EpicsSignal, ".HOMR", kind=Kind.omitted, lazy=True)

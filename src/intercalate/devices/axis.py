"""A motor record of which a session hears what a measurement uses."""

from ophyd import Component as Cpt
from ophyd import EpicsMotor, EpicsSignal, EpicsSignalRO, Kind


class Axis(EpicsMotor):
    """A motor whose commands beyond a move connect when they are first asked for.

    A beamline has dozens of motors, and a session that opens would wait for five fields of each that few
    experiments ask for once. What a run says of a motor is connected from the beginning: in the middle of a
    plan a server would have a second to answer.
    """

    offset_freeze_switch = Cpt(EpicsSignal, ".FOFF", kind=Kind.omitted, lazy=True)
    set_use_switch = Cpt(EpicsSignal, ".SET", kind=Kind.omitted, lazy=True)
    motor_is_moving = Cpt(EpicsSignalRO, ".MOVN", kind=Kind.omitted, lazy=True)
    home_forward = Cpt(EpicsSignal, ".HOMF", kind=Kind.omitted, lazy=True)
    home_reverse = Cpt(EpicsSignal, ".HOMR", kind=Kind.omitted, lazy=True)

"""What both ends of the wire agree on: states, codes, columns and absolute limits.

Client (ophyd devices), cycler server and simulators import this module; it imports the standard
library alone. The numeric code of a member, as it stands in a record or in an EPICS enum, is its
position in the class: `code_of` and `from_code` are the only places that know this.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

Member = TypeVar("Member", bound=StrEnum)


class CyclerState(StrEnum):
    """State of one cycler channel, as served by `State`."""

    IDLE = "IDLE"
    """Open circuit, nothing loaded."""
    LOADED = "LOADED"
    """Open circuit, a program is loaded and may be started."""
    RUNNING = "RUNNING"
    """A program is being executed."""
    HOLDING = "HOLDING"
    """A program is suspended at open circuit and may be resumed."""
    COMPLETE = "COMPLETE"
    """The program reached its own end; open circuit."""
    INTERRUPTED = "INTERRUPTED"
    """A program ended in another way; latched until its id is acknowledged."""
    FAULT = "FAULT"
    """An interlock acted; open circuit, latched until cleared."""


class Fault(StrEnum):
    """Why a channel is in `FAULT`."""

    NONE = "NONE"
    OVER_VOLTAGE = "OVER_VOLTAGE"
    UNDER_VOLTAGE = "UNDER_VOLTAGE"
    OVER_CURRENT = "OVER_CURRENT"
    """The current left the protocol's or the site's limits, in either direction."""
    OVER_CAPACITY = "OVER_CAPACITY"
    OVER_TEMPERATURE = "OVER_TEMPERATURE"
    UNDER_TEMPERATURE = "UNDER_TEMPERATURE"
    INVALID_READING = "INVALID_READING"
    """Voltage, current or temperature was not a finite number."""
    STALE_READING = "STALE_READING"
    """The channel repeated one reading, to the last digit, while current flowed."""
    NO_CONTACT = "NO_CONTACT"
    """The demanded current does not flow."""
    STEP_WATCHDOG = "STEP_WATCHDOG"
    """A step outlasted its worst-case duration and the margin."""
    CHANNEL_LOST = "CHANNEL_LOST"
    """The channel's hardware stopped answering."""
    STORAGE = "STORAGE"
    """Records could not be written."""


class ControlMode(StrEnum):
    """What a channel holds constant."""

    REST = "REST"
    """Open circuit: no current flows."""
    CURRENT = "CURRENT"
    """Setpoint in A, + is charge."""
    VOLTAGE = "VOLTAGE"
    """Setpoint in V."""
    POWER = "POWER"
    """Setpoint in W, + is charge."""


class StepType(StrEnum):
    """Kind of segment, as recorded in `step_type`."""

    REST = "REST"
    CONSTANT_CURRENT = "CONSTANT_CURRENT"
    CONSTANT_VOLTAGE = "CONSTANT_VOLTAGE"
    CONSTANT_POWER = "CONSTANT_POWER"
    WAIT_FOR_RELEASE = "WAIT_FOR_RELEASE"
    """Rest or voltage hold until a client releases it, or its longest time is over."""
    MARKER = "MARKER"
    """No duration: a name in the `markers` of the records."""
    VOLTAGE_SCAN = "VOLTAGE_SCAN"
    IMPEDANCE_SPECTROSCOPY = "IMPEDANCE_SPECTROSCOPY"


class EndReason(StrEnum):
    """What ended a segment."""

    NONE = "NONE"
    """Still running."""
    TIME = "TIME"
    VOLTAGE = "VOLTAGE"
    CURRENT = "CURRENT"
    CAPACITY = "CAPACITY"
    STATE_OF_CHARGE = "STATE_OF_CHARGE"
    VOLTAGE_SLOPE = "VOLTAGE_SLOPE"
    RELEASED = "RELEASED"
    STOPPED = "STOPPED"
    SPECTRUM_COMPLETE = "SPECTRUM_COMPLETE"


class Capability(StrEnum):
    """What not every channel can do, by the name of the step that needs it."""

    CONSTANT_POWER = "constant_power"
    VOLTAGE_SCAN = "voltage_scan"
    """A held voltage that changes at a constant rate."""
    IMPEDANCE_SPECTROSCOPY = "impedance_spectroscopy"


class OnLoss(StrEnum):
    """What becomes of the program when its plan aborts or its client is lost."""

    CONTINUE = "continue"
    """The program goes on to its own end."""
    REST = "rest"
    """The cell goes to open circuit, the program to `INTERRUPTED`."""


class Verb(StrEnum):
    """Commands a client may send to a channel."""

    LOAD = "load"
    START = "start"
    STOP = "stop"
    HOLD = "hold"
    RESUME = "resume"
    RELEASE = "release"
    ACKNOWLEDGE = "acknowledge"
    CLEAR_FAULT = "clear_fault"
    TAKE_LEASE = "take_lease"
    RENEW_LEASE = "renew_lease"
    DROP_LEASE = "drop_lease"


CYCLER_NAMES = ("cycler", *(f"cycler_{number}" for number in range(2, 17)))
"""By which a session, and the queue, know the devices of the channels, in the order of the configuration."""

XRD_NAMES = ("xrd", "laboratory_xrd")
"""Diffractometers: the one at the beamline, where cells are cycled, and the one to which they are carried."""

STATION_NAMES = (*XRD_NAMES, "raman", "optical", "xps", "sem", "eds", "ebsd", "tem", "eels")
"""By which a session, the queue and measurements know the instruments."""


class VesselLocation(StrEnum):
    """Where the transfer vessel is, as served by `Location_RBV`."""

    GLOVEBOX = "glovebox"
    """Where it is loaded, sealed and opened."""
    IN_TRANSIT = "in transit"
    """On its way; nobody can send it there."""
    LABORATORY_XRD = "laboratory_xrd"
    """On the laboratory diffractometer."""
    VACUUM = "vacuum"
    """At the lock of the vacuum chamber; open, what is in it stands on the chamber's stage."""


CARRIED_TO: Mapping[str, VesselLocation] = {
    "laboratory_xrd": VesselLocation.LABORATORY_XRD,
    **dict.fromkeys(("xps", "sem", "eds", "ebsd"), VesselLocation.VACUUM),
}
"""Where the transfer vessel goes for each instrument to which cells are carried."""


class VesselSeal(StrEnum):
    """Whether the transfer vessel is airtight, as served by `Seal_RBV`."""

    OPEN = "open"
    SEALED = "sealed"


class Opened(StrEnum):
    """Whether the cell in the vessel was taken apart, and which electrode then shows its face."""

    WHOLE = "whole"
    POSITIVE = "positive"
    NEGATIVE = "negative"


class PressureState(StrEnum):
    """What the controller of a pressure cell does, as served by `State`."""

    HOLDING = "holding"
    """The valve of the membrane is shut: the pressure stays, whoever lives or dies."""
    APPROACHING = "approaching"
    """The membrane is filled or let down, slowly, towards the set point."""


RECORD_COLUMNS: tuple[str, ...] = (
    "record_seq",
    "test_time_second",
    "unix_time_second",
    "voltage_volt",
    "current_ampere",
    "net_capacity_ah",
    "charging_capacity_ah",
    "discharging_capacity_ah",
    "charging_energy_wh",
    "discharging_energy_wh",
    "cycle_count",
    "step_count",
    "step_id",
    "step_type",
    "surface_temperature_celsius",
    "soc",
    "state",
    "fault",
)
"""Columns of one record, in order, after the Battery Data Format where that has a name for it.

`net_capacity_ah` counts from the start of the program, + is charge. `step_count` counts executed
segments of the program from 1, `step_id` is the position of the step in the protocol from 1.
`soc` is NaN where the protocol gave no state of charge to start from.
"""

RECORD_UNITS: dict[str, str] = {
    "record_seq": "",
    "test_time_second": "s",
    "unix_time_second": "s",
    "voltage_volt": "V",
    "current_ampere": "A",
    "net_capacity_ah": "Ah",
    "charging_capacity_ah": "Ah",
    "discharging_capacity_ah": "Ah",
    "charging_energy_wh": "Wh",
    "discharging_energy_wh": "Wh",
    "cycle_count": "",
    "step_count": "",
    "step_id": "",
    "step_type": "",
    "surface_temperature_celsius": "degC",
    "soc": "",
    "state": "",
    "fault": "",
}

IMPEDANCE_COLUMNS: tuple[str, ...] = (
    "impedance_seq",
    "record_seq",
    "test_time_second",
    "unix_time_second",
    "frequency_hertz",
    "real_impedance_ohm",
    "imaginary_impedance_ohm",
    "amplitude_volt",
    "amplitude_ampere",
    "voltage_volt",
    "surface_temperature_celsius",
    "net_capacity_ah",
    "soc",
    "cycle_count",
    "step_count",
    "step_id",
    "point",
    "points",
)
"""Columns of one frequency of an impedance spectrum, in order.

The imaginary part is negative where capacitive. Of `amplitude_volt` and `amplitude_ampere` the one that is
not driven is NaN. `record_seq` is the number of records written before; time and voltage are those at the
end of this frequency. `point` counts from 1 within one sweep, which has `points` where nothing cuts it short.
"""

IMPEDANCE_UNITS: dict[str, str] = {
    **dict.fromkeys(IMPEDANCE_COLUMNS, ""),
    "test_time_second": "s",
    "unix_time_second": "s",
    "frequency_hertz": "Hz",
    "real_impedance_ohm": "ohm",
    "imaginary_impedance_ohm": "ohm",
    "amplitude_volt": "V",
    "amplitude_ampere": "A",
    "voltage_volt": "V",
    "surface_temperature_celsius": "degC",
    "net_capacity_ah": "Ah",
}

RECORD_BLOCK_ROWS = 256
"""Most rows in one answer of `RecordBlock` or `ImpedanceBlock`."""

RECORD_BLOCK_HEADER: tuple[str, ...] = (
    "boot_id",
    "requested",
    "first_available",
    "next",
    "count",
    "announced",
)

COMMAND_BYTES = 262_144
"""Most bytes of a command or of its reply."""

ABSOLUTE_MAX_VOLTAGE_V = 6.0
ABSOLUTE_MIN_VOLTAGE_V = -1.0
ABSOLUTE_MAX_CURRENT_A = 20.0
ABSOLUTE_MAX_TEMPERATURE_C = 90.0
ABSOLUTE_MIN_TEMPERATURE_C = -60.0
ABSOLUTE_MAX_PRESSURE_GPA = 60.0
"""No site configuration may allow more: beyond these a number is a mistake, not an experiment."""

DIAMOND_ANVIL_CELL = "diamond anvil cell"
"""Content of a place of the sample changer."""


def code_of(member: StrEnum) -> int:
    """Numeric code of an enum member."""
    return list(type(member)).index(member)


def from_code(kind: type[Member], code: float) -> Member:
    """Member of `kind` with this numeric code.

    Raises
    ------
    ValueError
        If `kind` has no such code.
    """
    members = list(kind)
    if not (float(code).is_integer() and 0 <= code < len(members)):
        raise ValueError(f"{kind.__name__} has no code {code!r}; it has 0 to {len(members) - 1}")
    return members[int(code)]


class IonBeamState(StrEnum):
    """Whether a focused ion beam mills."""

    BLANKED = "blanked"
    """No ion reaches the sample."""
    MILLING = "milling"
    """A cut is being made."""


class MillingEnd(StrEnum):
    """Why the last cut ended."""

    NONE = "none"
    """It has not, or there was none."""
    DONE = "done"
    """It is as deep as asked."""
    STOPPED = "stopped"
    """Somebody blanked the beam."""
    LEASE = "lease"
    """The client that asked for it said nothing any more."""
    INTERLOCK = "interlock"
    """The chamber is not good enough, or the beam is switched off."""
    INSTRUMENT = "instrument"
    """The server of the column was lost."""
    STAGE = "stage moved"
    """The sample was not where it was."""

"""What to do to a cell: protocols, their feasibility, and the programs a cycler executes."""

from intercalate.protocol.binding import FeasibilityError, bind
from intercalate.protocol.holds import Hold, with_holds
from intercalate.protocol.position import Beginning, ProgramPosition
from intercalate.protocol.program import BoundProgram, Limits, ProgramCursor
from intercalate.protocol.protocol import Protocol
from intercalate.protocol.segment import CutOff, Quantity, RecordCriteria, Segment, SegmentProgress, Spectrum
from intercalate.protocol.site import SiteLimits
from intercalate.protocol.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantPower,
    ConstantVoltage,
    Gitt,
    ImpedanceSpectroscopy,
    Loop,
    Marker,
    OpenCircuitVoltage,
    Pitt,
    ProtocolError,
    Record,
    Safety,
    Sample,
    Tag,
    VoltageScan,
    WaitForRelease,
)

__all__ = [
    "Beginning",
    "BoundProgram",
    "ConstantCurrent",
    "ConstantCurrentConstantVoltage",
    "ConstantPower",
    "ConstantVoltage",
    "CutOff",
    "FeasibilityError",
    "Gitt",
    "Hold",
    "ImpedanceSpectroscopy",
    "Limits",
    "Loop",
    "Marker",
    "OpenCircuitVoltage",
    "Pitt",
    "ProgramCursor",
    "ProgramPosition",
    "Protocol",
    "ProtocolError",
    "Quantity",
    "Record",
    "RecordCriteria",
    "Safety",
    "Sample",
    "Segment",
    "SegmentProgress",
    "SiteLimits",
    "Spectrum",
    "Tag",
    "VoltageScan",
    "WaitForRelease",
    "bind",
    "with_holds",
]

"""What a channel does without a decision in between, and what ends it."""

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from intercalate.contract import Capability, ControlMode, EndReason, StepType

Finite = Annotated[float, Field(allow_inf_nan=False)]
PositiveFinite = Annotated[Finite, Field(gt=0)]


class Quantity(StrEnum):
    """What a cut-off compares, all but voltage and state of charge as magnitudes."""

    TIME_S = "time_s"
    """Since the start of the segment."""
    VOLTAGE_V = "voltage_v"
    CURRENT_A = "current_a"
    CAPACITY_AH = "capacity_ah"
    """Net charge since the start of the segment."""
    SOC = "soc"
    VOLTAGE_SLOPE_V_PER_S = "voltage_slope_v_per_s"


@dataclass(frozen=True, slots=True)
class SegmentProgress:
    """Where a segment stands at one sample; NaN is an unknown, which meets no cut-off."""

    elapsed_s: float
    voltage_v: float = math.nan
    current_a: float = math.nan
    capacity_ah: float = math.nan
    soc: float = math.nan
    voltage_slope_v_per_s: float = math.nan

    def value(self, quantity: Quantity) -> float:
        """Figure that a cut-off on `quantity` compares."""
        match quantity:
            case Quantity.TIME_S:
                return self.elapsed_s
            case Quantity.VOLTAGE_V:
                return self.voltage_v
            case Quantity.CURRENT_A:
                return abs(self.current_a)
            case Quantity.CAPACITY_AH:
                return abs(self.capacity_ah)
            case Quantity.SOC:
                return self.soc
            case Quantity.VOLTAGE_SLOPE_V_PER_S:
                return abs(self.voltage_slope_v_per_s)


@dataclass(frozen=True, slots=True)
class CutOff:
    """A condition that ends a segment, and the reason then recorded."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    quantity: Quantity
    comparison: Literal[">=", "<="]
    value: Finite
    reason: EndReason

    def met(self, progress: SegmentProgress) -> bool:
        """Whether the condition holds; an unknown (NaN) never does."""
        figure = progress.value(self.quantity)
        return figure >= self.value if self.comparison == ">=" else figure <= self.value


@dataclass(frozen=True, slots=True)
class RecordCriteria:
    """When a record is taken: after `time_s`, or at such a change of voltage or current."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    time_s: PositiveFinite
    voltage_v: PositiveFinite | None = None
    current_a: PositiveFinite | None = None


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Frequencies of an impedance measurement, spread evenly in their logarithm, and its amplitude.

    Attributes
    ----------
    start_frequency_hz, end_frequency_hz
        Measured in this order.
    points_per_decade, measures_per_point
        Frequencies, and periods of each.
    amplitude_v, amplitude_a
        Driven around the resting voltage or around no current: one of the two.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    start_frequency_hz: PositiveFinite
    end_frequency_hz: PositiveFinite
    points_per_decade: Annotated[int, Field(ge=1)]
    measures_per_point: Annotated[int, Field(ge=1)]
    amplitude_v: PositiveFinite | None = None
    amplitude_a: PositiveFinite | None = None

    @property
    def frequencies_hz(self) -> tuple[float, ...]:
        """In the order in which they are measured."""
        decades = math.log10(self.end_frequency_hz / self.start_frequency_hz)
        count = max(1, round(abs(decades) * self.points_per_decade))
        return tuple(self.start_frequency_hz * 10 ** (decades * k / count) for k in range(count + 1))

    @property
    def ends_s(self) -> tuple[float, ...]:
        """When each frequency has had its periods, since the start of the sweep."""
        return tuple(accumulate(self.measures_per_point / one for one in self.frequencies_hz))


@dataclass(frozen=True, slots=True)
class Segment:
    """One thing a channel does without a decision in between.

    Attributes
    ----------
    step_id
        Position of its step in the protocol's method, from 1.
    step_type, mode
        What is recorded, and what the channel holds constant.
    setpoint
        A, V or W by `mode`, + charges; 0 at rest.
    cutoffs
        The first one met ends the segment; time comes last.
    record
        When records are taken; None in a marker.
    worst_case_s
        Longest duration: the time cut-off, or derived from capacity and current.
    marker
        Name, in a marker.
    group_end_on
        Reasons that end the whole step, so that its remaining segments are skipped.
    cycle
        1 + passes of outermost loops completed before.
    end_setpoint, ramp_per_s
        Where the setpoint goes from `setpoint`, and how fast (a magnitude); None where it stays.
    spectrum
        To be measured at rest.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    step_id: Annotated[int, Field(ge=1)]
    step_type: StepType
    mode: ControlMode = ControlMode.REST
    setpoint: Finite = 0.0
    cutoffs: tuple[CutOff, ...] = ()
    record: RecordCriteria | None = None
    worst_case_s: Annotated[Finite, Field(ge=0)] = 0.0
    marker: str | None = None
    group_end_on: frozenset[EndReason] = frozenset()
    cycle: Annotated[int, Field(ge=1)] = 1
    end_setpoint: Finite | None = None
    ramp_per_s: PositiveFinite | None = None
    spectrum: Spectrum | None = None

    @property
    def capability(self) -> Capability | None:
        """What the channel must be able to do beyond the common."""
        if self.spectrum is not None:
            return Capability.IMPEDANCE_SPECTROSCOPY
        if self.mode is ControlMode.POWER:
            return Capability.CONSTANT_POWER
        return Capability.VOLTAGE_SCAN if self.ramp_per_s is not None else None

    def setpoint_at(self, elapsed_s: float) -> float:
        """Setpoint so long after the start."""
        if self.ramp_per_s is None or self.end_setpoint is None:
            return self.setpoint
        whole = self.end_setpoint - self.setpoint
        moved = min(max(elapsed_s, 0.0) * self.ramp_per_s, abs(whole))
        return self.end_setpoint if moved == abs(whole) else self.setpoint + math.copysign(moved, whole)

    def ended_by(self, progress: SegmentProgress) -> CutOff | None:
        """First cut-off met, None while the segment goes on."""
        for cutoff in self.cutoffs:
            if cutoff.met(progress):
                return cutoff
        return None

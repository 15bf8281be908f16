"""A program in execution: where it stands, what it has passed, what its channel is to do next."""

import dataclasses
import math
from dataclasses import dataclass, field

from intercalate.contract import CyclerState, Fault, OnLoss, StepType, code_of
from intercalate.cycler_server.channel import ImpedancePoint, Sample
from intercalate.protocol import Beginning, BoundProgram, CutOff, ProgramCursor, Quantity, Segment

START_ACKNOWLEDGE_S = 30.0
"""Cell seconds within which a channel must acknowledge a segment; later its state is unknown."""

WATCHDOG_FRACTION = 0.02
WATCHDOG_MARGIN_S = 60.0
"""A step may outlast its worst-case duration by this before the watchdog acts."""

_TIME_ROUNDING_S = 1e-6
"""Differences of unix times are certain to this."""


@dataclass
class Totals:
    """Charge and energy since the start of a program, or of what it goes on with; both directions apart."""

    charging_ah: float = 0.0
    discharging_ah: float = 0.0
    charging_wh: float = 0.0
    discharging_wh: float = 0.0

    @property
    def net_ah(self) -> float:
        """Net charge, + is charge."""
        return self.charging_ah - self.discharging_ah

    @classmethod
    def at(cls, begin: Beginning) -> "Totals":
        """What they were where a program was interrupted."""
        return cls(begin.charging_ah, begin.discharging_ah, begin.charging_wh, begin.discharging_wh)

    def add(self, charge_ah: float, voltage_v: float) -> None:
        """Count charge that passed at a voltage."""
        if charge_ah > 0:
            self.charging_ah += charge_ah
            self.charging_wh += charge_ah * voltage_v
        else:
            self.discharging_ah -= charge_ah
            self.discharging_wh -= charge_ah * voltage_v


@dataclass
class RunningProgram:
    """A program in execution, and one segment of it.

    Attributes
    ----------
    started_unix_s
        Start of the program, or of the one it goes on with.
    segment
        The current one, as the program says.
    given
        What the channel was told to execute of it; None at open circuit.
    began
        Sample at which the channel was told.
    passed_s, passed_ah
        Of the segment, before it was held.
    acknowledged
        Whether the channel said that it executes `given`.
    counted_ah
        The channel's counter up to which `totals` go.
    points
        Frequencies measured of the segment's spectrum.
    """

    program_id: str
    program: BoundProgram
    cursor: ProgramCursor
    on_client_lost: OnLoss
    started_unix_s: float
    segment: Segment
    began: Sample
    counted_ah: float
    given: Segment | None = None
    passed_s: float = 0.0
    passed_ah: float = 0.0
    acknowledged: bool = False
    held: bool = False
    step_count: int = 0
    points: int = 0
    totals: Totals = field(default_factory=Totals)
    last_recorded: Sample | None = None

    def __post_init__(self) -> None:
        begin = self.program.begin
        if begin is not None:
            self.started_unix_s, self.totals = begin.started_unix_s, Totals.at(begin)

    def enter(self, segment: Segment, sample: Sample) -> None:
        """Go on to another segment, or to what is left of the first."""
        self.segment, self.began = segment, sample
        begin = self.program.begin if self.step_count == 0 else None
        if begin is not None:
            self.step_count = begin.step_count
            self.passed_s, self.passed_ah = begin.passed_s, begin.passed_ah
        else:
            self.step_count += 1
            self.passed_s = self.passed_ah = 0.0

    def left(self, sample: Sample) -> Beginning:
        """What would go on with it, if it ended now."""
        since_s = 0.0 if self.held else sample.unix_time_s - self.began.unix_time_s
        since_ah = self.counted_ah - self.began.charge_ah
        return Beginning(
            program_id=self.program_id,
            position=self.cursor.position,
            passed_s=self.passed_s + since_s,
            passed_ah=self.passed_ah + (since_ah if math.isfinite(since_ah) else 0.0),
            step_count=self.step_count,
            started_unix_s=self.started_unix_s,
            **dataclasses.asdict(self.totals),
        )

    def give(self, sample: Sample) -> Segment:
        """What the channel is to execute now: what is left of the segment, in terms a channel knows."""
        self.began, self.acknowledged = sample, False
        cutoffs = tuple(self._left_of(cut) for cut in self.segment.cutoffs)
        setpoint = self.segment.setpoint_at(self.passed_s)
        self.given = dataclasses.replace(self.segment, cutoffs=cutoffs, setpoint=setpoint)
        self.points = 0
        return self.given

    def demanded(self, sample: Sample) -> Segment | None:
        """What the channel should hold at this sample: a ramp at where it has come to."""
        given = self.given
        if given is None or given.ramp_per_s is None:
            return given
        setpoint = given.setpoint_at(sample.unix_time_s - self.began.unix_time_s)
        return dataclasses.replace(given, setpoint=setpoint)

    def hold(self, sample: Sample) -> None:
        """Suspend the segment: its time stands still."""
        self.passed_s += sample.unix_time_s - self.began.unix_time_s
        self.held, self.given = True, None

    def resume(self, sample: Sample) -> Segment:
        """Go on with the segment; what flowed until the current ceased counts."""
        self.passed_ah += sample.charge_ah - self.began.charge_ah
        self.held = False
        return self.give(sample)

    def _left_of(self, cut: CutOff) -> CutOff:
        match cut.quantity:
            case Quantity.TIME_S:
                return dataclasses.replace(cut, value=max(0.0, cut.value - self.passed_s))
            case Quantity.CAPACITY_AH:
                return dataclasses.replace(cut, value=max(0.0, cut.value - abs(self.passed_ah)))
            case Quantity.SOC:
                # No channel knows the state of charge, but all of them count charge.
                assert self.program.capacity_ah is not None
                ahead = cut.value - self.soc
                ahead_ah = (ahead if cut.comparison == ">=" else -ahead) * self.program.capacity_ah
                return CutOff(Quantity.CAPACITY_AH, ">=", max(0.0, ahead_ah), cut.reason)
        return cut

    def count(self, before: Sample | None, sample: Sample) -> None:
        """Add what passed between two samples; a reading that is no number is made up for by the next."""
        charge_ah = sample.charge_ah - self.counted_ah
        if not (math.isfinite(charge_ah) and math.isfinite(sample.voltage_v)):
            return
        mean_v = sample.voltage_v
        if before is not None and math.isfinite(before.voltage_v):
            mean_v = (before.voltage_v + sample.voltage_v) / 2
        self.totals.add(charge_ah, mean_v)
        self.counted_ah = sample.charge_ah

    @property
    def own_ah(self) -> float:
        """Net charge since the start of this program, + is charge."""
        begin = self.program.begin
        return self.totals.net_ah - (0.0 if begin is None else begin.net_ah)

    @property
    def soc(self) -> float:
        """State of charge; NaN where the protocol gave none to start from."""
        program = self.program
        if program.initial_soc is None or program.capacity_ah is None:
            return math.nan
        return program.initial_soc + self.totals.net_ah / program.capacity_ah

    def test_time_s(self, sample: Sample) -> float:
        """Time since the start of the program."""
        return sample.unix_time_s - self.started_unix_s

    @property
    def step_type(self) -> StepType:
        """As recorded: a held program rests."""
        return StepType.REST if self.held else self.segment.step_type

    def overdue(self, sample: Sample) -> tuple[Fault, str] | None:
        """Fault of a step that is not acknowledged or does not end."""
        if self.given is None:
            return None
        step, elapsed_s = self.segment.step_id, sample.unix_time_s - self.began.unix_time_s
        if not self.acknowledged and elapsed_s > START_ACKNOWLEDGE_S:
            return Fault.CHANNEL_LOST, f"step {step} was not acknowledged for {elapsed_s:g} s"
        allowed_s = self.segment.worst_case_s * (1 + WATCHDOG_FRACTION) + WATCHDOG_MARGIN_S
        lasted_s = self.passed_s + elapsed_s
        if lasted_s > allowed_s:
            return Fault.STEP_WATCHDOG, f"step {step} runs for {lasted_s:g} s, {allowed_s:g} s are allowed"
        return None

    def record_due(self, sample: Sample) -> bool:
        """Whether the program's criteria ask for a record now."""
        last, criteria = self.last_recorded, self.segment.record
        if last is None or criteria is None:
            return True
        if sample.unix_time_s - last.unix_time_s >= criteria.time_s - _TIME_ROUNDING_S:
            return True
        changed_v = abs(sample.voltage_v - last.voltage_v)
        changed_a = abs(sample.current_a - last.current_a)
        return (criteria.voltage_v is not None and changed_v >= criteria.voltage_v) or (
            criteria.current_a is not None and changed_a >= criteria.current_a
        )

    def impedance_row(self, sample: Sample, point: ImpedancePoint, records: int) -> tuple[float, ...]:
        """One frequency of a spectrum, without its number.

        Parameters
        ----------
        records
            Written before.
        """
        spectrum, segment = self.segment.spectrum, self.segment
        assert spectrum is not None
        self.points += 1
        return (
            records,
            self.test_time_s(sample),
            sample.unix_time_s,
            point.frequency_hz,
            point.impedance_ohm.real,
            point.impedance_ohm.imag,
            math.nan if spectrum.amplitude_v is None else spectrum.amplitude_v,
            math.nan if spectrum.amplitude_a is None else spectrum.amplitude_a,
            sample.voltage_v,
            sample.temperature_c,
            self.totals.net_ah,
            self.soc,
            segment.cycle,
            self.step_count,
            segment.step_id,
            self.points,
            len(spectrum.frequencies_hz),
        )

    def row(self, sample: Sample, state: CyclerState, fault: Fault) -> tuple[float, ...]:
        """One record, without its number."""
        totals, segment = self.totals, self.segment
        return (
            self.test_time_s(sample),
            sample.unix_time_s,
            sample.voltage_v,
            sample.current_a,
            totals.net_ah,
            totals.charging_ah,
            totals.discharging_ah,
            totals.charging_wh,
            totals.discharging_wh,
            segment.cycle,
            self.step_count,
            segment.step_id,
            code_of(self.step_type),
            sample.temperature_c,
            self.soc,
            code_of(state),
            code_of(fault),
        )

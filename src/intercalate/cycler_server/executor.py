"""Executes programs on one channel: sequences segments, keeps records, acts on interlocks.

A pure state machine: time comes with the samples, commands are method calls, nothing waits.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from intercalate.contract import (
    CyclerState,
    EndReason,
    Fault,
    OnLoss,
    StepType,
    code_of,
)
from intercalate.cycler_server.channel import Channel, ChannelError, Sample
from intercalate.cycler_server.interlocks import Interlocks
from intercalate.cycler_server.ledger import ProgramEntry, ProgramLedger, ProgramStatus
from intercalate.cycler_server.records import RecordFile
from intercalate.protocol import BoundProgram, CutOff, Limits, ProgramCursor, Quantity, Segment

START_ACKNOWLEDGE_S = 30.0
"""Cell seconds within which a channel must acknowledge a segment; later its state is unknown."""

WATCHDOG_FRACTION = 0.02
WATCHDOG_MARGIN_S = 60.0
"""A step may outlast its worst-case duration by this before the watchdog acts."""


class CommandRefused(ValueError):
    """A command that cannot be obeyed now; the message says why and what to do."""


@dataclass
class Totals:
    """Charge and energy since the start of a program, both directions apart."""

    charging_ah: float = 0.0
    discharging_ah: float = 0.0
    charging_wh: float = 0.0
    discharging_wh: float = 0.0

    @property
    def net_ah(self) -> float:
        return self.charging_ah - self.discharging_ah

    def add(self, charge_ah: float, voltage_v: float) -> None:
        if charge_ah > 0:
            self.charging_ah += charge_ah
            self.charging_wh += charge_ah * voltage_v
        else:
            self.discharging_ah -= charge_ah
            self.discharging_wh -= charge_ah * voltage_v


@dataclass
class Run:
    """A program in execution."""

    program_id: str
    program: BoundProgram
    cursor: ProgramCursor
    on_client_lost: OnLoss
    started: Sample
    segment: Segment
    segment_from: Sample
    step_count: int = 0
    held: bool = False
    acknowledged: bool = False
    totals: Totals = field(default_factory=Totals)
    last_recorded: Sample | None = None
    markers: list[dict[str, Any]] = field(default_factory=list)


class ChannelExecutor:
    """One channel's brain.

    Parameters
    ----------
    channel
        Backend that executes single segments.
    records, ledger
        Where records and the fate of programs are kept.
    site
        Limits of the site, in force also where no program runs.
    on_change
        Called after anything that a client can see has changed.
    """

    def __init__(
        self,
        channel: Channel,
        records: RecordFile,
        ledger: ProgramLedger,
        site: Limits,
        on_change: Callable[[], None] = lambda: None,
    ):
        self.channel = channel
        self.records = records
        self.ledger = ledger
        self.on_change = on_change
        self.sample: Sample | None = None
        self.lost: str | None = "no reading yet"
        self.run: Run | None = None
        self.last_program: str | None = None
        self.last_end = EndReason.NONE
        self.end_fault: tuple[Fault, str] | None = (
            (Fault(ledger.fault[0]), ledger.fault[1]) if ledger.fault else None
        )
        self._loaded: tuple[str, BoundProgram, OnLoss] | None = None
        self._site = site
        self._interlocks = Interlocks(site)
        channel.attach(self)

    # What a client sees

    @property
    def state(self) -> CyclerState:
        """State of the channel."""
        if self.end_fault is not None:
            return CyclerState.FAULT
        if self.ledger.interrupted is not None:
            return CyclerState.INTERRUPTED
        if self.run is not None:
            return CyclerState.HOLDING if self.run.held else CyclerState.RUNNING
        if self._loaded is not None:
            return CyclerState.LOADED
        entry = self.ledger.entries.get(self.last_program or "")
        return CyclerState.COMPLETE if entry and entry.status is ProgramStatus.COMPLETE else CyclerState.IDLE

    @property
    def fault(self) -> Fault:
        """Latched fault."""
        return self.end_fault[0] if self.end_fault else Fault.NONE

    def program_info(self) -> dict[str, Any]:
        """The current or last program, JSON-able; empty where there was none."""
        entry = self.ledger.interrupted or self.ledger.entries.get(self.last_program or "")
        if entry is None:
            return {}
        info: dict[str, Any] = dict(vars(entry))
        if self.run is not None:
            info["markers"] = self.run.markers
            info["segment"] = self.run.segment.step_type
            info["worst_case_s"] = self.run.program.worst_case_s
        return info

    # Commands

    def load(self, program_id: str, program: BoundProgram, on_client_lost: OnLoss) -> ProgramStatus:
        """Take a program in, without starting it; loading the same one again changes nothing."""
        entry = self.ledger.entries.get(program_id)
        if entry is not None and entry.sha256 != program.sha256:
            raise CommandRefused(f"program id {program_id!r} belongs to another program; use a new id")
        if entry is not None and entry.status in (
            ProgramStatus.RUNNING,
            ProgramStatus.COMPLETE,
            ProgramStatus.LOADED,
        ):
            return entry.status
        if entry is not None:
            raise CommandRefused(
                f"program {program_id!r} ended before its own end ({entry.why}) and is not repeated; "
                "to run the rest, load it as a new program with a new id"
            )
        self._require_free("load a program")
        self._check_site(program)
        self._loaded = (program_id, program, on_client_lost)
        self.last_program = program_id
        self.ledger.add(ProgramEntry(program_id, program.sha256, ProgramStatus.LOADED))
        self.on_change()
        return ProgramStatus.LOADED

    def start(self, program_id: str) -> ProgramStatus:
        """Start the loaded program; the id of one that runs or is complete attaches to it."""
        entry = self.ledger.entries.get(program_id)
        if entry is None:
            raise CommandRefused(f"no program {program_id!r}; load it first")
        if entry.status in (ProgramStatus.RUNNING, ProgramStatus.COMPLETE):
            return entry.status
        if self._loaded is None or self._loaded[0] != program_id:
            raise CommandRefused(f"program {program_id!r} is {entry.status}, not loaded; load it as a new id")
        if self.lost is not None or self.sample is None:
            raise CommandRefused(f"channel {self.channel.name} does not answer: {self.lost}")
        self._require_free("start a program")
        _, program, on_client_lost = self._loaded
        cursor = ProgramCursor(program)
        segment = cursor.next(EndReason.NONE)
        if segment is None:
            raise CommandRefused(f"program {program_id!r} has no step to execute")
        self._loaded = None
        self._interlocks = Interlocks(program.limits)
        self.ledger.set_status(program_id, ProgramStatus.RUNNING, first_record=len(self.records))
        self.run = Run(program_id, program, cursor, on_client_lost, self.sample, segment, self.sample)
        self._begin(segment, record=True)
        self.on_change()
        return self.ledger.entries[program_id].status

    def stop(self, why: str) -> None:
        """Open circuit; a running program is interrupted."""
        self.channel.open_circuit()
        if self.run is not None:
            self._interrupt(why, EndReason.STOPPED)
        elif self._loaded is not None:
            self.ledger.set_status(self._loaded[0], ProgramStatus.ACKNOWLEDGED, why="unloaded")
            self._loaded = None
        self.on_change()

    def hold(self) -> None:
        """Suspend the running program at open circuit."""
        run = self._require_run("hold")
        if run.held:
            return
        self.channel.open_circuit()
        run.segment = self._remaining(run)
        run.held = True
        self._mark_segment(run)
        self.on_change()

    def resume(self) -> None:
        """Go on with what is left of the held segment."""
        run = self._require_run("resume")
        if not run.held:
            return
        if self.lost is not None:
            raise CommandRefused(f"channel {self.channel.name} does not answer: {self.lost}")
        run.held = False
        self._begin(run.segment, record=True)
        self.on_change()

    def release(self) -> None:
        """End a `wait_for_release` step."""
        run = self._require_run("release")
        if run.segment.step_type is not StepType.WAIT_FOR_RELEASE:
            raise CommandRefused(
                f"step {run.segment.step_id} is {run.segment.step_type}, it waits for no release"
            )
        self.channel.open_circuit()
        self._finish_segment(EndReason.RELEASED)
        self.on_change()

    def acknowledge(self, program_id: str) -> None:
        """Confirm that somebody knows that this program was interrupted."""
        waiting = self.ledger.interrupted
        if waiting is None:
            raise CommandRefused("no program waits for an acknowledgement")
        if waiting.program_id != program_id:
            raise CommandRefused(f"the interrupted program is {waiting.program_id!r}, not {program_id!r}")
        self.ledger.set_status(program_id, ProgramStatus.ACKNOWLEDGED)
        self.on_change()

    def clear_fault(self) -> None:
        """Unlatch the fault; refused while its cause lasts."""
        if self.end_fault is None:
            return
        if self.lost is not None:
            raise CommandRefused(f"channel {self.channel.name} does not answer: {self.lost}")
        self.ledger.set_fault("", "")
        self.end_fault = None
        self._interlocks = Interlocks(self._site)
        self.on_change()

    def client_lost(self) -> None:
        """The lease ran out: do what the program's owner said."""
        if self.run is not None and self.run.on_client_lost is OnLoss.REST:
            self.stop("its client was lost")

    # What the channel tells

    def on_started(self, segment: Segment) -> None:
        """See `ChannelListener`."""
        if self.run is not None:
            self.run.acknowledged = True

    def on_sample(self, sample: Sample) -> None:
        """See `ChannelListener`."""
        before, self.sample = self.sample, sample
        run = self.run
        if run is not None and before is not None:
            charge_ah = sample.charge_ah - before.charge_ah
            if math.isfinite(charge_ah) and math.isfinite(sample.voltage_v):
                run.totals.add(charge_ah, sample.voltage_v)
        if self.end_fault is None:
            active = run.segment if run is not None and not run.held else None
            tripped = self._interlocks.check(sample, active, run.totals.net_ah if run else 0.0)
            tripped = tripped or (self._watchdog(run, sample) if run is not None else None)
            if tripped is not None:
                self._trip(*tripped)
                return
        if run is not None and self._due(run, sample):
            self._record(run)

    def on_ended(self, reason: EndReason) -> None:
        """See `ChannelListener`."""
        if self.run is not None and not self.run.held:
            self._finish_segment(reason)
            self.on_change()

    def on_lost(self, why: str) -> None:
        """See `ChannelListener`."""
        self.lost = why
        if self.end_fault is None and self.run is not None:
            self._trip(Fault.CHANNEL_LOST, why)
        self.on_change()

    def on_found(self) -> None:
        """See `ChannelListener`."""
        self.lost = None
        self.on_change()

    # Inner workings

    def _require_run(self, verb: str) -> Run:
        if self.run is None:
            raise CommandRefused(f"nothing to {verb}: no program runs (state {self.state})")
        return self.run

    def _require_free(self, what: str) -> None:
        if self.end_fault is not None:
            raise CommandRefused(
                f"cannot {what}: {self.end_fault[0]}, {self.end_fault[1]}; "
                "find the cause, then clear the fault"
            )
        waiting = self.ledger.interrupted
        if waiting is not None:
            raise CommandRefused(
                f"cannot {what}: program {waiting.program_id!r} was interrupted ({waiting.why}); "
                "acknowledge that id first"
            )
        if self.run is not None:
            raise CommandRefused(f"cannot {what}: program {self.run.program_id!r} is running")

    def _check_site(self, program: BoundProgram) -> None:
        limits, site = program.limits, self._site
        wider = [
            f"{name} {theirs:g} is beyond this channel's {ours:g}"
            for name, theirs, ours, sign in (
                ("min_voltage_v", limits.min_voltage_v, site.min_voltage_v, -1),
                ("max_voltage_v", limits.max_voltage_v, site.max_voltage_v, 1),
                ("min_current_a", limits.min_current_a, site.min_current_a, -1),
                ("max_current_a", limits.max_current_a, site.max_current_a, 1),
                ("min_temperature_c", limits.min_temperature_c, site.min_temperature_c, -1),
                ("max_temperature_c", limits.max_temperature_c, site.max_temperature_c, 1),
                ("delay_s", limits.delay_s, site.delay_s, 1),
            )
            if (theirs - ours) * sign > 1e-9
        ]
        if wider:
            raise CommandRefused("the program was bound for another site: " + "; ".join(wider))

    def _begin(self, segment: Segment, *, record: bool) -> None:
        """Hand a segment to the channel; markers, which take no time, are passed on the way."""
        run = self.run
        assert run is not None
        while segment.step_type is StepType.MARKER:
            run.markers.append(
                {
                    "name": segment.marker,
                    "test_time_s": self._test_time_s(run),
                    "record_seq": len(self.records),
                }
            )
            following = run.cursor.next(EndReason.TIME)
            if following is None:
                self._complete()
                return
            segment = following
        run.segment = segment
        self._mark_segment(run)
        run.step_count += 1
        try:
            self.channel.start_segment(self._without_soc(run, segment))
        except ChannelError as error:
            self._trip(Fault.CHANNEL_LOST, f"step {segment.step_id} not taken: {error}")
            return
        if record:
            self._record(run)

    @staticmethod
    def _without_soc(run: Run, segment: Segment) -> Segment:
        """The segment with its state-of-charge cut-offs as charge to pass: no channel knows the former."""
        program = run.program
        cutoffs: list[CutOff] = []
        for cut in segment.cutoffs:
            if cut.quantity is Quantity.SOC:
                assert program.initial_soc is not None
                assert program.capacity_ah is not None
                now = program.initial_soc + run.totals.net_ah / program.capacity_ah
                ahead = (cut.value - now) if cut.comparison == ">=" else (now - cut.value)
                charge_ah = max(0.0, ahead * program.capacity_ah)
                cut = CutOff(Quantity.CAPACITY_AH, ">=", charge_ah, cut.reason)
            cutoffs.append(cut)
        return dataclasses.replace(segment, cutoffs=tuple(cutoffs))

    def _mark_segment(self, run: Run) -> None:
        assert self.sample is not None
        run.segment_from = self.sample
        run.acknowledged = run.held

    def _finish_segment(self, reason: EndReason) -> None:
        run = self.run
        assert run is not None
        self.last_end = reason
        if run.last_recorded is not self.sample:
            self._record(run)
        if self.run is None:
            return
        following = run.cursor.next(reason)
        if following is None:
            self._complete()
        else:
            self._begin(following, record=False)

    def _complete(self) -> None:
        run = self.run
        assert run is not None
        self.channel.open_circuit()
        self.run = None
        self._close_entry(run, ProgramStatus.COMPLETE, "")

    def _interrupt(self, why: str, reason: EndReason) -> None:
        run = self.run
        assert run is not None
        self.last_end = reason
        if run.last_recorded is not self.sample:
            self._record(run)
        self.run = None
        self._close_entry(run, ProgramStatus.INTERRUPTED, why)

    def _close_entry(self, run: Run, status: ProgramStatus, why: str) -> None:
        try:
            self.ledger.set_status(
                run.program_id,
                status,
                end_record=len(self.records),
                charge_ah=run.totals.net_ah,
                why=why,
            )
        except OSError as error:
            self._latch(Fault.STORAGE, str(error))

    def _trip(self, fault: Fault, why: str) -> None:
        self.channel.open_circuit()
        self._latch(fault, why)
        if self.run is not None:
            self._interrupt(f"{fault}: {why}", EndReason.STOPPED)
        self.on_change()

    def _latch(self, fault: Fault, why: str) -> None:
        self.end_fault = (fault, why)
        try:
            self.ledger.set_fault(fault, why)
        except OSError:
            # The disk is full: the latch holds in memory, and a restart finds the program interrupted.
            self.end_fault = (fault, f"{why} (could not be written to {self.records.path.parent})")

    def _watchdog(self, run: Run, sample: Sample) -> tuple[Fault, str] | None:
        if run.held:
            return None
        elapsed_s = sample.unix_time_s - run.segment_from.unix_time_s
        if not run.acknowledged and elapsed_s > START_ACKNOWLEDGE_S:
            return Fault.CHANNEL_LOST, f"step {run.segment.step_id} was not acknowledged for {elapsed_s:g} s"
        allowed_s = run.segment.worst_case_s * (1 + WATCHDOG_FRACTION) + WATCHDOG_MARGIN_S
        if elapsed_s > allowed_s:
            return (
                Fault.STEP_WATCHDOG,
                f"step {run.segment.step_id} runs for {elapsed_s:g} s, at most {allowed_s:g} s are allowed",
            )
        return None

    def _remaining(self, run: Run) -> Segment:
        """The running segment less what has passed of it: time and charge cut-offs count on."""
        assert self.sample is not None
        passed = {
            Quantity.TIME_S: self.sample.unix_time_s - run.segment_from.unix_time_s,
            Quantity.CAPACITY_AH: abs(self.sample.charge_ah - run.segment_from.charge_ah),
        }
        cutoffs = tuple(
            dataclasses.replace(cut, value=max(0.0, cut.value - passed.get(cut.quantity, 0.0)))
            for cut in run.segment.cutoffs
        )
        worst_s = max(0.0, run.segment.worst_case_s - passed[Quantity.TIME_S])
        return dataclasses.replace(run.segment, cutoffs=cutoffs, worst_case_s=worst_s)

    def _test_time_s(self, run: Run) -> float:
        assert self.sample is not None
        return self.sample.unix_time_s - run.started.unix_time_s

    def _due(self, run: Run, sample: Sample) -> bool:
        last, criteria = run.last_recorded, run.segment.record
        if last is None or criteria is None:
            return True
        return (
            sample.unix_time_s - last.unix_time_s >= criteria.time_s - 1e-6
            or (
                criteria.voltage_v is not None
                and abs(sample.voltage_v - last.voltage_v) >= criteria.voltage_v
            )
            or (
                criteria.current_a is not None
                and abs(sample.current_a - last.current_a) >= criteria.current_a
            )
        )

    def _record(self, run: Run) -> None:
        sample = self.sample
        assert sample is not None
        totals, program, segment = run.totals, run.program, run.segment
        soc = math.nan
        if program.initial_soc is not None and program.capacity_ah is not None:
            soc = program.initial_soc + totals.net_ah / program.capacity_ah
        step_type = StepType.REST if run.held else segment.step_type
        try:
            self.records.append(
                (
                    self._test_time_s(run),
                    sample.unix_time_s,
                    sample.voltage_v,
                    sample.current_a,
                    totals.net_ah,
                    totals.charging_ah,
                    totals.discharging_ah,
                    totals.charging_wh,
                    totals.discharging_wh,
                    segment.cycle,
                    run.step_count,
                    segment.step_id,
                    code_of(step_type),
                    sample.temperature_c,
                    soc,
                    code_of(self.state),
                    code_of(self.fault),
                )
            )
        except OSError as error:
            run.last_recorded = sample
            self._trip(Fault.STORAGE, str(error))
            return
        run.last_recorded = sample

"""Executes programs on one channel: sequences segments, keeps records, acts on interlocks.

A pure state machine: time comes with the samples, commands are method calls, nothing waits.
"""

import math
from collections.abc import Callable
from typing import Any

from intercalate.contract import CyclerState, EndReason, Fault, OnLoss, StepType
from intercalate.cycler_server.channel import Channel, ChannelError, ImpedancePoint, Sample
from intercalate.cycler_server.interlocks import Interlocks, no_current_a, site_guard
from intercalate.cycler_server.ledger import NEVER_STARTED, ProgramEntry, ProgramLedger, ProgramStatus
from intercalate.cycler_server.records import RecordFile
from intercalate.cycler_server.running import RunningProgram
from intercalate.cycler_server.standing import left_by_record, settled_left, why_not_the_rest
from intercalate.protocol import BoundProgram, ProgramCursor, Segment, SiteLimits

SILENCE_LIMIT_S = 30.0
SILENCE_LIMIT_CELL_S = 10.0
"""A channel without a reading for so many wall seconds and cell seconds counts as lost."""

MARKERS_SHOWN = 1000
"""Latest markers in the description of a program; the ledger has them all."""


class CommandRefused(ValueError):
    """A command that cannot be obeyed now; the message says why and what to do."""


class ChannelExecutor:
    """One channel's brain.

    Parameters
    ----------
    channel
        Backend that executes single segments.
    records, impedances, ledger
        Where records, spectra and the fate of programs are kept.
    site
        Limits that no program may exceed, in force also where none runs.

    Attributes
    ----------
    latched
        Fault and its description, until it is cleared.
    lost
        Why the channel gives no readings; None while it does.
    last_program
        Id of the program that runs, was loaded, or ran last.
    revision
        Rises with every change but new readings and records.
    on_change
        Called after a new record, and when `revision` has risen.
    """

    def __init__(
        self,
        channel: Channel,
        records: RecordFile,
        impedances: RecordFile,
        ledger: ProgramLedger,
        site: SiteLimits,
    ):
        self.channel = channel
        self.records = records
        self.impedances = impedances
        self.ledger = ledger
        self.on_change: Callable[[], None] = lambda: None
        self.revision = 0
        self.sample: Sample | None = None
        self.lost: str | None = "no reading yet"
        self.run: RunningProgram | None = None
        last = ledger.last_started
        self.last_program = last.program_id if last else None
        self.last_end = EndReason.NONE
        self.latched = (Fault(ledger.fault[0]), ledger.fault[1]) if ledger.fault else None
        self._loaded: tuple[str, BoundProgram, OnLoss] | None = None
        self._site = site
        self._guard = site_guard(site)
        self._interlocks = Interlocks(self._guard)
        self._unsettled = last.program_id if last and not last.settled else None
        if last and last.status is ProgramStatus.INTERRUPTED and not last.end_record:
            # It ran when the server died, which could not say how far it had come.
            ledger.set_status(
                last.program_id,
                last.status,
                end_record=len(records),
                end_impedance=len(impedances),
                left=left_by_record(last, records),
            )
        self._heard: tuple[Sample | None, float] = (None, math.inf)
        channel.attach(self)

    # What a client sees

    @property
    def state(self) -> CyclerState:
        """State of the channel."""
        if self.latched is not None:
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
        return self.latched[0] if self.latched else Fault.NONE

    def program_info(self) -> dict[str, Any]:
        """The interrupted, current or last program, JSON-able; empty where there was none."""
        entry = self.ledger.interrupted or self.ledger.entries.get(self.last_program or "")
        if entry is None:
            return {}
        info = {**vars(entry), "markers": entry.markers[-MARKERS_SHOWN:], "marker_count": len(entry.markers)}
        if self.run is not None:
            info["segment"] = self.run.segment.step_type
            info["worst_case_s"] = self.run.program.worst_case_s
        return info

    # Commands

    def load(self, program_id: str, program: BoundProgram, on_client_lost: OnLoss) -> ProgramStatus:
        """Take a program in, without starting it; loading the same one again changes nothing.

        Raises
        ------
        CommandRefused
            If it may not run here, or the id has been used.
        OSError
            If the ledger could not be written; nothing is loaded then.
        """
        entry = self.ledger.entries.get(program_id)
        if entry is not None and entry.sha256 and entry.sha256 != program.sha256:
            raise CommandRefused(f"program id {program_id!r} belongs to another program; use a new id")
        if entry is not None and entry.status in (
            ProgramStatus.RUNNING,
            ProgramStatus.COMPLETE,
            ProgramStatus.LOADED,
        ):
            return entry.status
        if entry is not None and entry.status not in NEVER_STARTED:
            raise CommandRefused(
                f"program {program_id!r} ended before its own end ({entry.why}) and is not repeated; "
                "to run the rest, load it as a new program with a new id"
            )
        self._require_free("load a program")
        if program.begin is not None:
            refusal = why_not_the_rest(program.begin, self.ledger.last_started)
            if refusal is not None:
                raise CommandRefused(refusal)
        lacking = program.capabilities - self.channel.capabilities
        if lacking:
            raise CommandRefused(
                f"channel {self.channel.name} cannot do {', '.join(sorted(lacking))}; "
                "leave it out or use another channel"
            )
        problems = program.problems_at(self._site)
        if problems:
            listed = "; ".join(str(problem) for problem in problems)
            raise CommandRefused(f"the program does not fit this channel: {listed}")
        self._unload("another program was loaded in its place")
        self.ledger.add(ProgramEntry(program_id, program.sha256, ProgramStatus.LOADED))
        self._loaded = (program_id, program, on_client_lost)
        self.last_program = program_id
        self._changed()
        return ProgramStatus.LOADED

    def start(self, program_id: str) -> ProgramStatus:
        """Start the loaded program; the id of one that runs or is complete attaches to it.

        Raises
        ------
        CommandRefused
            If it is not loaded, or the channel is not free.
        OSError
            If the ledger could not be written; the program is not started then.
        """
        entry = self.ledger.entries.get(program_id)
        if entry is None:
            raise CommandRefused(f"no program {program_id!r}; load it first")
        if entry.status in (ProgramStatus.RUNNING, ProgramStatus.COMPLETE):
            if self.run is None:
                self.last_program = program_id
                self._changed()
            return entry.status
        if self._loaded is None or self._loaded[0] != program_id:
            hint = "load it again" if entry.status in NEVER_STARTED else "load it with a new id"
            raise CommandRefused(f"program {program_id!r} is {entry.status}, not loaded; {hint}")
        sample = self._require_answer()
        self._require_free("start a program")
        _, program, on_client_lost = self._loaded
        cursor = ProgramCursor(program)
        segment = cursor.next(EndReason.NONE)
        if segment is None:
            raise CommandRefused(f"program {program_id!r} has no step to execute")
        self._settle(sample, at_once=True)
        # On the disk before anything flows: a server that dies now finds the program interrupted.
        self.ledger.set_status(
            program_id,
            ProgramStatus.RUNNING,
            first_record=len(self.records),
            first_impedance=len(self.impedances),
            counter_from_ah=sample.charge_ah,
            before_ah=0.0 if program.begin is None else program.begin.net_ah,
            settled=False,
        )
        self._loaded = None
        self._interlocks = Interlocks(program.limits)
        self.run = RunningProgram(
            program_id, program, cursor, on_client_lost, sample.unix_time_s, segment, sample, sample.charge_ah
        )
        self._begin(segment, record=True)
        self._changed()
        return self.ledger.entries[program_id].status

    def stop(self, why: str) -> None:
        """Open circuit; a running program is interrupted, a loaded one unloaded."""
        self.channel.open_circuit()
        try:
            if self.run is not None:
                self._end(ProgramStatus.INTERRUPTED, why, EndReason.STOPPED)
            else:
                self._unload(why)
        finally:
            self._changed()

    def withdraw(self, program_id: str, why: str) -> None:
        """End this program wherever it stands, and no other; one that is not yet loaded never will be.

        A client that gives up while its commands are still under way is safe by this: they come too late.
        """
        if self.run is not None and self.run.program_id == program_id:
            self.stop(why)
            return
        entry = self.ledger.entries.get(program_id)
        if entry is not None and entry.status not in {ProgramStatus.LOADED, *NEVER_STARTED}:
            return
        if self._loaded is not None and self._loaded[0] == program_id:
            self._loaded = None
        sha256 = entry.sha256 if entry else ""
        self.ledger.add(ProgramEntry(program_id, sha256, ProgramStatus.ACKNOWLEDGED, why=f"withdrawn: {why}"))
        self._changed()

    def hold(self) -> None:
        """Suspend the running program at open circuit."""
        run = self._require_run("hold")
        if run.held:
            return
        self.channel.open_circuit()
        assert self.sample is not None
        run.hold(self.sample)
        self._changed()

    def resume(self) -> None:
        """Go on with what is left of the held segment."""
        run = self._require_run("resume")
        if not run.held:
            return
        run.resume(self._require_answer())
        if self._record(run):
            self._drive(run)
        self._changed()

    def release(self, program_id: str | None = None, step_count: int | None = None) -> None:
        """End a `wait_for_release` step.

        Parameters
        ----------
        program_id, step_count
            Which one: where it is over, nothing is released. None is the present one.
        """
        if program_id is not None and (self.run is None or self.run.program_id != program_id):
            return
        run = self._require_run("release")
        if step_count is not None and run.step_count != step_count:
            return
        if run.held:
            raise CommandRefused(f"program {run.program_id!r} is held; resume it first")
        if run.segment.step_type is not StepType.WAIT_FOR_RELEASE:
            raise CommandRefused(
                f"step {run.segment.step_id} is {run.segment.step_type}, it waits for no release"
            )
        self.channel.open_circuit()
        self._finish_segment(run, EndReason.RELEASED)
        self._changed()

    def acknowledge(self, program_id: str) -> None:
        """Confirm that somebody knows that this program was interrupted."""
        entry = self.ledger.entries.get(program_id)
        if entry is not None and entry.status is ProgramStatus.ACKNOWLEDGED:
            return
        waiting = self.ledger.interrupted
        if waiting is None:
            raise CommandRefused("no program waits for an acknowledgement")
        if waiting.program_id != program_id:
            raise CommandRefused(f"the interrupted program is {waiting.program_id!r}, not {program_id!r}")
        self.ledger.set_status(program_id, ProgramStatus.ACKNOWLEDGED)
        self._changed()

    def clear_fault(self) -> None:
        """Unlatch the fault; refused while its cause lasts."""
        if self.latched is None:
            return
        present = self._interlocks.present(self._require_answer())
        if present:
            raise CommandRefused(f"the cause of a fault lasts: {'; '.join(present.values())}")
        self.records.sync()
        self.impedances.sync()
        self.ledger.set_fault("", "")
        self.latched = None
        self._interlocks = Interlocks(self._guard)
        self._changed()

    def client_lost(self) -> None:
        """The lease ran out: do what the program's owner said."""
        if self.run is not None and self.run.on_client_lost is OnLoss.REST:
            self.stop("its client was lost")

    def watch(self, monotonic_s: float) -> None:
        """Act on a channel that has fallen silent; call a few times per second.

        Parameters
        ----------
        monotonic_s
            Wall clock: the channel's own has stopped.
        """
        if self.sample is not self._heard[0] or math.isinf(self._heard[1]):
            self._heard = (self.sample, monotonic_s)
            return
        silent_s = monotonic_s - self._heard[1]
        if self.lost is None and silent_s > SILENCE_LIMIT_S + SILENCE_LIMIT_CELL_S / self.channel.rate:
            self.on_lost(f"no reading for {silent_s:.0f} s")

    def storage_failed(self, why: str) -> None:
        """Records could not be brought onto the disk."""
        if self.latched is None:
            self._trip(Fault.STORAGE, why)

    # What the channel tells

    def on_started(self, segment: Segment) -> None:
        """See `ChannelListener`."""
        if self.run is not None and segment is self.run.given:
            self.run.acknowledged = True

    def on_sample(self, sample: Sample) -> None:
        """See `ChannelListener`."""
        before, self.sample = self.sample, sample
        run = self.run
        if self.lost is not None:
            self.lost = None
            self._changed()
        if run is None:
            self._settle(sample)
        else:
            run.count(before, sample)
        if self.latched is not None:
            if abs(sample.current_a) > no_current_a(self._guard):
                self.channel.open_circuit()
            return
        given = run.demanded(sample) if run is not None else None
        tripped = self._interlocks.check(
            sample,
            given,
            run.totals.net_ah if run is not None else 0.0,
            acknowledged=run is None or given is None or run.acknowledged,
        )
        if tripped is None and run is not None:
            tripped = run.overdue(sample)
        if tripped is not None:
            self._trip(*tripped)
        elif run is not None and run.record_due(sample):
            self._record(run)

    def on_impedance(self, segment: Segment, point: ImpedancePoint) -> None:
        """See `ChannelListener`."""
        run = self.run
        if run is None or segment is not run.given:
            return
        assert self.sample is not None
        try:
            self.impedances.append(run.impedance_row(self.sample, point, len(self.records)))
        except OSError as error:
            self._trip(Fault.STORAGE, str(error))
            return
        self.on_change()

    def on_ended(self, segment: Segment, reason: EndReason) -> None:
        """See `ChannelListener`."""
        run = self.run
        if run is None or segment is not run.given:
            return
        no_contact = self._interlocks.no_contact()
        if no_contact is not None and reason is not EndReason.TIME:
            self._trip(Fault.NO_CONTACT, f"step {segment.step_id} ended by {reason}, but {no_contact}")
            return
        self._finish_segment(run, reason)
        self._changed()

    def on_lost(self, why: str) -> None:
        """See `ChannelListener`."""
        self.lost = why
        if self.latched is None and self.run is not None:
            self._trip(Fault.CHANNEL_LOST, why)
        self._changed()

    def on_found(self) -> None:
        """See `ChannelListener`; the next reading says that it answers."""
        self.channel.open_circuit()

    # Inner workings

    def _changed(self) -> None:
        self.revision += 1
        self.on_change()

    def _require_run(self, verb: str) -> RunningProgram:
        if self.run is None:
            raise CommandRefused(f"nothing to {verb}: no program runs (state {self.state})")
        return self.run

    def _require_answer(self) -> Sample:
        if self.lost is not None or self.sample is None:
            raise CommandRefused(f"channel {self.channel.name} does not answer: {self.lost}")
        return self.sample

    def _require_free(self, what: str) -> None:
        if self.latched is not None:
            raise CommandRefused(
                f"cannot {what}: {self.latched[0]}, {self.latched[1]}; find the cause, then clear the fault"
            )
        waiting = self.ledger.interrupted
        if waiting is not None:
            raise CommandRefused(
                f"cannot {what}: program {waiting.program_id!r} was interrupted ({waiting.why}); "
                "acknowledge that id first"
            )
        if self.run is not None:
            raise CommandRefused(f"cannot {what}: program {self.run.program_id!r} is running")

    def _unload(self, why: str) -> None:
        if self._loaded is not None:
            program_id, self._loaded = self._loaded[0], None
            self.ledger.set_status(program_id, ProgramStatus.UNLOADED, why=why)

    def _begin(self, segment: Segment, *, record: bool) -> None:
        """Hand a segment to the channel; markers, which take no time, are passed on the way."""
        run, sample = self.run, self.sample
        assert run is not None
        assert sample is not None
        while segment.step_type is StepType.MARKER:
            marker = {
                "name": segment.marker,
                "test_time_s": run.test_time_s(sample),
                "record_seq": len(self.records),
            }
            try:
                self.ledger.add_marker(run.program_id, marker)
            except OSError as error:
                self._trip(Fault.STORAGE, str(error))
                return
            following = run.cursor.next(EndReason.TIME)
            if following is None:
                self._end(ProgramStatus.COMPLETE, "", self.last_end)
                return
            segment = following
        run.enter(segment, sample)
        try:
            self.ledger.enter_segment(
                run.program_id,
                run.left(sample).model_dump(mode="json"),
                sample.unix_time_s - run.passed_s,
                run.counted_ah - run.passed_ah,
            )
        except OSError as error:
            self._trip(Fault.STORAGE, str(error))
            return
        run.give(sample)
        if not record or self._record(run):
            self._drive(run)

    def _drive(self, run: RunningProgram) -> None:
        assert run.given is not None
        try:
            self.channel.start_segment(run.given)
        except ChannelError as error:
            self._trip(Fault.CHANNEL_LOST, f"step {run.segment.step_id} not taken: {error}")

    def _finish_segment(self, run: RunningProgram, reason: EndReason) -> None:
        self.last_end = reason
        if run.last_recorded is not self.sample and not self._record(run):
            return
        following = run.cursor.next(reason)
        if following is None:
            self._end(ProgramStatus.COMPLETE, "", reason)
        else:
            self._begin(following, record=False)

    def _end(self, status: ProgramStatus, why: str, reason: EndReason) -> None:
        """The program is over, whatever ended it."""
        run = self.run
        assert run is not None
        self.channel.open_circuit()
        self.last_end = reason
        if run.last_recorded is not self.sample and (error := self._append(run)) is not None:
            self._latch(Fault.STORAGE, error)
        assert self.sample is not None
        left = run.left(self.sample).model_dump(mode="json")
        self.run = None
        self._interlocks = Interlocks(self._guard)
        self._unsettled = run.program_id
        try:
            self.ledger.end(
                run.program_id,
                status,
                end_record=len(self.records),
                end_impedance=len(self.impedances),
                charge_ah=run.own_ah,
                why=why,
                left=None if status is ProgramStatus.COMPLETE else left,
            )
        except OSError as error:
            self._latch(Fault.STORAGE, str(error))

    def _settle(self, sample: Sample, *, at_once: bool = False) -> None:
        """Close the account of the last program when its current has ceased.

        The channel's counter, not the sum over readings: it also knows what flowed before a command
        took effect, or while this server was away.
        """
        if self._unsettled is None or not math.isfinite(sample.charge_ah):
            return
        if not at_once and not abs(sample.current_a) <= no_current_a(self._guard):
            return
        entry = self.ledger.entries[self._unsettled]
        charge_ah = sample.charge_ah - entry.counter_from_ah
        left = settled_left(entry, sample.charge_ah)
        try:
            self.ledger.set_status(
                entry.program_id, entry.status, charge_ah=charge_ah, settled=True, left=left
            )
        except OSError:
            # Storage faults latch where records are written; this account is tried again.
            return
        self._unsettled = None
        self._changed()

    def _trip(self, fault: Fault, why: str) -> None:
        self.channel.open_circuit()
        self._latch(fault, why)
        if self.run is not None:
            self._end(ProgramStatus.INTERRUPTED, f"{fault}: {why}", EndReason.STOPPED)
        self._changed()

    def _latch(self, fault: Fault, why: str) -> None:
        """Keep a fault until it is cleared; the first one stays, it is the cause of the others."""
        if self.latched is not None:
            return
        self.latched = (fault, why)
        try:
            self.ledger.set_fault(fault, why)
        except OSError as error:
            # The latch holds in memory, and a restart finds the program interrupted.
            self.latched = (fault, f"{why} (the ledger could not be written either: {error})")

    def _append(self, run: RunningProgram) -> str | None:
        """Write a record; what went wrong, where it could not be written."""
        assert self.sample is not None
        run.last_recorded = self.sample
        try:
            self.records.append(run.row(self.sample, self.state, self.fault))
        except OSError as error:
            return str(error)
        self.on_change()
        return None

    def _record(self, run: RunningProgram) -> bool:
        """Write a record; without it the program does not go on."""
        error = self._append(run)
        if error is not None:
            self._trip(Fault.STORAGE, error)
        return error is None

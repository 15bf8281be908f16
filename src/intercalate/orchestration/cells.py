"""Cells that are cycled at the same time, each in a run of its own, and measured in turn.

Cells start, end and fault independently: what goes wrong with one ends its run as failed, and leaves the
others alone. Nothing a cell waits for is a status of the RunEngine, because a status that fails is thrown
into whatever the plan does at that moment.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.protocols import Status
from bluesky.utils import FailedStatus, MsgGenerator

from intercalate.contract import RECORD_COLUMNS, Capability, OnLoss, StepType, Verb, code_of
from intercalate.devices.roles import CyclesCells
from intercalate.orchestration.cell_measurement import CellMeasurement
from intercalate.orchestration.cycling import (
    apply_on_abort,
    declare_records,
    drain,
    drain_at_the_end,
    note_markers,
    start_program,
)
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.notes import ENDED_FIRST, Notes
from intercalate.orchestration.waiting import in_thread, wait_for_any
from intercalate.protocol import BoundProgram

_UNIX, _STEP_COUNT, _STEP_TYPE = (
    RECORD_COLUMNS.index(name) for name in ("unix_time_second", "step_count", "step_type")
)
_HELD = code_of(StepType.WAIT_FOR_RELEASE)

log = logging.getLogger(__name__)


class CellsFailedError(RuntimeError):
    """Some of several cells did not reach the end of their programs."""


def is_of_another(error: Exception, device: Any) -> bool:
    """Whether a status failed that belongs to another device: thrown here, and meant for who waits for it."""
    status = error.args[0] if isinstance(error, FailedStatus) and error.args else None
    owner = getattr(status, "device", None)
    return owner is not None and getattr(owner, "root", owner) is not device


class CyclingCell:
    """One cell: its program, its run, and what is due for it.

    Parameters
    ----------
    cycler
        Channel it is on.
    program, program_id
        What is executed, once.
    metadata
        Of its run.
    on_abort, on_client_lost
        What becomes of it.
    measurements
        What is done with it.
    place
        On the sample changer; None where nothing has to move.
    run_key
        Of its run among several; None where it is the only one.
    watch
        Called with its new records, shape (n, len(RECORD_COLUMNS)).
    taken_up
        Whether a session that is gone has started the program: what was due until now is past.

    Attributes
    ----------
    taken_up
        As given.
    uid
        Of its run, once that is open.
    notes
        What its run says of the measurements.
    failure
        What went wrong with it, if anything.
    """

    def __init__(
        self,
        cycler: CyclesCells,
        program: BoundProgram,
        program_id: str,
        metadata: Mapping[str, Any],
        on_abort: OnLoss,
        on_client_lost: OnLoss,
        *,
        measurements: Sequence[CellMeasurement] = (),
        place: str | None = None,
        run_key: str | None = None,
        watch: Callable[[Any], None] | None = None,
        taken_up: bool = False,
    ):
        self.cycler = cycler
        self.place = place
        self.run_key = run_key
        self.measurements = tuple(measurements)
        self.notes = Notes()
        self.uid = ""
        self.failure: Exception | None = None
        self._program = program
        self._program_id = program_id
        self._metadata = dict(metadata)
        self._on_abort = on_abort
        self._on_client_lost = on_client_lost
        self._watch = watch
        self.taken_up = taken_up
        self._is_running = False
        self._held: int | None = None
        self._bell: Status | None = None
        self._end: Status | None = None

    @property
    def name(self) -> str:
        """As people call it."""
        return self.place or self.cycler.name

    @property
    def is_running(self) -> bool:
        """Whether its program was started and has not been seen to end."""
        return self._is_running

    @property
    def is_held(self) -> bool:
        """Whether it is held for a measurement."""
        return self._held is not None

    @property
    def due(self) -> list[CellMeasurement]:
        """Measurements that wait to be taken; a cell that is held waits for the beam too."""
        if not self._is_running:
            return []
        return [
            one
            for one in self.measurements
            if one.occasions.due
            and not (one.is_of_hold and self._held is not None and one.measuring.unavailable())
        ]

    @property
    def why_failed(self) -> str:
        """What went wrong, in words; empty where nothing did."""
        return "" if self.failure is None else str(cause_of(self.failure))

    def keyed(self, plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        """The plan, with its messages in this cell's run."""
        return plan if self.run_key is None else bpp.set_run_key_wrapper(plan, run=self.run_key)

    def open(self) -> MsgGenerator[None]:
        """Open its run."""
        self.uid = yield from self.keyed(bps.open_run(self._metadata))
        spectra = Capability.IMPEDANCE_SPECTROSCOPY in self._program.capabilities
        yield from self.keyed(declare_records(self.cycler, spectra=spectra))

    def start(self) -> MsgGenerator[None]:
        """Start its program."""
        yield from self._guarded(self._start())

    def collect(self) -> MsgGenerator[None]:
        """Collect its new records, and see whether it has ended."""
        if self._is_running:
            yield from self._guarded(self._collect())

    def release(self) -> MsgGenerator[None]:
        """End a hold for which nothing waits any more."""
        held, wanted = self._held, [one for one in self.measurements if one.is_of_hold]
        if held is None or not wanted or any(one.occasions.due for one in wanted):
            return
        self._held = None
        try:
            yield from in_thread(
                lambda: self.cycler.send(Verb.RELEASE, program_id=self._program_id, step_count=held)
            )
        except RuntimeError as error:
            log.error("%s is not released, its program goes on by itself in the end: %s", self.name, error)

    def bell(self) -> Status:
        """Rings when there are records to collect, or the program has ended."""
        if self._end is not None:
            return self._end
        if self._bell is None or self._bell.done:
            self._bell = self.cycler.doorbell.trigger()
        assert self._bell is not None
        return self._bell

    def abort(self) -> MsgGenerator[None]:
        """Do what its `on_abort` says; for a finalizer."""
        if self.failure is None:
            yield from apply_on_abort(self.cycler, self._on_abort, self._program_id)
        self._is_running = False

    def wind_up(self) -> MsgGenerator[None]:
        """Collect what is left, and say what was not measured any more; for a finalizer."""
        yield from self.keyed(drain_at_the_end(self.cycler))
        for one in self.measurements:
            if one.occasions.take():
                yield from self.keyed(self.notes.miss(one.name, ENDED_FIRST))
        yield from self.keyed(note_markers(self.cycler, self._program_id))

    def close(self) -> MsgGenerator[None]:
        """Close its run, as failed where something went wrong."""
        if self.failure is None:
            yield from self.keyed(bps.close_run())
        else:
            yield from self.keyed(bps.close_run(exit_status="fail", reason=self.why_failed))

    def _guarded(self, plan: MsgGenerator[None]) -> MsgGenerator[None]:
        try:
            yield from self.keyed(plan)
        except FAILURES as error:
            if is_of_another(error, self.cycler):
                raise
            log.error("%s: %s", self.name, cause_of(error))
            yield from self.abort()
            self.failure = error

    def _start(self) -> MsgGenerator[None]:
        yield from start_program(self.cycler, self._program, self._program_id, self._on_client_lost)
        self._is_running = True
        if self.taken_up:
            records = yield from drain(self.cycler)
            if self._watch is not None:
                self._watch(records)
            for one in self.measurements:
                one.occasions.skip(records)
            yield from self._see_hold(records)
            for one in self.measurements if self._held is not None else ():
                # Nobody knows whether it was measured before; twice is better than not at all.
                one.occasions.due |= one.is_of_hold
            yield from self._note_availability(records)

    def _collect(self) -> MsgGenerator[None]:
        is_busy = self.cycler.is_busy
        yield from self._take_in((yield from drain(self.cycler)))
        for status in (self._bell, self._end):
            if status is not None and status.done and (error := status.exception()) is not None:
                raise error
        if self._end is not None and self._end.done:
            yield from self._take_in((yield from drain(self.cycler)))
            self._is_running, self._held = False, None
        elif self._end is None and not is_busy:
            # A server that does not answer may come back: only the program's own end is the end.
            self._end = self.cycler.complete()

    def _take_in(self, records: Any) -> MsgGenerator[None]:
        """Let everybody see new records."""
        if self._watch is not None:
            self._watch(records)
        yield from self._note_availability(records)
        for one in self.measurements:
            overrun = one.occasions.overrun
            for record in records:
                one.occasions.see(record)
            for _ in range(one.occasions.overrun - overrun):
                yield from self.notes.miss(one.name, "the one before still waited for the beam")
        yield from self._see_hold(records)

    def _see_hold(self, records: Any) -> MsgGenerator[None]:
        """Know whether the cell is held; what a hold that is over was for is missed."""
        if not len(records):
            return
        last = records[-1]
        self._held = int(last[_STEP_COUNT]) if last[_STEP_TYPE] == _HELD else None
        if self._held is not None:
            return
        for one in self.measurements:
            if one.is_of_hold and one.occasions.take():
                why = one.measuring.unavailable() or "the instrument was busy"
                yield from self.notes.miss(one.name, f"the hold ended before it could be measured: {why}")

    def _note_availability(self, records: Any) -> MsgGenerator[None]:
        if not len(records):
            return
        for instrument, measuring in {one.instrument: one.measuring for one in self.measurements}.items():
            yield from self.notes.watch(instrument, measuring.unavailable(), float(records[-1][_UNIX]))


def cycle_cells(
    cells: Sequence[CyclingCell],
    *,
    before: Callable[[], MsgGenerator[Any]] | None = None,
    after: Callable[[], MsgGenerator[Any]] | None = None,
    between: Callable[[Sequence[CyclingCell]], MsgGenerator[None]] | None = None,
) -> MsgGenerator[list[str]]:
    """Run the programs of all cells, and measure each when it is due and the beam is free.

    Parameters
    ----------
    before, after
        Plans before the first program starts, and when all is over, for a finalizer.
    between
        Stub between two visits, and at least once for each record, given the cells that run.

    Returns
    -------
    list of str
        Unique ids of the runs.

    Raises
    ------
    Exception
        What went wrong with the only cell; of several, `CellsFailedError` after the last has ended.
    """

    def inner() -> MsgGenerator[list[str]]:
        for cell in cells:
            yield from cell.open()
        yield from bpp.contingency_wrapper(body(), except_plan=lambda _: abort_all(), final_plan=wind_up)
        for cell in cells:
            yield from cell.close()
        _raise_failures(cells)
        return [cell.uid for cell in cells]

    def body() -> MsgGenerator[None]:
        if before is not None:
            yield from before()
        for cell in cells:
            yield from cell.start()
        yield from collect_all(cells)
        while running := [cell for cell in cells if cell.is_running]:
            due = next_due(running)
            if due is not None:
                cell, measurement = due
                yield from measurement.visit(cell, measurement)
            else:
                yield from wait_for_any([cell.bell() for cell in running])
            yield from collect_all(running)
            if between is not None:
                yield from between(running)
            for cell in running:
                yield from cell.release()

    def abort_all() -> MsgGenerator[None]:
        for cell in cells:
            yield from cell.abort()

    def wind_up() -> MsgGenerator[None]:
        for cell in cells:
            yield from cell.wind_up()
        if after is not None:
            yield from after()

    return (yield from bpp.rewindable_wrapper(inner(), False))


def collect_all(cells: Sequence[CyclingCell]) -> MsgGenerator[None]:
    """Collect the new records of all of them."""
    for cell in cells:
        yield from cell.collect()


def next_due(cells: Sequence[CyclingCell]) -> tuple[CyclingCell, CellMeasurement] | None:
    """What is measured next: of the highest priority, what was measured longest ago."""
    due = [(cell, one) for cell in cells for one in cell.due]
    return min(due, key=lambda found: (-found[1].priority, found[1].last_visit_s), default=None)


def _raise_failures(cells: Sequence[CyclingCell]) -> None:
    failed = [cell for cell in cells if cell.failure is not None]
    if not failed:
        return
    if len(cells) == 1:
        assert failed[0].failure is not None
        raise failed[0].failure
    words = "; ".join(f"{cell.name}: {cell.why_failed}" for cell in failed)
    raise CellsFailedError(f"{len(failed)} of {len(cells)} cells did not reach their end: {words}")

"""Cells that are cycled at the same time, each in a run of its own, and measured in turn.

Cells start, end and fault independently: what goes wrong with one ends its run as failed, and leaves the
others alone. Nothing a cell waits for is a status of the RunEngine, because a status that fails is thrown
into whatever the plan does at that moment.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.protocols import Status
from bluesky.utils import FailedStatus, MsgGenerator

from intercalate.contract import RECORD_COLUMNS, OnLoss
from intercalate.devices.roles import CyclesCells
from intercalate.orchestration.cycling import (
    apply_on_abort,
    declare_records,
    drain,
    drain_at_the_end,
    note_markers,
    start_program,
)
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.measuring import Measuring
from intercalate.orchestration.occasions import Occasions
from intercalate.orchestration.waiting import wait_for_any
from intercalate.protocol import BoundProgram

_UNIX = RECORD_COLUMNS.index("unix_time_second")

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
    occasions
        When it is measured; None never.
    measuring
        Takes its frames.
    place
        On the sample changer; None where nothing has to move.
    spots_mm
        On the sample, from the centre of its window; one after the other.
    priority
        Of two cells that are due, the one with the higher priority is measured first.
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
    failure
        What went wrong with it, if anything.
    last_visit_s
        When it was visited last, by a clock of its own; minus infinity before the first visit.
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
        occasions: Occasions | None = None,
        measuring: Measuring | None = None,
        place: str | None = None,
        spots_mm: Sequence[tuple[float, float]] = ((0.0, 0.0),),
        priority: int = 0,
        run_key: str | None = None,
        watch: Callable[[Any], None] | None = None,
        taken_up: bool = False,
    ):
        self.cycler = cycler
        self.place = place
        self.priority = priority
        self.run_key = run_key
        self.occasions = occasions
        self.measuring = measuring
        self.uid = ""
        self.failure: Exception | None = None
        self.last_visit_s = -math.inf
        self._program = program
        self._program_id = program_id
        self._metadata = dict(metadata)
        self._on_abort = on_abort
        self._on_client_lost = on_client_lost
        self._spots_mm = list(spots_mm)
        self._watch = watch
        self.taken_up = taken_up
        self._visits = 0
        self._is_running = False
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
    def is_due(self) -> bool:
        """Whether it waits for a measurement."""
        return self._is_running and self.occasions is not None and self.occasions.due

    @property
    def why_failed(self) -> str:
        """What went wrong, in words; empty where nothing did."""
        return "" if self.failure is None else str(cause_of(self.failure))

    def next_spot_mm(self) -> tuple[float, float]:
        """Where on the sample the next frame is taken; asking begins a visit."""
        self.last_visit_s = time.monotonic()
        spot = self._spots_mm[self._visits % len(self._spots_mm)]
        self._visits += 1
        return spot

    def keyed(self, plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        """The plan, with its messages in this cell's run."""
        return plan if self.run_key is None else bpp.set_run_key_wrapper(plan, run=self.run_key)

    def open(self) -> MsgGenerator[None]:
        """Open its run."""
        self.uid = yield from self.keyed(bps.open_run(self._metadata))
        yield from self.keyed(declare_records(self.cycler))

    def start(self) -> MsgGenerator[None]:
        """Start its program."""
        yield from self._guarded(self._start())

    def collect(self) -> MsgGenerator[None]:
        """Collect its new records, and see whether it has ended."""
        if self._is_running:
            yield from self._guarded(self._collect())

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
        """Collect what is left; for a finalizer."""
        yield from self.keyed(drain_at_the_end(self.cycler))
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
            if self.occasions is not None:
                self.occasions.skip(records)
            if self.measuring is not None and len(records):
                yield from self.measuring.watch(float(records[-1][_UNIX]))

    def _collect(self) -> MsgGenerator[None]:
        is_busy = self.cycler.is_busy
        overrun = 0 if self.occasions is None else self.occasions.overrun
        records = yield from drain(self.cycler)
        if self._watch is not None:
            self._watch(records)
        if self.occasions is not None:
            for record in records:
                self.occasions.see(record)
            if self.measuring is not None and len(records):
                yield from self.measuring.watch(float(records[-1][_UNIX]))
                for _ in range(self.occasions.overrun - overrun):
                    yield from self.measuring.miss("the one before still waited for the beam")
        for status in (self._bell, self._end):
            if status is not None and status.done and (error := status.exception()) is not None:
                raise error
        if self._end is not None and self._end.done:
            self._is_running = False
            last = yield from drain(self.cycler)
            if self._watch is not None:
                self._watch(last)
        elif self._end is None and not is_busy:
            # A server that does not answer may come back: only the program's own end is the end.
            self._end = self.cycler.complete()


Visit = Callable[[CyclingCell], MsgGenerator[None]]


def cycle_cells(
    cells: Sequence[CyclingCell],
    visit: Visit | None = None,
    *,
    before: Callable[[], MsgGenerator[Any]] | None = None,
    after: Callable[[], MsgGenerator[Any]] | None = None,
) -> MsgGenerator[list[str]]:
    """Run the programs of all cells, and measure each when it is due and the beam is free.

    Parameters
    ----------
    visit
        Measures one cell.
    before, after
        Plans before the first program starts, and when all is over, for a finalizer.

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
            if due is not None and visit is not None:
                yield from visit(due)
            else:
                yield from wait_for_any([cell.bell() for cell in running])
            yield from collect_all(running)

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


def next_due(cells: Sequence[CyclingCell]) -> CyclingCell | None:
    """The one to be measured next: of the highest priority, the one whose last visit is longest ago."""
    due = [cell for cell in cells if cell.is_due]
    return min(due, key=lambda cell: (-cell.priority, cell.last_visit_s), default=None)


def _raise_failures(cells: Sequence[CyclingCell]) -> None:
    failed = [cell for cell in cells if cell.failure is not None]
    if not failed:
        return
    if len(cells) == 1:
        assert failed[0].failure is not None
        raise failed[0].failure
    words = "; ".join(f"{cell.name}: {cell.why_failed}" for cell in failed)
    raise CellsFailedError(f"{len(failed)} of {len(cells)} cells did not reach their end: {words}")

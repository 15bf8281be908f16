"""Does what people ask of a running experiment, between two visits."""

import logging
import time
from collections.abc import Callable, Sequence

from bluesky.utils import MsgGenerator

from intercalate.operator_requests import Action, OperatorRequest, RequestDesk
from intercalate.orchestration.cell_measurement import CellMeasurement
from intercalate.orchestration.cells import CyclingCell
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.problems import did_you_mean

log = logging.getLogger(__name__)

LOOKS_EVERY_S = 0.2
"""Wall seconds between two looks into the folder, at least: records may come faster."""


def hearing(desk: RequestDesk) -> Callable[[Sequence[CyclingCell]], MsgGenerator[None]]:
    """Stub that does what was asked since it was called last, given the cells that run."""
    looked_s = 0.0

    def hear(cells: Sequence[CyclingCell]) -> MsgGenerator[None]:
        nonlocal looked_s
        if time.monotonic() - looked_s < LOOKS_EVERY_S:
            return
        looked_s = time.monotonic()
        try:
            for request in desk.take():
                desk.answer(request, (yield from _do(request, cells)))
        except OSError as error:
            log.error("requests of people are not heard: %s", error)

    return hear


def _do(request: OperatorRequest, cells: Sequence[CyclingCell]) -> MsgGenerator[str]:
    """Do it, note it in the run, and say what became of it."""
    try:
        cell, measurement = _meant(request, cells)
    except ValueError as refused:
        return f"not done: {refused}"
    try:
        answer = yield from _DOERS[request.action](request, cell, measurement)
    except (ValueError, *FAILURES) as error:
        answer = f"not done: {cause_of(error)}"
    noted = cell.notes.request(request.action, measurement.name, request.who, answer, request.unix_s)
    yield from cell.keyed(noted)
    return answer


def _meant(request: OperatorRequest, cells: Sequence[CyclingCell]) -> tuple[CyclingCell, CellMeasurement]:
    """The cell and its measurement: those that are named, or that were taken last."""
    named = {cell.name: cell for cell in cells if cell.measurements}
    if not named:
        raise ValueError("no cell that is measured is running any more")
    if request.place and request.place not in named:
        raise ValueError(f"no cell runs at {request.place!r}; {did_you_mean(request.place, named)}")
    meant = [named[request.place]] if request.place else list(named.values())
    found = [(cell, one) for cell in meant for one in cell.measurements]
    if request.measurement:
        names = list(dict.fromkeys(one.name for _, one in found))
        found = [(cell, one) for cell, one in found if one.name == request.measurement]
        if not found:
            advice = did_you_mean(request.measurement, names)
            raise ValueError(f"there is no measurement {request.measurement!r}; {advice}")
    return max(found, key=lambda one: one[1].last_visit_s)


def _skip(request: OperatorRequest, cell: CyclingCell, one: CellMeasurement) -> MsgGenerator[str]:
    chosen = [one] if request.measurement else cell.measurements
    for each in chosen:
        each.skip_next(f"skipped by {request.who or 'somebody'}")
    yield from ()
    return f"{cell.name}: the next visit is skipped ({', '.join(each.name for each in chosen)})"


def _repeat(request: OperatorRequest, cell: CyclingCell, one: CellMeasurement) -> MsgGenerator[str]:
    if not one.was_visited:
        raise ValueError(f"{cell.name}: {one.name} has taken no frame yet")
    if one.is_of_hold and not cell.is_held:
        raise ValueError(f"{cell.name}: the hold in which {one.name} was taken is over")
    one.repeat_last(cell.cycler.clock_s())
    yield from ()
    return f"{cell.name}: {one.name} is taken once more"


def _move(request: OperatorRequest, cell: CyclingCell, one: CellMeasurement) -> MsgGenerator[str]:
    if cell.place is None:
        raise ValueError(f"nothing moves {cell.name}: the experiment names no place on a sample changer")
    spot_mm = yield from one.leave_spot(request.to_mm)
    if spot_mm is None:
        raise ValueError(
            f"{cell.name}: no other spot of {one.name} (`spots_mm`) is fresh; say where to go, in mm from "
            "the centre of the window"
        )
    return f"{cell.name}: {one.name} goes on at {spot_mm[0]:g}, {spot_mm[1]:g} mm"


_DOERS: dict[Action, Callable[[OperatorRequest, CyclingCell, CellMeasurement], MsgGenerator[str]]] = {
    Action.SKIP_CELL: _skip,
    Action.REPEAT_FRAME: _repeat,
    Action.FRESH_SPOT: _move,
}

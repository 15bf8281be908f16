"""Several cells on one beam: each runs its own protocol, and is measured in turn, in motion or held."""

from collections.abc import Sequence
from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.contract import CYCLER_NAMES, STATION_NAMES
from intercalate.devices.roles import CyclesCells, MeasuresCells
from intercalate.orchestration.annotations import (
    FURTHER_METADATA,
    TAKE_UP,
    devices,
    for_queue,
    loss,
    mappings,
)
from intercalate.orchestration.assembling import Experimenting
from intercalate.orchestration.checking import (
    as_loss,
    require_role,
)
from intercalate.orchestration.tasks import CellTask


@for_queue(
    "Run a protocol on each of several cells, and measure them in turn.",
    cyclers=devices("Channels the cells are on.", *CYCLER_NAMES),
    stations=devices("Instruments, which measurements name.", *STATION_NAMES),
    cells=mappings("Of each: place, cell, protocol, measurements, initial_soc."),
    on_abort=loss("What becomes of the cells when this plan aborts."),
    on_client_lost=loss("What becomes of the cells when this session dies."),
    take_up=TAKE_UP,
    md=FURTHER_METADATA,
)
def operando_cells(
    cyclers: Sequence[CyclesCells],
    stations: Sequence[MeasuresCells],
    cells: Sequence[dict[str, Any]],
    *,
    on_abort: str,
    on_client_lost: str,
    take_up: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Run a protocol on each of several cells, and measure them in turn.

    Each cell has a run of its own, all under one `experiment_uid`. Cells end and fault independently. A
    cell that is due waits until the beam is free; what cannot be measured is counted as missed.

    Parameters
    ----------
    cyclers
        Channels the cells are on.
    stations
        Instruments, which measurements name. The sample changer says which channel the cables of each place
        go to.
    cells
        Of each: `place`, `cell`, `protocol`, and how it is measured; see `CellTask`. A cell without
        `measurements` is cycled and never exposed.
    on_abort, on_client_lost
        `continue` or `rest`: what becomes of the cells when the plan aborts, or the session dies.
    take_up
        Go on with programs that a session which is gone has left running; the run has all records from
        their first, and frames from now.
    md
        Added to every run's start document.

    Returns
    -------
    list of str
        Unique ids of the runs, in the order of `cells`.

    Raises
    ------
    TasksError, ProtocolError, CellError, ValueError
        Before anything moves, if something asked for cannot be.
    CellsFailedError
        After the last cell has ended, if one of them did not reach the end of its program.
    """
    experiment = _experiment(
        "operando_cells", "operando", cyclers, stations, on_abort, on_client_lost, take_up, md
    )
    for task in CellTask.all_of(cells):
        yield from experiment.add(task)
    return (yield from experiment.run())


@for_queue(
    "Run a protocol on each of several cells, hold it at chosen points and measure it there.",
    cyclers=devices("Channels the cells are on.", *CYCLER_NAMES),
    stations=devices("Instruments, which measurements name.", *STATION_NAMES),
    cells=mappings("Of each: place, cell, protocol, hold, measurements, initial_soc."),
    on_abort=loss("What becomes of the cells when this plan aborts."),
    on_client_lost=loss("What becomes of the cells when this session dies."),
    take_up=TAKE_UP,
    md=FURTHER_METADATA,
)
def in_situ(
    cyclers: Sequence[CyclesCells],
    stations: Sequence[MeasuresCells],
    cells: Sequence[dict[str, Any]],
    *,
    on_abort: str,
    on_client_lost: str,
    take_up: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Run a protocol on each of several cells, hold it at chosen points and measure it there.

    The holds are part of the program: the cycler relaxes the cell and holds it, on time and in its records,
    until all that is to be measured was measured, or the longest time for it has passed. Where the beam is
    away, a cell that is held waits for it so long.

    Parameters
    ----------
    cyclers, stations
        As of `operando_cells`.
    cells
        Of each: `place`, `cell`, `protocol`, `measurements` and where it is held, `hold`; see `Hold`. Cells
        without `hold` are held where their protocols say `wait_for_release`. Measurements without `when` are
        taken at each hold, others beside it.
    on_abort, on_client_lost
        `continue` or `rest`: what becomes of the cells when the plan aborts, or the session dies.
    take_up
        Go on with programs that a session which is gone has left running.
    md
        Added to every run's start document.

    Returns
    -------
    list of str
        Unique ids of the runs, in the order of `cells`.

    Raises
    ------
    TasksError, ProtocolError, CellError, WhenError, ValueError
        Before anything moves, if something asked for cannot be.
    CellsFailedError
        After the last cell has ended, if one of them did not reach the end of its program.
    """
    experiment = _experiment("in_situ", "in_situ", cyclers, stations, on_abort, on_client_lost, take_up, md)
    for task in CellTask.all_of(cells):
        yield from experiment.add(task)
    return (yield from experiment.run())


def _experiment(
    plan_name: str,
    mode: str,
    cyclers: Sequence[CyclesCells],
    stations: Sequence[MeasuresCells],
    on_abort: str,
    on_client_lost: str,
    take_up: bool,
    md: dict[str, Any] | None,
) -> Experimenting:
    for station in stations:
        require_role(station, MeasuresCells, "stations")
    for cycler in cyclers:
        require_role(cycler, CyclesCells, "cyclers")
    abort, lost = as_loss(on_abort, "on_abort"), as_loss(on_client_lost, "on_client_lost")
    return Experimenting(plan_name, mode, cyclers, stations, abort, lost, taken_up=take_up, md=md)

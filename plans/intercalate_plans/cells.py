"""Several cells on one beam: each runs its own protocol, and is measured in turn."""

import uuid
from collections.abc import Sequence
from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.contract import CYCLER_NAMES
from intercalate.devices.roles import CyclesCells, MeasuresDiffraction
from intercalate.orchestration import OpenDetector
from intercalate.orchestration.annotations import (
    EXPOSURE,
    FURTHER_METADATA,
    TAKE_UP,
    device,
    devices,
    for_queue,
    loss,
    mappings,
)
from intercalate.orchestration.cells import CyclingCell
from intercalate.orchestration.checking import (
    as_loss,
    bound,
    check_exposure,
    require_role,
)
from intercalate.orchestration.cycling import program_id_for
from intercalate.orchestration.metadata import experiment_metadata
from intercalate.orchestration.occasions import Occasions, check_when
from intercalate.orchestration.tasks import CellTask, cycler_of
from intercalate_plans.operando import measure_cells, measuring_of


@for_queue(
    "Run a protocol on each of several cells, and take diffraction frames of them in turn.",
    cyclers=devices("Channels the cells are on.", *CYCLER_NAMES),
    station=device("Takes the frames.", "xrd"),
    cells=mappings("Of each: place, cell, protocol, when, spots_mm, priority, initial_soc."),
    exposure_s=EXPOSURE,
    on_abort=loss("What becomes of the cells when this plan aborts."),
    on_client_lost=loss("What becomes of the cells when this session dies."),
    take_up=TAKE_UP,
    md=FURTHER_METADATA,
)
def operando_cells(
    cyclers: Sequence[CyclesCells],
    station: MeasuresDiffraction,
    cells: Sequence[dict[str, Any]],
    exposure_s: float = 60.0,
    *,
    on_abort: str,
    on_client_lost: str,
    take_up: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Run a protocol on each of several cells, and take diffraction frames of them in turn.

    Each cell has a run of its own, all under one `experiment_uid`. Cells end and fault independently. A
    cell that is due waits until the beam is free; what cannot be measured is counted as missed.

    Parameters
    ----------
    cyclers
        Channels the cells are on.
    station
        Its sample changer says which channel the cables of each place go to.
    cells
        Of each: `place`, `cell`, `protocol`, and when it is measured; see `CellTask`. A cell without
        `when` is cycled and never exposed.
    exposure_s
        Exposure of each frame, in cell seconds.
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
    require_role(station, MeasuresDiffraction, "station")
    for cycler in cyclers:
        require_role(cycler, CyclesCells, "cyclers")
    check_exposure(exposure_s)
    abort, lost = as_loss(on_abort, "on_abort"), as_loss(on_client_lost, "on_client_lost")
    tasks = CellTask.all_of(cells)
    common = {"experiment_uid": uuid.uuid4().hex, **(md or {})}
    detector = OpenDetector(station.detector, exposure_s)
    running: list[CyclingCell] = []
    for task in tasks:
        cycler = cycler_of(task.place, station.changer, cyclers)
        for spot_mm in task.spots_mm:
            station.changer.position_mm((task.place, *spot_mm))
        protocol, cell, program = bound(
            task.checked_protocol(), task.checked_cell(), cycler.site, task.initial_soc
        )
        when = task.when
        measurements = []
        if when is not None:
            check_when(when, program, source=f"when of {task.place}")
            measurements.append({"technique": "xrd", "when": when.given(), "exposure_s": exposure_s})
        program_id = yield from program_id_for(cycler, program, take_up)
        metadata = experiment_metadata(
            "operando_cells",
            cell,
            protocol,
            program,
            program_id,
            abort,
            lost,
            common,
            mode="operando",
            measurements=measurements,
            place=task.place,
            channel=cycler.channel,
            priority=task.priority,
            spots_mm=[list(spot) for spot in task.spots_mm],
            taken_up=take_up,
        )
        running.append(
            CyclingCell(
                cycler,
                program,
                program_id,
                metadata,
                abort,
                lost,
                occasions=when and Occasions(when),
                measuring=when and measuring_of(station, cycler, detector, running, task.place),
                place=task.place,
                spots_mm=task.spots_mm,
                priority=task.priority,
                run_key=task.place,
                taken_up=take_up,
            )
        )
    return (yield from measure_cells(station, detector, running))

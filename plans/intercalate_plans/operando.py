"""A whole program runs; frames are taken beside it, and the cell never waits for them."""

import logging
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.contract import CYCLER_NAMES
from intercalate.devices.roles import CyclesCells, MeasuresDiffraction
from intercalate.orchestration import Measuring, OpenDetector, When
from intercalate.orchestration.annotations import (
    EXPOSURE,
    FURTHER_METADATA,
    TAKE_UP,
    device,
    for_queue,
    loss,
    mapping,
    number,
)
from intercalate.orchestration.cells import CyclingCell, collect_all, cycle_cells
from intercalate.orchestration.checking import (
    as_loss,
    bound,
    check_exposure,
    require_role,
)
from intercalate.orchestration.cycling import program_id_for
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.metadata import experiment_metadata
from intercalate.orchestration.occasions import Occasions, check_when
from intercalate.orchestration.visiting import Visitor
from intercalate.protocol import Protocol

log = logging.getLogger(__name__)


@for_queue(
    "Run a protocol on one cell and take diffraction frames beside it.",
    cycler=device("Channel the cell is on.", *CYCLER_NAMES),
    station=device("Takes the frames.", "xrd"),
    cell=mapping("The cell."),
    protocol=mapping("What to do to it."),
    when=mapping("When a frame is due: every, at, on, any, all."),
    exposure_s=EXPOSURE,
    on_abort=loss("What becomes of the cell when this plan aborts."),
    on_client_lost=loss("What becomes of the cell when this session dies."),
    initial_soc=number("State of charge at the start, 0 to 1.", 0, 1, optional=True),
    take_up=TAKE_UP,
    md=FURTHER_METADATA,
)
def operando(
    cycler: CyclesCells,
    station: MeasuresDiffraction,
    cell: Cell | dict[str, Any],
    protocol: Protocol | dict[str, Any],
    when: When | dict[str, Any],
    exposure_s: float = 60.0,
    *,
    on_abort: str,
    on_client_lost: str,
    initial_soc: float | None = None,
    take_up: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Run a protocol on one cell and take diffraction frames beside it.

    The cycler executes the protocol by itself; this plan collects its records and takes a frame
    whenever one is due. A frame that cannot be taken is counted as missed, with the reason, and the
    cell goes on.

    Parameters
    ----------
    cycler
        Channel the cell is on.
    station
        Takes the frames, lets the beam through for them, and compares clocks once per frame.
    cell, protocol
        Models, or their JSON forms.
    when
        When a frame is due, as `{"every": {"time_s": 300}}`; see `When`.
    exposure_s
        Exposure of each frame, in cell seconds.
    on_abort, on_client_lost
        `continue` or `rest`: what becomes of the cell when the plan aborts, or the session dies.
    initial_soc
        State of charge at the start, 0 to 1.
    take_up
        Go on with the program that a session which is gone has left running; the run has all records from
        the first, and frames from now.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run: records in the stream `cycling`, frames in `xrd`.

    Raises
    ------
    ProtocolError, CellError, WhenError
        Before anything moves, if something asked for cannot be.
    """
    require_role(cycler, CyclesCells, "cycler")
    require_role(station, MeasuresDiffraction, "station")
    check_exposure(exposure_s)
    condition = When.of(when)
    abort, lost = as_loss(on_abort, "on_abort"), as_loss(on_client_lost, "on_client_lost")
    checked_protocol, checked_cell, program = bound(protocol, cell, cycler.site, initial_soc)
    check_when(condition, program)
    program_id = yield from program_id_for(cycler, program, take_up)
    measurement = {"technique": "xrd", "when": condition.given(), "exposure_s": exposure_s}
    metadata = experiment_metadata(
        "operando",
        checked_cell,
        checked_protocol,
        program,
        program_id,
        abort,
        lost,
        md,
        mode="operando",
        measurements=[measurement],
        taken_up=take_up,
    )
    detector = OpenDetector(station.detector, exposure_s)
    cells: list[CyclingCell] = []
    one = CyclingCell(
        cycler,
        program,
        program_id,
        metadata,
        abort,
        lost,
        occasions=Occasions(condition),
        measuring=measuring_of(station, cycler, detector, cells),
        taken_up=take_up,
    )
    cells.append(one)
    (uid,) = yield from measure_cells(station, detector, cells)
    return uid


def measuring_of(
    station: MeasuresDiffraction,
    cycler: CyclesCells,
    detector: OpenDetector,
    cells: list[CyclingCell],
    run_key: str = "",
) -> Measuring:
    """Frames of the cell on `cycler`; during exposures, all of `cells` are collected."""
    return Measuring(
        detector,
        (station.clocks, cycler),
        lambda: collect_all(cells),
        read_only=(station.monitors,),
        run_key=run_key,
        precondition=station.beam.unavailable,
    )


def measure_cells(
    station: MeasuresDiffraction, detector: OpenDetector, cells: list[CyclingCell]
) -> MsgGenerator[list[str]]:
    """Cycle the cells, and measure each when it is due; the detector opens the shutter for each frame."""
    visitor = Visitor(station, lambda: collect_all(cells))

    def before() -> MsgGenerator[None]:
        if not any(cell.taken_up for cell in cells):
            # One that sticks now must not end programs that run already.
            yield from bps.mv(station.shutter, "closed")
        yield from detector.prepare()

    def after() -> MsgGenerator[None]:
        yield from detector.end()
        try:
            yield from bps.abs_set(station.shutter, "closed", group="shutter")
            yield from bps.wait(group="shutter", timeout=30, error_on_timeout=False)
        except FAILURES as error:
            log.error("the shutter was not closed: %s", cause_of(error))

    return (yield from cycle_cells(cells, visitor.visit, before=before, after=after))

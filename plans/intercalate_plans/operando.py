"""A whole program runs; frames are taken beside it, and the cell never waits for them."""

from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.contract import CYCLER_NAMES
from intercalate.devices.roles import CyclesCells, MeasuresDiffraction
from intercalate.orchestration import When
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
from intercalate.orchestration.assembling import Experimenting
from intercalate.orchestration.checking import (
    as_loss,
    check_exposure,
    require_role,
)
from intercalate.orchestration.tasks import CellTask, MeasurementTask
from intercalate.protocol import Protocol


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
    budget_MGy=number("Most that the spot may get in the life of the cell, MGy.", 0, 1e6, optional=True),
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
    budget_MGy: float | None = None,
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
    budget_MGy
        Most that the spot may get in the life of the cell; without it, there is no end.
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
    abort, lost = as_loss(on_abort, "on_abort"), as_loss(on_client_lost, "on_client_lost")
    measurement = MeasurementTask(
        instrument=station.name,
        when=When.of(when),
        exposure_s=exposure_s,
        budget_MGy="unlimited" if budget_MGy is None else budget_MGy,
    )
    experiment = Experimenting(
        "operando", "operando", [cycler], [station], abort, lost, taken_up=take_up, md=md
    )
    yield from experiment.add(CellTask.of(cell, protocol, measurement, initial_soc=initial_soc))
    (uid,) = yield from experiment.run()
    return uid

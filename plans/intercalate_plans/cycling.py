"""Plans that charge and discharge a cell and measure nothing else."""

from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.contract import CYCLER_NAMES
from intercalate.devices.roles import CyclesCells
from intercalate.orchestration.annotations import (
    FURTHER_METADATA,
    TAKE_UP,
    device,
    for_queue,
    loss,
    mapping,
    number,
)
from intercalate.orchestration.assembling import Experimenting
from intercalate.orchestration.checking import as_loss, require_role
from intercalate.orchestration.tasks import CellTask
from intercalate.protocol import Protocol


@for_queue(
    "Run a protocol on one cell, the cycler alone.",
    cycler=device("Channel the cell is on.", *CYCLER_NAMES),
    cell=mapping("The cell."),
    protocol=mapping("What to do to it."),
    on_abort=loss("What becomes of the cell when this plan aborts."),
    on_client_lost=loss("What becomes of the cell when this session dies."),
    initial_soc=number("State of charge at the start, 0 to 1.", 0, 1, optional=True),
    take_up=TAKE_UP,
    md=FURTHER_METADATA,
)
def charge_discharge(
    cycler: CyclesCells,
    cell: Cell | dict[str, Any],
    protocol: Protocol | dict[str, Any],
    *,
    on_abort: str,
    on_client_lost: str,
    initial_soc: float | None = None,
    take_up: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Run a protocol on one cell, the cycler alone.

    Parameters
    ----------
    cycler
        Channel the cell is on.
    cell, protocol
        Models, or their JSON forms.
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
        Unique id of the run.

    Raises
    ------
    ProtocolError, CellError
        Before anything moves, if the protocol must not run on this cell here.
    """
    require_role(cycler, CyclesCells, "cycler")
    abort, lost = as_loss(on_abort, "on_abort"), as_loss(on_client_lost, "on_client_lost")
    experiment = Experimenting(
        "charge_discharge", "cycling", [cycler], [], abort, lost, taken_up=take_up, md=md
    )
    yield from experiment.add(CellTask.of(cell, protocol, initial_soc=initial_soc))
    (uid,) = yield from experiment.run()
    return uid

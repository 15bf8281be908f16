"""An experiment whose session is gone goes on."""

import logging
from collections.abc import Sequence
from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.contract import CYCLER_NAMES, STATION_NAMES
from intercalate.devices.roles import CyclesCells, KnowsRuns, MeasuresCells
from intercalate.orchestration.annotations import FURTHER_METADATA, device, devices, flag, for_queue, text
from intercalate.orchestration.assembling import Experimenting
from intercalate.orchestration.checking import require_role
from intercalate.orchestration.continuing import what_is_left
from intercalate.orchestration.taking_up import TakeUpError

log = logging.getLogger(__name__)


@for_queue(
    "Go on with an experiment whose session is gone.",
    cyclers=devices("Channels the cells are on.", *CYCLER_NAMES),
    stations=devices("Instruments, which measurements name.", *STATION_NAMES),
    archive=device("Knows the runs.", "archive"),
    uid=text("Beginning of the id of the experiment or of one of its runs; the latest where it is left out."),
    go_on=flag("Start what is left of programs that were interrupted: current flows again."),
    md=FURTHER_METADATA,
)
def continue_experiment(
    cyclers: Sequence[CyclesCells],
    stations: Sequence[MeasuresCells],
    archive: KnowsRuns,
    uid: str = "",
    *,
    go_on: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Go on with an experiment whose session is gone.

    The cycler has gone on, or ended, as the experiment said. Programs that run, or have reached their end,
    are taken up: each gets a new run that names the one before, with all records from the first, and what is
    to be measured from now on. Nothing is started: a program that was interrupted stays so, unless `go_on`
    asks for what is left of it.

    Parameters
    ----------
    cyclers, stations
        As of the experiment.
    archive
        Knows its runs.
    uid
        Beginning of the unique id of the experiment, or of one of its runs; the latest experiment without it.
    go_on
        Start what is left of programs that were interrupted, from the charge and the time at which they were.
        A person says so who knows why they were and that the cell is well. Faults must have been cleared.
    md
        Added to every run's start document.

    Returns
    -------
    list of str
        Unique ids of the new runs.

    Raises
    ------
    ContinueError
        If nobody here knows the experiment, or nothing of it is left.
    TakeUpError
        If no cell can be continued: its program was interrupted and `go_on` does not ask for what is left, or
        the cycler has another one. Nothing is repeated by itself; where others can, they are, and this is
        logged.
    """
    require_role(archive, KnowsRuns, "archive")
    for station in stations:
        require_role(station, MeasuresCells, "stations")
    for cycler in cyclers:
        require_role(cycler, CyclesCells, "cyclers")
    left = what_is_left(archive, uid or None)
    experiment = Experimenting(
        left.plan_name,
        left.mode,
        cyclers,
        stations,
        left.on_abort,
        left.on_client_lost,
        taken_up=True,
        going_on=go_on,
        md={"experiment_uid": left.experiment_uid, **(md or {})},
    )
    refused = []
    for task in left.tasks:
        try:
            yield from experiment.add(task)
        except TakeUpError as error:
            log.error("%s is not continued: %s", task.label, error)
            refused.append(error)
    if len(refused) == len(left.tasks):
        raise refused[0]
    return (yield from experiment.run())

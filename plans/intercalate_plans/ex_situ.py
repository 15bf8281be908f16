"""A cell is cycled, made safe, carried to another instrument in an airtight vessel, and measured there."""

import uuid
from collections.abc import Sequence
from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.contract import CYCLER_NAMES, STATION_NAMES, Opened, VesselLocation, VesselSeal
from intercalate.devices.roles import CarriesCells, CyclesCells, MeasuresCells
from intercalate.orchestration.annotations import (
    FURTHER_METADATA,
    TAKE_UP,
    device,
    devices,
    for_queue,
    loss,
    mapping,
    number,
)
from intercalate.orchestration.assembling import Experimenting, is_wired
from intercalate.orchestration.checking import as_loss, require_role
from intercalate.orchestration.tasks import CellTask
from intercalate.orchestration.transfer_task import TransferTask
from intercalate.orchestration.transferring import Transferring, put_back
from intercalate.orchestration.waiting import in_thread, wait_until_done


@for_queue(
    "Cycle a cell, carry it to another instrument in an airtight vessel, and measure it there.",
    cyclers=devices("Channels the cells are on.", *CYCLER_NAMES),
    stations=devices("Instruments, also the one to which the cell is carried.", *STATION_NAMES),
    vessel=device("In which it is carried.", "transfer_vessel"),
    task=mapping("The cell: place, cell, protocol, measurements, initial_soc."),
    transfer=mapping("Limits of the transfer, and the measurements at the other instrument."),
    on_abort=loss("What becomes of the cell when this plan aborts while it is cycled."),
    on_client_lost=loss("What becomes of the cell when this session dies while it is cycled."),
    take_up=TAKE_UP,
    md=FURTHER_METADATA,
)
def ex_situ(
    cyclers: Sequence[CyclesCells],
    stations: Sequence[MeasuresCells],
    vessel: CarriesCells,
    task: dict[str, Any],
    transfer: dict[str, Any],
    *,
    on_abort: str,
    on_client_lost: str,
    take_up: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Cycle a cell, carry it to another instrument in an airtight vessel, and measure it there.

    Two runs of one experiment: the first is the cell's cycling, with measurements beside it where `task`
    has some; the second `follows` it, with the stages of the way in its stream `transfer` and the frames of
    the other instrument. A cell is carried only when its program is complete, no current flows, its voltage
    is one that `transfer` allows, and the glovebox is clean. Where air may have got in on the way, the second
    run says `contaminated` in that stream and in its stop document. To a vacuum chamber it is carried taken
    apart (`opened`), rinsed and dry, and never comes back to its channel.

    Parameters
    ----------
    cyclers, stations
        As of `operando_cells`; the instrument to which the cell is carried is one of the stations.
    vessel
        In which it is carried; empty, open and in the glovebox at the start.
    task
        The cell: `cell`, `protocol`, `place`, and what is measured beside its cycling; see `CellTask`.
    transfer
        See `TransferTask`.
    on_abort, on_client_lost
        `continue` or `rest`: what becomes of the cell when the plan aborts, or the session dies, while it is
        cycled. Afterwards it is at open circuit, whatever happens.
    take_up
        Go on with a program that a session which is gone has left running.
    md
        Added to the start documents of both runs.

    Returns
    -------
    list of str
        Unique ids of both runs.

    Raises
    ------
    TransferTaskError, TasksError, ProtocolError, CellError, ValueError
        Before anything moves, if something asked for cannot be.
    TransferError
        Before anything moves, if the vessel is not ready; after cycling, if the cell cannot be carried, does
        not arrive, or gives no frame.
    """
    require_role(vessel, CarriesCells, "vessel")
    for station in stations:
        require_role(station, MeasuresCells, "stations")
    for cycler in cyclers:
        require_role(cycler, CyclesCells, "cyclers")
    (cell_task,), wanted = CellTask.all_of([task]), TransferTask.of(transfer)
    by_name = {station.name: station for station in stations}
    for name in {wanted.to, *(one.instrument for one in wanted.measurements.values())}:
        if name not in by_name:
            raise ValueError(f"the cell is to go to {name!r}; pass that station, there are {list(by_name)}")
    abort, lost = as_loss(on_abort, "on_abort"), as_loss(on_client_lost, "on_client_lost")
    shared = {"experiment_uid": uuid.uuid4().hex, **(md or {})}
    experiment = Experimenting(
        "ex_situ", "ex_situ", cyclers, stations, abort, lost, taken_up=take_up, md=shared
    )
    channel = experiment.cycler_of(cell_task)
    here = [station for station in stations if is_wired(station, channel)]
    transferring = Transferring(
        wanted,
        cell_task.checked_cell(),
        cell_task.place or here[0].changer.find(channel=channel.channel),
        channel,
        here,
        by_name,
        vessel,
    )
    yield from transferring.check_vessel()
    yield from experiment.add(cell_task, transfer=wanted.given())
    (cycled,) = yield from experiment.run()
    program_id = (yield from in_thread(channel.program_info))["program_id"]
    carried = yield from transferring.run(cycled, program_id, shared)
    return [cycled, carried]


@for_queue(
    "Bring a transfer vessel back to the glovebox and put the cell in it back on the sample changer.",
    vessel=device("Which one.", "transfer_vessel"),
    stations=devices("Instruments, also the one from which it comes.", *STATION_NAMES),
    max_minutes=number("Within which it must arrive, min.", 0.1, 100_000),
)
def bring_back(
    vessel: CarriesCells, stations: Sequence[MeasuresCells], max_minutes: float = 120.0
) -> MsgGenerator[None]:
    """Bring a transfer vessel back to the glovebox and put the cell in it back on the sample changer.

    A cell that was taken apart stays in the glovebox.

    Parameters
    ----------
    vessel
        Which one.
    stations
        Instruments, whose dose accounts are told where the cell is.
    max_minutes
        Within which it must arrive.

    Raises
    ------
    TimeoutError
        If it does not arrive, or is not opened or unloaded.
    """
    require_role(vessel, CarriesCells, "vessel")
    for station in stations:
        require_role(station, MeasuresCells, "stations")
    place = str((yield from in_thread(lambda: vessel.holder.get(use_monitor=False))))
    apart = str((yield from in_thread(lambda: vessel.opened.get(use_monitor=False))))
    for ask in (
        # A chamber has taken the cell out of the open vessel.
        lambda: vessel.close(str(VesselSeal.SEALED)),
        lambda: vessel.carry(str(VesselLocation.GLOVEBOX), 60 * max_minutes),
        lambda: vessel.close(str(VesselSeal.OPEN)),
        lambda: vessel.load(""),
    ):
        status = yield from in_thread(ask)
        yield from wait_until_done(status)
    if place:
        yield from in_thread(lambda: put_back(stations, place, is_whole=apart == Opened.WHOLE))

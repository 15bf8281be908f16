"""A whole program runs; frames are taken beside it, and the cell never waits for them."""

from typing import Any

from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.contract import CYCLER_NAMES
from intercalate.devices.roles import CyclesCells, MeasuresCells
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
    texts,
)
from intercalate.orchestration.assembling import Experimenting
from intercalate.orchestration.checking import (
    as_loss,
    check_exposure,
    require_role,
    require_station,
)
from intercalate.orchestration.tasks import CellTask, MeasurementTask
from intercalate.protocol import Protocol


@for_queue(
    "Run a protocol on one cell and take frames or spectra beside it.",
    cycler=device("Channel the cell is on.", *CYCLER_NAMES),
    station=device("Takes the frames.", "xrd", "raman", "optical", "xps", "sem", "eds", "ebsd"),
    cell=mapping("The cell."),
    protocol=mapping("What to do to it."),
    when=mapping("When a frame is due: every, at, on, any, all."),
    exposure_s=EXPOSURE,
    on_abort=loss("What becomes of the cell when this plan aborts."),
    on_client_lost=loss("What becomes of the cell when this session dies."),
    initial_soc=number("State of charge at the start, 0 to 1.", 0, 1, optional=True),
    budget_MGy=number("Most that the spot may get of X-rays in its life, MGy.", 0, 1e6, optional=True),
    budget_J_cm2=number("Most that the spot may get of a laser in its life, J/cm2.", 0, 1e15, optional=True),
    budget_e_A2=number("Most electrons that the spot may get in its life, 1/A2.", 0, 1e15, optional=True),
    regions=texts("Regions of an analyser, by name.", optional=True),
    take_up=TAKE_UP,
    md=FURTHER_METADATA,
)
def operando(
    cycler: CyclesCells,
    station: MeasuresCells,
    cell: Cell | dict[str, Any],
    protocol: Protocol | dict[str, Any],
    when: When | dict[str, Any],
    exposure_s: float = 60.0,
    *,
    on_abort: str,
    on_client_lost: str,
    initial_soc: float | None = None,
    budget_MGy: float | None = None,
    budget_J_cm2: float | None = None,
    budget_e_A2: float | None = None,
    regions: list[str] | None = None,
    take_up: bool = False,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Run a protocol on one cell and take frames or spectra beside it.

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
    budget_MGy, budget_J_cm2, budget_e_A2
        Most that the spot may get in the life of the cell, of X-rays, of a laser or of electrons; without it,
        there is no end.
    regions
        Of an analyser, by name, taken one after the other whenever a frame is due.
    take_up
        Go on with the program that a session which is gone has left running; the run has all records from
        the first, and frames from now.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run: records in the stream `cycling`, frames in that of the technique, `xrd` or
        `raman`.

    Raises
    ------
    ProtocolError, CellError, WhenError
        Before anything moves, if something asked for cannot be.
    """
    require_role(cycler, CyclesCells, "cycler")
    require_station(station)
    check_exposure(exposure_s)
    abort, lost = as_loss(on_abort, "on_abort"), as_loss(on_client_lost, "on_client_lost")
    given = {"budget_MGy": budget_MGy, "budget_J_cm2": budget_J_cm2, "budget_e_A2": budget_e_A2}
    budgets = {key: value for key, value in given.items() if value is not None}
    asked = {
        "name": station.technique,
        "instrument": station.name,
        "when": When.of(when),
        "exposure_s": exposure_s,
        "regions": tuple(regions or ()),
        **(budgets or {station.dose.scale.budget: "unlimited"}),
    }
    measurement = MeasurementTask.model_validate(asked)
    experiment = Experimenting(
        "operando", "operando", [cycler], [station], abort, lost, taken_up=take_up, md=md
    )
    yield from experiment.add(CellTask.of(cell, protocol, measurement, initial_soc=initial_soc))
    (uid,) = yield from experiment.run()
    return uid

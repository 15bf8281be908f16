"""`operando`, with frames of a standard before and after: whether the instrument has moved meanwhile."""

import bluesky.plan_stubs as bps

from intercalate.contract import CYCLER_NAMES
from intercalate.orchestration.annotations import COUNT, EXPOSURE, device, for_queue, loss, mapping, place
from intercalate_plans import count_frames, operando


@for_queue(
    "Run a protocol with frames beside it, and take frames of a standard before and after.",
    cycler=device("Channel the cell is on.", *CYCLER_NAMES),
    station=device("Takes the frames.", "xrd"),
    cell=mapping("The cell."),
    protocol=mapping("What to do to it."),
    when=mapping("When a frame is due."),
    exposure_s=EXPOSURE,
    standard=place(),
    standard_frames=COUNT,
    on_abort=loss("What becomes of the cell when this plan aborts."),
    on_client_lost=loss("What becomes of the cell when this session dies."),
)
def operando_with_standard(
    cycler,
    station,
    cell,
    protocol,
    when,
    exposure_s=60.0,
    standard="LaB6",
    standard_frames=2,
    *,
    on_abort,
    on_client_lost,
):
    """Run a protocol with frames beside it, and take frames of a standard before and after.

    Parameters
    ----------
    cycler, station, cell, protocol, when, exposure_s, on_abort, on_client_lost
        As of `operando`.
    standard
        Place on the sample changer.
    standard_frames
        How many before, and how many after.
    """
    # A wrong name is found out here, before anything moves.
    station.changer.position_mm(standard)
    home = station.changer.find(channel=cycler.channel)

    def look_at_standard():
        yield from bps.mv(station.changer, standard)
        yield from count_frames(station.detector, standard_frames, exposure_s, md={"sample": standard})
        yield from bps.mv(station.changer, home)

    yield from look_at_standard()
    uid = yield from operando(
        cycler, station, cell, protocol, when, exposure_s, on_abort=on_abort, on_client_lost=on_client_lost
    )
    yield from look_at_standard()
    return uid

"""Entries in the shift log, out of a plan or the queue."""

from bluesky.utils import MsgGenerator

from intercalate import streams
from intercalate.devices.roles import KeepsLog
from intercalate.orchestration.annotations import device, for_queue
from intercalate.orchestration.events import whole_event
from intercalate.orchestration.waiting import in_thread


@for_queue(
    "Write an entry into the shift log.",
    logbook=device("The shift log.", "logbook"),
    comment={"description": "What is to be remembered.", "annotation": "str"},
    who={"description": "Who says so.", "annotation": "str"},
)
def note(logbook: KeepsLog, comment: str, who: str) -> MsgGenerator[None]:
    """Write an entry into the shift log.

    Parameters
    ----------
    logbook
        The shift log.
    comment
        What is to be remembered, at most 2000 characters.
    who
        Who says so.

    Raises
    ------
    ShiftLogError
        If there is no comment or name, or it is too long.
    """
    yield from in_thread(lambda: logbook.add(comment, who, source="plan"))


def note_in_run(logbook: KeepsLog, comment: str, who: str) -> MsgGenerator[None]:
    """The same within an open run, which gets an event of it too; a stub for plans of your own."""
    yield from note(logbook, comment, who)
    yield from whole_event(streams.SHIFT_LOG, [logbook])

"""Ending a status from callbacks that may come twice."""

from ophyd.status import StatusBase
from ophyd.utils.errors import InvalidState


def end(status: StatusBase, error: Exception | None = None) -> None:
    """Finish or fail `status`; one that has ended stays as it is."""
    try:
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)
    except InvalidState:
        # Two callbacks saw the same end, from two threads.
        return

"""Runs whose session died before it closed them: told from runs under way, and closed honestly."""

import fcntl
import os
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.catalog.journal import JournalError, encode, journals, read_documents, run_uid

LOST_REASON = "the session ended without closing the run"


def is_being_written(path: str | Path) -> bool:
    """Whether a living process on this machine holds the journal open for writing."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def close_lost_run(path: str | Path) -> dict[str, Any] | None:
    """Append an honest stop document to the journal of a run whose session is gone.

    Parameters
    ----------
    path
        Journal of one run.

    Returns
    -------
    dict or None
        The stop document; None where the run has one already.

    Raises
    ------
    JournalError
        If a living process still writes the run, or the journal has no start document.
    """
    path = Path(path)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(f"{path} belongs to a session that is alive; end the run there") from None
        start_uid, counted, names, end = "", {}, {}, 0
        for name, doc, offset in read_documents(path):
            end = offset
            if name == "start":
                start_uid = doc["uid"]
            elif name == "descriptor":
                names[doc["uid"]] = doc["name"]
                counted.setdefault(doc["name"], 0)
            elif name in ("event", "event_page"):
                numbers = np.atleast_1d(doc["seq_num"])
                stream = names[doc["descriptor"]]
                counted[stream] = max(counted[stream], int(numbers.max(initial=0)))
            elif name == "stop":
                return None
        if not start_uid:
            raise JournalError(f"{path} has no start document; nothing was recorded, the file may be deleted")
        stop = {
            "uid": str(uuid.uuid4()),
            "time": time.time(),
            "run_start": start_uid,
            "exit_status": "abort",
            "reason": LOST_REASON,
            "num_events": counted,
        }
        os.ftruncate(descriptor, end)
        os.write(descriptor, encode("stop", stop))
        os.fsync(descriptor)
        return stop
    finally:
        os.close(descriptor)


def close_lost_runs(folder: str | Path) -> list[str]:
    """Close every run of a folder whose session is gone; returns their uids."""
    closed: list[str] = []
    for path in journals(folder):
        if not is_being_written(path) and _has_start(path) and close_lost_run(path) is not None:
            closed.append(run_uid(path))
    return closed


def _has_start(path: Path) -> bool:
    return next(read_documents(path), None) is not None

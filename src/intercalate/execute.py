"""Runs an experiment file in this process, showing progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bluesky.utils import FailedStatus
from rich.console import Console

from intercalate.config import Config
from intercalate.devices.cycler import CyclerError
from intercalate.experiment import Experiment
from intercalate.protocol import bind
from intercalate.session import Session, SessionError, open_session
from intercalate.views.progress import RunProgress, bar, expected_duration_s, task

WHAT_NEXT = (
    "What was measured is kept. `intercalate doctor` says what answers; when the cause is found, "
    "`intercalate acknowledge` lets the cycler take the next program."
)


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes
    ----------
    uid
        Of the run; empty if it never opened.
    documents
        Number of documents by name; rows of event pages count as events.
    program
        The cycler's own account of the program: status, records, charge.
    records_lost
        Records that the server no longer had when they were asked for.
    """

    uid: str
    documents: dict[str, int]
    program: dict[str, Any]
    records_lost: int


Preparation = tuple[str, Callable[[Session], Any]]
"""What it is called, and what makes its plan."""


def execute(
    config: Config, experiment: Experiment, console: Console, before: Sequence[Preparation] = ()
) -> Outcome:
    """Run an experiment; an error leaves the cell as the experiment's `on_abort` says, and is raised.

    Parameters
    ----------
    before
        Plans that are run first, in runs of their own.

    Raises
    ------
    SessionError
        If a device does not answer, or the experiment ends before its program.
    """
    program = bind(experiment.protocol, experiment.cell, config.site, initial_soc=experiment.initial_soc)
    counts: dict[str, int] = {}
    uids: list[str] = []

    def count(name: str, doc: Any) -> None:
        if name == "start":
            uids.append(doc["uid"])
        rows = len(doc["seq_num"]) if name == "event_page" else 1
        name = "event" if name == "event_page" else name
        counts[name] = counts.get(name, 0) + rows

    with bar(console) as progress:
        with task(progress, "connecting", 1.0):
            session = open_session(config)
        for what, plan in before:
            with task(progress, what, 1.0):
                session.RE(plan(session))
        with task(progress, experiment.plan, expected_duration_s(program)) as update:
            session.RE.subscribe(count)
            session.RE.subscribe(RunProgress(update))
            try:
                session.RE(session.plan(experiment))
            except (FailedStatus, CyclerError) as error:
                why = error.__cause__ if isinstance(error, FailedStatus) else error
                raise SessionError(f"the experiment ended early: {why}\n{WHAT_NEXT}") from error
            finally:
                session.close()
    cycler = session.cycler
    return Outcome(uids[0] if uids else "", counts, cycler.program_info(), cycler.records_lost)

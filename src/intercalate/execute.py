"""Runs an experiment file in this process, showing progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bluesky.utils import FailedStatus
from rich.console import Console

from intercalate.config import Config
from intercalate.devices.cycler import CyclerError
from intercalate.experiment import Experiment
from intercalate.orchestration.cells import CellsFailedError
from intercalate.session import Session, SessionError, open_session
from intercalate.views.progress import RunProgress, bar, expected_duration_s, task

WHAT_NEXT = (
    "What was measured is kept. `intercalate doctor` says what answers; when the cause is found, "
    "`intercalate acknowledge` lets the cycler take the next program."
)


@dataclass(frozen=True)
class Outcome:
    """What an experiment left behind.

    Attributes
    ----------
    uids
        Of the runs, one for each cell; empty if they never opened.
    documents
        Number of documents by name; rows of event pages count as events.
    programs
        The cycler's own account of each cell's program: status, records, charge.
    records_lost
        Records that the server no longer had when they were asked for.
    """

    uids: tuple[str, ...]
    documents: dict[str, int]
    programs: tuple[dict[str, Any], ...]
    records_lost: int


Preparation = tuple[str, Callable[[Session], Any]]
"""What it is called, and what makes its plan."""


def execute(
    config: Config,
    experiment: Experiment,
    console: Console,
    before: Sequence[Preparation] = (),
    overrides: dict[str, str] | None = None,
) -> Outcome:
    """Run an experiment; an error leaves the cells as the experiment's `on_abort` says, and is raised.

    Parameters
    ----------
    before
        Plans that are run first, in runs of their own.
    overrides
        Reasons for which red items of the preflight are accepted.

    Raises
    ------
    SessionError
        If a device does not answer, or the experiment ends before its programs.
    PreflightError
        If the preflight finds something red that is not overridden.
    """
    duration_s = max(expected_duration_s(one.bound(config.site)) for one in experiment.cells)
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
        try:
            for what, plan in before:
                with task(progress, what, 1.0):
                    session.RE(plan(session))
            if experiment.preflight:
                with task(progress, "preflight", 1.0):
                    for plan in session.preflights(experiment, overrides):
                        session.RE(plan)
            with task(progress, experiment.plan, duration_s) as update:
                session.RE.subscribe(count)
                session.RE.subscribe(RunProgress(update))
                session.RE(session.plan(experiment))
        except (FailedStatus, CyclerError, CellsFailedError) as error:
            why = error.__cause__ if isinstance(error, FailedStatus) else error
            raise SessionError(f"the experiment ended early: {why}\n{WHAT_NEXT}") from error
        finally:
            session.close()
    channels = session.channels(experiment)
    return Outcome(
        tuple(uids),
        counts,
        tuple(one.program_info() for one in channels),
        sum(one.records_lost for one in channels),
    )

"""Runs that go on with the program of a run whose session is gone, and experiments that are continued."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import bluesky.preprocessors as bpp
from bluesky.utils import Msg, MsgGenerator

from intercalate.contract import OnLoss
from intercalate.devices.roles import KnowsRuns
from intercalate.orchestration.tasks import CellTask

StartOf = Callable[[str], Mapping[str, Any] | None]
"""Start document of the latest run that executed a program, by the program's id; None where there is none."""


class ContinueError(RuntimeError):
    """There is nothing that could be continued."""


@dataclass(frozen=True)
class Continued:
    """What is left of an experiment.

    Attributes
    ----------
    tasks
        Cells whose programs are to be taken up.
    finished
        Labels of cells with which nothing is left to be done.
    """

    plan_name: str
    mode: str
    experiment_uid: str
    on_abort: OnLoss
    on_client_lost: OnLoss
    tasks: tuple[CellTask, ...]
    finished: tuple[str, ...]


def what_is_left(archive: KnowsRuns, uid: str | None = None) -> Continued:
    """What is left of an experiment, by its runs.

    Parameters
    ----------
    uid
        Beginning of the unique id of the experiment or of one of its runs; None for the latest.

    Raises
    ------
    ContinueError
        If nobody here knows the experiment, or nothing of it is left.
    """
    runs = archive.latest_runs(uid)
    if not runs:
        which = "no experiment" if uid is None else f"no experiment whose id, or a run's, begins with {uid!r}"
        raise ContinueError(
            f"{archive.name} knows {which}; `intercalate runs` lists the runs of this beamline, those of "
            "another one are continued there"
        )
    first = runs[0].start
    left = [one.start for one in runs if not one.is_finished]
    finished = tuple(_label(one.start) for one in runs if one.is_finished)
    if not left:
        raise ContinueError(
            f"experiment {first['experiment_uid']} is finished ({', '.join(finished)}): nothing is left of it"
        )
    return Continued(
        plan_name=first["plan_name"],
        mode=first["mode"],
        experiment_uid=first["experiment_uid"],
        on_abort=OnLoss(first["on_abort"]),
        on_client_lost=OnLoss(first["on_client_lost"]),
        tasks=tuple(_task(start) for start in left),
        finished=finished,
    )


def _label(start: Mapping[str, Any]) -> str:
    return str(start.get("place") or start["sample"])


def _task(start: Mapping[str, Any]) -> CellTask:
    """A cell as its run says it; the holds are in the protocol already."""
    fields = ("place", "cell", "protocol", "measurements", "initial_soc", "begin")
    return CellTask.all_of([{name: start[name] for name in fields if start.get(name) is not None}])[0]


def linked_to_what_they_continue(start_of: StartOf) -> Callable[[MsgGenerator[Any]], MsgGenerator[Any]]:
    """Preprocessor that makes a run which takes up a program, or what is left of one, part of its experiment.

    Such a run has the `experiment_uid` of the run before, which it names in `continues`. One that `follows`
    the run of a program, by `follows_program_id`, has the `experiment_uid` too.
    """

    def link(msg: Msg) -> Msg:
        if msg.command != "open_run":
            return msg
        if (followed := msg.kwargs.get("follows_program_id")) is not None:
            before = start_of(followed)
            own = {} if before is None else {"experiment_uid": before["experiment_uid"]}
            return msg._replace(kwargs={**msg.kwargs, **own})
        begin = msg.kwargs.get("begin")
        if msg.kwargs.get("taken_up"):
            before = start_of(msg.kwargs["program_id"])
        elif begin is not None:
            before = start_of(begin["program_id"])
        else:
            return msg
        if before is None:
            return msg
        linked = {"experiment_uid": before["experiment_uid"], "continues": before["uid"]}
        if before.get("hold") is not None:
            linked["hold"] = before["hold"]
        return msg._replace(kwargs={**msg.kwargs, **linked})

    return lambda plan: bpp.msg_mutator(plan, link)

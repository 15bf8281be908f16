"""Runs that go on with the program of a run whose session is gone."""

from collections.abc import Callable, Mapping
from typing import Any

import bluesky.preprocessors as bpp
from bluesky.utils import Msg, MsgGenerator

StartOf = Callable[[str], Mapping[str, Any] | None]
"""Start document of the latest run that executed a program, by the program's id; None where there is none."""


def linked_to_what_they_continue(start_of: StartOf) -> Callable[[MsgGenerator[Any]], MsgGenerator[Any]]:
    """Preprocessor that makes a run which takes up a program part of its experiment.

    Such a run has the `experiment_uid` of the run before, which it names in `continues`. So has one that
    `follows` the run of a program, by `follows_program_id`.
    """

    def link(msg: Msg) -> Msg:
        if msg.command != "open_run":
            return msg
        if (followed := msg.kwargs.get("follows_program_id")) is not None:
            before = start_of(followed)
            own = {} if before is None else {"experiment_uid": before["experiment_uid"]}
            return msg._replace(kwargs={**msg.kwargs, **own})
        if not msg.kwargs.get("taken_up"):
            return msg
        before = start_of(msg.kwargs["program_id"])
        if before is None:
            return msg
        linked = {"experiment_uid": before["experiment_uid"], "continues": before["uid"]}
        return msg._replace(kwargs={**msg.kwargs, **linked})

    return lambda plan: bpp.msg_mutator(plan, link)

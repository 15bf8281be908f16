"""Which runs are said to go on with which."""

from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import Msg

from intercalate.orchestration.continuing import linked_to_what_they_continue

BEFORE = {"uid": "run-1", "experiment_uid": "experiment-1", "program_id": "program-1"}


def opened(**metadata: Any) -> dict[str, Any]:
    """What a run is opened with, after the preprocessor has seen it."""
    link = linked_to_what_they_continue(lambda one: BEFORE if one == "program-1" else None)
    (message,) = link(bps.open_run(metadata))
    assert isinstance(message, Msg)
    return message.kwargs


def test_a_run_that_takes_up_a_program_names_the_one_before() -> None:
    found = opened(program_id="program-1", taken_up=True, experiment_uid="made anew", sample="A")
    assert (found["continues"], found["experiment_uid"], found["sample"]) == ("run-1", "experiment-1", "A")


@pytest.mark.parametrize(
    "metadata",
    [
        {"program_id": "program-1", "taken_up": False, "experiment_uid": "new"},
        {"program_id": "program-2", "taken_up": True, "experiment_uid": "new"},
        {"sample": "A"},
    ],
)
def test_other_runs_stay_as_they_are(metadata: dict[str, Any]) -> None:
    assert opened(**metadata) == metadata

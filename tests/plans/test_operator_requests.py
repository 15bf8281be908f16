"""What people ask of a running experiment, from another process: real plan, real files between them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from beamline import Beamline
from intercalate.cell import Cell
from intercalate.operator_requests import RequestDesk, parse_request
from intercalate.session import Session
from intercalate_plans import operando_cells
from polling import wait_for

from .conftest import Documents, assert_frames_are_their_own, occasions

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

SPOTS_MM = [[0.0, 0.0], [0.6, 0.0]]


def experiment(session: Session, cell: Cell) -> Any:
    """An hour with a frame every 200 s, at the first of two spots until its budget is spent."""
    measured = {
        "when": {"every": {"time_s": 200.0}},
        "exposure_s": 10.0,
        "budget_MGy": 1000.0,
        "at_budget": "next_spot",
        "spots_mm": SPOTS_MM,
    }
    task = {
        "place": "H1",
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 10.0},
            "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
            "method": [{"step": "open_circuit_voltage", "until_time_s": 3600.0}],
        },
        "measurements": [measured],
    }
    losses = {"on_abort": "rest", "on_client_lost": "rest"}
    return operando_cells(list(session.cyclers.values()), list(session.stations.values()), [task], **losses)


def said(beamline: Beamline, *words: str) -> Any:
    """What the command answers."""
    command = [sys.executable, "-m", "intercalate.cli", "-c", str(beamline.config_file), "ask", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def asked(beamline: Beamline, documents: Documents) -> Iterator[dict[str, str]]:
    """What was asked while the experiment ran, with the answers: in turn, each after a further frame."""
    desk, answers = RequestDesk.of(beamline.config), {}
    last = (
        "move to fresh spot H1",
        "move to fresh spot",
        "move H1 to 0.2 0.1",
        "move H1 to -0.7 0",
        "skip cell H7",
    )

    def frames() -> int:
        return len(documents.events("xrd"))

    def ask(words: str) -> None:
        answers[words] = desk.wait_for_answer(desk.ask(parse_request(words, "ada")))

    def ask_in_turn() -> None:
        wait_for(lambda: frames() >= 1, 60.0, "the first frame")
        for words in ("repeat frame", "skip cell H1", *last):
            before = frames()
            ask(words)
            wait_for(lambda before=before: frames() > before, 60.0, "the next frame")

    asking = threading.Thread(target=ask_in_turn)
    asking.start()
    yield answers
    asking.join(60.0)


def test_requests_are_done_at_the_next_safe_moment_and_stand_in_the_run(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents, asked: dict[str, str]
) -> None:
    session.RE(experiment(session, cell))
    assert asked == {
        "repeat frame": "H1: xrd is taken once more",
        "skip cell H1": "H1: the next visit is skipped (xrd)",
        "move to fresh spot H1": "H1: xrd goes on at 0.6, 0 mm",
        "move to fresh spot": "not done: H1: no other spot of xrd (`spots_mm`) is fresh; say where to go, in "
        "mm from the centre of the window",
        "move H1 to 0.2 0.1": "not done: 0.2, 0.1 mm is not fresh: this beam was there",
        "move H1 to -0.7 0": "H1: xrd goes on at -0.7, 0 mm",
        "skip cell H7": "not done: no cell runs at 'H7'; use one of H1",
    }
    noted = [one["data"] for one in documents.events("requests")]
    assert [one["request_answer"] for one in noted] == list(asked.values())[:-1]
    assert {one["request_who"] for one in noted} == {"ada"}
    missed = [one["data"]["missed_reason"] for one in documents.events("missed")]
    assert missed.count("skipped by ada") == 1
    visits = [one["data"] for one in documents.events("visits")]
    spots = [(one["visit_spot_x_mm"], one["visit_spot_y_mm"]) for one in visits]
    assert list(dict.fromkeys(spots)) == [(0.0, 0.0), (0.6, 0.0), (-0.7, 0.0)]
    # Every 200 s of an hour, and one that was asked for.
    assert occasions(documents, "xrd") in (18 + 1, 19 + 1)
    assert documents.of("stop")[0]["exit_status"] == "success"
    assert_frames_are_their_own(documents, beamline, "xrd")


def test_without_an_experiment_nobody_hears(beamline: Beamline) -> None:
    answer = said(beamline, "skip", "cell")
    assert answer.returncode == 1
    assert "no experiment that measures is running here" in answer.stderr


def test_the_answer_is_printed(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    found: list[Any] = []

    def ask() -> None:
        wait_for(lambda: len(documents.events("xrd")) >= 1, 60.0, "the first frame")
        found.append(said(beamline, "move", "H1", "to", "0", "-0.7"))

    asking = threading.Thread(target=ask)
    asking.start()
    session.RE(experiment(session, cell))
    asking.join(60.0)
    assert found[0].stdout == "H1: xrd goes on at 0, -0.7 mm\n", found[0].stderr
    assert documents.events("visits")[-1]["data"]["visit_spot_y_mm"] == -0.7

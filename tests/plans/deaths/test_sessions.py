"""Sessions killed, and plans that fail: nothing that existed is lost, and the cell is where it was to be.

A plan that is killed runs as a user runs it, `intercalate run`, in a process of its own.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from beamline import Beamline
from intercalate.cell import Cell
from intercalate.contract import CyclerState
from intercalate.devices.cycler import CyclerError
from intercalate.session import Session
from intercalate_plans import operando
from polling import wait_for

from ..conftest import Documents, assert_frames_are_their_own, missed_reasons
from ..experiment_process import CHARGE_S, EVERY_S, Runs, protocol
from .evidence_of_death import (
    LEASE_S,
    SEQ,
    TIME,
    assert_at_open_circuit,
    assert_journal_is_whole,
    assert_says,
    frames_on_disk,
    program_records,
)

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(120)]
MARGIN_S = 3.0
"""Wall seconds beyond the lease, of a busy machine."""


@pytest.mark.parametrize("on_client_lost", ["rest", "continue"])
def test_a_killed_plan_leaves_the_cell_as_its_experiment_says(
    beamline: Beamline, session: Session, runs: Runs, on_client_lost: str
) -> None:
    run = runs.start(on_client_lost=on_client_lost)
    run.wait_for_frames(5)
    announced = int(session.cycler.record_seq.get(use_monitor=False))
    wait_for(lambda: run.documents().records()[-1, SEQ] >= announced - 1, 30, "records are collected")
    run.kill()
    killed = time.monotonic()

    if on_client_lost == "rest":
        state = session.cycler.state
        wait_for(
            lambda: state.get(use_monitor=False) == CyclerState.INTERRUPTED, LEASE_S + MARGIN_S, "INTERRUPTED"
        )
        assert time.monotonic() - killed > LEASE_S / 2, "before the lease could have run out"
        assert_at_open_circuit(session)
        info = session.cycler.program_info()
        assert "client was lost" in info["why"]
        refused, words = runs.start(on_client_lost="rest").end()
        assert refused != 0
        assert_says(words, "the experiment ended early", "acknowledge that id", "intercalate acknowledge")
    else:
        wait_for(lambda: not session.cycler.is_busy, 40, "the program ends by itself")
        info = session.cycler.program_info()
        assert info["status"] == "complete"
    own = program_records(beamline, info)
    assert (own[-1, TIME] == pytest.approx(CHARGE_S + 300.0, abs=4.0)) == (on_client_lost == "continue")

    assert_journal_is_whole(run)
    documents = run.documents()
    assert not documents.of("stop")
    collected = documents.records()
    assert collected[-1, SEQ] >= announced - 1
    assert np.array_equal(collected, own[: len(collected)], equal_nan=True)
    assert_frames_are_their_own(documents, beamline, "xrd")
    assert 0 <= frames_on_disk(documents) - len(documents.events("xrd")) <= 1


@pytest.mark.timeout(240)
def test_what_a_killed_plan_left_running_is_taken_up(
    beamline: Beamline, session: Session, runs: Runs
) -> None:
    """The second run has every record since the start, and goes on measuring; nothing is charged twice."""
    # Time for the second to start on a machine that is several times slower than it should be.
    died = runs.start(on_client_lost="continue", charge_s=1000.0, rest_s=60_000.0)
    died.wait_for_frames(3)
    died.kill()
    program_id = session.cycler.program_info()["program_id"]

    (before,) = died.documents().of("start")
    run = runs.resume(before["uid"][:8])
    code, words = run.end(100)
    assert code == 0, words
    info = session.cycler.program_info()
    assert (info["program_id"], info["status"]) == (program_id, "complete")
    documents = run.documents()
    assert np.array_equal(documents.records(), program_records(beamline, info), equal_nan=True)
    (start,) = documents.of("start")
    assert start["experiment_uid"] == before["experiment_uid"]
    assert start["continues"] == before["uid"]
    assert "continues" not in before
    assert start["program_id"] == before["program_id"] == program_id
    assert (before["taken_up"], start["taken_up"]) == (False, True)
    last_s = died.documents().events("xrd")[-1]["data"]["cycler_test_time_s"]
    times_s = [event["data"]["cycler_test_time_s"] for event in documents.events("xrd")]
    assert len(times_s) >= 3
    assert times_s[0] > last_s
    assert_frames_are_their_own(documents, beamline, "xrd")
    # Occasions of the time in between are not counted as missed by a run that did not exist.
    assert not missed_reasons(documents)
    assert len(documents.events("missed")) < 20

    refused, words = runs.resume().end()
    assert refused != 0
    assert_says(words, f"experiment {start['experiment_uid']} is finished", "nothing is left of it")
    assert session.cycler.program_info() == info


def test_an_experiment_that_is_not_there_is_not_taken_up(beamline: Beamline, runs: Runs) -> None:
    refused, words = runs.resume("0123456789").end()
    assert refused != 0
    assert_says(words, "no experiment whose id, or a run's, begins with '0123456789'")


def test_the_lease_of_a_dead_session_is_waited_for_and_that_of_a_living_one_is_not_taken(
    beamline: Beamline, session: Session, runs: Runs, cell: Cell, documents: Documents
) -> None:
    # The cell rests: the tests that follow need room to charge.
    times = {"charge_s": 10.0, "rest_s": 20_000.0}
    other = runs.start(on_client_lost="continue", **times)
    other.wait_for_frames(2)
    with pytest.raises(CyclerError, match="the channel is leased to"):
        session.RE(an_operando(session, cell, protocol(**times), take_up=True))
    assert not documents.all
    assert other.process.poll() is None
    other.kill()
    assert session.cycler.lease_owner.get(use_monitor=False)
    session.RE(an_operando(session, cell, protocol(**times), take_up=True))
    session.cycler.drop_lease()
    info = session.cycler.program_info()
    assert info["status"] == "complete"
    assert documents.of("start")[0]["program_id"] == info["program_id"]


def test_a_program_that_was_cut_off_is_not_taken_up(beamline: Beamline, session: Session, runs: Runs) -> None:
    died = runs.start(on_client_lost="rest")
    died.wait_for_frames(2)
    died.kill()
    state = session.cycler.state
    wait_for(
        lambda: state.get(use_monitor=False) == CyclerState.INTERRUPTED, LEASE_S + MARGIN_S, "INTERRUPTED"
    )
    refused, words = runs.resume().end()
    assert refused != 0
    assert_says(words, "interrupted (its client was lost)", "is not repeated", "intercalate acknowledge")
    assert_at_open_circuit(session)


def failing(plan: Any, hits: Callable[[Any], bool], error: Exception) -> Any:
    """`plan`, in which the first message that `hits` fails."""
    answer, failed = None, False
    while True:
        try:
            message = plan.send(answer)
            if not failed and hits(message):
                failed = True
                message = plan.throw(error)
        except StopIteration:
            return
        try:
            answer = yield message
        except Exception as thrown:
            raise AssertionError(f"{message} failed") from thrown


def an_operando(session: Session, cell: Cell, steps: dict[str, Any], **options: Any) -> Any:
    return operando(
        session.cycler,
        session.xrd,
        cell,
        steps,
        {"every": {"time_s": EVERY_S}},
        50.0,
        on_abort="rest",
        on_client_lost="continue",
        **options,
    )


def test_a_plan_that_fails_rests_the_cell(
    beamline: Beamline, session: Session, cell: Cell, documents: Documents, runs: Runs
) -> None:
    def is_third_frame(message: Any) -> bool:
        return message.command == "save" and len(documents.events("xrd")) == 2

    with pytest.raises(KeyError, match="a mistake in the plan"):
        session.RE(
            failing(an_operando(session, cell, protocol()), is_third_frame, KeyError("a mistake in the plan"))
        )
    assert "a mistake in the plan" in documents.of("stop")[0]["reason"]
    assert session.cycler.state.get(use_monitor=False) == CyclerState.INTERRUPTED
    assert_at_open_circuit(session)
    info = session.cycler.program_info()
    assert "the plan was aborted" in info["why"]
    assert np.array_equal(documents.records(), program_records(beamline, info), equal_nan=True)
    assert session.xrd.shutter.state.get(use_monitor=False) == "closed"
    session.cycler.drop_lease()


def test_a_plan_that_fails_before_the_program_says_why(
    session: Session, cell: Cell, documents: Documents, runs: Runs
) -> None:
    def is_staging(message: Any) -> bool:
        return message.command == "stage"

    with pytest.raises(OSError, match="no such folder"):
        session.RE(failing(an_operando(session, cell, protocol()), is_staging, OSError("no such folder")))
    assert "no such folder" in documents.of("stop")[0]["reason"]
    assert not documents.events("xrd")


def test_a_reading_that_fails_costs_its_occasion_alone(
    beamline: Beamline, session: Session, cell: Cell, documents: Documents, runs: Runs
) -> None:
    def is_reading(message: Any) -> bool:
        at_cycler = message.command == "read" and message.obj is session.cycler
        return at_cycler and len(documents.events("xrd")) == 2

    plan = an_operando(session, cell, protocol(4000.0))
    session.RE(failing(plan, is_reading, TimeoutError("no answer to a reading")))
    assert documents.of("stop")[0]["exit_status"] == "success"
    (reason,) = missed_reasons(documents)
    assert "no answer to a reading" in reason
    assert len(documents.events("xrd")) >= 5
    assert_frames_are_their_own(documents, beamline, "xrd")
    session.cycler.drop_lease()

"""Servers killed alone and in mid-run: nothing that existed is lost, and the cell is where it was to be."""

import numpy as np
import pytest

from beamline import Beamline
from benchmarks.faults.evidence import cell_charge_ah
from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS, ControlMode, CyclerState, Fault, StepType, code_of
from intercalate.session import Session
from intercalate_plans import count_frames
from intercalate_sims.cell import restore_cell
from polling import wait_for

from ..conftest import Documents, assert_frames_are_their_own, missed_reasons
from ..experiment_process import Runs
from .conftest import RATE
from .evidence_of_death import (
    TIME,
    assert_journal_is_whole,
    assert_says,
    file_records,
    ledger_charge_ah,
    one_step_ah,
    program_records,
    world_state,
)

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(120)]


def test_a_killed_instrument_costs_occasions_and_nothing_else(
    beamline: Beamline, session: Session, runs: Runs
) -> None:
    run = runs.start(on_client_lost="rest", charge_s=25000.0)
    run.wait_for_frames(3)
    wait_for(lambda: session.xrd.detector.cam.detector_state.get() == 1, 30, "an exposure", every_s=0.002)
    beamline.kill("diffractometer")
    killed_at_s = float(session.cycler.test_time_s.get(use_monitor=False))
    wait_for(lambda: len(run.documents().events("missed")) >= 2, 40, "occasions are missed")
    frames_before = len(run.documents().events("xrd"))
    beamline.restart("diffractometer")
    run.wait_for_frames(frames_before + 3)
    code, words = run.end()
    assert code == 0, words

    assert_journal_is_whole(run)
    documents = run.documents()
    reasons = missed_reasons(documents)
    prefix = beamline.config.diffractometer.prefix
    named = (prefix, "diffractometer")
    assert [reason for reason in reasons if not any(name in reason for name in named)] == []
    assert any("does not answer" in reason for reason in reasons), reasons
    files = [doc["uid"] for doc in documents.of("resource")]
    assert len(files) == 2, "frames go on in a new file"
    assert_frames_are_their_own(documents, beamline, "xrd")
    late = [e for e in documents.events("xrd") if e["data"]["cycler_test_time_s"] > killed_at_s]
    assert len(late) >= 3
    info = session.cycler.program_info()
    assert info["status"] == "complete"
    own = program_records(beamline, info)
    assert np.array_equal(documents.records(), own, equal_nan=True)
    step = np.diff(own[own[:, RECORD_COLUMNS.index("step_type")] == code_of(StepType.CONSTANT_CURRENT), TIME])
    assert step.max() <= 12.0, "the cell waited for no instrument"


def test_without_the_beams_server_nothing_is_exposed_and_the_cell_goes_on(
    beamline: Beamline, session: Session, runs: Runs
) -> None:
    run = runs.start(on_client_lost="rest", charge_s=60000.0)
    run.wait_for_frames(2)
    beamline.kill("beam")
    wait_for(lambda: len(missed_reasons(run.documents())) >= 2, 40, "occasions are missed")
    exposed = len(beamline.truth())
    wait_for(lambda: len(missed_reasons(run.documents())) >= 4, 40, "more occasions are missed")
    assert len(beamline.truth()) == exposed
    frames_before = len(run.documents().events("xrd"))
    beamline.restart("beam")
    run.wait_for_frames(frames_before + 2)
    reasons = missed_reasons(run.documents())
    assert all("the dose cannot be reckoned" in reason for reason in reasons), reasons
    assert session.cycler.state.get(use_monitor=False) == CyclerState.RUNNING


def test_a_session_takes_frames_again_after_its_instrument_was_killed(
    beamline: Beamline, session: Session, documents: Documents
) -> None:
    session.RE(count_frames(session.xrd.detector, 2, 20.0))
    beamline.kill("diffractometer")
    wait_for(lambda: not session.xrd.detector.cam.acquire.connected, 30, "the loss is noticed")
    beamline.restart("diffractometer")
    wait_for(lambda: not session.xrd.detector.unavailable(), 90, "the instrument is back")
    # Each channel is searched for by itself.
    for part in session.xrd.devices:
        part.wait_for_connection(timeout=30.0)
    documents.all.clear()
    session.RE(count_frames(session.xrd.detector, 2, 20.0))
    assert_frames_are_their_own(documents, beamline, "primary")


def test_a_killed_cycler_server_leaves_the_cell_at_open_circuit(
    beamline: Beamline, session: Session, runs: Runs, cell: Cell
) -> None:
    run = runs.start(on_client_lost="continue")
    run.wait_for_frames(3)
    beamline.kill("cycler")
    before = file_records(beamline)
    first = world_state(beamline)
    wait_for(lambda: world_state(beamline)["steps"] > first["steps"] + 500, 20, "cell time goes on")
    resting = world_state(beamline)
    assert cell_charge_ah(resting) - cell_charge_ah(first) <= one_step_ah(cell) * 1.01
    wait_for(lambda: world_state(beamline)["steps"] > resting["steps"] + 100, 20, "cell time goes on")
    assert cell_charge_ah(world_state(beamline)) == cell_charge_ah(resting)

    beamline.restart("cycler")
    code, words = run.end()
    assert code != 0
    # By whether the kill hit a wait, which outlasts the restart, or a question.
    assert "cycler server ended" in words or "does not answer" in words, words
    prefix = beamline.config.cycler.channel_prefix("CH1")
    assert_says(words, "the experiment ended early", prefix, "intercalate acknowledge")
    wait_for(lambda: session.cycler.connected, 90, "the server is back")
    assert session.cycler.state.get(use_monitor=False) == CyclerState.INTERRUPTED
    info = session.cycler.program_info()
    after = file_records(beamline)
    assert np.array_equal(after[: len(before)], before, equal_nan=True)
    assert_journal_is_whole(run)
    collected = run.documents().records()
    own = after[info["first_record"] :]
    assert np.array_equal(collected, own[: len(collected)], equal_nan=True)
    assert_frames_are_their_own(run.documents(), beamline, "xrd")
    assert run.documents().of("stop")[0]["exit_status"] == "fail"
    wait_for(
        lambda: abs(ledger_charge_ah(beamline) - cell_charge_ah(world_state(beamline))) < one_step_ah(cell),
        10,
        "the ledger's charge is that of the cell",
    )


def test_what_a_killed_cycler_server_left_undone_is_done_when_it_is_asked_for(
    beamline: Beamline, session: Session, runs: Runs, cell: Cell
) -> None:
    """The parts together charge what the whole should have, and no part of it twice."""
    died = runs.start(on_client_lost="continue", charge_s=4000.0)
    before_ah = cell_charge_ah(world_state(beamline))
    died.wait_for_frames(3)
    beamline.kill("cycler")
    beamline.restart("cycler")
    code, words = died.end()
    assert code != 0, words
    wait_for(lambda: session.cycler.connected, 90, "the server is back")
    old = session.cycler.program_info()
    refused, words = runs.resume().end()
    assert refused != 0
    assert_says(words, "interrupted (the cycler server ended)", "not repeated", "intercalate resume --go-on")
    assert session.cycler.state.get(use_monitor=False) == CyclerState.INTERRUPTED

    run = runs.resume("--go-on")
    code, words = run.end(90)
    assert code == 0, words
    info = session.cycler.program_info()
    assert info["status"] == "complete"
    assert info["program_id"] != old["program_id"]
    (first,), (start,) = died.documents().of("start"), run.documents().of("start")
    assert (start["continues"], start["experiment_uid"]) == (first["uid"], first["experiment_uid"])
    assert start["begin"]["program_id"] == old["program_id"] == first["program_id"]
    records = run.documents().records()
    assert np.array_equal(records, program_records(beamline, info), equal_nan=True)
    net_ah = records[:, RECORD_COLUMNS.index("net_capacity_ah")]
    # Two readings more or less where it was cut.
    assert net_ah[-1] == pytest.approx(one_step_ah(cell) * 4000.0 / 2.0, abs=2 * one_step_ah(cell))
    assert records[0, TIME] > died.documents().records()[-1, TIME]
    assert cell_charge_ah(world_state(beamline)) - before_ah == pytest.approx(net_ah[-1], abs=1e-12)
    frames = run.documents().events("xrd")
    assert len(frames) >= 3
    assert (
        frames[0]["data"]["cycler_test_time_s"]
        > died.documents().events("xrd")[-1]["data"]["cycler_test_time_s"]
    )
    refused, words = runs.resume("--go-on").end()
    assert refused != 0
    assert_says(words, "is finished", "nothing is left of it")


def test_a_killed_world_is_a_lost_channel(
    beamline: Beamline, session: Session, runs: Runs, cell: Cell
) -> None:
    run = runs.start(on_client_lost="continue")
    run.wait_for_frames(3)
    beamline.kill("world")
    gone = world_state(beamline)
    code, words = run.end()
    assert code != 0
    prefix = beamline.config.cycler.channel_prefix("CH1")
    assert_says(words, "the experiment ended early", prefix, "intercalate acknowledge")
    assert_says(words, Fault.CHANNEL_LOST, "world is gone")
    assert session.cycler.state.get(use_monitor=False) == CyclerState.FAULT
    assert session.cycler.fault.get(use_monitor=False) == Fault.CHANNEL_LOST
    info = session.cycler.program_info()
    assert_journal_is_whole(run)
    documents = run.documents()
    assert np.array_equal(documents.records(), program_records(beamline, info), equal_nan=True)
    assert_frames_are_their_own(documents, beamline, "xrd")
    assert documents.of("stop")[0]["exit_status"] == "fail"

    beamline.restart("world")
    wait_for(lambda: world_state(beamline)["steps"] > gone["steps"] + 500, 30, "the world goes on")
    back = world_state(beamline)
    assert cell_charge_ah(back) == cell_charge_ah(gone)
    passed_s = (back["steps"] - gone["steps"]) * back["dt_s"]
    by_wall_s = (back["wall_s"] - gone["wall_s"]) * RATE
    assert 0.5 * by_wall_s <= passed_s <= by_wall_s + 2 * back["dt_s"]
    assert abs(ledger_charge_ah(beamline) - cell_charge_ah(back)) < one_step_ah(cell)
    resting = restore_cell(back["cells"]["A1"]).advance(ControlMode.REST, 0.0)
    assert resting.current_a == 0.0

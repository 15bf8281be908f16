"""Each process killed alone and in mid-run: nothing that existed is lost, and the cell is where it was to be.

The plan runs as a user runs it, `intercalate run`, in a process of its own.
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from beamline import Beamline, start_beamline
from benchmarks.faults import evidence
from benchmarks.faults.evidence import cell_charge_ah, ledger, server_records
from intercalate.cell import Cell
from intercalate.cli import main
from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS, ControlMode, CyclerState, Fault, StepType, Verb, code_of
from intercalate.devices.cycler import CyclerError
from intercalate.session import Session
from intercalate_plans import count_frames, operando
from intercalate_sims.cell import restore_cell
from polling import wait_for

from .conftest import Documents, assert_frames_are_their_own, missed_reasons
from .experiment_process import CHARGE_S, EVERY_S, RATE_C, Run, Runs, protocol

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

SEQ, TIME, CURRENT = (RECORD_COLUMNS.index(c) for c in ("record_seq", "test_time_second", "current_ampere"))
RATE = 1000.0
LEASE_S = 2.0
MARGIN_S = 3.0
"""Wall seconds beyond the lease, of a busy machine."""


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """With a short lease."""
    running = start_beamline(tmp_path_factory.mktemp("deaths"), rate=RATE)
    text = running.config_file.read_text()
    short = re.sub(r"^lease_s = .*$", f"lease_s = {LEASE_S}", text, flags=re.MULTILINE)
    running.config_file.write_text(short)
    yield Beamline(running.folder, Config.from_file(running.config_file))
    running.services.stop()


@pytest.fixture
def runs(beamline: Beamline, session: Session, tmp_path: Path) -> Iterator[Runs]:
    """Ends what a test left, and makes the cycler ready for the next."""
    started = Runs(beamline, tmp_path)
    yield started
    for run in started.started:
        if run.process.poll() is None:
            run.kill()
    make_ready(beamline, session)


def make_ready(beamline: Beamline, session: Session) -> None:
    """Let the cycler take the next program, as a person does it."""
    cycler = session.cycler
    wait_for(lambda: cycler.connected, 30, "the cycler server answers")
    wait_for(lambda: not cycler.lease_owner.get(use_monitor=False), 10, "the lease of the dead plan ends")
    if cycler.is_busy:
        cycler.take_lease()
        cycler.send(Verb.STOP, why="a test is over")
        cycler.drop_lease()

    def acknowledged() -> bool:
        answer = CliRunner().invoke(main, ["-c", str(beamline.config_file), "acknowledge"])
        assert answer.exit_code == 0 or "does not answer" in answer.output, answer.output
        return answer.exit_code == 0

    wait_for(acknowledged, 10, "the cycler takes programs")
    assert cycler.state.get(use_monitor=False) in (CyclerState.IDLE, CyclerState.COMPLETE)


def assert_says(words: str, *wanted: str) -> None:
    missing = [one for one in wanted if one not in words]
    assert not missing, f"not said: {missing}; but: {words}"


def assert_at_open_circuit(session: Session) -> None:
    """By the measured current, which follows a command with the next reading."""
    current_a = session.cycler.current_a
    wait_for(lambda: abs(float(current_a.get(use_monitor=False))) < 1e-9, 1.0, "no current flows")


def file_records(beamline: Beamline) -> np.ndarray:
    """Everything in the server's own file, read without the server."""
    return server_records(beamline.config)


def program_records(beamline: Beamline, info: dict[str, Any]) -> np.ndarray:
    """Records of one program in the server's file, after a look at whether the file is whole."""
    rows = file_records(beamline)
    assert np.array_equal(rows[:, SEQ], np.arange(len(rows)))
    own = rows[info["first_record"] : info["end_record"]]
    assert len(own) == info["end_record"] - info["first_record"] > 0
    assert (np.diff(own[:, TIME]) >= 0).all()
    return own


def world_state(beamline: Beamline) -> dict[str, Any]:
    """What the world has kept of itself."""
    return evidence.world_state(beamline.config)


def ledger_charge_ah(beamline: Beamline) -> float:
    """Sum over all programs, by the last line of each in the server's ledger."""
    return sum(entry["charge_ah"] for entry in ledger(beamline.config).values())


def one_step_ah(cell: Cell) -> float:
    """Charge of one 2 s step of the world at the program's current."""
    assert cell.one_c_current_mA is not None
    return RATE_C * cell.one_c_current_mA * 1e-3 * 2.0 / 3600.0


def frames_on_disk(documents: Documents) -> int:
    paths = [Path("/") / doc["resource_path"] for doc in documents.of("resource")]
    total = 0
    for path in paths:
        with h5py.File(path, "r", swmr=True, locking=False) as file:
            data = file["entry/data/data"]
            assert isinstance(data, h5py.Dataset)
            total += len(data)
    return total


def assert_journal_is_whole(run: Run) -> None:
    """Every line is a document, and no event of any stream is missing between two others."""
    path = run.journal
    assert path is not None
    text = path.read_bytes()
    documents = run.documents()
    assert len(documents.all) == text.count(b"\n")
    assert text.endswith(b"\n")
    assert not documents.missing()


@pytest.mark.parametrize("on_client_lost", ["rest", "continue"])
def test_a_killed_plan_leaves_the_cell_as_its_experiment_says(
    beamline: Beamline, session: Session, runs: Runs, on_client_lost: str
) -> None:
    run = runs.start(on_client_lost=on_client_lost)
    run.wait_for_frames(5)
    announced = int(session.cycler.record_seq.get(use_monitor=False))
    wait_for(lambda: run.documents().records()[-1, SEQ] >= announced - 1, 10, "records are collected")
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


def test_what_a_killed_plan_left_running_is_taken_up(
    beamline: Beamline, session: Session, runs: Runs
) -> None:
    """The second run has every record since the start, and goes on measuring; nothing is charged twice."""
    died = runs.start(on_client_lost="continue", charge_s=1000.0, rest_s=39_000.0)
    died.wait_for_frames(3)
    died.kill()
    program_id = session.cycler.program_info()["program_id"]

    refused, words = runs.resume("0123456789").end()
    assert refused != 0
    assert_says(words, "no experiment whose id, or a run's, begins with '0123456789'")
    assert session.cycler.is_busy

    (before,) = died.documents().of("start")
    run = runs.resume(before["uid"][:8])
    code, words = run.end(90)
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


def test_a_killed_instrument_costs_occasions_and_nothing_else(
    beamline: Beamline, session: Session, runs: Runs
) -> None:
    run = runs.start(on_client_lost="rest", charge_s=25000.0)
    run.wait_for_frames(3)
    wait_for(lambda: session.xrd.detector.cam.detector_state.get() == 1, 10, "an exposure", every_s=0.002)
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
    wait_for(lambda: not session.xrd.detector.unavailable(), 30, "the instrument is back")
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
    wait_for(lambda: session.cycler.connected, 30, "the server is back")
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
    wait_for(lambda: session.cycler.connected, 30, "the server is back")
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

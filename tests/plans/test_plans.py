"""Plans on the simulated beamline: Channel Access, RunEngine and processes are real."""

import threading
import time
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
import pytest
from bluesky.utils import RunEngineInterrupted

from beamline import Beamline
from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS, CyclerState
from intercalate.devices.frame_detector import ExposureError
from intercalate.orchestration import charge, take_frames
from intercalate.protocol import ProtocolError
from intercalate.session import Session
from intercalate_plans import charge_discharge, charge_scan_discharge, count_frames, operando
from polling import wait_for

from .conftest import OVERTAKEN, Documents, assert_frames_are_their_own, missed_reasons, occasions

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(120)]

SEQ, TIME, CURRENT = (RECORD_COLUMNS.index(c) for c in ("record_seq", "test_time_second", "current_ampere"))


def short_protocol(hours: float = 1.0) -> dict[str, Any]:
    return {
        "record": {"time_s": 10.0},
        "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
        "method": [
            {
                "step": "constant_current",
                "rate_C": 0.2,
                "until_time_s": 1800.0 * hours,
                "until_voltage_V": 4.2,
            },
            {"step": "open_circuit_voltage", "until_time_s": 300.0},
            {
                "step": "constant_current",
                "rate_C": -0.2,
                "until_time_s": 1800.0 * hours,
                "until_voltage_V": 2.5,
            },
        ],
    }


def an_operando(session: Session, cell: Cell, hours: float = 1.0, **changes: Any) -> Any:
    options = {"on_abort": "rest", "on_client_lost": "rest", "exposure_s": 20.0, **changes}
    return operando(
        session.cycler,
        session.xrd,
        cell,
        short_protocol(hours),
        {"every": {"time_s": 120.0}},
        **options,
    )


def recover(session: Session) -> None:
    """Acknowledge what a test interrupted."""
    info = session.cycler.program_info()
    if info.get("status") == "interrupted":
        session.cycler.take_lease()
        session.cycler.send("acknowledge", program_id=info["program_id"])


def pause_when(session: Session, condition: Any) -> threading.Thread:
    """Ask for an immediate pause as soon as `condition` holds."""

    def watch() -> None:
        tick = threading.Event()
        deadline = time.monotonic() + 30
        while not condition() and time.monotonic() < deadline:
            tick.wait(0.005)
        session.RE.request_pause(defer=False)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def goes_on(session: Session, records_then: int) -> bool:
    return int(session.cycler.record_seq.get()) > records_then


def exposing(session: Session) -> bool:
    return session.xrd.detector.cam.detector_state.get() == 1


def test_operando_collects_every_record_and_frame(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    session.RE(an_operando(session, cell))
    records = documents.records()
    info = session.cycler.program_info()
    assert info["status"] == "complete"
    assert list(records[:, SEQ]) == list(range(info["first_record"], info["end_record"]))
    # The discharge ends early: a part of the first charge went into the SEI.
    assert 2100 < records[-1, TIME] <= 2 * 1800 + 306
    events = documents.events("xrd")
    assert 5 <= len(events) <= 40
    assert not missed_reasons(documents)
    assert_frames_are_their_own(documents, beamline, "xrd")
    start, stop = documents.of("start")[0], documents.of("stop")[0]
    assert start["simulated"] is True
    assert start["simulation"]["seed"] == 1
    assert stop["exit_status"] == "success"
    assert session.cycler.state.get(use_monitor=False) == CyclerState.COMPLETE


def test_a_pause_in_mid_exposure_stops_measuring_and_not_the_cell(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    for _ in range(2):
        pause_when(session, lambda: exposing(session) and len(documents.events("xrd")) > 3)
        with pytest.raises(RunEngineInterrupted):
            session.RE(an_operando(session, cell))
        assert session.cycler.is_busy
        records_then = int(session.cycler.record_seq.get())
        wait_for(partial(goes_on, session, records_then), 10.0, "the cell does not wait for the plan")
        session.RE.resume()
        info = session.cycler.program_info()
        seqs = documents.records()[:, SEQ]
        assert list(seqs[seqs >= info["first_record"]]) == list(
            range(info["first_record"], info["end_record"])
        )
    assert_frames_are_their_own(documents, beamline, "xrd")


def test_what_waits_when_the_program_ends_is_missed(
    session: Session, cell: Cell, documents: Documents
) -> None:
    """One frame takes longer than the program; of the occasions during it the last still waits at the end."""
    rest = {
        "record": {"time_s": 10.0},
        "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
        "method": [{"step": "open_circuit_voltage", "until_time_s": 1000.0}],
    }
    session.RE(
        operando(
            session.cycler,
            session.xrd,
            cell,
            rest,
            {"every": {"time_s": 300.0}},
            on_abort="rest",
            on_client_lost="rest",
            exposure_s=3500.0,
        )
    )
    assert len(documents.events("xrd")) == 1
    reasons = [one["data"]["missed_reason"] for one in documents.events("missed")]
    assert reasons == [OVERTAKEN[0], OVERTAKEN[0], OVERTAKEN[1]]
    assert occasions(documents, "xrd") == 4


@pytest.mark.parametrize("on_abort", ["rest", "continue"])
def test_an_abort_leaves_the_cell_as_asked_and_keeps_everything(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents, on_abort: str
) -> None:
    pause_when(session, lambda: exposing(session) and len(documents.events("xrd")) > 2)
    with pytest.raises(RunEngineInterrupted):
        session.RE(an_operando(session, cell, 2.0, on_abort=on_abort))
    session.RE.abort()
    assert documents.of("stop")[-1]["exit_status"] == "abort"
    info = session.cycler.program_info()
    if on_abort == "rest":
        assert session.cycler.state.get(use_monitor=False) == CyclerState.INTERRUPTED
        assert abs(session.cycler.current_a.get(use_monitor=False)) < 1e-9
        seqs = documents.records()[:, SEQ]
        assert list(seqs) == list(range(info["first_record"], info["end_record"]))
    else:
        assert info["status"] == "running"
        session.cycler.send("stop")
    assert_frames_are_their_own(documents, beamline, "xrd")
    recover(session)


def test_restaging_in_one_run_keeps_images_with_their_events(
    session: Session, beamline: Beamline, documents: Documents
) -> None:
    detector = session.xrd.detector

    def plan() -> Any:
        yield from bps.open_run()
        for _ in range(3):
            yield from bps.stage(detector, wait=True)
            yield from take_frames(detector, 2, exposure_s=20.0)
            yield from bps.unstage(detector, wait=True)
        yield from bps.close_run()

    session.RE(plan())
    assert len(documents.of("resource")) == 3
    assert_frames_are_their_own(documents, beamline, "xrd")


def test_the_example_composes_steps_and_scans(session: Session, cell: Cell, documents: Documents) -> None:
    session.RE(charge_scan_discharge(session.cycler, session.xrd.detector, session.xrd.changer, cell))
    names = [doc["plan_name"] for doc in documents.of("start")]
    assert names == ["cycling_records", "scan_sample", "count_frames"]
    assert all(doc["exit_status"] == "success" for doc in documents.of("stop"))
    records = documents.records()
    assert len(set(records[:, SEQ])) == len(records)
    assert {1.0, -1.0} <= set(np.sign(np.round(records[:, CURRENT], 6)))


@pytest.mark.parametrize("moment", ["while it starts", "while current flows"])
def test_an_aborted_step_puts_the_cell_to_rest(session: Session, cell: Cell, moment: str) -> None:
    """Whether the abort comes before or after the start: no start that was under way takes effect."""
    cycler = session.cycler

    def plan() -> Any:
        yield from charge(cycler, cell, rate_C=0.2, until_voltage_V=4.1)

    def flows() -> bool:
        return cycler.is_busy and cycler.current_a.get() > 1e-4

    started = threading.Event()
    session.RE.msg_hook = lambda msg: started.set() if msg.command == "trigger" else None
    pause_when(session, started.is_set if moment == "while it starts" else flows)
    with pytest.raises(RunEngineInterrupted):
        session.RE(plan())
    session.RE.abort()
    session.RE.msg_hook = None
    for _ in range(20):
        threading.Event().wait(0.05)
        assert cycler.state.get(use_monitor=False) not in (CyclerState.RUNNING, CyclerState.HOLDING)
    if moment == "while current flows":
        assert cycler.state.get(use_monitor=False) == CyclerState.INTERRUPTED
    recover(session)


def test_charge_discharge_alone_with_a_marker(session: Session, cell: Cell, documents: Documents) -> None:
    protocol = short_protocol(0.5)
    protocol["method"].insert(1, {"step": "marker", "marker": "charged"})
    session.RE(charge_discharge(session.cycler, cell, protocol, on_abort="rest", on_client_lost="rest"))
    assert not documents.events("xrd")
    records = documents.records()
    assert records[-1, RECORD_COLUMNS.index("step_id")] == len(protocol["method"])
    (marker,) = documents.events("markers")
    assert marker["data"]["cycler_marker_name"] == "charged"
    assert marker["data"]["cycler_marker_test_time_s"] == pytest.approx(900.0, abs=2.0)
    last_of_charge = records[records[:, SEQ] == marker["data"]["cycler_marker_record_seq"] - 1]
    assert last_of_charge[0, TIME] == marker["data"]["cycler_marker_test_time_s"]


def test_frames_are_taken_where_the_voltage_passes_a_level_and_where_a_step_begins(
    session: Session, cell: Cell, documents: Documents
) -> None:
    rested_v = round(float(session.cycler.voltage_v.get(use_monitor=False)), 3)
    top_v = rested_v + 0.15
    protocol = {
        "record": {"time_s": 20.0},
        "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
        "method": [
            {"step": "constant_current", "rate_C": 0.2, "until_voltage_V": top_v, "until_time_s": 20000},
            {"step": "open_circuit_voltage", "until_time_s": 1000},
        ],
    }
    levels = [rested_v + 0.05, rested_v + 0.1]
    when = {"any": [{"at": {"voltage_V": levels, "direction": "up"}}, {"at": {"step": [2]}}]}
    session.RE(
        operando(
            session.cycler, session.xrd, cell, protocol, when, 20.0, on_abort="rest", on_client_lost="rest"
        )
    )
    (start,) = documents.of("start")
    assert start["measurements"][0]["when"] == when
    records = documents.records()
    voltage_v, step = (records[:, RECORD_COLUMNS.index(one)] for one in ("voltage_volt", "step_id"))
    passed = [int(np.argmax(voltage_v >= level)) for level in levels] + [int(np.argmax(step == 2))]
    due_s = records[passed, RECORD_COLUMNS.index("unix_time_second")]
    visits = [event["data"] for event in documents.events("visits")]
    assert [one["visit_due_unix_s"] for one in visits] == pytest.approx(due_s)
    assert len(documents.events("xrd")) == 3
    # Each began after its occasion and before the next one. How soon is the matter of a benchmark: this cell
    # runs hundreds of times faster than the clock, and a busy machine would look like a late beamline.
    began_s = np.array([one["visit_began_unix_s"] for one in visits])
    assert np.all(began_s >= due_s)
    assert np.all(began_s[:-1] < due_s[1:])


def test_the_shutter_is_open_during_exposures_and_closed_between_them(
    session: Session, beamline: Beamline
) -> None:
    shutter = session.xrd.shutter.state
    seen = ["closed"]

    def note(value: str, **_: Any) -> None:
        if value != seen[-1]:
            seen.append(value)

    token = shutter.subscribe(note, run=False)
    session.RE(count_frames(session.xrd.detector, 3, 20.0))
    wait_for(lambda: len(seen) == 7, 10, f"the shutter has moved three times: {seen}")
    shutter.unsubscribe(token)
    assert seen[1:] == ["open", "closed"] * 3
    assert {entry["quality"] for entry in beamline.truth()[-3:]} == {"valid"}


def test_a_detector_that_opens_no_file_is_an_error_and_not_a_wait(
    session: Session, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = session.xrd.detector.hdf
    monkeypatch.setitem(writer.stage_sigs, "file_template", "%sno-such-folder/%s_%6.6d.h5")
    with pytest.raises(ExposureError, match=r"no file was opened in .*no-such-folder"):
        session.RE(count_frames(session.xrd.detector, 1, 20.0))
    monkeypatch.undo()
    assert not documents.events("primary")
    session.RE(count_frames(session.xrd.detector, 1, 20.0))
    assert len(documents.events("primary")) == 1


def test_count_frames_keeps_the_cell_alone(
    session: Session, beamline: Beamline, documents: Documents
) -> None:
    before = session.cycler.program_info()

    session.RE(count_frames(session.xrd.detector, 3, 20.0))
    assert session.cycler.program_info() == before
    assert_frames_are_their_own(documents, beamline, "primary")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"on_abort": "stop"}, "on_abort"),
        ({"exposure_s": 0.0}, "exposure_s"),
        ({"exposure_s": float("nan")}, "exposure_s"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_moves(
    session: Session, cell: Cell, documents: Documents, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        session.RE(an_operando(session, cell, **change))
    assert not documents.all


def test_a_protocol_beyond_the_site_is_refused_before_anything_moves(
    session: Session, cell: Cell, documents: Documents
) -> None:
    protocol = short_protocol()
    protocol["method"][0]["rate_C"] = 50.0
    with pytest.raises(ProtocolError, match="rate_C"):
        session.RE(charge_discharge(session.cycler, cell, protocol, on_abort="rest", on_client_lost="rest"))
    assert not documents.all

"""What a preflight finds on a beamline, and what it leaves behind."""

import threading
from collections.abc import Iterator
from typing import Any

import epics
import pytest
from bluesky.utils import RunEngineInterrupted

from beamline import Beamline, start_beamline
from calibrating import calibrate
from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS, CyclerState, Verb
from intercalate.orchestration.preflight import CHECKS, PreflightError, Verdict
from intercalate.session import Session
from intercalate_plans import align_cell, preflight
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

PROTOCOL = {
    "record": {"time_s": 20.0},
    "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
    "method": [{"step": "constant_current", "rate_C": 0.1, "until_time_s": 36000.0}],
}


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("preflight"))
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def calibrated(session: Session) -> Session:
    calibrate(session)
    session.RE(align_cell(session.xrd, "H1"))
    return session


def check(session: Session, cell: Cell, place: str = "H1", **options: Any) -> Any:
    cyclers = list(session.cyclers.values())
    return preflight(cyclers, session.xrd, place, cell, PROTOCOL, 60.0, 300.0, **options)


def verdicts(documents: Documents) -> dict[str, str]:
    events = documents.events("preflight")
    return {one["data"]["preflight_what"]: one["data"]["preflight_verdict"] for one in events}


def test_a_beamline_without_calibrations_is_red_and_says_which_plans_help(
    session: Session, cell: Cell, documents: Documents
) -> None:
    with pytest.raises(PreflightError, match=r"no geometry.*run calibrate_geometry, take_darks"):
        session.RE(check(session, cell))
    assert verdicts(documents)["calibrations"] == "red"
    assert verdicts(documents)["test frame"] == "not checked"
    (stop,) = documents.of("stop")
    assert stop["exit_status"] == "fail"


def test_a_beamline_in_order_is_green_and_the_cell_is_left_at_rest(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    calibrated.RE(check(calibrated, cell))
    found = verdicts(documents)
    assert set(found) == set(CHECKS)
    assert set(found.values()) == {"green"}
    cycler = calibrated.cycler
    assert not cycler.is_busy
    assert cycler.current_a.get(use_monitor=False) == 0
    assert calibrated.xrd.shutter.state.get(use_monitor=False) == "closed"
    (stop,) = documents.of("stop")
    assert stop["exit_status"] == "success"
    assert stop["num_events"]["cycling"] > 5
    assert stop["num_events"]["primary"] == 1
    charge_ah = documents.records()[:, RECORD_COLUMNS.index("net_capacity_ah")]
    # The fresh cell is below its window and only charged, by C/50 for 200 s of cell time.
    assert 0 < charge_ah[-1] - charge_ah[0] < 0.002 * 7.5e-3


def test_a_shutter_that_sticks_is_found(
    calibrated: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    knob = epics.PV(f"{beamline.config.shutter.prefix}Knob:ShutterStuck", auto_monitor=False)
    knob.wait_for_connection(10)
    knob.put(1, wait=True, timeout=5)
    try:
        with pytest.raises(PreflightError, match="shutter: told to open, it shows 'closed'"):
            calibrated.RE(check(calibrated, cell))
    finally:
        knob.put(0, wait=True, timeout=5)
    assert verdicts(documents)["shutter"] == "red"


def test_little_beam_is_red_unless_somebody_says_why_it_may_be(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    attenuator = calibrated.xrd.beam.attenuator
    attenuator.put(0.1)
    reason = "low dose on purpose, agreed with the local contact"
    try:
        with pytest.raises(PreflightError, match=r"I0: .*/s \(limit: 5e\+05/s\)"):
            calibrated.RE(check(calibrated, cell))
        documents.all.clear()
        calibrated.RE(check(calibrated, cell, overrides={"I0": reason}))
    finally:
        attenuator.put(1.0)
    assert verdicts(documents)["I0"] == str(Verdict.OVERRIDDEN)
    remedies = [e["data"]["preflight_remedy"] for e in documents.events("preflight")]
    assert reason in remedies
    assert documents.of("start")[0]["overrides"] == {"I0": reason}


def test_a_cell_without_contact_is_found_and_the_channel_can_be_acknowledged(
    calibrated: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    prefix = beamline.config.cycler.channel_prefix("CH1")
    knob = epics.PV(f"{prefix}Knob:ContactLoss", auto_monitor=False)
    knob.wait_for_connection(10)
    knob.put(1, wait=True, timeout=5)
    try:
        with pytest.raises(PreflightError, match=r"pulse: "):
            calibrated.RE(check(calibrated, cell))
    finally:
        knob.put(0, wait=True, timeout=5)
    cycler = calibrated.cycler
    cycler.take_lease()
    if cycler.state.get(use_monitor=False) == CyclerState.FAULT:
        cycler.send(Verb.CLEAR_FAULT)
    info = cycler.program_info()
    if info.get("status") == "interrupted":
        cycler.send(Verb.ACKNOWLEDGE, program_id=info["program_id"])


def test_a_dump_during_the_check_is_found(
    calibrated: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    dump = epics.PV(f"{beamline.config.beam.prefix}Knob:Dump", auto_monitor=False)
    dump.wait_for_connection(10)
    dump.put(10_000.0, wait=True, timeout=5)
    with pytest.raises(PreflightError, match=r"2 red|3 red"):
        calibrated.RE(check(calibrated, cell))
    red = {what for what, verdict in verdicts(documents).items() if verdict == "red"}
    assert {"shutter", "I0"} <= red
    ring = calibrated.xrd.beam.ring_state
    wait_for(lambda: ring.get(use_monitor=False) != "no beam", 60, "the beam is back")


def test_an_abort_during_the_pulse_leaves_the_cell_at_rest(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    cycler = calibrated.cycler

    def pause() -> None:
        epics.ca.use_initial_context()
        wait_for(lambda: cycler.current_a.get() > 0, 20, "the pulse")
        calibrated.RE.request_pause()

    pauser = threading.Thread(target=pause)
    pauser.start()
    with pytest.raises(RunEngineInterrupted):
        calibrated.RE(check(calibrated, cell))
    pauser.join(20)
    calibrated.RE.abort()
    wait_for(lambda: not cycler.is_busy, 10, "at rest")
    assert cycler.current_a.get(use_monitor=False) == 0
    assert calibrated.xrd.shutter.state.get(use_monitor=False) == "closed"
    cycler.take_lease()
    cycler.send(Verb.ACKNOWLEDGE, program_id=cycler.program_info()["program_id"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"place": "LaB6"}, "is no place for a cell"),
        ({"overrides": {"disc": "x"}}, "no check 'disc' to override"),
        ({"overrides": {"disk": ""}}, "needs a reason"),
    ],
)
def test_nonsense_is_refused_before_anything_moves(
    calibrated: Session, cell: Cell, documents: Documents, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        calibrated.RE(check(calibrated, cell, **options))
    assert not documents.all

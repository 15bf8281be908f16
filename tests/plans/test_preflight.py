"""What a preflight finds on a beamline, and what it leaves behind."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import epics
import pytest
from bluesky.utils import RunEngineInterrupted

from beamline import Beamline, start_beamline
from calibrating import calibrate
from intercalate.calibrations import CalibrationStore
from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS, CyclerState, Verb
from intercalate.orchestration.preflight import CHECKS, VACUUM, PreflightError, Verdict
from intercalate.session import Session
from intercalate_plans import align_cell, charge_discharge, preflight
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

MADE = set(CHECKS) - {VACUUM}

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
    asked = {"protocol": PROTOCOL, "exposure_s": 60.0, "every_s": 300.0, **options}
    asked.setdefault("cyclers", list(session.cyclers.values()))
    return preflight(station=session.xrd, place=place, cell=cell, **asked)


def column(documents: Documents, name: str) -> dict[str, str]:
    events = documents.events("preflight")
    return {one["data"]["preflight_what"]: one["data"][f"preflight_{name}"] for one in events}


def verdicts(documents: Documents) -> dict[str, str]:
    return column(documents, "verdict")


def red(documents: Documents) -> set[str]:
    return {what for what, verdict in verdicts(documents).items() if verdict == "red"}


@contextmanager
def knob(prefix: str, name: str) -> Iterator[None]:
    """A fault, until the end of the block."""
    switch = epics.PV(f"{prefix}Knob:{name}", auto_monitor=False)
    switch.wait_for_connection(10)
    switch.put(1, wait=True, timeout=5)
    try:
        yield
    finally:
        switch.put(0, wait=True, timeout=5)


class Neighbour:
    """A channel of which some things are otherwise."""

    def __init__(self, cycler: Any, **otherwise: Any):
        self._cycler = cycler
        self.__dict__.update(otherwise)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cycler, name)


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
    assert set(found) == MADE
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


def test_a_twin_that_is_never_exposed_does_not_meet_the_beam(
    calibrated: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    shots = len(beamline.truth())
    opened: list[str] = []
    shutter = calibrated.xrd.shutter.state
    token = shutter.subscribe(lambda value, **_: opened.append(value), run=False)
    calibrated.RE(check(calibrated, cell, "H2", exposure_s=None))
    shutter.unsubscribe(token)
    found = verdicts(documents)
    assert {what for what, one in found.items() if one == "not checked"} == {
        "shutter", "I0", "test frame", "disk", "clocks", "calibrations"
    }  # fmt: skip
    assert {found[what] for what in ("open-circuit voltage", "pulse", "resistance", "other channels")} == {
        "green"
    }
    assert "open" not in opened
    assert len(beamline.truth()) == shots
    (stop,) = documents.of("stop")
    assert stop["exit_status"] == "success"


def test_the_shutter_opens_on_the_cell_that_is_checked(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    calibrated.RE(bps.mv(calibrated.xrd.changer, "H2"))
    places: list[str] = []

    def note(value: str, **_: Any) -> None:
        if value == "open":
            places.append(calibrated.xrd.changer.place.get())

    token = calibrated.xrd.shutter.state.subscribe(note, run=False)
    calibrated.RE(check(calibrated, cell, "H1"))
    calibrated.xrd.shutter.state.unsubscribe(token)
    assert places
    assert set(places) == {"H1"}


def test_without_a_background_there_is_a_warning_and_no_red(
    calibrated: Session, cell: Cell, documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrations = calibrated.xrd.calibrations
    without = tmp_path / "calibration"
    shutil.copytree(calibrations.store.folder, without)
    for one in CalibrationStore(without):
        if one.kind == "background":
            shutil.rmtree(one.folder)
    monkeypatch.setattr(calibrations, "store", CalibrationStore(without))
    calibrated.RE(check(calibrated, cell, overrides={"calibrations": "it is not subtracted"}))
    assert verdicts(documents)["calibrations"] == "warning"
    assert "override was ignored: it is not subtracted" in column(documents, "remedy")["calibrations"]
    assert red(documents) == set()


def test_a_pulse_that_shows_on_another_channel_is_found(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    own, other = calibrated.cyclers["CH1"], calibrated.cyclers["CH2"]
    crossed = Neighbour(other, voltage_v=own.voltage_v)
    with pytest.raises(PreflightError, match="the pulse also shows on CH2: cables are exchanged"):
        calibrated.RE(check(calibrated, cell, cyclers=[own, crossed]))
    assert red(documents) == {"other channels"}


def test_a_neighbour_that_cycles_is_not_judged(calibrated: Session, cell: Cell, documents: Documents) -> None:
    own, other = calibrated.cyclers["CH1"], calibrated.cyclers["CH2"]
    busy = Neighbour(other, voltage_v=own.voltage_v, is_busy=True)
    calibrated.RE(check(calibrated, cell, cyclers=[own, busy]))
    assert verdicts(documents)["other channels"] == "not checked"
    assert column(documents, "found")["other channels"] == "CH2 busy, not looked at"


def test_a_detector_that_cannot_write_is_red_and_the_rest_is_checked_nevertheless(
    calibrated: Session, cell: Cell, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrated.xrd.detector.hdf, "write_path_template", "/proc/frames")
    with pytest.raises(PreflightError, match=r"test frame: ExposureError: .*cannot write to /proc/frames"):
        calibrated.RE(check(calibrated, cell))
    found = verdicts(documents)
    assert set(found) == MADE
    assert found["test frame"] == "red"
    assert {found[what] for what in ("pulse", "shutter", "I0", "clocks", "calibrations")} == {"green"}


@pytest.mark.usefixtures("impatient")
def test_a_shutter_that_does_not_open_is_found(
    calibrated: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    with (
        knob(beamline.config.shutter.prefix, "ShutterStuck"),
        pytest.raises(PreflightError, match="shutter: told to be open, it shows 'closed'"),
    ):
        calibrated.RE(check(calibrated, cell))
    assert red(documents) == {"shutter"}
    assert verdicts(documents)["I0"] == verdicts(documents)["test frame"] == "not checked"


@pytest.mark.usefixtures("impatient")
def test_a_shutter_that_does_not_close_is_found(
    calibrated: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    shutter = calibrated.xrd.shutter
    shutter.set("open").wait(10)
    try:
        with (
            knob(beamline.config.shutter.prefix, "ShutterStuck"),
            pytest.raises(PreflightError, match="shutter: told to be closed, it shows 'open'"),
        ):
            calibrated.RE(check(calibrated, cell))
    finally:
        shutter.set("closed").wait(10)
    assert red(documents) == {"shutter"}
    assert not calibrated.cycler.is_busy


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
    with knob(prefix, "ContactLoss"), pytest.raises(PreflightError, match=r"pulse: "):
        calibrated.RE(check(calibrated, cell))
    assert "pulse" in red(documents)
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
    assert {"shutter", "I0"} <= red(documents)
    ring = calibrated.xrd.beam.ring_state
    wait_for(lambda: ring.get(use_monitor=False) != "no beam", 60, "the beam is back")


def abort_when(session: Session, is_time: Callable[[], bool], plan: Any) -> None:
    """Run a plan, pause it at that time and abort it."""

    def pause() -> None:
        epics.ca.use_initial_context()
        wait_for(is_time, 20, "the time to abort")
        session.RE.request_pause()

    pauser = threading.Thread(target=pause)
    pauser.start()
    with pytest.raises(RunEngineInterrupted):
        session.RE(plan)
    pauser.join(20)
    session.RE.abort()


def test_an_abort_during_the_pulse_leaves_the_cell_at_rest(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    cycler = calibrated.cycler
    abort_when(calibrated, lambda: float(cycler.current_a.get()) > 0, check(calibrated, cell))
    wait_for(lambda: not cycler.is_busy, 30, "at rest")
    assert cycler.current_a.get(use_monitor=False) == 0
    assert calibrated.xrd.shutter.state.get(use_monitor=False) == "closed"
    assert set(verdicts(documents)) == MADE
    assert column(documents, "found")["shutter"] == "not reached"
    info = cycler.program_info()
    # On a busy machine the pulse may be over before the abort.
    if info["status"] == "interrupted":
        cycler.take_lease()
        cycler.send(Verb.ACKNOWLEDGE, program_id=info["program_id"])


def test_an_abort_during_the_exposure_closes_the_shutter(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    acquire, shutter = calibrated.xrd.detector.cam.acquire, calibrated.xrd.shutter.state
    was_open: list[bool] = []

    def is_exposing() -> bool:
        if acquire.get(use_monitor=False):
            was_open.append(shutter.get(use_monitor=False) == "open")
        return bool(was_open)

    abort_when(calibrated, is_exposing, check(calibrated, cell, exposure_s=2000.0))
    assert was_open == [True]
    assert shutter.get(use_monitor=False) == "closed"
    assert not calibrated.cycler.is_busy
    assert verdicts(documents)["shutter"] == "green"
    assert column(documents, "found")["test frame"] == "not reached"


def test_in_its_window_the_cell_answers_both_ways_and_keeps_its_charge(
    calibrated: Session, cell: Cell, documents: Documents
) -> None:
    charged = {
        **PROTOCOL,
        "method": [
            {"step": "constant_current", "rate_C": 0.5, "until_time_s": 1500.0},
            {"step": "open_circuit_voltage", "until_time_s": 3000.0},
        ],
    }
    calibrated.RE(charge_discharge(calibrated.cycler, cell, charged, on_abort="rest", on_client_lost="rest"))
    documents.all.clear()
    to_half = {**PROTOCOL, "method": [{"step": "constant_current", "rate_C": 0.1, "until_soc": 0.5}]}
    calibrated.RE(check(calibrated, cell, protocol=to_half, initial_soc=0.2))
    assert set(verdicts(documents).values()) == {"green"}
    found = column(documents, "found")["pulse"]
    assert "mV on charge, -" in found
    assert "mV on discharge" in found
    charge_ah = documents.records()[:, RECORD_COLUMNS.index("net_capacity_ah")]
    passed_ah = charge_ah.max() - charge_ah[0]
    assert 0 < passed_ah < 0.002 * 7.5e-3
    assert abs(charge_ah[-1] - charge_ah[0]) < 0.05 * passed_ah


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"place": "LaB6"}, "is no place for a cell"),
        ({"overrides": {"disc": "x"}}, "no check 'disc' to override"),
        ({"overrides": {"disk": ""}}, "needs a reason"),
        ({"every_s": -5.0}, "every_s is -5.0; it must be above 0"),
        ({"every_s": float("nan")}, "every_s is nan"),
    ],
)
def test_nonsense_is_refused_before_anything_moves(
    calibrated: Session, cell: Cell, documents: Documents, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        calibrated.RE(check(calibrated, cell, **options))
    assert not documents.all

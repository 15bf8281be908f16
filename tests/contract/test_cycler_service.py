"""The cycler server as a process, over Channel Access: faults, clients that compete, processes that die."""

import resource
import signal
import threading
import time
from collections.abc import Iterator

import epics
import numpy as np
import pytest

from beamline import Beamline
from intercalate.contract import RECORD_COLUMNS, CyclerState, Fault, OnLoss, Verb
from intercalate.devices.cycler import Cycler, CyclerError
from polling import wait_for

from .cycling import (
    assert_accounts_agree,
    cell_reading,
    charge,
    ledger,
    make_device,
    make_program,
    records_of,
    recover,
    start,
    state_of,
)

pytestmark = [pytest.mark.service, pytest.mark.timeout(90)]


@pytest.fixture
def cycler(beamline: Beamline) -> Iterator[Cycler]:
    device = make_device(beamline)
    device.take_lease()
    yield device
    if device.is_busy:
        device.send(Verb.STOP, why="the test is over")
    recover(device)
    device.drop_lease()
    device.destroy()


@pytest.mark.parametrize(
    ("knob", "value", "fault"),
    [
        ("ContactLoss", 1, Fault.NO_CONTACT),
        ("StuckReading", 1, Fault.STALE_READING),
        ("SensorNaN", 1, Fault.INVALID_READING),
        ("OverTemperature", 50.0, Fault.OVER_TEMPERATURE),
        ("LostReply", 1, Fault.CHANNEL_LOST),
        ("LateCompletion", 1000.0, Fault.STEP_WATCHDOG),
    ],
)
def test_every_knob_leads_to_its_fault(
    beamline: Beamline, cycler: Cycler, knob: str, value: float, fault: Fault
) -> None:
    pv = epics.PV(f"{beamline.config.cycler.channel_prefix('CH1')}Knob:{knob}", auto_monitor=False)
    assert pv.wait_for_connection(10)
    if fault is Fault.CHANNEL_LOST:
        pv.put(value, wait=True, timeout=5)
    start(cycler, charge(400, 0.1), charge(4000, 0.1))
    if fault is Fault.STALE_READING:
        # A reading that is stuck before the current flows is a missing contact.
        wait_for(lambda: cycler.current_a.get(use_monitor=False) > 0, 30, "the current flows")
    pv.put(value, wait=True, timeout=5)
    try:
        wait_for(lambda: state_of(cycler) is CyclerState.FAULT, 20, f"{fault}")
        assert cycler.fault.get(use_monitor=False) == fault
        assert cycler.fault_message.get()
        wait_for(lambda: cell_reading(beamline).current_a == 0, 30, "no current flows")
        with pytest.raises(CyclerError, match=str(fault)):
            cycler.complete().wait(10)
    finally:
        pv.put(0, wait=True, timeout=5)
        pv.disconnect()


def test_two_clients_drain_at_once_and_each_has_every_record(beamline: Beamline, cycler: Cycler) -> None:
    start(cycler, charge(8000, 0.05), record_s=2.0)
    other = make_device(beamline, "other")
    other._records.cursor = cycler._records.cursor
    found: dict[str, list[np.ndarray]] = {"cycler": [], "other": []}

    def drain(device: Cycler) -> None:
        epics.ca.use_initial_context()
        while device.is_busy or device.pending > 0:
            found[device.name].append(device.read_records())

    threads = [threading.Thread(target=drain, args=(device,)) for device in (cycler, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found["cycler"].append(records_of(cycler))
    found["other"].append(records_of(other))
    info = cycler.program_info()
    assert info["status"] == "complete"
    expected = np.arange(info["first_record"], info["end_record"])
    assert len(expected) > 3000
    for blocks in found.values():
        assert np.array_equal(np.concatenate(blocks)[:, 0], expected)
    assert cycler.records_lost == other.records_lost == 0
    other.destroy()


def test_clients_that_talk_at_once_are_each_answered(beamline: Beamline, cycler: Cycler) -> None:
    """Replies overtake one another: a command sent again is obeyed once."""
    other = make_device(beamline, "other")
    refusals: list[str] = []

    def disturb() -> None:
        epics.ca.use_initial_context()
        while not done.is_set():
            try:
                other.send(Verb.RENEW_LEASE)
            except CyclerError as error:
                refusals.append(str(error))

    done = threading.Event()
    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(5):
            program_id = start(cycler, charge(50, 0.05))
            cycler.complete().wait(15)
            assert ledger(beamline)[program_id]["status"] == "complete"
    finally:
        done.set()
        thread.join(20)
    assert len(refusals) > 5
    assert all("leased to" in text for text in refusals)
    other.destroy()


def test_a_killed_server_latches_and_its_records_go_on(beamline: Beamline, cycler: Cycler) -> None:
    # Heard, not asked for: a question that is under way when the server dies is never answered.
    boot_ids: list[str] = []
    boot = epics.PV(
        beamline.config.cycler.prefix + "BootId",
        auto_monitor=True,
        callback=lambda value, **_: boot_ids.append(value),
    )
    wait_for(lambda: bool(boot_ids), 30, "the boot id")
    before = boot_ids[-1]
    killed_id = start(cycler, charge(40000, 0.05))
    wait_for(lambda: cycler.pending > 30, 15, "some records")
    taken = [cycler.read_records()]
    beamline.kill("cycler")
    beamline.restart("cycler")
    wait_for(lambda: boot_ids[-1] != before, 30, "another boot id")
    wait_for(lambda: cycler.state.connected, 15, "the device is connected again")
    assert state_of(cycler) is CyclerState.INTERRUPTED
    taken.append(records_of(cycler))
    info = cycler.program_info()
    assert info["program_id"] == killed_id
    sequence = np.concatenate(taken)[:, 0]
    assert np.array_equal(sequence, np.arange(info["first_record"], info["end_record"]))
    assert_accounts_agree(beamline)
    with pytest.raises(CyclerError, match="acknowledge that id first"):
        start(cycler, charge(50))
    recover(cycler)
    start(cycler, charge(50, 0.05))
    cycler.complete().wait(15)
    assert cycler.program_info()["first_record"] == info["end_record"]
    boot.disconnect()


def test_a_killed_world_interrupts_and_loses_no_charge(beamline: Beamline, cycler: Cycler) -> None:
    killed_id = start(cycler, charge(40000, 0.05))
    wait_for(lambda: cycler.pending > 10, 15, "some records")
    clock, wall = float(cycler.unix_time_s.get()), time.monotonic()
    beamline.kill("world")
    wait_for(lambda: state_of(cycler) is CyclerState.FAULT, 30, "the loss is noticed")
    assert cycler.fault.get(use_monitor=False) == Fault.CHANNEL_LOST
    beamline.restart("world")
    recover(cycler)
    entry = ledger(beamline)[killed_id]
    assert entry["status"] == "acknowledged"
    assert entry["charge_ah"] > 0
    assert_accounts_agree(beamline)
    rate = float(cycler.rate.get())
    passed_s, expected_s = float(cycler.unix_time_s.get()) - clock, (time.monotonic() - wall) * rate
    assert passed_s == pytest.approx(expected_s, rel=0.2)
    start(cycler, charge(50, 0.05))
    cycler.complete().wait(15)


def test_a_hung_server_is_cut_off_and_finds_the_channel_lost(beamline: Beamline, cycler: Cycler) -> None:
    start(cycler, charge(40000, 0.05))
    wait_for(lambda: cycler.pending > 10, 15, "some records")
    process = beamline.service("cycler").process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        hung = time.monotonic()
        stood = cell_reading(beamline).charge_ah

        wait_for(
            lambda: cell_reading(beamline).current_a == 0, 25, "the world puts the cell to rest", every_s=0.2
        )
        assert time.monotonic() - hung > 5
        assert cell_reading(beamline).charge_ah == pytest.approx(stood, abs=2 * 0.05 * 7e-3 * 2 / 3600)
    finally:
        process.send_signal(signal.SIGCONT)
    wait_for(lambda: state_of(cycler) is CyclerState.FAULT, 15, "the server notices")
    assert cycler.fault.get(use_monitor=False) == Fault.CHANNEL_LOST
    recover(cycler)
    assert_accounts_agree(beamline)


def test_a_full_disk_stops_the_cell_and_says_what_to_do(beamline: Beamline, cycler: Cycler) -> None:
    start(cycler, charge(40000, 0.05))
    wait_for(lambda: cycler.pending > 10, 15, "some records")
    process = beamline.service("cycler").process
    assert process is not None
    path = beamline.config.stored("simulator/cycler/CH1/records.f8")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (path.stat().st_size + 1000, unlimited[1]))
    try:
        wait_for(lambda: state_of(cycler) is CyclerState.FAULT, 15, "the full disk is noticed")
        assert cycler.fault.get(use_monitor=False) == Fault.STORAGE
        assert "free space" in str(cycler.fault_message.get())
        wait_for(lambda: cell_reading(beamline).current_a == 0, 30, "no current flows")
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
    rows = records_of(cycler)
    info = cycler.program_info()
    assert np.array_equal(rows[:, 0], np.arange(info["first_record"], info["first_record"] + len(rows)))
    assert path.stat().st_size == len(RECORD_COLUMNS) * 8 * (info["first_record"] + len(rows))
    recover(cycler)
    assert_accounts_agree(beamline)


@pytest.mark.parametrize("when", ["while it starts", "while current flows"])
def test_a_program_withdrawn_here_has_ended_as_asked(beamline: Beamline, cycler: Cycler, when: str) -> None:
    """A status that failed of it would be thrown into the finalizer that withdrew the program."""
    program_id = f"withdrawn {when}"
    status = cycler.begin(make_program(cycler, charge(40000, 0.1)).to_json(), program_id, OnLoss.REST)
    if when == "while current flows":
        wait_for(lambda: cell_reading(beamline).current_a > 0, 30, "the current flows")
    cycler.verb.set("stop", program_id=program_id, why="the plan was aborted").wait(15)
    status.wait(15)
    assert state_of(cycler) not in (CyclerState.RUNNING, CyclerState.HOLDING)


def test_a_program_stopped_by_another_client_has_failed(beamline: Beamline, cycler: Cycler) -> None:
    status = cycler.begin(make_program(cycler, charge(40000, 0.1)).to_json(), "stopped", OnLoss.REST)
    wait_for(lambda: cell_reading(beamline).current_a > 0, 30, "the current flows")
    epics.caput(f"{beamline.config.cycler.channel_prefix('CH1')}Stop", 1, wait=True, timeout=10)
    with pytest.raises(CyclerError, match="interrupted"):
        status.wait(15)

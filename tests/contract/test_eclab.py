"""The production cycler server on potentiostats as EPICS-ECLab shows them: real processes, simulated cell."""

import json
from collections.abc import Iterator

import epics
import numpy as np
import pytest

from beamline import CYCLER_PORT, LABORATORY_PORT, Beamline, start_beamline
from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS, CyclerState, Fault, Verb
from intercalate.cycler_server.server_environment import server_environment
from intercalate.cycler_service import cycler_services
from intercalate.devices.cycler import Cycler, CyclerError
from intercalate.services import ServiceList, module_command
from intercalate.session import open_session
from intercalate_plans import operando
from polling import wait_for

from .cycling import CELL, cell_reading, charge, make_device, records_of, recover, start, state_of

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]

RATE = 100.0
DRIVERS = ["ECLAB_01:C0:", "ECLAB_01:C1:"]
VOLTAGE, CURRENT, TIME, STEP = (
    RECORD_COLUMNS.index(one) for one in ("voltage_volt", "current_ampere", "test_time_second", "step_id")
)


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """The simulated beamline, whose cycler gives way to potentiostats and the server of a real beamline."""
    folder = tmp_path_factory.mktemp("eclab")
    running = start_beamline(folder, rate=RATE)
    running.kill("cycler")
    text = running.config_file.read_text()
    thermometers = [f"{one}Surface:Temperature" for one in DRIVERS]
    for before, after in (
        ("eclab = []", f"eclab = {json.dumps(DRIVERS)}"),
        ("temperature_pvs = []", f"temperature_pvs = {json.dumps(thermometers)}"),
        ("port = 5064", f"port = {CYCLER_PORT}"),
        ("sampling_s = 1.0", "sampling_s = 5.0"),
    ):
        assert before in text, before
        text = text.replace(before, after)
    running.config_file.write_text(text)
    found = Beamline(folder, Config.from_file(running.config_file))
    drivers = ServiceList(folder / "driver", "driver")
    simulator = str(running.config.stored("simulator"))
    command = module_command("intercalate_sims.run", "eclab", "--folder", simulator)
    drivers.start("eclab", command, server_environment(LABORATORY_PORT))
    start_server(found)
    yield found
    cycler_services(found.config).stop()
    drivers.stop()
    running.services.stop()


def start_server(beamline: Beamline) -> None:
    """As `intercalate cycler up`, but at the speed of the simulated cell."""
    config = beamline.config
    ready = config.stored("cycler") / "serving"
    ready.unlink(missing_ok=True)
    command = module_command("intercalate.cycler_service", str(beamline.config_file), "--rate", str(RATE))
    environment = {**config.channel_access_environment(), **server_environment(CYCLER_PORT)}
    services = cycler_services(config)
    services.start("cycler", command, environment)
    services.wait(lambda: float(ready.exists()), 60.0, "the cycler server")


@pytest.fixture
def cycler(beamline: Beamline) -> Iterator[Cycler]:
    """The channel, free and at rest before and after."""
    device = make_device(beamline)
    wait_for(lambda: np.isfinite(device.voltage_v.get()), 30, "a reading")
    device.take_lease()
    yield device
    if device.is_busy:
        device.send(Verb.STOP)
    recover(device)
    device.drop_lease()


def driver_state() -> str:
    return str(epics.caget("ECLAB_01:C0:STATE", as_string=True, timeout=5))


def answers(device: Cycler) -> CyclerState | None:
    """Its state; None as long as its server is away."""
    try:
        return state_of(device)
    except TimeoutError:
        return None


def test_steps_end_by_voltage_current_and_time(beamline: Beamline, cycler: Cycler) -> None:
    before_ah = cell_reading(beamline).charge_ah
    charged = {"step": "constant_current", "rate_C": 0.5, "until_voltage_V": 2.6, "until_time_s": 1500.0}
    held = {"step": "constant_voltage", "voltage_V": 2.6, "until_current_mA": 2.0, "until_time_s": 600.0}
    program_id = start(cycler, charged, held, {"step": "open_circuit_voltage", "until_time_s": 120.0})
    wait_for(lambda: state_of(cycler) is not CyclerState.RUNNING, 120, "the end of the program")
    info = cycler.program_info()
    assert (info["program_id"], info["status"], info["why"]) == (program_id, "complete", "")
    wait_for(lambda: driver_state() == "Stopped", 30, "the instrument stops")
    records = records_of(cycler)
    by_step = {int(step): records[records[:, STEP] == step] for step in np.unique(records[:, STEP])}
    assert list(by_step) == [1, 2, 3]
    half_c_a = 0.5e-3 * (CELL.capacity_mAh or 0.0)
    np.testing.assert_allclose(by_step[1][2:-1, CURRENT], half_c_a, rtol=1e-3)
    # The instrument ended it at its limit: the last two readings point there, wherever in between they were.
    before, last = by_step[1][-2:, [TIME, VOLTAGE]]
    ended_s = by_step[2][0, TIME]
    slope_v_per_s = (last[1] - before[1]) / (last[0] - before[0])
    assert by_step[1][:, VOLTAGE].max() < 2.61
    assert last[1] + slope_v_per_s * (ended_s - last[0]) > 2.59
    assert by_step[2][-2, VOLTAGE] == pytest.approx(2.6, abs=0.002)
    assert by_step[2][-1, CURRENT] <= 2.05e-3
    assert by_step[3][-1, TIME] - by_step[3][0, TIME] == pytest.approx(120.0, abs=20.0)
    # Charge is a sum over readings: what flows between two of them, where a step begins or ends, may be
    # missed.
    wait_for(lambda: cycler.program_info()["settled"], 20, "the account is closed")
    passed_ah = cell_reading(beamline).charge_ah - before_ah
    between_s = float(np.median(np.diff(by_step[1][:, TIME])))
    missed_ah = 4 * between_s * half_c_a / 3600.0
    assert cycler.program_info()["charge_ah"] == pytest.approx(passed_ah, abs=missed_ah)
    assert missed_ah < 0.3 * passed_ah


def test_what_it_cannot_do_is_refused_before_anything_flows(cycler: Cycler) -> None:
    power = {"step": "constant_power", "power_mW": 5.0, "until_time_s": 60.0}
    with pytest.raises(CyclerError, match="cannot do constant_power"):
        start(cycler, power)
    assert driver_state() == "Stopped"


def test_an_instrument_that_is_away_is_a_fault_and_found_at_open_circuit(cycler: Cycler) -> None:
    start(cycler, charge(3600.0))
    wait_for(lambda: cycler.current_a.get() > 0, 30, "the current flows")
    epics.caput("ECLAB_01:C0:Knob:InstrumentAway", 1, wait=True)
    try:
        wait_for(lambda: state_of(cycler) is CyclerState.FAULT, 30, "the loss is noticed")
        wait_for(lambda: cycler.fault.get(use_monitor=False) == Fault.CHANNEL_LOST, 30, "the fault")
        assert "does not hear the instrument" in cycler.fault_message.get()
    finally:
        epics.caput("ECLAB_01:C0:Knob:InstrumentAway", 0, wait=True)
    wait_for(lambda: driver_state() == "Stopped", 30, "the current is stopped as soon as that is possible")
    wait_for(lambda: np.isfinite(cycler.voltage_v.get()), 30, "a reading")


def test_a_killed_server_leaves_a_step_with_its_own_end_and_finds_it_interrupted(
    beamline: Beamline, cycler: Cycler
) -> None:
    program_id = start(cycler, charge(300.0), charge(300.0))
    wait_for(lambda: cycler.current_a.get() > 0, 30, "the current flows")
    (server,) = cycler_services(beamline.config).running()
    process = server.process
    assert process is not None
    process.kill()
    process.wait(10)
    # Nobody commands it: it ends the step that it has, and begins no other.
    wait_for(lambda: driver_state() == "Stopped", 60, "the instrument ends the step by itself")
    start_server(beamline)
    wait_for(lambda: answers(cycler) is CyclerState.INTERRUPTED, 60, "the interruption is latched")
    info = cycler.program_info()
    assert info["program_id"] == program_id
    assert driver_state() == "Stopped"


def test_an_operando_experiment_runs_on_it(beamline: Beamline) -> None:
    session = open_session(beamline.config)
    wait_for(lambda: np.isfinite(session.cycler.voltage_v.get()), 30, "a reading")
    documents: list[tuple[str, dict]] = []
    session.RE.subscribe(lambda name, doc: documents.append((name, doc)))
    protocol = {"record": {"time_s": 20.0}, "method": [charge(600.0)]}
    losses = {"on_abort": "rest", "on_client_lost": "rest"}
    session.RE(
        operando(session.cycler, session.xrd, CELL, protocol, {"every": {"time_s": 200}}, 10.0, **losses)
    )
    session.close()
    stop = documents[-1][1]
    assert stop["exit_status"] == "success"
    assert stop["num_events"]["xrd"] >= 2
    pages = [doc["data"] for name, doc in documents if name == "event_page"]
    columns = ("current_ampere", "net_capacity_ah", "test_time_second")
    current_a, charge_ah, time_s = (
        np.concatenate([page[f"cycler_{one}"] for page in pages]) for one in columns
    )
    assert np.median(current_a) == pytest.approx(0.2e-3 * (CELL.capacity_mAh or 0.0), rel=1e-3)
    # Records are of readings, in which the charge is added up: nothing is counted between them.
    summed_ah = float(np.trapezoid(current_a, time_s)) / 3600.0
    assert charge_ah[-1] == pytest.approx(summed_ah, rel=0.1)
    assert charge_ah[-1] > 0.5 * np.median(current_a) * 600.0 / 3600.0

"""A cell that is cycled, made safe, carried to the laboratory in an airtight vessel, and measured there."""

from collections.abc import Iterator
from typing import Any

import epics
import numpy as np
import pytest
from bluesky.utils import FailedStatus

from beamline import Beamline, start_beamline
from intercalate.analysis import Exposure, phases_of, reduce_and_fit
from intercalate.calibrations import Kind, exposure_key
from intercalate.cell import Cell
from intercalate.contract import Verb
from intercalate.correction_chain import chain_of, transmitted
from intercalate.devices.station import Station
from intercalate.orchestration import charge
from intercalate.orchestration.tasks import TasksError
from intercalate.orchestration.transfer_task import TransferTaskError
from intercalate.orchestration.transferring import TransferError
from intercalate.reduction import FitOptions, Systematics
from intercalate.reduction.shifts import line_shifts
from intercalate.session import Session
from intercalate_plans import (
    bring_back,
    calibrate_geometry,
    count_frames,
    ex_situ,
    take_background,
    take_darks,
    take_flat,
)
from intercalate_sims.probes.detector import read_stamp
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(180)]

FREE = {"budget_MGy": "unlimited"}
HOME_S, LABORATORY_S, FLAT_S = 60.0, 1800.0, 1800.0


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("carried"), rate=2000.0, ex_situ=True)
    yield running
    running.services.stop()


@pytest.fixture(autouse=True)
def vessel_at_home(session: Session) -> Iterator[None]:
    """After each test the vices are turned back, and the vessel is empty in a clean glovebox."""
    yield
    for name, value in (("Leak", 0.0), ("GloveboxO2", 0.4), ("GloveboxH2O", 0.3), ("NeverArrives", 0)):
        knob(session, name, value)
    if session.transfer_vessel.holder.get(use_monitor=False):
        session.RE(bring_back(session.transfer_vessel, list(session.stations.values())))


def knob(session: Session, name: str, value: float) -> None:
    pv = f"{session.transfer_vessel.prefix}Knob:{name}"
    assert epics.caput(pv, value, wait=True, timeout=10) == 1


def task(cell: Cell, **changes: Any) -> dict[str, Any]:
    return {
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 20.0},
            "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
            "method": [
                {"step": "constant_current", "rate_C": 0.1, "until_time_s": 300.0},
                {"step": "open_circuit_voltage", "until_time_s": 600.0},
            ],
        },
        **changes,
    }


def transfer(**changes: Any) -> dict[str, Any]:
    return {
        "max_o2_ppm": 1.0,
        "max_h2o_ppm": 1.0,
        "max_minutes": 60.0,
        "max_pressure_rise_mbar": 5.0,
        "voltage_V": [0.5, 4.3],
        "measurements": {"relaxed": {"exposure_s": 300.0, "count": 2, **FREE}},
        **changes,
    }


def plan(session: Session, one: dict[str, Any], how: dict[str, Any], **more: Any) -> Any:
    cyclers, stations = list(session.cyclers.values()), list(session.stations.values())
    options = {"on_abort": "rest", "on_client_lost": "rest", **more}
    return ex_situ(cyclers, stations, session.transfer_vessel, one, how, **options)


def stages(documents: Documents) -> dict[str, dict[str, Any]]:
    events = documents.events("transfer")
    return {event["data"]["transfer_stage"]: event["data"] for event in events}


def images(documents: Documents, stream: str) -> list[np.ndarray]:
    return documents.images(stream, "laboratory_diffractometer")


def assert_open_circuit(session: Session) -> None:
    assert abs(session.cycler.current_a.get(use_monitor=False)) < 1e-9
    assert not session.cycler.is_busy


def test_a_cell_is_carried_and_measured_as_one_experiment(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    beside = [{"name": "xrd", "exposure_s": 60.0, "when": {"every": {"time_s": 300.0}}, **FREE}]
    answer = session.RE(plan(session, task(cell, measurements=beside), transfer()))
    cycled, carried = documents.of("start")
    assert answer == (cycled["uid"], carried["uid"])
    assert carried["follows"] == cycled["uid"]
    assert carried["experiment_uid"] == cycled["experiment_uid"]
    for key in ("sample", "cell"):
        assert carried[key] == cycled[key]
    assert (carried["instrument"], carried["place"], carried["mode"]) == ("laboratory_xrd", "H1", "ex_situ")
    assert [doc["exit_status"] for doc in documents.of("stop")] == ["success", "success"]

    by_stage = stages(documents)
    assert list(by_stage) == ["safe", "sealed", "arrived", "measured"]
    safe, arrived = by_stage["safe"], by_stage["arrived"]
    assert safe["transfer_current_a"] == pytest.approx(0.0, abs=5e-6)
    assert 0.5 < safe["transfer_voltage_v"] < 4.3
    assert safe["transfer_vessel_glovebox_o2_ppm"] == 0.4
    assert safe["transfer_vessel_glovebox_dew_point_c"] == pytest.approx(-83.5, abs=0.5)
    # The way takes 20 minutes of cell time; what the client adds is its own delay.
    assert 20.0 <= arrived["transfer_minutes_sealed"] < 60.0
    assert arrived["transfer_vessel_seal"] == "sealed"
    assert {one["transfer_contaminated"] for one in by_stage.values()} == {""}

    truth = {one["counter"]: one for one in beamline.truth("truth_laboratory_xrd")}
    events, frames = documents.events("relaxed"), images(documents, "relaxed")
    assert len(events) == len(frames) == 2
    for event, frame in zip(events, frames, strict=True):
        counter = read_stamp(frame)
        assert counter is not None
        # It is this cell, and its charge is what the cycler has passed.
        assert truth[counter]["content"] == "A1"
        assert truth[counter]["frame_index"] == event["data"]["laboratory_diffractometer_hdf_frame_index"]
        assert event["data"]["laboratory_monitors_quality"] == "valid"
    assert session.laboratory_xrd.shutter.state.get() == "closed"


def test_a_cell_in_the_vessel_has_its_leads_off_and_is_in_no_other_beam(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    session.RE(plan(session, task(cell), transfer()))
    wait_for(lambda: session.cycler.voltage_v.get(use_monitor=False) < 0.01, 30, "the leads are off")
    assert_open_circuit(session)
    # A charge finds no contact.
    with pytest.raises(FailedStatus) as failed:
        session.RE(charge(session.cycler, cell, rate_C=0.1, until_time_s=600.0))
    assert "NO_CONTACT" in str(failed.value.__cause__)
    session.cycler.send(Verb.CLEAR_FAULT)
    session.cycler.send(Verb.ACKNOWLEDGE, program_id=session.cycler.program_info()["program_id"])
    before = len(beamline.truth())
    session.RE(count_frames(session.xrd.detector, 1, exposure_s=20.0))
    assert [one["content"] for one in beamline.truth()[before:]] == [None]
    session.RE(bring_back(session.transfer_vessel, list(session.stations.values())))
    wait_for(lambda: session.cycler.voltage_v.get(use_monitor=False) > 0.5, 30, "the leads are on again")
    session.RE(count_frames(session.xrd.detector, 1, exposure_s=20.0))
    assert beamline.truth()[-1]["content"] == "A1"


def test_doses_of_both_instruments_are_in_one_account(
    session: Session, cell: Cell, documents: Documents
) -> None:
    beside = [{"name": "xrd", "exposure_s": 60.0, "when": {"every": {"time_s": 300.0}}, **FREE}]
    session.RE(plan(session, task(cell, measurements=beside), transfer()))
    home = documents.events("xrd")
    there = documents.events("relaxed")
    assert home
    last_gy = home[-1]["data"]["dose_spot_gy"]
    for event in there:
        own_gy = event["data"]["laboratory_dose_exposure_gy"]
        assert own_gy > 0
        last_gy += own_gy
        assert event["data"]["laboratory_dose_spot_gy"] == pytest.approx(last_gy, rel=1e-4)
    _, carried = documents.of("start")
    assert carried["doses"][0]["most_of_a_spot_gy"] == pytest.approx(home[-1]["data"]["dose_spot_gy"])


@pytest.mark.parametrize(("name", "words"), [("GloveboxO2", "O2"), ("GloveboxH2O", "H2O")])
def test_a_foul_glovebox_refuses_the_transfer(
    session: Session, cell: Cell, documents: Documents, name: str, words: str
) -> None:
    knob(session, name, 20.0)
    with pytest.raises(TransferError, match=f"{words} in the glovebox is 20 ppm, allowed are 1"):
        session.RE(plan(session, task(cell), transfer()))
    cycled, carried = documents.of("stop")
    assert (cycled["exit_status"], carried["exit_status"]) == ("success", "fail")
    assert f"{words} in the glovebox" in carried["reason"]
    assert list(stages(documents)) == ["safe"]
    assert session.transfer_vessel.holder.get(use_monitor=False) == ""
    assert_open_circuit(session)


def test_a_leak_is_said_by_the_run(session: Session, cell: Cell, documents: Documents) -> None:
    knob(session, "Leak", 60.0)
    session.RE(plan(session, task(cell), transfer()))
    by_stage = stages(documents)
    assert by_stage["sealed"]["transfer_contaminated"] == ""
    arrived = by_stage["arrived"]
    rise = arrived["transfer_vessel_pressure_mbar"] - by_stage["sealed"]["transfer_vessel_pressure_mbar"]
    assert rise == pytest.approx(60.0 * arrived["transfer_minutes_sealed"] / 60, rel=0.2)
    for stage in ("arrived", "measured"):
        assert "the vessel leaks" in by_stage[stage]["transfer_contaminated"]
    stop = documents.of("stop")[-1]
    assert (stop["exit_status"], stop["reason"][:13]) == ("success", "contaminated:")


def test_a_vessel_that_does_not_arrive_fails_the_run(
    session: Session, cell: Cell, documents: Documents
) -> None:
    knob(session, "NeverArrives", 1)
    with pytest.raises(TransferError, match="did not arrive at laboratory_xrd within 30 minutes"):
        session.RE(plan(session, task(cell), transfer(max_minutes=30.0)))
    stop = documents.of("stop")[-1]
    assert stop["exit_status"] == "fail"
    assert "in transit" in stop["reason"]
    assert not documents.events("relaxed")
    assert_open_circuit(session)


def test_a_cell_outside_the_voltages_that_are_allowed_stays(
    session: Session, cell: Cell, documents: Documents
) -> None:
    with pytest.raises(TransferError, match=r"outside voltage_V, 4.2 to 4.3 V"):
        session.RE(plan(session, task(cell), transfer(voltage_V=[4.2, 4.3])))
    assert session.transfer_vessel.holder.get(use_monitor=False) == ""
    assert_open_circuit(session)


def test_what_cannot_be_is_refused_before_anything_moves(
    session: Session, cell: Cell, documents: Documents
) -> None:
    away = [{"name": "xrd", "instrument": "laboratory_xrd", "exposure_s": 60.0,
             "when": {"every": {"time_s": 300.0}}, **FREE}]  # fmt: skip
    with pytest.raises(TasksError, match="no cables of the cycler go to this instrument"):
        session.RE(plan(session, task(cell, measurements=away), transfer()))
    with pytest.raises(TransferTaskError, match="max_h2o_ppm"):
        session.RE(plan(session, task(cell), transfer(max_h2o_ppm=-1.0)))
    little = {"relaxed": {"exposure_s": 300.0, "budget_MGy": 1e-9}}
    with pytest.raises(TasksError, match="a single frame of 300 s gives"):
        session.RE(plan(session, task(cell), transfer(measurements=little)))
    hot = {"relaxed": {"exposure_s": 300.0, "settings": {"temperature_c": 60.0}, **FREE}}
    with pytest.raises(TasksError, match=r"temperature_c = 60.*laboratory_xrd has no such setting"):
        session.RE(plan(session, task(cell), transfer(measurements=hot)))
    here = [session.xrd]
    with pytest.raises(ValueError, match="pass that station"):
        session.RE(ex_situ([session.cycler], here, session.transfer_vessel, task(cell), transfer(),
                           on_abort="rest", on_client_lost="rest"))  # fmt: skip
    session.transfer_vessel.close("sealed").wait(20)
    try:
        with pytest.raises(TransferError, match="seal is 'sealed', needed is 'open'"):
            session.RE(plan(session, task(cell), transfer()))
    finally:
        session.transfer_vessel.close("open").wait(20)
    assert not documents.of("start")


def test_a_dead_vessel_server_fails_the_transfer_and_leaves_the_cell(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    def kill(name: str, doc: Any) -> None:
        if name == "stop" and beamline.service("transfer_vessel").process is not None:
            beamline.kill("transfer_vessel")

    vessel = session.transfer_vessel
    token = session.RE.subscribe(kill)
    try:
        with pytest.raises(TransferError, match="does not answer"):
            session.RE(plan(session, task(cell), transfer()))
    finally:
        session.RE.unsubscribe(token)
        beamline.restart("transfer_vessel")
        wait_for(
            lambda: all(one.connected for one in (vessel.location, vessel.holder, vessel.seal)),
            30,
            "the vessel's server is back",
        )
    assert documents.of("stop")[0]["exit_status"] == "success"
    assert_open_circuit(session)


def calibrate(session: Session, station: Station, exposure_s: float, flat_s: float) -> None:
    session.RE(take_darks(station, sorted({exposure_s, flat_s}), 3))
    session.RE(calibrate_geometry(station, "LaB6", exposure_s))
    session.RE(take_flat(station, flat_s, 3))
    session.RE(take_background(station, exposure_s, 3))


def lattice(
    station: Station,
    cell: Cell,
    exposure_s: float,
    event: Any,
    frame: np.ndarray,
    prefix: str,
) -> dict[str, tuple[float, float]]:
    """Fitted value and standard error of the oxide's axes, with the station's own calibrations."""
    paper = station.calibrations.on_paper
    known = station.calibrations.store.in_use()
    chain, used = chain_of(known, exposure_s, paper.saturation_counts, polarisation=paper.polarisation)
    dark, geometry = used[f"{Kind.DARK}:{exposure_key(exposure_s)}"], used[str(Kind.GEOMETRY)]
    data = event["data"]
    it_counts, live_s = (data[f"{prefix}monitors_{key}"] for key in ("it_counts", "live_time_s"))
    monitor = float(transmitted(it_counts, live_s, dark.values["it_dark_per_s"]))
    shifts = line_shifts(geometry.text("geometry.poni"), geometry.array("covariance"))
    options = FitOptions(systematics=Systematics(geometry=shifts))
    fitted = reduce_and_fit(np.asarray([frame]), [Exposure(monitor)], chain, phases_of(cell), options=options)
    found = {}
    for name in ("NMC811.a", "NMC811.c"):
        value, stat, systematic = (
            float(fitted[f"{name}{suffix}"].values[0]) for suffix in ("", "_sigma_stat", "_sigma_sys")
        )
        found[name] = (value, float(np.hypot(stat, systematic)))
    return found


def test_the_lattice_of_the_relaxed_oxide_is_the_same_at_both_instruments(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    laboratory = session.laboratory_xrd
    calibrate(session, session.xrd, HOME_S, 300.0)
    calibrate(session, laboratory, LABORATORY_S, FLAT_S)
    # The last frame at the beamline is of the relaxed cell: the step before ends half an hour earlier.
    protocol = task(cell)["protocol"]
    protocol["method"][1]["until_time_s"] = 3600.0
    beside = [{"name": "xrd", "exposure_s": HOME_S, "when": {"every": {"time_s": 600.0}}, **FREE}]
    one = task(cell, place="H1", measurements=beside, protocol=protocol)
    there = {"relaxed": {"exposure_s": LABORATORY_S, **FREE}}
    session.RE(plan(session, one, transfer(measurements=there)))
    at_home = lattice(session.xrd, cell, HOME_S, documents.events("xrd")[-1], documents.images("xrd")[-1], "")
    away = lattice(
        laboratory, cell, LABORATORY_S, documents.events("relaxed")[-1], images(documents, "relaxed")[-1],
        "laboratory_",
    )  # fmt: skip
    true = beamline.truth("truth_laboratory_xrd")[-1]["positive"]
    for name in at_home:
        (value, error), (other, other_error) = at_home[name], away[name]
        assert abs(value - other) < 3 * np.hypot(error, other_error), name
        assert other_error < 0.01, name
        assert abs(other - true[f"{name[-1]}_angstrom"]) < 3 * other_error, name

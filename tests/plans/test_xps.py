"""A photoelectron spectrometer in a vacuum chamber: its scale, the film on a cell, refusals."""

import json
import time
from collections.abc import Iterator
from typing import Any

import epics
import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.calibrations import Calibration, Kind
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.devices.analyser import RegionError
from intercalate.devices.chamber import LEASE_S
from intercalate.devices.station import Station
from intercalate.dose import dose_gy
from intercalate.orchestration.preflight import PreflightError
from intercalate.orchestration.tasks import TasksError
from intercalate.reduction.controls import ControlError
from intercalate.reduction.xps.counts import XpsError
from intercalate.session import Session
from intercalate.xps_results import analyser_on_paper
from intercalate_plans import (
    beam_off_control,
    calibrate_energy,
    in_situ,
    operando,
    operando_cells,
    preflight,
    set_flood_gun,
    take_regions,
)
from intercalate_sims.probes.xps import HiddenXps
from polling import wait_for

from .conftest import Documents, missed_reasons

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

LOSSES = {"on_abort": "rest", "on_client_lost": "rest"}
REGIONS = ["C 1s", "O 1s", "F 1s", "Li 1s"]


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("xps"), rate=1000.0, vacuum=True)
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def xps(session: Session) -> Station:
    return session.stations["xps"]


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "graphite_polymer_lithium.toml")


def task(cell: Cell, *, method: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    asked = {"name": "xps", "instrument": "xps", "regions": REGIONS, "exposure_s": 300.0}
    return {
        "place": "V1",
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 30.0},
            "safety": {"max_voltage_V": 3.5, "min_voltage_V": -0.1, "delay_s": 5.0},
            "method": method or [{"step": "wait_for_release", "max_s": 5000.0}],
        },
        "measurements": [{**asked, "budget_MGy": "unlimited", **changes}],
    }


def checked(session: Session, cell: Cell) -> Any:
    asked = task(cell)
    cyclers = list(session.cyclers.values())
    return preflight(cyclers, session.stations["xps"], "V1", cell, asked["protocol"], 300.0, 3600.0)


def test_a_preflight_in_the_chamber_says_what_is_missing_and_exposes_nothing(
    session: Session, xps: Station, cell: Cell, documents: Documents
) -> None:
    shown: list[str] = []
    token = xps.shutter.state.subscribe(lambda value, **_: shown.append(value), run=False)
    xps.beam.emission.set("off").wait(10)
    xps.chamber.gate_valve.set("open").wait(10)
    try:
        with pytest.raises(PreflightError, match=r"no energy.*run calibrate_energy"):
            session.RE(checked(session, cell))
    finally:
        xps.chamber.pump().wait()
        xps.beam.emission.set("on").wait(10)
    told = {one["data"]["preflight_what"]: one["data"] for one in documents.events("preflight")}
    red = {what for what, one in told.items() if one["preflight_verdict"] == "red"}
    assert red == {"I0", "vacuum", "calibrations"}
    assert "switched off" in told["I0"]["preflight_found"]
    assert "gate valve" in told["vacuum"]["preflight_found"]
    assert told["test frame"]["preflight_verdict"] == "not checked"
    assert {told[what]["preflight_verdict"] for what in ("pulse", "disk", "clocks")} == {"green"}
    xps.shutter.state.unsubscribe(token)
    assert "open" not in shown
    (stop,) = documents.of("stop")
    assert "primary" not in stop["num_events"]


def held(session: Session, one: dict[str, Any]) -> Any:
    return in_situ(list(session.cyclers.values()), list(session.stations.values()), [one], **LOSSES)


def cycled(session: Session, one: dict[str, Any]) -> Any:
    return operando_cells(list(session.cyclers.values()), list(session.stations.values()), [one], **LOSSES)


def scale_of(station: Station) -> Calibration:
    return station.calibrations.store.need(Kind.ENERGY)


def test_gold_and_silver_set_the_scale(session: Session, xps: Station) -> None:
    session.RE(calibrate_energy(xps, 60.0))
    truth = HiddenXps.draw(1)
    for read_ev in (84.0, 368.2):
        values = scale_of(xps).values
        found = values["offset_ev"] + values["gain"] * (read_ev - values["middle_ev"])
        # Kinetic energies are stretched: what lies deeper is off by more.
        true = truth.work_function_ev + (1486.6 - read_ev) * truth.energy_scale
        assert found == pytest.approx(true, abs=0.05)


def test_a_film_grows_as_the_world_has_it(
    session: Session, cell: Cell, beamline: Beamline, documents: Documents
) -> None:
    grow = {"step": "constant_current", "rate_C": "D/40", "until_time_s": 3600.0, "until_voltage_V": 0.005}
    hold = {"step": "wait_for_release", "max_s": 20000.0}
    before = len(beamline.truth("truth_xps")) if scale_of(session.stations["xps"]) else 0
    session.RE(held(session, task(cell, method=[hold, grow, hold, grow, hold])))
    events = documents.events("xps")
    regions = [event["data"]["xps_analyser_region"] for event in events]
    assert regions == REGIONS * 3
    truth = beamline.truth("truth_xps")[before:]
    assert [one["region"] for one in truth] == regions
    film = [sum(layer["thickness_nm"] or 0.0 for layer in one["stack"]) for one in truth[::4]]
    assert film[2] > film[1] > film[0] + 1.0
    data = reduced(documents, beamline, session, cell)
    grown = np.array(film) - film[0]
    sigma = np.hypot(data["film_nm_sigma_stat"], data["film_nm_sigma_sys"])
    assert np.all(np.abs(np.asarray(data["film_nm"]) - grown) < 2.5 * np.asarray(sigma) + 0.05)
    assert np.all(np.asarray(data["film_nm"])[1:] > 5.0 * np.asarray(data["film_nm_sigma_stat"])[1:])
    carbon, fluorine = (np.asarray(data[f"atomic_percent.{one}"]) for one in ("C", "F"))
    assert carbon[0] > 95.0 > carbon[1]
    assert fluorine[0] < 0.5 < fluorine[1]


def reduced(documents: Documents, beamline: Beamline, session: Session, cell: Cell) -> Any:
    """What the reduction makes of the spectra of a run, from its documents alone."""
    import h5py
    import xarray as xr

    from intercalate.xps_results import reduce_photoelectrons

    events, truth = documents.events("xps"), beamline.truth("truth_xps")
    keys = ("region", "start_ev", "stop_ev", "step_ev", "pass_energy_ev")
    columns = {f"analyser_{key}": [event["data"][f"xps_analyser_{key}"] for event in events] for key in keys}
    columns["exposure_s"] = [event["data"]["xps_spectrometer_cam_acquire_time"] for event in events]
    columns["i0_counts"] = [event["data"]["xps_monitors_i0_counts"] for event in events]
    columns["visit"] = [number // len(REGIONS) for number in range(len(events))]
    aligned = xr.Dataset({name: ("frame", np.array(values)) for name, values in columns.items()})
    path = {one["file"] for one in truth[-len(events) :]}
    assert len(path) == 1
    with h5py.File(path.pop(), "r") as file:
        images = file["entry/data/data"][:][-len(events) :]
    section = beamline.config.xps
    assert section is not None
    known = {str(Kind.ENERGY): scale_of(session.stations["xps"])}
    data, used = reduce_photoelectrons(images, aligned, known, section, cell, lambda done: None)
    assert set(used) == {"energy"}
    return data


def test_the_flood_gun_is_left_as_the_sample_needs_it(
    session: Session, xps: Station, beamline: Beamline
) -> None:
    session.RE(set_flood_gun(xps, "Au", "Au 4f", 60.0))
    metal = xps.calibrations.store.need(Kind.CHARGING, "Au").values
    # A metal in contact is shifted by slow electrons, and not narrowed.
    assert metal["flood_gun"] == xps.analyser.flood_gun.get() == "off"
    truth = HiddenXps.draw(1)
    assert metal["moved_ev"] == pytest.approx(truth.flood_ev, abs=0.05 + 3 * metal["moved_ev_sigma"])
    with pytest.raises(RegionError, match="there is no region 'C1s'"):
        session.RE(set_flood_gun(xps, "V1", "C1s"))


@pytest.mark.parametrize("gun", ["on", "off"])
def test_calibrations_that_fail_leave_gun_and_region_as_they_were(
    session: Session, xps: Station, gun: str
) -> None:
    before = scale_of(xps)
    xps.analyser.set("F 1s").wait(10)
    xps.analyser.flood_gun.set(gun).wait(10)
    set_to = [signal.get(use_monitor=False) for signal in xps.analyser.of_region]
    try:
        # Gold has no nitrogen.
        with pytest.raises(XpsError, match=r"no line stands out|at an end of the region"):
            session.RE(set_flood_gun(xps, "Au", "N 1s", 1.0))
        assert xps.analyser.flood_gun.get(use_monitor=False) == gun
        xps.beam.emission.set("off").wait(10)
        with pytest.raises(XpsError, match=r"no line stands out|at an end of the region"):
            session.RE(calibrate_energy(xps, 1.0))
        assert xps.analyser.flood_gun.get(use_monitor=False) == gun
        assert [signal.get(use_monitor=False) for signal in xps.analyser.of_region] == set_to
    finally:
        xps.beam.emission.set("on").wait(10)
        xps.analyser.flood_gun.set("off").wait(10)
    assert scale_of(xps) == before


def test_places_without_beam_say_whether_the_beam_has_changed_the_others(
    session: Session, cell: Cell, xps: Station, documents: Documents
) -> None:
    exposed = [[0.3 * number, 1.2] for number in range(4)]
    control = [[0.3 * number, -1.2] for number in range(4)]

    def compared(at: str = "V1", **changes: Any) -> Any:
        asked = {
            "exposed_mm": exposed,
            "control_mm": control,
            "exposure_s": 100.0,
            "region": "C 1s",
            **changes,
        }
        return beam_off_control(xps, at, **asked)

    for changes, error, words in (
        ({"region": None}, ValueError, "nobody said which region"),
        ({"control_mm": control[:3], "exposed_mm": exposed[:3]}, ControlError, "take 4 of each"),
        ({}, ValueError, r"\(0, 1.2\) mm of V1 has never been exposed; it is no exposed place"),
    ):
        with pytest.raises(error, match=words):
            session.RE(compared(**changes))
    # Each place in turn, three times: a busy machine misses occasions.
    rest = [{"step": "open_circuit_voltage", "until_time_s": 4800.0}]
    every = {"every": {"time_s": 400.0}}
    one = task(cell, method=rest, regions=["C 1s"], spots_mm=exposed, exposure_s=100.0, when=every)
    session.RE(cycled(session, one))
    documents.all.clear()
    session.RE(compared())
    assert [len(documents.events(kind)) for kind in ("exposed", "control")] == [4, 4]
    kept = xps.calibrations.store.need(Kind.CONTROL, "V1").values
    # X-rays do nothing to a film in this world.
    assert not kept["differs"]
    assert kept["probability"] > 0.05
    with pytest.raises(ValueError, match="it is no control place"):
        session.RE(compared())


def test_each_spectrum_counts_for_the_dose_of_its_spot(
    session: Session, cell: Cell, xps: Station, documents: Documents
) -> None:
    one = task(cell, regions=["C 1s", "O 1s"], spots_mm=[[0.5, 0.5]], exposure_s=100.0)
    session.RE(held(session, one))
    doses = [event["data"]["xps_dose_spot_gy"] for event in documents.events("xps")]
    # 25 W, 4e8 photons each, on 200 um.
    fluence = 1e10 * 100.0 * 1.4866 * 1.602e-16 / 0.02**2
    assert doses[0] == pytest.approx(dose_gy(fluence, "C6", 1.4866), rel=0.02)
    assert doses[1] == pytest.approx(2 * doses[0], rel=0.02)
    too_much = task(cell, budget_MGy=1.5e-6 * doses[0], regions=["C 1s", "O 1s"], exposure_s=100.0)
    with pytest.raises(TasksError, match="2 regions of 100 s give"):
        session.RE(held(session, too_much))


def test_a_small_spot_is_moved_over_a_grid(
    session: Session, cell: Cell, beamline: Beamline, xps: Station, documents: Documents
) -> None:
    grid = {"extent_um": 20.0, "points": 2}
    settings = {"spot_um": 10.0, "power_w": 1.0}
    one = task(cell, regions=["C 1s"], exposure_s=20.0, grid=grid, settings=settings)
    session.RE(held(session, one))
    events = [event["data"] for event in documents.events("xps")]
    at = [(event["xps_objective_x_um"], event["xps_objective_y_um"]) for event in events]
    assert np.round(at, 2).tolist() == [[-10.0, -10.0], [10.0, -10.0], [-10.0, 10.0], [10.0, 10.0]]
    assert {event["xps_source_spot_um"] for event in events} == {10.0}
    # 1 W, 4e8 photons each, on 10 um.
    fluence = 4e8 * 20.0 * 1.4866 * 1.602e-16 / 0.001**2
    doses = [event["xps_dose_exposure_gy"] for event in events]
    assert doses == pytest.approx([dose_gy(fluence, "C6", 1.4866)] * 4, rel=0.05)
    xps.beam.spot_um.set(200.0).wait(10)
    xps.beam.power_w.set(25.0).wait(10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"regions": []}, r"measurements\[0\]\.regions.*nobody said which energies.*survey"),
        ({"regions": ["C1s"]}, r"regions = 'C1s': there is no such region; did you mean C 1s\?"),
        ({"budget_MGy": None, "budget_J_cm2": 5.0}, "doses of xps are in MGy; give budget_MGy"),
        ({"settings": {"spot_um": 1.0}}, "spot_um = 1.0: it must be a number from 5 to 500"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_moves(
    session: Session, cell: Cell, documents: Documents, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(TasksError, match=words):
        session.RE(held(session, task(cell, **changes)))
    assert not documents.of("start")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"electrolyte": {"name": "LP57", "kind": "liquid", "solvents": ["EC", "EMC"]}},
            "EMC gives off up to .* the vacuum bears 1e-08",
        ),
        ({"exposed_face": None}, "nobody said what of the cell .* exposed_face"),
    ],
)
def test_a_cell_that_would_spoil_the_vacuum_is_refused(
    session: Session, cell: Cell, changes: dict[str, Any], words: str
) -> None:
    other = Cell.from_dict({**cell.model_dump(mode="json", exclude_none=True), **changes})
    with pytest.raises(TasksError, match=words):
        session.RE(held(session, task(other)))


def test_a_bad_vacuum_is_a_reason_and_no_end_of_the_cell(
    session: Session, cell: Cell, xps: Station, documents: Documents
) -> None:
    leak = epics.PV(f"{xps.chamber.prefix}Knob:Leak", auto_monitor=False)
    assert leak.wait_for_connection(10)
    leak.put(1e-4, wait=True)
    try:
        wait_for(lambda: xps.beam.interlock.get() == "open", 20, "the interlock has opened")
        assert xps.unavailable() == "no X-rays: its interlock is open"
        one = task(cell, method=[{"step": "open_circuit_voltage", "until_time_s": 900.0}])
        one["measurements"][0]["when"] = {"every": {"time_s": 300.0}}
        session.RE(
            operando(
                session.cyclers["CH3"],
                xps,
                one["cell"],
                one["protocol"],
                {"every": {"time_s": 300.0}},
                60.0,
                regions=["C 1s"],
                **LOSSES,
            )
        )
    finally:
        leak.put(0.0, wait=True)
    assert not documents.events("xps")
    assert set(missed_reasons(documents)) == {"no X-rays: its interlock is open"}
    assert documents.of("stop")[-1]["exit_status"] == "success"
    wait_for(lambda: not xps.unavailable(), 20, "the chamber is pumped")


def test_the_chamber_is_pumped_and_its_stage_heated(session: Session, xps: Station) -> None:
    xps.chamber.gate_valve.put("open", wait=True)
    wait_for(lambda: "gate valve" in xps.chamber.unavailable(), 30, "the open valve is noticed")
    xps.chamber.pump().wait(30)
    assert xps.chamber.unavailable() == ""
    assert float(xps.chamber.pressure_mbar.get()) <= 1e-7
    xps.chamber.heat(60.0).wait(30)
    assert float(xps.chamber.temperature_c.get()) == pytest.approx(60.0, abs=0.6)
    xps.chamber.heat(25.0).wait(30)


def test_a_stage_does_not_stay_hot_for_a_client_that_is_gone(session: Session, xps: Station) -> None:
    chamber = xps.chamber
    assert chamber.lease_s.get(use_monitor=False) == 0.0
    chamber.heat(50.0).wait(30)
    assert chamber.lease_s.get(use_monitor=False) == LEASE_S
    chamber.temperature_c.fall_silent()
    chamber.lease_s.put(1.0, wait=True)
    at_rest_c = float(chamber.rest_c.get())
    wait_for(lambda: chamber.temperature_c.get_setpoint() == at_rest_c, 30, "the stage is sent to rest")
    wait_for(lambda: abs(chamber.temperature_c.get() - at_rest_c) < 0.6, 20, "it is there")


def test_a_stage_that_was_heated_by_hand_stays_hot_and_a_cold_one_cold(
    session: Session, xps: Station
) -> None:
    chamber = xps.chamber
    for temperature_c, lease_s in ((45.0, 0.0), (-20.0, 0.5)):
        chamber.lease_s.put(lease_s, wait=True)
        chamber.temperature_c.put(temperature_c, wait=True)
        time.sleep(2.0)
        assert chamber.temperature_c.get_setpoint() == temperature_c
    chamber.temperature_c.to_rest()
    wait_for(lambda: chamber.temperature_c.get_setpoint() == chamber.rest_c.get(), 30, "it rests")


def test_spectra_of_a_place_without_cycling(session: Session, xps: Station, documents: Documents) -> None:
    (uid,) = session.RE(take_regions(xps, "Au", ["survey", "Au 4f"], 20.0))
    events = documents.events("xps")
    assert [event["data"]["xps_analyser_region"] for event in events] == ["survey", "Au 4f"]
    assert documents.of("start")[-1]["uid"] == uid
    assert documents.of("start")[-1]["simulated"] is True
    with pytest.raises(RegionError, match="no region 'Au4f'; there are"):
        session.RE(take_regions(xps, "Au", ["Au4f"]))
    with pytest.raises(ValueError, match="no region is named"):
        session.RE(take_regions(xps, "Au", []))


def test_what_is_hidden_is_kept_beside_the_truth(beamline: Beamline) -> None:
    kept = json.loads(beamline.config.stored("simulator/hidden_xps.json").read_text())
    assert kept["analyser"]["work_function_ev"] == HiddenXps.draw(1).work_function_ev


def test_the_paper_of_the_simulated_analyser_is_that_of_the_configuration(beamline: Beamline) -> None:
    from intercalate_sims.probes.xps import Analyser

    section = beamline.config.xps
    assert section is not None
    paper, true = analyser_on_paper(section.analyser), Analyser()
    for name in ("transmission_exponent", "width_per_pass", "source_width_ev", "dead_time_s"):
        assert getattr(paper, name) == getattr(true, name)

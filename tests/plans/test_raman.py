"""A Raman spectrometer: focus, axis, maps, and spectra beside diffraction on one cell."""

import json
from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs as bps
import epics
import h5py
import numpy as np
import pytest
import xarray as xr

from beamline import Beamline, start_beamline
from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import CalibrationError, Kind
from intercalate.cell import Cell
from intercalate.colour_frames import unpacked
from intercalate.config import EXAMPLES
from intercalate.contract import RECORD_COLUMNS, StepType, code_of
from intercalate.devices.station import Station
from intercalate.optical_results import optical_camera, reduce_colours
from intercalate.orchestration.tasks import TasksError
from intercalate.raman_chain import RamanOnPaper
from intercalate.raman_results import dark_spectrum
from intercalate.reduction.optical import OpticalError, light_of
from intercalate.reduction.raman import FocusError, ShiftAxis, spectra_of_graphite
from intercalate.session import Session
from intercalate_plans import (
    align_cell,
    calibrate_colour,
    calibrate_geometry,
    calibrate_shift,
    count_frames,
    focus_laser,
    in_situ,
    map_raman,
    measure_focus_drift,
    measure_power,
    operando,
    operando_cells,
    take_darks,
    take_images,
)
from intercalate_sims.probes.optical import graphite_reflectance
from intercalate_sims.probes.raman_station import HiddenRaman
from polling import wait_for

from .conftest import Documents, missed_reasons, occasions

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

EXPOSURE_S = 20.0
LOSSES = {"on_abort": "rest", "on_client_lost": "rest"}
FREE = {"budget_J_cm2": "unlimited"}


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("raman"), rate=1000.0, raman=True)
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def raman(session: Session) -> Station:
    """Calibrated, with the laser focused on both places."""
    station = session.raman
    assert station is not None
    with pytest.raises(CalibrationError, match="run the plan take_darks"):
        session.RE(calibrate_shift(station, EXPOSURE_S))
    session.RE(take_darks(station, [EXPOSURE_S], 10))
    with pytest.raises(CalibrationError, match="run the plan focus_laser"):
        session.RE(calibrate_shift(station, EXPOSURE_S))
    session.RE(align_cell(session.xrd, "H1"))
    for place in ("Si", "H1"):
        session.RE(focus_laser(station, place))
    session.RE(calibrate_shift(station, EXPOSURE_S))
    return station


@pytest.fixture(scope="module")
def optical() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_optical.toml")


def hidden(beamline: Beamline) -> HiddenRaman:
    return HiddenRaman.draw(1, tuple(beamline.config.changer.places))


def axis_of(station: Station) -> ShiftAxis:
    kept = station.calibrations.store.latest(Kind.SHIFT)
    assert kept is not None
    paper = station.calibrations.on_paper.spectrograph
    known = {name: kept.values[name] for name in ("offset_nm", "sigma_per_cm", "dispersion_sigma")}
    return ShiftAxis(kept.array("shift_per_cm"), width_nm=paper.width_nm, laser_nm=paper.laser_nm, **known)


def task(cell: Cell, rest_s: float = 3000.0, *, rate: float = 0.0, **raman: Any) -> dict[str, Any]:
    step = (
        {"step": "constant_current", "rate_C": rate, "until_time_s": rest_s}
        if rate
        else {"step": "open_circuit_voltage", "until_time_s": rest_s}
    )
    asked = {"when": {"every": {"time_s": 400.0}}, "exposure_s": EXPOSURE_S}
    return {
        "place": "H1",
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 20.0},
            "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
            "method": [step],
        },
        "measurements": [
            {**asked, "budget_MGy": "unlimited"},
            {**asked, "name": "raman", "instrument": "raman", "spots_mm": [[1.5, 0.0]], **FREE, **raman},
        ],
    }


def both(session: Session, one: dict[str, Any]) -> Any:
    return operando_cells(list(session.cyclers.values()), list(session.stations.values()), [one], **LOSSES)


def test_focus_and_axis_are_those_of_the_instrument(raman: Station, beamline: Beamline) -> None:
    """The focus drifts by less than its depth in the few hours since it was found."""
    truth = hidden(beamline)
    assert json.loads(beamline.config.stored("simulator/hidden_raman.json").read_text()) == json.loads(
        json.dumps(truth.as_json())
    )
    for place in ("Si", "H1"):
        kept = raman.calibrations.store.need(Kind.FOCUS, place)
        assert kept.values["z_um"] == pytest.approx(truth.surface_um[place], abs=2.5)
    shift = raman.calibrations.store.need(Kind.SHIFT)
    # At the line of silicon a wrong dispersion is an offset too.
    assert shift.values["offset_nm"] == pytest.approx(truth.spectrograph.offset_nm, abs=0.03)


def test_the_power_at_the_sample_is_that_of_the_meter(
    raman: Station, session: Session, beamline: Beamline
) -> None:
    session.RE(measure_power(raman))
    kept = raman.calibrations.store.need(Kind.POWER).values
    truth = hidden(beamline)
    true_mw = kept["said_mw"] * truth.power_share
    assert kept["power_mw"] == pytest.approx(true_mw * truth.meter_share, rel=0.005)
    assert kept["power_mw_sigma_stat"] < 0.01 * kept["power_mw"]
    assert kept["power_mw_sigma_sys"] == pytest.approx(0.03 * kept["power_mw"])
    # The monitor counts what is there, whatever the laser's scale says.
    assert kept["joules_per_count"] == pytest.approx(1e-9 * truth.meter_share, rel=0.005)
    raman.beam.emission.set("off").wait(10)
    try:
        with pytest.raises(RuntimeError, match="is the laser on"):
            session.RE(measure_power(raman))
    finally:
        raman.beam.emission.set("on").wait(10)
    assert raman.calibrations.store.need(Kind.POWER).values == kept


def test_a_focus_that_moves_by_itself_is_followed(
    raman: Station, session: Session, beamline: Beamline
) -> None:
    with pytest.raises(ValueError, match="a drift needs 3 or more"):
        session.RE(measure_focus_drift(raman, "Si", count=2))
    with pytest.raises(CalibrationError, match="run the plan focus_laser"):
        session.RE(measure_focus_drift(raman, "H2"))
    session.RE(measure_focus_drift(raman, "Si", count=3, every_s=1500.0, half_range_um=15.0, step_um=3.0))
    kept = raman.calibrations.store.need(Kind.FOCUS_DRIFT, "Si").values
    assert kept["hours"] >= 3000.0 / 3600.0
    # Two sines of 1.5 and 0.8 um within 10.8 and 2.9 h: at most 2.6 um an hour between them.
    assert 0.0 <= abs(kept["um_per_h"]) < 3.0 + 3 * kept["um_per_h_sigma"]
    focus = raman.calibrations.store.need(Kind.FOCUS, "Si").values
    assert focus["z_um"] == pytest.approx(hidden(beamline).surface_um["Si"], abs=2.5)


def test_one_cell_is_seen_by_both_probes_on_one_axis(
    session: Session, raman: Station, beamline: Beamline, optical: Cell, documents: Documents
) -> None:
    session.RE(both(session, task(optical, 6000.0, rate=0.3)))
    frames, spectra = documents.events("xrd"), documents.events("raman")
    for name, events in (("xrd", frames), ("raman", spectra)):
        assert len(events) >= 3
        # At the start, and every 400 s of 6000 s; whether one more is due at the end, the last record says.
        assert occasions(documents, name) in (15, 16)
    truth = {one["counter"]: one for one in beamline.truth("truth_raman")}
    rows = [truth[one["data"]["raman_spectrometer_hdf_unique_id"]] for one in spectra]
    assert {row["content"] for row in rows} == {"A1"}
    # Spots are places on the sample, whatever instrument looks at them.
    away_um = np.array([row["place_um"] for row in rows]) - [1500.0, 0.0]
    assert np.abs(away_um).max() < 4 * 30.0 + 10.0
    assert {one["data"]["visit_spot_x_mm"] for one in documents.events("visits")} == {0.0, 1.5}
    assert {one["data"]["raman_monitors_quality"] for one in spectra} == {BeamQuality.VALID}
    counts = documents.images("raman", "raman_spectrometer")
    found = spectra_of_graphite(
        [one[0] for one in counts],
        dark_spectrum(raman.calibrations.store.need(Kind.DARK, "20s")),
        RamanOnPaper.of(beamline.config.raman).detector,
        axis_of(raman),
    )
    true = np.array([row["li_content"] for row in rows])
    sigma = np.hypot(found["graphite.x_sigma_stat"], found["graphite.x_sigma_sys"])
    assert true[-1] > true[0] + 0.2
    assert np.all(np.abs(found["graphite.x"] - true) < 3.0 * sigma)


def test_the_dose_of_the_laser_is_its_own_account(
    session: Session, raman: Station, beamline: Beamline, optical: Cell, documents: Documents
) -> None:
    name = optical.model_copy(update={"name": "laser dose"})
    session.RE(both(session, task(name)))
    (start,) = documents.of("start")
    assert [one["technique"] for one in start["doses"]] == ["xrd", "raman", "optical"]
    assert start["doses"][1]["most_of_a_spot_j_cm2"] == 0.0
    spent = 0.0
    truth = {one["counter"]: one for one in beamline.truth("truth_raman")}
    for event in documents.events("raman"):
        data = event["data"]
        true_mw = truth[data["raman_spectrometer_hdf_unique_id"]]["power_mw"]
        area_cm2 = np.pi / 4 * (2e-4) ** 2
        assert data["raman_dose_fluence_j_cm2"] == pytest.approx(
            1e-3 * true_mw * EXPOSURE_S / area_cm2, rel=0.01
        )
        spent += data["raman_dose_fluence_j_cm2"]
        assert data["raman_dose_spot_j_cm2"] == pytest.approx(spent)
    one_j_cm2 = raman.dose.expected("", EXPOSURE_S)
    documents.all.clear()
    fresh = optical.model_copy(update={"name": "laser budget"})
    # Time enough for a second visit, also where a machine is so busy that most of them are overtaken.
    session.RE(both(session, task(fresh, 9000.0, budget_J_cm2=1.5 * one_j_cm2)))
    assert len(documents.events("raman")) == 1
    assert any("J/cm2, one more frame gives" in one for one in missed_reasons(documents))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budget_J_cm2": None, "budget_MGy": 1.0}, r"raman.budget_MGy.*in J/cm2.*give budget_J_cm2"),
        ({"budget_MGy": 1.0}, "a measurement has one budget"),
        ({"budget_J_cm2": 10.0}, r"a single frame of 20 s gives \S+ J/cm2"),
        ({"exposure_s": 0.0}, "exposure_s"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_moves(
    session: Session, raman: Station, optical: Cell, documents: Documents, changes, words
) -> None:
    one = task(optical)
    one["measurements"][1] = {
        key: value for key, value in {**one["measurements"][1], **changes}.items() if value is not None
    }
    with pytest.raises(TasksError, match=words):
        session.RE(both(session, one))
    assert not documents.all


def test_a_cell_without_an_optical_window_is_refused(
    session: Session, raman: Station, cell: Cell, documents: Documents
) -> None:
    with pytest.raises(TasksError, match=r"has no optical window.*optical_window"):
        session.RE(both(session, task(cell)))
    assert not documents.all


def test_plans_of_another_technique_refuse_the_station(session: Session, raman: Station) -> None:
    with pytest.raises(TypeError, match="raman, which measures raman, not xrd"):
        session.RE(calibrate_geometry(raman))
    with pytest.raises(TypeError, match="xrd, which measures xrd, not raman"):
        session.RE(focus_laser(session.xrd, "H1"))


def test_operando_with_spectra_alone(
    session: Session, raman: Station, optical: Cell, documents: Documents
) -> None:
    protocol = task(optical)["protocol"]
    every = {"every": {"time_s": 500.0}}
    session.RE(operando(session.cycler, raman, optical, protocol, every, EXPOSURE_S, **LOSSES))
    assert documents.events("raman")
    assert occasions(documents, "raman") in (6, 7)
    assert not documents.events("xrd")


def test_a_map_has_a_spectrum_at_each_point(
    session: Session, raman: Station, beamline: Beamline, documents: Documents
) -> None:
    # Since it was found the focus has drifted, by hours of cell time.
    session.RE(focus_laser(raman, "H1"))
    documents.all.clear()
    session.RE(map_raman(raman, "H1", extent_um=12.0, points=4, exposure_s=EXPOSURE_S, depths_um=[0.0, 8.0]))
    events = [one["data"] for one in documents.events("raman")]
    assert len(events) == 32
    at = [(one["raman_objective_x_um"], one["raman_objective_y_um"]) for one in events]
    assert len({(round(x_um, 3), round(y_um, 3)) for x_um, y_um in at[:16]}) == 16
    truth = {one["counter"]: one for one in beamline.truth("truth_raman")}
    rows = [truth[one["raman_spectrometer_hdf_unique_id"]] for one in events]
    places = np.array([row["place_um"] for row in rows])
    np.testing.assert_allclose(places - places[0], np.array(at) - at[0], atol=0.5)
    assert max(row["focus"] for row in rows[16:]) < 0.3 < min(row["focus"] for row in rows[:16])
    with pytest.raises(ValueError, match="300 x 300 points at 1 depths are 90000 spectra; take 1 to 20000"):
        session.RE(map_raman(raman, "H1", points=300))


def test_a_strong_laser_makes_carbide_that_stays_and_is_seen(
    session: Session, raman: Station, beamline: Beamline, documents: Documents
) -> None:
    usual_mw = float(raman.beam.power_mw.get())

    def spectra(power_mw: float, count: int) -> None:
        session.RE(bps.mv(raman.beam.power_mw, power_mw))
        for _ in range(count):
            session.RE(map_raman(raman, "H1", extent_um=0.0, points=1, exposure_s=EXPOSURE_S))

    session.RE(focus_laser(raman, "H1"))
    documents.all.clear()
    try:
        spectra(20.0, 3)
    finally:
        session.RE(bps.mv(raman.beam.power_mw, usual_mw))
    truth = {one["counter"]: one for one in beamline.truth("truth_raman")}
    events = [one["data"] for one in documents.events("raman")]
    made = [truth[one["raman_spectrometer_hdf_unique_id"]]["carbide"] for one in events]
    # That of an exposure is seen by the next one.
    assert made[0] == 0.0 < made[1] < made[2]
    found = spectra_of_graphite(
        [one[0] for one in documents.images("raman", "raman_spectrometer")],
        dark_spectrum(raman.calibrations.store.need(Kind.DARK, "20s")),
        RamanOnPaper.of(beamline.config.raman).detector,
        axis_of(raman),
    )
    assert list(np.isfinite(found["Li2C2.intensity"].values)) == [False, True, True]


def test_a_held_cell_is_mapped(
    session: Session, raman: Station, beamline: Beamline, optical: Cell, documents: Documents
) -> None:
    one = task(optical)
    one["protocol"]["method"] = [
        {"step": "open_circuit_voltage", "until_time_s": 100.0},
        {"step": "wait_for_release", "max_s": 20000.0},
        {"step": "open_circuit_voltage", "until_time_s": 100.0},
    ]
    grid = {"extent_um": 9.0, "points": 4}
    asked = {"name": "map", "instrument": "raman", "exposure_s": EXPOSURE_S, "grid": grid, **FREE}
    one["measurements"] = [asked]
    stations, cyclers = list(session.stations.values()), list(session.cyclers.values())
    session.RE(in_situ(cyclers, stations, [one], **LOSSES))
    events = [event["data"] for event in documents.events("map")]
    assert len(events) == 16
    (visit,) = documents.events("visits")
    assert (visit["data"]["visit_measurement"], visit["data"]["visit_frames"]) == ("map", 16)
    truth = {row["counter"]: row for row in beamline.truth("truth_raman")}
    places = np.array([truth[event["raman_spectrometer_hdf_unique_id"]]["place_um"] for event in events])
    at = np.array([(event["raman_objective_x_um"], event["raman_objective_y_um"]) for event in events])
    np.testing.assert_allclose(places - places[0], at - at[0], atol=0.5)
    held = documents.records()[:, RECORD_COLUMNS.index("step_type")] == code_of(StepType.WAIT_FOR_RELEASE)
    # Released by the map, not by the end of its time.
    assert 0 < held.sum() * 20.0 < 15000.0
    one["measurements"] = [{**asked, "name": "xrd", "instrument": "xrd", "budget_MGy": "unlimited"}]
    del one["measurements"][0]["budget_J_cm2"]
    with pytest.raises(TasksError, match="xrd has no objective that moves its beam"):
        session.RE(in_situ(cyclers, stations, [one], **LOSSES))


def test_a_focus_that_is_not_there_leaves_the_one_before(session: Session, raman: Station) -> None:
    before, z_um = raman.calibrations.focus_um("H1"), raman.objective.z_um
    z_um.set(7.0).wait(10)
    with pytest.raises(FocusError):
        session.RE(focus_laser(raman, "H1", around_um=300.0, half_range_um=20.0))
    assert raman.calibrations.focus_um("H1") == before
    assert z_um.user_readback.get(use_monitor=False) == pytest.approx(7.0, abs=0.05)


@pytest.fixture(scope="module")
def camera(session: Session, raman: Station) -> Station:
    """With white by silicon."""
    station = session.stations["optical"]
    session.RE(calibrate_colour(station))
    return station


def frame_taken_last(beamline: Beamline) -> tuple[np.ndarray, dict[str, Any]]:
    one = beamline.truth("truth_optical")[-1]
    with h5py.File(one["file"], "r") as file:
        return file["entry/data/data"][one["frame_index"]], one


def test_the_camera_sees_what_the_laser_meets(
    session: Session, camera: Station, raman: Station, beamline: Beamline, documents: Documents
) -> None:
    session.RE(take_images(camera, "H1", 1, 0.2, [0.1, 0.0]))
    frame, truth = frame_taken_last(beamline)
    assert frame.shape == (256, 3 * 256)
    # In the focus that the laser has found, which drifts a little.
    assert abs(truth["away_um"]) < 5.0
    (event,) = [one["data"] for one in documents.events("optical")]
    section = beamline.config.optical
    assert section is not None
    white = camera.calibrations.store.need(Kind.WHITE)
    cell = Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_optical.toml")
    aligned = xr.Dataset({"i0_counts": ("frame", [event["optical_monitors_i0_counts"]])})
    data, used = reduce_colours([frame], aligned, {white.name: white}, section, cell, lambda done: None)
    assert used == {"white": white}
    assert str(data["note"][0].values) == ""
    # Its colour is that of graphite with so much lithium.
    seen = (np.asarray(data["picture"][0]) / 255.0) ** 2
    expected = graphite_reflectance(np.array(truth["li_content"]))
    np.testing.assert_allclose(seen.mean(axis=(0, 1)), expected, atol=0.03)
    # The lamp has an account of its own.
    area_cm2 = (256 * 0.8e-4) ** 2
    assert event["optical_dose_fluence_j_cm2"] == pytest.approx(0.05e-3 * 0.2 / area_cm2, rel=0.05)
    assert event["optical_dose_spot_j_cm2"] < 2.0
    # Both look at the same place of the sample.
    map_at = beamline.truth("truth_raman")
    session.RE(map_raman(raman, "H1", 4.0, 1, 1.0))
    spectrum = beamline.truth("truth_raman")[-1]
    assert len(map_at) < len(beamline.truth("truth_raman"))
    assert spectrum["holder"] == truth["holder"] == "H1"


def test_lamp_and_laser_never_shine_at_the_same_time(
    session: Session, camera: Station, raman: Station, beamline: Beamline
) -> None:
    for one, other in ((raman, camera), (camera, raman)):
        assert one.shutter.state.get(use_monitor=False) == "closed"
        one.shutter.set("open").wait(10)
        try:
            other.shutter.state.put("open", wait=True)
            assert other.shutter.state.get(use_monitor=False) == "closed"
            if other is camera:
                session.RE(count_frames(camera.detector, 1, 0.2))
                frame, _ = frame_taken_last(beamline)
                with pytest.raises(OpticalError, match=r"is dark.*the laser's shutter closed"):
                    light_of(unpacked(frame, (256, 256)), optical_camera(beamline.config.optical.camera))
        finally:
            one.shutter.set("closed").wait(10)
    session.RE(count_frames(camera.detector, 1, 0.2))
    assert camera.shutter.state.get(use_monitor=False) == "closed"


def test_white_that_cannot_be_told_leaves_the_one_before(session: Session, camera: Station) -> None:
    before = camera.calibrations.store.need(Kind.WHITE)
    camera.beam.emission.set("off").wait(10)
    try:
        with pytest.raises(OpticalError, match="is the lamp on"):
            session.RE(calibrate_colour(camera))
    finally:
        camera.beam.emission.set("on").wait(10)
    assert camera.calibrations.store.need(Kind.WHITE) == before


def test_images_are_taken_beside_maps_at_one_spot(
    session: Session, raman: Station, camera: Station, optical: Cell, beamline: Beamline, documents: Documents
) -> None:
    hold = {"step": "wait_for_release", "max_s": 15000.0}
    one: dict[str, Any] = {
        "place": "H1",
        "cell": optical.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 60.0},
            "safety": {"max_voltage_V": 4.3, "min_voltage_V": 2.4, "delay_s": 5.0},
            "method": [hold],
        },
        "measurements": [
            {"name": "map", "instrument": "raman", "exposure_s": EXPOSURE_S, "spots_mm": [[0.2, 0.0]],
             "grid": {"extent_um": 6.0, "points": 2}, **FREE},
            {"name": "image", "instrument": "optical", "exposure_s": 0.2, "spots_mm": [[0.2, 0.0]], **FREE},
        ],
    }  # fmt: skip
    cyclers, stations = list(session.cyclers.values()), list(session.stations.values())
    session.RE(in_situ(cyclers, stations, [one], **LOSSES))
    assert len(documents.events("map")) == 4
    assert len(documents.events("image")) == 1
    places = [np.array(one["place_um"]) for one in beamline.truth("truth_raman")[-4:]]
    (image,) = beamline.truth("truth_optical")[-1:]
    # The grid lies around the middle of the image.
    np.testing.assert_allclose(np.mean(places, axis=0), image["place_um"], atol=1.0)


def test_an_open_interlock_costs_occasions_and_not_the_cell(
    session: Session, raman: Station, beamline: Beamline, optical: Cell, documents: Documents
) -> None:
    knob = f"{beamline.config.raman.laser.prefix}Knob:OpenInterlock"
    epics.caput(knob, 1, wait=True)
    try:
        wait_for(lambda: raman.beam.unavailable() == "no laser: its interlock is open", 30, "the interlock")
        session.RE(both(session, task(optical)))
    finally:
        epics.caput(knob, 0, wait=True)
    assert not documents.events("raman")
    assert documents.events("xrd")
    assert occasions(documents, "xrd") in (8, 9)
    assert "no laser: its interlock is open" in missed_reasons(documents)
    assert documents.of("stop")[0]["exit_status"] == "success"
    wait_for(lambda: raman.beam.unavailable() == "", 30, "the interlock is closed again")

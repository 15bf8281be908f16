"""The instrument as its plans find it, against what only the simulator knows."""

import json
from collections.abc import Iterator
from types import SimpleNamespace

import epics
import numpy as np
import pyFAI
import pytest
from bluesky.utils import FailedStatus
from ophyd import Signal
from ophyd.utils import LimitError

from beamline import Beamline, start_beamline
from calibrating import calibrate
from intercalate.calibrations import CalibrationError, Kind
from intercalate.reduction.geometry import GeometryError
from intercalate.reduction.window import WindowError
from intercalate.session import Session
from intercalate_plans import (
    align_cell,
    calibrate_geometry,
    count_frames,
    reference_scan,
    take_background,
    take_darks,
    take_flat,
)
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(180)]

EXPOSURE_S = 60.0


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("calibrated"))
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def calibrated(session: Session) -> Session:
    calibrate(session, EXPOSURE_S)
    return session


@pytest.fixture(scope="module")
def hidden(beamline: Beamline) -> dict:
    return json.loads(beamline.config.stored("simulator/hidden.json").read_text())


def put(pv: str, value: object) -> None:
    assert epics.caput(pv, value, wait=True, timeout=10) == 1


def test_geometry_and_energy_are_found_within_their_errors(
    calibrated: Session, hidden: dict, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = calibrated.xrd.calibrations.store.need(Kind.GEOMETRY)
    values = found.values
    error = values["energy_kev"] - 25.0 * (1 + hidden["energy"])
    assert abs(error) < 4 * values["energy_kev_sigma"]
    assert abs(error / 25.0) < 1e-4
    angles = []
    for name, text in (("found", found.text("geometry.poni")), ("true", hidden["poni"])):
        path = tmp_path_factory.mktemp(name) / "geometry.poni"
        path.write_text(text)
        angles.append(np.degrees(pyFAI.load(str(path)).center_array(shape=(1024, 1024), unit="2th_rad")))
    # A pixel is 0.029 degrees.
    assert np.abs(angles[0] - angles[1]).max() < 0.003
    assert found.array("covariance").shape == (6, 6)
    assert len(values["rings"]) > 15


def test_darks_flat_and_background_are_those_of_the_detector(calibrated: Session) -> None:
    store = calibrated.xrd.calibrations.store
    dark, flat, empty = store.need(Kind.DARK, "60s"), store.need(Kind.FLAT), store.need(Kind.BACKGROUND)
    assert 100 < dark.values["median_counts"] < 150
    assert dark.values["i0_dark_per_s"] == pytest.approx(8.0, rel=0.1)
    assert flat.values["counts_per_photon"] == pytest.approx(1.0, abs=0.05)
    assert flat.values["lag"] == pytest.approx(0.002, rel=0.05)
    mask = flat.array("mask")
    # Gaps of four pixels, the beamstop, and a few hot and dead ones.
    assert mask[510:514].all()
    assert mask[:, 510:514].all()
    assert 0.02 < mask.mean() < 0.05
    assert (empty.array("intensity") > 0).mean() > 0.99
    assert empty.values["used"]["flat"] == flat.sha256


def test_the_center_of_a_window_is_found(calibrated: Session, hidden: dict) -> None:
    calibrated.RE(align_cell(calibrated.xrd, "H2"))
    found = calibrated.xrd.calibrations.store.need(Kind.POSITION, "H2").values
    for axis, off_mm in zip("xy", hidden["holders_mm"]["H2"]):
        on_paper = getattr(calibrated.xrd.changer.places["H2"], f"{axis}_mm")
        assert abs(found[f"{axis}_mm"] - on_paper - off_mm) < 3 * found[f"{axis}_sigma_mm"]
    assert found["width_mm"] == pytest.approx(6.0, abs=0.2)
    # The changer goes there from now on.
    assert calibrated.xrd.changer.centre_mm("H2") == (found["x_mm"], found["y_mm"])


def test_later_runs_name_the_calibrations_in_use(calibrated: Session, documents: Documents) -> None:
    calibrated.RE(count_frames(calibrated.xrd.detector, 1, 10.0))
    (start,) = documents.of("start")
    store = calibrated.xrd.calibrations.store
    assert set(start["calibrations"]) >= {"geometry", "flat", "dark:60s", "dark:300s", "background"}
    for name, one in start["calibrations"].items():
        found = store.find(one["sha256"])
        assert found is not None
        assert found.name == name
        assert one["run"] == found.run


def test_a_calibration_is_in_its_run_too(calibrated: Session, documents: Documents) -> None:
    (uid,) = calibrated.RE(take_darks(calibrated.xrd, [20.0], 3))
    kept = calibrated.xrd.calibrations.store.need(Kind.DARK, "20s")
    assert kept.run == uid
    (event,) = documents.events("calibration")
    assert event["data"]["calibrations_sha256"] == kept.sha256
    assert json.loads(event["data"]["calibrations_found"])["frames"] == 3
    assert len(documents.events("primary")) == 3


def test_a_reference_of_a_cell_at_rest(calibrated: Session) -> None:
    calibrated.RE(reference_scan(calibrated.xrd, calibrated.cycler, "H1", EXPOSURE_S, 2))
    kept = calibrated.xrd.calibrations.store.need(Kind.REFERENCE, "H1")
    pattern = kept.array("intensity")
    angle = kept.array("two_theta_deg")
    # NMC 003 at 6 degrees is the first strong line.
    assert angle[np.argmax(np.where(angle < 7.5, pattern, 0))] == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda s: calibrate_geometry(s.xrd, "LaB6", 45.0), "no dark for 45s .*take_darks"),
        (lambda s: take_flat(s.xrd, 45.0), "no dark for 45s"),
        (lambda s: take_background(s.xrd, 45.0), "no calibration dark:45s"),
    ],
)
def test_what_a_plan_needs_first_is_said_before_anything_moves(
    calibrated: Session, documents: Documents, plan, message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        calibrated.RE(plan(calibrated))
    assert not documents.all


def test_an_energy_that_is_one_percent_off_is_found(
    calibrated: Session, beamline: Beamline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monochromator gives 25.25 keV, its scale says 25."""
    before = calibrated.xrd.calibrations.store.need(Kind.GEOMETRY)
    scale = SimpleNamespace(energy_kev=Signal(name="energy_kev", value=25.0), settable=())
    put(f"{beamline.config.beam.prefix}Energy", 25.25)
    try:
        monkeypatch.setattr(calibrated.xrd, "beam", scale)
        with pytest.raises(GeometryError, match=r"the rings say 25\.2\d\d keV, the monochromator 25\.000"):
            calibrated.RE(calibrate_geometry(calibrated.xrd))
    finally:
        put(f"{beamline.config.beam.prefix}Energy", 25.0)
    assert calibrated.xrd.calibrations.store.need(Kind.GEOMETRY) == before


def test_without_beam_there_are_no_rings_and_no_window(calibrated: Session, beamline: Beamline) -> None:
    safety = f"{beamline.config.beam.prefix}SafetyShutter"
    put(safety, "closed")
    count_s = calibrated.xrd.monitors.count_time_s
    count_s.set(0.37).wait(10)
    try:
        shown = calibrated.xrd.beam.safety_shutter
        wait_for(lambda: shown.get(use_monitor=False) == "closed", 30, "the safety shutter is closed")
        with pytest.raises(GeometryError, match=r"rings of LaB6 were found|rings stand out"):
            calibrated.RE(calibrate_geometry(calibrated.xrd))
        with pytest.raises(WindowError, match=r"no transmission: was there beam"):
            calibrated.RE(align_cell(calibrated.xrd, "H1"))
    finally:
        put(safety, "open")
    assert calibrated.xrd.shutter.state.get(use_monitor=False) == "closed"
    assert calibrated.xrd.calibrations.store.latest(Kind.POSITION, "H1") is None
    assert float(count_s.get(use_monitor=False)) == 0.37


@pytest.mark.usefixtures("impatient")
def test_a_shutter_that_sticks_ends_the_plan(calibrated: Session, beamline: Beamline) -> None:
    knob = f"{beamline.config.shutter.prefix}Knob:ShutterStuck"
    put(knob, 1)
    try:
        with pytest.raises(FailedStatus):
            calibrated.RE(take_background(calibrated.xrd, EXPOSURE_S, 1))
    finally:
        put(knob, 0)


def test_a_place_beyond_the_travel_is_refused_before_anything_moves(calibrated: Session) -> None:
    with pytest.raises(LimitError, match="outside of range"):
        calibrated.RE(align_cell(calibrated.xrd, "Si", half_range_mm=19.0 + 5.0))
    with pytest.raises(ValueError, match="no place 'H9'; it has H1, H2"):
        calibrated.RE(align_cell(calibrated.xrd, "H9"))

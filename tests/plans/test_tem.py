"""A transmission electron microscope and the spectrometer on it: camera length, deposits, spectra."""

import json
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.calibrations import Kind
from intercalate.devices.station import Station
from intercalate.reduction.eels import EelsCamera, electrons_of, zero_loss_ev
from intercalate.reduction.results import Estimate
from intercalate.reduction.tem import (
    Habit,
    Order,
    TemCamera,
    TemError,
    deposit_shape,
    pattern_finding,
)
from intercalate.session import Session
from intercalate.spectrum_frames import unpacked
from intercalate_plans import calibrate_camera_length, take_images
from intercalate_sims.probes.eels import HiddenEels
from intercalate_sims.probes.tem import HiddenTem
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("tem"), rate=1000.0, transmission=True)
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def tem(session: Session) -> Station:
    station = session.stations["tem"]
    station.chamber.heat(-150.0).wait(30)
    return station


@pytest.fixture(scope="module")
def eels(session: Session, tem: Station) -> Station:
    return session.stations["eels"]


def last(beamline: Beamline, of: str, count: int = 1) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Frames taken last, each with what made it."""
    found = []
    for one in beamline.truth(f"truth_{of}")[-count:]:
        with h5py.File(one["file"], "r") as file:
            found.append((file["entry/data/data"][one["frame_index"]], one))
    return found


def camera_of(beamline: Beamline) -> TemCamera:
    section = beamline.config.tem
    assert section is not None
    paper = section.detector
    return TemCamera(
        paper.pixel_nm,
        paper.counts_per_electron,
        paper.read_noise_electrons,
        paper.dark_counts,
        paper.saturation_counts,
        paper.pixel_sigma,
    )


def test_gold_sets_the_camera_length(session: Session, tem: Station) -> None:
    session.RE(calibrate_camera_length(tem))
    values = tem.calibrations.store.need(Kind.CAMERA_LENGTH).values
    true = 140.0 * HiddenTem.draw(1).camera_length
    sigma = float(np.hypot(values["sigma_stat"], values["sigma_sys"]))
    assert values["camera_px_angstrom"] == pytest.approx(true, abs=3.0 * sigma)
    assert sigma < 0.3
    assert tem.scan.mode.get(as_string=True) == "image"


def test_a_film_without_rings_leaves_the_camera_length_as_it_was(session: Session, tem: Station) -> None:
    before = tem.calibrations.store.latest(Kind.CAMERA_LENGTH)
    tem.beam.emission.set("off").wait(10)
    try:
        with pytest.raises(TemError):
            session.RE(calibrate_camera_length(tem))
    finally:
        tem.beam.emission.set("on").wait(10)
        tem.scan.mode.set("image").wait(10)
    assert tem.calibrations.store.latest(Kind.CAMERA_LENGTH) == before


def test_a_whisker_and_its_crystal_are_found(
    session: Session, tem: Station, beamline: Beamline, documents: Documents
) -> None:
    session.RE(take_images(tem, "deposit", 1, 1.0))
    (image, truth), *_ = last(beamline, "tem")
    shape = deposit_shape(image, camera_of(beamline))
    assert truth["deposit"]["habit"] == "whisker"
    assert shape.habit is Habit.WHISKER
    assert len(shape.kinks) == len(truth["deposit"]["kinks"])
    tem.scan.mode.set("diffraction").wait(10)
    try:
        session.RE(take_images(tem, "deposit", 1, 1.0))
    finally:
        tem.scan.mode.set("image").wait(10)
    (pattern, _), *_ = last(beamline, "tem")
    values = tem.calibrations.store.need(Kind.CAMERA_LENGTH).values
    camera = Estimate(values["camera_px_angstrom"], values["sigma_stat"], values["sigma_sys"])
    assert pattern_finding(pattern, camera).order is Order.CRYSTALLINE
    modes = [event["data"]["tem_scan_mode"] for event in documents.events("tem")]
    assert modes == ["image", "diffraction"]
    assert documents.events("tem")[0]["data"]["tem_column_voltage_kv"] == 200.0


def test_dose_of_camera_and_spectrometer_adds_up_and_eats_lithium(
    session: Session, tem: Station, eels: Station, beamline: Beamline
) -> None:
    session.RE(take_images(tem, "deposit", 1, 1.0))
    ((_, first),) = last(beamline, "tem")
    session.RE(take_images(eels, "deposit", 1, 10.0))
    ((_, spectra),) = last(beamline, "eels")
    assert spectra["before"] == pytest.approx(first["before"] + first["dose_e_per_a2"])
    session.RE(take_images(tem, "deposit", 1, 1.0))
    ((_, after),) = last(beamline, "tem")
    assert after["before"] == pytest.approx(spectra["before"] + spectra["dose_e_per_a2"])
    assert spectra["dose_e_per_a2"] > 1000.0 * first["dose_e_per_a2"]
    assert after["lithium_left"] < 0.5 < first["lithium_left"]


def test_spectra_of_a_nanobattery_have_their_zero_loss(
    session: Session, eels: Station, beamline: Beamline, documents: Documents
) -> None:
    section = beamline.config.eels
    assert section is not None
    paper = section.detector
    session.RE(take_images(eels, "nanobattery", 1, 10.0))
    ((frame, truth),) = last(beamline, "eels")
    assert frame.shape == paper.shape
    low, core = unpacked(frame, paper.points)
    assert low.shape == core.shape == (*paper.points, paper.channels)
    camera = EelsCamera(
        paper.dispersion_ev,
        paper.low_first_ev,
        paper.core_first_ev,
        paper.low_share,
        paper.counts_per_electron,
        paper.read_noise_electrons,
        paper.saturation_counts,
        paper.point_spread,
    )
    dark = np.full(paper.channels, float(np.median(low[..., :40])))
    electrons = electrons_of(low, dark, camera)
    found = zero_loss_ev(electrons, camera)
    hidden = HiddenEels.draw(1)
    # Half a channel.
    true_ev = hidden.offset_ev + truth["drift_mean_ev"]
    assert float(found.mean()) == pytest.approx(true_ev, abs=0.5 * paper.dispersion_ev)
    assert float(np.std(found)) == pytest.approx(truth["drift_ev"], rel=0.3)
    assert documents.events("eels")[0]["data"]["eels_scan_step_nm"] == 1.0


def test_the_gun_has_limits_of_its_own(tem: Station) -> None:
    assert tem.beam.voltage_kv.limits == (60.0, 300.0)
    assert tem.beam.current_na.limits == (0.0, 10.0)
    assert tem.beam.field_of_view_um.limits == (0.05, 50.0)
    tem.beam.current_na.set(0.02).wait(10)
    tem.beam.current_na.set(0.05).wait(10)


def test_the_stage_is_cold_and_the_chamber_has_its_own_gauge(tem: Station, session: Session) -> None:
    assert float(tem.chamber.temperature_c.get()) == pytest.approx(-150.0, abs=0.6)
    tem.chamber.gate_valve.put("open", wait=True)
    try:
        wait_for(lambda: "gate valve" in tem.unavailable(), 10, "the open valve is noticed")
    finally:
        tem.chamber.pump().wait(30)
    assert tem.unavailable() == ""


def test_what_is_hidden_is_kept_beside_the_truth(beamline: Beamline) -> None:
    for name, drawn in (("tem", HiddenTem.draw(1).camera_length), ("eels", HiddenEels.draw(1).offset_ev)):
        kept = json.loads(beamline.config.stored(f"simulator/hidden_{name}.json").read_text())
        assert drawn in kept.values()

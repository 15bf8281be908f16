"""A transmission electron microscope and the spectrometer on it: camera length, deposits, spectra."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from beamline import Beamline, start_beamline
from intercalate.calibrations import Calibration, Kind
from intercalate.devices.station import Station
from intercalate.loss_maps import reduce_compounds
from intercalate.loss_references import references_of
from intercalate.reduction.eels import EelsError
from intercalate.reduction.tem import TemError
from intercalate.results import write_results
from intercalate.session import Session
from intercalate.spectrum_frames import unpacked
from intercalate.tem_results import reduce_losses, reduce_transmission
from intercalate_plans import (
    calibrate_camera_length,
    image_under_bias,
    measure_dose_rate,
    measure_thickness,
    scan_losses,
    take_images,
    take_references,
)
from intercalate_sims.probes.eels_instrument import HiddenEels
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


def reduced(documents: Documents, beamline: Beamline, of: str, known: dict[str, Calibration]) -> xr.Dataset:
    """What the reduction makes of all frames so far, from their events and files."""
    events = documents.events(of)
    frames = [frame for frame, _ in last(beamline, of, len(events))]
    keys = {
        "tem": ("scan_mode", "detector_cam_acquire_time"),
        "eels": ("scan_step_nm", "scan_row_step_nm"),
    }[of]
    columns = {key: [event["data"][f"{of}_{key}"] for event in events] for key in keys}
    columns["beam_quality"] = [event["data"][f"{of}_monitors_quality"] for event in events]
    aligned = xr.Dataset({name: ("frame", np.array(values)) for name, values in columns.items()})
    aligned = aligned.rename({"detector_cam_acquire_time": "exposure_s"} if of == "tem" else {})
    if of == "eels":
        assert beamline.config.eels is not None
        data = reduce_losses(frames, aligned, beamline.config.eels, lambda done: None)
        references, used = references_of(known)
        assert used == known
        if references:
            data = data.merge(reduce_compounds(frames, aligned, references, beamline.config.eels))
        return aligned.merge(data)
    assert beamline.config.tem is not None
    data, used = reduce_transmission(frames, aligned, known, beamline.config.tem, lambda done: None)
    assert used == known
    return aligned.merge(data)


def assert_is_written(data: xr.Dataset, technique: str, folder: Path, kinds: set[str]) -> None:
    """Files of a run are written, and the table has a row for each frame."""
    paths = write_results(None, data.assign_attrs(technique=technique, sample="thin", simulated=1), folder)
    assert set(paths) == kinds
    assert all(path.stat().st_size > 0 for path in paths.values())
    with xr.open_dataset(paths["nc"]) as kept:
        assert kept.sizes["frame"] == data.sizes["frame"]
    rows = [line for line in paths["csv"].read_text().splitlines() if not line.startswith("#")]
    assert len(rows) == 1 + data.sizes["frame"]


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
    assert tem.calibrations.store.latest(Kind.CAMERA_LENGTH) == before
    assert tem.scan.mode.get(use_monitor=False) == "image"


def test_a_dose_rate_that_cannot_be_measured_leaves_the_mode_as_it_was(
    session: Session, tem: Station
) -> None:
    tem.scan.mode.set("diffraction").wait(10)
    tem.beam.emission.set("off").wait(10)
    try:
        with pytest.raises(TemError):
            session.RE(measure_dose_rate(tem))
        assert tem.scan.mode.get(use_monitor=False) == "diffraction"
    finally:
        tem.beam.emission.set("on").wait(10)
        tem.scan.mode.set("image").wait(10)


def test_a_whisker_and_its_crystal_are_found(
    session: Session, tem: Station, beamline: Beamline, documents: Documents, tmp_path: Path
) -> None:
    for mode, at in (("image", "deposit"), ("diffraction", "deposit"), ("image", "empty")):
        tem.scan.mode.set(mode).wait(10)
        session.RE(take_images(tem, at, 1, 1.0))
    length = tem.calibrations.store.need(Kind.CAMERA_LENGTH)
    data = reduced(documents, beamline, "tem", {length.name: length})
    (_, truth), *_ = last(beamline, "tem", 3)
    assert list(data["habit"].values) == [truth["deposit"]["habit"], "", ""] == ["whisker", "", ""]
    assert list(data["filling"].values) == ["filled", "", ""]
    assert int(data["kinks"][0]) == len(truth["deposit"]["kinks"])
    # A whisker ends round, half its width beyond its axis.
    size_nm, width_nm = truth["deposit"]["size_nm"], truth["deposit"]["width_nm"]
    for name, true in {"length_nm": size_nm + width_nm, "width_nm": width_nm}.items():
        sigma = float(np.hypot(data[f"{name}_sigma_stat"][0], data[f"{name}_sigma_sys"][0]))
        assert float(data[name][0]) == pytest.approx(true, abs=3.0 * sigma)
    assert list(data["order"].values) == ["", "crystalline", ""]
    assert str(data["note"][2].values)
    assert float(data["dose_e_per_a2"][0]) == pytest.approx(truth["dose_e_per_a2"], rel=0.15)
    assert documents.events("tem")[0]["data"]["tem_column_voltage_kv"] == 200.0
    assert_is_written(data, "tem", tmp_path, {"csv", "nc", "frames"})


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


def test_spectra_of_a_nanobattery_tell_zero_loss_and_thickness(
    session: Session, eels: Station, beamline: Beamline, documents: Documents, tmp_path: Path
) -> None:
    assert beamline.config.eels is not None
    paper = beamline.config.eels.detector
    session.RE(take_images(eels, "nanobattery", 1, 10.0))
    session.RE(take_images(eels, "empty", 1, 10.0))
    (frame, truth), (_, nothing) = last(beamline, "eels", 2)
    low, core = unpacked(frame, paper.points)
    assert low.shape == core.shape == (*paper.points, paper.channels)
    data = reduced(documents, beamline, "eels", {})
    assert list(data["note"].values) == ["", ""]
    # Half a channel.
    true_ev = HiddenEels.draw(1).offset_ev + truth["drift_mean_ev"]
    assert float(data["zero_loss_ev"][0]) == pytest.approx(true_ev, abs=0.5 * paper.dispersion_ev)
    assert float(data["zero_loss_scatter_ev"][0]) == pytest.approx(truth["drift_ev"], rel=0.3)
    sigma = np.hypot(data["t_over_lambda_sigma_stat"], data["t_over_lambda_sigma_sys"])
    true = [truth["t_over_lambda"], nothing["t_over_lambda"]]
    assert true[0] > 0.2
    assert true[1] == 0.0
    assert np.all(np.abs(np.asarray(data["t_over_lambda"]) - true) < 3.0 * np.asarray(sigma))
    assert np.all(np.asarray(data["t_over_lambda"])[0] > 5.0 * np.asarray(sigma)[0])
    assert list(data["scan_step_nm"].values) == [1.0, 1.0]
    assert_is_written(data, "eels", tmp_path, {"csv", "nc", "thickness"})


def test_images_are_taken_under_voltage_and_the_holder_left_without(
    session: Session, tem: Station, beamline: Beamline, documents: Documents
) -> None:
    before = len(beamline.truth("truth_tem"))
    with pytest.raises(ValueError, match="bias_v"):
        session.RE(image_under_bias(tem, [{"content": "empty", "bias_v": 60.0}], 1.0))
    with pytest.raises(ValueError, match="temperature_c is 400; the stage bears -190 to 100"):
        session.RE(image_under_bias(tem, [{"content": "empty"}], 1.0, 400.0))
    assert len(beamline.truth("truth_tem")) == before
    tem.scan.mode.set("diffraction").wait(10)
    asked = [{"content": "empty", "bias_v": bias_v, "beside_mm": 0.01} for bias_v in (-0.2, 0.3)]
    session.RE(image_under_bias(tem, asked, 1.0, -150.0))
    events = [event["data"] for event in documents.events("tem")]
    assert [event["tem_scan_bias_v"] for event in events] == [-0.2, 0.3]
    assert [event["tem_scan_mode"] for event in events] == ["image", "image"]
    assert tem.scan.mode.get(use_monitor=False) == "diffraction"
    assert float(tem.scan.bias_v.get()) == 0.0
    # A cold stage stays cold; a hot one does not stay hot.
    assert float(tem.chamber.temperature_c.get_setpoint()) == -150.0
    try:
        session.RE(image_under_bias(tem, asked[:1], 1.0, 40.0))
        assert tem.chamber.temperature_c.get_setpoint() == tem.chamber.rest_c.get()
    finally:
        tem.chamber.heat(-150.0).wait(30)


def test_a_battery_is_scanned_under_voltage_and_left_without(
    session: Session, eels: Station, beamline: Beamline, documents: Documents
) -> None:
    steps = {"content": "nanobattery", "step_nm": 1.0, "row_step_nm": 4.0}
    before = len(beamline.truth("truth_eels"))
    with pytest.raises(ValueError, match="bias_v"):
        session.RE(scan_losses(eels, [steps | {"bias_v": 60.0}], 10.0))
    with pytest.raises(ValueError, match="temperature_c is 400; the stage bears -190 to 100"):
        session.RE(scan_losses(eels, [steps], 10.0, 400.0))
    assert len(beamline.truth("truth_eels")) == before
    scans = [steps | {"beside_mm": 0.01}, steps | {"beside_mm": 0.02, "bias_v": 4.2}]
    session.RE(scan_losses(eels, scans, 10.0))
    assert [event["data"]["eels_scan_bias_v"] for event in documents.events("eels")] == [0.0, 4.2]
    assert float(eels.scan.bias_v.get()) == 0.0
    assert float(eels.scan.row_step_nm.get(use_monitor=False)) == 1.0
    (_, one), (_, two) = last(beamline, "eels", 2)
    # Each is of a fresh area, and gets a quarter of the dose that rows 1 nm apart would have given.
    assert one["before"] == two["before"] == 0.0
    per_pixel = 0.05e-9 / 1.602e-19 * 10.0 / 1024
    assert one["dose_e_per_a2"] == pytest.approx(per_pixel / 400.0, rel=0.2)


def test_without_electrons_nothing_is_said(
    session: Session, tem: Station, eels: Station, beamline: Beamline, documents: Documents
) -> None:
    tem.beam.emission.set("off").wait(10)
    try:
        session.RE(take_images(tem, "deposit", 1, 1.0))
        session.RE(take_images(eels, "nanobattery", 1, 10.0))
    finally:
        tem.beam.emission.set("on").wait(10)
    assert "no electrons" in str(reduced(documents, beamline, "tem", {})["note"][0].values)
    data = reduced(documents, beamline, "eels", {})
    assert "no electrons" in str(data["note"][0].values)
    assert not np.isfinite(data["t_over_lambda_profile"]).any()


def test_the_dose_rate_is_measured_in_a_hole(session: Session, tem: Station, beamline: Beamline) -> None:
    session.RE(measure_dose_rate(tem))
    kept = tem.calibrations.store.need(Kind.DOSE_RATE).values
    (_, truth), *_ = last(beamline, "tem")
    sigma = float(np.hypot(kept["e_per_a2_s_sigma_stat"], kept["e_per_a2_s_sigma_sys"]))
    assert kept["e_per_a2_s"] == pytest.approx(truth["dose_e_per_a2"], abs=3 * sigma)
    assert kept["said_e_per_a2_s"] == pytest.approx(truth["dose_e_per_a2"], rel=0.2)
    assert sigma < 0.1 * kept["e_per_a2_s"]


def test_thickness_and_zero_loss_are_measured_by_losses(
    session: Session, eels: Station, beamline: Beamline
) -> None:
    for at in ("empty", "LiCoO2"):
        session.RE(measure_thickness(eels, at))
        kept = eels.calibrations.store.need(Kind.THICKNESS, at).values
        (_, truth), *_ = last(beamline, "eels")
        sigma = float(np.hypot(kept["t_over_lambda_sigma_stat"], kept["t_over_lambda_sigma_sys"]))
        assert kept["t_over_lambda"] == pytest.approx(truth["t_over_lambda"], abs=3 * sigma)
        assert 0.5 < kept["zero_loss_width_ev"] < 3.0
        assert kept["zero_loss_ev"] == pytest.approx(truth["drift_mean_ev"], abs=1.0)


def test_references_are_measured_and_an_unknown_is_read_by_them(
    session: Session, eels: Station, beamline: Beamline, documents: Documents, tmp_path: Path
) -> None:
    assert beamline.config.eels is not None
    store, films = eels.calibrations.store, beamline.config.eels.detector.films
    session.RE(take_references(eels))
    kept = {one.key: one for one in store.in_use().values() if one.kind is Kind.COMPOUND}
    assert sorted(kept) == sorted(films)
    taken = {truth["content"]: truth for _, truth in last(beamline, "eels", len(films))}
    for compound, one in kept.items():
        assert one.values["thickness_nm"] == 50.0
        assert one.values["temperature_c"] == -150.0
        # By the account of doses, which the plan asked.
        had = taken[compound]["before"] + taken[compound]["dose_e_per_a2"]
        assert one.values["dose_e_per_a2"] == pytest.approx(had, rel=0.05)
    assert float(eels.scan.step_nm.get(use_monitor=False)) == 1.0
    eels.scan.row_step_nm.set(30.0).wait(10)
    try:
        session.RE(take_images(eels, "nanobattery", 1, 70.0, [0.0, 0.03]))
        session.RE(take_images(eels, "empty", 1, 70.0))
    finally:
        eels.scan.row_step_nm.set(1.0).wait(10)
    data = reduced(documents, beamline, "eels", {one.name: one for one in kept.values()})
    assert list(data["compound_note"].values) == ["", ""]
    (_, battery), _ = last(beamline, "eels", 2)
    true = battery["thickness_nm"]
    true["all with Co"] = true["LiCoO2"] + true.get("Co3O4", 0.0)
    for name in ("LiPON", "Li2O", "Li2O2", "all with Co"):
        value, sigma = (
            np.asarray(data[f"mean_nm.{name}"]),
            np.hypot(data[f"mean_nm.{name}_sigma_stat"], data[f"mean_nm.{name}_sigma_sys"]).values,
        )
        assert value[0] == pytest.approx(true.get(name, 0.0), abs=3.0 * sigma[0]), name
        assert value[1] == pytest.approx(0.0, abs=3.0 * sigma[1] + 0.2), name
    assert float(data["mean_nm.LiPON"][0]) > 5.0 * float(data["mean_nm.LiPON_sigma_sys"][0])
    assert_is_written(data, "eels", tmp_path, {"csv", "nc", "thickness", "compounds"})


def test_what_is_no_film_of_a_compound_is_no_reference_of_it(
    session: Session, eels: Station, beamline: Beamline
) -> None:
    def now() -> list[str]:
        return [one.sha256 for one in eels.calibrations.store]

    before, places = now(), eels.changer.places
    taken = len(beamline.truth("truth_eels"))
    with pytest.raises(ValueError, match=r"there is no film of 'LiCoO'.*LiCoO2"):
        session.RE(take_references(eels, ["LiCoO"]))
    with pytest.raises(ValueError, match="step_nm is 500"):
        session.RE(take_references(eels, step_nm=500.0))
    assert len(beamline.truth("truth_eels")) == taken
    with pytest.raises(EelsError, match=r"film of Li2O2 into something else.*take a larger step"):
        session.RE(take_references(eels, ["Li2O2"], 70.0, 0.5))
    # Somebody has put another film there.
    right = places["Li2O"]
    places["Li2O"] = replace(right, x_mm=places["CoO"].x_mm)
    try:
        with pytest.raises(EelsError, match="the film of Li2O shows the edge Co L3"):
            session.RE(take_references(eels, ["Li2O"]))
    finally:
        places["Li2O"] = right
    assert now() == before


def test_the_account_of_doses_is_that_of_every_place(
    session: Session, tem: Station, eels: Station, beamline: Beamline, documents: Documents
) -> None:
    at, steps = [0.0, 0.05], {"content": "nanobattery", "step_nm": 1.0, "row_step_nm": 4.0}
    tem.scan.mode.set("image").wait(10)
    session.RE(take_images(tem, "nanobattery", 2, 1.0, at))
    session.RE(scan_losses(eels, [steps | {"beside_mm": 0.05}] * 2, 10.0))
    for of, size in (("tem", 2), ("eels", 2)):
        frames, events = last(beamline, of, size), documents.events(of)
        for (_, truth), event in zip(frames, events, strict=True):
            given, had = (event["data"][f"{of}_dose_{what}_e_a2"] for what in ("exposure", "spot"))
            assert given == pytest.approx(truth["dose_e_per_a2"], rel=0.05)
            assert had == pytest.approx(truth["before"] + truth["dose_e_per_a2"], rel=0.05)
    # A focused beam gives its field hundreds of times what an image gives it.
    assert given > 100.0 * documents.events("tem")[0]["data"]["tem_dose_exposure_e_a2"]


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
        wait_for(lambda: "gate valve" in tem.unavailable(), 30, "the open valve is noticed")
    finally:
        tem.chamber.pump().wait(30)
    assert tem.unavailable() == ""


def test_what_is_hidden_is_kept_beside_the_truth(beamline: Beamline) -> None:
    for name, drawn in (("tem", HiddenTem.draw(1).camera_length), ("eels", HiddenEels.draw(1).offset_ev)):
        kept = json.loads(beamline.config.stored(f"simulator/hidden_{name}.json").read_text())
        assert drawn in kept.values()

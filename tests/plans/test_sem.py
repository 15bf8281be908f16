"""An electron microscope and its detector of X-rays: calibrations, layers of a cell, refusals."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import h5py
import numpy as np
import pytest
import xarray as xr

from beamline import Beamline, start_beamline
from intercalate.calibrations import Kind
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.devices.station import Station
from intercalate.orchestration.tasks import TasksError
from intercalate.protocol import Protocol
from intercalate.reduction.eds import LithiumVerdict, SpectrumError
from intercalate.reduction.micrographs import MicrographError
from intercalate.sem_results import reduce_micrographs, reduce_x_rays
from intercalate.session import Session
from intercalate_plans import (
    calibrate_scale,
    calibrate_x_ray_energy,
    find_section,
    measure_current,
    operando_cells,
)
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(120)]

LOSSES = {"on_abort": "rest", "on_client_lost": "rest"}
BACKSCATTERED = {"image_detector": "backscattered electrons", "field_of_view_um": 160.0}


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("sem"), rate=2000.0, vacuum=True)
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def hidden(beamline: Beamline) -> dict[str, Any]:
    return json.loads(beamline.config.stored("simulator/hidden_sem.json").read_text())


@pytest.fixture(scope="module")
def sem(session: Session) -> Station:
    """Calibrated, with the cut of the cell in the middle of the image."""
    station = session.stations["sem"]
    session.RE(calibrate_scale(station))
    session.RE(find_section(station, "V2"))
    return station


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "lfp_polymer_lithium.toml")


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return Protocol.from_file(EXAMPLES / "protocols" / "lfp_c5.json")


def task(cell: Cell, protocol: Protocol, *measurements: dict[str, Any]) -> dict[str, Any]:
    common = {"budget_e_A2": "unlimited"}
    return {
        "place": "V2",
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": protocol.model_dump(mode="json", exclude_none=True),
        "measurements": [{**common, **one} for one in measurements],
    }


def images(every_s: float = 2400.0, **changes: Any) -> dict[str, Any]:
    return {
        "name": "sem",
        "instrument": "sem",
        "when": {"every": {"time_s": every_s}},
        "exposure_s": 20.0,
        "settings": BACKSCATTERED,
        **changes,
    }


def both(session: Session, one: dict[str, Any]) -> Any:
    return operando_cells(list(session.cyclers.values()), list(session.stations.values()), [one], **LOSSES)


def frames_of(documents: Documents, beamline: Beamline, stream: str) -> tuple[np.ndarray, xr.Dataset]:
    """Frames of a run from the files that its truth names, and what its events say of them."""
    events, truth = documents.events(stream), beamline.truth(f"truth_{stream}")
    truth = truth[-len(events) :]
    files = {one["file"] for one in truth}
    assert len(files) == 1
    with h5py.File(Path(files.pop()), "r") as file:
        stored = file["entry/data/data"][:][[one["frame_index"] for one in truth]]
    keys = ("voltage_kv", "current_na", "field_of_view_um")
    columns = {f"column_{key}": [event["data"][f"column_{key}"] for event in events] for key in keys}
    return stored, xr.Dataset({name: ("frame", np.array(values)) for name, values in columns.items()})


def test_the_grid_gives_the_size_of_a_pixel(sem: Station, hidden: dict[str, Any]) -> None:
    values = sem.calibrations.store.need(Kind.SCALE).values
    true = hidden["microscope"]["scale"]
    assert abs(values["pixel_ratio"] - true) < 3 * values["pixel_ratio_sigma"]
    assert abs(true - 1.0) > 3 * values["pixel_ratio_sigma"], "else nothing was measured"


def test_the_cup_gives_the_current(session: Session, sem: Station, beamline: Beamline) -> None:
    session.RE(measure_current(sem))
    values = sem.calibrations.store.need(Kind.CURRENT).values
    # 1e4 electrons are a count of I0, before the sample, and none of them is lost in the cup.
    i0 = float(sem.monitors.i0_counts.get()) * 1e4 * 1.602176634e-19 / 10.0 * 1e9
    assert values["current_na"] == pytest.approx(i0, rel=3e-3)
    assert values["said_na"] == 0.5


def test_the_cut_is_in_the_middle_of_the_image(sem: Station) -> None:
    values = sem.calibrations.store.need(Kind.POSITION, "V2").values
    assert values["height_um"] == pytest.approx(125.0, abs=6.0)
    assert sem.changer.centre_mm("V2") == (values["x_mm"], values["y_mm"])


def test_layers_follow_the_charge(
    session: Session, sem: Station, cell: Cell, protocol: Protocol, beamline: Beamline, documents: Documents
) -> None:
    session.RE(both(session, task(cell, protocol, images())))
    stored, aligned = frames_of(documents, beamline, "sem")
    section = beamline.config.sem
    assert section is not None
    known = {str(Kind.SCALE): sem.calibrations.store.need(Kind.SCALE)}
    data, used = reduce_micrographs(stored, aligned, known, section, cell, lambda done: None)
    assert set(used) == {"scale"}
    assert not "".join(data["note"].values)
    true = np.array([one["layers_um"] for one in beamline.truth("truth_sem")[-len(stored) :]])
    names = ("Li", "polymer", "LFP")
    for number, name in enumerate(names):
        found = data[f"thickness_um.{name}"].values
        sigma = np.hypot(
            data[f"thickness_um.{name}_sigma_stat"].values, data[f"thickness_um.{name}_sigma_sys"].values
        )
        assert np.all(np.abs(found - true[:, number]) < 3 * sigma), name
    lithium = data["thickness_um.Li"].values
    # 1.2 mAh/cm2 are 5.8 um of dense lithium.
    assert 5.0 < lithium.max() - lithium[0] < 7.5
    assert abs(lithium[-1] - lithium[0]) < 0.8


def test_an_image_in_which_layers_look_alike_is_refused(
    session: Session, sem: Station, cell: Cell, protocol: Protocol, beamline: Beamline, documents: Documents
) -> None:
    secondary = {**BACKSCATTERED, "image_detector": "secondary electrons"}
    session.RE(both(session, task(cell, protocol, images(12000.0, settings=secondary))))
    stored, aligned = frames_of(documents, beamline, "sem")
    section = beamline.config.sem
    assert section is not None
    data, _ = reduce_micrographs(stored, aligned, {}, section, cell, lambda done: None)
    assert all("choose backscattered electrons" in note for note in data["note"].values)
    assert "thickness_um.Li" not in data


def test_x_rays_tell_the_elements_and_whether_lithium_is_seen(
    session: Session, sem: Station, cell: Cell, protocol: Protocol, beamline: Beamline, documents: Documents
) -> None:
    eds = session.stations["eds"]
    session.RE(calibrate_x_ray_energy(eds))
    assert float(eds.beam.voltage_kv.get()) == 5.0, "it was set back"
    one = {
        "name": "eds",
        "instrument": "eds",
        "when": {"every": {"time_s": 18000.0}},
        "exposure_s": 60.0,
        "settings": {"field_of_view_um": 160.0, "voltage_kv": 4.0},
    }
    session.RE(both(session, task(cell, protocol, one)))
    stored, aligned = frames_of(documents, beamline, "eds")
    assert set(aligned["column_voltage_kv"].values) == {4.0}
    section = beamline.config.eds
    assert section is not None
    known = {str(Kind.ENERGY): eds.calibrations.store.need(Kind.ENERGY)}
    data, used = reduce_x_rays(stored, aligned, known, section, cell, lambda done: None)
    assert set(used) == {"energy"}
    assert not "".join(data["note"].values)
    assert {"mass_fraction.P", "mass_fraction.Fe", "mass_fraction.O", "mass_fraction.C"} <= set(data)
    assert not [name for name in data if str(name).startswith("mass_fraction.Li")]
    assert set(data["lithium"].values) == {LithiumVerdict.DETECTED}
    doses = [event["data"]["eds_dose_spot_e_a2"] for event in documents.events("eds")]
    assert np.all(np.diff(doses) > 0), "images before count for the same place"
    assert doses[0] > 1.5 * documents.events("eds")[0]["data"]["eds_dose_exposure_e_a2"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"field_of_view": 10.0}}, "settings.field_of_view.*did you mean field_of_view_um"),
        ({"settings": {"voltage_kv": 200.0}}, "settings.voltage_kv = 200.*from 0.5 to 30"),
        ({"settings": {"image_detector": "SE"}}, "no such choice.*secondary electrons"),
        ({"budget_e_A2": None, "budget_MGy": 1.0}, "doses of sem are in e/A2; give budget_e_A2"),
        ({"regions": ["C 1s"]}, "sem has no analyser"),
        ({"budget_e_A2": 1e-6}, r"a single frame of 20 s gives \S+ e/A2"),
    ],
)
def test_what_it_cannot_do_is_refused(
    session: Session, cell: Cell, protocol: Protocol, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(TasksError, match=words):
        session.RE(both(session, task(cell, protocol, images(**changes))))


def test_a_cut_that_is_larger_than_the_image_is_found_in_a_larger_one(session: Session, sem: Station) -> None:
    before = sem.changer.centre_mm("V2")
    session.RE(find_section(sem, "V2", 60.0))
    found = sem.calibrations.store.latest(Kind.POSITION, "V2")
    assert found is not None
    assert found.values["height_um"] > 60.0
    assert found.values["y_mm"] == pytest.approx(before[1], abs=0.005)


def test_no_cut_is_no_position(session: Session, sem: Station) -> None:
    before = sem.changer.centre_mm("cup")
    scan, column = sem.scan, sem.beam
    scan.image_detector.set("backscattered electrons").wait(10)
    with pytest.raises(MicrographError, match="no cut is to be seen"):
        session.RE(find_section(sem, "cup"))
    assert sem.changer.centre_mm("cup") == before
    assert scan.image_detector.get(use_monitor=False) == "backscattered electrons"
    assert float(column.field_of_view_um.get(use_monitor=False)) == 160.0


def test_calibrations_without_electrons_leave_the_column_as_it_was(session: Session, sem: Station) -> None:
    eds = session.stations["eds"]
    settings = (sem.beam.field_of_view_um, sem.beam.voltage_kv)
    for signal, value in zip(settings, (150.0, 6.0)):
        signal.set(value).wait(10)
    sem.beam.emission.set("off").wait(10)
    try:
        with pytest.raises(MicrographError):
            session.RE(calibrate_scale(sem, 90.0))
        with pytest.raises(SpectrumError):
            session.RE(calibrate_x_ray_energy(eds, 1.0))
    finally:
        sem.beam.emission.set("on").wait(10)
    assert [float(signal.get(use_monitor=False)) for signal in settings] == [150.0, 6.0]


def test_the_column_is_off_in_a_bad_vacuum(session: Session, sem: Station) -> None:
    leak = epics.PV(f"{sem.chamber.prefix}Knob:Leak", auto_monitor=False)
    assert leak.wait_for_connection(10)
    leak.put(1e-4, wait=True)
    try:
        wait_for(lambda: sem.unavailable() == "no electrons: its interlock is open", 20, "it is off")
    finally:
        leak.put(0.0, wait=True)
    wait_for(lambda: sem.unavailable() == "", 20, "it is on again")

"""Orientation maps of lithium on the column of an electron microscope: grains, melting, refusals."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.devices.station import Station
from intercalate.ebsd_results import reduce_orientation_maps
from intercalate.orchestration.tasks import TasksError
from intercalate.orientation_frames import unpacked
from intercalate.results import write_results
from intercalate.session import Session
from intercalate_plans import find_section, in_situ, take_images
from intercalate_sims.probes.ebsd import HiddenIndexing
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

LOSSES = {"on_abort": "rest", "on_client_lost": "rest"}
EXPOSURE_S = 120.0


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("ebsd"), rate=1000.0, vacuum=True)
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def ebsd(session: Session) -> Station:
    session.RE(find_section(session.stations["sem"], "V2"))
    return session.stations["ebsd"]


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "lfp_polymer_lithium.toml")


def task(cell: Cell, **changes: Any) -> dict[str, Any]:
    asked = {"name": "ebsd", "instrument": "ebsd", "exposure_s": EXPOSURE_S, "budget_e_A2": "unlimited"}
    return {
        "place": "V2",
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 30.0},
            "safety": {"max_voltage_V": 4.0, "min_voltage_V": 2.4, "delay_s": 5.0},
            "method": [{"step": "wait_for_release", "max_s": 5000.0}],
        },
        "measurements": [{**asked, **changes}],
    }


def held(session: Session, one: dict[str, Any]) -> Any:
    return in_situ(list(session.cyclers.values()), list(session.stations.values()), [one], **LOSSES)


def reduced(documents: Documents, beamline: Beamline) -> tuple[xr.Dataset, list[dict[str, Any]]]:
    """What the reduction makes of all maps so far, from their events and files; and the truth of them."""
    events = documents.events("ebsd")
    truth = beamline.truth("truth_ebsd")[-len(events) :]
    keys = ("scan_step_um", "monitors_quality")
    columns = {key: [event["data"][f"ebsd_{key}"] for event in events] for key in keys}
    columns["beam_quality"] = columns.pop("monitors_quality")
    columns["chamber_temperature_c"] = [event["data"]["chamber_temperature_c"] for event in events]
    aligned = xr.Dataset({name: ("frame", np.array(values)) for name, values in columns.items()})
    images = []
    for one in truth:
        with h5py.File(one["file"], "r") as file:
            images.append(file["entry/data/data"][one["frame_index"]])
    section = beamline.config.ebsd
    assert section is not None
    data, used = reduce_orientation_maps(images, aligned, {}, section, lambda done: None)
    assert not used
    return aligned.merge(data), truth


def test_lithium_melts_and_freezes_as_other_grains(
    session: Session,
    ebsd: Station,
    cell: Cell,
    beamline: Beamline,
    documents: Documents,
    tmp_path: Path,
) -> None:
    for temperature_c, count in ((25.0, 2), (200.0, 1), (25.0, 1)):
        ebsd.chamber.heat(temperature_c).wait(30)
        session.RE(take_images(ebsd, "V2", count, EXPOSURE_S))
    data, truth = reduced(documents, beamline)
    assert [one["generation"] for one in truth] == [0, 0, 0, 1]
    assert list(data["chamber_temperature_c"].values) == pytest.approx([25.0, 25.0, 200.0, 25.0], abs=1.0)
    assert list(data["grains_are"].values) == ["first", "same", "", "new"]
    assert "a melt" in str(data["note"][2].values)
    assert np.isnan(data["grain_diameter_um"][2])
    indexed = np.asarray(data["indexed_share"])
    assert indexed[2] < 0.02
    hidden = HiddenIndexing.draw(1)
    expected = truth[0]["metal_share"] * (1.0 - hidden.lost)
    # At boundaries fewer patterns are indexed.
    assert 0.8 * expected < indexed[0] < 1.02 * expected
    told = data.assign_attrs(technique="ebsd", sample=cell.name, simulated=1)
    paths = write_results(None, told, tmp_path)
    assert set(paths) == {"csv", "nc", "maps"}
    assert paths["maps"].stat().st_size > 20_000
    table = paths["csv"].read_text()
    assert "grain_diameter_um_sigma_sys" in table
    assert "colour" not in table


def test_a_measurement_brings_the_stage_to_a_temperature_at_each_visit(
    session: Session, ebsd: Station, cell: Cell, beamline: Beamline, documents: Documents
) -> None:
    settings = {"temperature_c": [25.0, 200.0, 30.0]}
    one = task(cell, settings=settings, spots_mm=[[0.5, 0.0]])
    one["protocol"]["method"] *= 3
    image = {"name": "sem", "instrument": "sem", "exposure_s": 20.0, "priority": 1, "settings": settings}
    one["measurements"].append({**image, "budget_e_A2": "unlimited", "spots_mm": [[0.5, 0.0]]})
    session.RE(held(session, one))
    for stream in ("ebsd", "sem"):
        there_c = [event["data"]["chamber_temperature_c"] for event in documents.events(stream)]
        assert there_c == pytest.approx([25.0, 200.0, 30.0], abs=0.6), stream
    before, molten, after = beamline.truth("truth_ebsd")[-3:]
    # Both find the stage as the other has left it: it was heated once.
    assert after["generation"] == molten["generation"] + 1 == before["generation"] + 1
    assert not documents.events("missed")
    # The stage comes back by itself.
    wait_for(lambda: abs(ebsd.chamber.temperature_c.get() - 25.0) < 0.6, 30, "the stage is cold")


def test_the_number_of_grains_is_true_within_those_at_the_side(
    session: Session, ebsd: Station, beamline: Beamline, documents: Documents
) -> None:
    session.RE(take_images(ebsd, "V2", 1, EXPOSURE_S))
    data, (truth,) = reduced(documents, beamline)
    assert int(data["grains"][0]) == pytest.approx(truth["grains"], rel=0.2)
    area_um2 = truth["metal_share"] * 128**2 * truth["step_um"] ** 2
    mean_um = 2.0 * np.sqrt(area_um2 / truth["grains"] / np.pi)
    sigma = np.hypot(data["grain_diameter_um_sigma_stat"][0], data["grain_diameter_um_sigma_sys"][0])
    sigma = float(np.hypot(sigma, data["diameter_sampling_um"][0]))
    assert float(data["grain_diameter_um"][0]) == pytest.approx(mean_um, abs=3.0 * sigma)


def test_a_measurement_sets_step_and_tilt_and_doses_are_those_of_the_column(
    session: Session, ebsd: Station, cell: Cell, beamline: Beamline, documents: Documents
) -> None:
    spot = [[1.0, 0.0]]
    one = task(cell, settings={"step_um": 0.8, "tilt_deg": 60.0, "field_of_view_um": 110.0}, spots_mm=spot)
    session.RE(held(session, one))
    (event,) = documents.events("ebsd")
    assert event["data"]["ebsd_scan_step_um"] == 0.8
    assert event["data"]["ebsd_scan_tilt_deg"] == 60.0
    # The column gives all of its electrons to the map, 128 points of 0.8 um, which lies within the field.
    (truth,) = beamline.truth("truth_ebsd")[-1:]
    electrons_a2 = truth["electrons"] / (128 * 0.8e4) ** 2
    for what in ("exposure", "spot"):
        assert event["data"][f"ebsd_dose_{what}_e_a2"] == pytest.approx(electrons_a2, rel=0.01)
    assert electrons_a2 == pytest.approx(0.5e-9 / 1.602e-19 * EXPOSURE_S / 1.024e6**2, rel=0.2)
    session.RE(held(session, task(cell, name="eds", instrument="eds", spots_mm=spot, exposure_s=60.0)))
    (event,) = documents.events("eds")
    # X-rays are of the whole field, in half the time.
    field_a2 = 0.5 * electrons_a2 * (102.4 / 110.0) ** 2
    assert event["data"]["eds_dose_exposure_e_a2"] == pytest.approx(field_a2, rel=0.03)
    assert event["data"]["eds_dose_spot_e_a2"] == pytest.approx(electrons_a2 + field_a2, rel=0.03)
    ebsd.beam.field_of_view_um.set(160.0).wait(10)
    ebsd.scan.step_um.set(1.25).wait(10)
    ebsd.scan.tilt_deg.set(70.0).wait(10)


def test_nothing_is_indexed_where_there_is_no_lithium_or_no_beam(
    session: Session, ebsd: Station, beamline: Beamline, documents: Documents
) -> None:
    session.RE(take_images(ebsd, "grid", 1, EXPOSURE_S))
    ebsd.beam.emission.set("off").wait(10)
    try:
        session.RE(take_images(ebsd, "V2", 1, EXPOSURE_S))
    finally:
        ebsd.beam.emission.set("on").wait(10)
    data, _ = reduced(documents, beamline)
    assert list(data["grains"].values) == [0, 0]
    assert "0 % of the points show a pattern" in str(data["note"][0].values)
    assert "no electrons" in str(data["note"][1].values)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"step_um": 50.0}}, r"settings\.step_um = 50.*a number from 0\.02 to 20"),
        ({"settings": {"temperature_c": 500.0}}, r"temperature_c = 500.*a number from -180 to 400"),
        ({"settings": {"temperature_c": [25.0, 401.0]}}, r"temperature_c\[1\] = 401.*from -180 to 400"),
        ({"settings": {"temperature_c": ["hot"]}}, r"temperature_c = .*hot.*it must be a number"),
        ({"settings": {"image_detector": "secondary electrons"}}, "ebsd has no such setting"),
        ({"budget_e_A2": None, "budget_MGy": 5.0}, "give budget_e_A2"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_moves(
    session: Session,
    ebsd: Station,
    cell: Cell,
    documents: Documents,
    changes: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises(TasksError, match=words):
        session.RE(held(session, task(cell, **changes)))
    assert not documents.of("start")


def test_what_is_hidden_is_kept_beside_the_truth_and_nowhere_in_the_frames(beamline: Beamline) -> None:
    kept = json.loads(beamline.config.stored("simulator/hidden_ebsd.json").read_text())
    assert kept["noise_deg"] == HiddenIndexing.draw(1).noise_deg
    one = beamline.truth("truth_ebsd")[0]
    with h5py.File(one["file"], "r") as file:
        frame = file["entry/data/data"][one["frame_index"]]
    found = unpacked(frame)
    assert found.euler_deg.shape == (128, 128, 3)
    assert found.band_contrast.max() <= 255

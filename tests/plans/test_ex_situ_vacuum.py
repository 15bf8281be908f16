"""A cell that is cycled, taken apart in a glovebox, and measured in the vacuum chamber."""

import math
from collections.abc import Iterator
from typing import Any

import epics
import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.calibrations import Kind
from intercalate.cell import Cell
from intercalate.dose import dose_gy
from intercalate.orchestration.tasks import TasksError
from intercalate.session import Session
from intercalate_plans import (
    bring_back,
    ex_situ,
    register_marks,
    take_images,
)
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

FREE = {"budget_MGy": "unlimited"}


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    folder = tmp_path_factory.mktemp("opened")
    running = start_beamline(folder, rate=2000.0, ex_situ=True, vacuum=True)
    yield running
    running.services.stop()


def plan(session: Session, cell: Cell, place: str, **changes: Any) -> Any:
    task = {
        "place": place,
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 20.0},
            "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
            "method": [
                {"step": "constant_current", "rate_C": 0.1, "until_time_s": 300.0},
                {"step": "open_circuit_voltage", "until_time_s": 600.0},
            ],
        },
    }
    transfer = {
        "to": "xps",
        "opened": "negative",
        "max_o2_ppm": 1.0,
        "max_h2o_ppm": 1.0,
        "max_minutes": 60.0,
        "max_pressure_rise_mbar": 5.0,
        "voltage_V": [0.5, 4.3],
        "measurements": {"film": {"regions": ["C 1s", "O 1s"], "exposure_s": 100.0, **FREE}},
        **changes,
    }
    cyclers, stations = list(session.cyclers.values()), list(session.stations.values())
    return ex_situ(
        cyclers,
        stations,
        session.transfer_vessel,
        task,
        transfer,
        on_abort="rest",
        on_client_lost="rest",
    )


def leak(session: Session, mbar_per_h: float) -> None:
    pv = f"{session.transfer_vessel.prefix}Knob:Leak"
    assert epics.caput(pv, mbar_per_h, wait=True, timeout=10) == 1


def bring_home(session: Session) -> None:
    session.RE(bring_back(session.transfer_vessel, list(session.stations.values())))


def carbonate_nm(stack: list[dict[str, Any]]) -> float:
    return sum(one["thickness_nm"] for one in stack if one["shares"] == {"Li2CO3": 1.0})


def leaked_carbonate_nm(sealed_s: float) -> float:
    """Of a leak of 60 mbar per hour, of which 0.22 is oxygen and water."""
    return math.log1p(0.22 * 60.0 / 3600.0 * sealed_s**2 / 2 / 100.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"opened": None}, "EMC gives off up to .* the vacuum bears 1e-08"),
        ({"measurements": {"film": {"exposure_s": 9.0, **FREE}}}, "which energies.*C 1s"),
        (
            {"measurements": {"film": {"instrument": "sem", "exposure_s": 9.0, **FREE}}},
            "doses of sem are in e/A2; give budget_e_A2",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_moves(
    session: Session, cell: Cell, documents: Documents, changes: Any, words: str
) -> None:
    with pytest.raises(TasksError, match=words):
        session.RE(plan(session, cell, "H1", **changes))
    assert not documents.of("start")


def places_um(beamline: Beamline, of: str) -> np.ndarray:
    """Of the last frame on the sample, by the world."""
    return np.array(beamline.truth(of)[-1]["place_um"])


def test_a_cell_is_taken_apart_and_its_face_measured_by_two_instruments(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    image = {"instrument": "sem", "exposure_s": 20.0, "spots_mm": [[0.5, 0.0]], "budget_e_A2": "unlimited"}
    film = {"regions": ["C 1s", "O 1s"], "exposure_s": 100.0, "count": 2, **FREE}
    session.RE(plan(session, cell, "H1", measurements={"film": film, "image": image}))
    cycled, carried = documents.of("start")
    assert (carried["follows"], carried["instrument"]) == (cycled["uid"], "xps")
    assert carried["cell"] == {**cycled["cell"], "exposed_face": "negative"}
    assert [one["technique"] for one in carried["doses"]] == ["xps", "sem"]
    stages = [event["data"]["transfer_stage"] for event in documents.events("transfer")]
    assert stages == ["safe", "opened", "sealed", "arrived", "in vacuum", "measured"]
    frames = documents.events("film")
    assert [one["data"]["xps_analyser_region"] for one in frames] == ["C 1s", "O 1s"] * 2
    assert len(documents.events("image")) == 1
    for name in ("truth_xps", "truth_sem"):
        assert {one["content"] for one in beamline.truth(name)} == {"A1"}
    assert beamline.truth("truth_xps")[-1]["stack"][-1]["shares"] == {"graphite": 1.0}
    # The dose is that of the electrode that shows: 25 W, 4e8 photons each, on 200 um.
    fluence = 1e10 * 100.0 * 1.4866 * 1.602e-16 / 0.02**2
    dose = frames[0]["data"]["xps_dose_exposure_gy"]
    assert dose == pytest.approx(dose_gy(fluence, "C6", 1.4866), rel=0.02)

    # It lies askew, and marks tell how: places on the sample are those of the laser.
    sem, spot_mm = session.stations["sem"], [1.5, -0.5]
    session.RE(take_images(sem, "lock", 1, 5.0, spot_mm))
    assert np.hypot(*(places_um(beamline, "truth_sem") - 1000.0 * np.array(spot_mm))) > 20.0
    session.RE(register_marks(sem, "lock"))
    placed = sem.calibrations.store.need(Kind.POSITION, "lock").values
    assert abs(placed["rotation_deg"]) > 5.0 * placed["rotation_deg_sigma"]
    session.RE(take_images(sem, "lock", 1, 5.0, spot_mm))
    assert places_um(beamline, "truth_sem") == pytest.approx(1000.0 * np.array(spot_mm), abs=5.0)

    # What is in pieces has no leads, in the vessel or beside it.
    bring_home(session)
    assert session.transfer_vessel.holder.get(use_monitor=False) == ""
    wait_for(lambda: session.cycler.voltage_v.get(use_monitor=False) < 0.01, 30, "no leads are on it")
    assert session.stations["xps"].dose.ledger.held("H1") is None


def test_air_on_the_way_is_said_and_leaves_a_carbonate(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    leak(session, 60.0)
    try:
        session.RE(plan(session, cell, "H2"))
    finally:
        leak(session, 0.0)
    _, carried = documents.of("stop")
    assert carried["reason"].startswith("contaminated: the vessel leaks")
    stack = beamline.truth("truth_xps")[-1]["stack"]
    # The vessel was sealed between two notes, and opened between two others.
    unix_s = {
        one["data"]["transfer_stage"]: one["data"]["transfer_unix_s"] for one in documents.events("transfer")
    }
    least_s, most_s = unix_s["arrived"] - unix_s["sealed"], unix_s["in vacuum"] - unix_s["opened"]
    assert leaked_carbonate_nm(least_s) < carbonate_nm(stack) < leaked_carbonate_nm(most_s)
    bring_home(session)

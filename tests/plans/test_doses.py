"""Every exposure of a cell is in its account, and a budget ends measuring at a spot."""

from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.dose import dose_gy
from intercalate.orchestration.tasks import TasksError
from intercalate.session import Session
from intercalate_plans import count_frames, operando_cells, take_darks

from .conftest import Documents, missed_reasons

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

FORMULA = "LiNi0.8Mn0.1Co0.1O2"
EXPOSURE_S = 20.0


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("doses"), rate=400.0)
    yield running
    running.services.stop()


def plan(session: Session, cell: Cell, name: str, **measurement: Any) -> Any:
    described = {**cell.model_dump(mode="json", exclude_none=True), "name": name}
    asked = {"when": {"every": {"time_s": 300.0}}, "exposure_s": EXPOSURE_S, **measurement}
    one = {
        "place": "H2",
        "cell": described,
        "protocol": {
            "record": {"time_s": 20.0},
            "method": [{"step": "open_circuit_voltage", "until_time_s": 3000.0}],
        },
        "measurements": [asked],
    }
    cyclers = list(session.cyclers.values())
    return operando_cells(cyclers, [session.xrd], [one], on_abort="rest", on_client_lost="rest")


def frame_mgy(session: Session) -> float:
    """Expected dose of one frame."""
    return session.xrd.dose.expected(FORMULA, EXPOSURE_S) / 1e6


def test_every_event_has_the_dose_of_its_exposure_and_of_its_spot(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    spots = [[0.0, 0.0], [1.0, 0.0]]
    session.RE(plan(session, cell, "all doses", budget_MGy="unlimited", spots_mm=spots))
    events = [one["data"] for one in documents.events("xrd")]
    assert len(events) >= 4
    truth = {one["counter"]: one for one in beamline.truth()}
    per_spot: dict[float, float] = {}
    for event, visit in zip(events, documents.events("visits"), strict=True):
        expected_i0 = truth[event["diffractometer_hdf_unique_id"]]["i0_expected"]
        photons = (expected_i0 - 8.0 * EXPOSURE_S) / 2.5e-4
        fluence = photons * 25.0 * 1.602176634e-16 / 0.0025
        assert event["dose_fluence_j_cm2"] == pytest.approx(fluence, rel=0.03)
        assert event["dose_exposure_gy"] == pytest.approx(dose_gy(fluence, FORMULA, 25.0), rel=0.03)
        spot = visit["data"]["visit_spot_x_mm"]
        per_spot[spot] = per_spot.get(spot, 0.0) + event["dose_exposure_gy"]
        assert event["dose_spot_gy"] == pytest.approx(per_spot[spot], rel=1e-9)
    assert set(per_spot) == {0.0, 1.0}
    documents.all.clear()
    session.RE(plan(session, cell, "all doses", budget_MGy="unlimited"))
    (start,) = documents.of("start")
    (so_far,) = start["doses"]
    assert so_far["technique"] == "xrd"
    assert so_far["most_of_a_spot_gy"] == pytest.approx(max(per_spot.values()))


def test_a_budget_ends_measuring_at_its_spot(session: Session, cell: Cell, documents: Documents) -> None:
    budget = 3.5 * frame_mgy(session)
    session.RE(plan(session, cell, "refused", budget_MGy=budget))
    events = documents.events("xrd")
    assert len(events) == 3
    assert events[-1]["data"]["dose_spot_gy"] <= 1e6 * budget
    reasons = missed_reasons(documents)
    assert len([one for one in reasons if one.startswith("no dose left: 0, 0 mm got")]) >= 5


def test_measuring_goes_on_at_the_next_fresh_spot(session: Session, cell: Cell, documents: Documents) -> None:
    spots = [[0.0, 0.0], [1.0, 0.0], [1.2, 0.0]]
    session.RE(
        plan(
            session,
            cell,
            "moved on",
            budget_MGy=2.5 * frame_mgy(session),
            at_budget="next_spot",
            spots_mm=spots,
        )
    )
    visited = [one["data"]["visit_spot_x_mm"] for one in documents.events("visits")]
    # The third spot lies in the beam that the second has got already.
    assert visited == [0.0, 0.0, 1.0, 1.0]
    assert documents.events("missed")


def test_a_budget_below_one_frame_is_refused_before_anything_moves(
    session: Session, cell: Cell, documents: Documents
) -> None:
    with pytest.raises(TasksError, match="a single frame of 20 s gives"):
        session.RE(plan(session, cell, "too little", budget_MGy=0.5 * frame_mgy(session)))
    assert not documents.all


def test_exposures_of_other_plans_count_too_and_darks_do_not(
    session: Session, cell: Cell, documents: Documents
) -> None:
    dose = session.xrd.dose
    dose.ledger.put("H1", "by hand", FORMULA)
    session.RE(bps.mv(session.xrd.changer, "H1"))
    session.RE(take_darks(session.xrd, [EXPOSURE_S]))
    assert dose.ledger.totals("by hand", "xrd") == []
    documents.all.clear()
    session.RE(count_frames(session.xrd.detector, 2, exposure_s=EXPOSURE_S))
    session.RE(bps.mv(session.xrd.detector.exposure_s, EXPOSURE_S))
    session.RE(bp.count([session.xrd.detector, session.xrd.monitors], 2))
    (total,) = dose.ledger.totals("by hand", "xrd")
    assert total.exposures == 4
    events = [one["data"] for one in documents.events("primary")]
    spent = np.cumsum([one["dose_exposure_gy"] for one in events])
    assert [one["dose_spot_gy"] for one in events] == pytest.approx(list(spent))


def test_a_standard_has_no_account(session: Session, documents: Documents) -> None:
    session.RE(bps.mv(session.xrd.changer, "LaB6"))
    session.RE(count_frames(session.xrd.detector, 1, exposure_s=EXPOSURE_S))
    (event,) = documents.events("primary")
    assert event["data"]["dose_fluence_j_cm2"] == 0.0

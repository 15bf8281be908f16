"""A cell that is held to be measured, by its own program."""

from collections.abc import Iterator
from typing import Any

import epics
import numpy as np
import pytest

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS, StepType, code_of
from intercalate.session import Session
from intercalate_plans import in_situ

from .conftest import Documents, assert_frames_are_their_own

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

HELD = code_of(StepType.WAIT_FOR_RELEASE)
MAX_S = 1500.0
FREE = {"budget_MGy": "unlimited"}
TIME, STEP_TYPE, CURRENT, CAPACITY, UNIX = (
    RECORD_COLUMNS.index(name)
    for name in ("test_time_second", "step_type", "current_ampere", "net_capacity_ah", "unix_time_second")
)


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("held"), rate=300.0)
    yield running
    running.services.stop()


def task(cell: Cell, **changes: Any) -> dict[str, Any]:
    return {
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": {
            "record": {"time_s": 20.0},
            "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
            "method": [
                {"step": "constant_current", "rate_C": 0.1, "until_time_s": 600.0},
                {"step": "constant_current", "rate_C": 0.1, "until_time_s": 600.0},
                {"step": "open_circuit_voltage", "until_time_s": 300.0},
            ],
        },
        "hold": {"after_step": [1, 2], "relax_time_s": 120.0, "max_s": MAX_S},
        "measurements": [
            {"name": "held", "exposure_s": 40.0, "priority": 1, **FREE},
            {"name": "moving", "exposure_s": 15.0, "when": {"every": {"time_s": 200.0}}, **FREE},
        ],
        **changes,
    }


def plan(session: Session, one: dict[str, Any], on_abort: str = "rest") -> Any:
    cyclers = list(session.cyclers.values())
    return in_situ(cyclers, [session.xrd], [one], on_abort=on_abort, on_client_lost="rest")


def lose_the_beam(session: Session, duration_s: float) -> None:
    """For so many seconds of cell time."""
    dump = epics.PV(f"{session.xrd.beam.prefix}Knob:Dump", auto_monitor=False)
    assert dump.wait_for_connection(10)
    dump.put(duration_s, wait=True, timeout=5)


def held_spans(records: np.ndarray) -> list[np.ndarray]:
    """Records of each hold."""
    edges = np.flatnonzero(np.diff(records[:, STEP_TYPE]) != 0) + 1
    return [part for part in np.split(records, edges) if part[0, STEP_TYPE] == HELD]


def test_a_cell_is_held_measured_and_released(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    session.RE(plan(session, task(cell)))
    (start,) = documents.of("start")
    assert (start["plan_name"], start["mode"]) == ("in_situ", "in_situ")
    assert start["hold"]["after_step"] == [1, 2]
    records = documents.records()
    spans = held_spans(records)
    assert len(spans) == 2
    frames = documents.events("held")
    assert len(frames) == 2
    for span, event in zip(spans, frames, strict=True):
        # Released as soon as it was measured, and no charge flows meanwhile.
        assert 40.0 <= span[-1, TIME] - span[0, TIME] < MAX_S / 2
        assert np.ptp(span[:, CAPACITY]) == 0.0
        began_s = event["data"]["diffractometer_hdf_frame_start_unix_s"] - 4.0
        assert span[0, UNIX] - 5 < began_s < span[-1, UNIX]
        assert event["data"]["diffractometer_cam_acquire_time"] == 40.0
    moving = documents.events("moving")
    assert {one["data"]["diffractometer_cam_acquire_time"] for one in moving} == {15.0}
    assert len(moving) > 5
    # The charge passed is that of the protocol alone.
    assert cell.one_c_current_mA is not None
    expected_ah = 0.1e-3 * cell.one_c_current_mA * (600 + 600) / 3600
    assert records[-1, CAPACITY] == pytest.approx(expected_ah, rel=0.01)
    assert [one["data"]["cycler_marker_name"] for one in documents.events("markers")] == [
        "held after step 1",
        "held after step 2",
    ]
    for stream in ("held", "moving"):
        assert_frames_are_their_own(documents, beamline, stream)


def test_a_held_cell_waits_for_the_beam(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    lose_the_beam(session, 1800.0)
    session.RE(plan(session, task(cell, measurements=[{"name": "held", "exposure_s": 40.0, **FREE}])))
    spans = held_spans(documents.records())
    # The first hold began without beam, about 720 s after the start, and lasted until there was some.
    assert spans[0][-1, TIME] - spans[0][0, TIME] > 300.0
    # The first frame after the dump may be weak, and is then taken again.
    assert [int(one["data"]["visit_frames"]) >= 1 for one in documents.events("visits")] == [True, True]
    assert not documents.events("missed")


def test_a_hold_that_is_not_measured_ends_by_itself_and_is_missed(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    lose_the_beam(session, 40000.0)
    hold = {"after_step": [1], "relax_time_s": 120.0, "max_s": 300.0}
    try:
        session.RE(
            plan(session, task(cell, hold=hold, measurements=[{"name": "held", "exposure_s": 40.0, **FREE}]))
        )
    finally:
        lose_the_beam(session, 0.0)
    (span,) = held_spans(documents.records())
    assert span[-1, TIME] - span[0, TIME] == pytest.approx(300.0, abs=25.0)
    (missed,) = documents.events("missed")
    assert missed["data"]["missed_measurement"] == "held"
    assert "the hold ended before it could be measured: no beam" in missed["data"]["missed_reason"]

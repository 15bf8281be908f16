"""A cell in reflection: tilted frame by frame, back in the end, and refused as it must be."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.orchestration.tasks import TasksError
from intercalate.protocol import Protocol
from intercalate.session import Session
from intercalate_plans import operando_cells
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(90)]

CELLS = EXAMPLES / "cells"
PROTOCOL = Protocol.from_dict(
    {
        "record": {"time_s": 20.0},
        "safety": {
            "min_voltage_V": 2.0,
            "max_voltage_V": 4.2,
            "max_current_mA": 20.0,
            "min_current_mA": -20.0,
            "delay_s": 5.0,
        },
        "method": [{"step": "constant_current", "rate_C": "C/2", "until_time_s": 1500}],
    }
)


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("reflection"), rate=200.0, cell_model="lfp-thick-li")
    yield running
    running.services.stop()


def measured(session: Session, cell: str, **settings: Any) -> Any:
    task = {
        "place": "H1",
        "cell": Cell.from_file(CELLS / f"{cell}.toml").model_dump(mode="json", exclude_none=True),
        "protocol": PROTOCOL.model_dump(mode="json", exclude_none=True),
        "measurements": [
            {
                "name": "xrd",
                "when": {"every": {"time_s": 400.0}},
                "exposure_s": 20.0,
                "settings": settings,
                "budget_MGy": "unlimited",
            }
        ],
    }
    losses = {"on_abort": "rest", "on_client_lost": "rest"}
    return operando_cells(list(session.cyclers.values()), list(session.stations.values()), [task], **losses)


def test_each_frame_says_its_angle_and_the_sample_is_turned_back(session, documents: Documents, beamline):
    axis = session.stations["xrd"].goniometer.incidence_deg
    assert axis.user_readback.get() == 90.0
    asked = {"incidence_deg": [1.0, 2.0], "slit_v_mm": 0.4}
    session.RE(measured(session, "lfp_thick_lithium_reflection", **asked))
    shown = [event["data"]["goniometer_incidence_deg"] for event in documents.events("xrd")]
    assert len(shown) >= 2
    assert shown == [1.0, 2.0, 1.0, 2.0, 1.0, 2.0][: len(shown)]
    truth = beamline.truth()[-len(shown) :]
    assert [one["incidence_deg"] for one in truth] == pytest.approx(shown, abs=0.1)
    assert session.stations["xrd"].beam.slit_v_mm.user_readback.get() == pytest.approx(0.4)
    wait_for(lambda: axis.user_readback.get() == 90.0, 20.0, "the sample is turned back")


@pytest.mark.parametrize(
    ("cell", "settings", "words"),
    [
        ("lfp_thick_lithium_reflection", {}, "one window: no beam comes through it"),
        ("lfp_thick_lithium_reflection", {"incidence_deg": 60.0}, "from 0.3 to 15 deg"),
        ("lfp_lithium_operando", {"incidence_deg": 2.0}, "taken in transmission, at 90 deg"),
        ("lfp_thick_lithium_reflection", {"incidence_deg": 120.0}, "incidence_deg.*120"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_moves(
    session, documents: Documents, cell: str, settings: dict[str, Any], words: str
):
    axis = session.stations["xrd"].goniometer.incidence_deg
    before = axis.user_readback.get()
    with pytest.raises(TasksError) as refused:
        session.RE(measured(session, cell, **settings))
    assert re.search(words, str(refused.value))
    assert documents.of("start") == []
    assert axis.user_readback.get() == before

"""A sample between diamonds: approached slowly, measured at each step, and held whatever ends or dies."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np
import pytest
from bluesky.utils import FailedStatus, RunEngineInterrupted
from ophyd.utils.errors import LimitError

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.execute import HOLE_MM
from intercalate.pressed import PressedError
from intercalate.session import Session
from intercalate_plans import align_cell, pressure_scan
from intercalate_sims.assembly import ON_PINS
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

CELL = Cell.from_file(EXAMPLES / "cells" / "lfp_lithium_operando.toml").model_dump(mode="json")
SAMPLE = {"name": "powder", "material": "LFP", "marker": "Au", "medium": "neon"}


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("pressure"), rate=1000.0)
    yield running
    running.services.stop()


@pytest.fixture
def cell(session: Session) -> Any:
    return session.xrd.pressure_cell


def scan(session: Session, pressures_gpa: list[float], **changes: Any) -> Any:
    options = {"exposure_s": 20.0, "settle_s": 60.0} | changes
    return pressure_scan(session.xrd, SAMPLE, pressures_gpa, **options)


def test_each_step_is_measured_and_the_pressure_stays(session, cell, documents: Documents, beamline) -> None:
    before = session.xrd.beam.slit_h_mm.user_readback.get()
    rate = float(cell.rate_gpa_min.get())
    session.RE(scan(session, [1.0, 3.0], rate_gpa_min=2.0))
    assert float(cell.rate_gpa_min.get()) == pytest.approx(rate)
    (start,) = documents.of("start")
    assert start["pressed_sample"] == SAMPLE
    assert start["place"] == "DAC"
    shown = [event["data"]["pressure_cell_pressure_gpa"] for event in documents.events("xrd")]
    assert shown == pytest.approx([1.0, 3.0], abs=0.01)
    first, second = beamline.truth()[-2:]
    # The sample has what nobody is told, and the beam went through the hole.
    assert 0.5 < first["marker_gpa"] < 1.5 < second["marker_gpa"] < 4.0
    assert abs(second["marker_gpa"] - 3.0) > 1e-3
    assert second["content"] == "diamond anvil cell"
    assert second["window_share"] > 0.9
    assert session.xrd.beam.slit_h_mm.user_readback.get() == pytest.approx(before)
    assert float(cell.pressure_gpa.get()) == pytest.approx(3.0, abs=0.01)


def test_the_hole_in_the_gasket_is_found(session, beamline) -> None:
    session.RE(align_cell(session.xrd, "DAC", *HOLE_MM))
    hidden = json.loads(beamline.config.stored("simulator/hidden.json").read_text())
    true_mm = np.array([15.0, -15.0]) + ON_PINS * np.array(hidden["holders_mm"]["DAC"])
    assert np.abs(np.array(session.xrd.changer.centre_mm("DAC")) - true_mm).max() < 0.03


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pressures_gpa": [1.0, 26.0]}, r"pressures_gpa\[1\] = 26.0: the anvils may be pressed to 25 GPa"),
        ({"pressures_gpa": [-1.0]}, "a pressure is not below 0"),
        ({"sample": CELL}, "does not fit into a hole"),
        ({"sample": SAMPLE | {"marker": "Pb"}}, "no equation of state"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_moves(
    session, cell, documents: Documents, change: dict[str, Any], words: str
) -> None:
    before = float(cell.pressure_gpa.get_setpoint())
    arguments = {"sample": SAMPLE, "pressures_gpa": [1.0]} | change
    with pytest.raises(ValueError, match=words):
        session.RE(pressure_scan(session.xrd, **arguments))
    assert documents.of("start") == []
    assert float(cell.pressure_gpa.get_setpoint()) == before


def test_the_laboratory_has_no_diamonds(session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.xrd, "pressure_cell", None)
    with pytest.raises(PressedError, match=r"no diamond-anvil cell; add \[pressure_cell\]"):
        session.RE(scan(session, [1.0]))


def test_it_counts_scans_and_moves_as_any_device(session, cell, documents: Documents) -> None:
    session.RE(bp.count([cell]))
    session.RE(bp.scan([cell], cell.pressure_gpa, 3.0, 4.0, 3))
    shown = [event["data"]["pressure_cell_pressure_gpa"] for event in documents.of("event")]
    assert shown == pytest.approx([3.0, 3.0, 3.5, 4.0], abs=0.01)
    (units,) = {one["data_keys"]["pressure_cell_pressure_gpa"]["units"] for one in documents.of("descriptor")}
    assert units == "GPa"
    with pytest.raises((LimitError, FailedStatus), match="the anvils bear 0 to 25 GPa"):
        session.RE(bps.mv(cell.pressure_gpa, 30.0))
    assert float(cell.pressure_gpa.get()) == pytest.approx(4.0, abs=0.01)


def paused(session: Session, cell: Any, above_gpa: float, target_gpa: float) -> float:
    """Pause in the middle of an approach; the pressure that is held then."""

    def pause() -> None:
        wait_for(lambda: float(cell.pressure_gpa.get()) > above_gpa, 20.0, "the approach has begun")
        session.RE.request_pause()

    thread = threading.Thread(target=pause)
    thread.start()
    with pytest.raises(RunEngineInterrupted):
        session.RE(scan(session, [target_gpa]))
    thread.join()
    wait_for(lambda: cell.state.get() == "holding", 30, "the membrane is shut")
    held = float(cell.pressure_gpa.get())
    assert above_gpa < held < target_gpa
    return held


def test_one_that_is_ended_leaves_the_pressure_and_the_slits_as_they_were(session, cell) -> None:
    before = session.xrd.beam.slit_v_mm.user_readback.get()
    held = paused(session, cell, 4.5, 14.0)
    assert session.xrd.beam.slit_v_mm.user_readback.get() == pytest.approx(0.08)
    session.RE.abort("ended in a test")
    assert session.xrd.beam.slit_v_mm.user_readback.get() == pytest.approx(before)
    assert session.xrd.shutter.state.get() == "closed"
    assert float(cell.pressure_gpa.get()) == pytest.approx(held, abs=0.01)


def test_a_pause_holds_the_pressure_and_going_on_goes_on(session, cell) -> None:
    session.RE(bps.mv(cell.pressure_gpa, 4.0))
    paused(session, cell, 4.5, 12.0)
    session.RE.resume()
    assert float(cell.pressure_gpa.get()) == pytest.approx(12.0, abs=0.01)


def test_a_pressure_outlives_its_server(session, cell, beamline) -> None:
    """Also in the middle of an approach: it stays where it was, and nothing goes on by itself."""
    status = cell.pressure_gpa.set(24.0)
    wait_for(lambda: float(cell.pressure_gpa.get()) > 14.0, 30.0, "the approach is under way")
    left = float(cell.pressure_gpa.get())
    beamline.kill("diffractometer")
    wait_for(lambda: not cell.pressure_gpa.connected, 30.0, "the loss is noticed")
    beamline.restart("diffractometer")
    wait_for(lambda: cell.pressure_gpa.connected and cell.state.connected, 60.0, "the server is there again")
    wait_for(lambda: float(cell.pressure_gpa.get(use_monitor=False)) >= left, 30.0, "it knows the pressure")
    held = float(cell.pressure_gpa.get(use_monitor=False))
    assert left <= held < 24.0
    assert cell.state.get(use_monitor=False) == "holding"
    assert float(cell.pressure_gpa.get_setpoint(use_monitor=False)) == pytest.approx(held, abs=0.01)
    wait_for(lambda: status.done, 30.0, "whoever waited is told")
    assert "is held at" in str(status.exception())

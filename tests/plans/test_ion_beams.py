"""A focused ion beam at the microscope: refusals, a cut and what it opens, a beam that is always blanked."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import RunEngineInterrupted
from ophyd.utils.errors import LimitError

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.contract import IonBeamState, MillingEnd
from intercalate.devices.ion_column import LEASE_S, Cut, IonColumn, MillingError
from intercalate.devices.station import Station
from intercalate.dose_ledger import Spot
from intercalate.orchestration.dosing import MilledSpotError
from intercalate.orchestration.ion_beams import IonBeamRefused
from intercalate.orchestration.tasks import TasksError
from intercalate.session import Session
from intercalate_plans import (
    charge_discharge,
    in_situ,
    mill_section,
    take_images,
    take_regions,
    view_section,
)
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.long, pytest.mark.service, pytest.mark.timeout(120)]

CONFIRM = "mill lithium-polymer-lithium-face at V1"
PLATING = {
    "record": {"time_s": 10.0},
    "safety": {
        "min_voltage_V": -1.9,
        "max_voltage_V": 1.95,
        "max_current_mA": 3.0,
        "min_current_mA": -3.0,
        "delay_s": 5.0,
    },
    "method": [
        {
            "step": "constant_current",
            "rate_C": "1C",
            "until_capacity_mAh": 0.3,
            "until_voltage_V": 1.9,
            "until_time_s": 12000,
        }
    ],
}
LOSSES = {"on_abort": "rest", "on_client_lost": "rest"}


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """With needles of lithium in sight at V1, once it was plated."""
    running = start_beamline(
        tmp_path_factory.mktemp("ions"),
        rate=2000.0,
        vacuum=True,
        replaced={
            'C1 = "graphite-polymer-li"': 'C1 = "li-polymer-li"',
            'face = "positive"': 'face = "negative"',
        },
    )
    yield running
    running.services.stop()


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "lithium_polymer_face.toml")


@pytest.fixture(scope="module")
def sem(session: Session, cell: Cell) -> Station:
    session.RE(charge_discharge(session.cyclers["CH3"], cell, PLATING, **LOSSES))
    return session.stations["sem"]


@pytest.fixture
def ions(sem: Station) -> IonColumn:
    assert sem.ion_column is not None
    return sem.ion_column


def ask(sem: Any, cell: Cell, **changes: Any) -> Any:
    values = {"width_um": 8.0, "height_um": 8.0, "depth_um": 3.0, "confirm": CONFIRM, "at": "V1", **changes}
    return mill_section(sem, values.pop("at"), cell, **values)


def is_blanked(ions: IonColumn) -> bool:
    return ions.state.get(use_monitor=False) == IonBeamState.BLANKED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"confirm": ""},
            "confirm = ''.*cannot be undone; say exactly 'mill lithium-polymer-lithium-face at V1'",
        ),
        ({"confirm": CONFIRM.replace("V1", "V2")}, "milling cannot be undone"),
        ({"confirm": CONFIRM.upper()}, "milling cannot be undone"),
        ({"width_um": 300.0}, "width_um is 300; the ion beam of ion_column reaches 200 um"),
        (
            {"current_na": 5.0},
            "5 nA at 25 degC damage lithium.*cool the stage to -100 degC, or mill with at most 0.1",
        ),
        ({"voltage_kv": 99.0}, "voltage_kv = 99.*the column gives 2 to 30"),
        (
            {"depth_um": 500.0, "width_um": 100.0, "height_um": 100.0},
            "depth_um = 500.0: it may take .* h, more than 12 h",
        ),
        ({"at": "grid"}, "holds grid, by which others calibrate"),
    ],
)
def test_what_must_not_be_milled_is_refused_before_anything_moves(
    sem: Station, ions: IonColumn, session: Session, cell: Cell, changes: dict[str, Any], words: str
) -> None:
    before = [float(axis.user_readback.get()) for axis in (sem.changer.x_mm, sem.changer.y_mm)]
    number = ions.number.get()
    with pytest.raises(IonBeamRefused, match=words):
        session.RE(ask(sem, cell, **changes))
    assert [float(axis.user_readback.get()) for axis in (sem.changer.x_mm, sem.changer.y_mm)] == before
    assert ions.number.get() == number
    assert sem.dose.ledger.totals(cell.name, "fib") == []


def test_what_is_nowhere_or_of_no_size_is_refused(sem: Station, session: Session, cell: Cell) -> None:
    with pytest.raises(LimitError):
        session.RE(ask(sem, cell, x_mm=1000.0))
    with pytest.raises(ValueError, match="has no place 'V9'"):
        session.RE(ask(sem, cell, at="V9"))
    with pytest.raises(ValueError, match="depth_um is 0"):
        session.RE(ask(sem, cell, depth_um=0.0))
    with pytest.raises(TypeError, match="measures ebsd, not sem"):
        session.RE(ask(session.stations["ebsd"], cell))


def test_a_microscope_without_an_ion_column_and_another_cell_are_refused(
    sem: Station, session: Session, cell: Cell
) -> None:
    without = SimpleNamespace(**{name: getattr(sem, name) for name in dir(sem) if not name.startswith("__")})
    without.ion_column = None
    with pytest.raises(IonBeamRefused, match=r"sem has no ion beam; add \[sem.ion_column\]"):
        session.RE(ask(without, cell))
    sem.dose.ledger.put("V1", cell.name, "Li")
    other = cell.model_copy(update={"name": "another"})
    with pytest.raises(IonBeamRefused, match="lithium-polymer-lithium-face is there, not another"):
        session.RE(ask(sem, other, confirm="mill another at V1"))


def test_what_was_never_milled_is_not_viewed(sem: Station, session: Session, cell: Cell) -> None:
    with pytest.raises(IonBeamRefused, match=r"nothing of .* was milled in this field of view"):
        session.RE(view_section(sem, "V1", cell, x_mm=1.0))


def test_a_cut_opens_what_stands_there_and_the_place_is_untouched_no_more(
    sem: Station, ions: IonColumn, session: Session, cell: Cell, documents: Documents, beamline: Beamline
) -> None:
    session.RE(ask(sem, cell, images=2))
    (event,) = documents.events("milling")
    assert event["data"]["ion_column_milled_um"] == pytest.approx(3.0)
    assert event["data"]["ion_column_ended"] == MillingEnd.DONE
    assert is_blanked(ions)
    assert [one["data"]["sem_dose_milled_um"] for one in documents.events("sem")] == [3.0, 3.0]
    (start,) = (document for name, document in documents.all if name == "start")
    assert start["milling"]["is_destructive"] is True
    assert sem.dose.ledger.milled_um(cell.name, Spot(0.0, 0.0, 0.008, 0.008)) == pytest.approx(3.0)
    assert sem.scan.image_detector.get(as_string=True) == "backscattered electrons", "it was set back"
    for plan in (
        take_images(session.stations["ebsd"], "V1"),
        take_regions(session.stations["xps"], "V1", ["C 1s"]),
    ):
        with pytest.raises(MilledSpotError, match="ions have milled 3 um deep"):
            session.RE(plan)
    measurement = {
        "name": "xps",
        "instrument": "xps",
        "when": {"every": {"time_s": 600.0}},
        "regions": ["C 1s"],
        "exposure_s": 10.0,
        "spots_mm": [[0.0, 1.0], [0.0, 0.0]],
        "budget_MGy": "unlimited",
    }
    given = cell.model_dump(mode="json", exclude_none=True)
    task = {"place": "V1", "cell": given, "protocol": PLATING, "measurements": [measurement]}
    with pytest.raises(TasksError, match=r"measurements\[0\].spots_mm\[1\] = '0, 0': ions have milled 3 um"):
        session.RE(in_situ(list(session.cyclers.values()), list(session.stations.values()), [task], **LOSSES))
    session.RE(view_section(session.stations["eds"], "V1", cell, field_of_view_um=2.0, voltage_kv=3.0))
    assert "lithium carbide" in beamline.truth("truth_eds")[-1]["shares"]


def test_a_cold_sample_is_milled_with_more_current(
    sem: Station, session: Session, cell: Cell, documents: Documents
) -> None:
    assert sem.chamber is not None
    stage = sem.chamber.temperature_c
    try:
        session.RE(bps.mv(stage, -150.0))
        session.RE(ask(sem, cell, x_mm=1.5, current_na=5.0, images=0))
        (event,) = documents.events("milling")
        assert event["data"]["chamber_temperature_c"] < -149.0
        assert event["data"]["ion_column_current_na"] == 5.0
        stage.put(25.0, wait=True)
        # It is on its way to where gallium reacts, though it is cold yet.
        with pytest.raises(IonBeamRefused, match="damage lithium"):
            session.RE(ask(sem, cell, x_mm=1.6, current_na=5.0))
    finally:
        session.RE(bps.mv(stage, 25.0))


def paused_in_the_middle(session: Session, ions: IonColumn, plan: Any) -> None:
    """Run a plan until it mills, and pause it."""

    def pause() -> None:
        wait_for(lambda: ions.state.get() == IonBeamState.MILLING, 20, "it mills")
        session.RE.request_pause()

    thread = threading.Thread(target=pause)
    thread.start()
    with pytest.raises(RunEngineInterrupted):
        session.RE(plan)
    thread.join(5)


def test_a_pause_blanks_the_beam_and_a_plan_that_goes_on_ends_the_cut(
    sem: Station, ions: IonColumn, session: Session, cell: Cell, documents: Documents
) -> None:
    paused_in_the_middle(session, ions, ask(sem, cell, x_mm=0.2, depth_um=6.0, images=0))
    wait_for(lambda: is_blanked(ions), 30, "the beam is blanked")
    deep_um = ions.milled_um.get(use_monitor=False)
    assert 0 < deep_um < 6.0
    # For as long as a lease, and longer than the rest would have taken.
    deadline = time.monotonic() + 4.0
    wait_for(lambda: time.monotonic() > deadline, 30, "time passes")
    assert ions.milled_um.get(use_monitor=False) == deep_um
    session.RE.resume()
    (event,) = documents.events("milling")
    assert event["data"]["ion_column_milled_um"] == pytest.approx(6.0)
    assert sem.dose.ledger.milled_um(cell.name, Spot(0.2, 0.0, 0.008, 0.008)) == pytest.approx(6.0)


@pytest.mark.parametrize("verb", ["abort", "halt"])
def test_a_cut_that_is_given_up_is_kept_as_deep_as_it_is(
    sem: Station, ions: IonColumn, session: Session, cell: Cell, verb: str
) -> None:
    x_mm = {"abort": 0.3, "halt": 0.4}[verb]
    paused_in_the_middle(session, ions, ask(sem, cell, x_mm=x_mm, depth_um=6.0, images=0))
    getattr(session.RE, verb)()
    wait_for(lambda: is_blanked(ions), 30, "the beam is blanked")
    assert ions.ended.get(use_monitor=False) == MillingEnd.STOPPED
    kept_um = sem.dose.ledger.milled_um(cell.name, Spot(x_mm, 0.0, 0.008, 0.008))
    deep_um = ions.milled_um.get(use_monitor=False)
    # A plan that is halted says nothing any more: what was reserved counts.
    assert kept_um == (pytest.approx(deep_um) if verb == "abort" else 6.0)


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda sem, ions: ions._renewal.stop() or ions.lease_s.put(0.3), MillingEnd.LEASE),
        (lambda sem, ions: ions.emission.put("off"), MillingEnd.INTERLOCK),
        (lambda sem, ions: sem.changer.x_mm.user_setpoint.put(0.9), MillingEnd.STAGE),
        (lambda sem, ions: ions.mill.put("off"), MillingEnd.STOPPED),
    ],
    ids=["lease", "switch", "stage", "panel"],
)
def test_whatever_ends_a_cut_is_said_with_its_depth(
    sem: Station, ions: IonColumn, session: Session, break_it: Callable[[Any, Any], Any], why: MillingEnd
) -> None:
    session.RE(_move(sem, 0.5))
    status = ions.set(Cut(8.0, 8.0, 6.0))
    wait_for(lambda: ions.state.get() == IonBeamState.MILLING, 20, "it mills")
    try:
        break_it(sem, ions)
        with pytest.raises(MillingError, match=r"blanked the beam at \S+ of 6 um"):
            status.wait(20)
        assert ions.ended.get(use_monitor=False) == why
        assert is_blanked(ions)
    finally:
        ions.emission.put("on", wait=True)


CLIENT = """
import sys
from intercalate.cell import Cell
from intercalate.session import open_session
from intercalate_plans import mill_section

session, cell = open_session(sys.argv[1]), Cell.from_file(sys.argv[2])
session.RE(mill_section(session.stations["sem"], "V2", cell, 8.0, 8.0, 11.9, f"mill {cell.name} at V2"))
"""
"""A session of its own, which mills for a while."""


def test_a_client_that_is_killed_mills_no_longer_than_its_lease(
    sem: Station, ions: IonColumn, beamline: Beamline
) -> None:
    number = ions.number.get(use_monitor=False)
    path = EXAMPLES / "cells" / "lfp_polymer_lithium.toml"
    client = subprocess.Popen([sys.executable, "-c", CLIENT, str(beamline.config_file), str(path)])
    try:
        wait_for(lambda: ions.number.get(use_monitor=False) > number, 60, "the other session mills")
        assert not is_blanked(ions)
    finally:
        client.kill()
        client.wait(10)
    wait_for(lambda: is_blanked(ions), LEASE_S + 4.0, "the lease is over")
    assert ions.ended.get(use_monitor=False) == MillingEnd.LEASE
    # What it could not note any more counts as it was reserved.
    milled = Cell.from_file(path).name
    assert sem.dose.ledger.milled_um(milled, Spot(0.0, 0.0, 0.008, 0.008)) == 11.9


def _move(sem: Station, x_mm: float) -> Any:
    yield from bps.mv(sem.changer, ("V1", x_mm, 0.5))


# Channels of a server that came back are searched for at longer and longer intervals.
@pytest.mark.timeout(240)
def test_nothing_is_milled_after_the_death_of_a_server_and_what_is_gone_stays_gone(
    sem: Station, ions: IonColumn, session: Session, cell: Cell, beamline: Beamline
) -> None:
    session.RE(_move(sem, 0.7))
    status = ions.set(Cut(8.0, 8.0, 50.0))
    wait_for(lambda: ions.state.get() == IonBeamState.MILLING, 20, "it is on")
    wait_for(lambda: ions.milled_um.get(use_monitor=False) > 0.1, 20, "it mills")
    beamline.kill("vacuum")
    beamline.restart("vacuum")
    with pytest.raises(MillingError, match="it says 'instrument'"):
        status.wait(40)
    deep_um = ions.milled_um.get(use_monitor=False)
    beamline.kill("world")
    beamline.restart("world")
    wait_for(lambda: all(one.connected for one in (ions, sem.changer, sem.detector.cam)), 90, "all answer")
    wait_for(lambda: _reads(ions), 30, "the world answers")
    assert is_blanked(ions)
    # The same cut goes on from where it was.
    session.RE(_move(sem, 0.7))
    again = ions.set(Cut(8.0, 8.0, deep_um + 0.01))
    again.wait(40)
    assert ions.milled_um.get(use_monitor=False) == pytest.approx(deep_um + 0.01)
    session.RE(view_section(sem, "V1", cell))
    assert sem.unavailable() == ""


def _reads(ions: IonColumn) -> bool:
    try:
        return ions.state.get(use_monitor=False) is not None
    except Exception:  # noqa: BLE001 - the server is not there yet
        return False

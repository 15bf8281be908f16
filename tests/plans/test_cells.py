"""Several cells on one beam: whose frame is whose, who faults alone, what a dump costs."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs as bps
import epics
import pytest
from bluesky.utils import RunEngineInterrupted

from beamline import Beamline, start_beamline
from intercalate.cell import Cell
from intercalate.contract import CyclerState, Verb
from intercalate.devices.changer import ChangerError
from intercalate.orchestration.cells import CellsFailedError
from intercalate.orchestration.taking_up import TakeUpError
from intercalate.orchestration.tasks import TasksError
from intercalate.session import Session
from intercalate_plans import operando_cells
from polling import wait_for

from .conftest import Documents

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

EVERY_S = 400.0
LOSSES = {"on_abort": "rest", "on_client_lost": "rest"}
CONTENT = {"A1": "H1", "B1": "H2"}


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    running = start_beamline(tmp_path_factory.mktemp("cells"), rate=500.0)
    yield running
    running.services.stop()


@pytest.fixture(autouse=True)
def at_rest(session: Session) -> Iterator[None]:
    yield
    for cycler in session.cyclers.values():
        cycler.take_lease()
        if cycler.is_busy:
            cycler.send(Verb.STOP, why="the test is over")
        if cycler.state.get(use_monitor=False) == CyclerState.FAULT:
            cycler.send(Verb.CLEAR_FAULT)
        info = cycler.program_info()
        if info.get("status") == "interrupted":
            cycler.send(Verb.ACKNOWLEDGE, program_id=info["program_id"])


def protocol(charge_s: float) -> dict[str, Any]:
    return {
        "record": {"time_s": 20.0},
        "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
        "method": [{"step": "constant_current", "rate_C": 0.1, "until_time_s": charge_s}],
    }


def measurement(**changes: Any) -> dict[str, Any]:
    asked = {"when": {"every": {"time_s": EVERY_S}}, "exposure_s": 20.0, "budget_MGy": "unlimited"}
    return {**asked, **changes}


def task(cell: Cell, place: str, charge_s: float = 3000.0, **more: Any) -> dict[str, Any]:
    described = {**cell.model_dump(mode="json", exclude_none=True), "name": f"cell in {place}"}
    return {
        "place": place,
        "cell": described,
        "protocol": protocol(charge_s),
        "measurements": [measurement(**more)],
    }


def plan(session: Session, *tasks: dict[str, Any]) -> Any:
    return operando_cells(list(session.cyclers.values()), [session.xrd], list(tasks), **LOSSES)


def by_place(documents: Documents) -> dict[str, dict[str, Any]]:
    """Start and stop of each run, and its events by stream."""
    found = {doc["place"]: {"start": doc} for doc in documents.of("start")}
    runs = {doc["uid"]: doc["place"] for doc in documents.of("start")}
    streams = {doc["uid"]: (runs[doc["run_start"]], doc["name"]) for doc in documents.of("descriptor")}
    for doc in documents.of("event"):
        place, stream = streams[doc["descriptor"]]
        found[place].setdefault(stream, []).append(doc["data"])
    for doc in documents.of("stop"):
        found[runs[doc["run_start"]]]["stop"] = doc
    return found


def test_every_cell_has_its_own_run_records_and_frames(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    spots = [[0.0, 0.0], [0.4, -0.3]]
    twin = task(cell, "H2", 5000.0, spots_mm=spots)
    uids = session.RE(plan(session, task(cell, "H1", 8000.0), twin))
    runs = by_place(documents)
    assert [runs[place]["start"]["uid"] for place in ("H1", "H2")] == list(uids)
    assert len({one["start"]["experiment_uid"] for one in runs.values()}) == 1
    assert {one["stop"]["exit_status"] for one in runs.values()} == {"success"}
    assert [runs[p]["start"]["channel"] for p in ("H1", "H2")] == ["CH1", "CH2"]
    truth = {entry["counter"]: entry for entry in beamline.truth()}
    resources = {doc["uid"]: doc["run_start"] for doc in documents.of("resource")}
    datums = {doc["datum_id"]: doc for doc in documents.of("datum")}
    for place, one in runs.items():
        assert len(one["xrd"]) >= 3
        for event in one["xrd"]:
            true = truth[event["diffractometer_hdf_unique_id"]]
            assert CONTENT[true["content"]] == place
            assert true["i0"] == event["monitors_i0_counts"]
            datum = datums[event["diffractometer_image"]]
            assert resources[datum["resource"]] == one["start"]["uid"]
            assert datum["datum_kwargs"]["point_number"] == true["frame_index"]
    visited = {(one["visit_spot_x_mm"], one["visit_spot_y_mm"]) for one in runs["H2"]["visits"]}
    assert visited == {(0.0, 0.0), (0.4, -0.3)}
    # One file for both, and each run a reference to it.
    assert len({doc["resource_path"] for doc in documents.of("resource")}) == 1


def test_a_twin_without_times_is_cycled_and_never_exposed(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    session.RE(plan(session, task(cell, "H1", 1200.0), {**task(cell, "H2", 2400.0), "measurements": []}))
    runs = by_place(documents)
    assert "xrd" not in runs["H2"]
    assert runs["H2"]["start"]["measurements"] == []
    assert runs["H2"]["stop"]["num_events"]["cycling"] > 100
    names = {entry["content"] for entry in beamline.truth()[-len(runs["H1"]["xrd"]) :]}
    assert names == {"A1"}


def test_a_contact_lost_ends_one_cell_and_leaves_the_other(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    knob = epics.PV(f"{beamline.config.cycler.channel_prefix('CH2')}Knob:ContactLoss", auto_monitor=False)
    assert knob.wait_for_connection(10)
    other = session.cyclers["CH2"]

    def lose() -> None:
        epics.ca.use_initial_context()
        wait_for(lambda: other.current_a.get() > 0, 20, "the current flows")
        knob.put(1, wait=True, timeout=5)

    loser = threading.Thread(target=lose)
    loser.start()
    try:
        with pytest.raises(CellsFailedError, match=r"1 of 2 cells .*H2: .*NO_CONTACT"):
            session.RE(plan(session, task(cell, "H1"), task(cell, "H2")))
    finally:
        loser.join(20)
        knob.put(0, wait=True, timeout=5)
    runs = by_place(documents)
    assert runs["H1"]["stop"]["exit_status"] == "success"
    assert runs["H2"]["stop"]["exit_status"] == "fail"
    assert "NO_CONTACT" in runs["H2"]["stop"]["reason"]
    assert session.cyclers["CH1"].program_info()["status"] == "complete"
    assert len(runs["H1"]["xrd"]) >= 5


def test_a_dump_pauses_the_measuring_and_not_the_cells(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    dump = epics.PV(f"{beamline.config.beam.prefix}Knob:Dump", auto_monitor=False)
    assert dump.wait_for_connection(10)

    def drop() -> None:
        epics.ca.use_initial_context()
        wait_for(lambda: session.cycler.test_time_s.get() > 1000, 20, "the cell is under way")
        # For so many seconds of cell time.
        dump.put(1600.0, wait=True, timeout=5)

    dropper = threading.Thread(target=drop)
    dropper.start()
    session.RE(plan(session, task(cell, "H1", 4000.0)))
    dropper.join(20)
    run = by_place(documents)["H1"]
    assert run["stop"]["exit_status"] == "success"
    info = session.cycler.program_info()
    assert info["status"] == "complete"
    assert run["stop"]["num_events"]["cycling"] == info["end_record"] - info["first_record"]
    reasons = [one["missed_reason"] for one in run["missed"]]
    assert reasons.count("no beam: the storage ring is empty") >= 2
    quality = [event["monitors_quality"] for event in run["xrd"]]
    assert quality.count("valid") >= 3


def test_a_weak_frame_is_flagged_and_taken_again(session: Session, cell: Cell, documents: Documents) -> None:
    session.RE(bps.mv(session.xrd.beam.attenuator, 0.1))
    try:
        session.RE(plan(session, task(cell, "H1", 1000.0)))
    finally:
        session.RE(bps.mv(session.xrd.beam.attenuator, 1.0))
    run = by_place(documents)["H1"]
    assert {event["monitors_quality"] for event in run["xrd"]} == {"weak"}
    # Not where the next occasion is due already.
    assert 2 in {int(one["visit_frames"]) for one in run["visits"]}


def test_a_pause_on_the_way_does_not_leave_the_changer_there(
    session: Session, beamline: Beamline, cell: Cell, documents: Documents
) -> None:
    """The RunEngine stops what it has moved when it pauses."""
    changer = session.xrd.changer
    session.RE(bps.mv(changer, "H1"))
    # Slow enough to be met on the way.
    changer.x_mm.velocity.put(0.02, wait=True)
    try:
        start = threading.Event()

        def pause() -> None:
            wait_for(lambda: changer.x_mm.moving and start.is_set(), 30, "the changer moves")
            session.RE.request_pause(defer=False)
            changer.x_mm.velocity.put(2.0)

        session.RE.msg_hook = lambda msg: start.set() if msg.obj is changer else None
        watching = threading.Thread(target=pause, daemon=True)
        watching.start()
        with pytest.raises(RunEngineInterrupted):
            session.RE(plan(session, task(cell, "H2", 1500.0)))
        session.RE.msg_hook = None
        watching.join(10)
        assert not changer.is_at("H2")
        session.RE.resume()
    finally:
        changer.x_mm.velocity.put(2.0, wait=True)
    truth = {entry["counter"]: entry for entry in beamline.truth()}
    frames = documents.events("xrd")
    assert len(frames) >= 2
    assert {CONTENT[truth[e["data"]["diffractometer_hdf_unique_id"]]["content"]] for e in frames} == {"H2"}


def test_a_changer_that_somebody_else_stops_has_not_arrived(session: Session) -> None:
    changer = session.xrd.changer
    session.RE(bps.mv(changer, "H1"))
    changer.x_mm.velocity.put(0.02, wait=True)
    try:
        status = changer.set("H2")
        wait_for(lambda: changer.x_mm.moving, 30, "the changer moves")
        epics.caput(f"{changer.x_mm.prefix}.STOP", 1, wait=True, timeout=10)
        with pytest.raises(ChangerError, match=r"was sent to H2 at .* and stopped at .* mm"):
            status.wait(20)
    finally:
        changer.x_mm.velocity.put(2.0, wait=True)
    session.RE(bps.mv(changer, "H2"))
    assert changer.is_at("H2")


def test_an_abort_puts_all_cells_to_rest(session: Session, cell: Cell, documents: Documents) -> None:
    flowing = threading.Thread(
        target=lambda: (
            epics.ca.use_initial_context(),
            wait_for(lambda: all(c.current_a.get() > 0 for c in session.cyclers.values()), 20, "both"),
            session.RE.request_pause(),
        )
    )
    flowing.start()
    with pytest.raises(RunEngineInterrupted):
        session.RE(plan(session, task(cell, "H1", 9000.0), task(cell, "H2", 9000.0)))
    flowing.join(20)
    session.RE.abort()
    for cycler in session.cyclers.values():
        wait_for(lambda: not cycler.is_busy, 30, "at rest")  # noqa: B023
        assert cycler.program_info()["status"] == "interrupted"
        assert cycler.current_a.get(use_monitor=False) == 0
    assert {doc["exit_status"] for doc in documents.of("stop")} == {"abort"}
    assert session.xrd.shutter.state.get(use_monitor=False) == "closed"
    sizes = [doc["num_events"]["cycling"] for doc in documents.of("stop")]
    assert min(sizes) > 0


def test_all_cells_that_an_abort_left_running_are_taken_up(
    session: Session, cell: Cell, documents: Documents
) -> None:
    tasks = [task(cell, "H1", 8000.0), task(cell, "H2", 5000.0)]
    cyclers, losses = list(session.cyclers.values()), {"on_abort": "continue", "on_client_lost": "continue"}

    def pause() -> None:
        wait_for(lambda: len(documents.events("xrd")) >= 2, 60, "two frames")
        session.RE.request_pause(defer=False)

    watching = threading.Thread(target=pause, daemon=True)
    watching.start()
    with pytest.raises(RunEngineInterrupted):
        session.RE(operando_cells(cyclers, [session.xrd], tasks, **losses))
    session.RE.abort()
    watching.join(10)
    begun = {doc["place"]: doc["program_id"] for doc in documents.of("start")}
    before = {doc["place"]: doc["uid"] for doc in documents.of("start")}
    experiment = documents.of("start")[0]["experiment_uid"]
    assert all(cycler.is_busy for cycler in cyclers)
    documents.all.clear()
    session.RE(operando_cells(cyclers, [session.xrd], tasks, take_up=True, **losses))
    runs = by_place(documents)
    assert {place: run["start"]["program_id"] for place, run in runs.items()} == begun
    assert {place: run["start"]["continues"] for place, run in runs.items()} == before
    assert {run["start"]["experiment_uid"] for run in runs.values()} == {experiment}
    for place, cycler in zip(("H1", "H2"), cyclers):
        info = cycler.program_info()
        assert (info["program_id"], info["status"]) == (begun[place], "complete")
        descriptors = {
            d["uid"] for d in documents.of("descriptor") if d["run_start"] == runs[place]["start"]["uid"]
        }
        pages = [d for d in documents.of("event_page") if d["descriptor"] in descriptors]
        numbers = [n for d in pages for n in d["data"][f"{cycler.name}_record_seq"]]
        assert numbers == list(range(info["first_record"], info["end_record"]))
        assert runs[place]["xrd"]


def test_without_a_program_there_is_nothing_to_take_up(session: Session, cell: Cell) -> None:
    tasks = [task(cell, "H1", 1234.0)]
    with pytest.raises(TakeUpError, match="CH1 has no program like this to take up"):
        session.RE(
            operando_cells(list(session.cyclers.values()), [session.xrd], tasks, take_up=True, **LOSSES)
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"place": "LaB6"}, r"LaB6.*is no place for a cell.*H1, H2"),
        ({"place": "H9"}, r"H9.*is no place for a cell"),
        ({"measurements": [measurement(spots_mm=[[0.0, 99.0]])]}, "spots_mm"),
        ({"measurements": [measurement(when={"every": {"times": 1}})]}, "did you mean time_s"),
        ({"measurements": [measurement(instrument="raman")]}, "raman.*there are xrd"),
        ({"measurements": [measurement(), measurement()]}, "two measurements are called 'xrd'"),
        ({"measurements": [measurement(name="cycling")]}, "is the stream of something else"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_moves(
    session: Session, cell: Cell, documents: Documents, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(TasksError) as refused:
        session.RE(plan(session, task(cell, "H1"), {**task(cell, "H2"), **change}))
    assert re.search(message, str(refused.value), flags=re.DOTALL)
    assert not documents.all


def test_a_place_whose_channel_is_not_there_is_named(session: Session, cell: Cell) -> None:
    with pytest.raises(TasksError, match="the cables of H2 go to CH2, which is not among them"):
        session.RE(operando_cells([session.cycler], [session.xrd], [task(cell, "H2")], **LOSSES))

"""Following running experiments by their journals."""

import io
from pathlib import Path
from typing import Any

import pytest

from intercalate.catalog.journal import Journal
from intercalate.cell import Cell
from intercalate.config import DEFAULT_CONFIG, EXAMPLES, Config
from intercalate.contract import RECORD_COLUMNS, CyclerState, StepType, code_of
from intercalate.operator_requests import RequestDesk
from intercalate.protocol import Protocol
from intercalate.watching import Follower, Watched, status_line, voltage_course
from intercalate.watching_terminal import Terminal, follow

START_UNIX_S = 1.8e9


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.from_file(DEFAULT_CONFIG, folder=tmp_path)


def start_of(uid: str, place: str, when: dict[str, Any]) -> dict[str, Any]:
    cell = Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")
    protocol = Protocol.from_file(EXAMPLES / "protocols" / "formation_c10.json")
    return {
        "uid": uid,
        "time": START_UNIX_S,
        "plan_name": "operando_cells",
        "place": place,
        "sample": cell.name,
        "cell": cell.model_dump(mode="json", exclude_none=True),
        "protocol": protocol.model_dump(mode="json", exclude_none=True),
        "measurements": [{"name": "xrd", "when": when}],
    }


def records(test_time_s: list[float], voltage_v: float, name: str = "cycler_2") -> dict[str, Any]:
    row = dict.fromkeys(RECORD_COLUMNS, 0.0)
    row |= {"voltage_volt": voltage_v, "current_ampere": 0.002}
    row |= {"state": code_of(CyclerState.RUNNING), "step_type": code_of(StepType.CONSTANT_CURRENT)}
    data = {f"{name}_{column}": [value] * len(test_time_s) for column, value in row.items()}
    data[f"{name}_test_time_second"] = test_time_s
    data[f"{name}_unix_time_second"] = [START_UNIX_S + one for one in test_time_s]
    return {"descriptor": f"d-cycling-{name}", "data": data, "seq_num": [1] * len(test_time_s)}


def event(stream: str, uid: str, **data: Any) -> dict[str, Any]:
    return {"descriptor": f"d-{stream}-{uid}", "data": data}


def descriptor(stream: str, uid: str, run: str, **keys: Any) -> dict[str, Any]:
    return {"uid": f"d-{stream}-{uid}", "name": stream, "run_start": run, "data_keys": keys}


def begun(journal: Journal, uid: str, place: str, when: dict[str, Any]) -> None:
    journal("start", start_of(uid, place, when))
    journal("descriptor", descriptor("cycling", "cycler_2", uid))
    for stream in ("visits", "available", "missed", "requests"):
        journal("descriptor", descriptor(stream, uid, uid))
    journal("descriptor", descriptor("xrd", uid, uid, image={"external": "FILESTORE:"}))


def test_cells_next_time_left_and_beam_are_said(config: Config) -> None:
    journal = Journal(config.journals_folder)
    follower = Follower(config.journals_folder, config.site)
    assert follower.poll() == []
    begun(journal, "run-a", "H2", {"every": {"time_s": 600}})
    journal("event", event("available", "run-a", available_instrument="xrd", available_why_not=""))
    visit = {"visit_measurement": "xrd", "visit_due_unix_s": START_UNIX_S + 1200.0}
    journal("event", event("visits", "run-a", **visit))
    journal("event_page", records([1200.0, 1380.0], 3.7654))
    assert follower.poll() == ["H2: operando_cells run-a"]
    line = status_line(follower.runs)
    assert line.startswith(
        "H2 constant current 3.765 V +2.00 mA, 0.38 of 21.2 h, 0 frames | next: xrd in 7 min"
    )
    assert line.endswith("20.8 h left | beam on")
    journal("event", event("available", "run-a", available_instrument="xrd", available_why_not="no beam"))
    journal("event_page", records([1900.0], 3.8))
    assert follower.poll() == []
    assert "next: xrd now" in status_line(follower.runs)
    assert status_line(follower.runs).endswith("beam xrd: no beam")
    journal("stop", {"run_start": "run-a", "exit_status": "abort", "reason": "ended by hand"})
    assert follower.poll() == ["H2: abort: ended by hand"]
    assert follower.runs == []
    journal.close()


def test_frames_missed_occasions_and_requests_are_lines_of_the_table(config: Config) -> None:
    journal = Journal(config.journals_folder)
    follower = Follower(config.journals_folder, config.site)
    begun(journal, "run-a", "H1", {"at": {"voltage_V": [3.7]}})
    frame = {
        "image": "resource-1/4",
        "cycler_test_time_s": 3600.0,
        "cycler_voltage_v": 3.7001,
        "cycler_current_a": -0.001,
        "monitors_quality": "valid",
        "hdf_frame_index": 4,
        "cam_acquire_time": 20.0,
    }
    journal("resource", {"uid": "resource-1", "run_start": "run-a", "root": "/", "resource_path": "a/b.h5"})
    journal("event", event("xrd", "run-a", **frame))
    journal("event", event("missed", "run-a", missed_measurement="xrd", missed_reason="no beam"))
    asked = {"request_who": "ada", "request_answer": "H1: xrd is taken once more"}
    journal("event", event("requests", "run-a", **asked))
    lines = follower.poll()
    assert lines[1].split() == ["H1", "xrd", "1", "1.000", "h", "3.7001", "V", "-1.000", "mA", "valid"]
    assert lines[2:] == ["H1 xrd: missed, no beam", "ada: H1: xrd is taken once more"]
    (run,) = follower.runs
    assert run.last_frame is not None
    assert (run.last_frame.file, run.last_frame.index) == (Path("/a/b.h5"), 4)
    assert "3.7 V" in status_line([run])
    journal.close()
    assert follower.poll() == ["H1: its session is gone"]


def test_of_several_cells_what_comes_first_is_said(config: Config) -> None:
    journal = Journal(config.journals_folder)
    follower = Follower(config.journals_folder, config.site)
    for uid, place, due_s in (("run-a", "H1", 900.0), ("run-b", "H2", 500.0)):
        begun(journal, uid, place, {"every": {"time_s": 600}})
        visit = {"visit_measurement": "xrd", "visit_due_unix_s": START_UNIX_S + due_s}
        journal("event", event("visits", uid, **visit))
        page = records([1000.0], 3.6)
        journal("descriptor", descriptor("cycling", place, uid))
        journal("event_page", {**page, "descriptor": f"d-cycling-{place}"})
    follower.poll()
    assert "next: H2 xrd in 100 s" in status_line(follower.runs)
    journal.close()


def test_a_long_course_is_drawn_with_fewer_points() -> None:
    run = Watched({"uid": "a"})
    for part in range(40):
        run.take("event_page", records([float(one) for one in range(part * 1000, part * 1000 + 1000)], 3.5))
    course = voltage_course(run)
    assert 1000 < len(course) <= 4000
    assert course[0].tolist() == [0.0, 3.5]
    assert course[-1, 0] == pytest.approx(39999 / 3600, rel=0.01)


def test_once_says_how_things_stand(config: Config) -> None:
    out = io.StringIO()
    follow(config, out, once=True)
    assert out.getvalue() == "nothing runs\n"
    journal = Journal(config.journals_folder)
    begun(journal, "run-a", "H1", {"every": {"time_s": 600}})
    journal("event_page", records([1200.0], 3.7654))
    out = io.StringIO()
    follow(config, out, once=True)
    assert out.getvalue().startswith("H1 constant current 3.765 V")
    journal.close()


def test_what_is_typed_is_asked_and_answered(config: Config) -> None:
    out = io.StringIO()
    terminal, desk = Terminal(config, out), RequestDesk.of(config)
    terminal.hear("skipp cell")
    terminal.hear("skip cell")
    assert "did you mean skip cell?" in out.getvalue()
    assert "no experiment that measures is running" in out.getvalue()
    with desk.listening():
        terminal.hear("skip cell H1")
        (request,) = desk.take()
        desk.answer(request, "H1: the next visit is skipped (xrd)")
        terminal.look()
    assert out.getvalue().endswith("skip cell H1: H1: the next visit is skipped (xrd)\n")

"""What is left of an experiment, by the journals of its runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from intercalate.catalog.journal import latest_runs
from intercalate.devices.archive import Archive
from intercalate.orchestration.continuing import ContinueError, what_is_left


def a_run(folder: Path, number: int, status: str | None = None, *, records: int = 9, **start: Any) -> None:
    """Journal of one run; without a status its session died."""
    uid = f"run{number}"
    every = {"when": {"every": {"time_s": 60.0}}, "exposure_s": 10.0, "budget_MGy": "unlimited"}
    whole = {
        "uid": uid,
        "plan_name": "operando_cells",
        "mode": "operando",
        "experiment_uid": "experiment-1",
        "program_id": "p1",
        "sample": "a cell",
        "cell": {"name": "a cell"},
        "protocol": {},
        "measurements": [every],
        "initial_soc": None,
        "on_abort": "rest",
        "on_client_lost": "continue",
        **start,
    }
    lines = [["start", whole]]
    if status is not None:
        lines.append(["stop", {"run_start": uid, "exit_status": status, "num_events": {"cycling": records}}])
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (folder / f"2027-01-01T00-00-{number:02d}_{uid}.jsonl").write_text(text)


def archive(folder: Path) -> Any:
    return Archive(name="archive", folder=folder)


def test_the_latest_run_of_each_program_counts(tmp_path: Path) -> None:
    a_run(tmp_path, 1, "fail", place="H2", program_id="p2")
    a_run(tmp_path, 2, place="H1")
    a_run(tmp_path, 3, place="H2", program_id="p2", continues="run1")
    a_run(tmp_path, 4, "success", experiment_uid="another", program_id="p9")
    found = latest_runs(tmp_path, "experiment")
    assert [one.start["uid"] for one in found] == ["run2", "run3"]
    left = what_is_left(archive(tmp_path), "run2")
    assert [task.place for task in left.tasks] == ["H1", "H2"]
    assert (left.mode, left.experiment_uid, left.on_client_lost) == ("operando", "experiment-1", "continue")
    assert left.tasks[0].measurements[0].exposure_s == 10.0


def test_a_cell_that_is_finished_is_left_alone(tmp_path: Path) -> None:
    a_run(tmp_path, 1, "success", place="H1")
    a_run(tmp_path, 2, "fail", place="H2", program_id="p2")
    left = what_is_left(archive(tmp_path))
    assert [task.place for task in left.tasks] == ["H2"]
    assert left.finished == ("H1",)


def test_an_experiment_that_was_refused_does_not_hide_the_one_before(tmp_path: Path) -> None:
    a_run(tmp_path, 1, "fail", place="H1")
    a_run(tmp_path, 2, "fail", records=0, experiment_uid="refused", program_id="p2")
    assert what_is_left(archive(tmp_path)).experiment_uid == "experiment-1"
    assert what_is_left(archive(tmp_path), "refused").experiment_uid == "refused"


def test_of_a_program_that_another_goes_on_with_nothing_is_left(tmp_path: Path) -> None:
    a_run(tmp_path, 1, "fail", place="H1")
    begin = {
        "program_id": "p1",
        "position": {"block": 0, "part": 0, "passes": [], "cycle": 1, "segments": 1},
        "started_unix_s": 1.8e9,
        "charging_ah": 0.001,
    }
    a_run(tmp_path, 2, place="H1", program_id="p2", begin=begin)
    (task,) = what_is_left(archive(tmp_path)).tasks
    assert task.begin is not None
    assert (task.begin.program_id, task.begin.net_ah) == ("p1", 0.001)
    a_run(tmp_path, 3, "success", place="H1", program_id="p2", begin=begin)
    with pytest.raises(ContinueError, match="nothing is left"):
        what_is_left(archive(tmp_path))


def test_a_finished_and_a_foreign_experiment_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContinueError, match="knows no experiment; `intercalate runs`"):
        what_is_left(archive(tmp_path))
    a_run(tmp_path, 1, "success")
    a_run(tmp_path, 2, experiment_uid=None, program_id=None, plan_name="count_frames")
    with pytest.raises(ContinueError, match=r"experiment-1 is finished \(a cell\): nothing is left"):
        what_is_left(archive(tmp_path))
    with pytest.raises(ContinueError, match=r"begins with .elsewhere.*continued there"):
        what_is_left(archive(tmp_path), "elsewhere")

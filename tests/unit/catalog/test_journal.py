"""The journal keeps every document of every run, whatever happens to process and disk."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
import pytest
from bluesky import RunEngine
from hypothesis import given
from hypothesis import strategies as st

from catalog.making import Recorder, StampedDetector, declare, orphan, record, take
from intercalate.catalog.journal import (
    Journal,
    JournalError,
    encode,
    journals,
    last_start_of,
    read_documents,
    run_uid,
)
from intercalate.catalog.lost_runs import LOST_REASON, close_lost_run, close_lost_runs, is_being_written

START = {"uid": "a" * 36, "time": 1.8e9}
DESCRIPTOR = {"uid": "d", "run_start": START["uid"], "name": "primary", "data_keys": {}}


def event(number: int, **data: object) -> dict[str, object]:
    return {"uid": f"e{number}", "descriptor": "d", "seq_num": number, "data": data}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journals")
    yield made
    made.close()


@contextlib.contextmanager
def largest_file(limit_bytes: int) -> Iterator[None]:
    """As on a disk with so much room: writing beyond fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names_of(path: Path) -> list[str]:
    return [name for name, _, _ in read_documents(path)]


def test_every_document_of_a_run_comes_back_as_it_was(journal: Journal, tmp_path: Path) -> None:
    engine, seen = RunEngine({}), []
    engine.subscribe(journal)
    engine.subscribe(lambda name, doc: seen.append((name, json.loads(encode(name, doc))[1])))
    detector, recorder = StampedDetector("det", tmp_path / "frames"), Recorder()

    @bpp.stage_decorator([detector])
    @bpp.run_decorator(md={"sample": "s"})
    def plan():
        yield from declare(recorder)
        yield from take(detector, 2)
        yield from record(recorder, 7)
        yield from orphan(detector)
        yield from take(detector)

    engine(plan())
    (path,) = journals(journal.folder)
    assert [(name, doc) for name, doc, _ in read_documents(path)] == seen
    assert {name for name, _ in seen} == {
        "start", "descriptor", "resource", "datum", "event", "event_page", "stop"
    }  # fmt: skip
    assert path.name.endswith(f"_{seen[0][1]['uid']}.jsonl")
    assert run_uid(path) == seen[0][1]["uid"]


def test_interleaved_runs_have_a_file_each(journal: Journal, tmp_path: Path) -> None:
    engine = RunEngine({})
    engine.subscribe(journal)
    detectors = {key: StampedDetector(key, tmp_path / "frames") for key in ("one", "two")}

    def with_key(key: str, plan):
        return bpp.set_run_key_wrapper(plan, key)

    def plan():
        for key, detector in detectors.items():
            yield from bps.stage(detector)
            yield from with_key(key, bps.open_run(md={"which": key}))
        for _ in range(3):
            for key, detector in detectors.items():
                yield from with_key(key, take(detector))
        for key, detector in detectors.items():
            yield from with_key(key, bps.close_run())
            yield from bps.unstage(detector)

    engine(plan())
    first, second = journals(journal.folder)
    for path in (first, second):
        expected = ["start", "resource", "descriptor", *["datum", "event"] * 3, "stop"]
        assert sorted(names_of(path)) == sorted(expected)
        which = next(doc for _, doc, _ in read_documents(path))["which"]
        keys = {key for name, doc, _ in read_documents(path) if name == "event" for key in doc["data"]}
        assert all(key.startswith(which) for key in keys)


def test_numpy_and_other_types_have_a_form(journal: Journal) -> None:
    doc = START | {
        "array": np.arange(3),
        "number": np.float32(1.5),
        "flag": np.bool_(True),
        "path": Path("/frames"),
        "nothing": float("nan"),
    }
    journal("start", doc)
    (path,) = journals(journal.folder)
    _, read, _ = next(read_documents(path))
    assert read["array"] == [0, 1, 2]
    assert read["number"] == 1.5
    assert read["flag"] is True
    assert read["path"] == "/frames"
    assert np.isnan(read["nothing"])


def test_what_has_no_form_is_refused_by_name(journal: Journal) -> None:
    with pytest.raises(JournalError, match=r"a start document cannot be kept: a object .* has no JSON form"):
        journal("start", START | {"device": object()})
    assert journals(journal.folder) == []


def test_a_document_of_no_run_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="belongs to no run under way"):
        journal("event", event(1))


@given(cut=st.integers(min_value=0, max_value=200))
def test_a_torn_last_line_waits_for_its_rest(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    lines = [encode("event", event(number, value="é" * number)) for number in range(4)]
    whole = b"".join(lines)
    path = tmp_path_factory.mktemp("torn") / "x.jsonl"
    path.write_bytes(whole[: min(cut, len(whole))])
    first = list(read_documents(path))
    complete = sum(len(b"".join(lines[: n + 1])) <= cut for n in range(4))
    assert len(first) == complete
    path.write_bytes(whole)
    offset = first[-1][2] if first else 0
    rest = list(read_documents(path, offset))
    assert [doc["seq_num"] for _, doc, _ in (*first, *rest)] == [0, 1, 2, 3]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(encode("start", START) + b"rubbish\n")
    with pytest.raises(JournalError, match=r"x\.jsonl: no document at byte \d+"):
        list(read_documents(path))


def test_killing_the_process_loses_nothing(tmp_path: Path) -> None:
    script = f"""
import os, signal
from intercalate.catalog.journal import Journal
journal = Journal({str(tmp_path)!r}, sync_period_s=3600)
journal("start", {START!r})
journal("descriptor", {DESCRIPTOR!r})
for number in range(1, 501):
    journal("event", {{"descriptor": "d", "seq_num": number, "data": {{"x": number}}}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -signal.SIGKILL
    (path,) = journals(tmp_path)
    assert names_of(path).count("event") == 500
    assert not is_being_written(path)


def test_a_run_that_cannot_be_recorded_is_not_started(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with largest_file(10), pytest.raises(JournalError, match="not started") as caught:
        journal("start", START)
    assert str(tmp_path) in str(caught.value)
    assert "MB free" in str(caught.value)
    assert journals(tmp_path) == []
    journal.close()


def test_a_full_disk_does_not_end_a_run_and_loses_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, sync_period_s=0.02)
    journal("start", START)
    journal("descriptor", DESCRIPTOR)
    (path,) = journals(tmp_path)
    with largest_file(path.stat().st_size + 100):
        for number in range(1, 21):
            journal("event", event(number, text="x" * 30))
        status = journal.status
        assert not status.ok
        assert status.waiting_bytes > 1000
        assert "large" in status.error
        # What is on file ends with a whole line, and the file does not hold half of one.
        assert path.read_bytes().endswith(b"\n")
    deadline = time.monotonic() + 5
    while not journal.status.ok and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    journal("stop", {"uid": "s", "run_start": START["uid"]})
    assert [doc["seq_num"] for name, doc, _ in read_documents(path) if name == "event"] == list(range(1, 21))
    assert journal.status.ok
    journal.close()


def test_more_than_memory_allows_raises_and_says_what_to_do(tmp_path: Path) -> None:
    journal = Journal(tmp_path, sync_period_s=3600, memory_limit_bytes=1000)
    journal("start", START)
    journal("descriptor", DESCRIPTOR)
    (path,) = journals(tmp_path)

    def events(first: int) -> None:
        for number in range(first, first + 50):
            journal("event", event(number, text="x" * 30))

    with largest_file(path.stat().st_size):
        with pytest.raises(JournalError, match=r"MB free.*make room"):
            events(1)
        # The plan aborts now; what its clean-up still emits is kept, not refused again.
        events(100)
        with pytest.raises(JournalError, match=r"bytes of documents were not written"):
            journal.close()


def test_a_slow_disk_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        entered.set()
        release.wait(10)

    monkeypatch.setattr(os, "fsync", slow)
    journal = Journal(tmp_path, sync_period_s=0.01)
    journal("start", START)
    journal("descriptor", DESCRIPTOR)
    assert entered.wait(5)
    for number in range(1, 101):
        journal("event", event(number))
    (path,) = journals(tmp_path)
    assert names_of(path).count("event") == 100
    assert not release.is_set()
    release.set()
    journal.close()


def test_only_a_run_whose_session_is_gone_is_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal("start", START)
    journal("descriptor", DESCRIPTOR)
    for number in range(1, 4):
        journal("event", event(number))
    (path,) = journals(tmp_path)
    assert is_being_written(path)
    assert close_lost_runs(tmp_path) == []
    with pytest.raises(JournalError, match="session that is alive"):
        close_lost_run(path)
    journal.close()
    with path.open("ab") as file:
        file.write(b'["event",{"descr')
    stop = close_lost_run(path)
    assert stop is not None
    assert (stop["exit_status"], stop["reason"]) == ("abort", LOST_REASON)
    assert stop["num_events"] == {"primary": 3}
    assert names_of(path) == ["start", "descriptor", "event", "event", "event", "stop"]
    assert close_lost_run(path) is None
    assert names_of(path).count("stop") == 1


def test_the_latest_run_of_a_program_is_found_among_others(journal: Journal) -> None:
    runs = [
        {"uid": "a", "time": 1.8e9, "program_id": "one"},
        {"uid": "b", "time": 1.8e9 + 10, "program_id": "one"},
        {"uid": "c", "time": 1.8e9 + 20, "program_id": "two"},
        {"uid": "d", "time": 1.8e9 + 30},
    ]
    for start in runs:
        journal("start", start)
    folder = journal.folder
    found = last_start_of(folder, "one")
    assert found is not None
    assert found["uid"] == "b"
    assert last_start_of(folder, "three") is None
    assert last_start_of(folder, "") is None

"""The forwarder: live, idempotent, and unimpressed by anybody's death."""

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import httpx
import pytest

from beamline import free_ports
from catalog.conftest import Laboratory, Server, wait_for
from catalog.making import declare, record, take
from intercalate.catalog.client import find_run, frames, open_catalog, records
from intercalate.catalog.forwarder import (
    CatalogUnreachableError,
    Forwarder,
    ForwarderError,
    forward_journals,
)
from intercalate.catalog.journal import Journal, journals, read_documents, run_uid
from intercalate.catalog.lost_runs import LOST_REASON, close_lost_runs
from intercalate.catalog.run_table import runs

pytestmark = pytest.mark.service
START_S = 30.0
FORWARDER = (sys.executable, "-m", "intercalate.catalog.forwarder")


def rows_of(catalog: Any, uid: str) -> int:
    """Records of a run that the catalog shows now."""
    try:
        return len(catalog[uid]["cycling"].base["internal"].read(["seq_num"]))
    except (KeyError, httpx.HTTPStatusError):
        return 0


def has_stopped(catalog: Any, uid: str) -> bool:
    """Whether the catalog has all of a run; while it is rebuilt, it has none of it."""
    try:
        return bool(catalog[uid].metadata.get("stop"))
    except KeyError:
        return False


def test_what_is_recorded_is_seen_within_two_seconds_and_survives_the_forwarder(
    laboratory: Laboratory, catalog: Any, forwarder: Callable[[], subprocess.Popen[bytes]]
) -> None:
    delays: list[float] = []
    uids: list[str] = []

    def batch(uid: str):
        yield from take(laboratory.detector)
        yield from record(laboratory.recorder, 5)
        written, expected = time.monotonic(), int(laboratory.recorder.next)
        wait_for(lambda: rows_of(catalog, uid) == expected, START_S, "rows were to be seen")
        delays.append(time.monotonic() - written)
        assert len(frames(catalog[uid])) == expected // 5

    @bpp.stage_decorator([laboratory.detector])
    def plan():
        uid = yield from bps.open_run()
        uids.append(uid)
        yield from declare(laboratory.recorder)
        first = forwarder()
        yield from batch(uid)
        delays.clear()
        for _ in range(5):
            yield from batch(uid)
        first.kill()
        first.wait(10)
        forwarder()
        # The next one rebuilds the run, and goes on.
        yield from take(laboratory.detector)
        yield from record(laboratory.recorder, 5)
        yield from bps.close_run()

    laboratory.engine(plan())
    (uid,) = uids
    wait_for(lambda: has_stopped(catalog, uid), START_S, "the run was to be whole")
    assert_whole(catalog, uid, 7)
    assert statistics.median(delays) < 2.0, delays


def test_three_hundred_records_a_second_and_more(laboratory: Laboratory, catalog: Any) -> None:
    def plan():
        uid = yield from bps.open_run()
        yield from declare(laboratory.recorder)
        for _ in range(15):
            yield from record(laboratory.recorder, 200)
        yield from bps.close_run()
        return uid

    laboratory.engine(plan())
    (path,) = journals(laboratory.journal.folder)
    began = time.monotonic()
    laboratory.forward()
    rate = 3000 / (time.monotonic() - began)
    assert rows_of(catalog, run_uid(path)) == 3000
    assert rate > 300, f"{rate:.0f} rows/s"


def test_interleaved_runs_are_written_side_by_side(laboratory: Laboratory, catalog: Any) -> None:
    uids: dict[str, str] = {}

    def keyed(key: str, plan: Any) -> Any:
        return bpp.set_run_key_wrapper(plan, key)

    def plan():
        for key in ("one", "two"):
            uids[key] = yield from keyed(key, bps.open_run(md={"key": key}))
            yield from keyed(key, declare(laboratory.recorder))
        for _ in range(3):
            yield from keyed("one", record(laboratory.recorder, 4))
            yield from keyed("two", record(laboratory.recorder, 6))
            laboratory.forward()
        assert rows_of(catalog, uids["one"]) == 12
        assert rows_of(catalog, uids["two"]) == 18
        for key in ("one", "two"):
            yield from keyed(key, bps.close_run())

    laboratory.engine(plan())
    laboratory.forward()
    assert sorted(records(find_run(catalog, uids["one"]))["record_seq"].values) == [
        0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23
    ]  # fmt: skip
    assert {row.status for row in runs(catalog, 2)} == {"complete"}


def run_with(laboratory: Laboratory, batches: int, *, between: Callable[[str], Any] = lambda uid: None):
    """Plan: batches of records and frames, with something happening after each."""

    @bpp.stage_decorator([laboratory.detector])
    def plan():
        uid = yield from bps.open_run()
        yield from declare(laboratory.recorder)
        for _ in range(batches):
            yield from record(laboratory.recorder, 5)
            yield from take(laboratory.detector)
            between(uid)
        yield from bps.close_run()
        return uid

    return plan()


def assert_whole(catalog: Any, uid: str, batches: int) -> None:
    """Every record and frame once."""
    run = find_run(catalog, uid)
    assert rows_of(catalog, uid) == 5 * batches
    assert records(run)["record_seq"].values.tolist() == list(range(5 * batches))
    stamps = run["xrd"].read(["det_stamp"])["det_stamp"].values
    assert [int(image[0, 0]) for image in frames(run)] == stamps.tolist()
    assert len(stamps) == batches
    assert run.metadata["stop"]["exit_status"] == "success"


def test_a_new_forwarder_rebuilds_and_doubles_nothing(laboratory: Laboratory, catalog: Any) -> None:
    # Each call is a forwarder of its own, which knows nothing of the one before.
    laboratory.engine(run_with(laboratory, 2, between=lambda uid: laboratory.forward()))
    laboratory.forward()
    (path,) = journals(laboratory.journal.folder)
    assert_whole(catalog, run_uid(path), 2)
    documents = len(list(read_documents(path)))
    assert documents > 0
    assert laboratory.forward() == 0
    assert forward_journals(laboratory.journal.folder, laboratory.uri, replay=True) == 0
    assert_whole(catalog, run_uid(path), 2)


def test_a_killed_server_is_waited_for(tmp_path: Path, laboratory: Laboratory) -> None:
    own = Server(tmp_path / "server", laboratory.detector.folder, free_ports(1)[0])
    own.start()
    forwarder = Forwarder(laboratory.journal.folder, own.uri)
    happened: list[str] = []

    def kill(uid: str) -> None:
        if not happened:
            assert forwarder.forward_once() > 0
            own.end(signal.SIGKILL)
            happened.append("killed")
        elif len(happened) == 1:
            # The plan goes on: the journal takes what there is, and nothing is raised towards it.
            with pytest.raises(CatalogUnreachableError, match="does not answer"):
                forwarder.forward_once()
            happened.append("away")
            own.start()
        else:
            assert forwarder.forward_once() > 0

    laboratory.engine(run_with(laboratory, 4, between=kill))
    forwarder.forward_once()
    forwarder.close()
    (path,) = journals(laboratory.journal.folder)
    catalog = open_catalog(own.uri)
    assert_whole(catalog, run_uid(path), 4)
    catalog.context.close()
    assert own.end() == 0
    assert not (own.folder / "server.json").exists()


def test_a_lost_run_is_told_and_closed(laboratory: Laboratory, catalog: Any, tmp_path: Path) -> None:
    laboratory.engine(run_with(laboratory, 2))
    (path,) = journals(laboratory.journal.folder)
    # The same run, of a session that died before its last document; under a uid of its own.
    uid = "0" * 8 + run_uid(path)[8:]
    lines = path.read_text().replace(run_uid(path), uid).splitlines(keepends=True)
    lost = tmp_path / "lost"
    lost.mkdir()
    (lost / f"20270101T000000Z_{uid}.jsonl").write_text("".join(lines[:-1]) + lines[-1][:10])
    forwarder = Forwarder(lost, laboratory.uri)
    assert forwarder.forward_once() == len(lines) - 1
    forwarder.forward_once()
    assert {row.uid: row.status for row in runs(catalog, 5)}[uid] == "lost"
    assert records(find_run(catalog, uid)).sizes["record"] == 10
    # Another forwarder knows that there is nothing to do: no run is built anew for each that was ever lost.
    forwarder.close()
    forwarder = Forwarder(lost, laboratory.uri)
    assert forwarder.forward_once() == 0
    assert close_lost_runs(lost) == [uid]
    assert forwarder.forward_once() == len(lines)
    forwarder.close()
    row = next(row for row in runs(catalog, 5) if row.uid == uid)
    assert (row.status, row.reason) == ("lost", LOST_REASON)
    assert row.events == {"cycling": 10, "xrd": 2}


def test_a_run_that_cannot_be_written_holds_no_other_up(laboratory: Laboratory, catalog: Any) -> None:
    bad = laboratory.journal.folder / f"20000101T000000Z_{'b' * 36}.jsonl"
    bad.write_text('["start",{"uid":"' + "b" * 36 + '","time":1.0}]\nrubbish\n')
    laboratory.engine(run_with(laboratory, 1))
    with pytest.raises(ForwarderError, match=r"refused 1 runs: bbbb.*no document at byte"):
        laboratory.forward()
    good = next(path for path in journals(laboratory.journal.folder) if path != bad)
    assert_whole(catalog, run_uid(good), 1)


def test_two_forwarders_do_not_work_on_one_folder(
    laboratory: Laboratory, forwarder: Callable[[], subprocess.Popen[bytes]]
) -> None:
    from intercalate.catalog.forwarder import _only_one

    with _only_one(laboratory.journal.folder):
        second = subprocess.run(
            [*FORWARDER, "--journals", str(laboratory.journal.folder), "--uri", laboratory.uri],
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 1
    assert "another forwarder works on" in second.stderr


def test_a_folder_without_runs_is_no_error(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    assert Forwarder(tmp_path, "http://127.0.0.1:9/api/v1").forward_once() == 0

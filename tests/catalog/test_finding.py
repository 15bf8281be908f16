"""Runs found on a real server, and what a dead catalog missed."""

import shutil
import uuid
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import pytest

from catalog.conftest import Laboratory, Server, wait_for
from catalog.making import declare, record, take
from catalog.stories import T0_UNIX_S, course, told
from intercalate.catalog.client import CatalogError, find_run
from intercalate.catalog.exported import ExportedCatalog, ExportedRun
from intercalate.catalog.forwarder import Forwarder, ForwarderError, forward_journals, replay_journals
from intercalate.catalog.journal import journals, run_uid
from intercalate.catalog.lost_runs import close_lost_runs
from intercalate.catalog.run_table import runs
from intercalate.catalog.search import find

pytestmark = pytest.mark.service
DAY_S = 86_400.0

QUESTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"plan": "told"},
    {"plan": "to*"},
    {"technique": "cycling"},
    {"technique": "eis"},
    {"voltage": 4.0},
    {"voltage": (2.0, 2.95)},
    {"cycle": 2},
    {"voltage": (3.2, 3.3), "cycle": (2, 5)},
    {"status": "complete"},
    {"status": "failed"},
    {"status": "aborted"},
    {"status": "lost"},
    {"status": "running"},
    {"since": T0_UNIX_S + 1.5 * DAY_S},
    {"since": T0_UNIX_S + DAY_S, "until": T0_UNIX_S + 2 * DAY_S},
)


@pytest.fixture
def stories(tmp_path: Path) -> tuple[Path, str]:
    """Journals of four runs of one sample, one of them lost."""
    folder, sample = tmp_path / "told", f"cell-{uuid.uuid4().hex[:8]}"
    told(folder, sample=sample, records=course([3.0, 3.5, 4.1]))
    second = course([2.9, 3.4], cycle=2.0)
    told(folder, sample=sample, records=second, exit_status="fail", began_unix_s=T0_UNIX_S + DAY_S)
    ended: dict[str, Any] = {"exit_status": "abort", "reason": "enough"}
    told(folder, sample=sample, began_unix_s=T0_UNIX_S + 2 * DAY_S, **ended)
    told(folder, sample=sample, exit_status=None, began_unix_s=T0_UNIX_S + 3 * DAY_S)
    return folder, sample


def uids_of(catalog: Any) -> set[str]:
    return {run.metadata["start"]["uid"] for run in catalog.values()}


def read_from(folder: Path) -> ExportedCatalog:
    made = ExportedCatalog(folder)
    made.extend(ExportedRun(path, {}, made) for path in journals(folder))
    return made


def test_the_server_and_the_documents_give_the_same_answers(
    server: Server, catalog: Any, stories: tuple[Path, str]
) -> None:
    folder, sample = stories
    replay_journals(folder, server.uri)
    documents = read_from(folder)
    answers = {str(asked): uids_of(find(catalog, sample=sample, **asked)) for asked in QUESTIONS}
    assert answers == {str(asked): uids_of(find(documents, sample=sample, **asked)) for asked in QUESTIONS}
    # And they are answers: not all of them empty, nor all alike.
    assert {len(found) for found in answers.values()} == {0, 1, 2, 4}
    statuses = {row.status for row in runs(find(catalog, sample=sample), 10)}
    assert statuses == {"complete", "failed", "aborted", "lost"}
    with pytest.raises(CatalogError, match=rf"no run has the sample '{sample}x'; there are {sample}"):
        find(catalog, sample=f"{sample}x")
    close_lost_runs(folder)
    replay_journals(folder, server.uri)
    (closed,) = find(catalog, sample=sample, status="lost").values()
    assert closed.metadata["stop"]["exit_status"] == "abort"
    assert len(find(catalog, sample=sample, status="aborted")) == 1


def test_a_run_under_way_is_found_by_what_it_has_recorded(laboratory: Laboratory, catalog: Any) -> None:
    sample = f"cell-{uuid.uuid4().hex[:8]}"
    seen: list[tuple[str, dict[str, str]]] = []

    @bpp.stage_decorator([laboratory.detector])
    def plan():
        uid = yield from bps.open_run(md={"sample": sample})
        yield from declare(laboratory.recorder)
        forwarder = Forwarder(laboratory.journal.folder, laboratory.uri)
        yield from record(laboratory.recorder, 5)
        yield from take(laboratory.detector)
        forwarder.forward_once()
        found = find(catalog, sample=sample, status="running", technique="cycling", voltage=3.002)
        seen.append(
            (uid, {row.uid: row.status for row in runs(found, 5, journals=laboratory.journal.folder)})
        )
        forwarder.close()
        yield from bps.close_run()

    laboratory.engine(plan())
    ((uid, found),) = seen
    assert found == {uid: "running"}
    # The catalog has not heard of its end; its journal has.
    (row,) = runs(find(catalog, sample=sample), 5, journals=laboratory.journal.folder)
    assert row.status == "complete"
    (row,) = runs(find(catalog, sample=sample), 5)
    assert row.status == "running"
    laboratory.forward()
    assert uids_of(find(catalog, sample=sample, status="complete")) == {uid}


def test_replay_writes_what_was_missed_and_then_nothing(
    server: Server, catalog: Any, stories: tuple[Path, str]
) -> None:
    folder, sample = stories
    *known, missed, lost = journals(folder)
    for path in (missed, lost):
        path.rename(path.with_suffix(".away"))
    assert forward_journals(folder, server.uri) > 0
    for path in (missed, lost):
        path.with_suffix(".away").rename(path)
    done = replay_journals(folder, server.uri)
    assert set(done.written) == {run_uid(missed), run_uid(lost)}
    assert done.lines()[0] == "4 runs in the journals; the catalog had all of 2"
    assert f"wrote {run_uid(missed)[:8]}: 2 documents" in done.lines()
    # Doing it again, by a process that knows nothing, or after the catalog lost a run.
    again = replay_journals(folder, server.uri)
    assert (again.written, again.summarised, again.refused) == ({}, (), {})
    catalog.delete_contents(run_uid(known[0]), recursive=True, external_only=False)
    assert forward_journals(folder, server.uri) == 0
    assert set(replay_journals(folder, server.uri).written) == {run_uid(known[0])}
    assert len(find(catalog, sample=sample)) == 4


def test_runs_of_before_there_were_summaries_get_one(
    server: Server, catalog: Any, stories: tuple[Path, str]
) -> None:
    folder, sample = stories
    replay_journals(folder, server.uri)
    run = find(catalog, sample=sample, status="complete").values().first()
    run.replace_metadata(metadata={"start": dict(run.metadata["start"]), "stop": dict(run.metadata["stop"])})
    assert not len(find(catalog, sample=sample, voltage=4.0))
    done = replay_journals(folder, server.uri)
    assert done.summarised == (run.metadata["start"]["uid"],)
    assert not done.written
    assert uids_of(find(catalog, sample=sample, voltage=4.0)) == {run.metadata["start"]["uid"]}


def test_a_run_that_is_refused_is_told_and_holds_no_other_up(
    server: Server, catalog: Any, stories: tuple[Path, str]
) -> None:
    folder, sample = stories
    bad = folder / f"20000101T000000Z_{uuid.uuid4()}.jsonl"
    bad.write_text('["start",{"uid":"' + run_uid(bad) + '","time":1.0}]\nrubbish\n')
    done = replay_journals(folder, server.uri)
    assert list(done.refused) == [run_uid(bad)]
    assert len(done.written) == 4
    assert any("refused" in line and "no document at byte" in line for line in done.lines())
    with pytest.raises(ForwarderError, match="the catalog refused 1 runs"):
        forward_journals(folder, server.uri)
    assert len(find(catalog, sample=sample)) == 4
    shutil.rmtree(folder)


def test_a_page_is_a_page_of_those_that_were_found(server: Server, catalog: Any, tmp_path: Path) -> None:
    sample = f"cell-{uuid.uuid4().hex[:8]}"
    uids = [
        told(tmp_path / "many", sample=sample, began_unix_s=T0_UNIX_S + number * DAY_S) for number in range(7)
    ]
    forward_journals(tmp_path / "many", server.uri)
    found = find(catalog, sample=sample)
    pages = [[row.uid for row in runs(found, 3, page)] for page in (1, 2, 3, 4)]
    assert pages == [uids[:3:-1], uids[3:0:-1], uids[:1], []]
    assert find_run(found, -1).metadata["start"]["uid"] == uids[-1]
    wait_for(lambda: len(found) == 7, 30, "seven runs were to be counted")

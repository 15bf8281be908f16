"""Finding runs, asked of an exported folder, which answers the same queries as a server."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from catalog.stories import T0_UNIX_S, course, told
from intercalate.catalog.client import CatalogError
from intercalate.catalog.exported import ExportedCatalog, ExportedRun
from intercalate.catalog.journal import journals
from intercalate.catalog.lost_runs import LOST_REASON, close_lost_runs
from intercalate.catalog.run_table import runs, status_now
from intercalate.catalog.search import find, unix_s

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def uids(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Five runs, a day apart, by what they are for."""
    folder = tmp_path_factory.mktemp("search") / "journals"
    stories = {
        "charge": {"records": course([3.0, 3.5, 4.1]), "sample": "nmc-1", "plan_name": "operando"},
        "second": {"records": course([2.9, 3.4], cycle=2.0), "sample": "nmc-2", "exit_status": "fail"},
        "ended": {"sample": "lfp", "plan_name": "preflight", "exit_status": "abort", "reason": "enough"},
        "gone": {"sample": "lfp", "exit_status": None},
        "darks": {"plan_name": "take_darks"},
    }
    made = {
        name: told(folder, began_unix_s=T0_UNIX_S + number * DAY_S, **story)
        for number, (name, story) in enumerate(stories.items())
    }
    return made | {"folder": str(folder)}


@pytest.fixture
def catalog(uids: dict[str, str]) -> ExportedCatalog:
    return opened(Path(uids["folder"]))


def opened(folder: Path) -> ExportedCatalog:
    made = ExportedCatalog(folder)
    made.extend(ExportedRun(path, {}, made) for path in journals(folder))
    return made


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"charge", "second", "ended", "gone", "darks"}),
        ({"sample": "lfp"}, {"ended", "gone"}),
        ({"sample": "nmc-*"}, {"charge", "second"}),
        ({"plan": "operando"}, {"charge"}),
        ({"technique": "cycling"}, {"charge", "second"}),
        ({"technique": "eis"}, set()),
        ({"voltage": 4.0}, {"charge"}),
        ({"voltage": 4.2}, set()),
        ({"voltage": (2.0, 2.95)}, {"second"}),
        ({"voltage": (3.2, 3.3), "cycle": 2}, {"second"}),
        ({"cycle": (2, 5)}, {"second"}),
        ({"status": "complete"}, {"charge", "darks"}),
        ({"status": "failed"}, {"second"}),
        ({"status": "aborted"}, {"ended"}),
        ({"status": "lost"}, {"gone"}),
        ({"status": "running"}, set()),
        ({"since": T0_UNIX_S + 1.5 * DAY_S}, {"ended", "gone", "darks"}),
        ({"since": T0_UNIX_S + DAY_S, "until": T0_UNIX_S + 2 * DAY_S}, {"second", "ended"}),
        ({"sample": "lfp", "status": "complete"}, set()),
    ],
)
def test_runs_are_found_by_all_that_is_asked(
    catalog: ExportedCatalog, uids: dict[str, str], asked: dict, expected: set[str]
) -> None:
    found = {run.metadata["start"]["uid"] for run in find(catalog, **asked).values()}
    assert found == {uids[name] for name in expected}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"sample": "nmc1"}, r"no run has the sample 'nmc1'; there are nmc-1"),
        ({"plan": "operand"}, r"no run has the plan 'operand'; there are operando"),
        ({"technique": "xrf"}, r"no technique is called 'xrf'; there are xrd, .*cycling, eis"),
        (
            {"status": "done"},
            r"no status is called 'done'; there are running, complete, failed, aborted, lost",
        ),
        ({"since": "yesterday"}, r"'yesterday' is no time; write 2026-05-03"),
        ({"voltage": (4.0, 3.0)}, r"voltage: 4 to 3 is no range"),
        ({"cycle": float("nan")}, r"cycle: nan to nan is no range"),
    ],
)
def test_what_is_not_known_is_told_with_what_is(catalog: ExportedCatalog, asked: dict, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        find(catalog, **asked)


def test_times_are_read_as_they_are_listed() -> None:
    noon = datetime(2027, 1, 15, 12, tzinfo=UTC).timestamp()
    assert unix_s("2027-01-15 12:00") == unix_s("2027-01-15T13:00+01:00") == noon
    assert unix_s("2027-01-15") == unix_s(date(2027, 1, 15)) == noon - DAY_S / 2
    assert unix_s("2027-01-15", at_end=True) == pytest.approx(noon + DAY_S / 2, abs=1e-3)
    assert unix_s("2027-01-15 12:00", at_end=True) == unix_s(noon) == noon
    for text, seconds in {"90 min": 5400.0, "12h": 43_200.0, "3 d": 3 * DAY_S, "0.5 w": 3.5 * DAY_S}.items():
        assert unix_s(text, now=lambda: datetime.fromtimestamp(noon, UTC)) == noon - seconds


def test_pages_follow_each_other_and_end(catalog: ExportedCatalog, uids: dict[str, str]) -> None:
    pages = [[row.uid for row in runs(catalog, 2, page)] for page in (1, 2, 3, 4)]
    expected = [uids[name] for name in ("darks", "gone", "ended", "second", "charge")]
    assert pages == [expected[:2], expected[2:4], expected[4:], []]
    assert repr(catalog) == f"<5 runs of the folder {uids['folder']}>"
    assert repr(catalog[-1]).startswith(f"<run {expected[0][:8]}, ")
    heading, *lines = str(runs(catalog, 2)).splitlines()
    assert heading.split() == [
        "scan",
        "run",
        "when",
        "(UTC)",
        "sample",
        "plan",
        "status",
        "duration",
        "frames",
    ]
    assert [line.split()[0] for line in lines] == [uid[:8] for uid in expected[:2]]
    for wrong in ((0, 1), (5, 0)):
        with pytest.raises(CatalogError, match="both must be 1 or more"):
            runs(catalog, *wrong)


def test_the_journal_knows_how_a_run_ended_that_the_catalog_has_open(
    uids: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "journals"
    shutil.copytree(uids["folder"], folder)
    assert {row.status for row in runs(opened(folder), 5)} == {"complete", "failed", "aborted", "lost"}
    # As the catalog has it that missed the end.
    open_in_catalog = {"start": {"uid": uids["charge"]}}
    assert status_now(open_in_catalog, folder) == "complete"
    assert status_now({"start": {"uid": uids["gone"]}}, folder) == "lost"
    assert status_now({"start": {"uid": "elsewhere"}}, folder) == "running"
    assert close_lost_runs(folder) == [uids["gone"]]
    stop = opened(folder)[uids["gone"]].metadata["stop"]
    assert (stop["exit_status"], stop["reason"]) == ("abort", LOST_REASON)
    (row,) = runs(find(opened(folder), sample="lfp", since=T0_UNIX_S + 3 * DAY_S), 5)
    assert row.status == "lost"
    aborted = find(opened(folder), status="aborted").keys()
    assert list(aborted) == [uids["ended"]]

"""Record file and ledger: what they hold after crashes, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.contract import RECORD_BLOCK_ROWS, RECORD_COLUMNS
from intercalate.cycler_server.ledger import ProgramEntry, ProgramLedger, ProgramStatus
from intercalate.cycler_server.records import RecordFile

ROW = tuple(range(1, len(RECORD_COLUMNS)))


def test_records_are_given_out_only_when_they_are_on_the_disk(tmp_path: Path) -> None:
    records = RecordFile(tmp_path / "r.f8")
    for _ in range(3):
        records.append(ROW)
    assert (len(records), records.synced, len(records.read(0))) == (3, 0, 0)
    records.sync()
    assert [row[0] for row in records.read(1)] == [1, 2]
    assert len(records.read(7)) == 0


def test_blocks_follow_one_another(tmp_path: Path) -> None:
    records = RecordFile(tmp_path / "r.f8")
    for _ in range(2 * RECORD_BLOCK_ROWS + 5):
        records.append(ROW)
    records.sync()
    cursor, seen = 0, []
    while len(block := records.read(cursor)):
        assert len(block) <= RECORD_BLOCK_ROWS
        seen += list(block[:, 0])
        cursor += len(block)
    assert seen == list(range(len(records)))


@settings(max_examples=30, deadline=None)
@given(kept=st.integers(0, 4), torn=st.integers(0, 143))
def test_a_torn_row_is_cut_off_and_its_number_given_again(tmp_path_factory, kept: int, torn: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "r.f8"
    first = RecordFile(path)
    for _ in range(kept):
        first.append(ROW)
    first.close()
    with path.open("ab") as file:
        file.write(b"\x01" * torn)
    again = RecordFile(path)
    assert len(again) == again.synced == kept
    assert again.append(ROW) == kept
    again.sync()
    assert np.array_equal(again.read(0)[:, 0], np.arange(kept + 1))
    again.close()


def test_records_of_another_version_are_not_mixed_in(tmp_path: Path) -> None:
    RecordFile(tmp_path / "r.f8").close()
    (tmp_path / "r.json").write_text(json.dumps({"columns": ["a"]}))
    with pytest.raises(ValueError, match="move the file away"):
        RecordFile(tmp_path / "r.f8")


def test_a_row_needs_every_column(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="18 columns"):
        RecordFile(tmp_path / "r.f8").append((1.0, 2.0))


def entry(program_id: str, status: ProgramStatus = ProgramStatus.LOADED) -> ProgramEntry:
    return ProgramEntry(program_id, "0" * 64, status)


def test_what_ran_when_the_server_died_is_found_interrupted(tmp_path: Path) -> None:
    ledger = ProgramLedger(tmp_path / "p.jsonl")
    ledger.add(entry("ran", ProgramStatus.RUNNING))
    ledger.add(entry("loaded"))
    ledger.add(entry("done", ProgramStatus.COMPLETE))
    ledger.close()
    again = ProgramLedger(tmp_path / "p.jsonl")
    assert {name: e.status for name, e in again.entries.items()} == {
        "ran": ProgramStatus.INTERRUPTED,
        "loaded": ProgramStatus.UNLOADED,
        "done": ProgramStatus.COMPLETE,
    }
    assert again.interrupted is not None
    assert again.interrupted.program_id == "ran"


def test_the_last_started_is_one_that_ran(tmp_path: Path) -> None:
    ledger = ProgramLedger(tmp_path / "p.jsonl")
    assert ledger.last_started is None
    ledger.add(entry("ran", ProgramStatus.RUNNING))
    ledger.set_status("ran", ProgramStatus.RUNNING, settled=False)
    ledger.add(entry("withdrawn", ProgramStatus.ACKNOWLEDGED))
    ledger.close()
    again = ProgramLedger(tmp_path / "p.jsonl")
    assert again.last_started is not None
    assert again.last_started.program_id == "ran"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400))
def test_a_torn_line_never_happened(tmp_path_factory, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "p.jsonl"
    ledger = ProgramLedger(path)
    ledger.add(entry("one"))
    whole = path.stat().st_size
    ledger.add(entry("two", ProgramStatus.COMPLETE))
    ledger.close()
    raw = path.read_bytes()
    path.write_bytes(raw[: max(whole, len(raw) - cut)])
    again = ProgramLedger(path)
    assert set(again.entries) == {"one"}
    again.add(entry("three"))
    again.close()
    assert set(ProgramLedger(path).entries) == {"one", "three"}


def test_two_servers_do_not_share_a_ledger(tmp_path: Path) -> None:
    first = ProgramLedger(tmp_path / "p.jsonl")
    with pytest.raises(OSError, match="another cycler server"):
        ProgramLedger(tmp_path / "p.jsonl")
    first.close()
    ProgramLedger(tmp_path / "p.jsonl").close()


@pytest.mark.parametrize(
    "line", ["not json", '{"event": "other"}', '{"event": "program", "status": "x"}', "3"]
)
def test_a_foreign_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "p.jsonl").write_text(f'{{"event": "fault", "fault": "", "why": ""}}\n{line}\n')
    with pytest.raises(ValueError, match=r"p\.jsonl, line 2"):
        ProgramLedger(tmp_path / "p.jsonl")

"""Numbers of runs rise by one, over sessions and processes."""

import multiprocessing
from pathlib import Path

import pytest

from intercalate.scan_numbers import ScanNumbers


def _take(path: Path, count: int) -> list[int]:
    numbers = ScanNumbers(path)
    return [numbers({}) for _ in range(count)]


def test_they_go_on_where_a_session_ended_and_follow_one_that_was_set(tmp_path: Path) -> None:
    path = tmp_path / "storage" / "scan_number"
    assert _take(path, 3) == [1, 2, 3]
    assert _take(path, 1) == [4]
    assert ScanNumbers(path)({"scan_id": 1}) == 5
    assert ScanNumbers(path)({"scan_id": 5000}) == 5001
    assert _take(path, 1) == [5002]


@pytest.mark.parametrize("content", ["", "nonsense\n"])
def test_a_damaged_file_begins_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "scan_number"
    path.write_text(content)
    assert ScanNumbers(path)({"scan_id": 7}) == 8
    assert _take(path, 1) == [9]


def test_processes_take_each_number_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        taken = pool.starmap(_take, [(tmp_path / "scan_number", 50)] * 4)
    assert sorted(number for one in taken for number in one) == list(range(1, 201))

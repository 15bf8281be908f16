"""Damaged files: read with the numbers that were written, or refused by name and line; nothing else."""

import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercalate.cycling_files import CyclingFile, CyclingFileError, read_cycling_file
from unit.cycling_files.samples import bdf_columns, course, csv_text, mpt_text

PARIS = ZoneInfo("Europe/Paris")
VOLTAGE_LAST = {name: course()[name] for name in ("mode", "time/s", "<I>/mA", "Ewe/V")}
WHOLE = {
    "cell.mpt": mpt_text().encode("latin-1"),
    "voltage-last.mpt": mpt_text(VOLTAGE_LAST).encode("latin-1"),
    "cell.csv": csv_text(bdf_columns()).encode(),
}


def read(name: str, content: bytes) -> CyclingFile:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_cycling_file(path, zone=PARIS)


def read_or_refused(
    name: str, content: bytes, where: tuple[str, ...] = ("line ", "table", "current")
) -> CyclingFile | None:
    """The file, or nothing if it was refused as it should be."""
    refusal: CyclingFileError | None = None
    try:
        return read(name, content)
    except CyclingFileError as error:
        refusal = error
    (problem,) = refusal.problems
    assert refusal.source == name
    assert problem.where.startswith(where)
    assert problem.limit
    assert problem.fix
    return None


INTACT = {name: read(name, content) for name, content in WHOLE.items()}
names = st.sampled_from(sorted(WHOLE))


def assert_rows_are_those_written(found: CyclingFile, name: str) -> None:
    """Whatever rows are left have, in every column that is left, what was written in them."""
    intact = INTACT[name]
    at = np.searchsorted(intact.columns["test_time_second"], found.columns["test_time_second"])
    for column in {"test_time_second", "unix_time_second", "voltage_volt", "current_ampere"} & set(
        found.columns
    ):
        assert found.columns[column].tolist() == intact.columns[column][at].tolist(), column


@settings(max_examples=300, deadline=None)
@given(name=names, kept=st.floats(0, 1))
def test_a_cut_file_gives_what_is_whole_or_nothing(name: str, kept: float) -> None:
    content = WHOLE[name]
    found = read_or_refused(name, content[: round(kept * len(content))])
    if found is not None:
        assert_rows_are_those_written(found, name)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_file_cut_anywhere_in_its_last_two_lines(name: str) -> None:
    content, end = WHOLE[name], b"\r\n" if name.endswith("mpt") else b"\n"
    last_two = sum(len(line) + len(end) for line in content.split(end)[-3:-1])
    for missing in range(1, last_two):
        found = read_or_refused(name, content[:-missing])
        if found is not None:
            assert_rows_are_those_written(found, name)


@settings(max_examples=200, deadline=None)
@given(name=names, data=st.data())
def test_lost_and_exchanged_lines(name: str, data: st.DataObject) -> None:
    lines = WHOLE[name].splitlines(keepends=True)
    one, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    match data.draw(st.sampled_from(["lose", "exchange", "repeat"])):
        case "lose":
            del lines[one]
        case "exchange":
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            lines.insert(one, lines[one])
    found = read_or_refused(name, b"".join(lines))
    if found is not None:
        assert_rows_are_those_written(found, name)


@settings(max_examples=300, deadline=None)
@given(name=names, data=st.data())
def test_marks_of_another_language(name: str, data: st.DataObject) -> None:
    """One decimal mark, or one separator, is exchanged for another character."""
    content = WHOLE[name]
    places = [n for n, byte in enumerate(content) if byte in b",.\t;"]
    at = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from([mark for mark in b",.\t; '" if mark != content[at]]))
    found = read_or_refused(name, content[:at] + bytes([other]) + content[at + 1 :])
    if found is not None:
        assert_rows_are_those_written(found, name)


@settings(max_examples=400, deadline=None)
@given(name=names, at=st.floats(0, 1, exclude_max=True), noise=st.binary(min_size=1, max_size=40))
def test_noise_never_ends_in_another_error(name: str, at: float, noise: bytes) -> None:
    content = WHOLE[name]
    begin = int(at * len(content))
    read_or_refused(name, content[:begin] + noise + content[begin + len(noise) :])


@settings(max_examples=200, deadline=None)
@given(suffix=st.sampled_from(["mpt", "csv"]), content=st.binary(max_size=300))
def test_any_bytes_at_all(suffix: str, content: bytes) -> None:
    head = b"EC-Lab ASCII FILE\r\nNb header lines : 3\r\n" if suffix == "mpt" else b""
    read_or_refused(f"cell.{suffix}", content)
    read_or_refused(f"cell.{suffix}", head + content)


@settings(max_examples=150, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), noise=st.binary(min_size=1, max_size=8), cut=st.booleans())
def test_a_damaged_parquet_file_is_refused_or_whole(at: float, noise: bytes, cut: bool) -> None:
    columns = bdf_columns()
    sink = pa.BufferOutputStream()
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    pq.write_table(table, sink, write_page_checksum=True)
    content = sink.getvalue().to_pybytes()
    begin = int(at * len(content))
    damaged = content[:begin] if cut else content[:begin] + noise + content[begin + len(noise) :]
    found = read_or_refused("cell.parquet", damaged, ("line ", "table", "current", "file", *columns))
    if found is not None:
        assert_rows_are_those_written(found, "cell.csv")

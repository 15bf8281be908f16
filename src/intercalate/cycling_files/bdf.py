"""Battery Data Format, as CSV and as parquet.

Names and labels are those of the Battery Data Alliance, https://w3id.org/battery-data-alliance/ontology/
battery-data-format; there too + current charges.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from intercalate.cycling_files.model import REQUIRED, CyclingFile, CyclingFileError, checked_file
from intercalate.cycling_files.text import read_columns, read_text, split

CSV, PARQUET = "BDF csv", "BDF parquet"

NAMES: dict[str, tuple[str, ...]] = {
    "test_time_second": ("test_time_second", "Test Time / s"),
    "unix_time_second": ("unix_time_second", "Unix Time / s"),
    "voltage_volt": ("voltage_volt", "Voltage / V"),
    "current_ampere": ("current_ampere", "Current / A"),
    "net_capacity_ah": ("net_capacity_ah", "Net Capacity / Ah"),
    "charging_capacity_ah": ("charging_capacity_ah", "Charging Capacity / Ah"),
    "discharging_capacity_ah": ("discharging_capacity_ah", "Discharging Capacity / Ah"),
    "cycle_count": ("cycle_count", "Cycle Count / 1"),
    "step_count": ("step_count", "Step Count / 1"),
    "step_id": ("step_id", "Step ID / 1"),
    "surface_temperature_celsius": (
        "surface_temperature_celsius",
        "Surface Temperature / degC",
        "temperature_t1_celsius",
        "Surface Temperature T1 / degC",
    ),
}
"""Machine-readable name and label of each column that is read."""


def read_bdf_csv(path: str | Path) -> CyclingFile:
    """Read a CSV file: between commas with decimal points, or between semicolons with either.

    Raises
    ------
    CyclingFileError
        If it is no such file, was cut or damaged, or lacks time, voltage or current.
    OSError
        If it cannot be read.
    """
    file = read_text(Path(path))
    separator = next((one for one in (";", "\t") if one in file.lines[0]), ",")
    names = [name.strip() for name in split(file.name, 1, file.lines[0], separator)]
    wanted = _wanted(file.name, names)
    columns = read_columns(file, names, wanted, 1, separator)
    lines = range(2, 2 + len(columns["test_time_second"]))
    return checked_file(CyclingFile(file.name, CSV, file.sha256, columns, {}, ()), lines)


def read_bdf_parquet(path: str | Path) -> CyclingFile:
    """Read a parquet file; in messages, line n is row n - 1 of the table, as it were in a CSV file.

    Raises
    ------
    CyclingFileError
        If it is no such file, was cut or damaged, or lacks time, voltage or current.
    OSError
        If it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    raw = path.read_bytes()
    try:
        names = pq.read_schema(pa.BufferReader(raw)).names
    except (pa.ArrowException, OSError, ValueError) as error:
        limit = f"is no parquet file: {str(error).splitlines()[0]}"
        fix = "it was cut or damaged; copy it again"
        raise CyclingFileError(path.name, "file", "(damaged)", limit, fix) from None
    wanted = _wanted(path.name, names)
    columns: dict[str, np.ndarray] = {}
    for column, at in wanted.items():
        try:
            one = pq.read_table(
                pa.BufferReader(raw), columns=[names[at]], page_checksum_verification=True
            ).column(0)
            values = one.cast(pa.float64()).to_numpy()
        except (pa.ArrowException, OSError, ValueError) as error:
            first = str(error).splitlines()[0]
            fix = "it was damaged; copy or export it again"
            raise CyclingFileError(path.name, names[at], "(damaged)", first, fix) from None
        columns[column] = np.array(values, dtype=float)
        bad = np.flatnonzero(~np.isfinite(columns[column]))
        if column in REQUIRED and bad.size:
            where = f"line {bad[0] + 2}, {names[at]}"
            limit, fix = "is no finite number", "the file was damaged; export it again"
            raise CyclingFileError(path.name, where, float(columns[column][bad[0]]), limit, fix)
        if len(values) != len(columns["test_time_second"]):
            limit = f"has not as many rows as the time, {len(columns['test_time_second'])}"
            fix = "it was damaged; copy or export it again"
            raise CyclingFileError(path.name, names[at], len(values), limit, fix)
    digest = hashlib.sha256(raw).hexdigest()
    lines = range(2, 2 + len(columns["test_time_second"]))
    return checked_file(CyclingFile(path.name, PARQUET, digest, columns, {}, ()), lines)


def _wanted(source: str, names: Iterable[str]) -> dict[str, int]:
    names = list(names)
    wanted: dict[str, int] = {}
    for column, known in NAMES.items():
        at = [n for n, name in enumerate(names) if name in known]
        if len(at) > 1:
            listed = ", ".join(names[n] for n in at)
            limit, fix = f"all of them are {column}", "leave one of them in the file"
            raise CyclingFileError(source, "line 1", listed, limit, fix)
        if at:
            wanted[column] = at[0]
        elif column in REQUIRED:
            where = f"line 1, {known[1]}"
            fix = f"name it {known[0]} or {known[1]!r}, as the Battery Data Format does"
            raise CyclingFileError(source, where, "(absent)", "this column is needed", fix)
    return wanted

"""Records of a cycler in the Battery Data Format, as `cycling_files.bdf` reads them back.

Columns have the machine-readable names of the format, https://w3id.org/battery-data-alliance/ontology/
battery-data-format. Where the data are simulated there is a column more, `simulated`, in every row: a table
has no other place where that could not be lost.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from intercalate.catalog.export import ExportError, whole_file
from intercalate.cycling_files.bdf import NAMES
from intercalate.cycling_files.model import REQUIRED

SIMULATED = "simulated"
LEAST_ROWS = 2


def to_bdf(table: xr.Dataset, path: str | Path, *, simulated: bool) -> Path:
    """Write records as `.csv` or `.parquet`, by the end of the path's name; numbers to the last bit.

    Parameters
    ----------
    table
        As `records` gives it: columns of the contract along `record`.

    Raises
    ------
    ExportError
        If time, voltage or current are missing or hold no finite numbers, there are fewer than two records,
        or the file cannot be written.
    """
    path, columns = Path(path), _columns(table, simulated)
    match path.suffix:
        case ".csv":
            _write_csv(path, columns)
        case ".parquet":
            _write_parquet(path, columns, simulated)
        case other:
            raise ExportError(
                f"{path}: the Battery Data Format is written as .csv or .parquet, not {other!r}"
            )
    return path


def _columns(table: xr.Dataset, simulated: bool) -> dict[str, np.ndarray]:
    columns = {}
    for name in NAMES:
        if name not in table:
            if name in REQUIRED:
                raise ExportError(
                    f"the records have no {name}, without which there is no Battery Data Format"
                )
            continue
        values = np.asarray(table[name], float)
        if np.isfinite(values).any():
            columns[name] = values
        if name in REQUIRED and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ExportError(f"record {row + 1} has no finite {name} ({values[row]}); export another format")
    rows = table.sizes["record"]
    if rows < LEAST_ROWS:
        raise ExportError(f"a table of the Battery Data Format has two records or more; the run has {rows}")
    return columns | ({SIMULATED: np.ones(rows)} if simulated else {})


def _write_csv(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    # `repr` is the shortest text that gives the same number again.
    texts = [["" if np.isnan(one) else repr(float(one)) for one in values] for values in columns.values()]
    with whole_file(path) as draft, draft.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*texts, strict=True))


def _write_parquet(path: Path, columns: Mapping[str, np.ndarray], simulated: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({SIMULATED: str(simulated).lower()})
    with whole_file(path) as draft:
        pq.write_table(table, draft, write_page_checksum=True)

"""Any file of a cycler by its name."""

from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

from intercalate.cycling_files.bdf import read_bdf_csv, read_bdf_parquet
from intercalate.cycling_files.biologic import read_mpt
from intercalate.cycling_files.model import CyclingFile, CyclingFileError, CyclingSeries, stitch


def read_cycling_file(
    path: str | Path, *, zone: tzinfo | None = None, day_first: bool | None = None
) -> CyclingFile:
    """Read a file by the end of its name: `.mpt`, `.csv` and `.bdf` (Battery Data Format), `.parquet`.

    Parameters
    ----------
    zone, day_first
        See `read_mpt`; the Battery Data Format needs neither.

    Raises
    ------
    CyclingFileError
        If it is of no known kind, was cut or damaged, or lacks what is needed.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".mpt":
            return read_mpt(path, zone=zone, day_first=day_first)
        case ".csv" | ".bdf":
            return read_bdf_csv(path)
        case ".parquet":
            return read_bdf_parquet(path)
        case other:
            limit = "the file name must end in .mpt, .csv, .bdf or .parquet"
            fix = "export it as text (.mpt) or in the Battery Data Format"
            raise CyclingFileError(path.name, "file name", other or "(no suffix)", limit, fix)


def read_cycling_files(
    paths: Sequence[str | Path], *, zone: tzinfo | None = None, day_first: bool | None = None
) -> CyclingSeries:
    """Read the files of one cell and put them in order; see `stitch`.

    Raises
    ------
    CyclingFileError
        If one is refused, or two do not go together.
    OSError
        If one cannot be read.
    """
    return stitch([read_cycling_file(path, zone=zone, day_first=day_first) for path in paths])

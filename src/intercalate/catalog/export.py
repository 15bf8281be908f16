"""Data as files that other programs read; a file is there whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

SPARE = 1.1
"""Room that is asked for, in sizes of the data."""


class ExportError(RuntimeError):
    """Nothing was exported; the message says why, and nothing half written was left."""


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A draft beside `path`, which takes its place if all goes well, and else is removed.

    Raises
    ------
    ExportError
        If the disk is full or the folder cannot be written.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        os.replace(draft, path)
    except (OSError, RuntimeError) as error:
        # HDF5 says what the system said in a RuntimeError, where that comes when a file is closed.
        if isinstance(error, OSError) or "errno =" in str(error):
            raise _failure(path, error) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """The same for a folder, which must not be there yet.

    Raises
    ------
    ExportError
        If it is, the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    require_new(path)
    draft = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".draft", dir=path.parent))
        draft.chmod(0o755)
        yield draft
        os.rename(draft, path)
    except OSError as error:
        raise _failure(path, error) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def require_new(path: Path) -> None:
    """Refuse to write over anything.

    Raises
    ------
    ExportError
        If there is something of this name.
    """
    if path.exists():
        raise ExportError(f"{path} exists already; name another folder (--to), or move it away")


def require_room(path: Path, needed_bytes: float) -> None:
    """Refuse to begin what cannot be ended. HDF5 above all does not survive a disk that becomes full.

    Raises
    ------
    ExportError
        If less than that is free where `path` is to be.
    """
    free_bytes = _free_bytes(path)
    if needed_bytes > free_bytes:
        raise ExportError(
            f"{path} needs about {needed_bytes / 1e6:.0f} MB, and {free_bytes / 1e6:.0f} MB are free there: "
            "make room, or name a folder on another disk (--to); nothing was written"
        )


def _free_bytes(path: Path) -> int:
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    return shutil.disk_usage(there).free


def _failure(path: Path, error: Exception) -> ExportError:
    free = f"{_free_bytes(path) / 1e6:.0f} MB free"
    said = getattr(error, "strerror", None) or error
    return ExportError(
        f"{path} cannot be written ({said}; {free}): make room on that disk or name "
        "another folder; nothing was left there"
    )


def to_csv(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write what has one value per row as comma-separated values; units stand in the header.

    Columns with more values per row, such as patterns, are left out: `to_netcdf` keeps them.
    """
    path = Path(path)
    one = [name for name, variable in dataset.variables.items() if variable.ndim == 1]
    dimensions = {dataset[name].dims[0] for name in one}
    if len(dimensions) > 1:
        longest = max(dimensions, key=lambda name: sum(dataset[one_name].dims[0] == name for one_name in one))
        one = [name for name in one if dataset[name].dims[0] == longest]
    frame = dataset[one].reset_coords().to_dataframe().reset_index()
    frame.columns = [_header(dataset, str(name)) for name in frame.columns]
    with whole_file(path) as draft:
        frame.to_csv(draft, index=False)
    return path


def _header(dataset: xr.Dataset, name: str) -> str:
    units = dataset[name].attrs.get("units") if name in dataset.variables else None
    return f"{name} / {units}" if units else name


def to_netcdf(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write everything as NetCDF 4."""
    path = Path(path)
    require_room(path, SPARE * dataset.nbytes)
    encoding = {
        name: {"zlib": True, "complevel": 4}
        for name, variable in dataset.data_vars.items()
        if variable.ndim > 1 and np.issubdtype(variable.dtype, np.number)
    }
    with whole_file(path) as draft:
        dataset.to_netcdf(draft, engine="h5netcdf", encoding=encoding)
    return path

"""A folder to take home: documents, frames, tables and calibrations of runs, opened with no server.

README.md        how it is opened, with and without this package
manifest.json    what there is, where it came from, with hashes
journals/        documents, as they were recorded
frames/          files of frames that the runs refer to, named by their hash
tables/          every stream as csv and NetCDF
calibrations/    of each instrument, those that the runs name, where this machine has them
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intercalate.catalog.client import CatalogError
from intercalate.catalog.export import SPARE, ExportError, require_room, to_netcdf, whole_folder
from intercalate.catalog.exported import FORMAT, MANIFEST, ExportedCatalog, ExportedRun
from intercalate.catalog.exported_streams import original_path
from intercalate.catalog.journal import SUFFIX, read_documents, stop_of
from intercalate.catalog.linked import CELL_OF, CYCLING_OF, linked_runs
from intercalate.catalog.lost_runs import is_being_written
from intercalate.catalog.run_table import run_status

_BLOCK = 1 << 20


@dataclass(frozen=True)
class TakenHome:
    """What was written.

    Attributes
    ----------
    runs
        Unique ids, with those that say something of one that was asked for.
    """

    folder: Path
    runs: tuple[str, ...]
    frame_files: int
    size_bytes: int


def take_home(
    runs: Sequence[Any],
    journals: Path,
    folder: Path,
    *,
    calibrations: Mapping[str, Sequence[Path]] | None = None,
) -> TakenHome:
    """Write runs into a new folder; it is there whole, or not at all.

    Parameters
    ----------
    runs
        Of a catalog. What was imported for them or said of them afterwards goes with them.
    journals
        Folder with their documents.
    folder
        Must not be there yet.
    calibrations
        Folders of calibrations, by instrument.

    Raises
    ------
    ExportError
        If a run is still under way, its journal or its frames are not on this machine, or the folder is there
        or cannot be written.
    """
    whole = {run.metadata["start"]["uid"]: run for run in runs}
    for run in runs:
        for key in (CYCLING_OF, CELL_OF):
            whole |= {one.metadata["start"]["uid"]: one for one in linked_runs(run, key)}
    documents = {uid: _journal(journals, uid) for uid in whole}
    originals = list(dict.fromkeys(path for one in documents.values() for path in _frame_files(one)))
    _require_room(folder, [*documents.values(), *map(Path, originals)])
    with whole_folder(folder) as draft:
        entries = []
        for uid, path in documents.items():
            entries.append({"uid": uid, **_copied(path, draft, f"journals/{path.name}")})
        frames = [_frames_copied(Path(one), draft) for one in originals]
        for instrument, paths in (calibrations or {}).items():
            for path in paths:
                shutil.copytree(path, draft / "calibrations" / instrument / path.name)
        simulated = any(run.metadata["start"].get("simulated") for run in whole.values())
        manifest = {
            "format": FORMAT,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "made_by": f"intercalate {version('intercalate')}",
            "simulated": simulated,
            "runs": entries,
            "frames": frames,
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        _write_tables(draft, entries, frames)
        (draft / "README.md").write_text(_readme(list(whole.values()), frames, simulated))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return TakenHome(folder, tuple(whole), len(frames), size)


def _journal(folder: Path, uid: str) -> Path:
    found = list(folder.glob(f"*_{uid}{SUFFIX}"))
    if not found:
        raise ExportError(
            f"the journal of run {uid} is not in {folder}: export it on the machine that recorded it"
        )
    if stop_of(found[0]) is None and is_being_written(found[0]):
        raise ExportError(f"run {uid} is under way: export it when it has ended")
    return found[0]


def _frame_files(journal: Path) -> list[str]:
    """Files of frames that a run refers to."""
    return [
        original_path(doc)
        for name, doc, _ in read_documents(journal)
        if name in ("resource", "stream_resource")
    ]


def _require_room(folder: Path, paths: Sequence[Path]) -> None:
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise ExportError(
            f"{len(missing)} files that the run refers to are not on this machine, {missing[0]} among them: "
            "export it where they are"
        )
    require_room(folder, SPARE * sum(path.stat().st_size for path in paths))


def _copied(path: Path, draft: Path, name: str) -> dict[str, Any]:
    """Copy a file, and read its hash from what was copied."""
    target = draft / name
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, target)
    return {"file": name, "sha256": sha256_of(target), "bytes": target.stat().st_size}


def _frames_copied(path: Path, draft: Path) -> dict[str, Any]:
    entry = _copied(path, draft, f"frames/{path.name}.draft")
    name = f"frames/{entry['sha256'][:16]}{path.suffix}"
    (draft / entry["file"]).rename(draft / name)
    return {**entry, "file": name, "original": str(path)}


def sha256_of(path: Path) -> str:
    """Hash of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def changed_files(folder: Path) -> list[str]:
    """Files of an exported folder that are not what was written, by their hashes."""
    manifest = json.loads((folder / MANIFEST).read_text())
    return [
        entry["file"]
        for entry in (*manifest["runs"], *manifest["frames"])
        if not (folder / entry["file"]).is_file() or sha256_of(folder / entry["file"]) != entry["sha256"]
    ]


def _write_tables(draft: Path, entries: Sequence[Any], frames: Sequence[Any]) -> None:
    """Every stream as csv and NetCDF, of the documents that were copied."""
    files = {one["original"]: draft / one["file"] for one in frames}
    for entry in entries:
        run = ExportedRun(draft / entry["file"], files, ExportedCatalog(draft))
        for name in run:
            if "internal" not in run[name].base:
                continue
            table = stream_table(run, name)
            path = draft / "tables" / f"{entry['uid'][:8]}_{name}.csv"
            path.parent.mkdir(exist_ok=True)
            # A table by itself says that it is simulated too.
            frame = table.to_dataframe()
            frame = frame.assign(simulated=1) if table.attrs["simulated"] else frame
            frame.to_csv(path, index=False)
            to_netcdf(table, path.with_suffix(".nc"))


def stream_table(run: Any, name: str) -> xr.Dataset:
    """Rows of a stream along `row`, with units, and what they are of as attributes."""
    stream, start = run[name], run.metadata["start"]
    if "internal" not in stream.base:
        raise CatalogError(f"the run has a stream {name!r} but no row in it")
    frame = stream.base["internal"].read().sort_values("seq_num", kind="stable")
    columns = {}
    for column in frame:
        values = frame[column].to_numpy()
        if values.dtype == object or values.dtype.kind not in "fiub":
            values = np.array(["" if one is None else str(one) for one in values], dtype=object)
        units = (stream.metadata["data_keys"].get(column) or {}).get("units") or ""
        columns[column] = ("row", values, {"units": units} if units else {})
    return xr.Dataset(
        columns,
        attrs={
            "run": start["uid"],
            "stream": name,
            "sample": str(start.get("sample", "")),
            "plan": str(start.get("plan_name", "")),
            "simulated": int(bool(start.get("simulated", False))),
        },
    )


def _line(metadata: Any) -> str:
    start = metadata["start"]
    began = f"{datetime.fromtimestamp(start['time'], UTC):%Y-%m-%d %H:%M}"
    cells = (
        start["uid"][:8],
        began,
        start.get("sample", ""),
        start.get("plan_name", ""),
        run_status(metadata),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _readme(runs: Sequence[Any], frames: Sequence[Any], simulated: bool) -> str:
    start = runs[0].metadata["start"]
    uid, names = start["uid"][:8], [name for run in runs[:1] for name in run]
    table = next((one for one in ("cycling", *names) if one in names), "cycling")
    listed = "\n".join(_line(run.metadata) for run in runs)
    file = frames[0]["file"] if frames else "frames/FILE.h5"
    origin = "**Simulated data: no cell was measured.**\n\n" if simulated else ""
    return f"""# Runs to take home

{origin}| run | began (UTC) | sample | plan | status |
|---|---|---|---|---|
{listed}

`manifest.json` says where each file came from, with its SHA-256. In Python, without any server:

```python
import json
from pathlib import Path
import h5py, hdf5plugin  # detectors compress with filters of hdf5plugin
import pandas as pd
import xarray as xr

records = pd.read_csv("tables/{uid}_{table}.csv")
same = xr.open_dataset("tables/{uid}_{table}.nc", engine="h5netcdf")
frames = {{one["original"]: one["file"] for one in json.loads(Path("manifest.json").read_text())["frames"]}}
with h5py.File("{file}", "r") as file:
    first = file["entry/data/data"][0]
```

Which frame belongs to which event of a stream says its column `..._hdf_frame_index`. With the package
`intercalate`, everything that reads a catalog reads this folder too:

```python
from pathlib import Path
from intercalate.catalog.client import find_run, frames, open_catalog, records
from intercalate.catalog.alignment import align

run = find_run(open_catalog(Path(".")), "{uid}")
print(records(run) if "cycling" in run else list(run))
```
"""

"""The fourth door: runs of an exported folder, read from their documents, without a server.

What `open_exported` gives behaves as a Tiled catalog does where this package and most scripts touch it: runs
by unique id, scan id or from the end, `search`, `metadata`, streams with their table (`read`) and frames.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from intercalate.catalog.client import SHORTEST_UID, CatalogError
from intercalate.catalog.exported_search import matches, value_of
from intercalate.catalog.exported_streams import ExportedStream, read_streams
from intercalate.catalog.journal import read_documents, stop_of
from intercalate.catalog.summaries import SUMMARY, RunSummary

MANIFEST = "manifest.json"
FORMAT = "intercalate take-home 1"


class _List(list[Any]):
    """A list that has what is asked of the client's views."""

    def head(self, number: int) -> "_List":
        return _List(self[:number])

    def first(self) -> Any:
        return self[0]

    def last(self) -> Any:
        return self[-1]


def open_exported(folder: str | Path) -> "ExportedCatalog":
    """Open a folder that was exported.

    Raises
    ------
    CatalogError
        If it is none, or a file is missing or has another size than when it was exported.
    """
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise CatalogError(f"{folder} is no exported folder: {error}") from error
    if manifest.get("format") != FORMAT:
        raise CatalogError(
            f"{folder} is of the format {manifest.get('format')!r}; this version reads {FORMAT!r}"
        )
    for entry in (*manifest["runs"], *manifest["frames"]):
        path = folder / entry["file"]
        size = path.stat().st_size if path.is_file() else None
        if size != entry["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes, not {entry['bytes']}"
            raise CatalogError(f"{path} {found}: the folder was not copied whole; copy it again")
    files = {entry["original"]: folder / entry["file"] for entry in manifest["frames"]}
    catalog = ExportedCatalog(folder)
    catalog.extend(ExportedRun(folder / entry["file"], files, catalog) for entry in manifest["runs"])
    return catalog


class ExportedCatalog:
    """Runs of a folder, in the order of their start."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._runs: list[ExportedRun] = []

    def extend(self, runs: Iterator["ExportedRun"]) -> None:
        """Add runs."""
        self._runs = sorted([*self._runs, *runs], key=lambda run: run.metadata["start"]["time"])

    def __repr__(self) -> str:
        return f"<{len(self)} runs of the folder {self.folder}>"

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> _List:
        """Unique ids."""
        return _List(run.metadata["start"]["uid"] for run in self._runs)

    def values(self) -> _List:
        """Runs."""
        return _List(self._runs)

    def items(self) -> _List:
        """Both."""
        return _List(zip(self.keys(), self._runs, strict=True))

    def __getitem__(self, key: str | int) -> "ExportedRun":
        if isinstance(key, str):
            if len(key) < SHORTEST_UID:
                raise ValueError(f"{key!r} is too short; it must have at least {SHORTEST_UID} characters")
            found = [run for uid, run in self.items() if uid.startswith(key)]
            if len(found) > 1:
                raise ValueError(f"several runs begin with {key!r}; give more characters")
        elif key > 0:
            found = [run for run in self._runs if run.metadata["start"].get("scan_id") == key][-1:]
        else:
            return self._runs[key]
        if not found:
            raise KeyError(key)
        return found[0]

    def search(self, query: Any) -> "ExportedCatalog":
        """Runs by a query of Tiled; its key begins with `start.`, `stop.` or `summary.`, or is one of a start
        document.
        """
        narrowed = ExportedCatalog(self.folder)
        narrowed._runs = [run for run in self._runs if matches(query, run.metadata)]
        return narrowed

    def distinct(self, *keys: str) -> dict[str, Any]:
        """Values that there are of some keys, as the client gives them."""
        found = {key: {value_of(run.metadata, key): None for run in self._runs} for key in keys}
        listed = {key: [{"value": one, "count": None} for one in values] for key, values in found.items()}
        return {"metadata": listed}


class ExportedRun:
    """One run, whose documents are read when something of it is asked for."""

    def __init__(self, journal: Path, files: Mapping[str, Path], parent: ExportedCatalog):
        self.journal, self.parent = journal, parent
        self._files = files
        (_, start, _) = next(read_documents(journal))
        self._start = start

    def __repr__(self) -> str:
        began = datetime.fromtimestamp(self._start["time"], UTC)
        plan = self._start.get("plan_name", "")
        return f"<run {self._start['uid'][:8]}, {plan}, {began:%Y-%m-%d %H:%M} UTC>"

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Documents `start` and `stop`, and the summary."""
        stop = stop_of(self.journal)
        found: dict[str, Any] = {"start": self._start, **({"stop": stop} if stop else {})}
        if not stop:
            found["writer"] = {"alive": False}
        return _WithSummary(found, self._summary)

    def _summary(self) -> dict[str, Any]:
        summary = RunSummary()
        for name, doc, _ in read_documents(self.journal):
            summary(name, doc)
        return summary.as_metadata()

    def documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All of them, as they were recorded."""
        return ((name, doc) for name, doc, _ in read_documents(self.journal))

    @cached_property
    def _streams(self) -> dict[str, ExportedStream]:
        return read_streams(self.documents(), self._files)

    def __iter__(self) -> Iterator[str]:
        return iter(self._streams)

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, name: object) -> bool:
        return name in self._streams

    def keys(self) -> list[str]:
        """Names of the streams."""
        return list(self._streams)

    def __getitem__(self, name: str) -> ExportedStream:
        return self._streams[name]


class _WithSummary(dict[str, Any]):
    """Metadata whose summary is counted when it is asked for: it needs all documents."""

    def __init__(self, found: Mapping[str, Any], count: Callable[[], dict[str, Any]]):
        super().__init__(found)
        self._count = count

    def __missing__(self, key: str) -> Any:
        if key != SUMMARY:
            raise KeyError(key)
        self[key] = self._count()
        return self[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key == SUMMARY else super().get(key, default)

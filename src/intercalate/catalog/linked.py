"""What is known of a run from later runs that name it: records of a cycler's files, a corrected cell.

A run is never changed. What comes afterwards is a run of its own, through the journal like any other,
whose start document names the measured one; of several the latest counts and the others stay.
"""

import getpass
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import event_model
import numpy as np

from intercalate import streams
from intercalate.catalog.client import CatalogError
from intercalate.catalog.clock import ClockModel
from intercalate.catalog.journal import Journal, journals, read_documents
from intercalate.catalog.lithium import cell_of, plain
from intercalate.catalog.run_table import run_status
from intercalate.cell import Cell
from intercalate.contract import RECORD_UNITS
from intercalate.cycling_files import Restart

CYCLING_OF = "cycling_of"
"""Key in the start document of a run that holds the records of another one's cycler."""

CELL_OF = "cell_of"
"""Key in the start document of a run that says what cell another one was of."""

DEVICE = "cycler"
ROWS_PER_PAGE = 2000


@dataclass(frozen=True)
class CyclingSource:
    """Where the records of a run are.

    Attributes
    ----------
    run
        That holds them: itself, or one that was imported.
    clock
        From the frames' clock to the cycler's; None where the run has readings of its own.
    restarts
        Between files.
    charged_before_ah
        Charge in the cell before the first record; None where nobody said.
    """

    run: Any
    clock: ClockModel | None = None
    restarts: tuple[Restart, ...] = ()
    charged_before_ah: float | None = None

    @property
    def is_imported(self) -> bool:
        """Whether the records came from files, afterwards."""
        return self.clock is not None


def is_linked(start: Mapping[str, Any]) -> bool:
    """Whether a run only says something of another one."""
    return CYCLING_OF in start or CELL_OF in start


def linked_runs(run: Any, key: str) -> list[Any]:
    """Complete runs of the catalog that name a run under `CYCLING_OF` or `CELL_OF`, oldest first."""
    from tiled.queries import Key

    found = run.parent.search(Key(f"start.{key}") == run.metadata["start"]["uid"]).values()
    whole = [one for one in found if run_status(one.metadata) == "complete"]
    return sorted(whole, key=lambda one: one.metadata["start"]["time"])


def said_of(run: Any) -> list[str]:
    """What was said of a run after it, a line for each file import and each cell, oldest first."""
    starts = [one.metadata["start"] for key in (CYCLING_OF, CELL_OF) for one in linked_runs(run, key)]
    return [_said(one) for one in sorted(starts, key=lambda start: start["time"])]


def _said(start: Mapping[str, Any]) -> str:
    if CELL_OF in start:
        what, who = f"cell {start['cell']['name']}", start["entered_by"]
    else:
        what, who = f"cycler files {', '.join(one['name'] for one in start['files'])}", start["imported_by"]
    reason = f" ({start['reason']})" if start["reason"] else ""
    return f"version {start['version']} of {what} by {who}{reason}, run {start['uid'][:8]}"


def linked_starts(run: Any, key: str, folder: Path) -> list[dict[str, Any]]:
    """Start documents of the complete runs that name a run, also of those that only the journal has yet."""
    found = {one.metadata["start"]["uid"]: plain(one.metadata["start"]) for one in linked_runs(run, key)}
    uid = run.metadata["start"]["uid"]
    for start in _complete_starts(folder):
        if start.get(key) == uid:
            found.setdefault(start["uid"], start)
    return sorted(found.values(), key=lambda start: start["time"])


def _complete_starts(folder: Path) -> Iterator[dict[str, Any]]:
    for path in journals(folder) if folder.is_dir() else ():
        documents = read_documents(path)
        first = next(documents, None)
        if first is None or not is_linked(first[1]):
            continue
        if any(name == "stop" and doc["exit_status"] == "success" for name, doc, _ in documents):
            yield first[1]


def has_records(run: Any) -> bool:
    """Whether a run has the cycler's records, its own or imported ones."""
    return streams.CYCLING in run or bool(linked_runs(run, CYCLING_OF))


def cycling_source(run: Any) -> CyclingSource:
    """Where the cycler's records of a run are: its own, or the latest that were imported.

    Raises
    ------
    CatalogError
        If there are none.
    """
    if streams.CYCLING in run:
        return CyclingSource(run)
    imported = linked_runs(run, CYCLING_OF)
    if not imported:
        found = ", ".join(run) or "none"
        raise CatalogError(
            f"the run has no stream {streams.CYCLING!r}; it has {found}. No file of a cycler was imported to "
            "it either; `intercalate import-cycling` does that"
        )
    start = plain(imported[-1].metadata["start"])
    charged_mah = start.get("charged_before_mAh")
    return CyclingSource(
        imported[-1],
        ClockModel.from_dict(start["clock"]),
        tuple(Restart(**one) for one in start["restarts"]),
        None if charged_mah is None else charged_mah / 1000.0,
    )


def current_cell(run: Any) -> tuple[Cell | None, str]:
    """The cell of a run as it is known now, and who corrected it; nothing if nobody did."""
    entered = linked_runs(run, CELL_OF)
    if not entered:
        return cell_of(run.metadata["start"]), ""
    start = plain(entered[-1].metadata["start"])
    when = time.strftime("%Y-%m-%d", time.gmtime(start["time"]))
    note = f"cell as entered {when} by {start['entered_by']} ({start['reason']})"
    if len(entered) > 1:
        note += f", version {len(entered)}"
    return cell_of(start), note


def write_linked_run(
    folder: Path,
    key: str,
    measured: Mapping[str, Any],
    metadata: Mapping[str, Any],
    columns: Mapping[str, np.ndarray] | None = None,
) -> str:
    """Write a whole run that names another one; returns its uid.

    Parameters
    ----------
    folder
        Of the journals.
    key
        `CYCLING_OF` or `CELL_OF`.
    measured
        Start document of the run that is named.
    metadata
        More of the start document.
    columns
        Records, shape (n,) each, for the stream `cycling`; None if there are none.

    Raises
    ------
    JournalError
        If the journal cannot be written; a run that is not whole counts for nothing.
    """
    common = {name: measured[name] for name in ("experiment_uid", "sample", "place") if name in measured}
    software = {"intercalate": version("intercalate")}
    if measured.get("simulated"):
        common["simulated"] = True
    start = {**common, "software": software, **metadata, key: measured["uid"]}
    with closing(Journal(folder)) as journal:
        bundle = event_model.compose_run(metadata=start)
        journal("start", bundle.start_doc)
        if columns is not None:
            for name, doc in _pages(bundle, columns):
                journal(name, doc)
        journal("stop", bundle.compose_stop())
    return str(bundle.start_doc["uid"])


def _pages(bundle: Any, columns: Mapping[str, np.ndarray]) -> Iterator[tuple[str, Any]]:
    keys: dict[str, Any] = {
        f"{DEVICE}_{name}": {
            "source": "file",
            "dtype": "number",
            "dtype_numpy": "<f8",
            "shape": [],
            "units": RECORD_UNITS[name],
        }
        for name in columns
    }
    stream = bundle.compose_descriptor(name=streams.CYCLING, data_keys=keys)
    yield "descriptor", stream.descriptor_doc
    count, now = len(next(iter(columns.values()))), time.time()
    for begin in range(0, count, ROWS_PER_PAGE):
        end = min(begin + ROWS_PER_PAGE, count)
        data = {f"{DEVICE}_{name}": values[begin:end].tolist() for name, values in columns.items()}
        times, numbers = [now] * (end - begin), list(range(begin + 1, end + 1))
        timestamps = dict.fromkeys(data, times)
        page = stream.compose_event_page(
            data=data, timestamps=timestamps, time=times, seq_num=numbers, validate=False
        )
        yield "event_page", page


def who_now(who: str | None) -> str:
    """The name that was given, or the login."""
    return who.strip() if who and who.strip() else getpass.getuser()

"""Lists of runs: when, sample, plan, status, duration and frames, of their metadata alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from intercalate import streams
from intercalate.catalog.client import CatalogError
from intercalate.catalog.journal import SUFFIX, stop_of
from intercalate.catalog.lost_runs import LOST_REASON, is_being_written

_LINE = "{:>6}  {:8}  {:16}  {:24}  {:18}  {:9} {:>10} {:>7}"

STATUSES = ("running", "complete", "failed", "aborted", "lost")
"""Of a run: nobody has closed it; it did all that it should; its plan raised an error; it was ended before;
its session died."""


@dataclass(frozen=True)
class RunRow:
    """One line of a list of runs.

    Attributes
    ----------
    scan_id
        Its number in its storage folder.
    status
        One of `STATUSES`.
    duration_s
        Wall seconds; None while there is no stop document.
    events
        Their number by stream; empty while there is no stop document.
    """

    uid: str
    scan_id: int | None
    started: datetime
    sample: str
    plan: str
    status: str
    duration_s: float | None
    events: dict[str, int]
    reason: str

    @property
    def frames(self) -> int:
        """Of all streams; 0 while there is no stop document."""
        return sum(count for name, count in self.events.items() if name not in streams.OTHERS)

    def __str__(self) -> str:
        duration = "" if self.duration_s is None else f"{self.duration_s:.0f} s"
        when = f"{self.started:%Y-%m-%d %H:%M}"
        words = (
            "" if self.scan_id is None else self.scan_id,
            self.uid[:8],
            when,
            self.sample[:24],
            self.plan[:18],
            self.status,
            duration,
            self.frames or "",
        )
        return _LINE.format(*words)


class RunTable(tuple[RunRow, ...]):
    """Runs, which a prompt and `print` show as a table."""

    def __new__(cls, rows: Iterable[RunRow] = ()) -> "RunTable":
        return super().__new__(cls, rows)

    def __str__(self) -> str:
        heading = _LINE.format("scan", "run", "when (UTC)", "sample", "plan", "status", "duration", "frames")
        return "\n".join((heading, *map(str, self)))

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython shows, which would write a tuple by its elements."""
        printer.text(str(self))


def runs(catalog: Any, limit: int = 20, page: int = 1, *, journals: Path | None = None) -> RunTable:
    """The latest runs, latest first; metadata only.

    Parameters
    ----------
    limit
        Runs on a page.
    page
        1 for the latest.
    journals
        See `status_now`; None takes the catalog's word.

    Raises
    ------
    CatalogError
        If there can be no such page.
    """
    if limit < 1 or page < 1:
        raise CatalogError(f"page {page} of {limit} runs: both must be 1 or more")
    last = -1 - (page - 1) * limit
    found = [run.metadata for run in catalog.values()[last : last - limit : -1]]
    return RunTable(
        _row(one, run_status(one) if journals is None else status_now(one, journals)) for one in found
    )


def run_status(metadata: Any) -> str:
    """State of a run by its metadata; one of `STATUSES`."""
    stop = metadata.get("stop")
    if not stop:
        return "running" if metadata.get("writer", {}).get("alive", True) else "lost"
    if stop.get("reason") == LOST_REASON:
        return "lost"
    return {"success": "complete", "abort": "aborted"}.get(stop["exit_status"], "failed")


def status_now(metadata: Any, journals: Path) -> str:
    """State of a run, where the catalog has it open also by its journal: the catalog may have missed its end.

    Parameters
    ----------
    journals
        Folder of journals of this machine, which need not hold the run.
    """
    found = run_status(metadata)
    paths = list(journals.glob(f"*_{metadata['start']['uid']}{SUFFIX}")) if found == "running" else []
    if not paths:
        return found
    stop = stop_of(paths[0])
    if stop is not None:
        return run_status({"stop": stop})
    return "running" if is_being_written(paths[0]) else "lost"


def _row(metadata: Any, status: str) -> RunRow:
    start, stop = metadata["start"], metadata.get("stop") or {}
    sample = start.get("sample", "")
    return RunRow(
        uid=start["uid"],
        scan_id=start.get("scan_id"),
        started=datetime.fromtimestamp(start["time"], UTC),
        sample=sample if isinstance(sample, str) else str(dict(sample).get("name", "")),
        plan=start.get("plan_name", ""),
        status=status,
        duration_s=stop["time"] - start["time"] if stop else None,
        events=dict(stop.get("num_events") or {}),
        reason=stop.get("reason", ""),
    )

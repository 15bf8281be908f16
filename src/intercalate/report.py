"""What became of an experiment, from its runs: every occasion to measure and every minute of the beam."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intercalate import streams
from intercalate.catalog.chain import cells_of, gaps_unix_s, programs_of, runs_of_experiment
from intercalate.catalog.client import CatalogError, records, stream_of
from intercalate.catalog.run_table import run_status
from intercalate.contract import RECORD_COLUMNS
from intercalate.orchestration.notes import ENDED_FIRST
from intercalate.orchestration.occasions import Occasions, check_when
from intercalate.orchestration.when import When, WhenError
from intercalate.protocol import Protocol

EXPOSING, MOVING, DEAD = "exposing", "moving", "dead"
IMPOSSIBLE, ABSENT, OTHERWISE = "impossible", "no session", "otherwise"
KINDS = (EXPOSING, MOVING, DEAD, ABSENT, IMPOSSIBLE)
"""Uses of time; where two overlap the first counts. What is left is `OTHERWISE`.

Dead time is the part of a visit that is neither exposure nor motion: read-out, waiting for answers. In the
time between two runs of one program no session was there to measure. Impossible is measuring without beam
or detector.
"""

NO_SESSION = "no session was there to measure"

_NO_SPANS = np.empty((0, 2))


@dataclass(frozen=True)
class MeasurementReport:
    """What one measurement of a cell got.

    Attributes
    ----------
    frames
        Number by quality of the beam.
    occasions, measured
        How often a frame was due, by the records, and how many of these gave one.
    missed
        Number of the others, by reason.
    revisit_s, longest_gap_s
        Median and longest time from one exposure to the next; NaN with fewer than two.
    """

    frames: dict[str, int]
    occasions: int
    measured: int
    missed: dict[str, int]
    revisit_s: float
    longest_gap_s: float

    def lines(self) -> list[str]:
        """As a few lines."""
        frames = ", ".join(f"{number} {quality}" for quality, number in self.frames.items()) or "none"
        found = [
            f"frames    {frames}",
            f"occasions {self.occasions}, measured {self.measured}, missed {sum(self.missed.values())}",
        ]
        found += [f"{number:6} missed: {reason}" for reason, number in self.missed.items()]
        if np.isfinite(self.revisit_s):
            found.append(f"every {self.revisit_s:.0f} s, at most {self.longest_gap_s:.0f} s apart")
        return found


@dataclass(frozen=True)
class CellReport:
    """What one cell got, in one run or in several that took up its program one after the other.

    Attributes
    ----------
    name, sample
        Place, and cell.
    statuses
        How each of its runs ended.
    whole_unix_s
        Time of the first and of the last record.
    measurements
        By name.
    spans_unix_s
        For each of `KINDS`, start and end of its times, shape (n, 2).
    """

    name: str
    sample: str
    statuses: tuple[str, ...]
    whole_unix_s: tuple[float, float]
    measurements: Mapping[str, MeasurementReport]
    spans_unix_s: Mapping[str, np.ndarray]

    @property
    def duration_s(self) -> float:
        """From the first record to the last."""
        return self.whole_unix_s[1] - self.whole_unix_s[0]

    @property
    def time_s(self) -> dict[str, float]:
        """The whole duration by use."""
        return divide(self.spans_unix_s, self.whole_unix_s)

    def describe(self) -> str:
        """As a few lines."""
        lines = [
            f"{self.name}: {self.sample}, {' and then '.join(self.statuses)}, {self.duration_s / 3600:.2f} h",
            f"  time      {in_hours(self.time_s)}",
        ]
        for name, one in self.measurements.items():
            lines += [f"  {name}"] if len(self.measurements) > 1 else []
            lines += [f"  {line}" for line in one.lines()]
        return "\n".join(lines)


def divide(spans: Mapping[str, np.ndarray], whole: tuple[float, float]) -> dict[str, float]:
    """Divide a time into uses that together are all of it.

    Parameters
    ----------
    spans
        Start and end of the times of each use, shape (n, 2); where two uses overlap, the first named counts.
    whole
        Start and end.

    Returns
    -------
    dict of str to float
        Seconds of each use, and of `OTHERWISE`.
    """
    every = np.concatenate([np.array([whole]), *spans.values()])
    edges = np.unique(np.clip(every, *whole))
    widths, middles = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    is_free = np.ones(len(widths), bool)
    found = {}
    for name, one in spans.items():
        begun, ended = (np.searchsorted(np.sort(side), middles) for side in one.T)
        is_inside = begun > ended
        found[name] = float(widths[is_free & is_inside].sum())
        is_free &= ~is_inside
    return {**found, OTHERWISE: float(widths[is_free].sum())}


def in_hours(times_s: Mapping[str, float]) -> str:
    """Uses of a time in words, those that there are."""
    return ", ".join(f"{name} {seconds / 3600:.2f} h" for name, seconds in times_s.items() if seconds)


def beam_time(reports: Sequence[CellReport]) -> str:
    """How the time of the beam was spent, of all cells together."""
    if not reports:
        return "beam time 0 h"
    whole = (
        min(one.whole_unix_s[0] for one in reports),
        max(one.whole_unix_s[1] for one in reports),
    )
    spans = {kind: np.concatenate([one.spans_unix_s[kind] for one in reports]) for kind in KINDS}
    return f"beam time {(whole[1] - whole[0]) / 3600:.2f} h: {in_hours(divide(spans, whole))}"


def reports_of_experiment(catalog: Any, run: Any) -> list[CellReport]:
    """A report of every cell of the experiment that a run belongs to.

    Raises
    ------
    CatalogError
        If it belongs to none.
    """
    start = run.metadata["start"]
    if "measurements" not in start and "program_id" not in start:
        raise CatalogError(
            f"run {start['uid'][:8]} is {start.get('plan_name', 'a run')} alone, and a report is of an "
            "experiment; `intercalate runs --plan operando_cells` lists some"
        )
    return [report_of(group) for group in cells_of(runs_of_experiment(catalog, run))]


def report_of(runs: Sequence[Any]) -> CellReport:
    """Report of one cell.

    Parameters
    ----------
    runs
        Of one program and of what was left of it, in the order of their start.
    """
    parts = [_Part.of(run) for run in runs]
    start = parts[0].start
    tables = [max((parts[number].rows for number in group), key=len) for group in programs_of(runs)]
    rows = np.concatenate(tables)
    absent = gaps_unix_s(runs)
    spans = {kind: np.concatenate([one.spans_unix_s[kind] for one in parts]) for kind in KINDS}
    protocol = Protocol.from_dict(dict(start["protocol"])) if "protocol" in start else None
    return CellReport(
        name=start.get("place", start["sample"]),
        sample=start["sample"],
        statuses=tuple(run_status(run.metadata) for run in runs),
        whole_unix_s=(float(rows[0, _UNIX]), float(rows[-1, _UNIX])) if len(rows) else (0.0, 0.0),
        measurements={
            one["name"]: _measurement(
                one, protocol, [part.measurements[one["name"]] for part in parts], tables, absent
            )
            for one in start.get("measurements", ())
        },
        spans_unix_s={**spans, ABSENT: absent},
    )


def _measurement(
    asked: Any,
    protocol: Protocol | None,
    parts: Sequence["_Measured"],
    tables: Sequence[np.ndarray],
    absent: np.ndarray,
) -> MeasurementReport:
    measured = sum(one.measured for one in parts)
    missed = Counter(reason for one in parts for reason in one.missed)
    due_unix_s = _occasions(asked, protocol, tables)
    if due_unix_s is None:
        due_unix_s = np.full(measured + missed.total(), np.nan)
    left = len(due_unix_s) - measured - missed.total()
    gone = sum(int(((due_unix_s > a) & (due_unix_s <= b)).sum()) for a, b in absent)
    # One of those may have been measured by the session that came, late.
    if (gone := min(gone, left)) > 0:
        missed[NO_SESSION] += gone
        left -= gone
    if left > 0:
        missed[ENDED_FIRST] += left
    gaps_s = np.diff(np.sort(np.concatenate([one.exposed_unix_s for one in parts])))
    return MeasurementReport(
        frames=dict(Counter(quality for one in parts for quality in one.quality)),
        occasions=len(due_unix_s),
        measured=measured,
        missed=dict(missed),
        revisit_s=float(np.median(gaps_s)) if len(gaps_s) else float("nan"),
        longest_gap_s=float(gaps_s.max()) if len(gaps_s) else float("nan"),
    )


_UNIX = RECORD_COLUMNS.index("unix_time_second")


@dataclass(frozen=True)
class _Measured:
    """What one run tells of one measurement."""

    exposed_unix_s: np.ndarray
    quality: list[str]
    measured: int
    missed: list[str]

    @classmethod
    def of(cls, run: Any, name: str, visits: Any, missed: Any) -> "_Measured":
        frames = _table(run, name)
        exposed_unix_s = _column(frames, "_hdf_frame_start_unix_s")
        quality = ["valid"] * len(exposed_unix_s)
        if frames is not None and "monitors_quality" in frames:
            quality = [str(one) for one in frames["monitors_quality"]]
        mine = _of(missed, "missed_measurement", name)
        return cls(
            exposed_unix_s=exposed_unix_s,
            quality=quality,
            measured=int((_column(_of(visits, "visit_measurement", name), "visit_frames") > 0).sum()),
            missed=[] if mine is None else [str(one) for one in mine["missed_reason"]],
        )


@dataclass(frozen=True)
class _Part:
    """What one run tells.

    Attributes
    ----------
    rows
        Records, shape (n, len(RECORD_COLUMNS)).
    """

    start: Any
    rows: np.ndarray
    measurements: dict[str, _Measured]
    spans_unix_s: dict[str, np.ndarray]

    @classmethod
    def of(cls, run: Any) -> "_Part":
        start = run.metadata["start"]
        rows = _records(run)
        visits, missed = _table(run, streams.VISITS), _table(run, streams.MISSED)
        available = _table(run, streams.AVAILABLE)
        return cls(
            start=start,
            rows=rows,
            measurements={
                one["name"]: _Measured.of(run, one["name"], visits, missed)
                for one in start.get("measurements", ())
            },
            spans_unix_s={
                **_visits(visits, start),
                IMPOSSIBLE: _impossible(available, rows),
                ABSENT: _NO_SPANS,
            },
        )


def _impossible(available: Any, rows: np.ndarray) -> np.ndarray:
    """Start and end of the times in which an instrument could not measure, shape (n, 2)."""
    if available is None:
        return _NO_SPANS
    last_s = rows[-1, _UNIX] if len(rows) else np.nan
    found = [_NO_SPANS]
    for _, one in available.groupby("available_instrument", sort=False):
        changes_s = _column(one, "available_unix_s")
        ends_s = np.append(changes_s[1:], last_s)
        is_blocked = np.array([bool(str(why)) for why in one["available_why_not"]])
        found.append(np.column_stack([changes_s, ends_s])[is_blocked])
    return np.concatenate(found)


def _records(run: Any) -> np.ndarray:
    try:
        stored = records(run)
    except CatalogError:
        return np.empty((0, len(RECORD_COLUMNS)))
    return np.column_stack([np.asarray(stored[name], float) for name in RECORD_COLUMNS])


def _visits(visits: Any, start: Any) -> dict[str, np.ndarray]:
    """Ways, exposures and the rest of all visits: the way comes first, then the exposures."""
    began, moving, visiting, frames = (
        _column(visits, f"visit_{name}") for name in ("began_unix_s", "moving_s", "visiting_s", "frames")
    )
    exposures_s = {one["name"]: one["exposure_s"] for one in start.get("measurements", ())}
    names = [] if visits is None else visits["visit_measurement"]
    exposure_s = np.array([exposures_s.get(str(name), 0.0) for name in names])
    is_known = np.isfinite(began + moving + visiting)
    began, moving, visiting, frames, exposure_s = (
        one[is_known] for one in (began, moving, visiting, frames, exposure_s)
    )
    end = began + visiting
    arrived = began + moving
    exposed = np.minimum(arrived + frames * exposure_s, end)
    return {
        EXPOSING: np.column_stack([arrived, exposed]),
        MOVING: np.column_stack([began, arrived]),
        DEAD: np.column_stack([exposed, end]),
    }


def _occasions(asked: Any, protocol: Protocol | None, tables: Sequence[np.ndarray]) -> np.ndarray | None:
    """When a measurement was due, by its condition and each program's records; None if nobody can say."""
    when = When.of(dict(asked["when"]))
    try:
        check_when(when)
    except WhenError:
        # A function of a plan file that is not loaded here.
        return None
    due = []
    for rows in tables:
        occasions = Occasions(when, protocol)
        for row in rows:
            occasions.see(row)
            if occasions.take():
                due.append(row[_UNIX])
    return np.array(due)


def _table(run: Any, stream: str) -> Any:
    """Events of a stream in their order, or None where there is none."""
    try:
        return stream_of(run, stream).base["internal"].read().sort_values("seq_num", kind="stable")
    except (CatalogError, KeyError):
        return None


def _of(table: Any, column: str, name: str) -> Any:
    """Rows of one measurement."""
    return None if table is None else table[table[column] == name]


def _ending(table: Any, ending: str) -> str:
    return next(name for name in table if str(name).endswith(ending))


def _column(table: Any, ending: str) -> np.ndarray:
    if table is None or not any(str(name).endswith(ending) for name in table):
        return np.zeros(0)
    return table[_ending(table, ending)].to_numpy(float)

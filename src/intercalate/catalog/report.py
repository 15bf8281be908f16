"""What became of measuring several cells in turn, from their runs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intercalate import streams
from intercalate.catalog.client import CatalogError, records, stream_of


@dataclass(frozen=True)
class CellReport:
    """What one cell got.

    Attributes
    ----------
    name, sample, status
        Place, cell, and how its run ended.
    duration_s
        Cell time from the first record to the last.
    frames
        Number by quality of the beam.
    missed
        Number of occasions without a frame, by reason.
    revisit_s, longest_gap_s
        Median and longest time from one exposure to the next; NaN with fewer than two.
    exposing_s, moving_s, visiting_s
        Sums over all visits: exposures, ways there, and visits as a whole.
    """

    name: str
    sample: str
    status: str
    duration_s: float
    frames: dict[str, int]
    missed: dict[str, int]
    revisit_s: float
    longest_gap_s: float
    exposing_s: float
    moving_s: float
    visiting_s: float

    @property
    def dead_s(self) -> float:
        """Time of visits that was neither exposure nor motion: read-out and waiting for answers."""
        return max(self.visiting_s - self.exposing_s - self.moving_s, 0.0)

    def describe(self) -> str:
        """As a few lines."""
        frames = ", ".join(f"{number} {quality}" for quality, number in self.frames.items()) or "none"
        lines = [
            f"{self.name}: {self.sample}, {self.status}, {self.duration_s / 3600:.2f} h",
            f"  frames    {frames}",
            f"  exposed {self.exposing_s / 3600:.2f} h, moving {self.moving_s / 3600:.2f} h, "
            f"dead {self.dead_s / 3600:.2f} h, otherwise {self._otherwise_s / 3600:.2f} h without it",
        ]
        if np.isfinite(self.revisit_s):
            lines.append(f"  every {self.revisit_s:.0f} s, at most {self.longest_gap_s:.0f} s apart")
        lines += [f"  missed {number:4}  {reason}" for reason, number in self.missed.items()]
        return "\n".join(lines)

    @property
    def _otherwise_s(self) -> float:
        """Time in which the beam was not for this cell."""
        return max(self.duration_s - self.visiting_s, 0.0)


def runs_of_experiment(catalog: Any, run: Any) -> list[Any]:
    """All runs of the experiment that a run belongs to, in the order of their start."""
    from tiled.queries import Key

    uid = run.metadata["start"].get("experiment_uid")
    if uid is None:
        return [run]
    found = list(catalog.search(Key("start.experiment_uid") == uid).values())
    return sorted(
        found, key=lambda one: (one.metadata["start"]["time"], one.metadata["start"].get("place", ""))
    )


def report_of(run: Any, status: str) -> CellReport:
    """Report of one cell.

    Parameters
    ----------
    status
        Of the run.
    """
    start = run.metadata["start"]
    times = np.asarray(records(run)["test_time_second"])
    frames = _table(run, streams.XRD)
    exposures_s = _column(frames, "_cam_acquire_time")
    starts_s = np.sort(_column(frames, "_hdf_frame_start_unix_s"))
    quality = ["valid"] * len(starts_s)
    if frames is not None and "monitors_quality" in frames:
        quality = [str(one) for one in frames["monitors_quality"]]
    visits = _table(run, streams.VISITS)
    missed = _table(run, streams.MISSED)
    reasons = [] if missed is None else list(missed[_ending(missed, "_missed_reason")])
    gaps_s = np.diff(starts_s)
    return CellReport(
        name=start.get("place", start["sample"]),
        sample=start["sample"],
        status=status,
        duration_s=float(times[-1] - times[0]) if len(times) else 0.0,
        frames=dict(Counter(quality)),
        missed=dict(Counter(map(str, reasons))),
        revisit_s=float(np.median(gaps_s)) if len(gaps_s) else float("nan"),
        longest_gap_s=float(gaps_s.max()) if len(gaps_s) else float("nan"),
        exposing_s=float(exposures_s.sum()),
        moving_s=float(_column(visits, "visit_moving_s").sum()),
        visiting_s=float(_column(visits, "visit_visiting_s").sum()),
    )


def _table(run: Any, stream: str) -> Any:
    """Events of a stream, or None where there is none."""
    try:
        return stream_of(run, stream).base["internal"].read()
    except (CatalogError, KeyError):
        return None


def _ending(table: Any, ending: str) -> str:
    return next(name for name in table if str(name).endswith(ending))


def _column(table: Any, ending: str) -> np.ndarray:
    if table is None or not any(str(name).endswith(ending) for name in table):
        return np.zeros(0)
    return table[_ending(table, ending)].to_numpy(float)


def beam_time(reports: Sequence[CellReport]) -> str:
    """How the time of the beam was spent, of all cells together."""
    whole_s = max((one.duration_s for one in reports), default=0.0)
    exposing_s, moving_s, dead_s = (
        sum(getattr(one, name) for one in reports) for name in ("exposing_s", "moving_s", "dead_s")
    )
    idle_s = max(whole_s - exposing_s - moving_s - dead_s, 0.0)
    parts = (("exposing", exposing_s), ("moving", moving_s), ("dead", dead_s), ("idle", idle_s))
    words = ", ".join(f"{name} {seconds / 3600:.2f} h" for name, seconds in parts)
    return f"beam time {whole_s / 3600:.2f} h: {words}"

"""What comes of measuring several cells with instruments around one changer, reckoned before anything moves.

One measurement is made at a time. The changer goes to the cells as it will: of those that are due, to the one
of the highest priority, and among equals to the one whose last visit is longest ago.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Overheads:
    """Times of the sample changer besides exposures."""

    speed_mm_per_s: float
    settling_s: float

    def moving_s(self, start_mm: tuple[float, float], end_mm: tuple[float, float]) -> float:
        """Time to move both axes at once and settle; none where nothing has to move."""
        way_mm = max(abs(end_mm[0] - start_mm[0]), abs(end_mm[1] - start_mm[1]))
        return way_mm / self.speed_mm_per_s + self.settling_s if way_mm else 0.0


@dataclass(frozen=True)
class Wanted:
    """What one cell asks of the beam.

    Attributes
    ----------
    name
        Place of the cell.
    position_mm
        On the stage.
    due_s
        When it is to be measured, in ascending order.
    duration_s
        Of its program.
    exposure_s, readout_s
        Of each frame, and from its end to the next.
    """

    name: str
    position_mm: tuple[float, float]
    due_s: Sequence[float]
    duration_s: float
    exposure_s: float
    readout_s: float
    priority: int = 0


@dataclass
class Visits:
    """What one cell gets.

    Attributes
    ----------
    visits, missed
        Occasions that give a frame, and those overtaken by the next one.
    exposing_s, moving_s, reading_s
        Beam time with the cell in it, time of the way there, and of reading out.
    longest_wait_s
        From an occasion to the start of its exposure.
    conflicts
        Occasions at which something else had the beam or got it first: when, and its name.
    revisit_s
        Mean time between two visits; NaN with fewer than two.
    """

    visits: int = 0
    missed: int = 0
    exposing_s: float = 0.0
    moving_s: float = 0.0
    reading_s: float = 0.0
    longest_wait_s: float = 0.0
    starts_s: list[float] = field(default_factory=list)
    conflicts: list[tuple[float, str]] = field(default_factory=list)

    @property
    def revisit_s(self) -> float:
        """Mean time between two visits."""
        if len(self.starts_s) < 2:
            return math.nan
        return (self.starts_s[-1] - self.starts_s[0]) / (len(self.starts_s) - 1)


@dataclass(frozen=True)
class Schedule:
    """Use of the beam by all cells.

    Attributes
    ----------
    cells
        By name.
    duration_s
        Until the last program ends.
    """

    cells: dict[str, Visits]
    duration_s: float

    @property
    def exposing_s(self) -> float:
        """Time in which some cell is exposed."""
        return sum(one.exposing_s for one in self.cells.values())

    @property
    def moving_s(self) -> float:
        """Time in which the changer moves."""
        return sum(one.moving_s for one in self.cells.values())

    @property
    def reading_s(self) -> float:
        """Time in which a detector is read out."""
        return sum(one.reading_s for one in self.cells.values())

    def describe(self) -> str:
        """As a table."""
        lines = ["cell            visits  missed     every  wait up to   exposed    moving"]
        for name, one in self.cells.items():
            every = "-" if math.isnan(one.revisit_s) else f"{one.revisit_s:.0f} s"
            lines.append(
                f"{name:14} {one.visits:7} {one.missed:7} {every:>9} {one.longest_wait_s:9.0f} s "
                f"{one.exposing_s / 3600:7.2f} h {one.moving_s / 3600:7.2f} h"
            )
        hours, used = self.duration_s / 3600, self.exposing_s / self.duration_s
        lines.append(f"{hours:.1f} h in all, of which the beam is on a cell for {100 * used:.0f} %")
        return "\n".join(lines)


def plan_visits(cells: Sequence[Wanted], overheads: Overheads) -> Schedule:
    """Go through a whole experiment, visit by visit."""
    found = {cell.name: Visits() for cell in cells}
    waiting = {cell.name: deque(one for one in cell.due_s if one < cell.duration_s) for cell in cells}
    by_name = {cell.name: cell for cell in cells}
    last_s = dict.fromkeys(by_name, -math.inf)
    now_s, at_mm, busy_with = 0.0, cells[0].position_mm if cells else (0.0, 0.0), ""
    while any(waiting.values()):
        due = [by_name[name] for name, times_s in waiting.items() if times_s and times_s[0] <= now_s]
        if not due:
            now_s, busy_with = min(times_s[0] for times_s in waiting.values() if times_s), ""
            continue
        cell = min(due, key=lambda one: (-one.priority, last_s[one.name], waiting[one.name][0]))
        visits, times_s = found[cell.name], waiting[cell.name]
        due_s = times_s.popleft()
        if due_s < now_s and busy_with not in ("", cell.name):
            visits.conflicts.append((due_s, busy_with))
        # An occasion that comes while another waits takes its place.
        while times_s and times_s[0] <= now_s:
            due_s = times_s.popleft()
            visits.missed += 1
        moving_s = overheads.moving_s(at_mm, cell.position_mm)
        start_s = now_s + moving_s
        visits.visits += 1
        visits.moving_s += moving_s
        visits.exposing_s += cell.exposure_s
        visits.reading_s += cell.readout_s
        visits.longest_wait_s = max(visits.longest_wait_s, start_s - due_s)
        visits.starts_s.append(start_s)
        last_s[cell.name] = start_s
        now_s, at_mm = start_s + cell.exposure_s + cell.readout_s, cell.position_mm
        busy_with = cell.name
    return Schedule(found, max((cell.duration_s for cell in cells), default=0.0))

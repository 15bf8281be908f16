"""What comes of measuring several cells with one beam, reckoned before anything moves.

The beam is given to the cells as it will be: of those that are due, to the one of the highest priority, and
among equals to the one whose last visit is longest ago. Occasions that depend on the course of the cell
(voltage, state of charge) cannot be foreseen and are left out: such a cell has no visits here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Overheads:
    """Times of the station besides exposures.

    Attributes
    ----------
    speed_mm_per_s, settling_s
        Of the sample changer.
    readout_s
        From the end of an exposure to the next frame.
    """

    speed_mm_per_s: float
    settling_s: float
    readout_s: float

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
    every_s
        Time between two measurements; None where it cannot be foreseen, or there are none.
    duration_s
        Of its program.
    exposure_s
        Of each frame.
    """

    name: str
    position_mm: tuple[float, float]
    every_s: float | None
    duration_s: float
    exposure_s: float
    priority: int = 0


@dataclass
class Visits:
    """What one cell gets.

    Attributes
    ----------
    visits, missed
        Occasions that give a frame, and those overtaken by the next one.
    exposing_s, moving_s
        Beam time with the cell in it, and time of the way there.
    longest_wait_s
        From an occasion to the start of its exposure.
    revisit_s
        Mean time between two visits; NaN with fewer than two.
    """

    visits: int = 0
    missed: int = 0
    exposing_s: float = 0.0
    moving_s: float = 0.0
    longest_wait_s: float = 0.0
    starts_s: list[float] = field(default_factory=list)

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
    """Go through a whole experiment on one instrument, visit by visit."""
    found = {cell.name: Visits() for cell in cells}
    measured = [cell for cell in cells if cell.every_s is not None]
    due_s = {cell.name: 0.0 for cell in measured}
    last_s = {cell.name: -math.inf for cell in measured}
    now_s, at_mm = 0.0, measured[0].position_mm if measured else (0.0, 0.0)
    while waiting := [cell for cell in measured if due_s[cell.name] < cell.duration_s]:
        due = [cell for cell in waiting if due_s[cell.name] <= now_s]
        if not due:
            now_s = min(due_s[cell.name] for cell in waiting)
            continue
        cell = min(due, key=lambda one: (-one.priority, last_s[one.name], due_s[one.name]))
        visits, every_s = found[cell.name], cell.every_s
        assert every_s is not None
        moving_s = overheads.moving_s(at_mm, cell.position_mm)
        start_s = now_s + moving_s
        visits.visits += 1
        visits.moving_s += moving_s
        visits.exposing_s += cell.exposure_s
        visits.longest_wait_s = max(visits.longest_wait_s, start_s - due_s[cell.name])
        visits.starts_s.append(start_s)
        last_s[cell.name] = start_s
        # Occasions stay on their grid; one that comes while another waits or is measured takes its place.
        overtaken = max(0, math.floor((now_s - due_s[cell.name]) / every_s))
        visits.missed += overtaken
        due_s[cell.name] += every_s * (1 + overtaken)
        now_s, at_mm = start_s + cell.exposure_s + overheads.readout_s, cell.position_mm
    return Schedule(found, max((cell.duration_s for cell in cells), default=0.0))

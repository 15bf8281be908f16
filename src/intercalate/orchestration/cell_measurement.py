"""What one instrument does with one cell while that is cycled."""

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bluesky.utils import MsgGenerator

from intercalate.orchestration.dosing import SpotBudget
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.measuring import Measuring
from intercalate.orchestration.occasions import Occasions
from intercalate.orchestration.waiting import in_thread

if TYPE_CHECKING:
    from intercalate.orchestration.cells import CyclingCell

Shot = Sequence[tuple[Any, Any]]
"""What is set before a frame: devices and values."""

Visit = Callable[["CyclingCell", "CellMeasurement"], MsgGenerator[None]]
"""Plan that takes what is due: goes there, exposes, notes."""


class CellMeasurement:
    """What one instrument does with one cell.

    Parameters
    ----------
    name
        Of its stream.
    instrument
        Who takes the frames.
    occasions
        When one is due.
    measuring
        Takes them.
    visit
        Takes the one that is due.
    spots_mm
        On the sample, from the centre of its window; one after the other.
    shots
        Frames of each visit, which go through them: what is set before each frame, device and value.
    priority
        Of those that are due, the one with the higher priority is taken first.
    budget
        Of the dose of a spot; None has no end.

    Attributes
    ----------
    last_visit_s
        When it was taken last, by a clock of its own; minus infinity before the first time.
    """

    def __init__(
        self,
        name: str,
        instrument: str,
        occasions: Occasions,
        measuring: Measuring,
        visit: Visit,
        *,
        spots_mm: Sequence[tuple[float, float]] = ((0.0, 0.0),),
        shots: Sequence[Sequence[Shot]] = (((),),),
        priority: int = 0,
        budget: SpotBudget | None = None,
    ):
        self.name = name
        self.instrument = instrument
        self.occasions = occasions
        self.measuring = measuring
        self.visit = visit
        self.priority = priority
        self._shots = tuple(shots)
        self.last_visit_s = -math.inf
        self._spots_mm = list(spots_mm)
        self._budget = budget
        self._visits = 0

    @property
    def is_of_hold(self) -> bool:
        """Whether it is taken while the cell is held for it."""
        at = self.occasions.when.at
        return at is not None and bool(at.hold)

    @property
    def shots(self) -> Sequence[Shot]:
        """Frames of the visit that has begun last."""
        return self._shots[max(self._visits - 1, 0) % len(self._shots)]

    def next_spot_mm(self) -> MsgGenerator[tuple[tuple[float, float], str]]:
        """Where on the sample the next frame is taken, and why not, if so; asking begins a visit."""
        self.last_visit_s = time.monotonic()
        turn = self._spots_mm[self._visits % len(self._spots_mm)]
        self._visits += 1
        budget = self._budget
        if budget is None:
            return turn, ""
        try:
            return (yield from in_thread(lambda: budget.choose(turn, self._spots_mm)))
        except FAILURES as error:
            return turn, str(cause_of(error))

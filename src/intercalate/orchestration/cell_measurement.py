"""What one instrument does with one cell while that is cycled."""

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bluesky.utils import MsgGenerator

from intercalate.orchestration.dosing import SpotBudget, SpotMm
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
    is_exposed
        Whether a spot had any of this beam before this run; asked in a thread.
    check_spot
        Raises a ValueError where a spot cannot be measured.

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
        spots_mm: Sequence[SpotMm] = ((0.0, 0.0),),
        shots: Sequence[Sequence[Shot]] = (((),),),
        priority: int = 0,
        budget: SpotBudget | None = None,
        is_exposed: Callable[[SpotMm], bool] = lambda spot_mm: False,
        check_spot: Callable[[SpotMm], None] = lambda spot_mm: None,
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
        self._is_exposed = is_exposed
        self._check_spot = check_spot
        self._met: set[SpotMm] = set()
        self._visits = 0
        self._spot_mm: SpotMm | None = None
        self._not_next = ""

    @property
    def is_of_hold(self) -> bool:
        """Whether it is taken while the cell is held for it."""
        at = self.occasions.when.at
        return at is not None and bool(at.hold)

    @property
    def shots(self) -> Sequence[Shot]:
        """Frames of the visit that has begun last."""
        return self._shots[max(self._visits - 1, 0) % len(self._shots)]

    def next_spot_mm(self) -> MsgGenerator[tuple[SpotMm, str]]:
        """Where on the sample the next frame is taken, and why not, if so; asking begins a visit."""
        self.last_visit_s = time.monotonic()
        turn = self._spots_mm[self._visits % len(self._spots_mm)]
        if self._not_next:
            why, self._not_next = self._not_next, ""
            return turn, why
        self._visits += 1
        self._spot_mm, spent, budget = turn, "", self._budget
        if budget is not None:
            try:
                self._spot_mm, spent = yield from in_thread(lambda: budget.choose(turn, self._spots_mm))
            except FAILURES as error:
                return turn, str(cause_of(error))
        if not spent:
            self._met.add(self._spot_mm)
        return self._spot_mm, spent

    @property
    def was_visited(self) -> bool:
        """Whether a visit has begun."""
        return self._spot_mm is not None

    def skip_next(self, why: str) -> None:
        """Give the next visit up before it begins; it counts as missed, with this reason."""
        self._not_next = why

    def repeat_last(self, unix_s: float) -> None:
        """Make the last visit due once more, at the same spot and with the same frames."""
        self._visits -= 1
        self._not_next = ""
        self.occasions.ask(unix_s)

    def leave_spot(self, to_mm: SpotMm | None) -> MsgGenerator[SpotMm | None]:
        """From now on take another spot in place of the present one.

        Parameters
        ----------
        to_mm
            Which; None for the first of the list that this beam has never met.

        Returns
        -------
        tuple of float, or None
            The new spot; None where the list has no fresh one, and all stays as it was.

        Raises
        ------
        ValueError
            If it cannot be measured there, or it is not fresh.
        """
        spots_mm = self._spots_mm
        present = self._spot_mm or spots_mm[self._visits % len(spots_mm)]
        if to_mm is None:
            others = [one for one in spots_mm if one != present]
            fresh = yield from in_thread(lambda: [one for one in others if self._is_fresh(one)])
            if not fresh:
                return None
            to_mm = fresh[0]
        else:
            self._check_spot(wanted := to_mm)
            if not (yield from in_thread(lambda: self._is_fresh(wanted))):
                raise ValueError(f"{to_mm[0]:g}, {to_mm[1]:g} mm is not fresh: this beam was there")
        # The fresh spot takes the turns of the one that is left, and keeps its own.
        self._spots_mm = [to_mm if one == present else one for one in spots_mm]
        self._spot_mm = to_mm
        return to_mm

    def _is_fresh(self, spot_mm: SpotMm) -> bool:
        return spot_mm not in self._met and not self._is_exposed(spot_mm)

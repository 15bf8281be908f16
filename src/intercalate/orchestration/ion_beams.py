"""What ions do to a place of a cell, for good: confirmed before, and kept in the ledger whatever happens."""

import logging
import time
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from intercalate import streams
from intercalate.cell import Cell
from intercalate.devices.ion_column import ALL_OF_IT, Cut, Raster
from intercalate.devices.roles import MeasuresCells
from intercalate.dose_ledger import MILLING, SPUTTERING, Spot, unnamed_cell
from intercalate.materials.ion_milling import why_lithium_suffers
from intercalate.orchestration.events import whole_event
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.waiting import in_thread, wait_until_done
from intercalate.problems import Problem, ProblemsError

log = logging.getLogger(__name__)

LONGEST_S = 12 * 3600.0
"""Cell seconds that ions may be let through in one go, of the material that withstands longest."""


class IonBeamRefused(ProblemsError):
    """Ions were refused before anything moved; `problems` lists everything wrong with what was asked."""


def confirmation(verb: str, cell: Cell, at: str) -> str:
    """What must be said, word by word, before a sample is milled or sputtered."""
    return f"{verb} {cell.name} at {at}"


@dataclass(frozen=True)
class IonDose:
    """Ions at one place of a cell.

    Attributes
    ----------
    spot_mm
        From the centre of the window.
    """

    station: MeasuresCells
    at: str
    cell: Cell
    spot_mm: tuple[float, float]
    voltage_kv: float
    current_na: float

    def _spot(self, request: Cut | Raster) -> Spot:
        return Spot(*self.spot_mm, request.width_um / 1000.0, request.height_um / 1000.0)

    def problems(self, request: Cut | Raster, confirm: str) -> list[Problem]:
        """Everything for which it must not be done."""
        column = self.station.ion_column
        is_cut = isinstance(request, Cut)
        verb, doing = ("mill", "milling") if is_cut else ("sputter", "sputtering")
        if column is None:
            where = "sem.ion_column" if is_cut else "xps.sputter_gun"
            limit = f"{self.station.name} has no ion beam"
            return [Problem("station", self.station.name, limit, f"add [{where}] to the configuration")]
        wanted = confirmation(verb, self.cell, self.at)
        found = []
        if confirm != wanted:
            limit = f"{doing} cannot be undone"
            found.append(Problem("confirm", confirm, limit, f"say exactly {wanted!r} if this is meant"))
        found += self._of_place()
        found += self._of_beam(request)
        if is_cut:
            found += self._of_lithium()
        for reason in (self.station.chamber.unavailable(), column.unavailable()):
            if reason:
                found.append(Problem("", self.at, reason, "see to the chamber first"))
        return found

    def _of_place(self) -> list[Problem]:
        """What is there, and whether it is what was said."""
        changer, ledger = self.station.changer, self.station.dose.ledger
        changer.centre_mm(self.at)
        if not changer.places[self.at].takes_cells:
            held = changer.places[self.at].content
            limit = f"holds {held}, by which others calibrate"
            return [Problem("at", self.at, limit, "name the place of a cell")]
        known = ledger.occupant(self.at).cell
        if known in (self.cell.name, unnamed_cell(self.at)):
            return []
        limit = f"by the account of doses {known} is there, not {self.cell.name}"
        fix = "name the place of this cell, or the cell of this place"
        return [Problem("cell", self.cell.name, limit, fix)]

    def _of_beam(self, request: Cut | Raster) -> list[Problem]:
        """What the ions cannot."""
        column, found = self.station.ion_column, []
        for signal, name in ((column.voltage_kv, "voltage_kv"), (column.current_na, "current_na")):
            low, high = signal.limits
            value = getattr(self, name)
            if not value > 0 or (low < high and not low <= value <= high):
                limit = f"the column gives {low:g} to {high:g}"
                found.append(Problem(name, value, limit, "correct the value"))
        try:
            column.check_value(request)
        except ValueError as error:
            found.append(Problem("width_um", request.width_um, str(error), "ask for less"))
        if not found:
            takes_s = column.cell_s(request, self.voltage_kv, self.current_na)
            if takes_s > LONGEST_S:
                limit = f"it may take {takes_s / 3600:.0f} h, more than {LONGEST_S / 3600:g} h"
                where = "depth_um" if isinstance(request, Cut) else "fluences_1e16_cm2"
                found.append(Problem(where, request.goal, limit, "ask for less, or for more current"))
        return found

    def _of_lithium(self) -> list[Problem]:
        """What a focused beam should not do to lithium."""
        chamber = self.station.chamber
        # Asked anew: a monitor may be late, and a stage that warms up is too warm already.
        stage = chamber.temperature_c
        hottest_c = max(float(stage.get(use_monitor=False)), float(stage.get_setpoint(use_monitor=False)))
        why = why_lithium_suffers(hottest_c, self.current_na)
        return [Problem("current_na", self.current_na, why, "then mill")] if why else []

    def give(self, request: Cut | Raster, run: str) -> MsgGenerator[None]:
        """Let ions through where the stage is, and note in any case what they did.

        A pause blanks the beam; a plan that goes on lets them through until all is done.
        """
        column, ledger, spot = self.station.ion_column, self.station.dose.ledger, self._spot(request)
        technique = MILLING if isinstance(request, Cut) else SPUTTERING
        yield from bps.mv(column.voltage_kv, self.voltage_kv, column.current_na, self.current_na)
        done = yield from in_thread(lambda: ledger.amount_at(self.cell.name, technique, spot))
        before = yield from bps.rd(column.number)
        left = max(request.goal - done, 0.0)
        reserved = yield from in_thread(
            lambda: ledger.reserve(
                self.cell.name, technique, column.unit, spot, self.voltage_kv, left, time.time(), run
            )
        )

        def giving() -> MsgGenerator[None]:
            while (yield from in_thread(lambda: self._reached(before))) < ALL_OF_IT * request.goal:
                yield from _set_and_wait(column, request)

        def known() -> MsgGenerator[None]:
            column.blank()
            beside = (column, self.station.changer, self.station.chamber)
            try:
                reached = yield from in_thread(lambda: self._reached(before))
                yield from in_thread(lambda: ledger.commit(reserved, max(reached - done, 0.0)))
                yield from whole_event(streams.MILLING, beside)
            except FAILURES as error:
                log.error(
                    "%s: it is not known what ions did, and it counts as %g %s: %s",
                    self.cell.name,
                    request.goal,
                    column.unit,
                    cause_of(error),
                )

        yield from bpp.rewindable_wrapper(bpp.finalize_wrapper(giving(), known), False)

    def _reached(self, before: int) -> float:
        """How far it is; 0 where the column never began."""
        column = self.station.ion_column
        if int(column.number.get(use_monitor=False)) == int(before):
            return 0.0
        return float(column.reached.get(use_monitor=False))


def _set_and_wait(column: Any, request: Cut | Raster) -> MsgGenerator[None]:
    """Let ions through, and wait for their end; raises what it failed with."""
    failed: BaseException | None = None
    status = yield from bps.abs_set(column, request, group=column.name, wait=False)
    try:
        yield from wait_until_done(status)
    except FAILURES as error:
        failed = error
    try:
        # The RunEngine throws the failure of a status once more, until its group is waited for.
        yield from bps.wait(column.name, error_on_timeout=False)
    except FAILURES as error:
        failed = failed or error
    if failed is not None:
        raise cause_of(failed)

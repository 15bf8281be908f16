"""Measuring several cells in turn: go there, expose, expose again where the beam was weak."""

import logging
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator
from ophyd import Signal

from intercalate import streams
from intercalate.beam_quality import BeamQuality
from intercalate.devices.roles import MeasuresDiffraction
from intercalate.orchestration.cells import CyclingCell
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.waiting import Meanwhile, wait_until_done

log = logging.getLogger(__name__)


class Visitor:
    """Visits cells on the sample changer of a station.

    Parameters
    ----------
    meanwhile
        Stub executed while the changer moves.
    """

    def __init__(self, station: MeasuresDiffraction, meanwhile: Meanwhile):
        self._station = station
        self._meanwhile = meanwhile
        columns = {
            "due_unix_s": 0.0,
            "began_unix_s": 0.0,
            "moving_s": 0.0,
            "visiting_s": 0.0,
            "spot_x_mm": 0.0,
            "spot_y_mm": 0.0,
            "frames": 0,
        }
        self._signals: dict[str, Any] = {
            name: Signal(name=f"visit_{name}", value=value) for name, value in columns.items()
        }

    def visit(self, cell: CyclingCell) -> MsgGenerator[None]:
        """Take the frame that is due for a cell, or note why there is none."""
        assert cell.occasions is not None
        due_unix_s = cell.occasions.due_since_unix_s
        cell.occasions.take()
        yield from cell.keyed(self._visit(cell, due_unix_s))

    def _visit(self, cell: CyclingCell, due_unix_s: float) -> MsgGenerator[None]:
        measuring = cell.measuring
        assert measuring is not None
        spot_mm = cell.next_spot_mm()
        began_s = moved_s = cell.cycler.clock_s()
        if cell.place is not None and not measuring.unavailable():
            try:
                yield from self._go((cell.place, *spot_mm))
            except FAILURES as error:
                yield from measuring.miss(f"the sample changer did not get there: {cause_of(error)}")
                return
            moved_s = cell.cycler.clock_s()
        before = measuring.taken
        is_taken = yield from measuring.measure()
        if is_taken and self._is_weak() and not cell.is_due:
            # Still in time for this occasion; the first frame stays, and says what it is.
            failed = yield from measuring.expose()
            if failed:
                log.warning("%s: a weak frame was not taken again: %s", cell.name, failed)
        yield from self._note(
            due_unix_s=due_unix_s,
            began_unix_s=began_s,
            moving_s=moved_s - began_s,
            visiting_s=cell.cycler.clock_s() - began_s,
            spot_x_mm=spot_mm[0],
            spot_y_mm=spot_mm[1],
            frames=measuring.taken - before,
        )

    def _go(self, where: tuple[str, float, float]) -> MsgGenerator[None]:
        """Move the changer, unless it is there; as often as a pause has stopped it on its way."""
        changer = self._station.changer
        while not (changer.place.get() == where[0] and changer.is_at(where)):
            status = yield from bps.abs_set(changer, where, wait=False)
            yield from wait_until_done(status, self._meanwhile)

    def _is_weak(self) -> bool:
        return self._station.monitors.quality.get() in (BeamQuality.WEAK, BeamQuality.NONE)

    def _note(self, **values: float) -> MsgGenerator[None]:
        yield from bps.create(name=streams.VISITS)
        for name, value in values.items():
            self._signals[name].put(value)
            yield from bps.read(self._signals[name])
        yield from bps.save()

"""Measuring several cells in turn: go there, expose, expose again where the beam was weak."""

import logging
from collections.abc import Sequence

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.beam_quality import BeamQuality
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.cell_measurement import CellMeasurement, Shot
from intercalate.orchestration.cells import CyclingCell
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.measuring import Measuring
from intercalate.orchestration.sample_position import into_focus, stage_target
from intercalate.orchestration.waiting import Meanwhile, wait_until_done

ARRIVED_UM = 0.05
"""Within which the objective is where it is wanted."""
ARRIVED = 1e-3
"""Within which slits (mm) and angles (deg) are."""

log = logging.getLogger(__name__)


class Visitor:
    """Visits cells on the sample changer of a station.

    Parameters
    ----------
    meanwhile
        Stub executed while the changer moves.
    """

    def __init__(self, station: MeasuresCells, meanwhile: Meanwhile):
        self._station = station
        self._meanwhile = meanwhile

    def visit(self, cell: CyclingCell, one: CellMeasurement) -> MsgGenerator[None]:
        """Take the frame that is due for a cell, or note why there is none."""
        due_unix_s = one.occasions.due_since_unix_s
        one.occasions.take()
        yield from cell.keyed(self._visit(cell, one, due_unix_s))

    def _visit(self, cell: CyclingCell, one: CellMeasurement, due_unix_s: float) -> MsgGenerator[None]:
        measuring = one.measuring
        spot_mm, spent = yield from one.next_spot_mm()
        if spent:
            yield from cell.notes.miss(one.name, spent)
            return
        began_s = moved_s = cell.cycler.clock_s()
        if cell.place is not None and not measuring.unavailable():
            try:
                yield from self._go(stage_target(self._station, cell.place, spot_mm))
            except FAILURES as error:
                why = f"the sample changer did not get there: {cause_of(error)}"
                yield from cell.notes.miss(one.name, why)
                return
            moved_s = cell.cycler.clock_s()
        before = measuring.taken
        failed = yield from expose_all(measuring, one.shots, self._meanwhile)
        if failed:
            yield from cell.notes.miss(one.name, failed)
        elif self._is_weak() and not one.occasions.due and len(one.shots) == 1:
            # Still in time for this occasion; the first frame stays, and says what it is.
            failed = yield from measuring.expose()
            if failed:
                log.warning("%s: a weak frame was not taken again: %s", cell.name, failed)
        yield from cell.notes.visit(
            one.name,
            due_unix_s,
            began_s,
            moved_s - began_s,
            cell.cycler.clock_s() - began_s,
            spot_mm,
            measuring.taken - before,
        )

    def _go(self, where: tuple[str, float, float]) -> MsgGenerator[None]:
        """Move the changer, unless it is there; as often as a pause has stopped it on its way."""
        changer = self._station.changer
        while not (changer.place.get() == where[0] and changer.is_at(where)):
            status = yield from bps.abs_set(changer, where, wait=False)
            yield from wait_until_done(status, self._meanwhile)
        yield from into_focus(self._station, where[0])

    def _is_weak(self) -> bool:
        return self._station.monitors.quality.get() in (BeamQuality.WEAK, BeamQuality.NONE)


def expose_all(measuring: Measuring, shots: Sequence[Shot], meanwhile: Meanwhile) -> MsgGenerator[str]:
    """Take the frames of a visit; returns why one is missing, empty if none is."""
    for shot in shots:
        if reason := measuring.unavailable():
            return reason
        try:
            yield from _prepare(shot, meanwhile)
        except FAILURES as error:
            return f"what a frame needs was not set: {cause_of(error)}"
        if failed := (yield from measuring.expose()):
            return failed
    return ""


def _prepare(shot: Shot, meanwhile: Meanwhile) -> MsgGenerator[None]:
    """Set what a frame needs; an axis that is there stays."""
    for device, value in shot:
        within = ARRIVED_UM if device.name.endswith("_um") else ARRIVED
        if hasattr(device, "user_readback") and abs(device.user_readback.get() - value) < within:
            continue
        status = yield from bps.abs_set(device, value, wait=False)
        yield from wait_until_done(status, meanwhile)

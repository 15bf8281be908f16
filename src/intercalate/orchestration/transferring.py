"""A cell is made safe, carried to another instrument in an airtight vessel, and measured there."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.protocols import Status
from bluesky.utils import MsgGenerator
from ophyd import Signal

from intercalate import streams
from intercalate.cell import Cell
from intercalate.contract import VesselLocation, VesselSeal
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
from intercalate.devices.roles import CarriesCells, CyclesCells, MeasuresCells
from intercalate.dose import formula_of
from intercalate.orchestration.budgets import dose_so_far, spot_budget
from intercalate.orchestration.dosing import SpotBudget
from intercalate.orchestration.events import note_values
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.measuring import Measuring, OpenDetector
from intercalate.orchestration.metadata import software
from intercalate.orchestration.notes import Notes
from intercalate.orchestration.pressure_check import problems_of_pressure
from intercalate.orchestration.reflection_check import problems_of_incidence
from intercalate.orchestration.sample_check import problems_of_opened
from intercalate.orchestration.shots import problems_of_shots, shots_of
from intercalate.orchestration.tasks import TEMPERATURE, TasksError
from intercalate.orchestration.transfer_task import TransferMeasurement, TransferTask
from intercalate.orchestration.visiting import expose_all
from intercalate.orchestration.waiting import in_thread, wait_until_done

log = logging.getLogger(__name__)

SETTLE_S = 10.0
"""Wall seconds within which a cell that has ended its program must show no current."""

LOOK_S = 0.2


class TransferError(RuntimeError):
    """The cell was not carried, or not as it should be; the message says where it is."""


class _Log:
    """Writes the stream `transfer` of one run."""

    def __init__(self, vessel: CarriesCells):
        self._vessel = vessel
        names = ("stage", "unix_s", "minutes_sealed", "voltage_v", "current_a", "contaminated")
        values: tuple[Any, ...] = ("", 0.0, 0.0, 0.0, 0.0, "")
        self._signals: list[Any] = [
            Signal(name=f"transfer_{name}", value=one) for name, one in zip(names, values)
        ]

    def write(self, *values: Any) -> MsgGenerator[None]:
        try:
            yield from note_values(streams.TRANSFER, self._signals, values, self._vessel)
        except CHANNEL_ACCESS_ERRORS as error:
            raise TransferError(f"{self._vessel.name} does not answer: {error}") from error


class Transferring:
    """One transfer of one cell.

    Parameters
    ----------
    task
        What is allowed, and what is measured at the other instrument.
    cell, place
        What is carried, and its place on the sample changer.
    cycler
        Channel whose leads are on the cell; its clock is the cell's.
    here
        Instruments at which the cell is.
    there
        Those by which it is measured where it is carried, by name.
    vessel
        In what.

    Raises
    ------
    TasksError
        If a budget is less than one frame, or an instrument cannot make the frames, or not take the cell.
    LimitError
        If a spot is outside the travel of the other sample changer.
    """

    def __init__(
        self,
        task: TransferTask,
        cell: Cell,
        place: str,
        cycler: CyclesCells,
        here: Sequence[MeasuresCells],
        there: Mapping[str, MeasuresCells],
        vessel: CarriesCells,
    ):
        self._task = task
        # What shows is what is measured, and irradiated.
        shows = {} if task.opened is None else {"exposed_face": task.opened}
        self._cell = cell.model_copy(update=shows)
        self._irradiated = cell if task.opened is None else cell.model_copy(update={"working": task.opened})
        self._place = place
        self._cycler = cycler
        self._here = tuple(here)
        self._there = {one.instrument: there[one.instrument] for one in task.measurements.values()}
        self._main = there[task.to]
        self._vessel = vessel
        self._mount = self._main.changer.find(content="vessel")
        self._budgets = {
            name: spot_budget(one, self._irradiated, there[one.instrument].dose)
            for name, one in task.measurements.items()
        }
        self._contaminated: list[str] = []
        self._sealed_unix_s = self._sealed_mbar = math.nan
        self._log = _Log(vessel)
        self._notes = Notes()
        self._detectors = {name: OpenDetector(one.detector) for name, one in self._there.items()}
        for name, one in task.measurements.items():
            station = self._there[one.instrument]
            to_c = [float(value) for value in one.setting(TEMPERATURE) if not isinstance(value, str)]
            problems = [
                *problems_of_shots(one, station),
                *problems_of_incidence(one, station, cell),
                *problems_of_pressure(one, cell),
                *problems_of_opened(station, cell, task.opened, to_c),
            ]
            if problems:
                raise TasksError(f"measurement {name} at {station.name}", problems)
            for spot_mm in one.spots_mm:
                station.changer.position_mm((self._mount, *spot_mm))

    def check_vessel(self) -> MsgGenerator[None]:
        """Refuse a vessel that is not ready.

        Raises
        ------
        TransferError
            If it is away, sealed, or holds something, or does not answer.
        """
        vessel = self._vessel
        wanted = {"location": str(VesselLocation.GLOVEBOX), "seal": str(VesselSeal.OPEN), "holder": ""}
        for name, value in wanted.items():
            found = str((yield from self._read(getattr(vessel, name))))
            if found != value:
                raise TransferError(
                    f"{vessel.name} is not ready: {name} is {found!r}, needed is {value!r}; bring it back "
                    "(the plan bring_back), and empty it in the glovebox"
                )

    def run(self, follows: str, program_id: str, md: dict[str, Any]) -> MsgGenerator[str]:
        """Make the cell safe, carry it and measure it, in a run of its own.

        Parameters
        ----------
        follows
            Unique id of the run in which the cell was cycled.
        program_id
            Of its program, which must be complete.
        md
            Further metadata.

        Returns
        -------
        str
            Unique id of the run.

        Raises
        ------
        TransferError
            If the cell cannot be carried, or does not arrive; the run is then closed as failed.
        """
        doses = yield from in_thread(self._doses)
        metadata = {
            "plan_name": "ex_situ",
            "mode": "ex_situ",
            "sample": self._cell.name,
            "cell": self._cell.model_dump(mode="json", exclude_none=True),
            "place": self._place,
            "channel": self._cycler.channel,
            "instrument": self._main.name,
            "measurements": [one.given() for one in self._task.measurements.values()],
            "follows": follows,
            "follows_program_id": program_id,
            "transfer": self._task.given(),
            "doses": doses,
            "software": software(),
            **md,
        }

        def body() -> MsgGenerator[None]:
            yield from self._make_safe(program_id)
            yield from self._carry()
            yield from self._measure_all()

        def close(status: str, reason: str) -> MsgGenerator[None]:
            yield from bps.close_run(exit_status=status, reason=reason)

        uid = yield from bps.open_run(metadata)
        yield from bpp.rewindable_wrapper(
            bpp.contingency_wrapper(
                body(),
                except_plan=lambda error: close("fail", str(cause_of(error))),
                else_plan=lambda: close("success", self._verdict()),
            ),
            False,
        )
        return uid

    def _doses(self) -> list[dict[str, Any]]:
        """What each beam has done to the cell so far; instruments on one electron column share an account."""
        meters = {one.dose.technique: one.dose for one in self._there.values()}
        return [dose_so_far(one, self._irradiated) for one in meters.values()]

    def _verdict(self) -> str:
        return f"contaminated: {'; '.join(self._contaminated)}" if self._contaminated else ""

    def _read(self, signal: Any) -> MsgGenerator[Any]:
        """Value by an explicit read."""
        try:
            return (yield from in_thread(lambda: signal.get(use_monitor=False)))
        except CHANNEL_ACCESS_ERRORS as error:
            raise TransferError(f"{signal.name} does not answer: {error}") from error

    def _note(
        self, stage: str, voltage_v: float = math.nan, current_a: float = math.nan
    ) -> MsgGenerator[None]:
        """Note a stage of the way; voltage and current are unknown once the leads are off."""
        now_s = self._cycler.clock_s()
        minutes = 0.0 if math.isnan(self._sealed_unix_s) else (now_s - self._sealed_unix_s) / 60
        found = "; ".join(self._contaminated)
        yield from self._log.write(stage, now_s, minutes, voltage_v, current_a, found)

    # Before the vessel

    def _make_safe(self, program_id: str) -> MsgGenerator[None]:
        """Close the beam and see that the cell is at open circuit, within the voltages that are allowed."""
        for station in self._here:
            yield from bps.mv(station.shutter, "closed")
        cycler, (low_v, high_v) = self._cycler, self._task.voltage_V
        info = yield from in_thread(cycler.program_info)
        if info.get("program_id") != program_id or info.get("status") != "complete" or cycler.is_busy:
            raise TransferError(
                f"the cell stays on {cycler.channel}: its program is {info.get('status', 'unknown')}, and "
                "only a cell whose program is complete is carried"
            )
        deadline, limit_a = time.monotonic() + SETTLE_S, self._task.zero_current_mA / 1000
        while True:
            voltage_v = float((yield from self._read(cycler.voltage_v)))
            current_a = float((yield from self._read(cycler.current_a)))
            if abs(current_a) <= limit_a:
                break
            if time.monotonic() > deadline:
                raise TransferError(
                    f"the cell stays on {cycler.channel}: {1000 * current_a:g} mA flow, allowed are "
                    f"{self._task.zero_current_mA:g} mA; see what drives it"
                )
            yield from bps.sleep(LOOK_S)
        if not low_v <= voltage_v <= high_v:
            raise TransferError(
                f"the cell stays on {cycler.channel}: {voltage_v:.3f} V is outside voltage_V, {low_v:g} to "
                f"{high_v:g} V; end the protocol within it, or allow more"
            )
        yield from self._note("safe", voltage_v, current_a)

    def _foul(self) -> MsgGenerator[list[str]]:
        """What is too much in the glovebox, in words."""
        found = []
        limits = {"o2": self._task.max_o2_ppm, "h2o": self._task.max_h2o_ppm}
        for gas, limit_ppm in limits.items():
            ppm = float((yield from self._read(getattr(self._vessel, f"glovebox_{gas}_ppm"))))
            # A sensor that fails is no proof of a clean box.
            if not ppm <= limit_ppm:
                found.append(f"{gas.upper()} in the glovebox is {ppm:g} ppm, allowed are {limit_ppm:g}")
        return found

    # On the way

    def _carry(self) -> MsgGenerator[None]:
        vessel, task = self._vessel, self._task
        if foul := (yield from self._foul()):
            raise TransferError(
                f"the cell stays on {self._cycler.channel}: {'; '.join(foul)}; purge the glovebox first"
            )
        yield from self._do(lambda: vessel.load(self._place), f"{self._place} was not put into the vessel")
        yield from in_thread(self._rebook)
        if task.opened is not None:
            yield from self._do(lambda: vessel.take_apart(str(task.opened)), "the cell was not taken apart")
            yield from self._note("opened")
        yield from self._do(lambda: vessel.close(VesselSeal.SEALED), "the vessel was not sealed")
        self._sealed_unix_s = self._cycler.clock_s()
        self._sealed_mbar = float((yield from self._read(vessel.pressure_mbar)))
        # Whatever came in between the first look and the seal is in the vessel now.
        self._contaminated += yield from self._foul()
        yield from self._note("sealed")
        yield from self._do(
            lambda: vessel.carry(str(task.where), 60 * task.max_minutes),
            f"the vessel did not arrive at {task.to} within {task.max_minutes:g} minutes",
        )
        yield from self._look_for_leak()
        yield from self._note("arrived")
        if self._main.chamber is not None:
            # In the lock, whose pumps have taken the argon before anything is open.
            yield from self._do(lambda: vessel.close(VesselSeal.OPEN), "the vessel was not opened")
            yield from self._do(self._main.chamber.pump, "the chamber was not pumped")
            yield from self._note("in vacuum")

    def _do(self, ask: Callable[[], Status], failed: str) -> MsgGenerator[None]:
        """Ask something of the vessel and wait until its readback shows it."""
        try:
            status = yield from in_thread(ask)
            yield from wait_until_done(status)
        except FAILURES as error:
            where = yield from self._read(self._vessel.location)
            raise TransferError(f"{failed}; it is at {str(where)!r}: {cause_of(error)}") from error

    def _look_for_leak(self) -> MsgGenerator[None]:
        risen = float((yield from self._read(self._vessel.pressure_mbar))) - self._sealed_mbar
        if not risen <= self._task.max_pressure_rise_mbar:
            words = f"the vessel leaks: {risen:.1f} mbar since it was sealed"
            self._contaminated = [one for one in self._contaminated if "leaks" not in one] + [words]
            log.warning("%s: %s", self._cell.name, words)

    def _rebook(self) -> None:
        """Tell the dose ledger where the cell is now."""
        ledger = self._main.dose.ledger
        ledger.put(self._mount, self._cell.name, formula_of(self._irradiated))
        ledger.vacate(self._place)

    # There

    def _measure_all(self) -> MsgGenerator[None]:
        taken = 0

        def body() -> MsgGenerator[None]:
            nonlocal taken
            for station in self._there.values():
                yield from bps.mv(station.shutter, "closed")
            for one in self._task.measurements.values():
                taken += yield from self._measure(one, self._budgets[one.name])

        yield from bpp.finalize_wrapper(body(), self._tidy)
        if self._main.chamber is None:
            yield from self._look_for_leak()
        yield from self._note("measured")
        if not taken:
            reasons = "; ".join(sorted({why for _, why in self._notes.missed}))
            raise TransferError(f"no frame was taken at {self._task.to}: {reasons}")

    def _tidy(self) -> MsgGenerator[None]:
        """Close files and shutters; a stage that was heated or cooled goes to rest."""
        for name, station in self._there.items():
            yield from self._detectors[name].end()
            yield from bps.mv(station.shutter, "closed")
        if any(one.setting(TEMPERATURE) for one in self._task.measurements.values()):
            yield from in_thread(self._main.settings[TEMPERATURE].to_rest)

    def _measure(self, one: TransferMeasurement, budget: SpotBudget | None) -> MsgGenerator[int]:
        """Take the frames of one measurement; returns how many."""
        station = self._there[one.instrument]
        measuring = Measuring(
            self._detectors[one.instrument],
            (station.clocks,),
            bps.null,
            one.exposure_s,
            read_only=(station.monitors, station.changer, *station.of_exposure),
            stream=one.name,
            precondition=station.unavailable,
        )
        visits = shots_of(one, station)
        for number in range(one.count):
            spot_mm, why = one.spots_mm[number % len(one.spots_mm)], ""
            if budget is not None:
                spot_mm, why = yield from in_thread(lambda: budget.choose(spot_mm, one.spots_mm))  # noqa: B023
            if not why:
                yield from bps.mv(station.changer, (self._mount, *spot_mm))
                why = yield from expose_all(measuring, visits[number % len(visits)], bps.null)
            if why:
                yield from self._notes.miss(one.name, why)
        return measuring.taken


def put_back(stations: Sequence[MeasuresCells], place: str, *, is_whole: bool = True) -> None:
    """Tell the dose ledger that the cell in a vessel is at its place of the sample changer again.

    One that was taken apart stays in the glovebox, and its place is empty.
    """
    for station in stations:
        for mount, one in station.changer.places.items():
            if one.content == "vessel" and (carried := station.dose.ledger.held(mount)) is not None:
                if is_whole:
                    station.dose.ledger.put(place, carried.cell, carried.formula)
                station.dose.ledger.vacate(mount)

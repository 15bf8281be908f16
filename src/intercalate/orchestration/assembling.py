"""Cells with their measurements, made of what an experiment asks for."""

import logging
import uuid
from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.cell import Cell
from intercalate.contract import OnLoss
from intercalate.devices.roles import CyclesCells, MeasuresCells
from intercalate.dose import formula_of
from intercalate.orchestration.budgets import dose_so_far, is_exposed, spot_budget
from intercalate.orchestration.cell_measurement import CellMeasurement
from intercalate.orchestration.cells import CyclingCell, collect_all, cycle_cells
from intercalate.orchestration.checking import bound
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.hearing import hearing
from intercalate.orchestration.measuring import Measuring, OpenDetector
from intercalate.orchestration.metadata import experiment_metadata
from intercalate.orchestration.occasions import Occasions, check_when
from intercalate.orchestration.pressure_check import problems_of_pressure
from intercalate.orchestration.reflection_check import problems_of_incidence
from intercalate.orchestration.sample_check import problems_of_milled, problems_of_sample
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.shots import problems_of_shots, shots_of
from intercalate.orchestration.taking_up import QUEUE_ORDER, interrupted_rest, program_id_for
from intercalate.orchestration.tasks import (
    INCIDENCE,
    TEMPERATURE,
    CellTask,
    MeasurementTask,
    TasksError,
    cycler_of,
)
from intercalate.orchestration.visiting import Visitor
from intercalate.orchestration.waiting import in_thread
from intercalate.problems import Problem
from intercalate.protocol import BoundProgram, Protocol, SiteLimits

log = logging.getLogger(__name__)

WITHOUT_CABLES = "no cables of the cycler go to this instrument: no cell is cycled there"

SHUTTER_S = 30.0
"""Wall seconds that a finalizer waits for a shutter at most."""


def is_wired(station: MeasuresCells, cycler: CyclesCells) -> bool:
    """Whether a place of this instrument has the cables of this channel."""
    return any(one.channel == cycler.channel for one in station.changer.places.values())


def check_task(task: CellTask, site: SiteLimits) -> tuple[Protocol, Cell, BoundProgram]:
    """Protocol, cell and program of a task, each of them checked, as far as needs no instrument.

    Raises
    ------
    ProtocolError, CellError, WhenError, TasksError
        If something asked for cannot be.
    """
    protocol, cell, program = bound(task.checked_protocol(), task.checked_cell(), site, task.initial_soc)
    for one in task.measurements:
        check_when(one.when, program, source=f"{one.name}.when of {task.label}")
    problems = [
        problem.under(f"measurements[{number}]")
        for number, one in enumerate(task.measurements)
        for problem in problems_of_pressure(one, cell)
    ]
    if problems:
        raise TasksError(f"cell {task.label}", problems)
    return protocol, cell, program


class Experimenting:
    """Cells that are cycled at the same time, and the instruments that measure them.

    Parameters
    ----------
    plan_name, mode
        For the start documents.
    cyclers
        Channels the cells are on.
    stations
        Instruments, which measurements name.
    on_abort, on_client_lost
        What becomes of the cells.
    taken_up
        Whether sessions that are gone have started the programs.
    going_on
        Whether what is left of those that were interrupted is started, because a person said so.
    md
        Added to the start document of every run.
    """

    def __init__(
        self,
        plan_name: str,
        mode: str,
        cyclers: Sequence[CyclesCells],
        stations: Sequence[MeasuresCells],
        on_abort: OnLoss,
        on_client_lost: OnLoss,
        *,
        taken_up: bool = False,
        going_on: bool = False,
        md: dict[str, Any] | None = None,
    ):
        self._names = (plan_name, mode)
        self._cyclers = tuple(cyclers)
        self._losses = (on_abort, on_client_lost)
        self._taken_up, self._going_on = taken_up, going_on
        self._md = {"experiment_uid": uuid.uuid4().hex, **(md or {})}
        self._cells: list[CyclingCell] = []
        self._stations = {one.name: one for one in stations}
        self._detectors = {one.name: OpenDetector(one.detector) for one in stations}
        self._visitors = {one.name: Visitor(one, self._collect) for one in stations}
        self._stages: dict[str, Any] = {}
        self._requests = next((one.requests for one in stations), None)

    def add(self, task: CellTask, **more: Any) -> MsgGenerator[None]:
        """Make a cell ready to be started.

        Parameters
        ----------
        more
            Further start metadata of its run.

        Raises
        ------
        TasksError, ProtocolError, CellError, WhenError, TakeUpError
            Before anything moves, if something asked for cannot be.
        """
        cycler = self.cycler_of(task)
        protocol, cell, program = check_task(task, cycler.site)
        self._check_sample(task, cell)
        self._check_shots(task, cell)
        self._note_stages(task)
        measurements = [
            self._measurement(one, cycler, protocol, cell, task.place) for one in task.measurements
        ]
        doses = yield from in_thread(lambda: self._doses(cell, cycler, task.place))
        if task.begin is not None:
            program = program.rest(task.begin)
        left = (yield from interrupted_rest(cycler, program)) if self._going_on else None
        taken_up, program = self._taken_up and left is None, left or program
        order = None if self._going_on else self._md.get(QUEUE_ORDER)
        program_id = yield from program_id_for(cycler, program, taken_up, order)
        plan_name, mode = self._names
        placed = {} if task.place is None else {"place": task.place, "channel": cycler.channel}
        metadata = experiment_metadata(
            plan_name,
            cell,
            protocol,
            program,
            program_id,
            *self._losses,
            self._md,
            mode=mode,
            measurements=[one.given() for one in task.measurements],
            hold=None if task.hold is None else task.hold.model_dump(mode="json", exclude_none=True),
            taken_up=taken_up,
            doses=doses,
            **placed,
            **more,
        )
        self._cells.append(
            CyclingCell(
                cycler,
                program,
                program_id,
                metadata,
                *self._losses,
                measurements=measurements,
                place=task.place,
                run_key=task.place,
                taken_up=taken_up,
            )
        )

    def run(self) -> MsgGenerator[list[str]]:
        """Cycle the cells, and measure each when it is due; detectors open the shutter for each frame.

        Returns
        -------
        list of str
            Unique ids of the runs, in the order in which the cells were added.
        """
        if self._requests is None or not self._used():
            return (yield from cycle_cells(self._cells, before=self._before, after=self._after))
        with self._requests.listening() as is_heard:
            between = hearing(self._requests) if is_heard else None
            return (
                yield from cycle_cells(self._cells, before=self._before, after=self._after, between=between)
            )

    def _check_sample(self, task: CellTask, cell: Cell) -> None:
        """Refuse light where no window lets it in, and a vacuum that the cell would spoil."""
        to_c = [
            float(value)
            for one in task.measurements
            for value in one.setting(TEMPERATURE)
            if not isinstance(value, str)
        ]
        problems = [
            problem.under(f"measurements[{number}].instrument")
            for number, one in enumerate(task.measurements)
            for problem in problems_of_sample(self._stations[one.instrument], cell, to_c)
        ]
        if problems:
            raise TasksError(f"cell {task.label}", problems)

    def _check_shots(self, task: CellTask, cell: Cell) -> None:
        """Refuse maps, regions and angles by what cannot make them, and spots by what is left of them."""
        problems = [
            problem.under(f"measurements[{number}]")
            for number, one in enumerate(task.measurements)
            for station in (self._stations[one.instrument],)
            for problem in (
                *problems_of_shots(one, station),
                *problems_of_incidence(one, station, cell),
                *problems_of_milled(station, cell, one.spots_mm),
            )
        ]
        if problems:
            raise TasksError(f"cell {task.label}", problems)

    def _note_stages(self, task: CellTask) -> None:
        """Know which stages the measurements of a cell heat, cool or tilt: they come to rest in the end."""
        for one in task.measurements:
            for name in (TEMPERATURE, INCIDENCE):
                if one.setting(name):
                    stage = self._stations[one.instrument].settings[name]
                    self._stages[stage.name] = stage

    def _stations_of(self, task: CellTask) -> list[MeasuresCells]:
        """Instruments of the measurements of a cell."""
        known = ", ".join(self._stations) or "none"
        problems = [
            Problem(f"measurements[{number}].instrument", one.instrument, f"there are {known}", "name one")
            for number, one in enumerate(task.measurements)
            if one.instrument not in self._stations
        ]
        if problems:
            raise TasksError(f"cell {task.label}", problems)
        return [self._stations[one.instrument] for one in task.measurements]

    def cycler_of(self, task: CellTask) -> CyclesCells:
        """Channel of a cell whose instruments and spots are there.

        Raises
        ------
        TasksError
            If one of them is not, or no cable of the channel goes there.
        """
        stations = self._stations_of(task)
        cycler = self._cyclers[0] if task.place is None else self._cycler_at(task.place, stations)
        elsewhere = [
            Problem(
                f"measurements[{number}].instrument", one.name, WITHOUT_CABLES, "measure it ex situ there"
            )
            for number, one in enumerate(stations)
            if not is_wired(one, cycler)
        ]
        if elsewhere:
            raise TasksError(f"cell {task.label}", elsewhere)
        if task.place is None:
            return cycler
        for one, station in zip(task.measurements, stations, strict=True):
            for spot_mm in one.spots_mm:
                station.changer.position_mm(stage_target(station, task.place, spot_mm))
        return cycler

    def _cycler_at(self, place: str, stations: Sequence[MeasuresCells]) -> CyclesCells:
        changers = [one.changer for one in (*stations, *self._stations.values())]
        if not changers:
            raise TasksError("cells", [Problem("place", place, "there is no sample changer", "drop it")])
        return cycler_of(place, changers[0], self._cyclers)

    def _measurement(
        self, one: MeasurementTask, cycler: CyclesCells, protocol: Protocol, cell: Cell, place: str | None
    ) -> CellMeasurement:
        station = self._stations[one.instrument]
        measuring = Measuring(
            self._detectors[one.instrument],
            (station.clocks, cycler),
            self._collect,
            one.exposure_s,
            read_only=(station.monitors, *station.of_exposure),
            stream=one.name,
            run_key=place or "",
            precondition=station.unavailable,
        )
        return CellMeasurement(
            one.name,
            one.instrument,
            Occasions(one.when, protocol),
            measuring,
            self._visitors[one.instrument].visit,
            spots_mm=one.spots_mm,
            shots=shots_of(one, station),
            priority=one.priority,
            budget=spot_budget(one, cell, station.dose, one.points_um),
            is_exposed=lambda spot_mm: is_exposed(station.dose, cell, spot_mm),
            check_spot=lambda spot_mm: self._check_spot(station, cell, place, spot_mm),
        )

    def _check_spot(
        self, station: MeasuresCells, cell: Cell, place: str | None, spot_mm: tuple[float, float]
    ) -> None:
        """Refuse a spot that somebody asks for while the experiment runs, as one that stands in its file."""
        if place is None:
            raise ValueError("nothing moves this cell: the experiment names no place on a sample changer")
        station.changer.position_mm(stage_target(station, place, spot_mm))
        if problems := problems_of_milled(station, cell, [spot_mm]):
            raise TasksError(f"cell {cell.name}", problems)

    def _doses(self, cell: Cell, cycler: CyclesCells, place: str | None) -> list[dict[str, Any]]:
        """What each beam has done to a cell so far; from now on its ledgers know where the cell is."""
        found = []
        for station in self._stations.values():
            if not is_wired(station, cycler):
                continue
            at = place or station.changer.find(channel=cycler.channel)
            station.dose.ledger.put(at, cell.name, formula_of(cell))
            found.append(dose_so_far(station.dose, cell))
        return found

    def _collect(self) -> MsgGenerator[None]:
        yield from collect_all(self._cells)

    def _used(self) -> dict[str, Measuring]:
        """The first measurement of every instrument that has one."""
        found: dict[str, Measuring] = {}
        for cell in self._cells:
            for one in cell.measurements:
                found.setdefault(one.instrument, one.measuring)
        return found

    def _before(self) -> MsgGenerator[None]:
        for name, measuring in self._used().items():
            if not self._taken_up:
                # One that sticks now must not end programs that run already.
                yield from bps.mv(self._stations[name].shutter, "closed")
            yield from measuring.prepare()

    def _after(self) -> MsgGenerator[None]:
        for name in self._used():
            yield from self._detectors[name].end()
            try:
                yield from bps.abs_set(self._stations[name].shutter, "closed", group="shutter")
                yield from bps.wait(group="shutter", timeout=SHUTTER_S, error_on_timeout=False)
            except FAILURES as error:
                log.error("the shutter of %s was not closed: %s", name, cause_of(error))
        for stage in self._stages.values():
            # Nobody waits for it: whatever ended the experiment, no sample stays hot, or tilted.
            try:
                yield from in_thread(stage.to_rest)
            except FAILURES as error:
                log.error("%s was not sent to rest: %s", stage.name, cause_of(error))

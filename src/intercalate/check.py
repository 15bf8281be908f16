"""What an experiment file would do: its course, its frames, their size and dose, and who waits for whom."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from intercalate.config import Config, InstrumentSection
from intercalate.contract import DIAMOND_ANVIL_CELL
from intercalate.dose import formula_of
from intercalate.experiment import Experiment, ExperimentCell
from intercalate.foresight import Foresight, foresee
from intercalate.instrument_sections import LaboratorySection
from intercalate.orchestration.pressure_check import problems_of_cell
from intercalate.orchestration.schedule import Overheads, Schedule, Wanted, plan_visits
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.orchestration.transfer_task import TransferTask
from intercalate.problems import ProblemsError
from intercalate.views.progress import expected_duration_s

HOUR_S = 3600.0
BYTES_PER_PIXEL = 4
MOST_CONFLICTS = 3
"""Shown of each measurement."""


@dataclass
class Checked:
    """What is known of one cell beforehand.

    Attributes
    ----------
    foresight
        None where there is no model of its chemistry.
    duration_s
        Of its program: foreseen, or a bound.
    due_s
        When each measurement is due in the pass that was simulated, or in all without a model.
    frames
        Of each measurement in all; None where it cannot be known.
    """

    cell: ExperimentCell
    foresight: Foresight | None
    duration_s: float
    due_s: dict[str, np.ndarray] = field(default_factory=dict)
    frames: dict[str, int | None] = field(default_factory=dict)

    @classmethod
    def of(cls, cell: ExperimentCell, config: Config) -> "Checked":
        program = cell.bound(config.site)
        foresight = foresee(program, cell.cell, config.site)
        duration_s = expected_duration_s(program) if foresight is None else foresight.duration_s
        found = cls(cell, foresight, duration_s)
        for task in cell.measurements:
            due_s, count = _occasions(task, found)
            found.due_s[task.name], found.frames[task.name] = due_s, count
        return found

    @property
    def shown_s(self) -> float:
        """Time for which visits are reckoned."""
        return self.duration_s if self.foresight is None else self.foresight.once_s


def _occasions(task: MeasurementTask, checked: Checked) -> tuple[np.ndarray, int | None]:
    """When a measurement is due, and how often in all."""
    if checked.foresight is not None:
        due_s = checked.foresight.due_s(task, checked.cell.executed)
        if due_s is not None:
            return due_s, checked.foresight.in_all(task, due_s)
    if task.when.period_s is None:
        return np.zeros(0), None
    due_s = np.arange(0.0, checked.duration_s, task.when.period_s)
    return due_s, len(due_s)


def check(experiment: Experiment, config: Config) -> Iterator[str]:
    """Say what an experiment would do, line by line.

    Raises
    ------
    ValueError
        If a cell is at a place that the sample changer does not have.
    ForesightError
        If the simulated cell cannot be asked.
    """
    wanted: list[Wanted] = []
    checked = []
    for cell in experiment.cells:
        _check_place(cell, config)
        yield f"{cell.place}: {cell.cell.name}" if cell.place else cell.cell.name
        yield cell.protocol.describe()
        if cell.hold is not None:
            yield cell.hold.describe()
        one = Checked.of(cell, config)
        checked.append(one)
        yield from _course(one)
        for task in cell.measurements:
            yield f"{task.name}: frames {task.when.describe()}; {task.exposure_s:g} s each."
            yield from _amounts(task, one, config)
            wanted.append(_wanted(task, one, config))
    if experiment.transfer is not None:
        _check_transfer(experiment.transfer, config)
        yield experiment.transfer.describe()
    if wanted:
        schedule = plan_visits(wanted, Overheads(config.changer.speed_mm_per_s, config.changer.settling_s))
        part = ", one pass of each loop" if any(_is_extrapolated(one) for one in checked) else ""
        yield f"Visits{part}:\n{schedule.describe()}"
        yield _dead_time(schedule)
        yield from _conflicts(schedule, checked)


def _is_extrapolated(one: Checked) -> bool:
    return one.foresight is not None and one.foresight.is_extrapolated


def _check_place(cell: ExperimentCell, config: Config) -> None:
    changers = [config.changer, *(config.changer_of(one.instrument) for one in cell.measurements)]
    places = {name: place for one in changers for name, place in one.places.items()}
    if cell.place is None:
        return
    if cell.place not in places:
        raise ValueError(f"there is no place {cell.place!r} on the changer; there are {', '.join(places)}")
    if places[cell.place].content == DIAMOND_ANVIL_CELL:
        raise ProblemsError(f"cell at {cell.place}", problems_of_cell(cell.cell, "cell"))


def _check_transfer(transfer: TransferTask, config: Config) -> None:
    for one in transfer.measurements.values():
        if one.instrument not in config.instruments:
            known = ", ".join(config.instruments)
            raise ValueError(f"there is no instrument {one.instrument!r} here; there are {known}")
        contents = [place.content for place in config.changer_of(one.instrument).places.values()]
        if "vessel" not in contents:
            raise ValueError(
                f'no place at {one.instrument} takes a transfer vessel; give one content = "vessel" in the '
                "configuration"
            )


def _course(one: Checked) -> Iterator[str]:
    """Step by step, as the simulated cell goes through it."""
    hours = one.duration_s / HOUR_S
    if one.foresight is None:
        yield f"No model of this chemistry: at most {hours:.4g} h; nothing is known of its course."
        return
    yield f"Course of a simulated cell ({one.foresight.model}):"
    yield "  step      from     lasts          voltage        charge   passes"
    for step in one.foresight.steps:
        yield (
            f"  {step.step:4} {step.start_s / HOUR_S:7.2f} h {step.duration_s / HOUR_S:7.2f} h "
            f"{step.start_v:6.3f} to {step.end_v:6.3f} V {step.charge_mAh:+9.3f} mAh {step.passes:8}"
        )
    said = " in all, each pass taken to be as the first" if one.foresight.is_extrapolated else ""
    held = "; holds are shown as long as they may last" if one.cell.hold is not None else ""
    yield f"  {hours:.4g} h{said}{held}"


def _amounts(task: MeasurementTask, one: Checked, config: Config) -> Iterator[str]:
    """How many frames, how large, and what they do to a spot."""
    count = one.frames[task.name]
    if count is None:
        yield "  how many depends on the course of the cell, which is not known"
        return
    section = config.instrument(task.instrument)
    rows, columns = section.detector.shape
    frames = count * task.frames_per_visit
    yield f"  {frames} frames, {frames * rows * columns * BYTES_PER_PIXEL / 1e9:.3g} GB before compression"
    formula = formula_of(one.cell.cell)
    scale = section.scale
    if task.budget_key != scale.budget:
        yield f"  doses of {task.instrument} are in {scale.name}: give {scale.budget} for {task.budget_key}"
        return
    if scale.needs_formula and not formula:
        yield "  their dose is not known: give the formula of the working electrode in the cell's file"
        return
    # Regions are taken at the same spot.
    frame = frame_dose(task, formula, section) * max(1, len(task.regions))
    spots = len(task.spots_mm)
    room = task.budget(scale) // frame
    if task.at_budget == "next_spot" and room < count:
        used = min(spots, -int(-count // room) if room else 0)
        per_spot = min(count, room)
        words = f"each of {used} spots"
    else:
        per_spot = -(-count // spots)
        words = f"each of {spots} spots" if spots > 1 else "the spot"
    within = f" in {formula}" if scale.needs_formula else ""
    got = f"{scale.shown(per_spot * frame)} {scale.name}{within}"
    each = "each visit" if task.regions else "each"
    yield f"  {scale.shown(frame)} {scale.name} {each} with all the beam there should be; {words} gets {got}"
    possible = room * spots
    if possible < count:
        said = f"{scale.shown(task.budget(scale))} {scale.name}"
        yield f"  the budget of {said} is spent after {possible:.0f} of {count} frames"


def frame_dose(task: MeasurementTask, formula: str, section: Config | InstrumentSection) -> float:
    """Dose of one frame with the beam of an instrument as it is on paper, in the unit of its accounts."""
    if isinstance(section, LaboratorySection):
        raise ValueError("no cell is cycled in the laboratory")
    return section.scale.of(section.fluence_j_cm2(task.exposure_s), formula, section.particle_kev)


def _wanted(task: MeasurementTask, one: Checked, config: Config) -> Wanted:
    at = config.changer_of(task.instrument).places[one.cell.place] if one.cell.place else None
    return Wanted(
        name=_name(one.cell, task),
        position_mm=(at.x_mm, at.y_mm) if at else (0.0, 0.0),
        due_s=one.due_s[task.name].tolist(),
        duration_s=one.shown_s,
        exposure_s=task.frames_per_visit * task.exposure_s,
        readout_s=task.frames_per_visit * config.instrument(task.instrument).detector.readout_s,
        priority=task.priority,
    )


def _name(cell: ExperimentCell, task: MeasurementTask) -> str:
    if len(cell.measurements) == 1:
        return cell.label
    return f"{cell.place} {task.name}" if cell.place else task.name


def _dead_time(schedule: Schedule) -> str:
    moving_h, reading_h = schedule.moving_s / HOUR_S, schedule.reading_s / HOUR_S
    return f"dead time: {moving_h:.2f} h moving, {reading_h:.2f} h reading out"


def _conflicts(schedule: Schedule, checked: list[Checked]) -> Iterator[str]:
    """Who waits for whom."""
    voltages = {_name(one.cell, task): one.foresight for one in checked for task in one.cell.measurements}
    for name, visits in schedule.cells.items():
        for due_s, other in visits.conflicts[:MOST_CONFLICTS]:
            foresight = voltages[name]
            at = "" if foresight is None else f" ({foresight.voltage_at(due_s):.3f} V)"
            yield f"conflict: at {due_s / HOUR_S:.2f} h{at} {name} waits for {other}"
        if more := len(visits.conflicts) - MOST_CONFLICTS:
            yield from [f"conflict: {name} waits {more} times more"] if more > 0 else []

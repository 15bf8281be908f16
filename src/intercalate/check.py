"""The schedule of visits that an experiment file asks for."""

from intercalate.config import Config
from intercalate.experiment import Experiment, ExperimentCell
from intercalate.orchestration.schedule import Overheads, Schedule, Wanted, plan_visits
from intercalate.orchestration.tasks import MeasurementTask
from intercalate.views.progress import expected_duration_s


def schedules_of(experiment: Experiment, config: Config) -> dict[str, Schedule]:
    """Reckon the visits of an experiment on each instrument, at the speed of a real cell.

    Raises
    ------
    ValueError
        If a cell is at a place that the sample changer does not have.
    """
    overheads = Overheads(
        config.changer.speed_mm_per_s, config.changer.settling_s, config.diffractometer.readout_s
    )
    wanted: dict[str, list[Wanted]] = {}
    for cell in experiment.cells:
        for one in cell.measurements:
            wanted.setdefault(one.instrument, []).append(_wanted(cell, one, config))
    return {instrument: plan_visits(cells, overheads) for instrument, cells in wanted.items()}


def unforeseen(experiment: Experiment) -> list[str]:
    """What the schedule leaves out, in words: occasions that depend on the course of a cell."""
    return [
        f"{_name(cell, one)}: frames depend on the course of the cell; none of them is scheduled"
        for cell in experiment.cells
        for one in cell.measurements
        if one.when.period_s is None
    ]


def _name(cell: ExperimentCell, one: MeasurementTask) -> str:
    return cell.label if len(cell.measurements) == 1 else f"{cell.label} {one.name}"


def _wanted(cell: ExperimentCell, one: MeasurementTask, config: Config) -> Wanted:
    places = config.changer.places
    if cell.place is not None and cell.place not in places:
        raise ValueError(f"there is no place {cell.place!r} on the changer; there are {', '.join(places)}")
    at = places[cell.place] if cell.place else None
    return Wanted(
        name=_name(cell, one),
        position_mm=(at.x_mm, at.y_mm) if at else (0.0, 0.0),
        every_s=one.when.period_s,
        duration_s=expected_duration_s(cell.bound(config.site)),
        exposure_s=one.exposure_s,
        priority=one.priority,
    )

"""The schedule of visits that an experiment file asks for."""

from intercalate.config import Config
from intercalate.experiment import Experiment, ExperimentCell
from intercalate.orchestration.schedule import Overheads, Schedule, Wanted, plan_visits
from intercalate.views.progress import expected_duration_s


def schedule_of(experiment: Experiment, config: Config) -> Schedule:
    """Reckon the visits of an experiment at the speed of a real cell.

    Raises
    ------
    ValueError
        If a cell is at a place that the sample changer does not have, or nothing is exposed.
    """
    if experiment.exposure_s is None:
        raise ValueError("the experiment takes no frames; there is nothing to schedule")
    overheads = Overheads(
        config.changer.speed_mm_per_s, config.changer.settling_s, config.diffractometer.readout_s
    )
    wanted = [_wanted(one, config) for one in experiment.cells]
    return plan_visits(wanted, experiment.exposure_s, overheads)


def unforeseen(experiment: Experiment) -> list[str]:
    """What the schedule leaves out, in words: occasions that depend on the course of a cell."""
    return [
        f"{one.place or one.cell.name}: frames depend on the course of the cell; none of them is scheduled"
        for one in experiment.cells
        if one.when is not None and one.when.period_s is None
    ]


def _wanted(one: ExperimentCell, config: Config) -> Wanted:
    places = config.changer.places
    if one.place is not None and one.place not in places:
        raise ValueError(f"there is no place {one.place!r} on the changer; there are {', '.join(places)}")
    at = places[one.place] if one.place else None
    return Wanted(
        name=one.place or one.cell.name,
        position_mm=(at.x_mm, at.y_mm) if at else (0.0, 0.0),
        every_s=one.when.period_s if one.when else None,
        duration_s=expected_duration_s(one.bound(config.site)),
        priority=one.priority,
    )

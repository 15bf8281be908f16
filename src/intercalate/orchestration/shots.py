"""Frames of one visit: points of a map, regions of an analyser."""

import math
from typing import Any

from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.cell_measurement import Shot
from intercalate.orchestration.tasks import FramesTask, MeasurementTask, Setting
from intercalate.problems import Problem, did_you_mean


def shots_of(one: FramesTask, station: MeasuresCells) -> list[list[Shot]]:
    """What is set before each frame of a visit, in their order: at every point every region.

    Returns
    -------
    list of list
        Of each visit, until settings that are gone through begin again.
    """
    points_um = one.points_um if isinstance(one, MeasurementTask) else []
    objective = station.objective
    places: list[Shot] = [()]
    if objective is not None:
        places = [((objective.x_um, x), (objective.y_um, y)) for x, y in points_um or [(0.0, 0.0)]]
    regions: list[Shot] = [((station.analyser, region),) for region in one.regions] or [()]
    visits = []
    for number in range(math.lcm(*(len(one.setting(name)) for name in one.settings))):
        values = {name: one.setting(name) for name in one.settings}
        settings = [(station.settings[name], of[number % len(of)]) for name, of in values.items()]
        visits.append([(*settings, *place, *region) for place in places for region in regions])
    return visits


def problems_of_shots(one: FramesTask, station: MeasuresCells) -> list[Problem]:
    """Why an instrument cannot make the frames of a measurement.

    Raises
    ------
    LimitError
        If a map leaves the travel of the objective.
    """
    found = []
    grid = one.grid if isinstance(one, MeasurementTask) else None
    if grid is not None and station.objective is None:
        limit = f"{station.name} has no objective that moves its beam over the sample"
        found.append(Problem("grid", grid.points, limit, "name spots_mm in its place"))
    elif grid is not None:
        for axis in (station.objective.x_um, station.objective.y_um):
            for end_um in (-grid.extent_um / 2, grid.extent_um / 2):
                axis.check_value(end_um)
    found += _problems_of_settings(one, station)
    if station.analyser is None:
        if one.regions:
            limit = f"{station.name} has no analyser"
            found.append(Problem("regions", ", ".join(one.regions), limit, "drop them"))
        return found
    known = station.analyser.regions
    if not one.regions:
        found.append(
            Problem("regions", "(absent)", "nobody said which energies", f"say some of {', '.join(known)}")
        )
    for region in one.regions:
        if region not in known:
            found.append(Problem("regions", region, "there is no such region", did_you_mean(region, known)))
    return found


def _problems_of_settings(one: FramesTask, station: MeasuresCells) -> list[Problem]:
    """What cannot be set, or not so."""
    found = []
    for name in one.settings:
        values = one.setting(name)
        signal = station.settings.get(name)
        if signal is None:
            limit = f"{station.name} has no such setting"
            advice = did_you_mean(name, station.settings) if station.settings else "drop it"
            found.append(Problem(f"settings.{name}", one.settings[name], limit, advice))
            continue
        for number, value in enumerate(values):
            where = f"settings.{name}" + (f"[{number}]" if len(values) > 1 else "")
            found += _problems_of_value(where, value, signal)
    return found


def _problems_of_value(where: str, value: Setting, signal: Any) -> list[Problem]:
    """Why a signal does not take a value."""
    words = getattr(signal, "enum_strs", None)
    if words:
        known = value in words
        return [] if known else [Problem(where, value, "there is no such choice", did_you_mean(value, words))]
    low, high = signal.limits
    if isinstance(value, str) or (low < high and not low <= value <= high):
        limit = f"it must be a number from {low:g} to {high:g}" if low < high else "it must be a number"
        return [Problem(where, value, limit, "correct the value")]
    return []

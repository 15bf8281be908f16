"""Whether a cell can be taken as it is turned in the beam."""

from intercalate.cell import Cell, CellFormat
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.tasks import INCIDENCE, FramesTask
from intercalate.problems import Problem

TRANSMISSION_DEG = 90.0
REFLECTION_DEG = (0.3, 15.0)
"""Angles of incidence at which a cell is taken in reflection."""


def problems_of_incidence(one: FramesTask, station: MeasuresCells, cell: Cell) -> list[Problem]:
    """Why diffraction from a cell is not possible at the angles that are asked for, or at none.

    A cell with windows on both sides is taken in transmission alone, for the beam passes its frame at a small
    angle; one whose collector lies under a single window, in reflection alone.
    """
    if station.technique != "xrd":
        return []
    where, values = f"settings.{INCIDENCE}", one.setting(INCIDENCE)
    numbers = [float(value) for value in values if not isinstance(value, str)]
    reflects = cell.format is CellFormat.OPERANDO_REFLECTION
    if reflects and INCIDENCE not in station.settings:
        limit = f"{cell.name} is a cell for reflection, and {station.name} has nothing that tilts it"
        return [Problem("instrument", station.name, limit, "add [goniometer] to the configuration")]
    if reflects and not numbers:
        limit = f"{cell.name} has one window: no beam comes through it"
        low, high = REFLECTION_DEG
        return [Problem(where, "(absent)", limit, f"say an angle from {low:g} to {high:g} deg, or several")]
    low, high = REFLECTION_DEG if reflects else (TRANSMISSION_DEG, TRANSMISSION_DEG)
    why = (
        f"{cell.name} is taken in reflection, from {low:g} to {high:g} deg"
        if reflects
        else f"{cell.name} is taken in transmission, at {TRANSMISSION_DEG:g} deg; its format is {cell.format}"
    )
    fix = "correct the angle" if reflects else 'take a cell with format = "operando_reflection", or drop it'
    return [Problem(where, value, why, fix) for value in numbers if not low <= value <= high]

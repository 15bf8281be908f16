"""What is to be done with each of several cells: validated models, JSON in and out."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intercalate.cell import Cell
from intercalate.devices.roles import ChangesSamples, CyclesCells
from intercalate.orchestration.when import When
from intercalate.problems import Problem, ProblemsError, problems_of
from intercalate.protocol import Protocol

SpotMm = tuple[Annotated[float, Field(ge=-20, le=20)], Annotated[float, Field(ge=-20, le=20)]]


class TasksError(ProblemsError):
    """The list of cells was refused; `problems` lists everything wrong with it."""


class CellTask(BaseModel):
    """One cell of several.

    Attributes
    ----------
    place
        Of the cell on the sample changer, whose cables go to one channel of the cycler.
    cell, protocol
        What it is, and what to do to it.
    when
        When it is measured; None for a twin that the beam never meets.
    spots_mm
        On the sample from the centre of its window, visited one after the other.
    priority
        Of cells that are due at once, the one with the higher priority is measured first; among equals
        the one whose last visit is longest ago.
    initial_soc
        State of charge at the start, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    place: Annotated[str, Field(min_length=1)]
    cell: dict[str, Any]
    protocol: dict[str, Any]
    when: When | None = None
    spots_mm: Annotated[tuple[SpotMm, ...], Field(min_length=1)] = ((0.0, 0.0),)
    priority: int = 0
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None

    @classmethod
    def all_of(cls, tasks: Sequence[Self | dict[str, Any]]) -> list[Self]:
        """Validate a list of tasks.

        Raises
        ------
        TasksError
            Naming the number, field and value of everything that is wrong.
        """
        found: list[Self] = []
        problems: list[Problem] = []
        for number, task in enumerate(tasks):
            try:
                found.append(task if isinstance(task, cls) else cls.model_validate(task))
            except ValidationError as error:
                problems += [one.under(f"cells[{number}]") for one in problems_of(error, cls)]
        places = [task.place for task in found]
        for place in sorted({place for place in places if places.count(place) > 1}):
            problems.append(Problem("cells", place, "is the place of two cells", "give each its own place"))
        if not tasks:
            problems.append(Problem("cells", "[]", "there is no cell", "name at least one"))
        if problems:
            raise TasksError("cells", problems)
        return found

    def checked_cell(self) -> Cell:
        """The cell, validated."""
        return Cell.from_dict(self.cell, source=f"cell in {self.place}")

    def checked_protocol(self) -> Protocol:
        """The protocol, validated."""
        return Protocol.from_dict(self.protocol, source=f"protocol of {self.place}")


def cycler_of(place: str, changer: ChangesSamples, cyclers: Sequence[CyclesCells]) -> CyclesCells:
    """The channel to which the cables of a place go.

    Raises
    ------
    TasksError
        If the place is none for a cell, or its channel is not among `cyclers`.
    """
    known = [name for name, one in changer.places.items() if one.channel is not None]
    if place not in known:
        raise TasksError(
            "cells", [Problem("place", place, "is no place for a cell", f"say one of {', '.join(known)}")]
        )
    channel = changer.places[place].channel
    for cycler in cyclers:
        if cycler.channel == channel:
            return cycler
    raise TasksError(
        "cells",
        [
            Problem(
                "cyclers",
                ", ".join(one.channel for one in cyclers),
                f"the cables of {place} go to {channel}, which is not among them",
                "pass the cycler of that channel, or mend [changer.places] in the configuration",
            )
        ],
    )


def raster_mm(extent_mm: float = 0.5, points: int = 3) -> list[tuple[float, float]]:
    """Spots of a square raster around the centre, row by row.

    Parameters
    ----------
    extent_mm
        From the centre to the outer spots; half a millimetre averages the grains of a coating.
    points
        In each row and column.

    Raises
    ------
    ValueError
        If there is no point, or the extent is negative.
    """
    if points < 1 or extent_mm < 0:
        raise ValueError(f"a raster of {points} x {points} spots over ± {extent_mm} mm has no spot")
    if points == 1:
        return [(0.0, 0.0)]
    steps = [extent_mm * (2 * i / (points - 1) - 1) for i in range(points)]
    return [(x_mm, y_mm) for y_mm in steps for x_mm in steps]

"""What is to be done with each cell, and how it is measured: validated models, JSON in and out."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from intercalate import streams
from intercalate.cell import Cell
from intercalate.devices.roles import ChangesSamples, CyclesCells
from intercalate.dose import DoseScale
from intercalate.orchestration.checking import MAX_EXPOSURE_S
from intercalate.orchestration.when import At, When
from intercalate.problems import ABSENT, Problem, ProblemsError, problems_of
from intercalate.protocol import Beginning, Hold, Protocol, with_holds
from intercalate.strict_model import StrictModel


def _budget(value: object) -> float | str:
    if value == "unlimited":
        return "unlimited"
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(value)
    raise ValueError('a budget is a number above 0, or "unlimited"')


Budget = Annotated[float | Literal["unlimited"], BeforeValidator(_budget)]
SpotMm = tuple[Annotated[float, Field(ge=-20, le=20)], Annotated[float, Field(ge=-20, le=20)]]


class TasksError(ProblemsError):
    """The list of cells was refused; `problems` lists everything wrong with it."""


Setting = float | str
TEMPERATURE = "temperature_c"
"""Setting that changes the sample, and not the instrument alone."""
INCIDENCE = "incidence_deg"
"""Setting that turns the sample."""
PRESSURE = "pressure_gpa"
"""What no cell bears; a sample on no channel is pressed by a plan of its own."""

BUDGETS = ("budget_MGy", "budget_J_cm2", "budget_e_A2")

AT_EACH_HOLD = When(at=At(hold=True))


class Grid(StrictModel):
    """Points of a square around a spot, row by row.

    Attributes
    ----------
    extent_um
        Width and height.
    points
        In each row and column.
    """

    extent_um: Annotated[float, Field(gt=0, le=200)]
    points: Annotated[int, Field(ge=2, le=64)]

    def points_um(self) -> list[tuple[float, float]]:
        """All points, from the spot."""
        steps = [self.extent_um * (i / (self.points - 1) - 0.5) for i in range(self.points)]
        return [(x_um, y_um) for y_um in steps for x_um in steps]


class FramesTask(StrictModel):
    """Frames that one instrument takes of a cell.

    Attributes
    ----------
    name
        Of the stream of its frames in the run of the cell; two measurements of a cell have two names.
    exposure_s
        Of each frame, in cell seconds.
    spots_mm
        On the sample from the centre of its window, visited one after the other.
    regions
        Of an electron energy analyser, by name, taken one after the other at each visit.
    settings
        What is set of the instrument before each frame, by name: `field_of_view_um` and `image_detector` of
        an electron microscope, `power_mw` of a laser, `temperature_c` of the stage in a chamber,
        `incidence_deg` of a sample in reflection. A list is gone through, one value for each visit, and from
        its beginning again; measurements that are due together find the stage as the first of them has left
        it.
    budget_MGy, budget_J_cm2, budget_e_A2
        Most that a spot may get in the cell's life, or `unlimited`. No value is known to be safe: it is the
        experimenter's to say. Of X-rays in the material that the cell declares as working electrode, of a
        laser the energy per area, of electrons their number per area; one of them.
    at_budget
        `refuse` further frames of a spot at its end, or keep to one spot and move on to the `next_spot` then.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = streams.XRD
    exposure_s: Annotated[float, Field(gt=0, le=MAX_EXPOSURE_S)]
    spots_mm: Annotated[tuple[SpotMm, ...], Field(min_length=1)] = ((0.0, 0.0),)
    regions: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    settings: dict[str, Setting | Annotated[tuple[Setting, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    budget_MGy: Budget | None = None
    budget_J_cm2: Budget | None = None
    budget_e_A2: Budget | None = None
    at_budget: Literal["refuse", "next_spot"] = "refuse"

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name in streams.OTHERS:
            raise ValueError(f"{name!r} is the stream of something else in a run; give it another name")
        return name

    @model_validator(mode="after")
    def _has_one_budget(self) -> Self:
        given = [key for key in BUDGETS if getattr(self, key) is not None]
        if len(given) == 1:
            return self
        value, limit = (", ".join(given), "a measurement has one budget") if given else (ABSENT, "required")
        fix = (
            "give budget_MGy of X-rays, budget_J_cm2 of a laser or budget_e_A2 of electrons, a number or "
            '"unlimited"'
        )
        raise TasksError("measurement", [Problem("budget_MGy", value, limit, fix)])

    def setting(self, name: str) -> tuple[Setting, ...]:
        """Values of a setting, of one visit after the other; none where it is not set."""
        value = self.settings.get(name, ())
        return value if isinstance(value, tuple) else (value,)

    @property
    def budget_key(self) -> str:
        """Which of the budgets was given."""
        return next(key for key in BUDGETS if getattr(self, key) is not None)

    @property
    def said(self) -> float | str:
        """The budget as it was given."""
        return getattr(self, self.budget_key)

    def budget(self, scale: DoseScale) -> float:
        """Most that a spot may get, in the unit of accounts; infinite where it is unlimited."""
        return math.inf if self.said == "unlimited" else scale.per_shown * float(self.said)

    def given(self) -> dict[str, Any]:
        """As JSON has it, for the start document of a run."""
        return self.model_dump(mode="json", exclude_none=True)


class MeasurementTask(FramesTask):
    """What one instrument does with a cell that is cycled.

    Attributes
    ----------
    instrument
        Which station takes the frames.
    when
        When one is due; None whenever the cell is held.
    grid
        Points around each spot that are taken at one visit, by an instrument whose objective moves the beam
        over the sample: a map.
    priority
        Of measurements that are due at once, the one with the higher priority is taken first; among equals
        the one whose last is longest ago.
    """

    instrument: Annotated[str, Field(min_length=1)] = "xrd"
    when: When = AT_EACH_HOLD
    grid: Grid | None = None
    priority: int = 0

    @property
    def points_um(self) -> list[tuple[float, float]]:
        """Points of a visit, from its spot; none where it is the spot itself."""
        return [] if self.grid is None else self.grid.points_um()

    @property
    def frames_per_visit(self) -> int:
        """Of one occasion."""
        return max(1, len(self.points_um)) * max(1, len(self.regions))


class CellTask(StrictModel):
    """One cell: what it is, what is done to it, and how it is measured.

    Attributes
    ----------
    place
        On the sample changer, whose cables go to one channel of the cycler; None for the cell that is in the
        beam, where there is no other.
    cell, protocol
        What it is, and what to do to it.
    measurements
        None for a twin that no beam ever meets.
    hold
        Where it is held to be measured; None nowhere but where the protocol says so.
    initial_soc
        State of charge at the start, 0 to 1.
    begin
        Where its program begins, if it goes on with one that was interrupted.
    """

    place: Annotated[str, Field(min_length=1)] | None = None
    cell: dict[str, Any]
    protocol: dict[str, Any]
    measurements: tuple[MeasurementTask, ...] = ()
    hold: Hold | None = None
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None
    begin: Beginning | None = None

    @field_validator("measurements")
    @classmethod
    def _check_names(cls, measurements: tuple[MeasurementTask, ...]) -> tuple[MeasurementTask, ...]:
        names = [one.name for one in measurements]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two measurements are called {name!r}; give each its own name")
        return measurements

    @property
    def label(self) -> str:
        """As people call it."""
        return self.place or str(self.cell.get("name", "the cell"))

    @classmethod
    def of(
        cls,
        cell: Cell | dict[str, Any],
        protocol: Protocol | dict[str, Any],
        *measurements: MeasurementTask,
        initial_soc: float | None = None,
    ) -> Self:
        """The only cell of an experiment, from models or their JSON forms.

        Raises
        ------
        TasksError
            Naming everything that is wrong.
        """
        fields = {"cell": _json(cell), "protocol": _json(protocol), "initial_soc": initial_soc}
        try:
            return cls(**fields, measurements=measurements)
        except ValidationError as error:
            raise TasksError("the cell", problems_of(error, cls)) from None

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
        for place in sorted({place for place in places if place and places.count(place) > 1}):
            problems.append(Problem("cells", place, "is the place of two cells", "give each its own place"))
        if len(found) > 1 and None in places:
            number = places.index(None)
            problems.append(Problem(f"cells[{number}].place", "(absent)", "there are other cells", "say it"))
        if not tasks:
            problems.append(Problem("cells", "[]", "there is no cell", "name at least one"))
        if problems:
            raise TasksError("cells", problems)
        return found

    def checked_cell(self) -> Cell:
        """The cell, validated."""
        return Cell.from_dict(self.cell, source=f"cell of {self.label}")

    def checked_protocol(self) -> Protocol:
        """The protocol, validated, with the holds in it."""
        protocol = Protocol.from_dict(self.protocol, source=f"protocol of {self.label}")
        return protocol if self.hold is None else with_holds(protocol, self.hold)


def _json(model: Any) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True) if isinstance(model, BaseModel) else model


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

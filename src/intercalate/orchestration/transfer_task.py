"""What is asked of a transfer to another instrument: limits, and what is measured there."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from intercalate.contract import (
    ABSOLUTE_MAX_VOLTAGE_V,
    ABSOLUTE_MIN_VOLTAGE_V,
    CARRIED_TO,
    STATION_NAMES,
    VesselLocation,
)
from intercalate.orchestration.tasks import FramesTask
from intercalate.problems import ProblemsError, problems_of
from intercalate.strict_model import StrictModel

MAX_COUNT = 1000


class TransferTaskError(ProblemsError):
    """What was asked of a transfer was refused; `problems` lists everything wrong with it."""


class TransferMeasurement(FramesTask):
    """Frames of the cell on an instrument to which it is carried.

    Attributes
    ----------
    instrument
        One of those at that place; the one that the transfer names, if nobody says.
    count
        Of visits, each of which takes a frame of every region; spots are visited in turn.
    """

    instrument: Annotated[str, Field(min_length=1)]
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 1


Ppm = Annotated[float, Field(gt=0, le=1e6)]
Volt = Annotated[float, Field(ge=ABSOLUTE_MIN_VOLTAGE_V, le=ABSOLUTE_MAX_VOLTAGE_V)]


class TransferTask(StrictModel):
    """A transfer as the experimenter allows it; there is no default for what may harm the cell.

    Attributes
    ----------
    to
        Instrument to which the cell is carried.
    opened
        Electrode that shows after the cell was taken apart in the glovebox, rinsed and dried, before it is
        carried; for good. None carries it whole, which a vacuum bears of cells alone that are open as they
        are.
    max_o2_ppm, max_h2o_ppm
        Of the glovebox; above, nothing is loaded.
    max_minutes
        From sealing until the vessel must have arrived, by the cell's clock.
    max_pressure_rise_mbar
        In the vessel since it was sealed; above, it leaks, and the run says `contaminated`.
    voltage_V
        Lowest and highest voltage with which the cell may be carried.
    zero_current_mA
        Up to which a current counts as none.
    measurements
        By the name of their stream, taken one after the other.
    """

    to: str = STATION_NAMES[1]
    opened: Literal["positive", "negative"] | None = None
    max_o2_ppm: Ppm
    max_h2o_ppm: Ppm
    max_minutes: Annotated[float, Field(gt=0, le=100_000)]
    max_pressure_rise_mbar: Annotated[float, Field(gt=0, le=1100)]
    voltage_V: tuple[Volt, Volt]
    zero_current_mA: Annotated[float, Field(gt=0, le=1)] = 0.005
    measurements: Annotated[dict[str, TransferMeasurement], Field(min_length=1)]

    @field_validator("to")
    @classmethod
    def _carried_there(cls, to: str) -> str:
        if to not in CARRIED_TO:
            raise ValueError(f"cells are carried to {', '.join(CARRIED_TO)}")
        return to

    @field_validator("measurements", mode="before")
    @classmethod
    def _say_all(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict):
            return given
        usual = {"instrument": info.data.get("to", STATION_NAMES[1])}
        return {
            name: {"name": name, **usual, **one} if isinstance(one, dict) else one
            for name, one in given.items()
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.voltage_V
        if not low < high:
            raise ValueError(f"voltage_V is {low:g} to {high:g}; give the lower voltage first")
        for name, one in self.measurements.items():
            if one.name != name:
                raise ValueError(
                    f"measurements.{name} is called {one.name!r}; drop the name, the key says it"
                )
            if CARRIED_TO.get(one.instrument) != self.where:
                there = [other for other, where in CARRIED_TO.items() if where == self.where]
                raise ValueError(
                    f"measurements.{name} is made with {one.instrument!r}, and the cell is carried to "
                    f"{self.to}; there are {', '.join(there)}"
                )
        if self.opened is not None and self.where is not VesselLocation.VACUUM:
            raise ValueError(f"opened is {self.opened!r}; at {self.to} a cell is measured whole, drop it")
        return self

    @property
    def where(self) -> VesselLocation:
        """To which place the vessel goes."""
        return CARRIED_TO[self.to]

    @classmethod
    def of(cls, given: Self | dict[str, Any]) -> Self:
        """Validate one.

        Raises
        ------
        TransferTaskError
            Naming field and value of everything that is wrong.
        """
        if isinstance(given, cls):
            return given
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise TransferTaskError("the transfer", problems_of(error, cls)) from None

    def describe(self) -> str:
        """In words."""
        low, high = self.voltage_V
        what = "it" if self.opened is None else f"it is taken apart, and its {self.opened} electrode"
        lines = [
            f"Then {what} is carried to {self.to} within {self.max_minutes:g} min, if it has {low:g} to "
            f"{high:g} V and the glovebox at most {self.max_o2_ppm:g} ppm O2 and {self.max_h2o_ppm:g} ppm "
            "H2O."
        ]
        lines += [
            f"{one.name}: {one.count * max(1, len(one.regions))} frames of {one.exposure_s:g} s with "
            f"{one.instrument}"
            for one in self.measurements.values()
        ]
        return "\n".join(lines)

    def given(self) -> dict[str, Any]:
        """As JSON has it, for the start document of a run."""
        return self.model_dump(mode="json", exclude_none=True)

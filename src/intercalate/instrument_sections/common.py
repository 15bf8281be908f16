"""What every instrument has of a configuration, and the stages on which samples are."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from intercalate.strict_model import StrictModel

Prefix = Annotated[str, Field(pattern=":$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class Section(StrictModel):
    """A part of a configuration: nothing of it can be changed, and nothing else stands in it."""


class CountersSection(Section):
    """Monitors, and shares of the counts with all the beam there should be, below which there is less."""

    prefix: Prefix
    weak_below: Share
    none_below: Share

    @model_validator(mode="after")
    def _none_is_less(self) -> Self:
        if self.none_below >= self.weak_below:
            raise ValueError(f"none_below ({self.none_below:g}) must be less than weak_below")
        return self


class ParticleMonitorsSection(CountersSection):
    """Monitors of a steady source, and the particles at the sample for each count of I0."""

    particles_per_count: Positive


class CalibrationSection(Section):
    """Where calibrations are kept, and for how long they are trusted."""

    folder: Path
    max_age_h: Positive


class PrefixSection(Section):
    """A device that needs a prefix and nothing else."""

    prefix: Prefix


Content = Literal[
    "LaB6",
    "Si",
    "empty",
    "fluorescence",
    "power meter",
    "vessel",
    "diamond anvil cell",
    "Au",
    "Ag",
    "Cu",
    "Co",
    "grid",
    "Faraday cup",
    "gold",
    "deposit",
    "nanobattery",
    "liquid cell",
    "CoO",
    "Co3O4",
    "LiCoO2",
    "Li0.5CoO2",
    "Li2O",
    "Li2O2",
    "LiPON",
]
"""Of a place that is none for a cell."""


class ChangerPlace(Section):
    """One place of the sample changer.

    Attributes
    ----------
    channel
        Of the cycler, whose cables end there.
    content
        What is there where it is no place for a cell.
    """

    x_mm: float
    y_mm: float
    channel: str | None = None
    content: Content | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.channel is None) == (self.content is None):
            raise ValueError("give either channel, of the cell there, or content")
        return self


class ChangerSection(Section):
    """The sample changer: a stage, and what is where on it.

    Attributes
    ----------
    marks_mm, mark_diameter_um
        Discs that are engraved on each holder of a cell, from its middle; none where there are none.
    """

    prefix: Prefix
    speed_mm_per_s: Positive
    settling_s: Annotated[float, Field(ge=0)]
    marks_mm: tuple[tuple[float, float], ...] = ()
    mark_diameter_um: Positive = 80.0
    places: dict[str, ChangerPlace]

    @model_validator(mode="after")
    def _one_at_a_place(self) -> Self:
        at: dict[tuple[float, float], str] = {}
        for name, place in self.places.items():
            other = at.setdefault((place.x_mm, place.y_mm), name)
            if other != name:
                raise ValueError(
                    f"places {other!r} and {name!r} are both at x = {place.x_mm:g}, y = {place.y_mm:g} mm; "
                    "what stands in one would be taken for what is in the other: give each its own position"
                )
        return self

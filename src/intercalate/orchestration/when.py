"""When to measure: conditions on the records of a cycler, as validated models, JSON in and out.

`{"every": {"time_s": 600}}`, `{"at": {"voltage_V": [3.6, 3.9]}}`, `{"on": {"dqdv_peak": {"width_mV": 10}}}`,
and `{"any": [...]}` or `{"all": [...]}` of these, each with a `limit` and a `cooldown_s` if wanted.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from intercalate.contract import StepType
from intercalate.problems import Problem, ProblemsError, problems_of
from intercalate.protocol import BoundProgram
from intercalate.protocol.program import Run
from intercalate.strict_model import StrictModel

Positive = Annotated[float, Field(gt=0)]
Positions = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
Levels = Annotated[tuple[float, ...], Field(min_length=1, max_length=1000)]


class WhenError(ProblemsError):
    """A condition was refused; `problems` lists everything wrong with it."""


class _Model(StrictModel):
    def given(self) -> dict[str, Any]:
        """Fields that were given, as JSON has them."""
        return self.model_dump(mode="json", exclude_none=True)


class Every(_Model):
    """Due at the start, then whenever one of the given quantities has changed by its step.

    Attributes
    ----------
    time_s
        Cell time.
    voltage_V
        Change of the voltage in either direction since the last occasion.
    capacity_mAh
        Likewise of the charge passed, net.
    soc
        Likewise of the state of charge, 0 to 1.
    cycles
        Number of cycles.
    """

    time_s: Positive | None = None
    voltage_V: Annotated[float, Field(gt=0, le=5)] | None = None
    capacity_mAh: Positive | None = None
    soc: Annotated[float, Field(gt=0, le=1)] | None = None
    cycles: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if not self.given():
            raise ValueError(f"give at least one of {', '.join(type(self).model_fields)}")
        return self

    def describe(self) -> str:
        """As a person would say it."""
        words = {
            "time_s": "{:g} s",
            "voltage_V": "{:g} V",
            "capacity_mAh": "{:g} mAh",
            "soc": "{:g} of state of charge",
            "cycles": "{:g} cycles",
        }
        return "every " + " or ".join(words[name].format(value) for name, value in self.given().items())


class At(_Model):
    """Due where a level is passed, a step begins or ends, a marker is passed, or the cell is held.

    Attributes
    ----------
    voltage_V, soc, capacity_mAh
        Levels; the charge passed is net, from the start of the program, + is charge.
    direction
        `up` or `down` where only one way of passing counts.
    step, step_end
        Positions of steps in the protocol, from 1, due at the first record of each; at the end of one, at the
        first record of what follows.
    marker
        Names, due at the first record after the marker.
    hold
        True: due whenever the cell begins to be held for a measurement (`wait_for_release`).
    """

    voltage_V: Levels | None = None
    soc: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1)] | None = None
    capacity_mAh: Levels | None = None
    step: Positions | None = None
    step_end: Positions | None = None
    marker: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = None
    hold: Literal[True] | None = None
    direction: Literal["up", "down"] | None = None

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        given = set(self.given()) - {"direction"}
        if not given:
            names = ", ".join(name for name in type(self).model_fields if name != "direction")
            raise ValueError(f"give at least one of {names}")
        if self.direction and not given & {"voltage_V", "soc", "capacity_mAh"}:
            raise ValueError("only a level has a direction; leave it out, or add a level")
        return self

    def describe(self) -> str:
        """As a person would say it."""
        way = f" going {self.direction}" if self.direction else ""
        words = {
            "voltage_V": "{} V",
            "soc": "state of charge {}",
            "capacity_mAh": "{} mAh",
            "step": "step {}",
            "step_end": "the end of step {}",
            "marker": "marker {}",
        }
        parts = [
            words[name].format(", ".join(one if isinstance(one, str) else f"{one:g}" for one in values))
            for name, values in self.given().items()
            if name in words
        ]
        if self.hold:
            parts.append("each hold")
        return "at " + " or ".join(parts) + way


class Plateau(_Model):
    """The voltage has become flat while current flows.

    Attributes
    ----------
    below_mV_per_h
        Magnitude of the slope, over `window_s`.
    window_s
        Cell time over which the slope is taken; entered once it is flat that long.
    """

    below_mV_per_h: Positive
    window_s: Positive = 600.0


class Peak(_Model):
    """The differential capacity dQ/dV has passed a maximum.

    Attributes
    ----------
    width_mV
        Of the steps of voltage over which dQ/dV is taken.
    prominence
        Share of the maximum by which dQ/dV must have risen before and fallen after it.
    """

    width_mV: Positive = 10.0
    prominence: Annotated[float, Field(gt=0, lt=1)] = 0.2


class On(_Model):
    """Due when the course of the cell shows something.

    Attributes
    ----------
    plateau, dqdv_peak
        Exactly one of these, or `function`.
    function
        Name of a function that a loaded plan file has registered with `condition`.
    """

    plateau: Plateau | None = None
    dqdv_peak: Peak | None = None
    function: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if len(self.given()) != 1:
            raise ValueError("give exactly one of plateau, dqdv_peak, function")
        return self

    def describe(self) -> str:
        """As a person would say it."""
        if self.plateau is not None:
            return f"on a plateau flatter than {self.plateau.below_mV_per_h:g} mV/h"
        if self.dqdv_peak is not None:
            return f"on a peak of dQ/dV in steps of {self.dqdv_peak.width_mV:g} mV"
        return f"on {self.function}"


class When(_Model):
    """A condition: one of `every`, `at`, `on`, `any`, `all`.

    Attributes
    ----------
    any
        Due when one of these is.
    all
        Due when each of these has been since it was due last.
    limit
        Number of occasions at most.
    cooldown_s
        Cell time after an occasion in which there is no other.
    """

    every: Every | None = None
    at: At | None = None
    on: On | None = None
    any: Annotated[tuple["When", ...], Field(min_length=1)] | None = None
    all: Annotated[tuple["When", ...], Field(min_length=1)] | None = None
    limit: Annotated[int, Field(gt=0)] | None = None
    cooldown_s: Positive | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if len(set(self.given()) - {"limit", "cooldown_s"}) != 1:
            raise ValueError("give exactly one of every, at, on, any, all")
        return self

    @classmethod
    def of(cls, value: "When | dict[str, Any]", *, source: str = "when") -> Self:
        """Validate a condition.

        Raises
        ------
        WhenError
            Naming field, value and remedy of everything that is wrong.
        """
        if isinstance(value, cls):
            return value
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise WhenError(source, problems_of(error, cls)) from None

    @property
    def parts(self) -> tuple["When", ...]:
        """What it is composed of."""
        return self.any or self.all or ()

    @property
    def period_s(self) -> float | None:
        """Cell time between occasions, where that can be foreseen."""
        if self.every is None or set(self.given()) != {"every"} or set(self.every.given()) != {"time_s"}:
            return None
        return self.every.time_s

    def describe(self) -> str:
        """As a person would say it."""
        if self.parts:
            joined = (" or " if self.any else " and ").join(
                f"({one.describe()})" if one.parts else one.describe() for one in self.parts
            )
        else:
            one = self.every or self.at or self.on
            assert one is not None
            joined = one.describe()
        if self.cooldown_s is not None:
            joined += f", {self.cooldown_s:g} s apart at least"
        if self.limit is not None:
            joined += f", {self.limit} times at most"
        return joined

    def leaves(self, path: str = "") -> Iterator[tuple[str, "When"]]:
        """Every condition in it that is composed of no others, with its path."""
        if not self.parts:
            yield path, self
        kind = "any" if self.any else "all"
        for number, one in enumerate(self.parts):
            yield from one.leaves(f"{path}{'.' if path else ''}{kind}[{number}]")

    def problems_with(self, program: BoundProgram) -> list[Problem]:
        """Why some of it can never be due while a program runs."""
        found = []
        for path, one in self.leaves():
            if one.at is None:
                continue
            where = f"{path}.at" if path else "at"
            found += [*_unreachable(one.at, program, where), *_not_in_it(one.at, program, where)]
        return found


def _not_in_it(at: At, program: BoundProgram, where: str) -> list[Problem]:
    """Steps, markers and holds that a program has not."""
    steps = program.step_ids
    range_steps = f"the protocol has the steps {steps[0]} to {steps[-1]}"
    found = [
        Problem(f"{where}.{name}", step, range_steps, "name one of them")
        for name, wanted in (("step", at.step), ("step_end", at.step_end))
        for step in wanted or ()
        if step not in steps
    ]
    parts = [part for block in program.blocks if isinstance(block, Run) for part in block.parts]
    markers = [part.marker for part in parts if part.marker is not None]
    found += [
        Problem(f"{where}.marker", name, f"the protocol has {', '.join(markers) or 'no marker'}", "name one")
        for name in at.marker or ()
        if name not in markers
    ]
    if at.hold and all(part.step_type is not StepType.WAIT_FOR_RELEASE for part in parts):
        found.append(
            Problem(f"{where}.hold", True, "nothing holds the cell", "say where to hold it, or mend the time")
        )
    return found


def _unreachable(at: At, program: BoundProgram, where: str) -> list[Problem]:
    low_v, high_v = program.limits.min_voltage_v, program.limits.max_voltage_v
    range_v = f"the program stays within {low_v:g} to {high_v:g} V"
    found = [
        Problem(f"{where}.voltage_V", level, range_v, "mend the level")
        for level in at.voltage_V or ()
        if not low_v <= level <= high_v
    ]
    if at.soc is not None and program.initial_soc is None:
        found.append(
            Problem(
                f"{where}.soc", at.soc[0], "nobody said the state of charge at the start", "give initial_soc"
            )
        )
    return found


When.model_rebuild()

"""A bound program: what a cycler executes, in SI units, with loops unexpanded."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from intercalate.contract import Capability, ControlMode, EndReason, StepType
from intercalate.problems import Problem, problems_of, read_mapping
from intercalate.protocol.position import Beginning, ProgramPosition
from intercalate.protocol.segment import Segment
from intercalate.protocol.site import SiteLimits
from intercalate.protocol.steps import ProtocolError
from intercalate.strict_model import StrictModel

REBIND = "bind the protocol again"
ROUNDING = 1e-9
"""Relative; an agreement within it is an agreement."""


class Limits(StrictModel):
    """Between which the interlocks let the cell live; a violation may last `delay_s`.

    The cell's own window is narrower and no interlock limit: a fresh cell lies outside it, and so
    does a held voltage at its edge every other reading. No set point or cut-off lies outside it.
    """

    min_voltage_v: float
    max_voltage_v: float
    min_current_a: Annotated[float, Field(le=0)]
    max_current_a: Annotated[float, Field(ge=0)]
    min_temperature_c: float
    max_temperature_c: float
    max_capacity_ah: Annotated[float, Field(gt=0)] | None = None
    delay_s: Annotated[float, Field(ge=0)]
    cell_min_voltage_v: float | None = None
    cell_max_voltage_v: float | None = None

    @property
    def lowest_setpoint_v(self) -> float:
        """Lowest voltage a program may ask for."""
        return max(v for v in (self.min_voltage_v, self.cell_min_voltage_v) if v is not None)

    @property
    def highest_setpoint_v(self) -> float:
        """Highest voltage a program may ask for."""
        return min(v for v in (self.max_voltage_v, self.cell_max_voltage_v) if v is not None)


class Run(StrictModel):
    """A step: its segments, `repeat` times, then the segments of `last`."""

    kind: Literal["run"] = "run"
    parts: Annotated[tuple[Segment, ...], Field(min_length=1)]
    repeat: Annotated[int, Field(ge=0)] = 1
    last: tuple[Segment, ...] = ()

    @property
    def count(self) -> int:
        """Number of segments."""
        return len(self.parts) * self.repeat + len(self.last)

    @property
    def worst_case_s(self) -> float:
        """Longest duration of the step."""
        once = math.fsum(part.worst_case_s for part in self.parts)
        return once * self.repeat + math.fsum(part.worst_case_s for part in self.last)

    def part(self, index: int) -> Segment:
        """Segment number `index`, from 0."""
        repeated = len(self.parts) * self.repeat
        return self.parts[index % len(self.parts)] if index < repeated else self.last[index - repeated]


class Back(StrictModel):
    """Go back to block `to` until `passes` passes are made in all."""

    kind: Literal["back"] = "back"
    to: Annotated[int, Field(ge=0)]
    passes: Annotated[int, Field(ge=1)]


Block = Annotated[Run | Back, Field(discriminator="kind")]


class BoundProgram(StrictModel):
    """A protocol bound to a cell and a site: feasible, in SI units, compact.

    Attributes
    ----------
    protocol_sha256
        Of the protocol it was made from.
    capacity_ah
        To which C-rates referred, None where nobody said.
    initial_soc
        State of charge at the start, None where nobody said.
    limits
        For the interlocks.
    blocks
        Steps and loops.
    begin
        Where it begins, if it goes on with one that was interrupted; None at the first step.
    """

    protocol_sha256: str
    capacity_ah: Annotated[float, Field(gt=0)] | None = None
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None
    limits: Limits
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)]
    begin: Beginning | None = None

    @model_validator(mode="after")
    def _check_blocks(self) -> Self:
        low, high = self.limits.lowest_setpoint_v, self.limits.highest_setpoint_v
        if low >= high:
            problem = Problem(
                "limits", low, f"the lowest voltage must be below the highest, {high:g}", REBIND
            )
            raise ProtocolError("program", [problem])
        bodies: list[tuple[int, int]] = []
        for index, block in enumerate(self.blocks):
            if isinstance(block, Back):
                crossed = any(start < block.to <= end for start, end in bodies)
                if crossed or not any(isinstance(one, Run) for one in self.blocks[block.to : index]):
                    problem = Problem(f"blocks[{index}].to", block.to, "no loop body", REBIND)
                    raise ProtocolError("program", [problem])
                bodies.append((block.to, index))
        if self.begin is not None:
            try:
                stands = ProgramCursor(self).current is not None
            except ValueError:
                stands = False
            if not stands:
                limit = "there is no such segment; it belongs to another program"
                problem = Problem("begin.position", str(self.begin.position), limit, REBIND)
                raise ProtocolError("program", [problem])
        return self

    def rest(self, begin: Beginning) -> Self:
        """What is left of it after an interruption, as a program of its own.

        Raises
        ------
        ProtocolError
            If that is no position in this program.
        """
        try:
            return self.model_validate({**dict(self), "begin": begin})
        except ValidationError as error:
            raise ProtocolError("program", problems_of(error, type(self))) from None

    @property
    def step_ids(self) -> tuple[int, ...]:
        """Positions in the protocol of the steps that have segments, from 1."""
        runs = [block for block in self.blocks if isinstance(block, Run)]
        return tuple(sorted({part.step_id for run in runs for part in (*run.parts, *run.last)}))

    @classmethod
    def from_json(cls, text: str, *, source: str = "program") -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ProtocolError
            If it is no program.
        """
        try:
            return cls.model_validate(read_mapping(text, "json"))
        except ValidationError as error:
            raise ProtocolError(source, problems_of(error, cls)) from None
        except ValueError as error:
            raise ProtocolError(source, [Problem("", "(the text)", str(error), REBIND)]) from None

    def to_json(self) -> str:
        """Canonical JSON, defaults left out."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        for text, block in zip(content["blocks"], self.blocks, strict=True):
            text["kind"] = block.kind
        _sort_sets(content["blocks"])
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What its channel must be able to do beyond the common."""
        runs = [block for block in self.blocks if isinstance(block, Run)]
        needed = {part.capability for run in runs for part in (*run.parts, *run.last)}
        return frozenset(one for one in needed if one is not None)

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def worst_case_s(self) -> float:
        """Longest duration of the whole program; infinite where it is beyond reckoning."""
        runs = zip(self.blocks, self._passes())
        return sum(
            block.worst_case_s * float(min(passes, 10**300))
            for block, passes in runs
            if isinstance(block, Run)
        )

    @property
    def segment_count(self) -> int:
        """Most segments it may take: all of them."""
        return sum(
            block.count * passes
            for block, passes in zip(self.blocks, self._passes())
            if isinstance(block, Run)
        )

    def segments(self, start: int = 0) -> Iterator[Segment]:
        """All segments in order, lazily, from number `start` (from 0), none of them skipped."""
        cursor = ProgramCursor(self)
        return islice(iter(cursor.next, None), start, None)

    def problems_at(self, site: SiteLimits) -> list[Problem]:
        """What a site's limits forbid in this program, which may have come over a wire.

        `bind` leaves none for the site it was given; a server asks again with its own limits.
        """
        limits, problems = self.limits, []
        wider = (
            ("min_voltage_v", limits.min_voltage_v < site.min_voltage_V, site.min_voltage_V),
            ("max_voltage_v", limits.max_voltage_v > site.max_voltage_V, site.max_voltage_V),
            (
                "min_current_a",
                limits.min_current_a < -site.max_current_mA / 1000,
                -site.max_current_mA / 1000,
            ),
            ("max_current_a", limits.max_current_a > site.max_current_mA / 1000, site.max_current_mA / 1000),
            ("min_temperature_c", limits.min_temperature_c < site.min_temperature_C, site.min_temperature_C),
            ("max_temperature_c", limits.max_temperature_c > site.max_temperature_C, site.max_temperature_C),
            ("delay_s", limits.delay_s > site.interlock_delay_s, site.interlock_delay_s),
        )
        for name, is_wider, bound in wider:
            if is_wider:
                text = f"the site's limit is {bound:g}"
                problems.append(Problem(f"limits.{name}", getattr(limits, name), text, REBIND))
        if site.max_capacity_mAh is not None:
            most_ah = site.max_capacity_mAh / 1000
            if limits.max_capacity_ah is None or limits.max_capacity_ah > most_ah:
                text = f"the site's limit is {most_ah:g}"
                problems.append(Problem("limits.max_capacity_ah", limits.max_capacity_ah, text, REBIND))
        if self.worst_case_s > site.max_duration_s:
            value = f"{self.worst_case_s / 3600:.6g} h in the worst case"
            text = f"the site allows {site.max_duration_s / 3600:.6g} h"
            problems.append(Problem("method", value, text, "shorten until_time_s or repeat less often"))
        for block in self.blocks:
            for part in (*block.parts, *block.last) if isinstance(block, Run) else ():
                problems += _segment_problems(part, limits)
        return problems

    def passes_of_steps(self) -> dict[int, int]:
        """How often each step is passed, by its position in the protocol, from 1."""
        return {
            part.step_id: passes
            for block, passes in zip(self.blocks, self._passes())
            if isinstance(block, Run)
            for part in (*block.parts, *block.last)
        }

    def _passes(self) -> list[int]:
        """How often each block is passed."""
        passes = [1] * len(self.blocks)
        for index, block in enumerate(self.blocks):
            if isinstance(block, Back):
                for inner in range(block.to, index):
                    passes[inner] *= block.passes
        return passes


def _segment_problems(segment: Segment, limits: Limits) -> list[Problem]:
    """What is outside the program's own limits in one segment."""
    where = f"method[{segment.step_id - 1}]"
    if segment.step_type is StepType.MARKER:
        return []
    problems: list[Problem] = []
    low, high = {
        ControlMode.REST: (0.0, 0.0),
        ControlMode.CURRENT: (limits.min_current_a, limits.max_current_a),
        ControlMode.VOLTAGE: (limits.lowest_setpoint_v, limits.highest_setpoint_v),
        ControlMode.POWER: (-math.inf, math.inf),
    }[segment.mode]
    slack = ROUNDING * max(abs(low), abs(high)) if math.isfinite(low) else 0.0
    for setpoint in (segment.setpoint, segment.end_setpoint):
        if setpoint is not None and not low - slack <= setpoint <= high + slack:
            problems.append(Problem(where, setpoint, f"setpoint beyond {low:g} to {high:g}", REBIND))
    if (segment.end_setpoint is None) != (segment.ramp_per_s is None):
        problems.append(Problem(where, segment.ramp_per_s, "a ramp needs its end and its rate", REBIND))
    problems += _spectrum_problems(segment, limits, where)
    if segment.worst_case_s <= 0 or segment.record is None:
        problems.append(Problem(where, segment.worst_case_s, "no worst-case duration or no record", REBIND))
    return problems


def _spectrum_problems(segment: Segment, limits: Limits, where: str) -> list[Problem]:
    spectrum = segment.spectrum
    if spectrum is None:
        return []
    problems: list[Problem] = []
    if segment.mode is not ControlMode.REST:
        problems.append(Problem(where, segment.mode, "a spectrum is measured at rest", REBIND))
    if (spectrum.amplitude_v is None) == (spectrum.amplitude_a is None):
        problems.append(Problem(where, spectrum.amplitude_v, "a spectrum has one amplitude", REBIND))
    most_a = min(limits.max_current_a, -limits.min_current_a)
    if spectrum.amplitude_a is not None and spectrum.amplitude_a > most_a * (1 + ROUNDING):
        problems.append(Problem(where, spectrum.amplitude_a, f"amplitude beyond {most_a:g} A", REBIND))
    return problems


def _sort_sets(blocks: list[dict[str, Any]]) -> None:
    for block in blocks:
        for part in [*block.get("parts", ()), *block.get("last", ())]:
            if "group_end_on" in part:
                part["group_end_on"] = sorted(part["group_end_on"])


class ProgramCursor:
    """Walks a program one segment at a time, knowing how each of them ended.

    A pure state machine: no clock, no cell.

    Parameters
    ----------
    program
        To be walked.
    position
        Where another cursor of the same program stood. Without it, the first step is that with which the
        program begins.
    """

    def __init__(self, program: BoundProgram, position: ProgramPosition | None = None) -> None:
        self._goes_on = position is None and program.begin is not None
        if position is None:
            position = program.begin.position if program.begin is not None else ProgramPosition()
        self._blocks = program.blocks
        self._block, self._part = position.block, position.part
        self._passes = dict(position.passes)
        self._cycle, self._segments = position.cycle, position.segments
        backs = [(block.to, index) for index, block in enumerate(program.blocks) if isinstance(block, Back)]
        self._outermost = {
            index for start, index in backs if not any(to <= start and index < end for to, end in backs)
        }
        self._check(position)

    @property
    def position(self) -> ProgramPosition:
        """Where it stands."""
        return ProgramPosition(
            block=self._block,
            part=self._part,
            passes=tuple(sorted(self._passes.items())),
            cycle=self._cycle,
            segments=self._segments,
        )

    @property
    def finished(self) -> bool:
        """Whether the program is at its end."""
        return self._block == len(self._blocks)

    @property
    def current(self) -> Segment | None:
        """The segment begun last, None before the first and after the last."""
        block = None if self.finished or not self._segments else self._blocks[self._block]
        if not isinstance(block, Run):
            return None
        segment = block.part(self._part)
        return segment if self._cycle == 1 else replace(segment, cycle=self._cycle)

    def next(self, ended_by: EndReason = EndReason.NONE) -> Segment | None:
        """Go on to the next segment.

        Parameters
        ----------
        ended_by
            What ended the current segment.

        Returns
        -------
        Segment or None
            None at the end of the program.
        """
        if self.finished:
            return None
        current = self.current
        if self._goes_on:
            self._goes_on = False
            return current
        if current is not None:
            if ended_by in current.group_end_on:
                self._block, self._part = self._block + 1, 0
            else:
                self._part += 1
        while not self.finished:
            block = self._blocks[self._block]
            if isinstance(block, Back):
                self._go_back(block)
            elif self._part < block.count:
                self._segments += 1
                return self.current
            else:
                self._block, self._part = self._block + 1, 0
        return None

    def _go_back(self, loop: Back) -> None:
        made = self._passes.pop(self._block, 0) + 1
        if self._block in self._outermost:
            self._cycle += 1
        if made < loop.passes:
            self._passes[self._block] = made
            self._block = loop.to
        else:
            self._block += 1

    def _check(self, position: ProgramPosition) -> None:
        inside = self._block <= len(self._blocks)
        if inside and not self.finished:
            block = self._blocks[self._block]
            inside = isinstance(block, Run) and self._part < block.count if self._segments else True
        for index, made in position.passes:
            loop = self._blocks[index] if 0 <= index < len(self._blocks) else None
            inside = inside and isinstance(loop, Back) and 0 < made < loop.passes
        if not inside:
            raise ValueError(f"position {position!r} is not in this program; it belongs to another one")

"""A bound program: what a cycler executes, in SI units, with loops unexpanded."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from intercalate.contract import ControlMode, EndReason, StepType
from intercalate.problems import Problem, problems_of, read_mapping
from intercalate.protocol.steps import ProtocolError

Finite = Annotated[float, Field(allow_inf_nan=False)]
PositiveFinite = Annotated[Finite, Field(gt=0)]


class Quantity(StrEnum):
    """What a cut-off compares, all but voltage and state of charge as magnitudes."""

    TIME_S = "time_s"
    """Since the start of the segment."""
    VOLTAGE_V = "voltage_v"
    CURRENT_A = "current_a"
    CAPACITY_AH = "capacity_ah"
    """Net charge since the start of the segment."""
    SOC = "soc"
    VOLTAGE_SLOPE_V_PER_S = "voltage_slope_v_per_s"


@dataclass(frozen=True, slots=True)
class SegmentProgress:
    """Where a segment stands at one sample; NaN is an unknown, which meets no cut-off."""

    elapsed_s: float
    voltage_v: float = math.nan
    current_a: float = math.nan
    capacity_ah: float = math.nan
    soc: float = math.nan
    voltage_slope_v_per_s: float = math.nan

    def value(self, quantity: Quantity) -> float:
        """Figure that a cut-off on `quantity` compares."""
        match quantity:
            case Quantity.TIME_S:
                return self.elapsed_s
            case Quantity.VOLTAGE_V:
                return self.voltage_v
            case Quantity.CURRENT_A:
                return abs(self.current_a)
            case Quantity.CAPACITY_AH:
                return abs(self.capacity_ah)
            case Quantity.SOC:
                return self.soc
            case Quantity.VOLTAGE_SLOPE_V_PER_S:
                return abs(self.voltage_slope_v_per_s)


@dataclass(frozen=True, slots=True)
class CutOff:
    """A condition that ends a segment, and the reason then recorded."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    quantity: Quantity
    comparison: Literal[">=", "<="]
    value: Finite
    reason: EndReason

    def met(self, progress: SegmentProgress) -> bool:
        """Whether the condition holds; an unknown (NaN) never does."""
        figure = progress.value(self.quantity)
        return figure >= self.value if self.comparison == ">=" else figure <= self.value


@dataclass(frozen=True, slots=True)
class RecordCriteria:
    """When a record is taken: after `time_s`, or at such a change of voltage or current."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    time_s: PositiveFinite
    voltage_v: PositiveFinite | None = None
    current_a: PositiveFinite | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One thing a channel does without a decision in between.

    Attributes
    ----------
    step_id
        Position of its step in the protocol's method, from 1.
    step_type, mode
        What is recorded, and what the channel holds constant.
    setpoint
        A, V or W by `mode`, + charges; 0 at rest.
    cutoffs
        The first one met ends the segment; time comes last.
    record
        When records are taken; None in a marker.
    worst_case_s
        Longest duration: the time cut-off, or derived from capacity and current.
    marker
        Name, in a marker.
    group_end_on
        Reasons that end the whole step, so that its remaining segments are skipped.
    cycle
        1 + passes of outermost loops completed before.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    step_id: Annotated[int, Field(ge=1)]
    step_type: StepType
    mode: ControlMode = ControlMode.REST
    setpoint: Finite = 0.0
    cutoffs: tuple[CutOff, ...] = ()
    record: RecordCriteria | None = None
    worst_case_s: Annotated[Finite, Field(ge=0)] = 0.0
    marker: str | None = None
    group_end_on: frozenset[EndReason] = frozenset()
    cycle: Annotated[int, Field(ge=1)] = 1

    def ended_by(self, progress: SegmentProgress) -> CutOff | None:
        """First cut-off met, None while the segment goes on."""
        for cutoff in self.cutoffs:
            if cutoff.met(progress):
                return cutoff
        return None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limits(_Frozen):
    """Between which the interlocks let the cell live; a violation may last `delay_s`."""

    min_voltage_v: float
    max_voltage_v: float
    min_current_a: Annotated[float, Field(le=0)]
    max_current_a: Annotated[float, Field(ge=0)]
    min_temperature_c: float
    max_temperature_c: float
    max_capacity_ah: Annotated[float, Field(gt=0)] | None = None
    delay_s: Annotated[float, Field(ge=0)]


class Run(_Frozen):
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


class Back(_Frozen):
    """Go back to block `to` until `passes` passes are made in all."""

    kind: Literal["back"] = "back"
    to: Annotated[int, Field(ge=0)]
    passes: Annotated[int, Field(ge=1)]


Block = Annotated[Run | Back, Field(discriminator="kind")]


class BoundProgram(_Frozen):
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
    """

    protocol_sha256: str
    capacity_ah: Annotated[float, Field(gt=0)] | None = None
    initial_soc: Annotated[float, Field(ge=0, le=1)] | None = None
    limits: Limits
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_loops(self) -> Self:
        bodies: list[tuple[int, int]] = []
        for index, block in enumerate(self.blocks):
            if isinstance(block, Back):
                crossed = any(start < block.to <= end for start, end in bodies)
                if crossed or not any(isinstance(one, Run) for one in self.blocks[block.to : index]):
                    problem = Problem(
                        f"blocks[{index}].to", block.to, "no loop body", "bind the protocol again"
                    )
                    raise ProtocolError("program", [problem])
                bodies.append((block.to, index))
        return self

    @classmethod
    def from_json(cls, text: str, *, source: str = "program") -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ProtocolError
            If it is no program.
        """
        try:
            return cls.model_validate_json(json.dumps(read_mapping(text, "json")))
        except ValidationError as error:
            raise ProtocolError(source, problems_of(error, cls)) from None
        except ValueError as error:
            problem = Problem("", "(the text)", str(error), "bind the protocol again")
            raise ProtocolError(source, [problem]) from None

    def to_json(self) -> str:
        """Canonical JSON, defaults left out."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        for text, block in zip(content["blocks"], self.blocks, strict=True):
            text["kind"] = block.kind
        _sort_sets(content["blocks"])
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def worst_case_s(self) -> float:
        """Longest duration of the whole program."""
        runs = zip(self.blocks, self._passes())
        return math.fsum(block.worst_case_s * passes for block, passes in runs if isinstance(block, Run))

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

    def _passes(self) -> list[int]:
        """How often each block is passed."""
        passes = [1] * len(self.blocks)
        for index, block in enumerate(self.blocks):
            if isinstance(block, Back):
                for inner in range(block.to, index):
                    passes[inner] *= block.passes
        return passes


def _sort_sets(blocks: list[dict[str, Any]]) -> None:
    for block in blocks:
        for part in [*block.get("parts", ()), *block.get("last", ())]:
            if "group_end_on" in part:
                part["group_end_on"] = sorted(part["group_end_on"])


class ProgramPosition(_Frozen):
    """Where a cursor stands; JSON-able.

    Attributes
    ----------
    block, part
        Current segment.
    passes
        Passes completed of each loop being run: (block of the loop, passes).
    cycle
        1 + passes of outermost loops completed.
    segments
        Segments begun so far; 0 before the first.
    """

    block: Annotated[int, Field(ge=0)] = 0
    part: Annotated[int, Field(ge=0)] = 0
    passes: tuple[tuple[int, int], ...] = ()
    cycle: Annotated[int, Field(ge=1)] = 1
    segments: Annotated[int, Field(ge=0)] = 0


class ProgramCursor:
    """Walks a program one segment at a time, knowing how each of them ended.

    A pure state machine: no clock, no cell.

    Parameters
    ----------
    program
        To be walked.
    position
        Where another cursor of the same program stood.
    """

    def __init__(self, program: BoundProgram, position: ProgramPosition | None = None) -> None:
        position = position or ProgramPosition()
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

"""The protocol: what is to be done to a cell, in which order, within which limits."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AliasChoices, Field, ValidationError, model_validator

from intercalate.problems import Problem, problems_of, read_file, read_mapping
from intercalate.protocol.description import describe
from intercalate.protocol.steps import (
    AnyStep,
    Loop,
    Model,
    ProtocolError,
    Record,
    Safety,
    Sample,
    Tag,
    Unicycler,
)
from intercalate.protocol.structure import Outline, structure_problems


class Protocol(Model):
    """Steps to be done to a cell; its shape is checked when it is built.

    A superset of the aurora-unicycler JSON. Whether a given cell at a given site can do it is
    checked by `bind`. Built in Python with wrong values it raises `pydantic.ValidationError`, of
    which the loading functions make a `ProtocolError`; both are ValueErrors.

    Attributes
    ----------
    record
        When records are taken (`measurement` is accepted as an older name).
    safety
        Limits of the protocol's own.
    method
        Steps, in order. Positions count from 1 and include tags and loops.
    """

    unicycler: Unicycler = Field(default_factory=Unicycler)
    sample: Sample = Field(default_factory=Sample)
    record: Record = Field(validation_alias=AliasChoices("record", "measurement"))
    safety: Safety = Field(default_factory=Safety)
    method: Annotated[Sequence[AnyStep], Field(min_length=1), AfterValidator(tuple)]

    @model_validator(mode="after")
    def _check_structure(self) -> Self:
        problems = structure_problems([_outline(step) for step in self.method])
        if problems:
            raise ProtocolError("protocol", problems)
        return self

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Load a `.json` or `.toml` file.

        Raises
        ------
        ProtocolError
            If it is no protocol; lists everything wrong with it.
        OSError
            If the file cannot be read.
        """
        path = Path(path)
        try:
            content = read_file(path)
        except ValueError as error:
            raise _unreadable(path.name, error) from None
        return cls.from_dict(content, source=path.name)

    @classmethod
    def from_json(cls, text: str, *, source: str = "protocol") -> Self:
        """Load from JSON text; `source` names it in errors.

        Raises
        ------
        ProtocolError
            If it is no protocol; lists everything wrong with it.
        """
        try:
            content = read_mapping(text, "json")
        except ValueError as error:
            raise _unreadable(source, error) from None
        return cls.from_dict(content, source=source)

    @classmethod
    def from_dict(cls, content: Any, *, source: str = "protocol") -> Self:
        """Build from the content of a file; `source` names it in errors.

        Raises
        ------
        ProtocolError
            If it is no protocol; lists everything wrong with it.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            problems = problems_of(error, cls)
            # A step in error keeps pydantic from reaching the check of the loops.
            known = {problem.where for problem in problems}
            problems += [one for one in structure_problems(_raw_outlines(content)) if one.where not in known]
            raise ProtocolError(source, problems) from None

    def to_json(self, *, indent: int | None = None) -> str:
        """Canonical JSON: defaults spelled out, absent values left out, keys sorted."""
        content = self.model_dump(mode="json", exclude_none=True)
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(content, sort_keys=True, separators=separators, indent=indent, allow_nan=False)

    @property
    def sha256(self) -> str:
        """Hash of the content, without the version of aurora-unicycler that wrote it."""
        content = self.model_dump(mode="json", exclude_none=True, exclude={"unicycler"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def describe(self) -> str:
        """Say the method as a person would, one numbered line per step."""
        return describe(self.method)


def _outline(step: AnyStep) -> Outline:
    if isinstance(step, Tag):
        return Outline("tag", tag=step.tag)
    if isinstance(step, Loop):
        return Outline("loop", loop_to=step.loop_to)
    return Outline(step.step)


def _raw_outlines(content: Any) -> list[Outline]:
    """Outlines of a method that may be wrong in any way; stops where positions lose their meaning."""
    method = content.get("method") if isinstance(content, dict) else None
    outlines: list[Outline] = []
    for step in _plain_steps(method if isinstance(method, list | tuple) else []):
        tag, loop_to = step.get("tag", ""), step.get("loop_to", step.get("start_step", 1))
        if not isinstance(tag, str) or isinstance(loop_to, bool) or not isinstance(loop_to, int | str):
            break
        outlines.append(Outline(str(step.get("step")), tag, loop_to))
    return outlines


def _plain_steps(method: Iterable[Any]) -> Iterable[dict[str, Any]]:
    for step in method:
        if isinstance(step, Model):
            yield step.model_dump()
        elif isinstance(step, dict):
            yield step
        else:
            return


def _unreadable(source: str, error: ValueError) -> ProtocolError:
    return ProtocolError(source, [Problem("", "(the file)", str(error), "correct the file")])

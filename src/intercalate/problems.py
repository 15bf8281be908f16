"""What is wrong with an input, all of it at once: where, the value, the limit and the remedy."""

import difflib
import json
import reprlib
import tomllib
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input.

    Attributes
    ----------
    where
        Path of the field, such as `method[3].loop_to`; empty for the whole input.
    value
        What stands there.
    limit
        What may stand there.
    fix
        What to do about it.
    line
        Of a file, from 1; None where that is not known.
    """

    where: str
    value: Any
    limit: str
    fix: str
    line: int | None = None

    def __str__(self) -> str:
        value = self.value if self.value == ABSENT else reprlib.repr(self.value)
        at = "" if self.line is None else f"line {self.line}: "
        return f"{at}{self.where or 'input'} = {value}: {self.limit}; {self.fix}"

    def under(self, prefix: str) -> "Problem":
        """Same problem, seen from the model that holds this one."""
        if not prefix:
            return self
        joint = "" if not self.where or self.where.startswith("[") else "."
        return replace(self, where=f"{prefix}{joint}{self.where}")


class ProblemsError(ValueError):
    """An input was refused.

    Attributes
    ----------
    source
        Name of the file or object.
    problems
        Everything found wrong.
    """

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in self.problems)]))


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Advice naming the closest known word, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(str(word), known, n=1)
    return f"did you mean {close[0]}?" if close else f"use one of {', '.join(known)}"


def read_mapping(text: str, kind: str) -> Any:
    """Parse JSON (`kind` "json") or TOML ("toml"); a key given twice is refused in both.

    Raises
    ------
    ValueError
        If the text is not well-formed.
    """
    if kind == "toml":
        return tomllib.loads(text)
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_file(path: str | Path) -> Any:
    """Parse a `.json` or `.toml` file.

    Raises
    ------
    OSError
        If the file cannot be read; where there is none, with the closest name beside it.
    ValueError
        If it has another suffix or is not well-formed.
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("json", "toml"):
        raise ValueError(f"file name ends in {path.suffix!r}, .json or .toml is read")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        there = sorted(one.name for one in path.parent.glob(f"*.{kind}"))
        advice = did_you_mean(path.name, there) if there else f"no .{kind} file is in that folder"
        raise FileNotFoundError(f"there is no such file as {path}; {advice}") from None
    return read_mapping(text, kind)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"key given twice: {', '.join(twice)}")
    return mapping


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Translate what pydantic found, with paths as they stand in the file."""
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        path, known = _walk(model, item["loc"])
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, ProblemsError):
            problems += [problem.under(path) for problem in inner.problems]
        else:
            problems.append(_translate(item, path, known))
    return problems


def _translate(item: Any, path: str, known: Sequence[str]) -> Problem:
    """Say one pydantic error as a problem."""
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return Problem(path, ABSENT, "required", "add it")
    if kind == "extra_forbidden":
        return Problem(path, value, "unknown key", did_you_mean(item["loc"][-1], known))
    if kind == "union_tag_invalid":
        tags = [tag.strip("' ") for tag in context["expected_tags"].split(",")]
        return Problem(f"{path}.step", context["tag"], "unknown step", did_you_mean(context["tag"], tags))
    if kind == "union_tag_not_found":
        return Problem(f"{path}.step", ABSENT, "required", "say which step this is")
    message = item["msg"].removeprefix("Value error, ")
    return Problem(path, value, message[:1].lower() + message[1:], "correct the value")


def _walk(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """Path of a pydantic location without its union tags, and the keys known in the last model."""
    path, here, known = "", [model], list(model.model_fields)
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        tagged = [one for one in here if len(here) > 1 and _tag(one) == part]
        if tagged:
            here, known = tagged, list(tagged[0].model_fields)
            continue
        path += f".{part}" if path else part
        fields = here[0].model_fields if here else {}
        known = list(fields)
        here = list(_models_in(fields[part].annotation)) if part in fields else []
    return path, known


def _tag(model: type[BaseModel]) -> Any:
    """Tag of a model in a discriminated union, by the names used for it here."""
    field = model.model_fields.get("step") or model.model_fields.get("kind")
    return field.default if field else None


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    """Models a field may hold, through unions, containers and annotations."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from _models_in(inner)

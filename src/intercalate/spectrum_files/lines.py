"""A file of one value a line: questions that are answered from it, answers that are written into it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from intercalate.spectrum_files.model import MISSING, VamasError

MOST_LINES = 100_000
"""Of a comment or list: a larger count is a line out of place."""

T = TypeVar("T")


@dataclass
class LineReader:
    """Lines of a file, one after the other."""

    name: str
    lines: Sequence[str]
    at: int = 0

    def error(self, what: str, wanted: str) -> VamasError:
        found = repr(self.lines[self.at - 1]) if 0 < self.at <= len(self.lines) else "the end of the file"
        return VamasError(f"{self.name}, line {self.at}: {what} should be {wanted}, but there is {found}")

    def text(self, value: str, what: str) -> str:
        self.at += 1
        if self.at > len(self.lines):
            raise self.error(what, "here")
        return self.lines[self.at - 1]

    def integer(self, value: int, what: str, low: int | None = None, high: int | None = None) -> int:
        line = self.text("", what)
        try:
            number = float(line)
            found = int(number)
        except (ValueError, OverflowError):
            raise self.error(what, "a whole number") from None
        if found != number:
            raise self.error(what, "a whole number")
        if (low is not None and found < low) or (high is not None and found > high):
            raise self.error(what, f"from {low} to {high}" if high is not None else f"{low} or more")
        return found

    def real(self, value: float, what: str) -> float:
        line = self.text("", what)
        try:
            found = float(line)
        except ValueError:
            raise self.error(what, "a number") from None
        return float("nan") if found == MISSING else found

    def choice(self, value: str, what: str, choices: Sequence[str]) -> str:
        line = self.text("", what).strip()
        if line not in choices:
            raise self.error(what, "one of " + ", ".join(choices))
        return line

    def many(self, values: Sequence[T] | None, what: str, one: Callable[[Any], T], empty: T) -> tuple[T, ...]:
        count = self.integer(0, f"number of {what}", 0, MOST_LINES)
        return tuple(one(empty) for _ in range(count))


@dataclass
class LineWriter:
    """Lines of a file that is made."""

    lines: list[str] = field(default_factory=list)

    def error(self, what: str, wanted: str) -> VamasError:
        return VamasError(f"{what} cannot be written: it should be {wanted}")

    def text(self, value: str, what: str) -> str:
        if "\n" in value or "\r" in value:
            raise self.error(f"{what} {value!r}", "a single line")
        self.lines.append(value)
        return value

    def integer(self, value: int, what: str, low: int | None = None, high: int | None = None) -> int:
        self.lines.append(str(int(value)))
        return value

    def real(self, value: float, what: str) -> float:
        if np.isinf(value):
            raise self.error(f"{what} {value:g}", "finite, or not a number where it is not known")
        number = MISSING if np.isnan(value) else float(value)
        self.lines.append(str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number))
        return value

    def choice(self, value: str, what: str, choices: Sequence[str]) -> str:
        if value not in choices:
            raise self.error(f"{what} {value!r}", "one of " + ", ".join(choices))
        return self.text(value, what)

    def many(self, values: Sequence[T] | None, what: str, one: Callable[[Any], T], empty: T) -> tuple[T, ...]:
        listed = tuple(values or ())
        self.integer(len(listed), f"number of {what}")
        return tuple(one(value) for value in listed)


Side = LineReader | LineWriter


def required(side: Side, value: T | None, what: str, empty: T) -> T:
    """The value to write; for a reader anything of its kind."""
    if isinstance(side, LineReader):
        return empty
    if value is None:
        raise side.error(what, "given in this experiment mode")
    return value

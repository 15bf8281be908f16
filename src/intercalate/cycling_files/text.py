"""Lines and columns of text files whose language nobody knows beforehand."""

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intercalate.cycling_files.model import REQUIRED, CyclingFileError

NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?")
_NOTHING = ("", "nan", "NaN", "NAN")
_FIXED = re.compile(r"[+-]?\d+([.,]\d+)(?:[eE][+-](\d+))?")

SHAPE_ROWS = 20
"""Rows over which the last column must be written alike for a line without an end to be believed."""


@dataclass(frozen=True)
class TextFile:
    """Lines of a file.

    Attributes
    ----------
    lines
        Without their ends; no empty ones at the end.
    is_ended
        Whether the last line has an end: otherwise it may have been cut.
    """

    name: str
    sha256: str
    lines: list[str]
    is_ended: bool


def read_text(path: Path) -> TextFile:
    """Read a file as UTF-8 or, where it is none, as latin-1.

    Raises
    ------
    CyclingFileError
        If it is empty or no text.
    OSError
        If it cannot be read.
    """
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        limit, fix = "no text stands there", "copy the file again, or export it as text"
        raise CyclingFileError(path.name, f"line {line}", "(binary)", limit, fix)
    lines = re.split(r"\r\n|\n|\r", text)
    is_ended = len(lines) > 1 and lines[-1] == ""
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise CyclingFileError(path.name, "line 1", "(nothing)", "the file is empty", "copy it again")
    return TextFile(path.name, hashlib.sha256(raw).hexdigest(), lines, is_ended)


def read_columns(
    file: TextFile, names: Sequence[str], wanted: Mapping[str, int], first: int, separator: str
) -> dict[str, np.ndarray]:
    """Numbers of some columns of a table.

    Parameters
    ----------
    names
        All columns, in order.
    wanted
        Position of each column that is read, by the name it gets.
    first
        Number of lines above the table.
    separator
        Between columns.

    Returns
    -------
    dict
        float64 arrays of shape (n,); NaN where an optional column is empty.

    Raises
    ------
    CyclingFileError
        If a line has too few or too many columns or was cut, a field is no number, or decimal commas and
        points are mixed.
    """
    rows: list[list[str]] = []
    for number, line in enumerate(file.lines[first:], first + 1):
        fields = split(file.name, number, line, separator)
        if len(fields) == len(names) + 1 and not fields[-1].strip():
            fields.pop()
        if len(fields) != len(names):
            last = number == len(file.lines)
            raise CyclingFileError(
                file.name,
                f"line {number}",
                line[:60],
                f"has {len(fields)} of {len(names)} columns" + (", the file ends there" if last else ""),
                "the file was cut or edited; copy or export it again, or delete that line",
            )
        rows.append(fields)
    if rows and not file.is_ended:
        _check_last_field(file, [fields[-1] for fields in rows[-SHAPE_ROWS - 1 :]])
    text = {name: [fields[at].strip() for fields in rows] for name, at in wanted.items()}
    titles = {name: names[at] for name, at in wanted.items()}
    mark = _decimal_mark(file, text, titles, first)
    return {name: _numbers(file, name, titles[name], one, mark, first) for name, one in text.items()}


def split(source: str, number: int, line: str, separator: str) -> list[str]:
    """Fields of a line, which may stand between quotes.

    Raises
    ------
    CyclingFileError
        If a quote has no end.
    """
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        fix = "the line was damaged or edited; copy or export the file again"
        raise CyclingFileError(source, f"line {number}", line[:60], str(error), fix) from None


def _check_last_field(file: TextFile, fields: list[str]) -> None:
    """Refuse a last line without an end, unless its last number is written like all those above."""
    shapes = {_shape(one.strip()) for one in fields}
    if len(shapes) == 1 and None not in shapes and len(fields) > 1:
        return
    raise CyclingFileError(
        file.name,
        f"line {len(file.lines)}",
        fields[-1].strip(),
        "the last line has no end, and whether its last number is whole cannot be told",
        "copy the file again; if nothing is missing, put an end to that line",
    )


def _shape(number: str) -> tuple[int, int] | None:
    """Digits after the mark and in the exponent; None where there is no mark."""
    match = _FIXED.fullmatch(number)
    return (len(match[1]), len(match[2] or "")) if match else None


def _decimal_mark(
    file: TextFile, text: Mapping[str, list[str]], titles: Mapping[str, str], first: int
) -> str:
    """Comma or point: whichever the numbers have."""
    found = ""
    columns = list(text.items())
    for row in range(len(columns[0][1])):
        for name, values in columns:
            value = values[row]
            for mark in (",", "."):
                if mark not in value:
                    continue
                if found and mark != found:
                    other = "point" if mark == "." else "comma"
                    raise CyclingFileError(
                        file.name,
                        f"line {first + row + 1}, {titles[name]}",
                        value,
                        f"a decimal {other}, while the numbers above have a decimal {_word(found)}",
                        "the file was edited in another language; export it again",
                    )
                found = mark
    return found or "."


def _word(mark: str) -> str:
    return "comma" if mark == "," else "point"


def _numbers(file: TextFile, name: str, title: str, texts: list[str], mark: str, first: int) -> np.ndarray:
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if NUMBER.fullmatch(text):
            values[row] = float(text.replace(mark, ".") if mark == "," else text)
            if np.isfinite(values[row]):
                continue
        elif text in _NOTHING and name not in REQUIRED:
            continue
        fix = "the file was damaged or edited; copy or export it again"
        if ":" in text:
            fix = "export it again with times relative to the start, in s"
        where = f"line {first + row + 1}, {title}"
        raise CyclingFileError(file.name, where, text or "(nothing)", "is no finite number", fix)
    return values

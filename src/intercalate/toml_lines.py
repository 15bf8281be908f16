"""Where in a TOML file a key stands."""

import re
from collections.abc import Iterable
from dataclasses import replace

from intercalate.problems import Problem

_HEADER = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def lines_of(text: str) -> dict[str, int]:
    """Line of each table and key, from 1, by its path with dots; keys of inline tables are not looked for."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _path(header[1])
            parts = table.split(".")
            for depth in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:depth]), number)
        elif key := _KEY.match(line):
            found.setdefault(f"{table}.{_path(key[1])}" if table else _path(key[1]), number)
    return found


def placed(problems: Iterable[Problem], text: str) -> list[Problem]:
    """Problems with their lines: that of the key, or of the table in which one is missing."""
    lines = lines_of(text)
    return [replace(one, line=_nearest(one.where, lines)) for one in problems]


def _nearest(where: str, lines: dict[str, int]) -> int | None:
    """Line of the longest part of a path that is there."""
    path = re.sub(r"\[\d+\]", "", where)
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path)


def _path(text: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in text.split("."))

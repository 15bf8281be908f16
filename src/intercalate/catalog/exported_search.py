"""Queries of Tiled, answered from the metadata of a run that no server keeps."""

import operator
import re
from collections.abc import Mapping
from typing import Any, cast

_OPERATORS = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}
_ROOTS = ("start", "stop", "summary", "writer")
_ABSENT = object()


def value_of(metadata: Mapping[str, Any], key: str, absent: Any = None) -> Any:
    """Value of a dotted key."""
    value: Any = metadata
    for part in key.split("."):
        # A summary is counted when it is asked for, so it cannot be looked for beforehand.
        value = value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        if value is _ABSENT:
            return absent
    return value


def matches(query: Any, metadata: Mapping[str, Any]) -> bool:
    """Whether a run is what a query asks for; a key without document is one of the start document.

    Raises
    ------
    NotImplementedError
        If it is a query of another kind.
    """
    from tiled.queries import Comparison, Contains, Eq, In, KeyPresent, Like, NotEq, NotIn

    key = query.key if query.key.split(".")[0] in _ROOTS else f"start.{query.key}"
    value = value_of(metadata, key, _ABSENT)
    there = value is not _ABSENT and value is not None
    match query:
        case KeyPresent():
            return (value is not _ABSENT) == query.exists
        case Eq():
            return there and value == query.value
        case NotEq():
            return there and value != query.value
        case Comparison():
            return there and _OPERATORS[query.operator.value](cast(Any, value), query.value)
        case Contains():
            return there and query.value in value
        case In():
            return there and value in query.value
        case NotIn():
            return there and value not in query.value
        case Like():
            pattern = "".join({"%": ".*", "_": "."}.get(one, re.escape(one)) for one in query.pattern)
            return there and re.fullmatch(pattern, str(value), re.IGNORECASE | re.DOTALL) is not None
    raise NotImplementedError(f"an exported folder cannot be asked for {type(query).__name__}")

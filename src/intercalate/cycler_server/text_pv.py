"""Texts as CHAR waveforms: strings of any length, which EPICS strings are not."""

from typing import Any

from caproto import ChannelType

_EMPTY = "\0"
"""caproto cannot hold a waveform without elements."""


def text_keywords(max_length: int) -> dict[str, Any]:
    """Keywords of a `pvproperty` that holds a text of at most `max_length` bytes."""
    return {
        "value": _EMPTY,
        "dtype": ChannelType.CHAR,
        "max_length": max_length,
        "string_encoding": "utf-8",
        "report_as_string": False,
    }


def to_wire(text: str, max_length: int) -> str:
    """What to write into such a waveform."""
    return text.encode()[:max_length].decode(errors="ignore") or _EMPTY


def from_wire(value: Any) -> str:
    """Text that a client put, or that the waveform holds."""
    text = value if isinstance(value, str) else bytes(bytearray(value)).decode(errors="replace")
    return text.split("\0")[0]

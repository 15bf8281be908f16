"""A run whose streams are asked for once: a question to the server costs more than most answers to it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

_OLD_LAYOUT = "streams"


def kept(run: Any) -> Any:
    """The run as it is now, with all streams from one question, and what is in each from one more.

    What is not served, or was kept before, is given back as it is.
    """
    base = getattr(run, "base", None)
    if base is None or isinstance(run, KeptRun):
        return run
    streams = dict(base.items())
    return run if _OLD_LAYOUT in streams else KeptRun(run, streams)


class KeptRun:
    """Reads as a run; see `kept`."""

    def __init__(self, run: Any, streams: Mapping[str, Any]):
        self._run = run
        self._streams = {name: KeptStream(node) for name, node in sorted(streams.items())}

    @property
    def metadata(self) -> Any:
        """As of the run."""
        return self._run.metadata

    @property
    def parent(self) -> Any:
        """The catalog."""
        return self._run.parent

    def __iter__(self) -> Iterator[str]:
        return iter(self._streams)

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, name: object) -> bool:
        return name in self._streams

    def __getitem__(self, name: str) -> "KeptStream":
        return self._streams[name]


class KeptStream:
    """Metadata of a stream, and its parts by name: `internal`, its table, and its images."""

    def __init__(self, node: Any):
        self._node = node

    @property
    def metadata(self) -> Any:
        """As of the stream."""
        return self._node.metadata

    @cached_property
    def base(self) -> dict[str, Any]:
        """Table and images."""
        return dict(getattr(self._node, "base", self._node).items())

"""Items that failed, were aborted, or whose end nobody saw: out of the queue until a person has decided."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from intercalate.config import Config
from intercalate.queue.keys import queue_folder

DECIDED_KEPT = 1000
"""Latest items of the history that were dealt with."""


@dataclass(frozen=True)
class HeldItem:
    """An item that waits for a decision.

    Attributes
    ----------
    uid
        By which it is released or discarded.
    item
        As it was queued.
    why
        What became of it.
    run_uids
        Of what it left in the catalog.
    since_unix_s
        When it was taken out of the queue.
    """

    uid: str
    item: Mapping[str, Any]
    why: str
    run_uids: Sequence[str]
    since_unix_s: float


@dataclass
class _Content:
    held: list[HeldItem] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)


class HeldItems:
    """The held items of a queue, in a file that supervisor and commands share."""

    def __init__(self, config: Config):
        self._path = queue_folder(config) / "held.json"

    def read(self) -> list[HeldItem]:
        """All of them, in the order in which they were held."""
        return self._content().held

    def decided(self) -> set[str]:
        """Items of the history that were dealt with."""
        return set(self._content().decided)

    def hold(self, item: Mapping[str, Any], why: str, run_uids: Sequence[str] = ()) -> None:
        """Keep an item; one that is kept already stays as it is."""
        with self._changed() as content:
            uid = item["item_uid"]
            if uid not in {one.uid for one in content.held}:
                content.held.append(HeldItem(uid, item, why, list(run_uids), time.time()))
            _decide(content, uid)

    def decide(self, uid: str) -> None:
        """Say that nothing is to be done about an item of the history."""
        with self._changed() as content:
            _decide(content, uid)

    def drop(self, uid: str) -> None:
        """Keep an item no longer."""
        with self._changed() as content:
            content.held = [one for one in content.held if one.uid != uid]

    def find(self, beginning: str) -> HeldItem:
        """The item whose uid begins so.

        Raises
        ------
        ValueError
            If there is none, or more than one.
        """
        held = self.read()
        found = [one for one in held if one.uid.startswith(beginning)]
        if len(found) != 1:
            there = ", ".join(one.uid[:8] for one in held) or "nothing"
            how_many = "no held item" if not found else "more than one held item"
            raise ValueError(f"{how_many} begins with {beginning!r}; held are: {there}")
        return found[0]

    def _content(self) -> _Content:
        if not self._path.exists():
            return _Content()
        content = json.loads(self._path.read_text())
        return _Content([HeldItem(**one) for one in content["held"]], content["decided"])

    @contextmanager
    def _changed(self) -> Iterator[_Content]:
        """Content to be changed by one process at a time, and on the disk afterwards."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self._content()
            yield content
            _write(self._path, asdict(content))


def _decide(content: _Content, uid: str) -> None:
    content.decided = [*(one for one in content.decided if one != uid), uid][-DECIDED_KEPT:]


def _write(path: Path, content: Any) -> None:
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

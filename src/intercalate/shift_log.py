"""The shift log: who said what when, and during which run.

One line of JSON for each entry, appended in one write and never changed, so that several processes may
write at once: an IPython session, a command line beside it, a queue.
"""

import getpass
import json
import os
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from intercalate.catalog.journal import journals, run_uid, stop_of
from intercalate.catalog.lost_runs import is_being_written
from intercalate.config import Config

FILE_NAME = "shift_log.jsonl"
MAX_COMMENT = 2000
MAX_WHO = 80


class ShiftLogError(ValueError):
    """An entry was refused."""


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes
    ----------
    time
        UTC, ISO 8601.
    who, comment, source
        Who said what, and where: `ipython`, `command line`, `plan`.
    runs
        Unique ids of the runs that were open.
    """

    time: str
    who: str
    comment: str
    source: str
    runs: tuple[str, ...] = ()
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __str__(self) -> str:
        during = f" [{', '.join(run[:8] for run in self.runs)}]" if self.runs else ""
        return f"{self.time[:19].replace('T', ' ')}  {self.who}{during}: {self.comment}"


class ShiftLog:
    """The shift log of a storage folder.

    Parameters
    ----------
    folder
        Storage folder.
    journal_folder
        Where the runs are that may be open.
    """

    def __init__(self, folder: Path, journal_folder: Path):
        self.path = folder / FILE_NAME
        self._journals = journal_folder

    @classmethod
    def of(cls, config: Config) -> Self:
        """The shift log that a configuration means."""
        return cls(config.storage.folder.absolute(), config.journals_folder)

    def add(self, comment: str, who: str | None = None, *, source: str = "ipython") -> Entry:
        """Write an entry.

        Parameters
        ----------
        comment
            At most 2000 characters.
        who
            The login name where None.

        Raises
        ------
        ShiftLogError
            If there is no comment or name, or it is too long.
        """
        entry = Entry(
            time=datetime.now(UTC).isoformat(),
            who=_checked("who", getpass.getuser() if who is None else who, MAX_WHO),
            comment=_checked("comment", comment, MAX_COMMENT),
            source=source,
            runs=tuple(self._open_runs()),
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if _is_torn(descriptor):
                line = b"\n" + line
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return entry

    def entries(self, run: str | None = None) -> list[Entry]:
        """All entries, or those made while a run was open; oldest first.

        Parameters
        ----------
        run
            Unique id of a run, or its beginning.
        """
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().decode(errors="replace").split("\n")
        found = [entry for entry in map(_read, lines) if entry is not None]
        if run is not None:
            found = [entry for entry in found if any(one.startswith(run) for one in entry.runs)]
        return sorted(found, key=lambda entry: entry.time)

    def _open_runs(self) -> Iterable[str]:
        if not self._journals.is_dir():
            return []
        open_now = (path for path in journals(self._journals) if is_being_written(path))
        return [run_uid(path) for path in open_now if stop_of(path) is None]


def as_json(entries: Iterable[Entry]) -> str:
    """Entries as JSON, for the attributes of an export."""
    return json.dumps([asdict(entry) for entry in entries], ensure_ascii=False)


def _checked(name: str, value: str, longest: int) -> str:
    value = value.strip()
    if not value:
        raise ShiftLogError(f"{name} is empty; say something")
    if len(value) > longest:
        raise ShiftLogError(f"{name} has {len(value)} characters, at most {longest} are kept; shorten it")
    if any(unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t" for one in value):
        raise ShiftLogError(f"{name} holds control characters; leave them out")
    return value


def _is_torn(descriptor: int) -> bool:
    """Whether the last line was left without its end, by a process that died while writing."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _read(line: str) -> Entry | None:
    try:
        content: dict[str, Any] = json.loads(line)
        return Entry(**{**content, "runs": tuple(content["runs"])})
    except (ValueError, TypeError, KeyError):
        return None

"""What became of every program of a channel: an append-only file that outlives the server."""

import errno
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any


class ProgramStatus(StrEnum):
    """Where a program stands."""

    LOADED = "loaded"
    UNLOADED = "unloaded"
    """Never started; it may be loaded again."""
    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    """Ended in another way than its own; nobody has said yet that they know."""
    ACKNOWLEDGED = "acknowledged"


NEVER_STARTED = (ProgramStatus.LOADED, ProgramStatus.UNLOADED)


@dataclass(frozen=True)
class ProgramEntry:
    """A program and what is known of it.

    Attributes
    ----------
    first_record, end_record
        Its records: from the first to the one before the end.
    first_impedance, end_impedance
        The same of its measurements of impedance.
    charge_ah
        Net charge it passed, by the channel's counter.
    counter_from_ah
        That counter at its start.
    settled
        Whether the current had ceased when `charge_ah` was reckoned.
    left
        Where it stands, as `protocol.Beginning` in JSON: what would go on with it. Of a running program, at
        the beginning of its segment. None before the first.
    entered_unix_s, entered_ah
        Beginning of its segment, and the channel's counter there.
    before_ah
        Net charge of the program that it goes on with.
    markers
        Passed so far: `name`, `test_time_s`, `record_seq`.
    """

    program_id: str
    sha256: str
    status: ProgramStatus
    first_record: int = 0
    end_record: int = 0
    first_impedance: int = 0
    end_impedance: int = 0
    charge_ah: float = 0.0
    counter_from_ah: float = 0.0
    settled: bool = True
    why: str = ""
    left: dict[str, Any] | None = None
    entered_unix_s: float = 0.0
    entered_ah: float = 0.0
    before_ah: float = 0.0
    markers: list[dict[str, Any]] = field(default_factory=list)


class ProgramLedger:
    """Every change of a program's status, one JSON object a line, synced to disk.

    What the file does not hold has not happened: memory follows the file, not the other way round. A
    program that was running when the server died is found interrupted at the next start: the file cannot
    say that it ended well.

    Raises
    ------
    OSError
        If another server has the file open, or it cannot be written.
    ValueError
        If a line in it is not the ledger's.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.entries: dict[str, ProgramEntry] = {}
        self.fault: tuple[str, str] | None = None
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._lock()
            os.ftruncate(self._fd, self._replay(path.read_bytes()))
            self._close_accounts()
        except BaseException:
            os.close(self._fd)
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(
                errno.EBUSY,
                "another cycler server keeps this ledger; two of them would run programs twice. "
                "End the other one, or give this one another folder",
                str(self._path),
            ) from None

    def _close_accounts(self) -> None:
        for entry in list(self.entries.values()):
            if entry.status is ProgramStatus.RUNNING:
                self.set_status(entry.program_id, ProgramStatus.INTERRUPTED, why="the cycler server ended")
            elif entry.status is ProgramStatus.LOADED:
                self.set_status(entry.program_id, ProgramStatus.UNLOADED, why="the cycler server ended")

    def _replay(self, raw: bytes) -> int:
        *lines, _ = raw.split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"{self._path}, line {number} is no entry of a program ledger ({error}): {line[:80]!r}; "
                    "move the file away only after finding out what its last program did to the cell"
                ) from None
        return sum(len(line) + 1 for line in lines)

    def _take(self, event: dict[str, Any]) -> None:
        match event.pop("event"):
            case "program":
                event["status"] = ProgramStatus(event["status"])
                known = self.entries.get(event["program_id"])
                self.entries[event["program_id"]] = ProgramEntry(
                    **event, markers=known.markers if known else []
                )
            case "segment":
                program_id = event.pop("program_id")
                self.entries[program_id] = replace(self.entries[program_id], **event)
            case "marker":
                self.entries[event.pop("program_id")].markers.append(event)
            case "fault":
                self.fault = (event["fault"], event["why"]) if event["fault"] else None
            case other:
                raise ValueError(f"event {other!r}")

    def _append(self, event: dict[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        size = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._fd)
        except OSError as error:
            os.ftruncate(self._fd, size)
            raise OSError(error.errno, f"{error.strerror}; free space there", str(self._path)) from None

    def add(self, entry: ProgramEntry) -> None:
        """Enter a program, or its new state."""
        content = asdict(entry)
        del content["markers"]
        self._append({"event": "program", **content})
        self.entries[entry.program_id] = entry

    def add_marker(self, program_id: str, marker: dict[str, Any]) -> None:
        """Note that a program passed a marker."""
        self._append({"event": "marker", "program_id": program_id, **marker})
        self.entries[program_id].markers.append(marker)

    def enter_segment(
        self, program_id: str, left: dict[str, Any], entered_unix_s: float, entered_ah: float
    ) -> None:
        """Note that a program goes on to another segment; see `ProgramEntry`."""
        changes = {"left": left, "entered_unix_s": entered_unix_s, "entered_ah": entered_ah}
        self._append({"event": "segment", "program_id": program_id, **changes})
        self.entries[program_id] = replace(self.entries[program_id], **changes)

    def set_status(self, program_id: str, status: ProgramStatus, **changes: Any) -> None:
        """Change the status of a known program, and whatever else is given."""
        self.add(replace(self.entries[program_id], status=status, **changes))

    def end(self, program_id: str, status: ProgramStatus, **changes: Any) -> None:
        """Close a running program's entry.

        Where that cannot be written the program counts as interrupted, as a restart would find it.

        Raises
        ------
        OSError
            If it could not be written.
        """
        entry = replace(self.entries[program_id], status=status, **changes)
        try:
            self.add(entry)
        except OSError as error:
            why = entry.why or f"its end could not be written: {error}"
            self.entries[program_id] = replace(entry, status=ProgramStatus.INTERRUPTED, why=why)
            raise

    def set_fault(self, fault: str, why: str) -> None:
        """Latch a fault; an empty name clears it."""
        self._append({"event": "fault", "fault": fault, "why": why})
        self.fault = (fault, why) if fault else None

    @property
    def interrupted(self) -> ProgramEntry | None:
        """The program that waits for its acknowledgement, if there is one."""
        return next((e for e in self.entries.values() if e.status is ProgramStatus.INTERRUPTED), None)

    @property
    def last_started(self) -> ProgramEntry | None:
        """The program that was started last."""
        started = [e for e in self.entries.values() if e.end_record or not e.settled]
        return max(reversed(started), key=lambda e: e.first_record, default=None)

    def close(self) -> None:
        """Close the file and let another server have it."""
        os.close(self._fd)

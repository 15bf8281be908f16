"""What became of every program of a channel: an append-only file that outlives the server."""

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class ProgramStatus(StrEnum):
    """Where a program stands."""

    LOADED = "loaded"
    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    """Ended in another way than its own; nobody has said yet that they know."""
    ACKNOWLEDGED = "acknowledged"


@dataclass
class ProgramEntry:
    """A program and what is known of it."""

    program_id: str
    sha256: str
    status: ProgramStatus
    first_record: int = 0
    end_record: int = 0
    charge_ah: float = 0.0
    why: str = ""


class ProgramLedger:
    """Every change of a program's status, one JSON object a line, synced to disk.

    A program that was running when the server died is found interrupted at the next start: the file
    cannot say that it ended well.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.entries: dict[str, ProgramEntry] = {}
        self.fault: tuple[str, str] | None = None
        whole = self._replay(path.read_bytes() if path.exists() else b"")
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._fd, whole)
        for entry in self.entries.values():
            if entry.status is ProgramStatus.RUNNING:
                self.set_status(entry.program_id, ProgramStatus.INTERRUPTED, why="the cycler server ended")
            elif entry.status is ProgramStatus.LOADED:
                self.set_status(entry.program_id, ProgramStatus.ACKNOWLEDGED, why="never started")

    def _replay(self, raw: bytes) -> int:
        *lines, _ = raw.split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return sum(len(line) + 1 for line in lines)

    def _take(self, event: dict[str, Any]) -> None:
        match event.pop("event"):
            case "program":
                event["status"] = ProgramStatus(event["status"])
                self.entries[event["program_id"]] = ProgramEntry(**event)
            case "fault":
                self.fault = (event["fault"], event["why"]) if event["fault"] else None

    def _append(self, event: dict[str, Any]) -> None:
        os.write(self._fd, json.dumps(event).encode() + b"\n")
        os.fsync(self._fd)

    def add(self, entry: ProgramEntry) -> None:
        """Enter a program, or its new state."""
        self.entries[entry.program_id] = entry
        self._append({"event": "program", **vars(entry)})

    def set_status(self, program_id: str, status: ProgramStatus, **changes: Any) -> None:
        """Change the status of a known program, and whatever else is given."""
        entry = self.entries[program_id]
        entry.status = status
        for name, value in changes.items():
            setattr(entry, name, value)
        self.add(entry)

    def set_fault(self, fault: str, why: str) -> None:
        """Latch a fault; an empty name clears it."""
        self.fault = (fault, why) if fault else None
        self._append({"event": "fault", "fault": fault, "why": why})

    @property
    def interrupted(self) -> ProgramEntry | None:
        """The program that waits for its acknowledgement, if there is one."""
        return next((e for e in self.entries.values() if e.status is ProgramStatus.INTERRUPTED), None)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

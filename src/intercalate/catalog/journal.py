"""The journal: every document of every run as one line of an append-only file, before anything else.

`Journal` is what the RunEngine calls. A document is handed to the operating system before the call
returns, so the death of the process loses nothing; a thread makes the disk keep it about once a
second, so the loss of power loses about that much.

Where a file cannot be written (disk full, folder gone), a run that is about to start is refused: nothing
has happened yet. A run that is under way goes on: its documents are kept in memory and tried again about
once a second, which `status` and the log say. Only when more than `MEMORY_LIMIT_BYTES` are waiting does
the call raise, so that the plan aborts in good order instead of recording nothing; `close` raises too if
anything is left.
"""

import fcntl
import itertools
import json
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from intercalate import streams

MEMORY_LIMIT_BYTES = 256 * 1024 * 1024
"""Documents that may wait in memory for a disk: hours of an experiment, little of a computer."""

SUFFIX = ".jsonl"

logger = logging.getLogger(__name__)


class JournalError(RuntimeError):
    """Documents could not be kept, or a journal could not be read."""


@dataclass(frozen=True)
class JournalStatus:
    """What the journal is doing.

    Attributes
    ----------
    folder
        Where it writes.
    open_runs
        Runs that have started and not stopped.
    waiting_bytes
        Documents in memory that no file has yet.
    error
        Why the last attempt to write failed; empty if it did not.
    """

    folder: Path
    open_runs: tuple[str, ...]
    waiting_bytes: int
    error: str

    @property
    def ok(self) -> bool:
        """Whether everything is on file."""
        return not self.waiting_bytes and not self.error


@dataclass
class _RunFile:
    path: Path
    descriptor: int
    written_bytes: int = 0
    waiting: list[bytes] = field(default_factory=list)
    waiting_bytes: int = 0
    dirty: bool = False
    stopped: bool = False


def encode(name: str, doc: Any) -> bytes:
    """One line of a journal.

    Raises
    ------
    TypeError
        If the document holds something that JSON has no form for.
    """
    return json.dumps([name, doc], default=_plain, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"a {type(value).__name__} ({value!r:.80}) has no JSON form")


class Journal:
    """RunEngine callback that keeps every document on file.

    Parameters
    ----------
    folder
        Made if it is not there. One file per run: `<start, UTC>_<uid>.jsonl`.
    sync_period_s
        Wall seconds between two orders to the disk.

    Raises
    ------
    JournalError
        If the folder cannot be made.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        sync_period_s: float = 1.0,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    ):
        self.folder = Path(folder)
        self._memory_limit_bytes = memory_limit_bytes
        self._files: dict[str, _RunFile] = {}
        self._run_of: dict[str, str] = {}
        self._error = ""
        self._gave_up = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failure(error, "the folder cannot be made") from error
        self._thread = threading.Thread(
            target=self._sync_often, args=(sync_period_s,), name="journal", daemon=True
        )
        self._thread.start()

    @property
    def status(self) -> JournalStatus:
        """What is open and what is waiting."""
        with self._lock:
            files = dict(self._files)
            return JournalStatus(
                self.folder,
                tuple(uid for uid, file in files.items() if not file.stopped),
                sum(file.waiting_bytes for file in files.values()),
                self._error,
            )

    def __call__(self, name: str, doc: Any) -> None:
        """Keep one document.

        Raises
        ------
        JournalError
            If a run cannot be started, or too much is waiting for a disk that is full.
        """
        try:
            line = encode(name, doc)
        except (TypeError, ValueError) as error:
            raise JournalError(
                f"a {name} document cannot be kept: {error}; put only numbers, texts, lists and "
                "dictionaries into metadata and readings"
            ) from error
        with self._lock:
            if name == "start":
                self._open(doc)
            uid = self._route(name, doc)
            file = self._files[uid]
            file.waiting.append(line)
            file.waiting_bytes += len(line)
            try:
                self._write(file)
            except OSError as error:
                self._on_failure(name, uid, file, error)
            if name == "stop":
                file.stopped = True
                self._run_of = {key: run for key, run in self._run_of.items() if run != uid}

    def close(self) -> None:
        """Write out and sync everything, and end the thread.

        Raises
        ------
        JournalError
            If documents remain that could not be written.
        """
        self._closing.set()
        self._thread.join()
        self._sync()
        with self._lock:
            left = sum(file.waiting_bytes for file in self._files.values())
            for file in self._files.values():
                os.close(file.descriptor)
            self._files.clear()
        if left:
            raise self._failure(OSError(self._error), f"{left} bytes of documents were not written")

    def _open(self, doc: Any) -> None:
        when = datetime.fromtimestamp(doc["time"], UTC).strftime("%Y%m%dT%H%M%SZ")
        path = self.folder / f"{when}_{doc['uid']}{SUFFIX}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as error:
            raise self._failure(error, "the run is not started, because it cannot be recorded") from error
        # Held while this process lives: by it others tell a run under way from one that was lost.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._files[doc["uid"]] = _RunFile(path, descriptor)

    def _route(self, name: str, doc: Any) -> str:
        """Uid of the run that a document belongs to."""
        if name == "start":
            return doc["uid"]
        if name in ("descriptor", "resource", "stream_resource", "stop"):
            uid = doc.get("run_start", "")
            if name != "stop":
                self._run_of[doc["uid"]] = uid
        elif name in ("event", "event_page", "stream_datum"):
            uid = self._run_of.get(doc["descriptor"], "")
        else:
            uid = self._run_of.get(doc.get("resource", ""), "")
        if uid not in self._files or self._files[uid].stopped:
            raise JournalError(
                f"a {name} document belongs to no run under way; subscribe the journal before the run starts"
            )
        return uid

    def _write(self, file: _RunFile) -> None:
        """Append what is waiting; a line that does not fit is taken back whole."""
        while file.waiting:
            line = file.waiting[0]
            done = 0
            try:
                while done < len(line):
                    done += os.write(file.descriptor, line[done:])
            except OSError:
                if done:
                    os.ftruncate(file.descriptor, file.written_bytes)
                raise
            file.written_bytes += len(line)
            file.waiting_bytes -= len(line)
            file.dirty = True
            del file.waiting[0]
        if self._error and not any(other.waiting for other in self._files.values()):
            logger.warning("the journal in %s is complete again", self.folder)
            self._error = ""
            self._gave_up = False

    def _on_failure(self, name: str, uid: str, file: _RunFile, error: OSError) -> None:
        if name == "start":
            del self._files[uid]
            os.close(file.descriptor)
            file.path.unlink(missing_ok=True)
            raise self._failure(error, "the run is not started, because it cannot be recorded") from error
        waiting = sum(other.waiting_bytes for other in self._files.values())
        failure = self._failure(error, f"{waiting} bytes of documents are waiting in memory")
        if not self._error:
            logger.error("%s", failure)
        self._error = str(error)
        if waiting > self._memory_limit_bytes and not self._gave_up:
            # Once: the few documents of an abort in good order are kept like the others.
            self._gave_up = True
            raise failure from error

    def _failure(self, error: OSError, what: str) -> JournalError:
        try:
            free = f"{shutil.disk_usage(self.folder).free / 1e6:.1f} MB free"
        except OSError:
            free = "folder out of reach"
        return JournalError(
            f"the journal in {self.folder} cannot be written ({error.strerror or error}; {free}): {what}; "
            "make room on that disk or check its permissions, documents that are waiting are written then"
        )

    def _sync_often(self, period_s: float) -> None:
        while not self._closing.wait(period_s):
            self._sync()

    def _sync(self) -> None:
        """Try again what is waiting, and make the disk keep what was written."""
        with self._lock:
            for uid, file in self._files.items():
                try:
                    self._write(file)
                except OSError as error:
                    self._error = str(error)
                    logger.debug("run %s still waits: %s", uid, error)
            files = [(uid, file) for uid, file in self._files.items() if file.dirty or file.stopped]
            for _, file in files:
                file.dirty = False
        # Outside the lock: a slow disk must not hold up the RunEngine.
        for uid, file in files:
            try:
                os.fsync(file.descriptor)
            except OSError as error:
                logger.error("the disk did not take %s: %s", file.path, error)
                self._error = f"{file.path.name}: {error}"
            if file.stopped and not file.waiting:
                with self._lock:
                    del self._files[uid]
                os.close(file.descriptor)


_TAIL_BYTES = 65_536
"""In which the last document of a run finds room."""


def read_documents(path: str | Path, offset: int = 0) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Read a journal; a last line that is not complete yet is left for the next time.

    Parameters
    ----------
    path
        Journal of one run.
    offset
        Byte at which to go on.

    Yields
    ------
    name, document, offset
        The offset is that of the next document.

    Raises
    ------
    JournalError
        If a complete line is no document.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                name, doc = json.loads(line)
            except ValueError as error:
                raise JournalError(
                    f"{path}: no document at byte {offset}: {error}; the file was damaged afterwards"
                ) from error
            offset += len(line)
            yield name, doc, offset


def journals(folder: str | Path) -> list[Path]:
    """Journals of a folder, oldest first."""
    return sorted(path for path in Path(folder).glob(f"*{SUFFIX}"))


def last_start_of(folder: str | Path, program_id: str) -> dict[str, Any] | None:
    """Start document of the latest run that executed a program, or None.

    Raises
    ------
    JournalError
        If a journal begins with a line that is no document.
    """
    return next((start for start, _ in _starts(folder) if start.get("program_id") == program_id), None)


@dataclass(frozen=True)
class ProgramRun:
    """The latest run that executed a program.

    Attributes
    ----------
    start
        Its start document.
    is_finished
        Whether it closed as a success: then nothing of its program is left to be done.
    """

    start: dict[str, Any]
    is_finished: bool


def latest_runs(folder: str | Path, uid: str | None = None) -> list[ProgramRun]:
    """The latest run of every program of an experiment, in the order of their places; not of one that another
    goes on with.

    Parameters
    ----------
    uid
        Beginning of the unique id of the experiment, or of one of its runs; None for the latest experiment
        that did not fail before anything was recorded: of one that was refused nothing is left.

    Returns
    -------
    list of ProgramRun
        Empty where there is no such experiment.

    Raises
    ------
    JournalError
        If a journal begins with a line that is no document.
    """
    wanted: str | None = None
    found: dict[str, ProgramRun] = {}
    for start, path in _starts(folder):
        experiment, program = start.get("experiment_uid"), start.get("program_id")
        if experiment is None or program is None:
            continue
        if wanted is None and (
            _was_begun(path) if uid is None else experiment.startswith(uid) or start["uid"].startswith(uid)
        ):
            wanted = experiment
        if experiment == wanted and program not in found:
            stop = stop_of(path)
            found[program] = ProgramRun(start, stop is not None and stop["exit_status"] == "success")
    gone_on_with = {(one.start.get("begin") or {}).get("program_id") for one in found.values()}
    latest = [one for program, one in found.items() if program not in gone_on_with]
    return sorted(latest, key=lambda one: str(one.start.get("place", "")))


def _was_begun(path: Path) -> bool:
    """Whether a run did anything: it has not failed, or its cycler recorded something."""
    stop = stop_of(path)
    return stop is None or stop["exit_status"] == "success" or bool(stop["num_events"].get(streams.CYCLING))


def stop_of(path: Path) -> dict[str, Any] | None:
    """Stop document of a journal; None while its run is open, or where nobody has closed it."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = file.read().splitlines()
    if not lines or not lines[-1].startswith(b'["stop"'):
        return None
    return json.loads(lines[-1])[1]


def _starts(folder: str | Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Start document and journal of every run, the latest first."""
    for path in reversed(journals(folder)):
        for _, start, _ in itertools.islice(read_documents(path), 1):
            yield start, path


def run_uid(path: Path) -> str:
    """Uid of the run that a journal belongs to."""
    return path.stem.partition("_")[2]

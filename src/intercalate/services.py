"""Processes that go on beside a session: started, found again, and ended by their id."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

END_TIMEOUT_S = 10.0
_PAUSE = threading.Event()
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started: whoever starts a process has to collect it when it ends."""
SAME_START_S = 2.0
"""Two start times of one process, read in different ways, differ by no more than this."""


class ServiceError(RuntimeError):
    """A process did not start or ended at once."""


@dataclass(frozen=True)
class Service:
    """One process.

    Attributes
    ----------
    name
        As shown to people.
    pid, started_unix_s
        Together they name a process for good: ids are used again.
    log
        File that holds what it prints.
    command, environment
        By which it was started.
    """

    name: str
    pid: int
    started_unix_s: float
    log: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def process(self) -> psutil.Process | None:
        """The process, None where it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_unix_s) < SAME_START_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    @property
    def others(self) -> list[psutil.Process]:
        """Processes that it started and that still run, also where it has ended itself."""
        if self.process is None and psutil.pid_exists(self.pid) and not self._is_zombie():
            # The id is that of another process now; while one of ours ran, no process got it.
            return []
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                if pid != self.pid and os.getsid(pid) == self.pid:
                    found.append(psutil.Process(pid))
        return found

    def _is_zombie(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_unix_s) < SAME_START_S
            return same and process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def last_words(self, lines: int = 8) -> str:
        """End of its log."""
        path = Path(self.log)
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


class ServiceList:
    """The processes of one kind, kept in a file so that a later command finds them.

    Parameters
    ----------
    folder
        Holds the list and the logs.
    kind
        Name of the list.
    """

    def __init__(self, folder: Path, kind: str):
        self._folder = folder
        self._path = folder / f"{kind}.services.json"

    def read(self) -> list[Service]:
        """All services of the list, running or not."""
        if not self._path.exists():
            return []
        return [_service(entry) for entry in json.loads(self._path.read_text())]

    def running(self) -> list[Service]:
        """Those whose process is there."""
        return [service for service in self.read() if service.process is not None]

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Service:
        """Start a process that outlives this one, in a group of its own."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **single_threaded(), **(environment or {})},
                start_new_session=True,
            )
        _collect_ended()
        _children[process.pid] = process
        started = psutil.Process(process.pid).create_time()
        service = Service(name, process.pid, started, str(log), tuple(command), dict(environment or {}))
        others = [other for other in self.read() if other.name != name]
        self._write([*others, service])
        return service

    def start_copies(self, command: Sequence[str]) -> list[Service]:
        """Start a process that makes services as copies of itself, which saves each of them its imports.

        It prints them as one line of JSON, a list of `Service`, and lives until they have ended.

        Raises
        ------
        ServiceError
            With what it printed on standard error, where it ended instead.
        """
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **single_threaded()},
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            line = process.stdout.readline()
            if not line:
                words = process.stderr.read().decode(errors="replace").strip().splitlines()
                process.wait(END_TIMEOUT_S)
                raise ServiceError("\n".join(words[-12:] or ["no message"]))
        _collect_ended()
        _children[process.pid] = process
        started = [_service(entry) for entry in json.loads(line)]
        names = {one.name for one in started}
        self._write([*(other for other in self.read() if other.name not in names), *started])
        return started

    def restart(self, name: str) -> Service:
        """Start a process of the list again that has ended, by the command it was started with.

        Raises
        ------
        ServiceError
            If the list has no process of this name, or it still runs.
        """
        known = {service.name: service for service in self.read()}
        if name not in known:
            raise ServiceError(f"{name!r} is none of the processes started here: {', '.join(known)}")
        if known[name].process is not None:
            raise ServiceError(f"{name} still runs, as process {known[name].pid}")
        return self.start(name, known[name].command, known[name].environment)

    def stop(self) -> list[str]:
        """End all of them, with the processes that they started; returns the names of those that ran."""
        names = self._end(self.read())
        self._path.unlink(missing_ok=True)
        return names

    def end(self, name: str) -> list[str]:
        """End one of them, with the processes that it started, and forget it; returns its name if it ran."""
        services = self.read()
        ended = self._end([service for service in services if service.name == name])
        if services:
            self._write([service for service in services if service.name != name])
        return ended

    def _write(self, services: Sequence[Service]) -> None:
        """Replace the list at once: other processes read it at any moment."""
        new = self._path.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps([asdict(one) for one in services], indent=1))
        new.replace(self._path)

    def _end(self, services: Sequence[Service]) -> list[str]:
        running = [(service.name, service.process) for service in services if service.process is not None]
        processes = [process for _, process in running if process is not None]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(processes, timeout=END_TIMEOUT_S)
        left = [*alive, *(other for service in services for other in service.others)]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=END_TIMEOUT_S)
        _collect_ended()
        return [name for name, _ in running]

    def wait(
        self,
        ready: Callable[[], float],
        timeout_s: float,
        what: str,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Wait until `ready` is 1, unless one of the processes ends before.

        Parameters
        ----------
        ready
            Which share is ready, 0 to 1.
        what
            Named where it does not become ready.
        progress
            Told the share now and then.

        Raises
        ------
        ServiceError
            With the last words of the process that ended, or after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while (share := ready()) < 1:
            progress(share)
            for service in self.read():
                if service.process is None:
                    raise ServiceError(f"{service.name} ended while starting:\n{service.last_words()}")
            if time.monotonic() > deadline:
                logs = ", ".join(service.log for service in self.read())
                raise ServiceError(f"{what} is not ready after {timeout_s:g} s; see {logs}")
            _PAUSE.wait(0.05)
        progress(1.0)


def _service(entry: Mapping[str, Any]) -> Service:
    """As it was written."""
    return Service(**{**entry, "command": tuple(entry["command"])})


def _collect_ended() -> None:
    """Forget the processes that have ended."""
    for pid in [pid for pid, child in _children.items() if child.poll() is not None]:
        del _children[pid]


def single_threaded() -> dict[str, str]:
    """Environment that keeps numeric libraries at one thread: two on a busy machine are far slower."""
    return {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def module_command(module: str, *arguments: str) -> list[str]:
    """Command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]

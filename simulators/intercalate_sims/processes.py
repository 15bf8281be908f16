"""Processes of a simulated beamline as copies of one that has imported what they share."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from intercalate.services import Service, module_command


@dataclass(frozen=True)
class Process:
    """One process, before it runs.

    Attributes
    ----------
    name
        As shown to people.
    arguments
        Of the command that serves it.
    environment
        Beside that of the process that starts it.
    log
        File for what it prints.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path


def forked(process: Process, serve: Callable[[], object]) -> Service:
    """Start a process as a copy of this one, in a group of its own.

    This one must have one thread and no event loop. What is said of the new process is what starts it again
    alone.
    """
    pid = os.fork()
    if pid == 0:
        _become(process, serve)
    command = module_command("intercalate_sims.run", *process.arguments)
    started = psutil.Process(pid).create_time()
    environment = dict(process.environment)
    return Service(process.name, pid, started, str(process.log), tuple(command), environment)


def _become(process: Process, serve: Callable[[], object]) -> None:
    """Serve, and never come back."""
    status = 1
    try:
        os.setsid()
        _print_to(process.log)
        os.environ.update(process.environment)
        serve()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001 - nothing above could say what went wrong
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def collect() -> None:
    """Wait until all copies have ended: who starts a process has to collect it."""
    _print_to(Path(os.devnull))
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _print_to(path: Path) -> None:
    """Let go of the streams that this process was given."""
    sys.stdout.flush()
    sys.stderr.flush()
    source = os.open(os.devnull, os.O_RDONLY)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for given, taken in ((source, 0), (target, 1), (target, 2)):
        os.dup2(given, taken)
    os.close(source)
    os.close(target)

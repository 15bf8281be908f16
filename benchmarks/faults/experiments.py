"""Experiments to be hit: as `intercalate run` in a process of its own, or as a plan in this process."""

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluesky.utils import RunEngineInterrupted

from benchmarks.faults.evidence import Documents
from intercalate.catalog.journal import journals, read_documents
from intercalate.config import EXAMPLES, Config
from intercalate.services import module_command, single_threaded

if TYPE_CHECKING:
    from bluesky import RunEngine

RATE_C = 0.05
CHARGE_S = 9000.0
CELL_FILE = EXAMPLES / "cells" / "nmc811_graphite_operando.toml"
FRAMES_S = 60.0
"""Wall seconds within which an experiment has taken a few frames, on a busy machine."""

_PAUSE = threading.Event()


def protocol(charge_s: float = CHARGE_S, rest_s: float = 300.0) -> dict[str, Any]:
    """A charge and a rest."""
    return of_steps(
        {"step": "constant_current", "rate_C": RATE_C, "until_time_s": charge_s, "until_voltage_V": 4.2},
        {"step": "open_circuit_voltage", "until_time_s": rest_s},
    )


def of_steps(*method: dict[str, Any]) -> dict[str, Any]:
    """A protocol that keeps a record every 10 s."""
    return {
        "record": {"time_s": 10.0},
        "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
        "method": list(method),
    }


def experiment_file(
    folder: Path, steps: dict[str, Any], *, on_abort: str, on_client_lost: str, every_s: float = 200.0,
    exposure_s: float = 50.0,
) -> Path:  # fmt: skip
    """Write an experiment that takes frames of one cell; returns its file."""
    (folder / "protocol.json").write_text(json.dumps(steps))
    path = folder / "experiment.toml"
    path.write_text(
        f'mode = "operando"\ncell = "{CELL_FILE}"\nprotocol = "protocol.json"\n'
        f'on_abort = "{on_abort}"\non_client_lost = "{on_client_lost}"\n'
        f"[measurements.xrd]\nwhen = {{ every = {{ time_s = {every_s} }} }}\nexposure_s = {exposure_s}\n"
        'budget_MGy = "unlimited"\n'
    )
    return path


class Follower:
    """Reads the journal of the first run that is opened after this was made."""

    def __init__(self, config: Config):
        self.config = config
        self._known = set(journals(config.journals_folder))
        self._offset = 0
        self._read = Documents()

    @property
    def journal(self) -> Path | None:
        """Of the run; None while there is none."""
        found = journals(self.config.journals_folder)
        return next((path for path in found if path not in self._known), None)

    def documents(self) -> Documents:
        """What the journal holds now."""
        path = self.journal
        if path is not None:
            for name, doc, offset in read_documents(path, self._offset):
                self._read(name, doc)
                self._offset = offset
        return self._read

    def wait_for_frames(self, count: int) -> None:
        """Wait until so many frames are in the journal.

        Raises
        ------
        RuntimeError, TimeoutError
            If the experiment ends before, or it takes too long.
        """
        deadline = time.monotonic() + FRAMES_S
        while len(self.documents().events("xrd")) < count:
            if not self.is_running:
                raise RuntimeError(f"ended before {count} frames: {self.end(10.0)}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {FRAMES_S:g} s: {count} frames")
            _PAUSE.wait(0.02)

    @property
    def is_running(self) -> bool:
        """Whether the session still executes it."""
        raise NotImplementedError

    def end(self, timeout_s: float = 60.0) -> tuple[int, str]:
        """Wait for its end; 0 where it ended well, and what a person reads."""
        raise NotImplementedError


class Run(Follower):
    """A command that runs an experiment: `run` and its file, or `resume`."""

    def __init__(self, config: Config, *words: str):
        super().__init__(config)
        config_file = config.storage.folder.parent / "simulated.toml"
        command = module_command("intercalate.cli", "-c", str(config_file), *words)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **single_threaded(), "COLUMNS": "400"},
        )

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End the process without warning."""
        self.process.kill()
        self.process.communicate(timeout=10)

    def end(self, timeout_s: float = 60.0) -> tuple[int, str]:
        """Exit code, and what a person reads on the terminal, in one line."""
        out, err = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, " ".join((out + err).split())


class PlanRun(Follower):
    """A plan, executed by the RunEngine of this process in a thread of its own.

    Parameters
    ----------
    engine
        Its handling of Ctrl-C is taken away: that belongs to the main thread.

    Attributes
    ----------
    mistake
        Once set, it is raised at the plan's next message.
    """

    def __init__(self, config: Config, engine: "RunEngine", plan: Any):
        super().__init__(config)
        self._engine = engine
        engine.context_managers = []
        self.mistake: Exception | None = None
        self.error: Exception | None = None
        self._verbs: queue.Queue[str] = queue.Queue()
        self._is_paused = threading.Event()
        mistaken = with_mistake(plan, lambda: self.mistake)
        self._thread = threading.Thread(target=self._run, args=(mistaken,), name="plan", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the plan is executed or paused."""
        return self._thread.is_alive()

    def pause(self) -> None:
        """Pause at once, as Ctrl-C twice does, and wait until it is paused."""
        self._engine.request_pause(defer=False)
        if not self._is_paused.wait(30.0):
            raise TimeoutError("the RunEngine is not paused within 30 s")

    def go_on(self, verb: str) -> None:
        """`resume`, `stop`, `abort` or `halt` a paused plan."""
        self._is_paused.clear()
        self._verbs.put(verb)

    def end(self, timeout_s: float = 60.0) -> tuple[int, str]:
        """0 where no error was raised, and the error's words."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the plan has not ended within {timeout_s:g} s")
        return (0, "") if self.error is None else (1, " ".join(str(self.error).split()))

    def _run(self, plan: Any) -> None:
        act: Callable[[], Any] = lambda: self._engine(plan)  # noqa: E731
        while True:
            try:
                act()
                return
            except RunEngineInterrupted:
                self._is_paused.set()
                act = getattr(self._engine, self._verbs.get())
            except Exception as error:  # noqa: BLE001 - told by `end`
                self.error = error
                return


def with_mistake(plan: Any, mistake: Callable[[], Exception | None]) -> Any:
    """`plan`, into which an exception is thrown once, at the first message for which there is one."""
    act, given, is_made = plan.send, None, False
    while True:
        try:
            message = act(given)
            if not is_made and (error := mistake()) is not None:
                is_made = True
                message = plan.throw(error)
        except StopIteration as end:
            return end.value
        try:
            act, given = plan.send, (yield message)
        except GeneratorExit:
            plan.close()
            raise
        except Exception as error:  # noqa: BLE001 - the plan's own business
            act, given = plan.throw, error

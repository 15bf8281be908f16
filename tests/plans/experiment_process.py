"""Experiments as a user runs them, `intercalate run` in a process of its own, which may be killed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamline import Beamline
from intercalate.catalog.journal import journals, read_documents
from intercalate.config import EXAMPLES
from polling import wait_for

from .conftest import Documents

RATE_C = 0.05
CHARGE_S = 9000.0


def protocol(charge_s: float = CHARGE_S, rest_s: float = 300.0) -> dict[str, Any]:
    return {
        "record": {"time_s": 10.0},
        "safety": {"max_voltage_V": 4.3, "min_voltage_V": 0.0, "delay_s": 5.0},
        "method": [
            {"step": "constant_current", "rate_C": RATE_C, "until_time_s": charge_s, "until_voltage_V": 4.2},
            {"step": "open_circuit_voltage", "until_time_s": rest_s},
        ],
    }


@dataclass
class Run:
    """`intercalate run` of one experiment."""

    process: subprocess.Popen[str]
    beamline: Beamline
    known: set[Path]

    @property
    def journal(self) -> Path | None:
        """Of the run this process has opened: the first since its start."""
        found = journals(self.beamline.config.stored("journals"))
        return next((path for path in found if path not in self.known), None)

    def documents(self) -> Documents:
        """What the journal holds now."""
        path = self.journal
        return Documents([] if path is None else [(name, doc) for name, doc, _ in read_documents(path)])

    def wait_for_frames(self, count: int) -> None:
        """Until so many frames are in the journal."""

        def there() -> bool:
            assert self.process.poll() is None, "\n".join(self.process.communicate())
            return len(self.documents().events("xrd")) >= count

        wait_for(there, 60, f"{count} frames")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)

    def end(self, timeout_s: float = 60) -> tuple[int, str]:
        """Exit code, and what a person reads on the terminal, in one line."""
        out, err = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, " ".join((out + err).split())


class Runs:
    """Starts experiments on a beamline."""

    def __init__(self, beamline: Beamline, folder: Path):
        self._beamline = beamline
        self._folder = folder
        self.started: list[Run] = []

    def start(
        self,
        *options: str,
        on_abort: str = "rest",
        on_client_lost: str,
        **times: float,
    ) -> Run:
        """Start `intercalate run`, with options and the times of `protocol`."""
        (self._folder / "protocol.json").write_text(json.dumps(protocol(**times)))
        experiment = self._folder / "experiment.toml"
        experiment.write_text(
            f'mode = "operando"\ncell = "{EXAMPLES}/cells/nmc811_graphite_operando.toml"\n'
            f'protocol = "protocol.json"\non_abort = "{on_abort}"\non_client_lost = "{on_client_lost}"\n'
            "[measurements.xrd]\nwhen = { every = { time_s = 200.0 } }\nexposure_s = 50.0\n"
            'budget_MGy = "unlimited"\n'
        )
        command = (sys.executable, "-m", "intercalate.cli", "-c", str(self._beamline.config_file), "run")
        known = set(journals(self._beamline.config.stored("journals")))
        process = subprocess.Popen(
            [*command, *options, str(experiment)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "400"},
        )
        run = Run(process, self._beamline, known)
        self.started.append(run)
        return run

"""Experiments of one test, which are ended with it."""

from pathlib import Path

from beamline import Beamline
from benchmarks.faults.experiments import CHARGE_S, RATE_C, Run, experiment_file, protocol

EVERY_S = 400.0
"""Between frames: time for one on a machine that is several times slower than it should be."""


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
        steps = protocol(**times)
        path = experiment_file(
            self._folder, steps, on_abort=on_abort, on_client_lost=on_client_lost, every_s=EVERY_S
        )
        return self._run("run", *options, str(path))

    def resume(self, *words: str) -> Run:
        """Start `intercalate resume`."""
        return self._run("resume", *words)

    def _run(self, *words: str) -> Run:
        run = Run(self._beamline.config, *words)
        self.started.append(run)
        return run


__all__ = ["CHARGE_S", "EVERY_S", "RATE_C", "Run", "Runs", "protocol"]

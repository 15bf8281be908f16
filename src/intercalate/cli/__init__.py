"""The command line."""

from intercalate.cli import advice, beam_effect, console, cycling, experiments, queue, runs, services, studies
from intercalate.cli.base import main

__all__ = [
    "advice",
    "beam_effect",
    "console",
    "cycling",
    "experiments",
    "main",
    "queue",
    "runs",
    "services",
    "studies",
]

"""The command line."""

from intercalate.cli import (
    advice,
    beam_effect,
    console,
    cycling,
    experiments,
    export,
    queue,
    runs,
    services,
    studies,
)
from intercalate.cli.base import main

__all__ = [
    "advice",
    "beam_effect",
    "console",
    "cycling",
    "experiments",
    "export",
    "main",
    "queue",
    "runs",
    "services",
    "studies",
]

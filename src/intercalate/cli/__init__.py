"""The command line."""

from intercalate.cli import cycling, experiments, runs, services, studies
from intercalate.cli.base import main

__all__ = ["cycling", "experiments", "main", "runs", "services", "studies"]

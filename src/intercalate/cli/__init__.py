"""The command line."""

from intercalate.cli import experiments, runs, services
from intercalate.cli.base import main

__all__ = ["experiments", "main", "runs", "services"]

"""Runs benchmarks by name and writes their tables into docs/benchmarks.md.

Usage: python -m benchmarks [points records reading conditions reaction session queue idle speed soak
                             reduction visits techniques instruments chain cell rehearsal resumed]
                            [--soak-minutes 30] [--seed 1]
       python -m benchmarks faults [--seed 1], which writes docs/faults.md
"""

import argparse
import secrets
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import (
    catalog_reading,
    catalog_records,
    conditions,
    instruments_at_once,
    long_run,
    measuring_points,
    processes,
    queue_speed,
    rates,
    reaction,
    rehearsal,
    session_opening,
    technique_speed,
    visits,
)
from benchmarks.faults import resumed
from benchmarks.faults import run as fault_run
from benchmarks.report import replace_section

FAULTS = "faults"
"""Has a document of its own, and an exit code."""

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def script(name: str) -> str:
    """What a benchmark that stands alone prints."""
    command = (sys.executable, "-m", f"benchmarks.{name}")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def benchmarks(soak_minutes: float, seed: int) -> dict[str, tuple[str, Callable[[], str]]]:
    """Title and function of every section, in the order of the document."""
    return {
        "points": ("Time per measurement point", measuring_points.measure),
        "records": ("Cycler records to the catalog", catalog_records.measure),
        "reading": ("Runs found, tables and heat maps opened", catalog_reading.measure),
        "conditions": ("Asking conditions of a record", conditions.measure),
        "reaction": ("From a voltage to the exposure that waits for it", reaction.measure),
        "session": ("A session that opens, and its journal", session_opening.measure),
        "queue": ("A queued plan, and the opening of the queue's environment", queue_speed.measure),
        "idle": ("Processor time at 1x", processes.measure),
        "speed": ("Highest speed", rates.measure),
        "soak": ("Long run at 1x", partial(long_run.measure, soak_minutes)),
        "reduction": ("Errors and speed of the reduction", partial(script, "bench_reduction")),
        "visits": ("From cell to cell, and eight of them", visits.measure),
        "techniques": ("Speed of each technique", technique_speed.measure),
        "instruments": ("Five instruments at once", instruments_at_once.measure),
        "chain": ("The whole chain on instruments nobody was told of", partial(script, "bench_chain")),
        "cell": ("Cell model against PyBaMM", partial(script, "bench_cell_model")),
        "rehearsal": ("A beamtime rehearsed blindly", partial(rehearsal.measure, seed)),
        "resumed": ("Twenty hours with three sessions killed", partial(resumed.measure, seed)),
    }


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="all where none is given")
    parser.add_argument("--soak-minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of all that is drawn")
    arguments = parser.parse_args()
    if arguments.names == [FAULTS]:
        sys.exit(fault_run.main(arguments.seed))
    known = benchmarks(arguments.soak_minutes, arguments.seed)
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}, and {FAULTS} alone")
    for name in arguments.names or known:
        title, measure = known[name]
        text = measure()
        print(f"## {title}\n\n{text}\n")
        replace_section(DOCUMENT, name, title, text, tuple(known))


if __name__ == "__main__":
    main()

"""How fast cycler records become readable in the catalog, whether all do, and how late."""

import time
from typing import Any

import numpy as np

from benchmarks.report import table
from benchmarks.rig import beamline, documents, experiment, resting, said, wait_for
from intercalate.catalog.client import CatalogError, find_run, records
from intercalate.catalog_services import open_configured_catalog

RECORD_S = 2.0
DURATION_WALL_S = 60.0
RATES = (700.0, 1400.0)
ROWS_GOAL, DELAY_GOAL_S = 300.0, 2.0


def one(rate: float) -> list[Any]:
    """A row of the table: a program with a record in every step of the world."""
    import epics

    with beamline(rate, catalog=True) as config:
        catalog = open_configured_catalog(config)
        announced = epics.PV(f"{config.cycler.channel_prefix('CH1')}RecordSeq")
        announced.wait_for_connection(10)
        history: list[tuple[float, int]] = []
        announced.add_callback(lambda value, **_: history.append((time.monotonic(), int(value))))
        seen: list[tuple[float, int]] = []
        with experiment(config, resting(rate * DURATION_WALL_S, RECORD_S)) as process:
            wait_for(lambda: bool(documents(config)), 30, "a run")
            uid = documents(config)[0][1]["uid"]
            while process.poll() is None:
                rows = stored_rows(catalog, uid)
                seen.append((time.monotonic(), rows))
                time.sleep(0.25)
            if process.returncode:
                raise RuntimeError(said(config))
        asked = history[-1][1]
        wait_for(lambda: stored_rows(catalog, uid) >= asked, 60, f"all {asked} records are stored")
        kept = len(np.unique(records(find_run(catalog, uid))["record_seq"]))
    times, numbers = (np.array(column) for column in zip(*history))
    delays = [at - times[np.searchsorted(numbers, rows)] for at, rows in seen if 0 < rows <= numbers[-1]]
    wall_s = times[-1] - times[np.argmax(numbers > 0)]
    rows_per_s = asked / wall_s
    figures = [f"{rows_per_s:.0f}", asked, asked - kept, f"{np.median(delays):.2f}", f"{np.max(delays):.2f}"]
    met = rows_per_s >= ROWS_GOAL and np.median(delays) <= DELAY_GOAL_S and asked == kept
    return [f"{rate / RECORD_S:.0f}", *figures, "met" if met else "not met"]


def stored_rows(catalog: Any, uid: str) -> int:
    """Rows that a reader of the catalog sees now."""
    try:
        return int(records(find_run(catalog, uid)).sizes["record"])
    except CatalogError:
        return 0


def measure() -> str:
    """Table over the rates."""
    head = [
        "records asked for per s",
        "made per s",
        "records",
        "lost",
        "median delay s",
        "longest delay s",
        "goal",
    ]
    return "\n".join(
        [
            f"A program that records every {RECORD_S:g} s of cell time, from cycler server through session, "
            "journal and forwarder into Tiled; a reader asks for the whole table all the time. The delay is "
            "from the announcement of a record to the answer that holds it. "
            f"Goal: {ROWS_GOAL:g} rows/s, none lost, median {DELAY_GOAL_S:g} s.\n",
            table(head, [one(rate) for rate in RATES]),
        ]
    )

"""What it costs to go from cell to cell, and whether eight cells on one beam keep up."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np

from benchmarks.cells_in_a_row import SPACING_MM, with_cells
from benchmarks.report import spread, table, verdict
from benchmarks.rig import CELL_FILE, beamline, resting
from intercalate.cell import Cell
from intercalate.session import Session, open_session
from intercalate_plans import operando_cells

CELLS = 8
MOVING_RATE, MANY_RATE = 10.0, 500.0
MOVES = 12
MOTION_GOAL, PACE_GOAL = 1.1, 1 / 0.95
EVERY_S, EXPOSURE_S, HOURS = 1800.0, 60.0, 8.0


def tasks(count: int, hours: float, every_s: float) -> list[dict[str, Any]]:
    """Cells at rest, each measured at these times."""
    cell = Cell.from_file(CELL_FILE).model_dump(mode="json", exclude_none=True)
    return [
        {
            "place": f"H{number}",
            "cell": {**cell, "name": f"cell {number}"},
            "protocol": resting(3600 * hours, 60.0),
            "measurements": [
                {"when": {"every": {"time_s": every_s}}, "exposure_s": EXPOSURE_S, "budget_MGy": "unlimited"}
            ],
        }
        for number in range(1, count + 1)
    ]


def visits(session: Session, asked: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int, float]:
    """Events of visits, number of occasions missed, and wall seconds of the whole experiment."""
    streams: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    missed = 0

    def note(name: str, doc: Any) -> None:
        nonlocal missed
        if name == "descriptor":
            streams[doc["uid"]] = doc["name"]
        elif name == "event" and streams[doc["descriptor"]] == "visits":
            found.append(doc["data"])
        elif name == "event" and streams[doc["descriptor"]] == "missed":
            missed += 1

    cyclers = list(session.cyclers.values())
    plan = operando_cells(cyclers, [session.xrd], asked, on_abort="rest", on_client_lost="rest")
    began = time.monotonic()
    session.RE(plan, note)
    return found, missed, time.monotonic() - began


def bare_moves(session: Session) -> np.ndarray:
    """Wall seconds of moves between two neighbours, nothing else going on."""
    taken = []
    for number in range(MOVES):
        began = time.monotonic()
        session.RE(bps.mv(session.xrd.changer, f"H{1 + number % 2}"))
        taken.append(time.monotonic() - began)
    return np.array(taken[1:])


def at(rate: float, work: Callable[[Session], Any]) -> Any:
    """Do something with a session on a beamline with eight cells."""
    with beamline(rate, edit=partial(with_cells, count=CELLS)) as config:
        session = open_session(config)
        try:
            return work(session)
        finally:
            session.close()


def measure() -> str:
    """Tables of switching and of keeping up."""

    def switching(session: Session) -> tuple[np.ndarray, np.ndarray]:
        bare = bare_moves(session)
        seen, _, _ = visits(session, tasks(2, 0.5, 200.0))
        moving = np.array([one["visit_moving_s"] for one in seen]) / MOVING_RATE
        return bare, moving[moving > 0.1]

    bare, moving = at(MOVING_RATE, switching)
    ratio = float(np.median(moving) / np.median(bare))
    seen, missed, wall_s = at(MANY_RATE, lambda session: visits(session, tasks(CELLS, HOURS, EVERY_S)))
    pace = MANY_RATE / (3600 * HOURS / wall_s)
    dead = np.array([one["visit_visiting_s"] - one["visit_moving_s"] for one in seen]) - EXPOSURE_S
    reached = MANY_RATE / pace
    alone = f"Two neighbours {SPACING_MM:g} mm apart at {MOVING_RATE:g} x, moved alone and by visits:\n"
    moves = table(
        ["", "s per move, median (80 %)"], [["bare moves", spread(bare)], ["visits", spread(moving)]]
    )
    many = (
        f"{CELLS} cells at {MANY_RATE:g} x, each measured every {EVERY_S:g} s for {HOURS:g} h: "
        f"{len(seen)} visits, {missed} occasions missed; {reached:.0f} cell seconds per second "
        f"(95 % of the rate {verdict(pace, PACE_GOAL)}); "
        f"of a visit {np.median(dead):.0f} s of cell time is neither motion nor exposure: "
        "read-out and waiting for answers at this rate."
    )
    goal = f"\nRatio {ratio:.2f} (goal {MOTION_GOAL}, {verdict(ratio, MOTION_GOAL)}).\n"
    return "\n".join([alone, moves, goal, many])

"""What it costs to go from cell to cell, and whether eight cells on one beam keep up."""

import time
from collections.abc import Callable
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np

from benchmarks.report import spread, table, verdict
from benchmarks.rig import CELL_FILE, beamline, resting
from intercalate.cell import Cell
from intercalate.session import Session, open_session
from intercalate_plans import operando_cells

CELLS = 8
SPACING_MM = 12.0
ROW_MM = 20.0
"""Where the row of cells is, beside calibrants and foils."""

MOVING_RATE, MANY_RATE = 10.0, 500.0
MOVES = 12
MOTION_GOAL, PACE_GOAL = 1.1, 1 / 0.95
EVERY_S, EXPOSURE_S, HOURS = 1800.0, 60.0, 8.0


def eight_cells(name: str, text: str) -> str:
    """Configuration files with eight cells in a row."""
    numbers = range(1, CELLS + 1)
    x_mm = {number: SPACING_MM * (number - (CELLS + 1) / 2) for number in numbers}
    head, _, tail = text.partition("[changer.places.H1]" if name == "simulated.toml" else "[holders.H1]")
    tail = tail[tail.index("[changer.places.LaB6]" if name == "simulated.toml" else "[holders.LaB6]") :]
    where = "changer.places" if name == "simulated.toml" else "holders"
    what = 'channel = "CH{}"' if name == "simulated.toml" else 'content = "K{}"'
    rows = [
        f"[{where}.H{number}]\nx_mm = {x_mm[number]}\ny_mm = {ROW_MM}\n{what.format(number)}\n"
        for number in numbers
    ]
    text = head + "\n".join(rows) + "\n" + tail
    if name == "simulated.toml":
        channels = ", ".join(f'"CH{number}"' for number in numbers)
        return text.replace('channels = ["CH1", "CH2"]', f"channels = [{channels}]")
    cells = "".join(f'K{number} = "nmc811-graphite"\n' for number in numbers)
    channels = "".join(f'CH{number} = "K{number}"\n' for number in numbers)
    text = text.replace('A1 = "nmc811-graphite"\nB1 = "nmc811-graphite"\n', cells)
    return text.replace('CH1 = "A1"\nCH2 = "B1"\n', channels)


def tasks(count: int, hours: float, every_s: float) -> list[dict[str, Any]]:
    """Cells at rest, each measured at these times."""
    cell = Cell.from_file(CELL_FILE).model_dump(mode="json", exclude_none=True)
    return [
        {
            "place": f"H{number}",
            "cell": {**cell, "name": f"cell {number}"},
            "protocol": resting(3600 * hours, 60.0),
            "every": {"time_s": every_s},
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
    plan = operando_cells(cyclers, session.xrd, asked, EXPOSURE_S, on_abort="rest", on_client_lost="rest")
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
    with beamline(rate, edit=eight_cells) as config:
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

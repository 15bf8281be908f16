"""What a measurement point costs beyond exposure and read-out, against a plain `bp.count`."""

import time
import uuid
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np

from benchmarks.report import spread, table, verdict
from benchmarks.rig import CELL_FILE, beamline, resting
from intercalate.cell import Cell
from intercalate.contract import OnLoss, Verb
from intercalate.orchestration import drain, start_program, take_frame
from intercalate.orchestration.cycling import declare_records
from intercalate.protocol import Protocol, bind
from intercalate.session import Session, open_session

RATE = 1000.0
EXPOSURE_S = 2.0
COUNTED = 400
POINTS = 2100
RATIO_GOAL = 1.2
GROWTH_GOAL = 0.10


def intervals_s(session: Session, plan: Any) -> np.ndarray:
    """Run a plan; wall and processor seconds of this process from frame to frame, shape (2, n)."""
    times: list[tuple[float, float]] = []

    def note(name: str, doc: Any) -> None:
        if name == "event" and "diffractometer_image" in doc["data"]:
            times.append((time.perf_counter(), time.process_time()))

    session.RE(plan, {"event": [note]})
    return np.diff(np.array(times).T)


def beside_a_program(session: Session, points: int) -> Any:
    """What `operando` does at every point, as often as asked for."""
    cell = Cell.from_file(CELL_FILE)
    protocol = Protocol.from_dict(resting(1_900_000.0, 60.0), source="benchmark")
    cycler: Any = session.cycler
    detector: Any = session.diffractometer
    program, program_id = bind(protocol, cell, cycler.site), uuid.uuid4().hex
    yield from bps.open_run({"plan_name": "benchmark"})
    yield from declare_records(cycler)
    yield from bps.stage(detector, wait=True)
    yield from start_program(cycler, program, program_id, OnLoss.REST)
    for _ in range(points):
        yield from take_frame(detector, session.clocks, cycler, meanwhile=lambda: drain(cycler))
    yield from bps.abs_set(cycler.verb, Verb.STOP, why="benchmark", group="stop")
    yield from bps.wait(group="stop")
    yield from drain(cycler)
    yield from bps.unstage(detector, wait=True)
    yield from bps.close_run()


def bare_exposures_s(session: Session, count: int) -> np.ndarray:
    """Exposure and read-out alone: from trigger to the end of its status, without a RunEngine."""
    detector, taken = session.diffractometer, []
    detector.stage()
    for _ in range(count):
        began = time.perf_counter()
        detector.trigger().wait(timeout=30)
        taken.append(time.perf_counter() - began)
    detector.unstage()
    return np.array(taken)


def measure() -> str:
    """Table of both, and of the last points against the first."""
    with beamline(RATE) as config:
        session = open_session(config)
        try:
            session.RE(bps.mv(session.diffractometer.exposure_s, EXPOSURE_S, session.shutter, "closed"))
            devices = [session.diffractometer, session.clocks, session.cycler]
            bare = [bare_exposures_s(session, COUNTED // 4)]
            counted = [intervals_s(session, bp.count(devices, COUNTED // 2))]
            bare.append(bare_exposures_s(session, COUNTED // 4))
            points = intervals_s(session, beside_a_program(session, POINTS))
            bare.append(bare_exposures_s(session, COUNTED // 4))
            counted.append(intervals_s(session, bp.count(devices, COUNTED // 2)))
            bare.append(bare_exposures_s(session, COUNTED // 4))
        finally:
            session.close()
    return report(points, np.concatenate(counted, axis=1)[0], np.concatenate(bare))


def report(points: np.ndarray, counted: np.ndarray, bare: np.ndarray) -> str:
    """Text of the section."""
    early, late = points[:, 50:250], points[:, -200:]
    undisturbed = [float(np.percentile(part[0], 10)) for part in (early, late)]
    growth = undisturbed[1] / undisturbed[0] - 1
    processor_growth = late[1].mean() / early[1].mean() - 1
    points = points[0]
    beyond = {"beside": np.median(points) - np.median(bare), "count": np.median(counted) - np.median(bare)}
    ratio = beyond["beside"] / beyond["count"]
    rows = [
        ["exposure and read-out alone", len(bare), spread(bare, 1e3), ""],
        [
            "`bp.count` of the same devices",
            len(counted),
            spread(counted, 1e3),
            f"{1e3 * beyond['count']:.1f}",
        ],
        [
            "`take_frame` beside a running program",
            len(points),
            spread(points, 1e3),
            f"{1e3 * beyond['beside']:.1f}",
        ],
    ]
    head = ["", "points", "ms per point, median (80 %)", "ms beyond exposure and read-out"]
    return "\n".join(
        [
            f"Frames of {EXPOSURE_S:g} s at {RATE:g} times real time, shutter closed, all in one run of the "
            "processes; the program records every 60 s of cell time, and every point collects what is new.\n",
            table(head, rows),
            f"\nRatio of the time beyond exposure and read-out: {ratio:.2f} (goal {RATIO_GOAL:g}: "
            f"{verdict(ratio, RATIO_GOAL)}). The last 200 points against points 50 to "
            f"250: {100 * growth:+.1f} % by the 10th percentile, which other work on the machine disturbs "
            f"least (goal ± {100 * GROWTH_GOAL:g} %: {verdict(abs(growth), GROWTH_GOAL)}), "
            f"{100 * processor_growth:+.1f} % of this process's processor time.",
        ]
    )

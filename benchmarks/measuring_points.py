"""What a measurement point costs beyond exposure and read-out, against a plain `bp.count`."""

import time
import uuid
from dataclasses import dataclass
from typing import Any, Self

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np

from benchmarks.report import spread, table, verdict
from benchmarks.rig import CELL_FILE, beamline, resting
from intercalate.cell import Cell
from intercalate.contract import OnLoss, Verb
from intercalate.devices.roles import LEAVES_SHUTTER
from intercalate.orchestration import drain, start_program, take_frame
from intercalate.orchestration.cycling import declare_records
from intercalate.protocol import Protocol, bind
from intercalate.session import Session, open_session

SLOW, FAST = 100.0, 1000.0
"""Cell seconds per wall second. Cell time stands still while the cycler server answers, so at the fast rate
collecting records lengthens the exposure it is hidden in; at the slow one it does not."""

EXPOSURE_S = 4.0
COUNTED = 400
POINTS = {SLOW: 10_000, FAST: 400}
RATIO_GOAL = 1.2
GROWTH_GOAL = 0.10


class ReadOnly:
    """A device that `bp.count` reads and does not trigger: the detector gates the monitors."""

    parent = None

    def __init__(self, device: Any):
        self.name = device.name
        self.read, self.describe = device.read, device.describe
        self.read_configuration = device.read_configuration
        self.describe_configuration = device.describe_configuration


def points_s(session: Session, plan: Any) -> np.ndarray:
    """Run a plan; from frame to frame, shape (3, n): wall seconds in all, wall seconds in which the detector
    did not expose or read out, processor seconds of this process.
    """
    times: list[tuple[float, float, float]] = []
    exposed_s: list[float] = []
    trigger = session.xrd.detector.trigger

    def timed() -> Any:
        began, status = time.perf_counter(), trigger()
        status.add_callback(lambda _: exposed_s.append(time.perf_counter() - began))
        return status

    def note(name: str, doc: Any) -> None:
        if name == "event" and "diffractometer_image" in doc["data"]:
            times.append((time.perf_counter(), sum(exposed_s), time.process_time()))

    session.xrd.detector.trigger = timed
    try:
        session.RE(plan, {"event": [note]})
    finally:
        session.xrd.detector.trigger = trigger
    wall, exposed, processor = np.diff(np.array(times).T)
    return np.array([wall, wall - exposed, processor])


def beside_a_program(session: Session, points: int) -> Any:
    """What `operando` does at every point, as often as asked for."""
    cell = Cell.from_file(CELL_FILE)
    protocol = Protocol.from_dict(resting(1_900_000.0, 60.0), source="benchmark")
    cycler: Any = session.cycler
    detector: Any = session.xrd.detector
    program, program_id = bind(protocol, cell, cycler.site), uuid.uuid4().hex
    yield from bps.open_run({"plan_name": "benchmark"})
    yield from declare_records(cycler, spectra=False)
    yield from bps.stage(detector, wait=True)
    yield from start_program(cycler, program, program_id, OnLoss.REST)
    for _ in range(points):
        yield from take_frame(
            detector,
            session.xrd.clocks,
            cycler,
            read_only=(session.xrd.monitors,),
            meanwhile=lambda: drain(cycler),
        )
    yield from bps.abs_set(cycler.verb, Verb.STOP, why="benchmark", group="stop")
    yield from bps.wait(group="stop")
    yield from drain(cycler)
    yield from bps.unstage(detector, wait=True)
    yield from bps.close_run()


def measure() -> str:
    """Table of both at two rates, and of the last points against the first."""
    slow, fast = (Comparison.at(rate) for rate in (SLOW, FAST))
    head = ["", "points", "ms per point, median (80 %)", "of it beyond exposure and read-out"]
    growth, processor_growth = slow.growth()
    return "\n".join(
        [
            f"Frames of {EXPOSURE_S:g} s, shutter closed, all of one rate in one run of the processes; the "
            "program records every 60 s of cell time, and every point collects what is new.\n",
            table(head, [*slow.rows(), *fast.rows()]),
            f"\nRatio of the medians beyond exposure and read-out: {slow.ratio:.2f} at {SLOW:g} times real "
            f"time (goal {RATIO_GOAL:g}: {verdict(slow.ratio, RATIO_GOAL)}), {fast.ratio:.2f} at {FAST:g} "
            f"times. The last 200 points against points 50 to 250: {100 * growth:+.1f} % of the time beyond "
            f"(goal ± {100 * GROWTH_GOAL:g} %: {verdict(abs(growth), GROWTH_GOAL)}), "
            f"{100 * processor_growth:+.1f} % of this process's processor time.",
        ]
    )


@dataclass(frozen=True)
class Comparison:
    """Points at one rate, as `points_s` gives them."""

    rate: float
    counted: np.ndarray
    beside: np.ndarray

    @classmethod
    def at(cls, rate: float) -> Self:
        """Measure both, the shorter one before and after the longer one."""
        with beamline(rate) as config:
            session = open_session(config)
            try:
                session.xrd.detector.stage_sigs["cam.shutter_mode"] = LEAVES_SHUTTER
                session.RE(bps.mv(session.xrd.detector.exposure_s, EXPOSURE_S, session.xrd.shutter, "closed"))
                station = session.xrd
                devices = [station.detector, station.clocks, session.cycler, ReadOnly(station.monitors)]
                counted = [points_s(session, bp.count(devices, COUNTED // 2))]
                beside = points_s(session, beside_a_program(session, POINTS[rate]))
                counted.append(points_s(session, bp.count(devices, COUNTED // 2)))
            finally:
                session.close()
        return cls(rate, np.concatenate(counted, axis=1), beside)

    @property
    def ratio(self) -> float:
        """Of a point beside a program to one of `bp.count`, both beyond exposure and read-out."""
        return float(np.median(self.beside[1]) / np.median(self.counted[1]))

    def growth(self) -> tuple[float, float]:
        """Of late points against early ones: time beyond (median), processor time (mean)."""
        early, late = self.beside[:, 50:250], self.beside[:, -200:]
        beyond = np.median(late[1]) / np.median(early[1]) - 1
        return float(beyond), float(late[2].mean() / early[2].mean() - 1)

    def rows(self) -> list[list[object]]:
        """Of the table."""
        named = (
            ("`bp.count` of the same devices", self.counted),
            ("`take_frame` beside a running program", self.beside),
        )
        return [
            [f"{name}, {self.rate:g} x", taken.shape[1], spread(taken[0], 1e3), spread(taken[1], 1e3)]
            for name, taken in named
        ]

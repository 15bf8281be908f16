"""How long after the voltage has crossed a level the exposure begins that waits for it."""

import json
import math
from typing import Any

import numpy as np

from benchmarks.faults.evidence import Documents
from benchmarks.report import table, verdict
from benchmarks.rig import CELL_FILE, beamline, wait_for
from intercalate.cell import Cell
from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS
from intercalate.session import Session, open_session
from intercalate_plans import operando

RECORD_S = 2.0
"""A step of the simulated cell: records are not made more often."""

EXPOSURE_S = 2.0
DURATION_S = 420.0
LEVELS, LEVEL_V = 60, 0.005
MARGIN_S = 0.05

_UNIX, _VOLTAGE = (RECORD_COLUMNS.index(name) for name in ("unix_time_second", "voltage_volt"))


def reactions_s(documents: Documents, levels_v: np.ndarray, truth: dict[int, dict[str, Any]]) -> np.ndarray:
    """Of each frame: seconds from the crossing, and from the record that showed it, to the exposure's start.

    Parameters
    ----------
    truth
        Of the exposures, by the number of the frame in its file: their start by the cycler's clock.

    Returns
    -------
    ndarray, shape (2, n)
    """
    records = documents.records()
    time_s, voltage_v = records[:, _UNIX], records[:, _VOLTAGE]
    found = []
    frames = [event["data"] for event in documents.events("xrd")]
    visits = [event["data"] for event in documents.events("visits")]
    for frame, visit in zip(frames, visits, strict=True):
        due = int(np.searchsorted(time_s, visit["visit_due_unix_s"]))
        passed = levels_v[(levels_v > voltage_v[due - 1]) & (levels_v <= voltage_v[due])]
        crossed_s = np.interp(passed[0], voltage_v[due - 1 : due + 1], time_s[due - 1 : due + 1])
        began_s = truth[int(frame["diffractometer_hdf_frame_index"])]["start_unix_s"]
        found.append((began_s - crossed_s, began_s - time_s[due]))
    return np.array(found).T


def _truth(config: Config) -> dict[int, dict[str, Any]]:
    lines = config.stored("simulator/truth.jsonl").read_text().splitlines()
    return {entry["frame_index"]: entry for entry in map(json.loads, lines)}


def _voltage_v(session: Session) -> float:
    return float(session.cycler.voltage_v.get(use_monitor=False))


def measure() -> str:
    """Table of a charge at real time."""
    with beamline(1.0) as config:
        session = open_session(config)
        try:
            wait_for(lambda: math.isfinite(_voltage_v(session)), 10.0, "the cell's first reading")
            rested_v = _voltage_v(session)
            levels_v = np.round(rested_v + LEVEL_V * np.arange(1, LEVELS + 1), 4)
            charge = {"step": "constant_current", "rate_C": 0.2, "until_time_s": DURATION_S}
            documents = Documents()
            session.RE(
                operando(
                    session.cycler,
                    session.xrd,
                    Cell.from_file(CELL_FILE),
                    {"record": {"time_s": RECORD_S}, "method": [charge]},
                    {"at": {"voltage_V": levels_v.tolist(), "direction": "up"}},
                    EXPOSURE_S,
                    on_abort="rest",
                    on_client_lost="rest",
                ),
                documents,
            )
        finally:
            session.close()
        found = reactions_s(documents, levels_v, _truth(config))
    goal_s = 2 * RECORD_S + MARGIN_S
    names = ("crossing, between two records", "record that shows it")
    rows = [
        [f"from the {name}", f"{np.median(one):.2f}", f"{np.percentile(one, 90):.2f}", f"{one.max():.2f}"]
        for name, one in zip(names, found, strict=True)
    ]
    return "\n".join(
        [
            f"A charge at real time with a record every {RECORD_S:g} s and a frame whenever the voltage "
            f"passes one of {LEVELS} levels; {found.shape[1]} frames. Goal: two record intervals and "
            f"{1000 * MARGIN_S:g} ms, {goal_s:g} s: {verdict(float(found[0].max()), goal_s)}.\n",
            table(["to the start of the exposure, s", "median", "90 %", "longest"], rows),
        ]
    )

"""An experiment of 20 h, killed three times and taken up each time, against one that nobody disturbed."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.faults.evidence import (
    TIME,
    foreign_frames,
    frame_truth,
    ledger,
    program_records,
    starts,
)
from benchmarks.faults.experiments import Follower, Run, experiment_file, of_steps
from benchmarks.faults.rendering import frames_that_differ
from benchmarks.report import table
from benchmarks.rig import beamline, wait_for
from intercalate.catalog.chain import runs_of_experiment
from intercalate.catalog.client import find_run
from intercalate.catalog.run_table import run_status
from intercalate.catalog_services import open_configured_catalog
from intercalate.cell import Cell
from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS
from intercalate.protocol import Protocol, bind
from intercalate.report import ABSENT, NO_SESSION, report_of

RATE = 500.0
"""At twice this, a session that starts on a busy machine comes hours of cell time late."""

KILLS_AT = ((0.05, 0.2), (0.3, 0.45), (0.55, 0.7))
"""Shares of the program between which each kill falls."""

EVERY_S, EXPOSURE_S = 600.0, 60.0
CURRENT_C = 0.1
LONGEST_S = 600.0
"""Wall seconds of one session at most."""

SAME = 1e-8
UNIX_COLUMNS = ("unix_time_second", "record_seq")
"""They count from when the beamline was made."""


def twenty_hours() -> dict[str, Any]:
    """A charge and a discharge at C/10, with a rest after each: about 20 h."""
    limits = ((1, 4.2, 36_000.0), (-1, 3.0, 32_400.0))
    steps: list[dict[str, Any]] = []
    for sign, limit_v, longest_s in limits:
        current = {"rate_C": sign * CURRENT_C, "until_voltage_V": limit_v, "until_time_s": longest_s}
        steps += [
            {"step": "constant_current", **current},
            {"step": "open_circuit_voltage", "until_time_s": 3240.0},
        ]
    return {**of_steps(*steps), "record": {"time_s": 30.0}}


@dataclass
class Result:
    """What one experiment left.

    Attributes
    ----------
    records
        Of the run that saw the end.
    own
        Those of the server's own file.
    frames, rendered, differing, foreign
        Of all its runs: number of events, of frames rendered again, of those that differ, and what is wrong
        with events.
    """

    runs: list[Follower]
    records: np.ndarray
    own: np.ndarray
    frames: int
    rendered: int
    differing: int
    foreign: list[str]
    programs: int
    marked: str


def measure(seed: int) -> str:
    """Compare the two, and tell how they differ.

    Raises
    ------
    RuntimeError
        If records or frames are not the same, or a gap is not marked.
    """
    rng = random.Random(seed)
    alone = _performed([])
    duration_s = float(alone.own[-1, TIME])
    kills_s = [rng.uniform(*share) * duration_s for share in KILLS_AT]
    killed = _performed(kills_s)
    broken = [
        f"{name}: {words}" for name, one in (("alone", alone), ("killed", killed)) for words in _wrong(one)
    ]
    largest = largest_differences(alone.records, killed.records)
    broken += [f"{name} differs by {off:g}" for name, off in largest.items() if not off <= SAME]
    if broken:
        raise RuntimeError("; ".join(broken))
    return _told(seed, kills_s, alone, killed, largest)


def largest_differences(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Largest difference of each column; infinity where there are not as many records."""
    columns = [name for name in RECORD_COLUMNS if name not in UNIX_COLUMNS]
    if one.shape != other.shape:
        return dict.fromkeys(columns, np.inf)
    found = {}
    for name in columns:
        a, b = (rows[:, RECORD_COLUMNS.index(name)] for rows in (one, other))
        is_same = (a == b) | (np.isnan(a) & np.isnan(b))
        found[name] = float(np.abs(a - b)[~is_same].max(initial=0.0))
    return found


def _wrong(one: Result) -> list[str]:
    wrong = list(one.foreign)
    if one.differing:
        wrong.append(f"{one.differing} of {one.rendered} frames are not what their exposures render to")
    if not np.array_equal(one.records, one.own, equal_nan=True):
        wrong.append("the run's records are not the server's")
    if one.programs != 1:
        wrong.append(f"{one.programs} programs were started")
    if len(one.runs) > 1 and not one.marked:
        wrong.append("the gaps are not marked")
    return wrong


def _performed(kills_s: list[float]) -> Result:
    """The experiment on a beamline of its own, killed at these times and taken up each time."""
    with beamline(RATE, catalog=True) as config:
        path = experiment_file(
            config.storage.folder.parent,
            twenty_hours(),
            on_abort="continue",
            on_client_lost="continue",
            every_s=EVERY_S,
            exposure_s=EXPOSURE_S,
        )
        runs: list[Follower] = []
        for at_s in kills_s:
            run = Run(config, *(["resume"] if runs else ["run", str(path)]))
            runs.append(run)
            run.wait_for_frames(1)
            wait_for(lambda: _test_time_s(run) >= at_s, LONGEST_S, f"{at_s:.0f} s", 0.02)  # noqa: B023
            run.kill()
        last = Run(config, *(["resume"] if runs else ["run", str(path)]))
        runs.append(last)
        code, words = last.end(LONGEST_S)
        if code != 0:
            raise RuntimeError(f"the last session ended with {code}: {words}")
        return _result(config, runs)


def _test_time_s(run: Follower) -> float:
    records = run.documents().records()
    return float(records[-1, TIME]) if len(records) else -1.0


def _result(config: Config, runs: list[Follower]) -> Result:
    documents = [run.documents() for run in runs]
    (start,) = documents[-1].of("start")
    own = program_records(config, ledger(config)[start["program_id"]])
    protocol, cell = Protocol.from_dict(start["protocol"]), Cell.model_validate(start["cell"])
    rendered, differing = frames_that_differ(config, bind(protocol, cell, config.site), own)
    truth = frame_truth(config)
    return Result(
        runs,
        documents[-1].records(),
        own,
        sum(len(one.events("xrd")) for one in documents),
        rendered,
        differing,
        [words for one in documents for words in foreign_frames(one, truth, "xrd")],
        starts(config).total(),
        _gaps(config, start["uid"]),
    )


def _gaps(config: Config, uid: str) -> str:
    """What the report says of the times without a session; empty where it says nothing of them."""
    catalog = open_configured_catalog(config)
    try:
        wait_for(lambda: _is_stored(catalog, uid), LONGEST_S, "the catalog has the last run", 0.5)
        report = report_of(runs_of_experiment(catalog, find_run(catalog, uid)))
    finally:
        catalog.context.close()
    absent_s = report.time_s[ABSENT]
    if not absent_s:
        return ""
    missed = sum(one.missed.get(NO_SESSION, 0) for one in report.measurements.values())
    return f"{', then '.join(report.statuses)}; {absent_s:.0f} s without a session, {missed} occasions missed"


def _is_stored(catalog: Any, uid: str) -> bool:
    try:
        return run_status(catalog[uid].metadata) == "complete"
    except KeyError:
        return False


def _told(seed: int, kills_s: list[float], alone: Result, killed: Result, largest: dict[str, float]) -> str:
    rows = [
        [name, len(one.records), one.frames, one.rendered, one.differing, one.marked or "no gap"]
        for name, one in (("undisturbed", alone), ("killed and taken up", killed))
    ]
    head = ["experiment", "records", "frames of events", "rendered again", "differing", "by its report"]
    times = ", ".join(f"{at_s / 3600:.2f}" for at_s in kills_s)
    same = sum(off == 0 for off in largest.values())
    worst = max(largest, key=lambda name: largest[name])
    return "\n".join(
        [
            f"{alone.own[-1, TIME] / 3600:.2f} h of cell time at {RATE:g} x, a frame every {EVERY_S:g} s. "
            f"The session of one is killed (kill -9) at {times} h, drawn with seed {seed}, and its program "
            "taken up each time.\n",
            table(head, rows),
            "",
            f"{len(largest)} columns of all records compared: {same} are the same bit for bit, the largest "
            f"difference is {largest[worst]:.1e} ({worst}; goal {SAME:g}). Rendered again: from settings, "
            "program and times of the exposures alone, and compared pixel by pixel.",
        ]
    )

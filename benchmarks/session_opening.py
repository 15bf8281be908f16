"""A session that opens, against the imports that every Bluesky session makes; and what the journal costs."""

import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

from benchmarks.report import table, verdict
from benchmarks.rig import FEW_INSTRUMENTS, MANY_INSTRUMENTS, beamline, first_light
from intercalate.catalog.journal import Journal
from intercalate.config import Config

OPENINGS, DOCUMENTS, KEYS = 9, 5000, 60
GOAL, JOURNAL_GOAL_MS = 1.3, 0.2

IMPORTS = """
import time
began_s = time.perf_counter()
import bluesky, ophyd, tiled.client
from bluesky import RunEngine
print(time.perf_counter() - began_s)
"""
SESSION = """
import sys, time
began_s = time.perf_counter()
from intercalate.garbage import nothing_collected
with nothing_collected(for_good=True):
    from intercalate.session import open_session
    session = open_session(sys.argv[1])
    import intercalate_plans
print(time.perf_counter() - began_s)
session.close()
"""


def measure() -> str:
    """Tables of both, with their goals."""
    with beamline(1.0, edit=first_light) as config:
        small = _openings(config, FEW_INSTRUMENTS)
    with beamline(1.0) as config:
        large = _openings(config, MANY_INSTRUMENTS)
    openings = table(("", "imports, s", "session ready, s", "ratio", "at most", ""), [small, large])
    event_ms, last_ms = _journal_ms()
    journal = table(
        ("documents", "ms each, median", "99 %", "median of the last tenth", "at most", ""),
        [
            (
                f"{DOCUMENTS} events of {KEYS} values",
                f"{np.median(event_ms):.3f}",
                f"{np.percentile(event_ms, 99):.3f}",
                f"{last_ms:.3f}",
                JOURNAL_GOAL_MS,
                verdict(float(np.median(event_ms)), JOURNAL_GOAL_MS),
            )
        ],
    )
    return (
        f"Medians of {OPENINGS} processes each, in turn. The imports are those of bluesky, ophyd and the "
        "client of tiled; the session is ready where all its devices have answered and all plans can be "
        "called.\n\n"
        f"{openings}\n\nThe journal, as the RunEngine calls it:\n\n{journal}"
    )


def _openings(config: Config, what: str) -> tuple[object, ...]:
    file = str(config.storage.folder.parent / "simulated.toml")
    found = np.array([(_seconds(IMPORTS, file), _seconds(SESSION, file)) for _ in range(OPENINGS)])
    imports_s, session_s = np.median(found, axis=0)
    ratio = session_s / imports_s
    return what, f"{imports_s:.2f}", f"{session_s:.2f}", f"{ratio:.2f}", GOAL, verdict(ratio, GOAL)


def _seconds(code: str, file: str) -> float:
    command = [sys.executable, "-c", code, file]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def _journal_ms() -> tuple[np.ndarray, float]:
    """Of each event; and the median of the last tenth, when the file is long."""
    names = [f"value_{number}" for number in range(KEYS)]
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        run, stream = str(uuid.uuid4()), str(uuid.uuid4())
        journal("start", {"uid": run, "time": time.time()})
        keys = {name: {"dtype": "number", "shape": [], "source": "benchmark"} for name in names}
        journal(
            "descriptor",
            {"uid": stream, "run_start": run, "time": time.time(), "name": "primary", "data_keys": keys},
        )
        took_ms = np.empty(DOCUMENTS)
        for number in range(DOCUMENTS):
            now = time.time()
            event = {
                "uid": str(uuid.uuid4()),
                "descriptor": stream,
                "seq_num": number + 1,
                "time": now,
                "data": dict(zip(names, rng.standard_normal(KEYS).tolist())),
                "timestamps": dict.fromkeys(names, now),
                "filled": {},
            }
            began_s = time.perf_counter()
            journal("event", event)
            took_ms[number] = 1e3 * (time.perf_counter() - began_s)
        journal(
            "stop",
            {"uid": str(uuid.uuid4()), "run_start": run, "time": time.time(), "exit_status": "success"},
        )
        journal.close()
    return took_ms, float(np.median(took_ms[-DOCUMENTS // 10 :]))


if __name__ == "__main__":
    print(measure())

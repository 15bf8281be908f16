"""A long run at the speed of a real cell: does anything grow?"""

import time
from typing import Any

import numpy as np

from benchmarks.report import table
from benchmarks.rig import beamline, documents, experiment, processes, processor_s, resting, said, wait_for

EXPOSURE_S = 2.0
EVERY_S = 6.0
WARM_UP_SHARE = 0.2


def point_costs_s(found: list[tuple[str, Any]]) -> np.ndarray:
    """Wall seconds of each point from its frame being in the file to its event."""
    return np.array(
        [
            doc["time"] - doc["timestamps"]["diffractometer_hdf_frame_index"]
            for name, doc in found
            if name == "event" and "diffractometer_image" in doc["data"]
        ]
    )


def measure(minutes: float) -> str:
    """Table of processor time and memory, and the cost of a point at the beginning and the end."""
    duration_s = 60.0 * minutes
    with (
        beamline(1.0, catalog=True) as config,
        experiment(config, resting(duration_s, 2.0), every_s=EVERY_S, exposure_s=EXPOSURE_S) as session,
    ):
        wait_for(lambda: len(documents(config)) > 5, 60, "a running program")
        running = processes(config, session)
        samples: list[tuple[float, dict[str, float], dict[str, float]]] = []
        began = time.monotonic()
        while session.poll() is None and time.monotonic() - began < duration_s - 5:
            memory = {name: process.memory_info().rss / 1e6 for name, process in running.items()}
            samples.append((time.monotonic() - began, processor_s(running), memory))
            time.sleep(min(10.0, duration_s / 50))
        session.wait(duration_s)
        if session.returncode:
            raise RuntimeError(said(config))
        costs = point_costs_s(documents(config))
    measured = samples[int(WARM_UP_SHARE * len(samples)) :]
    first, middle, last = measured[0], measured[len(measured) // 2], measured[-1]
    span_s = last[0] - first[0]
    rows = []
    for name in running:
        share = 100 * (last[1][name] - first[1][name]) / span_s
        growths = [
            f"{late[2][name] - early[2][name]:+.1f}" for early, late in ((first, middle), (middle, last))
        ]
        rows.append([name, f"{share:.1f}", f"{first[2][name]:.0f}", *growths])
    third = len(costs) // 3
    early, late = np.median(costs[:third]), np.median(costs[-third:])
    half = f"{span_s / 120:.1f} min"
    head = ["process", "% of a core", "memory MB", f"growth MB in {half}", f"in the next {half}"]
    return "\n".join(
        [
            f"{minutes:g} min, a record every 2 s, a frame of {EXPOSURE_S:g} s every {EVERY_S:g} s "
            f"({len(costs)} frames), catalog up; the first {100 * WARM_UP_SHARE:.0f} % are warm-up.\n",
            table(head, rows),
            f"\nFrom a frame in the file to its event: {1e3 * early:.1f} ms in the first third, "
            f"{1e3 * late:.1f} ms in the last ({100 * (late - early) / early:+.0f} %).",
        ]
    )

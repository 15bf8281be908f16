"""How fast the simulated beamline goes when it is asked for more than it can, and what limits it."""

import json
import time
from typing import Any

from benchmarks.report import table
from benchmarks.rig import beamline, experiment, processes, processor_s, said
from intercalate.config import EXAMPLES

ASKED = 100_000.0
HOURS = 10.0


def protocol() -> dict[str, Any]:
    """The charge of the demo's experiment, the first hours of it."""
    content = json.loads((EXAMPLES / "protocols" / "formation_c10.json").read_text())
    content["method"] = [{**content["method"][0], "until_time_s": 3600 * HOURS}]
    return content


def one(name: str, every_s: float | None) -> list[str]:
    """A row of the table."""
    with beamline(ASKED) as config, experiment(config, protocol(), every_s=every_s, exposure_s=60.0) as run:
        running = processes(config, run)
        before = processor_s(running)
        while state(config) != "RUNNING":
            if run.poll() is not None:
                raise RuntimeError(said(config))
            before = processor_s(running)
            time.sleep(0.02)
        began = time.monotonic()
        while state(config) == "RUNNING":
            after = processor_s(running)
            time.sleep(0.02)
        wall_s = time.monotonic() - began
        run.wait(60)
        if run.returncode:
            raise RuntimeError(said(config))
    used = {process: 100 * (after[process] - before[process]) / wall_s for process in after}
    ordered = sorted(used, key=lambda process: -used[process])
    load = ", ".join(f"{process} {used[process]:.0f} %" for process in ordered if used[process] >= 1)
    return [name, f"{HOURS * 3600 / wall_s:.0f}", f"{wall_s:.1f}", load]


def state(config: Any) -> str:
    """State of the cycler, as it says itself."""
    import epics

    return str(epics.caget(f"{config.cycler.channel_prefix('CH1')}State", as_string=True, timeout=5.0))


def measure() -> str:
    """Table: the cycler alone, and with frames every five minutes of cell time."""
    head = ["demo experiment", "cell seconds per s", "wall s", "load, % of a core"]
    rows = [one("cycler alone", None), one("a frame every 300 s", 300.0)]
    return "\n".join(
        [
            f"The charge of the demo, {HOURS:g} h of cell time in steps of 2 s, at an unlimited rate. The "
            "world waits for the cycler server at every step and for the detector at every frame, so the "
            "limit is the way through these processes.\n",
            table(head, rows),
        ]
    )

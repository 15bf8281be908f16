"""Processor time of every process at the speed of a real cell."""

from benchmarks.report import table, verdict
from benchmarks.rig import beamline, documents, experiment, processes, resting, shares, wait_for

DURATION_S = 40.0
SETTLE_S = 5.0
GOAL_PERCENT = 2.0


def measure() -> str:
    """Table: nothing to do, and a program with records every 2 s and a frame every 20 s."""
    with beamline(1.0, catalog=True) as config:
        shares(processes(config), SETTLE_S)
        idle = shares(processes(config), DURATION_S)
        with experiment(config, resting(600.0, 2.0), every_s=20.0, exposure_s=5.0) as session:
            wait_for(lambda: len(documents(config)) > 5, 60, "a running program")
            busy = shares(processes(config, session), DURATION_S)
    rows = []
    for name, share in busy.items():
        at_rest = idle.get(name)
        shown = "" if at_rest is None else f"{at_rest:.1f}"
        rows.append([name, shown, f"{share:.1f}", verdict(max(at_rest or 0.0, share), GOAL_PERCENT)])
    head = ["process", "idle, % of a core", "running, % of a core", f"goal {GOAL_PERCENT:g} %"]
    return "\n".join(
        [
            f"Over {DURATION_S:g} s each; running: a record every 2 s, a frame of 5 s every 20 s. "
            "The catalog is up.\n",
            table(head, rows),
        ]
    )

"""The queue's worker against that of an empty profile: how long it takes to open, and each plan."""

import re
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.report import table, verdict
from benchmarks.rig import FEW_INSTRUMENTS, MANY_INSTRUMENTS, beamline, first_light, wait_for
from intercalate.config import Config
from intercalate.queue.client import QueueClient, open_environment
from intercalate.queue.keys import private_key
from intercalate.queue.manager import arguments
from intercalate.queue.serving import (
    MANAGER,
    SUPERVISOR,
    manager_answers,
    queue_services,
    start_queue,
    stop_queue,
)

OPENINGS, PLANS = 5, 40
PLAN = """
import bluesky.plan_stubs as bps

def does_nothing():
    yield from bps.null()
"""
EMPTY = "from bluesky import RunEngine\n\nRE = RunEngine()\n" + PLAN
PERMISSIONS = "user_groups:\n  root:\n    allowed_plans: [null]\n  primary:\n    allowed_plans: [null]\n"
LISTS = "existing_plans: {}\nexisting_devices: {}\n"


def measure() -> str:
    """Table of both, with their goals."""
    rows = []
    for what, make in (
        (FEW_INSTRUMENTS, partial(beamline, 1.0, edit=first_light)),
        (MANY_INSTRUMENTS, partial(beamline, 1.0)),
    ):
        with make() as config:
            ours, empty = config.storage.folder.parent / "simulated.toml", _with_empty_profile(config)
            config.plans_folder.mkdir()
            (config.plans_folder / "does_nothing.py").write_text(PLAN)
            (bare_open_s, bare_plan_s), (open_s, plan_s) = _of(empty, is_stock=True), _of(ours)
        rows += [
            _row(f"environment opens: {what}, s", bare_open_s, open_s, 1.5),
            _row(f"each queued plan: {what}, s", bare_plan_s, plan_s, 1.2),
        ]
    return table(("", "empty profile", "this one", "ratio", "at most", ""), rows) + (
        f"\n\nMedian of {OPENINGS} openings, and of {PLANS} plans that do nothing, in a stock RE Manager "
        "whose startup file makes a RunEngine and nothing else, and in that of this package, with all "
        "devices connected over Channel Access, which takes most of the time."
    )


def _row(what: str, bare_s: float, own_s: float, goal: float) -> tuple[object, ...]:
    ratio = own_s / bare_s
    return what, f"{bare_s:.3f}", f"{own_s:.3f}", f"{ratio:.2f}", goal, verdict(ratio, goal)


def _with_empty_profile(config: Config) -> Path:
    """Configuration file of the same queue with another startup folder."""
    folder = config.storage.folder.parent
    startup = folder / "profile_empty" / "startup"
    startup.mkdir(parents=True)
    (startup / "00_nothing.py").write_text(EMPTY)
    (startup / "user_group_permissions.yaml").write_text(PERMISSIONS)
    (startup / "existing_plans_and_devices.yaml").write_text(LISTS)
    text = (folder / "simulated.toml").read_text()
    text = re.sub(r"^startup_folder = .*$", 'startup_folder = "profile_empty/startup"', text, flags=re.M)
    path = folder / "empty.toml"
    path.write_text(text)
    return path


def _of(config_file: Path, *, is_stock: bool = False) -> tuple[float, float]:
    """Medians of the time of an opening and of a plan, in s."""
    config = Config.from_file(config_file)
    start_queue(config, config_file)
    try:
        if is_stock:
            _replace_by_stock(config)
        with QueueClient(config) as client:
            openings_s = [_opening_s(client) for _ in range(OPENINGS)]
            client.ask("environment_open")
            client.wait(lambda status: status["manager_state"] == "idle", 60.0, "it is open")
            client.add([{"item_type": "plan", "name": "does_nothing"}] * PLANS)
            client.ask("queue_start")
            client.wait(lambda status: status["manager_state"] == "idle", 120.0, "all plans have run")
            ends_s = [item["result"]["time_stop"] for item in client.history()[-PLANS:]]
    finally:
        stop_queue(config, at_once=True)
    return float(np.median(openings_s)), float(np.median(np.diff(ends_s)))


def _replace_by_stock(config: Config) -> None:
    """The manager as it is, without what this package has it import before."""
    services = queue_services(config)
    for name in (SUPERVISOR, MANAGER):
        services.end(name)
    command = [str(Path(sys.executable).parent / "start-re-manager"), *arguments(config)]
    services.start(MANAGER, command, {"QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER": private_key(config)})
    wait_for(lambda: manager_answers(config), 60.0, "the stock manager answers")


def _opening_s(client: QueueClient) -> float:
    began_s = time.monotonic()
    open_environment(client)
    took_s = time.monotonic() - began_s
    client.ask("environment_close")
    client.wait(lambda status: status["manager_state"] == "idle", 60.0, "it is closed")
    return took_s


if __name__ == "__main__":
    print(measure())

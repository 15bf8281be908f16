"""The RE Manager as a process: `start-re-manager` with what the configuration says, its keys from files."""

import importlib
import json
import logging
import os
import sys
from multiprocessing import current_process
from multiprocessing.util import register_after_fork
from pathlib import Path

import click
import psutil

from intercalate.config import CONFIG_VARIABLE, Config
from intercalate.queue.keys import lock_key, private_key, queue_folder
from intercalate.queue.store import address, name_prefix

LISTS = "existing_plans_and_devices.yaml"
PERMISSIONS = "user_group_permissions.yaml"
LOOPBACK = "tcp://127.0.0.1"
ROLES = {"RE Manager Process": "manager", "RE Worker Process": "worker"}
"""Names that the RE Manager gives to its processes, and what they are here."""


def arguments(config: Config) -> list[str]:
    """Of `start-re-manager`."""
    queue = config.queue
    return [
        *("--zmq-control-addr", f"{LOOPBACK}:{queue.control_port}"),
        *("--zmq-info-addr", f"{LOOPBACK}:{queue.info_port}"),
        *("--zmq-publish-console", "ON"),
        *("--redis-addr", address(config)),
        *("--redis-name-prefix", name_prefix(config)),
        *("--startup-dir", str(queue.startup_folder)),
        *("--existing-plans-devices", str(queue_folder(config) / LISTS)),
        *("--user-group-permissions", str(queue.startup_folder / PERMISSIONS)),
        *("--update-existing-plans-devices", "ENVIRONMENT_OPEN"),
        # Plans name devices, not their parts.
        *("--device-max-depth", "1"),
        "--quiet",
    ]


def process_file(config: Config, role: str) -> Path:
    """File in which the manager's or the worker's process is named."""
    return queue_folder(config) / f"{role}.process.json"


def process_of(config: Config, role: str) -> psutil.Process | None:
    """The manager's or the worker's process; None where it has ended, or never was."""
    try:
        said = json.loads(process_file(config, role).read_text())
        process = psutil.Process(said["pid"])
        same = process.create_time() == said["started_unix_s"]
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


FOR_WORKER = ("intercalate_plans", "intercalate.startup", "intercalate.instruments", "intercalate.results")
"""Modules that each worker needs, and the libraries by which plans reduce what they measure."""


class _Noted:
    """Notes each child process in its file: a worker that is killed is known by its process alone."""

    def __init__(self, config: Config):
        self._config = config

    def note(self) -> None:
        role = ROLES.get(current_process().name)
        if role is None:
            return
        said = {"pid": os.getpid(), "started_unix_s": psutil.Process().create_time()}
        path = process_file(self._config, role)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(said))
        new.replace(path)


class _Hidden(logging.Filter):
    """Keeps a word out of what is logged."""

    def __init__(self, word: str):
        super().__init__()
        self._word = word

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if self._word in said:
            record.msg, record.args = said.replace(self._word, "(address of Redis)"), ()
        return True


def _import_for_worker() -> None:
    """Import what each worker needs, once: workers are forked from this process, and open faster.

    What the package itself says is thus read when the queue goes up; plans of one's own, with each worker.
    Nothing is connected: a worker says which control layer ophyd has (`open_session`), before it makes
    devices. Until then there is none, for its threads would not survive the fork.
    """
    os.environ["OPHYD_CONTROL_LAYER"] = "dummy"
    for module in (
        "intercalate_plans",
        "intercalate.startup",
        "intercalate.instruments",
        "intercalate.results",
        "intercalate.interrupts",
        *(f"intercalate.devices.{name}" for name in ("archive", "connecting", "logbook", "transfer_vessel")),
    ):
        importlib.import_module(module)
    del os.environ["OPHYD_CONTROL_LAYER"]


@click.command()
@click.option("--config", "config_file", type=Path, required=True)
def main(config_file: Path) -> None:
    """Run the RE Manager until it is told to end."""
    from bluesky_queueserver.manager.start_manager import start_manager

    config = Config.from_file(config_file)
    os.environ[CONFIG_VARIABLE] = str(config_file)
    os.environ["QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER"] = private_key(config)
    os.environ["QSERVER_EMERGENCY_LOCK_KEY_FOR_SERVER"] = lock_key(config)
    for part in ("start_manager", "plan_queue_ops", "manager"):
        logging.getLogger(f"bluesky_queueserver.manager.{part}").addFilter(_Hidden(address(config)))
    _import_for_worker()
    noted = _Noted(config)
    register_after_fork(noted, _Noted.note)
    # Written here, arguments are seen by nobody who lists processes.
    sys.argv = ["start-re-manager", *arguments(config)]
    sys.exit(start_manager())


if __name__ == "__main__":
    main()

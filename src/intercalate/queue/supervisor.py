"""Watches the queue: brings back what has died, and holds what must not be repeated without a decision.

A worker that dies is not noticed by the RE Manager, which goes on saying that it executes the queue. Items
that failed come back to the front of its queue, and would be repeated by the next start.
"""

import logging
import re
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from intercalate.config import Config
from intercalate.queue import store
from intercalate.queue.client import QueueClient
from intercalate.queue.held import HeldItems
from intercalate.queue.items import batch_of
from intercalate.queue.manager import process_of
from intercalate.queue.serving import MANAGER, REDIS, START_TIMEOUT_S, manager_answers, queue_services

log = logging.getLogger(__name__)

PERIOD_S = 0.5
LOST_REPORT_S = 10.0
"""For so long the manager may wait for a plan of which the idle worker says nothing."""
OPEN_AGAIN_S = 30.0
"""After an environment that did not open, it is tried again."""
OPENING_S = 120.0


class Supervisor:
    """One look after the other at processes, worker and queue.

    Parameters
    ----------
    config
        Of the queue.
    """

    def __init__(self, config: Config):
        self._config = config
        self._services = queue_services(config)
        self._held = HeldItems(config)
        self._client: QueueClient | None = None
        self._was_open = False
        self._reopen_at: float | None = None
        self._silent: tuple[str | None, float] = None, 0.0

    def look(self) -> None:
        """Do what is to be done now; what does not work is told, and tried again with the next look."""
        try:
            self._bring_back_processes()
            status = self._ask().status()
            if self._worker_died(status):
                self._replace_environment()
            elif self._report_is_lost(status):
                self._restart_manager_process()
            else:
                self._hold_what_failed()
                self._open_again(status)
                self._was_open = status["worker_environment_exists"] or self._reopen_at is not None
        except (RuntimeError, OSError, ValueError) as error:
            log.info("%s", error)

    def _ask(self) -> QueueClient:
        if self._client is None:
            self._client = QueueClient(self._config)
        return self._client

    def _bring_back_processes(self) -> None:
        """Start Redis and manager again where they have ended; what is left of a dead manager is ended."""
        services = {service.name: service for service in self._services.read()}
        redis = services.get(REDIS)
        if redis is not None and redis.process is None:
            log.warning("Redis has died and is started again")
            self._services.restart(REDIS)
            self._wait(lambda: store.answers(self._config), "Redis")
        manager = services.get(MANAGER)
        if manager is not None and manager.process is None:
            log.warning("the RE Manager has died and is started again, with a new environment")
            self._services.end(MANAGER)
            self._services.start(MANAGER, manager.command, manager.environment)
            self._wait(lambda: manager_answers(self._config), "the RE Manager")
            self._hold_what_failed()
            if self._was_open:
                self._reopen_at = time.monotonic()

    def _wait(self, is_ready: Any, what: str) -> None:
        self._services.wait(lambda: float(is_ready()), START_TIMEOUT_S, what)

    def _worker_died(self, status: dict[str, Any]) -> bool:
        return (
            status["worker_environment_exists"]
            and status["manager_state"] not in ("creating_environment", "destroying_environment")
            and process_of(self._config, "worker") is None
        )

    def _replace_environment(self) -> None:
        """The cell of a plan that ran is left to its lease, which ends as its experiment says."""
        log.warning("the worker has died; its environment is destroyed and opened again")
        client = self._ask()
        client.ask("environment_destroy")
        client.wait(
            lambda status: status["manager_state"] == "idle", OPENING_S, "the environment is destroyed"
        )
        self._hold_what_failed()
        self._reopen_at = time.monotonic()

    def _report_is_lost(self, status: dict[str, Any]) -> bool:
        """Whether a plan has ended in a moment in which its end could not be written down.

        A worker that is idle at every look may do many short plans: it is the same one that is waited for.
        """
        waits = status["manager_state"] == "executing_queue" and status["re_state"] == "idle"
        uid = status["running_item_uid"] if waits else None
        if uid is None or uid != self._silent[0]:
            self._silent = uid, time.monotonic()
            return False
        return time.monotonic() - self._silent[1] > LOST_REPORT_S

    def _restart_manager_process(self) -> None:
        """The RE Manager's own watchdog starts it again, with the same worker."""
        self._silent = None, 0.0
        process = process_of(self._config, "manager")
        if process is not None:
            log.warning("the RE Manager does not know how a plan has ended; it is started again")
            process.kill()

    def _hold_what_failed(self) -> None:
        """Take items that came back to the queue out of it, and keep those whose end nobody saw."""
        client = self._ask()
        for item in client.items():
            if (result := item.get("result")) is None or item.get("name") in self._config.queue.repeat_failed:
                continue
            self._hold(item, f"{result['exit_status']}: {reason(result)}", result["run_uids"])
            self._hold_what_belongs_to(item)
        decided = self._held.decided()
        for item in client.history():
            result = item.get("result", {})
            if result.get("exit_status") != "unknown" or item["item_uid"] in decided:
                continue
            # It is in the history alone.
            log.warning("%s is held: nobody saw how it ended", item.get("name"))
            why = "unknown: the manager died while it ran; see its runs for how far it came"
            self._held.hold(_as_queued(item), why, result.get("run_uids", ()))
            self._hold_what_belongs_to(item)

    def _hold_what_belongs_to(self, failed: dict[str, Any]) -> None:
        """An experiment is not begun without the preflight that has failed."""
        batch = batch_of(failed)
        for item in self._ask().items() if batch else ():
            if batch_of(item) == batch and item["item_uid"] != failed["item_uid"]:
                self._hold(item, f"belongs to {failed['name']}, which is held", ())

    def _hold(self, item: dict[str, Any], why: str, run_uids: Any) -> None:
        """First kept, then removed: one that is found in both places is removed again."""
        log.warning("%s is held: %s", item.get("name"), why.splitlines()[0])
        self._held.hold(_as_queued(item), why, run_uids)
        self._ask().ask("queue_item_remove", uid=item["item_uid"])

    def _open_again(self, status: dict[str, Any]) -> None:
        if status["worker_environment_exists"] or status["manager_state"] == "creating_environment":
            if status["worker_environment_exists"]:
                self._reopen_at = None
            return
        if self._reopen_at is not None and time.monotonic() >= self._reopen_at:
            self._reopen_at = time.monotonic() + OPEN_AGAIN_S
            self._ask().ask("environment_open")


def reason(result: Mapping[str, Any]) -> str:
    """Why a plan has failed, in the words of the device where a status of it has."""
    said = str(result["msg"]).removeprefix("Plan failed: ").strip() or "no reason was given"
    if not re.match(r"\w*Status\(", said):
        return said
    causes = re.findall(r"^[\w.]+Error: (.+)$", str(result.get("traceback", "")), flags=re.MULTILINE)
    return causes[0] if causes else said


def _as_queued(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("result", "properties")}


@click.command()
@click.option("--config", "config_file", type=Path, required=True)
def main(config_file: Path) -> None:
    """Watch the queue until told to end."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    supervisor = Supervisor(Config.from_file(config_file))
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    log.info("watching")
    while not ended.wait(PERIOD_S):
        supervisor.look()


if __name__ == "__main__":
    main()

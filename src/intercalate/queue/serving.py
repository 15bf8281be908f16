"""Starts and ends the processes of the queue: Redis, RE Manager, supervisor."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from intercalate.config import Config
from intercalate.queue import store
from intercalate.queue.client import NoAnswerError, QueueClient, QueueError
from intercalate.queue.keys import make_keys, queue_folder
from intercalate.queue.manager import LISTS, process_of
from intercalate.services import Service, ServiceError, ServiceList, module_command

START_TIMEOUT_S = 60.0
REDIS, MANAGER, SUPERVISOR = "redis", "manager", "supervisor"
ANSWER_S = 1.0
Progress = Callable[[float], None]


def queue_services(config: Config) -> ServiceList:
    """The processes of the queue."""
    return ServiceList(queue_folder(config), "queue")


def start_queue(config: Config, config_file: Path, progress: Progress = lambda share: None) -> list[Service]:
    """Start what does not run yet, and wait until the manager answers.

    Raises
    ------
    ServiceError
        If all of it runs, a port is in use, Redis is not there, or a process does not come up: what was
        started is ended again.
    KeyFileError
        If others can read the keys.
    """
    services = queue_services(config)
    running = {one.name for one in services.running()}
    wanted = [*((REDIS,) if store.is_embedded(config) else ()), MANAGER, SUPERVISOR]
    missing = [name for name in wanted if name not in running]
    if not missing:
        raise ServiceError("the queue runs already; `intercalate queue down` ends it")
    for name in missing:
        # One that was killed leaves its children, which have its ports.
        services.end(name)
    _require_free_ports(config, missing)
    make_keys(config)
    lists = queue_folder(config) / LISTS
    if not lists.exists():
        shutil.copyfile(config.queue.startup_folder / LISTS, lists)
    try:
        for number, name in enumerate(missing):
            _start(config, config_file.absolute(), services, name)
            progress((number + 1) / len(missing))
    except BaseException:
        # Ctrl-C too.
        for name in reversed(missing):
            services.end(name)
        raise
    return services.read()


def _start(config: Config, config_file: Path, services: ServiceList, name: str) -> None:
    """Start one of them and wait until it is ready."""
    if name == REDIS:
        services.start(REDIS, store.server_command(config))
        _wait(services, lambda: store.answers(config), "Redis")
        return
    if name == MANAGER:
        if not store.answers(config):
            raise ServiceError(
                f"no Redis answers at {shown_redis(config)} with this password; see [queue] redis in the "
                'configuration, or say redis = "embedded"'
            )
        if other := store.claim(config):
            raise ServiceError(
                f"the queue {store.name_prefix(config)} in this Redis is that of {other}; `intercalate queue "
                f"down` there gives it back (or, where that machine is gone, delete the key "
                f"{store.name_prefix(config)}_owner), or give [catalog] profile another name"
            )
        services.start(MANAGER, module_command("intercalate.queue.manager", "--config", str(config_file)))
        _wait(services, lambda: manager_answers(config), "the RE Manager")
        return
    services.start(SUPERVISOR, module_command("intercalate.queue.supervisor", "--config", str(config_file)))


def _wait(services: ServiceList, is_ready: Callable[[], bool], what: str) -> None:
    services.wait(lambda: float(is_ready()), START_TIMEOUT_S, what)


def shown_redis(config: Config) -> str:
    """Where Redis is, without user and password."""
    return store.address(config).rpartition("@")[2]


def manager_answers(config: Config) -> bool:
    """Whether the manager answers this configuration's key."""
    try:
        with QueueClient(config, answer_s=ANSWER_S) as client:
            client.status()
    except NoAnswerError:
        return False
    return True


def stop_queue(config: Config, *, at_once: bool = False) -> list[str]:
    """End supervisor, manager with its worker, and Redis; returns the names of those that ran.

    Parameters
    ----------
    at_once
        Also while a plan runs, whose cell is then left to `on_client_lost` of its experiment.

    Raises
    ------
    QueueError
        If a plan runs.
    """
    services = queue_services(config)
    if not at_once and process_of(config, "worker") is not None and (name := _running_plan(config)):
        raise QueueError(
            f"{name} runs; `intercalate queue stop --now` ends it in good order, `intercalate queue down "
            "--now` leaves its cell to on_client_lost"
        )
    had_manager = any(one.name == MANAGER for one in services.read())
    stopped = [name for one in (SUPERVISOR, MANAGER) for name in services.end(one)]
    if had_manager:
        store.give_back(config)
    return stopped + services.stop()


def _running_plan(config: Config) -> str | None:
    try:
        with QueueClient(config, answer_s=ANSWER_S) as client:
            return client.running().get("name")
    except NoAnswerError:
        return None


def _require_free_ports(config: Config, missing: list[str]) -> None:
    queue = config.queue
    ports = {"redis_port": (REDIS, queue.redis_port), "control_port": (MANAGER, queue.control_port)}
    ports["info_port"] = (MANAGER, queue.info_port)
    for key, (name, port) in ports.items():
        if name in missing and not _is_free(port):
            raise ServiceError(
                f"port {port} is in use, by another queue or program: nothing was started; give {key} of "
                "[queue] another, or end what has it"
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

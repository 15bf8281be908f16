"""A queue that cannot be started says why, and leaves nothing half started: without any instrument."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from beamline import QUEUE_CONTROL_PORT, QUEUE_INFO_PORT, QUEUE_REDIS_PORT, free_ports
from intercalate.config import Config
from intercalate.queue.keys import make_keys, redis_password
from intercalate.queue.serving import queue_services, stop_queue
from intercalate.queue.store import answers, claim, server_command
from intercalate.services import ServiceList
from polling import wait_for
from queue_use import Queue, written

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    found = written(tmp_path)
    yield found
    stop_queue(found.config, at_once=True)


def running(queue: Queue) -> list[str]:
    return [one.name for one in queue_services(queue.config).running()]


@pytest.mark.parametrize(
    ("port", "key"),
    [
        (QUEUE_REDIS_PORT, "redis_port"),
        (QUEUE_CONTROL_PORT, "control_port"),
        (QUEUE_INFO_PORT, "info_port"),
    ],
    # Ports differ between the processes of a test run, which must agree on its names.
    ids=["redis", "control", "info"],
)
def test_an_occupied_port_is_named_and_nothing_is_started(queue: Queue, port: int, key: str) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        said = queue.refused("up")
    assert f"port {port} is in use" in said
    assert key in said
    assert running(queue) == []


def test_a_redis_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    queue = written(tmp_path, redis='"redis://:secret@127.0.0.1:9/0"')
    said = queue.refused("up")
    assert "no Redis answers at 127.0.0.1:9/0" in said
    assert "secret" not in said
    assert running(queue) == []


def test_keys_that_others_can_read_are_refused(queue: Queue) -> None:
    folder = queue.config.stored("queue")
    folder.mkdir(parents=True)
    (folder / "redis.password").write_text("known to all")
    (folder / "redis.password").chmod(0o644)
    assert "chmod 600" in queue.refused("up")
    assert running(queue) == []


def test_without_a_queue_commands_say_how_to_start_one(queue: Queue) -> None:
    assert "`intercalate queue up`" in queue("status")
    assert "`intercalate queue up`" in queue.refused("start")
    assert "`intercalate queue up`" in queue.refused("open")
    assert queue("down") == "nothing was running\n"


def test_a_redis_of_ones_own_serves_one_queue_of_a_name(queue: Queue, tmp_path: Path) -> None:
    """Two managers on one queue would do everything twice."""
    make_keys(queue.config)
    server = ServiceList(tmp_path / "theirs", "redis")
    server.start("redis", server_command(queue.config))
    uri = f"redis://:{redis_password(queue.config)}@127.0.0.1:{QUEUE_REDIS_PORT}/0"
    try:
        wait_for(lambda: answers(queue.config), 20, "Redis answers")
        first, second = (written(tmp_path / name, redis=f'"{uri}"') for name in ("first", "second"))
        first("up")
        assert first.status()["manager_state"] == "idle"
        assert [one.name for one in queue_services(first.config).read()] == ["manager", "supervisor"]
        # On ports of its own it would start.
        _with_other_ports(second)
        said = second.refused("up")
        assert f"is that of {socket.gethostname()}:{first.folder}" in said
        assert running(second) == []
        assert redis_password(queue.config) not in said
        first("down")
        assert claim(second.config) is None
    finally:
        for one in (first, second):
            stop_queue(one.config, at_once=True)
        server.stop()


def _with_other_ports(queue: Queue) -> None:
    text = queue.config_file.read_text()
    for port, other in zip((QUEUE_CONTROL_PORT, QUEUE_INFO_PORT), free_ports(2), strict=True):
        text = text.replace(str(port), str(other))
    queue.config_file.write_text(text)
    queue.config = Config.from_file(queue.config_file)


def test_a_lock_that_was_left_behind_is_shown_and_opened(queue: Queue) -> None:
    queue("up")
    lock = {"environment": True, "queue": True, "lock_key": "mine", "user": "alice", "note": "at lunch"}
    queue.ask("lock", **lock)
    assert "locked by alice" in queue("status")
    assert "at lunch" in queue("status")
    said = queue.refused("start")
    assert "locked" in said
    queue("unlock")
    assert "locked" not in queue("status")


def test_a_second_queue_is_refused_and_a_stale_list_is_not_believed(queue: Queue, tmp_path: Path) -> None:
    queue("up")
    assert "the queue runs already" in queue.refused("up")
    other = written(tmp_path / "other")
    assert "is in use, by another queue or program" in other.refused("up")
    assert queue.status()["manager_state"] == "idle"

    # All of it is killed: the list names processes that are gone.
    services = queue_services(queue.config).read()
    left = [other for one in services for other in one.others]
    assert left, "the manager has children"
    # The supervisor first, which would bring back the others.
    for one in reversed(services):
        assert one.process is not None
        one.process.kill()
        wait_for(lambda one=one: one.process is None, 10, f"{one.name} is gone")
    assert {"redis", "manager", "supervisor"} == {one.name for one in services}
    queue("up")
    assert queue.status()["manager_state"] == "idle"
    psutil.wait_procs(left, timeout=10)
    assert not [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    queue("down")
    assert running(queue) == []
    assert all(one.others == [] for one in services)


def test_an_environment_without_instruments_does_not_open_and_says_where_the_reason_is(queue: Queue) -> None:
    queue("up")
    said = queue.refused("open")
    assert "did not open" in said
    assert "intercalate doctor" in said
    log = Path(queue.service("manager").log).read_text()
    assert "simulators first" in log or "no answer from" in log
    assert os.environ.get("QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER") is None

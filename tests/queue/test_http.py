"""bluesky-httpserver before the queue: who has its key queues, who has none looks at nothing."""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from beamline import free_ports
from intercalate.queue.serving import stop_queue
from polling import wait_for
from queue_use import DEADLINE_S, Queue, written

pytest.importorskip("bluesky_httpserver", reason="intercalate[http] is not installed")
pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]
KEY = "abcdef12345"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    found = written(tmp_path)
    found("up")
    yield found
    stop_queue(found.config, at_once=True)


@pytest.fixture
def address(queue: Queue, tmp_path: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    code = "from bluesky_httpserver.server import start_server; start_server()"
    command = [sys.executable, "-c", code, "--host", "127.0.0.1", "--port", str(port)]
    own = {"QSERVER_HTTP_SERVER_SINGLE_USER_API_KEY": KEY}
    with (tmp_path / "http.log").open("wb") as log:
        server = subprocess.Popen(
            ["sh", "-c", f"{queue('environment')}\nexec {shlex.join(command)}"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **own},
        )
    try:
        wait_for(lambda: _listens(port), DEADLINE_S, "the HTTP server listens", every_s=0.2)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        server.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_who_has_the_key_of_the_http_server_queues(queue: Queue, address: str) -> None:
    item = {"item_type": "plan", "name": "count_frames", "kwargs": {"detector": "diffractometer", "count": 1}}
    with httpx.Client(timeout=20.0) as stranger:
        assert stranger.get(f"{address}/queue/get").status_code == 401
        assert stranger.post(f"{address}/queue/item/add", json={"item": item}).status_code == 401
        assert stranger.post(f"{address}/queue/start").status_code == 401
    assert queue.waiting() == []
    with httpx.Client(timeout=20.0, headers={"Authorization": f"ApiKey {KEY}"}) as user:
        assert user.get(f"{address}/status").json()["manager_state"] == "idle"
        assert user.post(f"{address}/queue/item/add", json={"item": item}).json()["success"]
        wrong = {**item, "kwargs": {"detector": "diffractometer", "count": -1}}
        answer = user.post(f"{address}/queue/item/add", json={"item": wrong}).json()
        assert not answer["success"]
        assert "out of range" in answer["msg"]
    assert queue.waiting() == ["count_frames"]

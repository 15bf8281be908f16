"""bluesky-httpserver before the queue: who may look, who may queue and start, and who is a stranger."""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from beamline import free_ports
from intercalate.queue.serving import stop_queue
from polling import wait_for
from queue_use import DEADLINE_S, Queue, written

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]
KEY = "abcdef12345"
ITEM = {"item_type": "plan", "name": "count_frames", "kwargs": {"detector": "diffractometer", "count": 1}}
ROLES = """
authentication:
  providers:
    - provider: beamline
      authenticator: bluesky_httpserver.authenticators:DictionaryAuthenticator
      args:
        users_to_passwords: {visitor: looks, scientist: measures}
api_access:
  policy: bluesky_httpserver.authorization:DictionaryAPIAccessControl
  args:
    users:
      visitor: {roles: observer}
      scientist: {roles: user}
"""


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    found = written(tmp_path)
    found("up")
    yield found
    stop_queue(found.config, at_once=True)


@contextmanager
def serving(queue: Queue, folder: Path, **settings: str) -> Iterator[str]:
    """Address of an HTTP server with these settings."""
    (port,) = free_ports(1)
    code = "from bluesky_httpserver.server import start_server; start_server()"
    command = [sys.executable, "-c", code, "--host", "127.0.0.1", "--port", str(port)]
    own = {f"QSERVER_HTTP_SERVER_{name}": value for name, value in settings.items()}
    with (folder / "http.log").open("wb") as log:
        server = subprocess.Popen(
            ["sh", "-c", f"{queue('environment')}\nexec {shlex.join(command)}"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **own},
            cwd=folder,
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


def client(address: str, authorization: str | None = None) -> httpx.Client:
    headers = {} if authorization is None else {"Authorization": authorization}
    return httpx.Client(base_url=address, timeout=20.0, headers=headers)


def answers_to_commands(of: httpx.Client) -> list[httpx.Response]:
    """Each way to have something executed, tried."""
    item = {"item": ITEM}
    return [
        of.post("/queue/item/add", json=item),
        of.post("/queue/item/execute", json=item),
        of.post("/queue/start"),
        of.post("/environment/open"),
    ]


def test_who_has_the_key_of_the_http_server_queues(queue: Queue, tmp_path: Path) -> None:
    with serving(queue, tmp_path, SINGLE_USER_API_KEY=KEY) as address:
        with client(address) as stranger:
            assert stranger.get("/queue/get").status_code == 401
            assert {one.status_code for one in answers_to_commands(stranger)} == {401}
        assert queue.waiting() == []
        with client(address, f"ApiKey {KEY}") as user:
            assert user.get("/status").json()["manager_state"] == "idle"
            assert user.post("/queue/item/add", json={"item": ITEM}).json()["success"]
            wrong = {**ITEM, "kwargs": {"detector": "diffractometer", "count": -1}}
            answer = user.post("/queue/item/add", json={"item": wrong}).json()
            assert not answer["success"]
            assert "out of range" in answer["msg"]
        assert queue.waiting() == ["count_frames"]


def test_an_observer_looks_and_starts_nothing(queue: Queue, tmp_path: Path) -> None:
    (tmp_path / "http.yml").write_text(ROLES)
    with serving(queue, tmp_path, CONFIG=str(tmp_path / "http.yml")) as address:

        def signed_in(name: str, password: str) -> httpx.Client:
            said = {"username": name, "password": password}
            with client(address) as stranger:
                answer = stranger.post("/auth/provider/beamline/token", data=said)
            assert answer.status_code == 200, answer.text
            return client(address, f"Bearer {answer.json()['access_token']}")

        with client(address) as stranger:
            said = {"username": "scientist", "password": "looks"}
            assert stranger.post("/auth/provider/beamline/token", data=said).status_code == 401
        with signed_in("scientist", "measures") as scientist:
            assert scientist.post("/queue/item/add", json={"item": ITEM}).json()["success"]
            with signed_in("visitor", "looks") as visitor:
                assert [one["name"] for one in visitor.get("/queue/get").json()["items"]] == ["count_frames"]
                for answer in answers_to_commands(visitor):
                    assert answer.status_code == 401
                    assert "Not enough permissions" in answer.text
            assert queue.waiting() == ["count_frames"]
            # Nothing is open yet: it is the manager that says so, and to nobody else.
            assert "environment" in scientist.post("/queue/start").json()["msg"]

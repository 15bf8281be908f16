"""A real Tiled server, started once, and journals that are forwarded into it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tiled.client.utils
from bluesky import RunEngine

from beamline import free_ports
from catalog.making import Recorder, StampedDetector
from intercalate.catalog.client import open_catalog
from intercalate.catalog.forwarder import forward_journals
from intercalate.catalog.journal import Journal
from intercalate.catalog.server import ADDRESS_FILE

START_TIMEOUT_S = 60.0
DATABASE = os.environ.get("INTERCALATE_TEST_DATABASE", "")
"""URI of a PostgreSQL database in place of SQLite; see `.ci/postgresql`."""


def wait_for(ready: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Ask until the answer is true; returns it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := ready()):
        assert time.monotonic() < deadline, f"{what} within {timeout_s:g} s"
        threading.Event().wait(0.05)
    return answer


@dataclass
class Server:
    """A server process that can be killed and started again on the same folder and port."""

    folder: Path
    readable: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def profile(self) -> str:
        return f"test-{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "intercalate.catalog.server", "--folder", str(self.folder)]
        command += ["--port", str(self.port), "--readable", str(self.readable), "--profile", self.profile]
        self.folder.mkdir(parents=True, exist_ok=True)
        if DATABASE:
            (self.folder / "database.uri").write_text(DATABASE)
            command += ["--database-file", str(self.folder / "database.uri")]
        (self.folder / ADDRESS_FILE).unlink(missing_ok=True)
        profiles = {"TILED_PROFILES": str(self.folder / "profiles")}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **profiles}, start_new_session=True
            )
        wait_for(self.is_ready, START_TIMEOUT_S, "the server was to be ready")

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        return (self.folder / ADDRESS_FILE).exists()

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    @property
    def uri(self) -> str:
        return json.loads((self.folder / ADDRESS_FILE).read_text())["uri"]


@pytest.fixture(autouse=True)
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the forwarder's own process: a server that is away is noticed at once."""
    monkeypatch.setattr(tiled.client.utils, "TILED_RETRY_ATTEMPTS", 1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("catalog")
    made = Server(folder / "server", folder / "frames", free_ports(1)[0])
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end()


@pytest.fixture
def second_server(server: Server, tmp_path: Path) -> Iterator[Server]:
    """Another process on the same database and arrays, with an address and a key of its own."""
    if not DATABASE:
        pytest.skip("SQLite is served by one process; `.ci/postgresql` has a database for two")
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "arrays").symlink_to(server.folder / "arrays")
    made = Server(folder, server.readable, free_ports(1)[0])
    made.start()
    yield made
    made.end()


@pytest.fixture
def catalog(server: Server) -> Iterator[Any]:
    opened = open_catalog(server.uri)
    yield opened
    opened.context.close()


@dataclass
class Laboratory:
    """A RunEngine with a journal, a detector and a recorder."""

    engine: RunEngine
    journal: Journal
    detector: StampedDetector
    recorder: Recorder
    uri: str

    def run(self, plan: Any) -> str:
        """Run a plan; returns the unique id of its first run."""
        result: Any = self.engine(plan)
        return result[0]

    def forward(self) -> int:
        """Carry everything into the catalog."""
        return forward_journals(self.journal.folder, self.uri)


@pytest.fixture
def laboratory(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Laboratory]:
    engine = RunEngine({})
    journal = Journal(tmp_path / "journals")
    engine.subscribe(journal)
    detector = StampedDetector("det", server.readable / request.node.name.partition("[")[0])
    yield Laboratory(engine, journal, detector, Recorder(), server.uri)
    detector.unstage()
    journal.close()


@pytest.fixture
def forwarder(laboratory: Laboratory) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts forwarder processes on the laboratory's journals."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "intercalate.catalog.forwarder"]
        command += ["--journals", str(laboratory.journal.folder), "--uri", laboratory.uri]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(20)

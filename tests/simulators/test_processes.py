"""Processes as copies of one that has imported what they share."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from intercalate.services import ServiceError, ServiceList
from polling import wait_for

COPIES = """
import json, os, sys, time
from dataclasses import asdict
from pathlib import Path
from intercalate_sims.processes import Process, collect, forked

folder = Path(sys.argv[1])

def serve():
    print("serves", os.environ["SERVED"], os.getpid() == os.getsid(0), flush=True)
    time.sleep(60)

def fail():
    raise ValueError("no current")

def refuse():
    raise SystemExit(3)

started = [
    forked(Process(name, [name, "--x"], {"SERVED": name}, folder / f"{name}.log"), what)
    for name, what in (("beam", serve), ("cycler", fail), ("world", refuse))
]
print(json.dumps([asdict(one) for one in started]))
collect()
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ServiceList]:
    found = ServiceList(tmp_path, "some")
    yield found
    found.stop()


def test_copies_are_services_like_others(services: ServiceList, tmp_path: Path) -> None:
    parent = {child.pid for child in psutil.Process().children()}
    started = services.start_copies([sys.executable, "-c", COPIES, str(tmp_path)])
    assert services.read() == started
    beam, cycler, world = started
    wait_for(lambda: "serves beam True" in beam.last_words(), 20, "it serves in a session of its own")
    assert beam.command[1:] == ("-m", "intercalate_sims.run", "beam", "--x")
    assert beam.environment == {"SERVED": "beam"}
    wait_for(lambda: cycler.process is None and world.process is None, 20, "both have ended")
    assert "ValueError: no current" in cycler.last_words()
    assert [one.name for one in services.running()] == ["beam"]
    (collector,) = (one for one in psutil.Process().children() if one.pid not in parent)
    assert services.stop() == ["beam"]
    collector.wait(20)


def test_what_servers_read_at_import_is_said_before() -> None:
    code = (
        "import sys, intercalate_sims.run, intercalate.cycler_server.server_environment;"
        "sys.exit('caproto' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_refusal_is_passed_on(services: ServiceList) -> None:
    with pytest.raises(ServiceError, match=r"^no such cell$"):
        services.start_copies([sys.executable, "-c", "import sys; sys.exit('no such cell')"])
    with pytest.raises(ServiceError, match=r"^no message$"):
        services.start_copies([sys.executable, "-c", "pass"])
    assert services.read() == []

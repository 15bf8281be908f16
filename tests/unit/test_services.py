"""Processes are ended with those that they started, also where they have died before."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from intercalate.services import ServiceList
from polling import wait_for

PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ServiceList]:
    found = ServiceList(tmp_path, "some")
    yield found
    found.stop()


def started(services: ServiceList) -> psutil.Process:
    """The child of a new service."""
    service = services.start("parent", [sys.executable, "-c", PARENT])
    (child,) = wait_for(lambda: service.others, 20, "it has a child")
    return child


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("is_killed", [False, True])
def test_no_orphan_is_left(services: ServiceList, is_killed: bool) -> None:
    child = started(services)
    (service,) = services.read()
    assert service.process is not None
    if is_killed:
        service.process.kill()
        wait_for(lambda: service.process is None, 30, "it is gone")
        assert service.others == [child]
    assert services.end("parent") == ([] if is_killed else ["parent"])
    assert is_gone(child)
    assert services.read() == []


def test_the_others_of_a_list_stay(services: ServiceList) -> None:
    child = started(services)
    services.start("second", [sys.executable, "-c", "import time; time.sleep(60)"])
    services.end("second")
    assert [one.name for one in services.running()] == ["parent"]
    assert not is_gone(child)
    assert services.stop() == ["parent"]
    assert is_gone(child)


def test_an_id_that_belongs_to_another_process_now_is_left_alone(services: ServiceList) -> None:
    child = started(services)
    (service,) = services.read()
    other = dataclasses.replace(service, started_unix_s=service.started_unix_s - 1000.0)
    assert other.process is None
    assert other.others == []
    assert not is_gone(child)

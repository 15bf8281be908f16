"""A queue on a running simulated beamline."""

import re
from collections.abc import Iterator

import pytest

from beamline import Beamline, start_beamline
from intercalate.config import Config
from intercalate.queue.serving import stop_queue
from queue_use import Queue

LEASE_S = 4.0
RATE = 1000.0


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """With a short lease."""
    running = start_beamline(tmp_path_factory.mktemp("queue"), rate=RATE)
    text = running.config_file.read_text()
    short = re.sub(r"^lease_s = .*$", f"lease_s = {LEASE_S}", text, flags=re.MULTILINE)
    running.config_file.write_text(short)
    yield Beamline(running.folder, Config.from_file(running.config_file))
    running.services.stop()


@pytest.fixture(scope="module")
def queue(beamline: Beamline) -> Iterator[Queue]:
    """With an open environment."""
    found = Queue(beamline.folder, beamline.config, beamline.config_file)
    found("up")
    try:
        found("open")
        yield found
    finally:
        stop_queue(found.config, at_once=True)

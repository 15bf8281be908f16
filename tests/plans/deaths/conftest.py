"""A beamline on which things die, and sessions on it that end with their test."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from beamline import Beamline, start_beamline
from intercalate.config import Config
from intercalate.session import Session

from ..experiment_process import Runs
from .evidence_of_death import LEASE_S, make_ready

RATE = 1000.0


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beamline]:
    """With a short lease."""
    running = start_beamline(tmp_path_factory.mktemp("deaths"), rate=RATE)
    text = running.config_file.read_text()
    short = re.sub(r"^lease_s = .*$", f"lease_s = {LEASE_S}", text, flags=re.MULTILINE)
    running.config_file.write_text(short)
    yield Beamline(running.folder, Config.from_file(running.config_file))
    running.services.stop()


@pytest.fixture
def runs(beamline: Beamline, session: Session, tmp_path: Path) -> Iterator[Runs]:
    """Ends what a test left, and makes the cycler ready for the next."""
    started = Runs(beamline, tmp_path)
    yield started
    for run in started.started:
        if run.process.poll() is None:
            run.kill()
    make_ready(beamline, session)

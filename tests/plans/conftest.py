"""A session on a running simulated beamline, and readers of what its runs leave."""

from collections.abc import Iterator

import pytest

from beamline import Beamline
from benchmarks.faults.evidence import Documents, foreign_frames
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.orchestration.notes import ENDED_FIRST
from intercalate.session import Session, open_session

OVERTAKEN = ("the one before still waited for the beam", ENDED_FIRST)
"""Occasions that the next one overtook, or the end did, as on a busy machine."""


def assert_frames_are_their_own(documents: Documents, beamline: Beamline, stream: str) -> None:
    """Every event's image carries the hidden counter of the exposure whose time the event states."""
    wrong = foreign_frames(documents, beamline.truth(), stream)
    assert not wrong, wrong


def missed_reasons(documents: Documents) -> list[str]:
    """Why occasions were missed, but for those that the next one or the end overtook."""
    reasons = [event["data"]["missed_reason"] for event in documents.events("missed")]
    return [reason for reason in reasons if reason not in OVERTAKEN]


def occasions(documents: Documents, measurement: str) -> int:
    """How often a measurement was due: its visits, and what was missed, which is more on a busy machine."""
    visits = [one["data"]["visit_measurement"] for one in documents.events("visits")]
    missed = [one["data"]["missed_measurement"] for one in documents.events("missed")]
    return visits.count(measurement) + missed.count(measurement)


@pytest.fixture(scope="module")
def session(beamline: Beamline) -> Iterator[Session]:
    running = open_session(beamline.config)
    yield running
    running.close()


@pytest.fixture
def documents(session: Session) -> Iterator[Documents]:
    collected = Documents()
    token = session.RE.subscribe(collected)
    yield collected
    session.RE.unsubscribe(token)
    if session.RE.state == "paused":
        # A test that has failed on the way: those after it are not its.
        session.RE.abort("its test has ended")


@pytest.fixture(scope="session")
def cell() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shutter that sticks is not waited for as long as at a beamline."""
    monkeypatch.setattr("intercalate.devices.shutter.MOVE_S", 3.0)

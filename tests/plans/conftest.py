"""A session on a running simulated beamline, and readers of what its runs leave."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from beamline import Beamline
from intercalate.cell import Cell
from intercalate.config import EXAMPLES
from intercalate.contract import RECORD_COLUMNS
from intercalate.session import Session, open_session
from intercalate_sims.probes.detector import read_stamp

assert hdf5plugin.FILTERS


@dataclass(eq=False)
class Documents:
    """Documents of the runs of one test."""

    all: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, name: str, doc: Any) -> None:
        self.all.append((name, doc))

    def of(self, name: str) -> list[Any]:
        return [doc for kind, doc in self.all if kind == name]

    def events(self, stream: str) -> list[Any]:
        uids = {doc["uid"] for doc in self.of("descriptor") if doc["name"] == stream}
        return [doc for doc in self.of("event") if doc["descriptor"] in uids]

    def records(self) -> np.ndarray:
        """Cycler records, shape (n, len(RECORD_COLUMNS))."""
        pages = [doc["data"] for doc in self.of("event_page")]
        columns = [np.concatenate([page[f"cycler_{name}"] for page in pages]) for name in RECORD_COLUMNS]
        return np.stack(columns, axis=1)

    def images(self, stream: str, detector: str = "diffractometer") -> list[np.ndarray]:
        """Image of each event, by its datum."""
        datums = {doc["datum_id"]: doc for doc in self.of("datum")}
        resources = {doc["uid"]: doc for doc in self.of("resource")}
        found = []
        for event in self.events(stream):
            datum = datums[event["data"][f"{detector}_image"]]
            path = Path("/") / resources[datum["resource"]]["resource_path"]
            with h5py.File(path, "r", swmr=True, locking=False) as file:
                found.append(file["entry/data/data"][datum["datum_kwargs"]["point_number"]])
        return found


def assert_frames_are_their_own(documents: Documents, beamline: Beamline, stream: str) -> None:
    """Every event's image carries the hidden counter of the exposure whose time the event states."""
    truth = {entry["counter"]: entry for entry in beamline.truth()}
    t0 = truth[min(truth)]["start_unix_s"]
    offset_s, drift_ppm = 4.0, 20.0
    events = documents.events(stream)
    for event, image in zip(events, documents.images(stream), strict=True):
        counter = read_stamp(image)
        assert counter is not None
        true_start = truth[counter]["start_unix_s"]
        by_own_clock = true_start + offset_s + drift_ppm * 1e-6 * (true_start - t0)
        stated = event["data"]["diffractometer_hdf_frame_start_unix_s"]
        # The exposure before or after is at least one exposure, 20 s, away.
        assert abs(stated - by_own_clock) < 10.0
        assert truth[counter]["frame_index"] == event["data"]["diffractometer_hdf_frame_index"]


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


@pytest.fixture(scope="session")
def cell() -> Cell:
    return Cell.from_file(EXAMPLES / "cells" / "nmc811_graphite_operando.toml")

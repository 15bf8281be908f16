"""What experiments leave behind, by which one tells what was lost: documents, records, frames, charge.

The world's own file is the truth: no client reads it, and the cycler server knows nothing of it.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from intercalate.config import Config
from intercalate.contract import RECORD_COLUMNS
from intercalate_sims.cell import restore_cell
from intercalate_sims.cell.interface import Reading
from intercalate_sims.probes.detector import read_stamp
from intercalate_sims.state_file import StateFile

assert hdf5plugin.FILTERS

SEQ, TIME = (RECORD_COLUMNS.index(column) for column in ("record_seq", "test_time_second"))
CLOCK_OFFSET_S, CLOCK_DRIFT_PPM = 4.0, 20.0
"""Of the simulated detector's clock, as shipped."""

OWN_S = 10.0
"""The exposure before or after one of 20 s or more begins further away than this."""


@dataclass(eq=False)
class Documents:
    """Documents of some runs."""

    all: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, name: str, doc: Any) -> None:
        self.all.append((name, doc))

    def of(self, name: str) -> list[Any]:
        """Documents of this name."""
        return [doc for kind, doc in self.all if kind == name]

    def events(self, stream: str) -> list[Any]:
        """Events of a stream."""
        uids = {doc["uid"] for doc in self.of("descriptor") if doc["name"] == stream}
        return [doc for doc in self.of("event") if doc["descriptor"] in uids]

    def records(self) -> np.ndarray:
        """Cycler records, shape (n, len(RECORD_COLUMNS))."""
        pages = [doc["data"] for doc in self.of("event_page")]
        if not pages:
            return np.empty((0, len(RECORD_COLUMNS)))
        columns = [np.concatenate([page[f"cycler_{name}"] for page in pages]) for name in RECORD_COLUMNS]
        return np.stack(columns, axis=1)

    def numbers(self) -> dict[str, list[int]]:
        """`seq_num` of every event by stream, in the order in which they were written."""
        found: dict[str, list[int]] = {}
        names = {doc["uid"]: doc["name"] for doc in self.of("descriptor")}
        for kind, doc in self.all:
            if kind in ("event", "event_page"):
                numbers = doc["seq_num"] if kind == "event_page" else [doc["seq_num"]]
                found.setdefault(names[doc["descriptor"]], []).extend(numbers)
        return found

    def missing(self) -> int:
        """Events that are missing between, or doubled among, those that are there."""
        return sum(
            len(set(range(1, max(numbers) + 1)) ^ set(numbers)) + len(numbers) - len(set(numbers))
            for numbers in self.numbers().values()
        )

    def frames(self, stream: str, detector: str = "diffractometer") -> list[tuple[Path, int]]:
        """File and index of each event's image, by its datum."""
        datums = {doc["datum_id"]: doc for doc in self.of("datum")}
        resources = {doc["uid"]: doc for doc in self.of("resource")}
        found = []
        for event in self.events(stream):
            datum = datums[event["data"][f"{detector}_image"]]
            path = Path("/") / resources[datum["resource"]]["resource_path"]
            found.append((path, datum["datum_kwargs"]["point_number"]))
        return found

    def images(self, stream: str, detector: str = "diffractometer") -> list[np.ndarray]:
        """Image of each event."""
        return [read_image(path, index) for path, index in self.frames(stream, detector)]


def read_image(path: Path, index: int) -> np.ndarray:
    """One frame of a file that may still grow."""
    with h5py.File(path, "r", swmr=True, locking=False) as file:
        data = file["entry/data/data"]
        assert isinstance(data, h5py.Dataset)
        return data[index]


def foreign_frames(documents: Documents, truth: Sequence[dict[str, Any]], stream: str) -> list[str]:
    """What is wrong with frames: each must carry the counter of the exposure whose time its event states."""
    known = {entry["counter"]: entry for entry in truth}
    events, wrong = documents.events(stream), []
    if not events:
        return wrong
    t0 = known[min(known)]["start_unix_s"]
    for event, image in zip(events, documents.images(stream), strict=True):
        counter, data = read_stamp(image), event["data"]
        if counter is None or counter not in known:
            wrong.append(f"event {event['seq_num']}: frame without a stamp of its own")
            continue
        true_start = known[counter]["start_unix_s"]
        by_own_clock = true_start + CLOCK_OFFSET_S + CLOCK_DRIFT_PPM * 1e-6 * (true_start - t0)
        off_s = data["diffractometer_hdf_frame_start_unix_s"] - by_own_clock
        if abs(off_s) > OWN_S:
            wrong.append(f"event {event['seq_num']}: its frame was exposed {off_s:.0f} s away")
        if known[counter]["frame_index"] != data["diffractometer_hdf_frame_index"]:
            wrong.append(f"event {event['seq_num']}: frame {known[counter]['frame_index']} of its file")
    return wrong


def unclaimed_frames(documents: Documents, truth: Sequence[dict[str, Any]], stream: str) -> int:
    """Frames in a run's files that no event of it has: those that were exposed when it ended or was hit."""
    claimed = {(str(path), index) for path, index in documents.frames(stream)}
    files = {path for path, _ in claimed}
    taken = {(one["file"], one["frame_index"]) for one in truth if one["file"] in files}
    return len(taken - claimed)


def frame_truth(config: Config) -> list[dict[str, Any]]:
    """The simulator's sidecar: what was really in the beam, one entry per frame."""
    path = config.stored("simulator/truth.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# The cycler server's own files


def _of_channel(config: Config, name: str, channel: str) -> Path:
    return config.stored(f"simulator/cycler/{channel}/{name}")


def server_records(config: Config, channel: str = "CH1") -> np.ndarray:
    """Everything in the server's file of records, read without the server."""
    raw = _of_channel(config, "records.f8", channel).read_bytes()
    row_bytes = 8 * len(RECORD_COLUMNS)
    return np.frombuffer(raw[: len(raw) // row_bytes * row_bytes]).reshape(-1, len(RECORD_COLUMNS))


def ledger_entries(config: Config, channel: str = "CH1") -> list[dict[str, Any]]:
    """Every line of the server's ledger that is about a program, oldest first."""
    text = _of_channel(config, "programs.jsonl", channel).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["event"] == "program"]


def ledger(config: Config, channel: str = "CH1") -> dict[str, dict[str, Any]]:
    """Last entry of every program."""
    return {entry["program_id"]: entry for entry in ledger_entries(config, channel)}


def starts(config: Config, channel: str = "CH1") -> Counter[str]:
    """How often each program was started."""
    entries = ledger_entries(config, channel)
    return Counter(entry["program_id"] for entry in entries if entry["status"] == "running")


def program_records(config: Config, entry: dict[str, Any], channel: str = "CH1") -> np.ndarray:
    """Records of one program in the server's file; to its present end where the program still runs."""
    rows = server_records(config, channel)
    return rows[entry["first_record"] : entry["end_record"] or len(rows)]


# The world's own file


def world_state(config: Config) -> dict[str, Any]:
    """What the world has kept of itself."""
    file = StateFile(config.stored("simulator/world.state"))
    file.close()
    assert file.state is not None
    return file.state


def cell_time_s(state: dict[str, Any]) -> float:
    """Cell time of the world."""
    return state["steps"] * state["dt_s"]


def cell_reading(state: dict[str, Any], cell: str = "A1") -> Reading:
    """What a cell itself shows, whatever a cycler says."""
    return restore_cell(state["cells"][cell]).reading()


def cell_charge_ah(state: dict[str, Any], cell: str = "A1") -> float:
    """Charge that has ever passed through a cell, + is charge."""
    return cell_reading(state, cell).charge_ah

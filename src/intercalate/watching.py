"""Follows running experiments by their journals: what is next, when, time left, beam, cells.

Whoever follows reads files, in a process of its own: it costs the RunEngine nothing, and the same words serve
the session at the instrument, another terminal, and a plan that the queue runs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from intercalate import streams
from intercalate.catalog.journal import JournalError, journals, read_documents, run_uid
from intercalate.catalog.lithium import cell_of
from intercalate.catalog.lost_runs import is_being_written
from intercalate.contract import CyclerState, StepType, from_code
from intercalate.orchestration.when import When
from intercalate.problems import ProblemsError
from intercalate.protocol import Protocol, SiteLimits, bind
from intercalate.views.progress import expected_duration_s

_TIME = "test_time_second"
POINTS_KEPT = 4000
"""Of the course of the voltage that is drawn: beyond, every second one is dropped."""


@dataclass(frozen=True, slots=True)
class FrameSeen:
    """One frame, as a line of the table.

    Attributes
    ----------
    number
        Within its stream, from 1.
    test_time_s, voltage_v, current_a
        Of the cell at its end; NaN in a run without a cycler.
    quality
        Of the beam; empty where nothing counts it.
    file, index
        Where the image is; None where nobody said.
    """

    stream: str
    number: int
    test_time_s: float
    voltage_v: float
    current_a: float
    quality: str
    exposure_s: float
    file: Path | None
    index: int


@dataclass
class Watched:
    """One run, as far as its documents are known.

    Parameters
    ----------
    duration_s
        How long the program probably takes, in cell seconds; NaN where nobody knows.

    Attributes
    ----------
    course
        Test time in s and voltage in V, as far as they are kept for drawing.
    """

    start: dict[str, Any]
    duration_s: float = math.nan
    is_over: bool = False
    status: str = "running"
    frames: int = 0
    missed: int = 0
    last_frame: FrameSeen | None = None
    course: list[tuple[float, float]] = field(default_factory=list)
    _record: dict[str, float] = field(default_factory=dict)
    _streams: dict[str, tuple[str, str]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _files: dict[str, Path] = field(default_factory=dict)
    _due_unix_s: dict[str, float] = field(default_factory=dict)
    _obstacles: dict[str, str] = field(default_factory=dict)
    _stride: int = 1
    _seen: int = 0

    @property
    def name(self) -> str:
        """Of the cell, by its place if it has one; of the plan in a run without a cell."""
        return str(self.start.get("place") or self.start.get("sample") or self.start.get("plan_name", "run"))

    def take(self, name: str, doc: dict[str, Any]) -> list[str]:
        """Take in a document; returns lines of the table that it makes."""
        match name:
            case "descriptor":
                image = next((key for key, one in doc["data_keys"].items() if "external" in one), "")
                self._streams[doc["uid"]] = (doc["name"], image)
            case "resource":
                self._files[doc["uid"]] = Path(doc["root"]) / doc["resource_path"]
            case "event_page":
                self._take_records(doc["data"])
            case "event":
                return self._take_event(doc)
            case "stop":
                self.is_over, self.status = True, doc["exit_status"]
                why = f": {doc['reason']}" if doc.get("reason") else ""
                return [f"{self.name}: {self.status}{why}"]
        return []

    def _take_records(self, data: dict[str, Any]) -> None:
        prefix = next((key for key in data if key.endswith("_test_time_second")), "").removesuffix(_TIME)
        columns = {key.removeprefix(prefix): values for key, values in data.items()}
        if not prefix or "state" not in columns or not len(columns[_TIME]):
            return
        self._record = {key: values[-1] for key, values in columns.items()}
        for time_s, voltage_v in zip(columns[_TIME], columns["voltage_volt"]):
            if self._seen % self._stride == 0:
                self.course.append((time_s, voltage_v))
            self._seen += 1
        if len(self.course) > POINTS_KEPT:
            self.course = self.course[::2]
            self._stride *= 2

    def _take_event(self, doc: dict[str, Any]) -> list[str]:
        stream, image = self._streams.get(doc["descriptor"], ("", ""))
        data = doc["data"]
        match stream:
            case streams.MISSED:
                self.missed += 1
                return [f"{self.name} {data['missed_measurement']}: missed, {data['missed_reason']}"]
            case streams.VISITS:
                self._due_unix_s[data["visit_measurement"]] = data["visit_due_unix_s"]
            case streams.AVAILABLE:
                self._obstacles[data["available_instrument"]] = data["available_why_not"]
            case streams.REQUESTS:
                return [f"{data['request_who'] or 'somebody'}: {data['request_answer']}"]
            case _ if image:
                return [self._row(self._take_frame(stream, image, data))]
        return []

    def _take_frame(self, stream: str, image: str, data: dict[str, Any]) -> FrameSeen:
        self.frames += 1
        self._counts[stream] = self._counts.get(stream, 0) + 1

        def ends(suffix: str, default: Any) -> Any:
            return next((value for key, value in data.items() if key.endswith(suffix)), default)

        resource = str(data[image]).partition("/")[0]
        self.last_frame = FrameSeen(
            stream,
            self._counts[stream],
            float(ends("_test_time_s", math.nan)),
            float(ends("_voltage_v", math.nan)),
            float(ends("_current_a", math.nan)),
            str(ends("monitors_quality", "")),
            float(ends("_acquire_time", math.nan)),
            self._files.get(resource),
            int(ends("_frame_index", -1)),
        )
        return self.last_frame

    def _row(self, one: FrameSeen) -> str:
        time = "" if math.isnan(one.test_time_s) else f"{one.test_time_s / 3600:8.3f} h"
        volts = "" if math.isnan(one.voltage_v) else f"{one.voltage_v:7.4f} V {1e3 * one.current_a:+8.3f} mA"
        return f"{self.name:12} {one.stream:10} {one.number:5} {time} {volts}  {one.quality}".rstrip()

    @property
    def cell(self) -> str:
        """What the cell does now."""
        if not self._record:
            return f"{self.name} {self.frames} frames"
        record = self._record
        state = from_code(CyclerState, record["state"])
        step_type = from_code(StepType, record["step_type"])
        what = str(step_type if state == CyclerState.RUNNING else state)
        past_h = record["test_time_second"] / 3600
        whole = "" if math.isnan(self.duration_s) else f" of {self.duration_s / 3600:.1f}"
        volts = f"{record['voltage_volt']:.3f} V {1e3 * record['current_ampere']:+.2f} mA"
        missed = f", {self.missed} missed" if self.missed else ""
        step = what.lower().replace("_", " ")
        return f"{self.name} {step} {volts}, {past_h:.2f}{whole} h, {self.frames} frames{missed}"

    @property
    def left_s(self) -> float:
        """Cell seconds until its program probably ends; NaN where nobody knows."""
        return max(0.0, self.duration_s - self._record.get("test_time_second", math.nan))

    @property
    def next(self) -> tuple[float, str] | None:
        """In how many cell seconds (infinite: no time is set) what is measured next; None for nothing."""
        found = [self._next_of(one) for one in self.start.get("measurements") or ()]
        return min(found, default=None)

    def _next_of(self, one: dict[str, Any]) -> tuple[float, str]:
        name, when = one["name"], When.of(one["when"])
        now_s, last_s = self._record.get("unix_time_second", math.nan), self._due_unix_s.get(name, math.nan)
        if when.period_s is None or math.isnan(now_s) or math.isnan(last_s):
            return math.inf, f"{name} {when.describe()}"
        in_s = max(0.0, last_s + when.period_s - now_s)
        return in_s, f"{name} {_in_words(in_s)}"

    @property
    def beam(self) -> str:
        """Why an instrument cannot measure, or that it can."""
        why = [f"{name}: {reason}" for name, reason in self._obstacles.items() if reason]
        return "; ".join(why) or ("on" if self._obstacles else "")


def _in_words(seconds: float) -> str:
    if seconds < 1:
        return "now"
    return f"in {seconds:.0f} s" if seconds < 120 else f"in {seconds / 60:.0f} min"


def status_line(runs: list[Watched]) -> str:
    """What the cells do, what is next and when, time left, and the beam."""
    parts = [one.cell for one in runs]
    following = [(*found, one.name) for one in runs if (found := one.next) is not None]
    if following:
        _, what, whose = min(following)
        parts.append(f"next: {whose} {what}" if len(runs) > 1 else f"next: {what}")
    left = [one.left_s for one in runs if not math.isnan(one.left_s)]
    parts += [f"{max(left) / 3600:.1f} h left"] if left else []
    beams = list(dict.fromkeys(one.beam for one in runs if one.beam))
    parts += [f"beam {beams[0]}"] if beams else []
    return " | ".join(parts)


class Follower:
    """Reads the journals of runs that are open, as they grow.

    Parameters
    ----------
    folder
        Of the journals.
    site
        Limits by which programs are bound, to know how long they take.
    """

    def __init__(self, folder: Path, site: SiteLimits):
        self._folder = folder
        self._site = site
        self._open: dict[Path, tuple[int, Watched | None]] = {}
        self._known = {path for path in journals(folder) if not is_being_written(path)}

    @property
    def runs(self) -> list[Watched]:
        """Those that are open."""
        return [one for _, one in self._open.values() if one is not None]

    def poll(self) -> list[str]:
        """Read what is new; returns lines of the table.

        A run whose session is gone is followed no more.
        """
        for path in journals(self._folder):
            if path not in self._known:
                self._known.add(path)
                self._open[path] = (0, None)
        lines = [line for path in list(self._open) for line in self._read(path)]
        for path, (_, run) in list(self._open.items()):
            if run is not None and (run.is_over or not is_being_written(path)):
                lines += [] if run.is_over else [f"{run.name}: its session is gone"]
                del self._open[path]
        return lines

    def _read(self, path: Path) -> Iterator[str]:
        begun, run = self._open[path]
        offset = begun
        try:
            for name, doc, following in read_documents(path, begun):
                offset = following
                if name == "start":
                    run = Watched(doc, self._duration_s(doc))
                    yield f"{run.name}: {doc.get('plan_name', '')} {run_uid(path)[:8]}"
                elif run is not None:
                    yield from run.take(name, doc)
        except (OSError, JournalError) as error:
            yield str(error)
        self._open[path] = (offset, run)

    def _duration_s(self, start: dict[str, Any]) -> float:
        if "protocol" not in start or (cell := cell_of(start)) is None:
            return math.nan
        try:
            protocol = Protocol.from_dict(start["protocol"])
            program = bind(protocol, cell, self._site, initial_soc=start.get("initial_soc"))
        except ProblemsError:
            return float(start.get("program_worst_case_s", math.nan))
        return expected_duration_s(program)


def voltage_course(run: Watched) -> np.ndarray:
    """Test time in h and voltage in V, shape (n, 2)."""
    course = np.array(run.course).reshape(-1, 2)
    return course / [3600.0, 1.0]

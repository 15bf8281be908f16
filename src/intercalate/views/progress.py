"""Progress of a running experiment in the terminal, from its documents."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from intercalate.contract import ControlMode
from intercalate.protocol import BoundProgram


def expected_duration_s(program: BoundProgram) -> float:
    """How long a program probably takes, in cell seconds.

    A constant current passes the whole capacity at most; everything else takes its worst case.
    """
    total_s = 0.0
    for segment in program.segments():
        likely_s = segment.worst_case_s
        if segment.mode is ControlMode.CURRENT and program.capacity_ah is not None:
            likely_s = min(likely_s, 3600.0 * program.capacity_ah / abs(segment.setpoint))
        total_s += likely_s
    return total_s


def bar(console: Console | None = None) -> Progress:
    """Progress bar with the time left."""
    return Progress(
        TextColumn("{task.description:22}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


@contextmanager
def task(progress: Progress, description: str, total: float) -> Iterator[Any]:
    """A line of the bar; yields a function that takes what is done, and a note."""
    line = progress.add_task(description, total=total, note="")

    def update(done: float, note: str = "") -> None:
        progress.update(line, completed=min(done, total), note=note)

    yield update
    progress.update(line, completed=total)


class RunProgress:
    """Follows the documents of a run: cell time, voltage, frames, and what was missed."""

    def __init__(self, update: Any):
        self._update = update
        self._of_frames: set[str] = set()
        self.frames = 0
        self.records = 0
        self.test_time_s = 0.0
        self._voltage_v = float("nan")

    def __call__(self, name: str, doc: Any) -> None:
        """Take in a document."""
        if name == "descriptor":
            if any("external" in key for key in doc["data_keys"].values()):
                self._of_frames.add(doc["uid"])
        elif name == "event_page":
            self._see_records(doc)
        elif name == "event" and doc["descriptor"] in self._of_frames:
            self.frames += 1
        else:
            return
        note = f"{self.test_time_s / 3600:.2f} h of cell time, {self._voltage_v:.3f} V, {self.frames} frames"
        self._update(self.test_time_s, note)

    def _see_records(self, page: Any) -> None:
        columns = {key.partition("_test_time_second")[0]: key for key in page["data"] if "_test_time_" in key}
        for device, key in columns.items():
            times = page["data"][key]
            if len(times):
                self.records += len(times)
                self.test_time_s = max(self.test_time_s, times[-1])
                self._voltage_v = page["data"][f"{device}_voltage_volt"][-1]

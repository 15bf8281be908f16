"""What a run says of its measurements besides frames: what was missed, when they were possible, visits."""

from typing import Any

from bluesky.utils import MsgGenerator
from ophyd import Signal

from intercalate import streams
from intercalate.orchestration.events import note_values

ENDED_FIRST = "the program or its session ended first"
"""Why the last occasion of a run may be missed."""

_COLUMNS: dict[str, dict[str, Any]] = {
    streams.MISSED: {"missed_measurement": "", "missed_reason": ""},
    streams.AVAILABLE: {"available_instrument": "", "available_why_not": "", "available_unix_s": 0.0},
    streams.REQUESTS: {
        "request_action": "",
        "request_measurement": "",
        "request_who": "",
        "request_answer": "",
        "request_unix_s": 0.0,
    },
    streams.VISITS: {
        "visit_measurement": "",
        "visit_due_unix_s": 0.0,
        "visit_began_unix_s": 0.0,
        "visit_moving_s": 0.0,
        "visit_visiting_s": 0.0,
        "visit_spot_x_mm": 0.0,
        "visit_spot_y_mm": 0.0,
        "visit_frames": 0,
    },
}


class Notes:
    """Writes events of one run; the streams of a run are made of the same signals throughout.

    Attributes
    ----------
    missed
        Measurement and reason of every occasion that gave no frame.
    """

    def __init__(self) -> None:
        self.missed: list[tuple[str, str]] = []
        self._obstacles: dict[str, str] = {}
        self._signals: dict[str, list[Any]] = {
            stream: [Signal(name=name, value=value) for name, value in columns.items()]
            for stream, columns in _COLUMNS.items()
        }

    def miss(self, measurement: str, reason: str) -> MsgGenerator[None]:
        """Count an occasion that gave no frame, in the run too."""
        self.missed.append((measurement, reason))
        yield from self._write(streams.MISSED, measurement, reason)

    def watch(self, instrument: str, obstacle: str, unix_s: float) -> MsgGenerator[None]:
        """Note when measuring has become possible or impossible; the first time, which it is."""
        if obstacle == self._obstacles.get(instrument):
            return
        self._obstacles[instrument] = obstacle
        yield from self._write(streams.AVAILABLE, instrument, obstacle, unix_s)

    def request(
        self, action: str, measurement: str, who: str, answer: str, unix_s: float
    ) -> MsgGenerator[None]:
        """Note what somebody asked for, and what became of it."""
        yield from self._write(streams.REQUESTS, action, measurement, who, answer, unix_s)

    def visit(
        self,
        measurement: str,
        due_unix_s: float,
        began_unix_s: float,
        moving_s: float,
        visiting_s: float,
        spot_mm: tuple[float, float],
        frames: int,
    ) -> MsgGenerator[None]:
        """Note how a visit went, by the cycler's clock."""
        timing = (due_unix_s, began_unix_s, moving_s, visiting_s)
        yield from self._write(streams.VISITS, measurement, *timing, *spot_mm, frames)

    def _write(self, stream: str, *values: Any) -> MsgGenerator[None]:
        yield from note_values(stream, self._signals[stream], values)

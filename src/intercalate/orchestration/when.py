"""When to measure: conditions on the records of the cycler."""

import math
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from intercalate.contract import RECORD_COLUMNS

_TIME, _VOLTAGE, _SOC, _UNIX = (
    RECORD_COLUMNS.index(c) for c in ("test_time_second", "voltage_volt", "soc", "unix_time_second")
)


class Every(BaseModel):
    """Due at the start, then whenever one of the given quantities has changed by its step.

    Attributes
    ----------
    time_s
        Cell time.
    voltage_V
        Change of the voltage in either direction since the last occasion.
    soc
        Likewise of the state of charge, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    time_s: float | None = Field(default=None, gt=0)
    voltage_V: float | None = Field(default=None, gt=0, le=5)
    soc: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.time_s is None and self.voltage_V is None and self.soc is None:
            raise ValueError("give at least one of time_s, voltage_V, soc")
        return self

    def describe(self) -> str:
        """As a person would say it."""
        parts = [
            text
            for value, text in (
                (self.time_s, f"{self.time_s or 0:g} s"),
                (self.voltage_V, f"{1000 * (self.voltage_V or 0):g} mV"),
                (self.soc, f"{100 * (self.soc or 0):g} % state of charge"),
            )
            if value is not None
        ]
        return "every " + " or ".join(parts)


class Occasions:
    """Says of each record whether a condition is due; sees every record once, in order.

    Attributes
    ----------
    due, due_since_unix_s
        Whether a measurement is due, and since which record.
    overrun
        Number of occasions that came while the one before still waited.
    """

    def __init__(self, every: Every):
        self.every = every
        self.due = False
        self.due_since_unix_s = 0.0
        self.overrun = 0
        self._last: tuple[float, float, float] | None = None

    def see(self, record: Any) -> None:
        """Take in one record, a row in the order of `RECORD_COLUMNS`."""
        now = (float(record[_TIME]), float(record[_VOLTAGE]), float(record[_SOC]))
        if self._last is None or self._passed(now, self._last):
            if self.due:
                self.overrun += 1
            else:
                self.due, self.due_since_unix_s = True, float(record[_UNIX])
            self._last = self._next_from(now)

    def _passed(self, now: tuple[float, float, float], last: tuple[float, float, float]) -> bool:
        steps = (self.every.time_s, self.every.voltage_V, self.every.soc)
        return any(
            step is not None and math.isfinite(value) and abs(value - before) >= step - 1e-9
            for step, value, before in zip(steps, now, last, strict=True)
        )

    def _next_from(self, now: tuple[float, float, float]) -> tuple[float, float, float]:
        """Reference of the next occasion: times stay on their grid, so that they do not drift."""
        step = self.every.time_s
        if self._last is None or step is None:
            return now
        return (self._last[0] + step * math.floor((now[0] - self._last[0] + 1e-9) / step), now[1], now[2])

    def skip(self, records: Any) -> None:
        """Take in records of a time when nobody was here to measure: none of their occasions is due."""
        for record in records:
            self.see(record)
        self.due, self.overrun = False, 0

    def take(self) -> bool:
        """Whether a measurement is due; asking takes the occasion."""
        due, self.due = self.due, False
        return due

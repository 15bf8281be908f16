"""Says of each record of a cycler whether a condition is due.

Every record is seen once, in order, so what is found does not depend on when records are collected, and can
be found again from the records alone.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any
from typing import Protocol as Ability

from intercalate.contract import RECORD_COLUMNS, StepType, code_of
from intercalate.orchestration.when import At, Every, On, Peak, Plateau, When, WhenError
from intercalate.problems import Problem
from intercalate.protocol import BoundProgram, Protocol
from intercalate.protocol.way import Way

TIME, UNIX, VOLTAGE, CURRENT, CAPACITY, SOC, CYCLE, STEP_COUNT, STEP, STEP_TYPE = (
    RECORD_COLUMNS.index(name)
    for name in (
        "test_time_second",
        "unix_time_second",
        "voltage_volt",
        "current_ampere",
        "net_capacity_ah",
        "soc",
        "cycle_count",
        "step_count",
        "step_id",
        "step_type",
    )
)

UserCondition = Callable[[dict[str, float], dict[str, Any]], bool]
"""Given a record by column and a dictionary of its own, in which it may keep what it likes."""

_CONDITIONS: dict[str, UserCondition] = {}


def condition(function: UserCondition) -> UserCondition:
    """Register a function of a plan file, so that `{"on": {"function": "<its name>"}}` finds it.

    It is called once for every record, with the record by column and a dictionary of its own, and says
    whether a measurement is due.
    """
    _CONDITIONS[function.__name__] = function
    return function


def check_when(when: When, program: BoundProgram | None = None, *, source: str = "when") -> None:
    """Refuse a condition that can never be due while a program runs, or names a function that nobody knows.

    Raises
    ------
    WhenError
        Naming everything that is wrong.
    """
    found = [] if program is None else when.problems_with(program)
    for path, one in when.leaves():
        name = None if one.on is None else one.on.function
        if name is not None and name not in _CONDITIONS:
            known = ", ".join(sorted(_CONDITIONS)) or "none"
            found.append(
                Problem(
                    f"{path}{'.' if path else ''}on.function",
                    name,
                    f"no loaded plan file has registered it; registered are: {known}",
                    "decorate it with `condition`, in a file of the plans folder",
                )
            )
    if found:
        raise WhenError(source, found)


class _Watch(Ability):
    """Sees records, and says of each whether something happens there."""

    def see(self, record: Any) -> bool: ...


class _Every:
    """Times stay on their grid, so that they do not drift; what is not known is never due."""

    def __init__(self, every: Every):
        mah = None if every.capacity_mAh is None else every.capacity_mAh * 1e-3
        steps = {
            TIME: every.time_s,
            VOLTAGE: every.voltage_V,
            CAPACITY: mah,
            SOC: every.soc,
            CYCLE: every.cycles,
        }
        self._steps = {column: step for column, step in steps.items() if step is not None}
        self._last: dict[int, float] | None = None

    def see(self, record: Any) -> bool:
        now = {column: float(record[column]) for column in self._steps}
        last = self._last
        if last is None:
            self._last = now
            return True
        if not any(abs(now[column] - last[column]) >= step - 1e-9 for column, step in self._steps.items()):
            # A quantity that becomes known counts from there.
            self._last = {c: now[c] if math.isnan(last[c]) else last[c] for c in now}
            return False
        if (step := self._steps.get(TIME)) is not None:
            passed = math.floor((now[TIME] - last[TIME] + 1e-9) / step)
            now[TIME] = last[TIME] + step * passed
        self._last = now
        return True


_HELD = code_of(StepType.WAIT_FOR_RELEASE)


class _At:
    def __init__(self, at: At, protocol: Protocol | None):
        mah = None if at.capacity_mAh is None else tuple(1e-3 * one for one in at.capacity_mAh)
        levels = {VOLTAGE: at.voltage_V, SOC: at.soc, CAPACITY: mah}
        self._levels = {column: values for column, values in levels.items() if values is not None}
        self._ways = {"up": (1,), "down": (-1,)}.get(at.direction or "", (1, -1))
        self._steps, self._step_ends = frozenset(at.step or ()), frozenset(at.step_end or ())
        self._markers = frozenset(at.marker or ())
        self._holds = bool(at.hold)
        self._way = Way(() if protocol is None else protocol.method)
        self._last: Any = None

    def _begins(self, last: Any, record: Any) -> bool:
        """Whether what begins with a record is asked for."""
        step, before = int(record[STEP]), 0 if last is None else int(last[STEP])
        if step in self._steps or (self._holds and record[STEP_TYPE] == _HELD):
            return True
        if before in self._step_ends and self._way.leaves(before, step):
            return True
        return bool(self._markers and self._markers & self._way.markers(before, step))

    def see(self, record: Any) -> bool:
        last, self._last = self._last, record
        if last is None or record[STEP_COUNT] != last[STEP_COUNT]:
            return self._begins(last, record) or self._passes(last, record)
        return self._passes(last, record)

    def _passes(self, last: Any, record: Any) -> bool:
        return last is not None and any(
            _passed(float(last[column]), float(record[column]), level) in self._ways
            for column, levels in self._levels.items()
            for level in levels
        )


def _passed(before: float, now: float, level: float) -> int:
    """1 where a level was passed or reached going up, -1 going down, 0 otherwise."""
    if before < level <= now:
        return 1
    return -1 if now <= level < before else 0


_RESTING = code_of(StepType.REST)


class _Plateau:
    def __init__(self, plateau: Plateau):
        self._limit_v_per_s = plateau.below_mV_per_h * 1e-3 / 3600.0
        self._window_s = plateau.window_s
        self._kept: deque[tuple[float, float]] = deque()
        self._segment: Any = None
        self._is_flat = False

    def see(self, record: Any) -> bool:
        time_s, voltage_v = float(record[TIME]), float(record[VOLTAGE])
        if record[STEP_COUNT] != self._segment:
            self._kept.clear()
            self._segment, self._is_flat = record[STEP_COUNT], False
        if record[STEP_TYPE] == _RESTING or not math.isfinite(voltage_v):
            return False
        self._kept.append((time_s, voltage_v))
        while len(self._kept) > 2 and time_s - self._kept[1][0] >= self._window_s:
            self._kept.popleft()
        began_s, began_v = self._kept[0]
        if time_s - began_s < self._window_s:
            return False
        was_flat = self._is_flat
        self._is_flat = abs(voltage_v - began_v) / (time_s - began_s) < self._limit_v_per_s
        return self._is_flat and not was_flat


class _Peak:
    """dQ/dV of steps of voltage as they are completed, within one segment of the program."""

    def __init__(self, peak: Peak):
        self._width_v = peak.width_mV * 1e-3
        self._prominence = peak.prominence
        self._segment: Any = None
        self._begin(0.0, 0.0)

    def _begin(self, voltage_v: float, charge_ah: float) -> None:
        self._corner = (voltage_v, charge_ah)
        self._low = self._high = math.nan
        self._falls = False

    def see(self, record: Any) -> bool:
        voltage_v, charge_ah = float(record[VOLTAGE]), float(record[CAPACITY])
        if record[STEP_COUNT] != self._segment:
            self._segment = record[STEP_COUNT]
            self._begin(voltage_v, charge_ah)
            return False
        if record[STEP_TYPE] == _RESTING or not math.isfinite(voltage_v):
            return False
        rise_v, passed_ah = voltage_v - self._corner[0], charge_ah - self._corner[1]
        if abs(rise_v) < self._width_v:
            return False
        self._corner = (voltage_v, charge_ah)
        return self._is_past(abs(passed_ah / rise_v))

    def _is_past(self, value: float) -> bool:
        """Whether the value of one more step shows that a maximum lies behind."""
        if math.isnan(self._high):
            self._low = self._high = value
            return False
        share = 1 - self._prominence
        if self._falls:
            self._low = min(self._low, value)
            if value * share > self._low:
                self._falls, self._high = False, value
            return False
        self._high = max(self._high, value)
        if value >= self._high * share:
            return False
        has_risen = self._high * share > self._low
        self._falls, self._low = True, value
        return has_risen


class _Function:
    def __init__(self, name: str):
        self._function = _CONDITIONS[name]
        self._kept: dict[str, Any] = {}

    def see(self, record: Any) -> bool:
        named = dict(zip(RECORD_COLUMNS, map(float, record), strict=True))
        return bool(self._function(named, self._kept))


class _Composed:
    """Any, or all, of several; every part sees every record."""

    def __init__(self, parts: list[_Watch], *, needs_all: bool):
        self._parts = parts
        self._needs_all = needs_all
        self._seen = [False] * len(parts)

    def see(self, record: Any) -> bool:
        happens = [part.see(record) for part in self._parts]
        if not self._needs_all:
            return any(happens)
        self._seen = [one or now for one, now in zip(self._seen, happens, strict=True)]
        if not all(self._seen):
            return False
        self._seen = [False] * len(self._parts)
        return True


class _Limited:
    """At most so often, and not sooner than so long after the last."""

    def __init__(self, watch: _Watch, limit: int | None, cooldown_s: float | None):
        self._watch = watch
        self._left = math.inf if limit is None else limit
        self._cooldown_s = cooldown_s or 0.0
        self._last_s = -math.inf

    def see(self, record: Any) -> bool:
        happens = self._watch.see(record)
        time_s = float(record[TIME])
        if not happens or not self._left or time_s - self._last_s < self._cooldown_s - 1e-9:
            return False
        self._left -= 1
        self._last_s = time_s
        return True


def _watch(when: When, protocol: Protocol | None) -> _Watch:
    if when.every is not None:
        watch: _Watch = _Every(when.every)
    elif when.at is not None:
        watch = _At(when.at, protocol)
    elif when.on is not None:
        watch = _watch_course(when.on)
    else:
        watch = _Composed([_watch(part, protocol) for part in when.parts], needs_all=when.all is not None)
    if when.limit is None and when.cooldown_s is None:
        return watch
    return _Limited(watch, when.limit, when.cooldown_s)


def _watch_course(on: On) -> _Watch:
    if on.plateau is not None:
        return _Plateau(on.plateau)
    if on.dqdv_peak is not None:
        return _Peak(on.dqdv_peak)
    assert on.function is not None
    return _Function(on.function)


class Occasions:
    """Says of each record whether a condition is due; sees every record once, in order.

    Parameters
    ----------
    when
        The condition.
    protocol
        That is executed: says where markers are.

    Attributes
    ----------
    due, due_since_unix_s
        Whether a measurement is due, and since which record.
    overrun
        Number of occasions that came while the one before still waited.
    """

    def __init__(self, when: When, protocol: Protocol | None = None):
        self.when = when
        self.due = False
        self.due_since_unix_s = 0.0
        self.overrun = 0
        self._watch = _watch(when, protocol)

    def see(self, record: Any) -> None:
        """Take in one record, a row in the order of `RECORD_COLUMNS`."""
        if not self._watch.see(record):
            return
        if self.due:
            self.overrun += 1
        else:
            self.due, self.due_since_unix_s = True, float(record[UNIX])

    def skip(self, records: Any) -> None:
        """Take in records of a time when nobody was here to measure: none of their occasions is due."""
        for record in records:
            self.see(record)
        self.due, self.overrun = False, 0

    def ask(self, unix_s: float) -> None:
        """Make a measurement due because somebody wants it; one that waits already is that one."""
        if not self.due:
            self.due, self.due_since_unix_s = True, unix_s

    def take(self) -> bool:
        """Whether a measurement is due; asking takes the occasion."""
        due, self.due = self.due, False
        return due

"""Channel backend for a potentiostat behind the EPICS driver EPICS-ECLab: `C0:EWE`, `C0:I`, `C0:STATE` ...

The driver knows single techniques with limits; it has no pause, no counter of charge and no thermometer. So
charge is integrated here, in steps of the sampling period, and the temperature comes from a PV of its own,
without which nothing is cycled. A thread asks the driver and commands it; what it finds is told in the event
loop of the server.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import epics

from intercalate.contract import Capability, EndReason
from intercalate.cycler_server.channel import ChannelError, ChannelListener, Sample
from intercalate.cycler_server.charge_counter import ChargeCounter
from intercalate.cycler_server.course import SegmentCourse
from intercalate.cycler_server.eclab_technique import Technique, technique_of
from intercalate.protocol import Segment, SiteLimits
from intercalate.protocol.segment import Quantity

log = logging.getLogger(__name__)

STOPPED, RUNNING = 0, 1
"""Of `STATE`."""
INVALID = 3
"""Alarm severity of a PV whose driver does not hear the instrument."""
ANSWER_S = 3.0
"""Wall seconds within which the driver answers a question, and obeys a command."""
OBEY_S = 15.0
TIME_SHARE = 0.98
"""Of its longest time after which a technique that has ended counts as having taken it."""
NEAR_V = 0.1
"""Within which the last reading before the end is of the limit of the voltage that ended it."""
READINGS = ("TIME", "EWE", "I", "STATE")
"""In this order: where the time is that of a technique, voltage and current are."""


class _NoAnswerError(Exception):
    """The driver, or the instrument behind it, does not answer."""


@dataclass(frozen=True, slots=True)
class EclabWiring:
    """Where a channel is.

    Attributes
    ----------
    prefix
        Of its PVs: `ECLAB_01:C0:`.
    temperature_pv
        Of the cell's surface, degC.
    """

    prefix: str
    temperature_pv: str


@dataclass(slots=True)
class _Running:
    segment: Segment
    technique: Technique
    course: SegmentCourse
    last: Sample
    time_before_s: float
    has_readings: bool = False


class EclabChannel:
    """A `Channel` of such a potentiostat.

    Parameters
    ----------
    post
        Calls a function in the event loop of the server, from any thread.
    counter
        File in which the counter of charge outlives the server.
    rate
        Cell seconds per wall second: 1, but for a simulated instrument.
    period_s
        Between two samples, cell seconds.
    """

    def __init__(
        self,
        name: str,
        wiring: EclabWiring,
        site: SiteLimits,
        post: Callable[[Callable[[], None]], object],
        counter: Path,
        *,
        rate: float = 1.0,
        period_s: float = 1.0,
    ):
        self.name = name
        self._wiring = wiring
        self._site = site
        self._post = post
        self._counter = ChargeCounter(counter)
        self._rate = rate
        self._period_s = period_s
        self._listener: ChannelListener | None = None
        self._pvs: dict[str, Any] = {}
        self._wake = threading.Event()
        self._commanding = threading.Lock()
        self._wanted: tuple[Segment, Technique] | None = None
        self._asked = self._obeyed = 0
        self._closing = False
        self._running: _Running | None = None
        self._lost: str | None = "it was not asked yet"
        self._last: Sample | None = None
        self._clock = (time.time(), time.monotonic())
        self._technique_time_s = math.nan
        self._thread = threading.Thread(target=self._work, name=f"eclab-{name}", daemon=True)

    @property
    def rate(self) -> float:
        """See `Channel`."""
        return self._rate

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `Channel`: techniques with limits hold a current, a voltage, or nothing."""
        return frozenset()

    def attach(self, listener: ChannelListener) -> None:
        """See `Channel`."""
        self._listener = listener

    def begin(self) -> None:
        """Ask the instrument from now on."""
        # The context of Channel Access belongs to this thread, and the others join it. Made anew, it would be
        # taken away from a channel that has begun.
        if epics.ca.libca is None:
            epics.ca.initialize_libca()
        self._thread.start()

    def close(self) -> None:
        """Stop the current, and ask no more."""
        self._closing = True
        self._command(None)
        self._thread.join(2 * OBEY_S)

    def start_segment(self, segment: Segment) -> None:
        """See `Channel`."""
        technique = technique_of(segment, self._site, self._period_s)
        if self._lost is not None:
            raise ChannelError(f"{self._wiring.prefix}: {self._lost}")
        self._command((segment, technique))

    def open_circuit(self) -> None:
        """See `Channel`."""
        self._command(None)

    def unix_time_s(self) -> float:
        """See `Channel`."""
        unix_s, monotonic_s = self._clock
        return unix_s + (time.monotonic() - monotonic_s) * self._rate

    def _command(self, wanted: tuple[Segment, Technique] | None) -> None:
        """The latest command is obeyed, and no other."""
        with self._commanding:
            self._wanted = wanted
            self._asked += 1
        self._wake.set()

    @property
    def _changed(self) -> bool:
        """Whether something else is wanted by now."""
        return self._obeyed != self._asked

    # The thread

    def _work(self) -> None:
        epics.ca.use_initial_context()
        while True:
            began_s = time.monotonic()
            try:
                while self._changed:
                    self._obey()
                self._look()
            except _NoAnswerError as error:
                self._tell_lost(str(error))
                if self._closing:
                    return
            except Exception as error:
                log.exception("%s", self.name)
                self._tell_lost(f"{type(error).__name__}: {error}")
            if self._closing and not self._changed:
                return
            left_s = self._period_s / self._rate - (time.monotonic() - began_s)
            self._wake.wait(max(left_s, 0.0) if not self._changed else 0.0)
            self._wake.clear()

    def _obey(self) -> None:
        """Stop what runs; then start what is wanted, unless something else is by now."""
        with self._commanding:
            self._obeyed, wanted = self._asked, self._wanted
        self._running = None
        self._stop()
        if wanted is None or self._changed:
            return
        segment, technique = wanted
        for name, value in technique.pvs(self._wiring.prefix).items():
            self._put(name, value)
        self._put(self._wiring.prefix + "LOADTECH:SP", technique.name.lower())
        if self._changed:
            return
        readings = self._readings()
        start = self._sample(readings)
        self._counter.until(start.unix_time_s + technique.duration_s)
        self._put(self._wiring.prefix + "START", 1)
        # The clock of a technique begins at 0: one that was over before it was seen has set it back.
        self._wait_until(
            lambda: int(self._get("STATE")) == RUNNING or self._get("TIME") < readings["TIME"],
            f"technique {technique.name.lower()} does not start",
        )
        self._technique_time_s = math.nan
        course = SegmentCourse(segment, start)
        self._running = _Running(segment, technique, course, start, readings["TIME"])
        self._tell(lambda listener: listener.on_started(segment))

    def _stop(self) -> None:
        if int(self._get("STATE")) == STOPPED:
            return
        self._put(self._wiring.prefix + "STOP", 1)
        self._wait_until(lambda: int(self._get("STATE")) == STOPPED, "it does not stop")

    def _wait_until(self, is_so: Callable[[], bool], why: str) -> None:
        deadline_s = time.monotonic() + OBEY_S
        while not is_so():
            if time.monotonic() > deadline_s:
                raise _NoAnswerError(f"{why} within {OBEY_S:g} s")
            time.sleep(min(0.05, self._period_s / self._rate))

    def _look(self) -> None:
        """Take a sample, tell of it, and see whether what runs has ended."""
        readings = self._readings()
        running = self._running
        if running is not None and not running.has_readings:
            # Those from before its start say nothing of it; at a hold, no current would be its end.
            is_old = readings["TIME"] == running.time_before_s and int(readings["STATE"]) == RUNNING
            if is_old and self._lost is None:
                return
            running.has_readings = True
        sample = self._sample(readings)
        if self._lost is not None:
            self._lost = None
            self._tell(lambda listener: listener.on_found())
        if running is not None and int(readings["STATE"]) != RUNNING and not self._changed:
            # What is read now is of a cell at rest: the step is judged by the last reading of it.
            self._running = None
            passed_s = running.course.elapsed_at(sample.unix_time_s)
            why = why_ended(running.segment, running.technique, passed_s, running.last)
            self._end(running, why, passed_s)
        self._tell(lambda listener: listener.on_sample(sample))
        if self._running is None or running is None or self._changed:
            return
        running.last = sample
        cut = running.course.see(sample)
        if cut is not None:
            self._running = None
            self._stop()
            self._end(running, cut.reason, running.course.elapsed_s)

    def _end(self, running: _Running, reason: EndReason, passed_s: float) -> None:
        if self._changed:
            return
        if reason is EndReason.NONE:
            self._tell_lost(
                f"technique {running.technique.name.lower()} ended after {passed_s:.1f} s of "
                f"{running.technique.duration_s:g} s at {running.last.voltage_v:.4f} V: by somebody else"
            )
            return
        self._tell(lambda listener: listener.on_ended(running.segment, reason))

    def _sample(self, readings: dict[str, float]) -> Sample:
        unix_s = self._time_s(readings)
        current_a = readings["I"] if int(readings["STATE"]) == RUNNING else 0.0
        charge_ah = self._counter.add(unix_s, current_a)
        self._last = Sample(unix_s, readings["EWE"], current_a, charge_ah, readings["temperature"])
        return self._last

    def _time_s(self, readings: dict[str, float]) -> float:
        """Laboratory time: of this machine, and within a technique by the instrument's own clock."""
        before_s, time_s = self._technique_time_s, readings["TIME"]
        self._technique_time_s = time_s if int(readings["STATE"]) == RUNNING else math.nan
        if self._last is not None and time_s >= before_s and int(readings["STATE"]) == RUNNING:
            unix_s = self._last.unix_time_s + time_s - before_s
        else:
            # It begins, or shows the time of the technique before.
            unix_s = self.unix_time_s()
        if self._last is not None:
            unix_s = max(unix_s, self._last.unix_time_s)
        self._clock = (unix_s, time.monotonic())
        return unix_s

    def _readings(self) -> dict[str, float]:
        found = {name: self._get(name) for name in READINGS}
        return {**found, "temperature": self._ask(self._wiring.temperature_pv)}

    def _get(self, name: str) -> float:
        return self._ask(self._wiring.prefix + name)

    def _ask(self, name: str) -> float:
        answer = self._pv(name).get_with_metadata(use_monitor=False, timeout=ANSWER_S, form="time")
        if answer is None or answer.get("value") is None:
            raise _NoAnswerError(f"{name} does not answer within {ANSWER_S:g} s")
        if answer.get("severity") == INVALID:
            raise _NoAnswerError(f"{name} is invalid: its driver does not hear the instrument")
        return float(answer["value"])

    def _put(self, name: str, value: Any) -> None:
        if not self._pv(name).put(value, wait=True, timeout=ANSWER_S):
            raise _NoAnswerError(f"{name} takes no value within {ANSWER_S:g} s")

    def _pv(self, name: str) -> Any:
        if name not in self._pvs:
            self._pvs[name] = epics.PV(name, auto_monitor=False)
        pv = self._pvs[name]
        if not pv.wait_for_connection(timeout=ANSWER_S):
            raise _NoAnswerError(f"{name} does not connect within {ANSWER_S:g} s")
        return pv

    def _tell_lost(self, why: str) -> None:
        self._running = None
        if self._lost is None:
            self._tell(lambda listener: listener.on_lost(why))
        self._lost = why
        log.error("%s: %s", self.name, why)
        # Whatever happens next, what was wanted is not started behind the back of a program that has ended.
        self._command(None)
        self._wake.clear()
        self._wake.wait(self._period_s)

    def _tell(self, what: Callable[[ChannelListener], None]) -> None:
        listener = self._listener
        if listener is not None:
            self._post(lambda: what(listener))


def why_ended(segment: Segment, technique: Technique, passed_s: float, last: Sample) -> EndReason:
    """Why a technique has ended by itself; `NONE` where no limit of the segment explains it.

    The instrument sees more readings than the last one that was heard of: of the limits that it watches, the
    voltage explains the end where the last reading was on its way there.

    Parameters
    ----------
    passed_s
        Since its start, when it was found to have ended.
    last
        Reading of it.
    """
    if passed_s >= TIME_SHARE * technique.duration_s:
        return EndReason.TIME
    cuts = [one for one in segment.cutoffs if one.quantity is Quantity.VOLTAGE_V]
    if not cuts or not math.isfinite(last.voltage_v):
        return EndReason.NONE
    nearest = min(cuts, key=lambda one: abs(one.value - last.voltage_v))
    return nearest.reason if abs(nearest.value - last.voltage_v) < NEAR_V else EndReason.NONE

"""The clock of a cycler's PC that nobody connected, against the beamline's: checks, offsets, markers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

import numpy as np

from intercalate.catalog.clock import ClockModel, fit_clock
from intercalate.cycling_files import CyclingSeries
from intercalate.problems import Problem, ProblemsError

READING_HALF_WIDTH_S = 1.0
"""Of a pair that a person reads: two displays of whole seconds, one after the other."""

NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d*)?")

NO_CURRENT_FRACTION = 1e-3
"""Of the largest current in a file: less is none."""


class ClockError(ProblemsError):
    """What was said of a clock was refused."""

    def __init__(self, where: str, value: object, limit: str, fix: str) -> None:
        super().__init__("clock", [Problem(where, value, limit, fix)])


@dataclass(frozen=True)
class ClockCheck:
    """One moment by both clocks.

    Attributes
    ----------
    cycler_s
        By the cycler's clock: unix time, or test time of a file that has no other.
    beamline_s
        Unix time by the beamline's clock.
    half_width_s
        Within which both are certain.
    """

    cycler_s: float
    beamline_s: float
    half_width_s: float


def parse_time(text: str, zone: tzinfo | None) -> float:
    """Unix time of `2022-07-26 22:38:30`, with a zone of its own or in the one given, or of a number.

    Raises
    ------
    ClockError
        If it is neither.
    """
    text = text.strip()
    if NUMBER.fullmatch(text):
        return float(text)
    try:
        local = datetime.fromisoformat(text)
        aware = local if local.tzinfo else local.replace(tzinfo=zone) if zone else local.astimezone()
        return aware.timestamp()
    except (ValueError, OverflowError, OSError) as error:
        fix = "write 2022-07-26 22:38:30, with +02:00 behind it if it is of another zone"
        raise ClockError("time", text, f"is no date and time: {error}", fix) from None


def parse_clock_check(text: str, zone: tzinfo | None, half_width_s: float) -> ClockCheck:
    """A pair `time of the cycler's PC = time of the beamline`.

    Raises
    ------
    ClockError
        If it is no pair of times.
    """
    cycler, beamline = _pair(text)
    return ClockCheck(parse_time(cycler, zone), parse_time(beamline, zone), half_width_s)


def parse_marker(text: str, series: CyclingSeries, zone: tzinfo | None, half_width_s: float) -> ClockCheck:
    """A pair `marker in the file = time at which the beamline saw it`; see `marker_time`.

    Raises
    ------
    ClockError
        If it is no such pair, or the file has no such marker.
    """
    name, beamline = _pair(text)
    at_s, half_s = marker_time(series, name)
    return ClockCheck(at_s, parse_time(beamline, zone), half_s + half_width_s)


def _pair(text: str) -> tuple[str, str]:
    first, equals, second = text.partition("=")
    if not (first.strip() and equals and second.strip()):
        limit = "a pair is written with = between what the cycler showed and the beamline's time"
        raise ClockError("pair", text, limit, "such as '2022-07-26 22:38:30 = 2022-07-26 22:38:27'")
    return first.strip(), second.strip()


def marker_time(series: CyclingSeries, name: str) -> tuple[float, float]:
    """When something happened that others see too, by the cycler's clock.

    Parameters
    ----------
    name
        `stop 2`: the current ends for the second time; `start 1`: it begins for the first time, in
        the file; `step 4`: the step with this `step_count` begins.

    Returns
    -------
    float, float
        Middle of the two records between which it happened, and half the time between them, in s.

    Raises
    ------
    ClockError
        If the name is no such, or there are fewer in the file.
    """
    kind, _, number = name.strip().partition(" ")
    if kind not in ("stop", "start", "step") or not number.strip().isdigit() or int(number) < 1:
        limit = "must be stop, start or step and a number from 1"
        raise ClockError("marker", name, limit, "such as 'stop 1'")
    count = int(number)
    if kind == "step":
        reached = series.columns["step_count"] >= count
        after = np.flatnonzero(reached[1:] & ~reached[:-1])
        count = 1
    else:
        current = np.abs(series.columns["current_ampere"])
        flows = current > NO_CURRENT_FRACTION * current.max()
        changed = flows[:-1] & ~flows[1:] if kind == "stop" else ~flows[:-1] & flows[1:]
        after = np.flatnonzero(changed)
    if len(after) < count:
        limit = f"the file has {len(after)} of these" if kind != "step" else "no such step begins in the file"
        raise ClockError("marker", name, limit, "name one that the file has")
    at, clock = after[count - 1], series.clock_s
    return float(clock[at] + clock[at + 1]) / 2, float(clock[at + 1] - clock[at]) / 2


def clock_of_checks(checks: Sequence[ClockCheck]) -> ClockModel:
    """Offset and drift from one or more checks; see `fit_clock`.

    From one, the drift is known to the worst of clocks only: its error grows by 1 s in 1000.

    Raises
    ------
    ClockError
        If there are none, a width is negative, or they cannot all be of two clocks.
    """
    if not checks:
        raise ClockError("checks", 0, "needs one at least, two for the drift", "read both clocks")
    narrowest_s = min(one.half_width_s for one in checks)
    if narrowest_s < 0:
        raise ClockError("half width", narrowest_s, "must not be negative", "correct it")
    cycler, beamline, half = np.array([[c.cycler_s, c.beamline_s, c.half_width_s] for c in checks]).T
    # The fit is of small numbers; a clock that counts from the start of a test is billions of seconds off.
    shift = float(np.round(np.median(cycler - beamline)))
    fitted = fit_clock(cycler - shift, beamline, half)
    off = np.abs(cycler - shift - fitted.to_cycler(beamline))
    worst = int(np.argmax(off - half))
    allowed = half[worst] + 3 * float(fitted.systematic_s)
    if off[worst] > allowed:
        raise ClockError(
            f"check {worst + 1}",
            f"{off[worst]:.3g} s",
            f"off the line through all of them, which is more than the {allowed:.3g} s that its width allows",
            "correct that pair, or say how wide it was; a clock that was set in between needs two imports",
        )
    what = f"{len(checks)} check{'s' if len(checks) > 1 else ''} of the cycler's PC against the beamline"
    return replace(fitted, offset_s=fitted.offset_s + shift, note=f"{what} over {np.ptp(beamline):.0f} s")


def clock_of_offset(offset_s: float, uncertainty_s: float | None) -> ClockModel:
    """A clock of which a person knows the offset.

    Parameters
    ----------
    offset_s
        What must be added to the time of the cycler's PC to have the beamline's.
    uncertainty_s
        Standard error; None if nobody knows it.

    Raises
    ------
    ClockError
        If a number is not finite, or the error negative.
    """
    if not np.isfinite(offset_s):
        raise ClockError("offset", offset_s, "must be a finite number of s", "correct it")
    if uncertainty_s is not None and not 0 <= uncertainty_s < np.inf:
        raise ClockError("offset uncertainty", uncertainty_s, "must be 0 s or more", "correct it")
    known = f"known to {uncertainty_s:g} s" if uncertainty_s is not None else "of unknown error"
    sigma_s = float("nan") if uncertainty_s is None else uncertainty_s
    note = f"offset of {offset_s:g} s of the cycler's PC as given, {known}"
    return ClockModel.assumed(-offset_s, sigma_s, note)

"""Checks of one cell, its channel and the station before an experiment starts.

Each check is arithmetic on what a plan has measured, and gives one finding. What to measure is the plan's.
"""

import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.beam_quality import BeamLimits
from intercalate.calibrations import PLANS, Calibration, CalibrationStore, Kind, exposure_key
from intercalate.contract import RECORD_COLUMNS
from intercalate.orchestration.failures import cause_of
from intercalate.protocol import BoundProgram

PULSE_RATE_C = 0.02
"""C/50: a hundredth of a percent of the capacity in twenty seconds."""

PULSE_S = 10.0
PULSE_WALL_S = 0.2
"""A pulse lasts for the longer of both, in cell and wall time: other channels are read during it."""

BALANCED = 0.05
"""Share of its own answer up to which another channel may move by itself."""

MAX_CLOCK_OFFSET_S = 60.0
"""Also the largest half width with which two clocks count as compared."""

DISK_MARGIN = 1.5
MAX_SATURATED_PIXELS = 20
MIN_SIGNIFICANCE = 50.0
"""Standard deviations of its sum by which a frame must exceed the dark counts."""

DARK_DRIFT = 0.02
"""Share of the dark counts by which they may have changed since they were measured."""

SHUTTER_RATIO = 10.0
_VOLTAGE_NOISE_V = 2e-4
"""Smallest answer that is one."""

_TIME, _VOLTAGE, _CURRENT = (
    RECORD_COLUMNS.index(name) for name in ("test_time_second", "voltage_volt", "current_ampere")
)


class Verdict(StrEnum):
    """Of one check."""

    GREEN = "green"
    WARNING = "warning"
    RED = "red"
    NOT_CHECKED = "not checked"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True)
class Finding:
    """Outcome of one check.

    Attributes
    ----------
    what
        Name of the check, by which a red one is overridden.
    verdict, found, limit
        How it went, what was seen, and what was asked for.
    remedy
        What to do about it; the reason given by a person where it was overridden.
    """

    what: str
    verdict: Verdict
    found: str
    limit: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        limit = f" (limit: {self.limit})" if self.limit else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.what}: {self.found}{limit}{remedy}"


CHECKS = (
    "open-circuit voltage",
    "pulse",
    "resistance",
    "other channels",
    "shutter",
    "I0",
    "test frame",
    "disk",
    "clocks",
    "calibrations",
)
"""Names of all findings of a preflight."""


class PreflightError(RuntimeError):
    """Something is red that nobody has overridden; `findings` holds everything."""

    def __init__(self, place: str, findings: Sequence[Finding]):
        self.findings = tuple(findings)
        red = [one for one in findings if one.verdict is Verdict.RED]
        lines = "\n".join(f"  {one}" for one in red)
        super().__init__(
            f"the preflight of {place} found {len(red)} red:\n{lines}\n"
            "mend them, or override each by its name with a reason"
        )


def judged(what: str, is_good: bool, found: str, limit: str = "", remedy: str = "") -> Finding:
    """Green or red; the remedy belongs to red."""
    verdict = Verdict.GREEN if is_good else Verdict.RED
    return Finding(what, verdict, found, limit, "" if is_good else remedy)


def check_overrides(overrides: Mapping[str, str]) -> None:
    """Refuse an override of nothing, or without a reason.

    Raises
    ------
    ValueError
        Naming it, and what can be overridden.
    """
    for what, reason in overrides.items():
        if what not in CHECKS:
            raise ValueError(f"there is no check {what!r} to override; there are {', '.join(CHECKS)}")
        if not reason.strip():
            raise ValueError(f"the override of {what!r} needs a reason, in words")


def overridden(findings: Sequence[Finding], overrides: Mapping[str, str]) -> list[Finding]:
    """Findings; red ones that are overridden say so, and why, others that their override was ignored."""
    found = []
    for one in findings:
        if one.what in overrides:
            reason = overrides[one.what]
            if one.verdict is Verdict.RED:
                one = replace(one, verdict=Verdict.OVERRIDDEN, remedy=reason)
            else:
                words = f"it is {one.verdict}, so its override was ignored: {reason}"
                one = replace(one, remedy="; ".join(filter(None, (one.remedy, words))))
        found.append(one)
    return found


def skipped(checks: Iterable[str], why: str) -> list[Finding]:
    """Checks that were not made."""
    return [Finding(what, Verdict.NOT_CHECKED, why) for what in checks]


def completed(findings: Sequence[Finding]) -> list[Finding]:
    """One finding for every check, in their order."""
    known = {one.what: one for one in (*skipped(CHECKS, "not reached"), *findings)}
    return [known[what] for what in CHECKS]


def failed(what: str, error: BaseException) -> Finding:
    """A check that could not be made, because something did not do what it was told."""
    cause = cause_of(error)
    return judged(what, False, f"{type(cause).__name__}: {cause}", "", "see whether its IOC runs; try again")


def open_circuit_voltage(voltage_v: float, program: BoundProgram) -> Finding:
    """Inside what the interlocks of the experiment allow; a fresh cell may be outside its own window."""
    low, high = program.limits.min_voltage_v, program.limits.max_voltage_v
    own_low, own_high = program.limits.lowest_setpoint_v, program.limits.highest_setpoint_v
    outside = (
        "" if own_low <= voltage_v <= own_high else f", outside the cell's own {own_low:g} to {own_high:g} V"
    )
    return judged(
        "open-circuit voltage",
        low <= voltage_v <= high,
        f"{voltage_v:.4f} V{outside}",
        f"{low:g} to {high:g} V",
        "is the cell connected the right way round, and is it the one that is described?",
    )


@dataclass
class Pulses:
    """What was seen of a charging and a discharging pulse.

    Attributes
    ----------
    current_a
        Magnitude that was asked for: less than half of it is rest, as no channel reads exactly 0.
    records
        Of the channel, shape (n, len(RECORD_COLUMNS)).
    others_v
        By channel, pairs of (current on the pulsed channel, voltage of the other one) as read at once; NaN
        where it could not be read.
    busy
        Channels that execute programs of their own: their voltages say nothing.
    """

    current_a: float
    records: np.ndarray = field(default_factory=lambda: np.empty((0, len(RECORD_COLUMNS))))
    others_v: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    busy: list[str] = field(default_factory=list)

    def signs(self, current_a: Any) -> np.ndarray:
        """1 on charge, -1 on discharge, 0 at rest."""
        current = np.asarray(current_a, float)
        return np.where(np.abs(current) > self.current_a / 2, np.sign(current), 0.0)

    def note(self, channel: str, before_a: float, voltage_v: float, after_a: float) -> None:
        """Keep a voltage read between two currents, unless a pulse began or ended meanwhile."""
        if math.isfinite(before_a + after_a) and self.signs(before_a) == self.signs(after_a):
            self.others_v.setdefault(channel, []).append((after_a, voltage_v))

    def answer_v(self, sign: float) -> float:
        """By how much the voltage moved from the rest before a pulse to its end."""
        moved = np.flatnonzero(self.signs(self.records[:, _CURRENT]) == sign)
        if not moved.size or moved[0] == 0:
            return float("nan")
        return float(self.records[moved[-1], _VOLTAGE] - self.records[moved[0] - 1, _VOLTAGE])

    def all_answers_v(self, rates_C: Sequence[float]) -> list[float]:
        """Answer to each pulse, taken as positive where it has the right sign."""
        return [float(np.sign(rate_C)) * self.answer_v(float(np.sign(rate_C))) for rate_C in rates_C]

    def resistance_ohm(self) -> tuple[float, float]:
        """Change of voltage over change of current where the first pulse begins, and after how long."""
        moved = np.flatnonzero(self.signs(self.records[:, _CURRENT]))
        if not moved.size or moved[0] == 0:
            return float("nan"), float("nan")
        first, before = self.records[moved[0]], self.records[moved[0] - 1]
        step_a = first[_CURRENT] - before[_CURRENT]
        return float((first[_VOLTAGE] - before[_VOLTAGE]) / step_a), float(first[_TIME] - before[_TIME])

    def following_v(self, channel: str) -> float:
        """By how much another voltage follows the current, with its sign: pulses against rests."""
        current, volt = np.array(self.others_v[channel], float).reshape(-1, 2).T
        signs = self.signs(current)
        pulsed = signs != 0
        if pulsed.all() or not pulsed.any():
            return float("nan")
        return float(np.mean(signs[pulsed] * volt[pulsed]) - np.mean(signs[pulsed]) * np.mean(volt[~pulsed]))


def pulse_rates(voltage_v: float, program: BoundProgram) -> tuple[float, ...]:
    """C-rates of the pulses: both signs, but outside the cell's own window only towards it."""
    if voltage_v < program.limits.lowest_setpoint_v:
        return (PULSE_RATE_C,)
    if voltage_v > program.limits.highest_setpoint_v:
        return (-PULSE_RATE_C,)
    return (PULSE_RATE_C, -PULSE_RATE_C)


def pulse_answers(pulses: Pulses, rates_C: Sequence[float]) -> list[Finding]:
    """Sign of the answers, the resistance they show, and that no other channel answers."""
    answers = pulses.all_answers_v(rates_C)
    words = [
        f"{1000 * np.sign(rate_C) * answer:+.2f} mV on {'charge' if rate_C > 0 else 'discharge'}"
        for rate_C, answer in zip(rates_C, answers)
    ]
    findings = [
        judged(
            "pulse",
            all(answer > _VOLTAGE_NOISE_V for answer in answers),
            f"{', '.join(words)} at C/50",
            f"{1000 * _VOLTAGE_NOISE_V:g} mV with the sign of the current",
            "check polarity and contacts of the cell; a cell that does not answer is not connected",
        )
    ]
    resistance, after_s = pulses.resistance_ohm()
    findings.append(
        judged(
            "resistance",
            bool(np.isfinite(resistance)) and resistance > 0,
            f"{resistance:.1f} ohm within {after_s:.1f} s, from the pulse; no program measures impedance",
            "above 0",
            "look at the contacts",
        )
    )
    own_v = max((answer for answer in answers if math.isfinite(answer)), default=0.0)
    findings.append(_other_channels(pulses, own_v))
    return findings


def _other_channels(pulses: Pulses, own_v: float) -> Finding:
    busy = f"{', '.join(pulses.busy)} busy, not looked at" if pulses.busy else ""
    if not pulses.others_v:
        return Finding("other channels", Verdict.NOT_CHECKED, busy or "there is no other channel")
    answers = {channel: pulses.following_v(channel) for channel in pulses.others_v}
    limit_v = max(BALANCED * own_v, _VOLTAGE_NOISE_V)
    unread = [channel for channel, volt in answers.items() if not np.isfinite(volt)]
    moved = [channel for channel, volt in answers.items() if abs(volt) > limit_v]
    found = [f"{channel} {1000 * volt:+.2f} mV" for channel, volt in answers.items()]
    remedy = f"the pulse also shows on {', '.join(moved)}: cables are exchanged, or cells touch each other"
    if not moved:
        remedy = f"{', '.join(unread)} could not be read during the pulse: try again"
    return judged(
        "other channels",
        not moved and not unread,
        ", ".join([*found, busy] if busy else found),
        f"{1000 * limit_v:.2f} mV with the current",
        remedy,
    )


def no_pulse(why: str) -> Finding:
    """A channel that did not do what it was told."""
    return judged("pulse", False, why, "", "find the cause, then `intercalate acknowledge`")


def stuck_shutter(told: str, shown: str) -> Finding:
    """A shutter that did not obey; `told` is where it should be."""
    return judged(
        "shutter",
        False,
        f"told to be {told}, it shows {shown!r}",
        told,
        "see whether it sticks, and its interlock; then try again",
    )


def shutter_and_i0(closed_per_s: float, open_per_s: float, limits: BeamLimits) -> list[Finding]:
    """Whether the shutter lets through and holds back, and the beam before the sample."""
    enough_per_s = limits.weak_below * limits.full_i0_per_s
    return [
        judged(
            "shutter",
            open_per_s > SHUTTER_RATIO * max(closed_per_s, 1.0),
            f"I0 is {closed_per_s:.4g}/s closed, {open_per_s:.4g}/s open",
            f"{SHUTTER_RATIO:g} times as much",
            "is the safety shutter open, is there a ring current, does the fast shutter stick?",
        ),
        judged(
            "I0",
            open_per_s >= enough_per_s,
            f"{open_per_s:.4g}/s",
            f"{enough_per_s:.4g}/s",
            "look at ring current, slits, attenuator and monochromator",
        ),
    ]


def exposed_frame(
    frame: np.ndarray, dark: Calibration | None, flat: Calibration | None, saturation: float
) -> Finding:
    """Neither empty nor saturated, judged on the pixels that are used.

    Empty is a frame whose counts exceed those of the dark frames by no more than `MIN_SIGNIFICANCE` standard
    deviations of their sum, as the dark frames showed them, or by what dark counts may drift.

    Raises
    ------
    CalibrationError
        If a calibration is damaged.
    """
    masks = [one.array(name) for one, name in ((flat, "mask"), (dark, "blind")) if one is not None][:1]
    shapes = {frame.shape, *(mask.shape for mask in masks)}
    if dark is not None:
        mean, variance = (dark.array(name).astype(float) for name in ("mean", "variance"))
        shapes |= {mean.shape}
    if len(shapes) > 1:
        words = ", ".join(str(shape) for shape in sorted(shapes))
        return judged(
            "test frame",
            False,
            f"frame and calibrations have the shapes {words}",
            "one shape",
            "calibrate again",
        )
    used = ~masks[0].astype(bool) if masks else np.ones(frame.shape, bool)
    full = int(np.count_nonzero(frame[used] >= saturation))
    if full > MAX_SATURATED_PIXELS:
        return judged(
            "test frame",
            False,
            f"{full} pixels are saturated",
            f"{MAX_SATURATED_PIXELS}",
            "expose for less time, or put in an attenuator",
        )
    if dark is None:
        return Finding(
            "test frame", Verdict.NOT_CHECKED, f"{full} pixels saturated; emptiness needs take_darks first"
        )
    pixels = max(1, np.count_nonzero(used))
    signal = float(np.sum(frame[used] - mean[used])) / pixels
    noise = MIN_SIGNIFICANCE * float(np.sqrt(np.sum(np.maximum(variance[used], 1.0)))) / pixels
    least = max(noise, DARK_DRIFT * float(np.mean(mean[used])))
    return judged(
        "test frame",
        bool(signal > least),
        f"{signal:.3g} counts per pixel above dark, {full} saturated",
        f"{least:.3g} counts: {MIN_SIGNIFICANCE:g} sigma of the sum, or {100 * DARK_DRIFT:g} % of dark",
        "is the sample in the beam, and is there beam?",
    )


def disk(folder: Path, frames: int, bytes_per_frame: int) -> Finding:
    """Room for all frames that the run can take, on the disk that holds the folder.

    A folder of which nothing but the root is there is on a disk that this machine does not see.
    """
    seen = next((one for one in (folder, *folder.parents) if one.exists() and one != Path(one.anchor)), None)
    needed = DISK_MARGIN * frames * bytes_per_frame
    limit = f"{needed / 1e9:.1f} GB, {DISK_MARGIN:g} times {frames} frames of {bytes_per_frame / 1e6:.1f} MB"
    if seen is None:
        remedy = f"mount it here, or look at the detector's machine for {needed / 1e9:.1f} GB"
        return judged("disk", False, f"nothing of {folder} can be seen from here", limit, remedy)
    free = shutil.disk_usage(seen).free
    return judged(
        "disk",
        free >= needed,
        f"{free / 1e9:.1f} GB free for at most {frames} frames",
        limit,
        "make room, expose less often, or name another frames_folder in the configuration",
    )


def clocks(offset_s: float, half_width_s: float) -> Finding:
    """Whether the clocks can be compared; runs correct an offset that is known."""
    return judged(
        "clocks",
        abs(offset_s) <= MAX_CLOCK_OFFSET_S and half_width_s <= MAX_CLOCK_OFFSET_S,
        f"the detector is {offset_s:+.2f} s (± {half_width_s:.2f} s) from the cycler",
        f"{MAX_CLOCK_OFFSET_S:g} s, known to as much",
        "do both IOCs run, and are their clocks set by NTP?",
    )


def calibrations(store: CalibrationStore, exposure_s: float, place: str, max_age_h: float) -> Finding:
    """Whether all calibrations that a reduction needs are there, and recent.

    Without a background nothing is subtracted, which is a warning; an old one would be subtracted.
    """
    known = store.in_use()
    wanted: list[tuple[Kind, str]] = [
        (Kind.GEOMETRY, ""),
        (Kind.DARK, exposure_key(exposure_s)),
        (Kind.FLAT, ""),
        (Kind.BACKGROUND, ""),
        (Kind.POSITION, place),
    ]
    wrong: list[str] = []
    plans: list[str] = []
    verdict = Verdict.GREEN
    oldest_h = 0.0
    for kind, key in wanted:
        name = f"{kind}:{key}" if key else str(kind)
        found = known.get(name)
        if found is not None and found.age_h() <= max_age_h:
            oldest_h = max(oldest_h, found.age_h())
            continue
        is_bearable = kind is Kind.BACKGROUND and found is None
        if not is_bearable:
            verdict = Verdict.RED
        elif verdict is Verdict.GREEN:
            verdict = Verdict.WARNING
        wrong.append(f"no {name}" if found is None else f"{name} is {found.age_h():.0f} h old")
        plans.append(PLANS[kind])
    return Finding(
        "calibrations",
        verdict,
        ", ".join(wrong) or f"all there, the oldest {oldest_h:.1f} h",
        f"{max_age_h:g} h",
        f"run {', '.join(dict.fromkeys(plans))}" if plans else "",
    )

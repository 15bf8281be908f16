"""What a preflight finds, and its checks of a cell and its channel before an experiment starts.

Those of the instrument are in `preflight_instrument.py`. Each check is arithmetic on what a plan has
measured, and gives one finding. What to measure is the plan's.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

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
    "vacuum",
    "disk",
    "clocks",
    "calibrations",
)
"""Names of all findings of a preflight, and by which they are overridden."""

VACUUM = "vacuum"
"""The one that is found in a vacuum chamber alone."""


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


def completed(findings: Sequence[Finding], *, is_in_vacuum: bool) -> list[Finding]:
    """One finding for every check that is made there, in their order."""
    made = [what for what in CHECKS if what != VACUUM or is_in_vacuum]
    known = {one.what: one for one in (*skipped(made, "not reached"), *findings)}
    return [known[what] for what in made]


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

"""Checks of one cell, its channel and the station before an experiment starts.

Each check is arithmetic on what a plan has measured, and gives one finding. What to measure is the plan's.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.calibrations import PLANS, CalibrationStore, Kind, exposure_key
from intercalate.contract import RECORD_COLUMNS
from intercalate.protocol import BoundProgram

PULSE_RATE_C = 0.02
"""C/50: a hundredth of a percent of the capacity in twenty seconds."""

PULSE_S = 10.0
PULSE_WALL_S = 0.2
"""A pulse lasts for the longer of both, in cell and wall time: other channels are read during it."""

BALANCED = 0.05
"""Share of its own answer up to which another channel may move by itself."""

MAX_CLOCK_OFFSET_S = 60.0
DISK_MARGIN = 1.5
MAX_SATURATED_PIXELS = 20
MIN_SIGNIFICANCE = 50.0
"""Standard deviations of its sum by which a frame must exceed the dark counts."""

SHUTTER_RATIO = 10.0
_VOLTAGE_NOISE_V = 2e-4
"""Smallest answer that is one."""

_TIME, _VOLTAGE, _CURRENT = (
    RECORD_COLUMNS.index(name) for name in ("test_time_second", "voltage_volt", "current_ampere")
)


class Verdict(StrEnum):
    """Of one check."""

    GREEN = "green"
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
    """Findings, of which those that are red and overridden say so, and why."""
    return [
        Finding(one.what, Verdict.OVERRIDDEN, one.found, one.limit, overrides[one.what])
        if one.verdict is Verdict.RED and one.what in overrides
        else one
        for one in findings
    ]


def open_circuit_voltage(voltage_v: float, program: BoundProgram) -> Finding:
    """Inside what the interlocks of the experiment allow; a fresh cell may be outside its own window."""
    low, high = program.limits.min_voltage_v, program.limits.max_voltage_v
    return judged(
        "open-circuit voltage",
        low <= voltage_v <= high,
        f"{voltage_v:.4f} V",
        f"{low:g} to {high:g} V",
        "is the cell connected the right way round, and is it the one that is described?",
    )


@dataclass
class Pulses:
    """What was seen of a charging and a discharging pulse.

    Attributes
    ----------
    records
        Of the channel, shape (n, len(RECORD_COLUMNS)).
    others_v
        By channel, pairs of (current on the pulsed channel, voltage of the other one) as read at once.
    """

    records: np.ndarray
    others_v: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def answer_v(self, sign: float) -> float:
        """By how much the voltage moved from the rest before a pulse to its end."""
        moved = np.flatnonzero(np.sign(np.round(self.records[:, _CURRENT], 9)) == sign)
        if not moved.size or moved[0] == 0:
            return float("nan")
        return float(self.records[moved[-1], _VOLTAGE] - self.records[moved[0] - 1, _VOLTAGE])

    def all_answers_v(self, rates_C: Sequence[float]) -> list[float]:
        """Answer to each pulse, taken as positive where it has the right sign."""
        return [float(np.sign(rate_C)) * self.answer_v(float(np.sign(rate_C))) for rate_C in rates_C]

    def resistance_ohm(self) -> tuple[float, float]:
        """Change of voltage over change of current where the first pulse begins, and after how long."""
        current = np.round(self.records[:, _CURRENT], 9)
        moved = np.flatnonzero(current)
        if not moved.size or moved[0] == 0:
            return float("nan"), float("nan")
        first, before = self.records[moved[0]], self.records[moved[0] - 1]
        step_a = first[_CURRENT] - before[_CURRENT]
        return float((first[_VOLTAGE] - before[_VOLTAGE]) / step_a), float(first[_TIME] - before[_TIME])


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
            f"{resistance:.1f} ohm within {after_s:.1f} s of a pulse; the channel measures no impedance",
            "above 0",
            "look at the contacts",
        )
    )
    findings.append(_other_channels(pulses, max(answers)))
    return findings


def _other_channels(pulses: Pulses, own_v: float) -> Finding:
    if not pulses.others_v:
        return Finding("other channels", Verdict.NOT_CHECKED, "there is no other channel")
    answers = {channel: _following(samples) for channel, samples in pulses.others_v.items()}
    limit_v = max(BALANCED * own_v, _VOLTAGE_NOISE_V) if np.isfinite(own_v) else _VOLTAGE_NOISE_V
    moved = {channel: volt for channel, volt in answers.items() if not abs(volt) <= limit_v}
    found = ", ".join(f"{channel} {1000 * volt:+.2f} mV" for channel, volt in answers.items())
    return judged(
        "other channels",
        not moved,
        found,
        f"{1000 * limit_v:.2f} mV with the current",
        f"the pulse also shows on {', '.join(moved)}: cables are exchanged, or cells touch each other",
    )


def _following(samples: Sequence[tuple[float, float]]) -> float:
    """By how much a voltage follows a current, with the current's sign: pulses against rests."""
    rest = [volt for current, volt in samples if current == 0]
    signed = [np.sign(current) * volt for current, volt in samples if current != 0]
    signs = [np.sign(current) for current, _ in samples if current != 0]
    if not rest or not signed:
        return float("nan")
    return float(np.mean(signed) - np.mean(signs) * np.mean(rest))


def no_pulse(why: str) -> Finding:
    """A channel that did not do what it was told."""
    return judged("pulse", False, why, "", "find the cause, then `intercalate acknowledge`")


def stuck_shutter(shown: str) -> Finding:
    """A shutter that did not obey."""
    return judged(
        "shutter",
        False,
        f"told to open, it shows {shown!r}",
        "open",
        "see whether it sticks, and its interlock; then try again",
    )


def shutter_and_i0(
    closed_per_s: float, open_per_s: float, full_per_s: float, weak_below: float
) -> list[Finding]:
    """Whether the shutter lets through and holds back, and the beam before the sample."""
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
            open_per_s >= weak_below * full_per_s,
            f"{open_per_s:.4g}/s",
            f"{weak_below * full_per_s:.4g}/s",
            "look at ring current, slits, attenuator and monochromator",
        ),
    ]


def exposed_frame(
    frame: np.ndarray, dark: np.ndarray | None, unused: np.ndarray | None, saturation: float
) -> Finding:
    """Neither empty nor saturated, judged on the pixels that are used."""
    used = np.ones(frame.shape, bool) if unused is None else ~unused
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
    signal = float(np.sum(frame[used] - dark[used].astype(float)))
    noise = float(np.sqrt(np.sum(np.maximum(dark[used], 1.0))))
    return judged(
        "test frame",
        signal > MIN_SIGNIFICANCE * noise,
        f"{signal / max(1, np.count_nonzero(used)):.3g} counts per pixel above dark, {full} saturated",
        f"{MIN_SIGNIFICANCE:g} sigma above dark",
        "is the sample in the beam, and is there beam?",
    )


def disk(folder: Path, frames: int, bytes_per_frame: int) -> Finding:
    """Room for all frames that the run can take."""
    existing = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
    free, needed = shutil.disk_usage(existing).free, DISK_MARGIN * frames * bytes_per_frame
    return judged(
        "disk",
        free >= needed,
        f"{free / 1e9:.1f} GB free for at most {frames} frames",
        f"{needed / 1e9:.1f} GB",
        "make room, expose less often, or name another frames_folder in the configuration",
    )


def clocks(offset_s: float, half_width_s: float) -> Finding:
    """Whether the clocks can be compared; runs correct an offset that is known."""
    return judged(
        "clocks",
        bool(np.isfinite(offset_s)) and abs(offset_s) <= MAX_CLOCK_OFFSET_S + half_width_s,
        f"the detector is {offset_s:+.2f} s (± {half_width_s:.2f} s) from the cycler",
        f"{MAX_CLOCK_OFFSET_S:g} s",
        "do both IOCs run, and are their clocks set by NTP?",
    )


def calibrations(store: CalibrationStore, exposure_s: float, place: str, max_age_h: float) -> Finding:
    """Whether all calibrations that a reduction needs are there, and recent."""
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
    oldest_h = 0.0
    for kind, key in wanted:
        name = f"{kind}:{key}" if key else str(kind)
        found = known.get(name)
        if found is None:
            wrong.append(f"no {name}")
        elif found.age_h() > max_age_h:
            wrong.append(f"{name} is {found.age_h():.0f} h old")
        else:
            oldest_h = max(oldest_h, found.age_h())
            continue
        plans.append(PLANS[kind])
    return judged(
        "calibrations",
        not wrong,
        ", ".join(wrong) or f"all there, the oldest {oldest_h:.1f} h",
        f"{max_age_h:g} h",
        f"run {', '.join(dict.fromkeys(plans))}",
    )


def as_event(one: Finding) -> dict[str, Any]:
    """Values of the event of a finding."""
    return {
        "what": one.what,
        "verdict": str(one.verdict),
        "found": one.found,
        "limit": one.limit,
        "remedy": one.remedy,
    }

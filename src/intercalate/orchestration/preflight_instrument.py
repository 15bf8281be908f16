"""Checks of an instrument before an experiment: beam, frame, vacuum, disk, clocks, calibrations."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intercalate.beam_quality import BeamLimits
from intercalate.calibrations import PLANS, Calibration, CalibrationStore, Kind, exposure_key
from intercalate.orchestration.preflight import VACUUM, Finding, Verdict, judged

MAX_CLOCK_OFFSET_S = 60.0
"""Also the largest half width with which two clocks count as compared."""

DISK_MARGIN = 1.5
MAX_SATURATED_PIXELS = 20
MIN_SIGNIFICANCE = 50.0
"""Standard deviations of its sum by which a frame must exceed the dark counts."""

DARK_DRIFT = 0.02
"""Share of the dark counts by which they may have changed since they were measured."""

SHUTTER_RATIO = 10.0


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


def steady_source(why_not: str) -> Finding:
    """A source that gives what is set wherever it is switched on; `why_not` is empty if it does."""
    return judged("I0", not why_not, why_not or "it is switched on", "", "switch it on; close its interlock")


def vacuum(pressure_mbar: float, highest_mbar: float, why_not: str) -> Finding:
    """Of the chamber; `why_not` is empty if something can be measured in it."""
    return judged(
        VACUUM,
        not why_not,
        why_not or f"{pressure_mbar:.1e} mbar",
        f"{highest_mbar:.1e} mbar, gate valve closed",
        "close the gate valve and pump; a sample that gives off vapour has to be cooled",
    )


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


@dataclass(frozen=True)
class _Wanted:
    """A calibration of an instrument.

    Attributes
    ----------
    key
        Which one of its kind: `exposure` or `place`, or the only one.
    is_spared
        Whether there is less to be had without it, but something.
    """

    kind: Kind
    key: str = ""
    is_spared: bool = False


_WANTED: Mapping[str, tuple[_Wanted, ...]] = {
    "xrd": (
        _Wanted(Kind.GEOMETRY),
        _Wanted(Kind.DARK, "exposure"),
        _Wanted(Kind.FLAT),
        _Wanted(Kind.BACKGROUND, is_spared=True),
        _Wanted(Kind.POSITION, "place"),
    ),
    "raman": (
        _Wanted(Kind.DARK, "exposure"),
        _Wanted(Kind.SHIFT),
        _Wanted(Kind.FOCUS, "place", is_spared=True),
    ),
    "xps": (_Wanted(Kind.ENERGY),),
    "sem": (_Wanted(Kind.SCALE), _Wanted(Kind.CURRENT, is_spared=True)),
    "eds": (_Wanted(Kind.ENERGY),),
    "tem": (_Wanted(Kind.CAMERA_LENGTH, is_spared=True), _Wanted(Kind.DOSE_RATE, is_spared=True)),
}
"""By technique; one that is not named here has none that a reduction would use."""


def calibrations(
    store: CalibrationStore, technique: str, exposure_s: float, place: str, max_age_h: float
) -> Finding:
    """Whether all calibrations that a reduction needs are there, and recent.

    One that can be spared is a warning where it is not there; an old one would be used, and is red.
    """
    known = store.in_use()
    keys = {"exposure": exposure_key(exposure_s), "place": place}
    wrong: list[str] = []
    plans: list[str] = []
    verdict = Verdict.GREEN
    oldest_h: float | None = None
    for wanted in _WANTED.get(technique, ()):
        key = keys.get(wanted.key, "")
        name = f"{wanted.kind}:{key}" if key else str(wanted.kind)
        found = known.get(name)
        if found is not None and found.age_h() <= max_age_h:
            oldest_h = max(oldest_h or 0.0, found.age_h())
            continue
        if not (wanted.is_spared and found is None):
            verdict = Verdict.RED
        elif verdict is Verdict.GREEN:
            verdict = Verdict.WARNING
        wrong.append(f"no {name}" if found is None else f"{name} is {found.age_h():.0f} h old")
        plans.append(PLANS[wanted.kind])
    there = "none is needed" if oldest_h is None else f"all there, the oldest {oldest_h:.1f} h"
    return Finding(
        "calibrations",
        verdict,
        ", ".join(wrong) or there,
        f"{max_age_h:g} h",
        f"run {', '.join(dict.fromkeys(plans))}" if plans else "",
    )

"""Stubs of calibration plans: frames into the run and into memory, results into the store."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate import streams
from intercalate.calibrations import Calibration, Kind
from intercalate.devices.roles import LEAVES_SHUTTER, MeasuresCells
from intercalate.orchestration.events import whole_event
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.measuring import take_frame
from intercalate.orchestration.waiting import in_thread

log = logging.getLogger(__name__)

T = TypeVar("T")

SET_BACK_S = 30.0
"""Wall seconds within which a setting must be what it was."""

COUNTED = (
    *("i0_counts", "it_counts", "reflected_counts", "specimen_counts"),
    *("power_meter_mw", "live_time_s"),
)
"""What monitors have, each kind some of it."""


@dataclass(frozen=True)
class Taken:
    """A frame that a plan took, with what the monitors counted meanwhile.

    Attributes
    ----------
    frame
        Raw counts, shape (rows, columns).
    counts
        Of the monitors, those of `COUNTED` that they have.
    """

    frame: np.ndarray
    counts: Mapping[str, float]


def take(
    station: MeasuresCells, count: int, exposure_s: float, *beside: Any, stream: str = streams.PRIMARY
) -> MsgGenerator[list[Taken]]:
    """Take frames into the open run, and return them."""
    taken = []
    for _ in range(count):
        yield from take_frame(
            station.detector, *beside, read_only=(station.monitors,), exposure_s=exposure_s, stream=stream
        )
        frame = yield from in_thread(station.detector.last_frame)
        counts = yield from monitor_counts(station)
        taken.append(Taken(frame, counts))
    return taken


def shut(station: MeasuresCells) -> MsgGenerator[None]:
    """Close the shutter, and have the detector leave it so until it is staged again."""
    yield from bps.mv(station.detector.shutter_mode, LEAVES_SHUTTER, station.shutter, "closed")


def monitor_counts(station: MeasuresCells) -> MsgGenerator[Mapping[str, float]]:
    """Counts and live time as the monitors show them, those of `COUNTED` that they have."""
    reading = yield from bps.read(station.monitors)
    return counted(station, reading or {})


def counted(station: MeasuresCells, reading: Mapping[str, Any]) -> Mapping[str, float]:
    """Counts and live time in what was read of the monitors."""
    if not reading:
        # A plan that is only looked through has no readings.
        return dict.fromkeys(COUNTED, 0.0)
    keys = {name: f"{station.monitors.name}_{name}" for name in COUNTED}
    return {name: float(reading[key]["value"]) for name, key in keys.items() if key in reading}


def keep(
    station: MeasuresCells,
    kind: Kind,
    run: str,
    values: Mapping[str, Any],
    *,
    key: str = "",
    arrays: Mapping[str, np.ndarray] | None = None,
    texts: Mapping[str, str] | None = None,
) -> MsgGenerator[Calibration]:
    """Keep a calibration in the store, and its values and hash in the run."""
    calibrations = station.calibrations
    kept = yield from in_thread(
        lambda: calibrations.keep(kind, run, values, key=key, arrays=arrays, texts=texts)
    )
    yield from whole_event(streams.CALIBRATION, [calibrations])
    return kept


def as_before(
    plan: MsgGenerator[T], settings: Sequence[Any], *, only_if_it_fails: bool = False
) -> MsgGenerator[T]:
    """`plan`, after which settings are what they were told before it, however it ends.

    Parameters
    ----------
    settings
        Signals and axes that it changes.
    only_if_it_fails
        Where it ends well, they stay as it leaves them.

    Raises
    ------
    Exception
        What `plan` raises; else, what came of a setting that was not set back within `SET_BACK_S`.
    """
    before = yield from in_thread(lambda: [(setting, _told(setting)) for setting in settings])

    def back() -> MsgGenerator[None]:
        failed: Exception | None = None
        for setting, value in before:
            try:
                yield from bps.abs_set(setting, value, group="set back")
                yield from bps.wait("set back", timeout=SET_BACK_S)
            except FAILURES as error:
                log.error("%s is not %s as before: %s", setting.name, value, cause_of(error))
                failed = failed or error
        if failed is not None:
            raise failed

    def back_after_failure(_: Exception) -> MsgGenerator[None]:
        try:
            yield from back()
        except FAILURES:
            # In the log; what the plan failed with is what counts.
            return

    return (
        yield from bpp.contingency_wrapper(
            plan, except_plan=back_after_failure, else_plan=None if only_if_it_fails else back
        )
    )


def _told(setting: Any) -> Any:
    """What a signal or an axis was told last: a readback may be a little beside it."""
    return getattr(setting, "user_setpoint", setting).get_setpoint(use_monitor=False)


def calibration_run(
    station: MeasuresCells,
    plan_name: str,
    body: Callable[[str], MsgGenerator[Any]],
    md: Mapping[str, Any] | None,
    *,
    takes_frames: bool = True,
    changes: Sequence[Any] = (),
    finds: Sequence[Any] = (),
    **metadata: Any,
) -> MsgGenerator[str]:
    """A run with staged detector, where it takes frames, behind which the shutter is closed.

    Parameters
    ----------
    body
        Plan of the run, given its unique id.
    changes
        Signals and axes that it sets for itself: afterwards they are as before, however it ends.
    finds
        Those that it leaves as it found right: as before only where it fails.

    Returns
    -------
    str
        Unique id of the run.
    """

    def inner() -> MsgGenerator[str]:
        uid = yield from bps.open_run({"plan_name": plan_name, **metadata, **(md or {})})
        yield from body(uid)
        yield from bps.close_run()
        return uid

    def close_shutter() -> MsgGenerator[None]:
        yield from bps.abs_set(station.shutter, "closed", group="shutter")
        yield from bps.wait(group="shutter", timeout=30, error_on_timeout=False)

    def restored() -> MsgGenerator[str]:
        found = as_before(bpp.finalize_wrapper(inner(), close_shutter), finds, only_if_it_fails=True)
        return (yield from as_before(found, changes))

    staged = [station.detector] if takes_frames else []
    return (yield from bpp.stage_wrapper(restored(), staged))

"""Stubs that take frames, alone and beside a running cell."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from intercalate import streams
from intercalate.devices.roles import TakesFrames
from intercalate.orchestration.events import whole_event
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.waiting import Meanwhile, trigger_and_wait

log = logging.getLogger(__name__)


def take_frame(
    detector: TakesFrames,
    *beside: Any,
    read_only: Sequence[Any] = (),
    exposure_s: float | None = None,
    stream: str = streams.XRD,
    meanwhile: Meanwhile | None = None,
) -> MsgGenerator[None]:
    """Take one frame into the open run; the detector must be staged.

    The exposure is never rewound: after a pause in its middle the plan waits for its end.

    Parameters
    ----------
    detector
        Takes the frame.
    beside
        Further devices to read into the same event; those that can be triggered are, with the frame.
    read_only
        Likewise, but not triggered: monitors that the detector gates.
    exposure_s
        Cell seconds; as set before where None.
    meanwhile
        Stub executed during the exposure, every second of wall time and at least once.
    """

    def inner() -> MsgGenerator[None]:
        if exposure_s is not None:
            yield from bps.abs_set(detector.exposure_s, exposure_s, wait=True)
        triggered = (device for device in beside if hasattr(device, "trigger"))
        yield from trigger_and_wait(detector, *triggered, meanwhile=meanwhile)
        yield from whole_event(stream, (detector, *beside, *read_only))

    yield from bpp.rewindable_wrapper(inner(), False)


def take_frames(
    detector: TakesFrames,
    count: int,
    *beside: Any,
    read_only: Sequence[Any] = (),
    exposure_s: float | None = None,
    stream: str = streams.XRD,
) -> MsgGenerator[None]:
    """Take `count` frames one after the other; see `take_frame`."""
    if count < 1:
        raise ValueError(f"count is {count}; take at least 1 frame")
    for _ in range(count):
        yield from take_frame(detector, *beside, read_only=read_only, exposure_s=exposure_s, stream=stream)


class OpenDetector:
    """A detector that several measurements use in turn: staged before the first, and after a failure.

    Attributes
    ----------
    detector
        What takes the frames.
    """

    def __init__(self, detector: TakesFrames):
        self.detector = detector
        self._exposure_s: float | None = None
        self._staged = self._went_away = False

    def unavailable(self) -> str:
        """Why no frame can be taken now; empty if one can."""
        reason = self.detector.unavailable()
        self._went_away |= bool(reason)
        return reason

    def prepare(self, exposure_s: float) -> MsgGenerator[None]:
        """Open a file, unless one is open; before the cell starts, it costs the cell no time.

        Raises
        ------
        RuntimeError
            If the detector has not answered since it was left alone.
        """
        if self._went_away:
            # Nothing of the staging is left in an IOC that was away, but the device still counts as staged.
            yield from self.end()
            if self._went_away:
                raise RuntimeError(f"{self.detector.name} does not let go of its last file")
        if not self._staged:
            # Before it is done: what a staging that fails has begun, `end` takes back.
            self._staged = True
            self._exposure_s = None
            yield from bps.stage(self.detector, wait=True)
        if exposure_s != self._exposure_s:
            yield from bps.abs_set(self.detector.exposure_s, exposure_s, wait=True)
            self._exposure_s = exposure_s

    def end(self) -> MsgGenerator[None]:
        """Close the file; a detector that does not answer is left alone until the next frame is due."""
        if self.unavailable():
            return
        try:
            if self._staged:
                yield from bps.unstage(self.detector, wait=True)
        except FAILURES as error:
            # Connected and silent, as an IOC that hangs: the cell does not wait, nor end, for it.
            log.error("%s: %s", self.detector.name, cause_of(error))
            self._went_away = True
            return
        self._staged = self._went_away = False


class Measuring:
    """Frames of a cell that does not wait.

    Parameters
    ----------
    detector
        Shared by the measurements that are taken in turn.
    beside, read_only
        Read into the same event, as of `take_frame`.
    meanwhile
        Stub executed during exposures, as of `take_frame`: the cell goes on, and so must who watches it.
    exposure_s
        In cell seconds.
    stream
        Of the run.
    run_key
        By which the detector tells the runs of several cells apart.
    precondition
        Gives the reason why measuring has no sense now; empty if it has.

    Attributes
    ----------
    taken
        Number of frames.
    """

    def __init__(
        self,
        detector: OpenDetector,
        beside: Sequence[Any],
        meanwhile: Meanwhile,
        exposure_s: float,
        *,
        read_only: Sequence[Any] = (),
        stream: str = streams.XRD,
        run_key: str = "",
        precondition: Callable[[], str] = lambda: "",
    ):
        self.taken = 0
        self.exposure_s = exposure_s
        self._detector = detector
        self._beside = tuple(beside)
        self._read_only = tuple(read_only)
        self._meanwhile = meanwhile
        self._stream = stream
        self._file_key = f"{run_key}/{stream}"
        self._precondition = precondition

    def unavailable(self) -> str:
        """Why no frame can be taken now; empty if one can."""
        return self._detector.unavailable() or self._precondition()

    def prepare(self) -> MsgGenerator[None]:
        """Do what can be done before a frame is due."""
        yield from self._detector.prepare(self.exposure_s)

    def expose(self) -> MsgGenerator[str]:
        """Take a frame; returns why there is none, empty if there is one."""
        if reason := self.unavailable():
            return reason
        try:
            yield from self.prepare()
            self._detector.detector.for_run(self._file_key)
            yield from take_frame(
                self._detector.detector,
                *self._beside,
                read_only=self._read_only,
                stream=self._stream,
                meanwhile=self._meanwhile,
            )
        except FAILURES as error:
            cause = cause_of(error)
            yield from self._detector.end()
            return f"{type(cause).__name__}: {cause}"
        self.taken += 1
        return ""

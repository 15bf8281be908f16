"""Plans that take frames and leave the cell alone."""

from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from intercalate.devices.roles import MovesSample, TakesFrames
from intercalate.orchestration import take_frames
from intercalate.orchestration.annotations import COUNT, EXPOSURE, FURTHER_METADATA, device, for_queue, number
from intercalate.orchestration.checking import (
    MAX_EXPOSURE_S,
    check_exposure,
    require_role,
)

DETECTORS = (
    "diffractometer",
    "raman_spectrometer",
    "optical_detector",
    "xps_spectrometer",
    "sem_detector",
    "eds_spectrometer",
    "ebsd_detector",
    "tem_detector",
    "eels_spectrometer",
)
"""By the names under which a session knows them."""


@for_queue(
    "Take frames of a sample at rest.",
    detector=device("Takes the frames.", *DETECTORS),
    count=COUNT,
    exposure_s=number("Exposure of each, s.", 0.001, MAX_EXPOSURE_S),
    md=FURTHER_METADATA,
)
def count_frames(
    detector: TakesFrames, count: int = 1, exposure_s: float = 60.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Take frames of a sample at rest.

    Parameters
    ----------
    detector
        Takes the frames.
    count
        Number of frames.
    exposure_s
        Exposure of each, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run; the frames are in its stream `primary`.
    """
    require_role(detector, TakesFrames, "detector")
    check_exposure(exposure_s, count)
    metadata = {"plan_name": "count_frames", "exposure_s": exposure_s, "num_points": count, **(md or {})}

    @bpp.stage_decorator([detector])
    @bpp.run_decorator(md=metadata)
    def inner() -> MsgGenerator[Any]:
        yield from take_frames(detector, count, exposure_s=exposure_s, stream="primary")

    return (yield from inner())


@for_queue(
    "Take a frame at each point of a line or grid across the sample.",
    detector=device("Takes the frames.", *DETECTORS),
    changer=device("Moves the sample.", "changer", "chamber_changer", "tem_changer"),
    x_start_mm=number("First column, mm.", -100, 100),
    x_stop_mm=number("Last column, mm.", -100, 100),
    x_points=number("Number of columns.", 1, 1000, integer=True),
    y_start_mm=number("First row, mm.", -100, 100),
    y_stop_mm=number("Last row, mm.", -100, 100),
    y_points=number("Number of rows.", 1, 1000, integer=True),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def scan_sample(
    detector: TakesFrames,
    changer: MovesSample,
    x_start_mm: float,
    x_stop_mm: float,
    x_points: int,
    y_start_mm: float = 0.0,
    y_stop_mm: float = 0.0,
    y_points: int = 1,
    exposure_s: float = 60.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Take a frame at each point of a line or grid across the sample.

    Parameters
    ----------
    detector, changer
        Take the frames and move the sample.
    x_start_mm, x_stop_mm, x_points, y_start_mm, y_stop_mm, y_points
        Grid, both ends included; rows are scanned one after the other.
    exposure_s
        Exposure of each frame, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run; the frames are in its stream `primary`.
    """
    require_role(detector, TakesFrames, "detector")
    require_role(changer, MovesSample, "changer")
    check_exposure(exposure_s, x_points * y_points)
    for axis, ends in ((changer.x_mm, (x_start_mm, x_stop_mm)), (changer.y_mm, (y_start_mm, y_stop_mm))):
        for position_mm in ends:
            axis.check_value(position_mm)
    metadata = {"plan_name": "scan_sample", "exposure_s": exposure_s, **(md or {})}

    @bpp.stage_decorator([detector])
    @bpp.run_decorator(md=metadata)
    def inner() -> MsgGenerator[Any]:
        for y_mm in _points(y_start_mm, y_stop_mm, y_points):
            for x_mm in _points(x_start_mm, x_stop_mm, x_points):
                yield from bps.mv(changer.x_mm, x_mm, changer.y_mm, y_mm)
                yield from take_frames(
                    detector, 1, changer.x_mm, changer.y_mm, exposure_s=exposure_s, stream="primary"
                )

    return (yield from inner())


def _points(start: float, stop: float, count: int) -> list[float]:
    return [start + (stop - start) * i / max(1, count - 1) for i in range(count)]

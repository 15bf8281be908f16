"""A plan for the camera of a Raman microscope: its colours, by a face that is known."""

from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.colour_frames import CHANNELS, unpacked
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import COUNT, EXPOSURE, FURTHER_METADATA, device, for_queue
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.waiting import in_thread

SILICON = "Si"


@for_queue(
    "Set the colours of a camera by silicon.",
    station=device("Camera in white light with all that is around it.", "optical"),
    exposure_s=EXPOSURE,
    count=COUNT,
    md=FURTHER_METADATA,
)
def calibrate_colour(
    station: MeasuresCells, exposure_s: float = 0.2, count: int = 4, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Set the colours of a camera, and how evenly its field is lit, by silicon on the sample changer.

    Parameters
    ----------
    station
        Camera in white light.
    exposure_s
        Of each image, in cell seconds.
    count
        Of images.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    ValueError
        Before anything moves, if there is no silicon.
    OpticalError
        If the images are dark or saturated, or the face is not even; what was found before stays.
    """
    from intercalate.optical_results import optical_camera
    from intercalate.reduction.optical import white_of

    require_station(station, "optical")
    check_exposure(exposure_s, count)
    at = station.changer.find(content=SILICON)
    paper = station.calibrations.on_paper

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, stage_target(station, at))
        taken = yield from take(station, count, exposure_s)
        white = yield from in_thread(
            lambda: white_of(
                [unpacked(one.frame, paper.pixels) for one in taken],
                [one.counts["i0_counts"] for one in taken],
                optical_camera(paper),
            )
        )
        middle = np.median(white.per_count, axis=(0, 1))
        values = {
            **{f"{name}_per_count": float(one) for name, one in zip(CHANNELS, middle)},
            "relative_sigma": white.relative_sigma,
            "frames": count,
            "exposure_s": exposure_s,
        }
        yield from keep(station, Kind.WHITE, run, values, arrays={"per_count": white.per_count})

    return (
        yield from calibration_run(
            station, "calibrate_colour", body, md, place=at, exposure_s=exposure_s, num_points=count
        )
    )

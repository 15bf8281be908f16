"""A plan for a transmission electron microscope: its camera length."""

from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import EXPOSURE, FURTHER_METADATA, device, for_queue
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.waiting import in_thread
from intercalate.reduction.tem import camera_constant

GOLD, PATTERN = "gold", "diffraction"


@for_queue(
    "Measure the camera length on the rings of gold.",
    station=device("Transmission electron microscope with all that is around it.", "tem"),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def calibrate_camera_length(
    station: MeasuresCells, exposure_s: float = 2.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Measure the camera length on the diffraction rings of gold that is on the stage.

    Parameters
    ----------
    station
        Transmission electron microscope.
    exposure_s
        Of the pattern, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    ValueError
        Before anything moves, if there is no gold.
    TemError
        If the pattern shows fewer than three rings; the camera length stays as it was.
    """
    require_station(station, "tem")
    check_exposure(exposure_s)
    at = station.changer.find(content=GOLD)

    def body(run: str) -> MsgGenerator[None]:
        before = yield from bps.rd(station.scan.mode)
        yield from bps.mv(station.changer, at, station.scan.mode, PATTERN)
        (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
        on_paper = station.calibrations.on_paper.camera_px_angstrom
        found = yield from in_thread(lambda: camera_constant(taken.frame, on_paper))
        values = {
            "camera_px_angstrom": found.value,
            "sigma_stat": found.sigma_stat,
            "sigma_sys": found.sigma_sys,
            "exposure_s": exposure_s,
        }
        yield from keep(station, Kind.CAMERA_LENGTH, run, values)
        yield from bps.mv(station.scan.mode, before)

    return (
        yield from calibration_run(
            station, "calibrate_camera_length", body, md, place=at, exposure_s=exposure_s
        )
    )

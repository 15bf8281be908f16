"""Plans for a Raman spectrometer: its axis, and maps.

In this order: `measure_power`, `take_darks`, `focus_laser` on silicon, `calibrate_shift`, `focus_laser` on
each cell; those of the laser are in `laser`.
"""

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate import streams
from intercalate.calibrations import Kind, exposure_key
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import (
    EXPOSURE,
    FURTHER_METADATA,
    device,
    for_queue,
    number,
    numbers,
    place,
)
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import into_focus, stage_target
from intercalate.orchestration.waiting import in_thread

SPECTROMETER = device("Raman spectrometer with all that is around it.", "raman")
SILICON = "Si"
MOST_POINTS = 20_000


@for_queue(
    "Set the axis of Raman spectra by the line of silicon.",
    station=SPECTROMETER,
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def calibrate_shift(
    station: MeasuresCells, exposure_s: float = 10.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Set the axis of Raman spectra by the line of silicon on the sample changer.

    Parameters
    ----------
    station
        Raman spectrometer, with dark frames of this exposure, and focused on silicon.
    exposure_s
        In cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    CalibrationError
        Before anything moves, if there are no dark frames of this exposure, or no focus on silicon.
    AxisError
        If the line is not where the spectrograph can have it.
    """
    from intercalate.raman_results import dark_spectrum
    from intercalate.reduction.raman import calibrated_axis, reduced

    require_station(station, "raman")
    check_exposure(exposure_s)
    at = station.changer.find(content=SILICON)
    store, on_paper = station.calibrations.store, station.calibrations.on_paper
    dark = store.need(Kind.DARK, exposure_key(exposure_s))
    store.need(Kind.FOCUS, at)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, stage_target(station, at))
        yield from into_focus(station, at)
        (taken,) = yield from take(station, 1, exposure_s)

        def work() -> Any:
            spectrum = reduced(taken.frame[0], *dark_spectrum(dark), on_paper.detector)
            return calibrated_axis(*spectrum, on_paper.spectrograph)

        axis = yield from in_thread(work)
        values = {
            "offset_nm": axis.offset_nm,
            "sigma_per_cm": axis.sigma_per_cm,
            "dispersion_sigma": axis.dispersion_sigma,
            "exposure_s": exposure_s,
            "dark_sha256": dark.sha256,
        }
        yield from keep(station, Kind.SHIFT, run, values, arrays={"shift_per_cm": axis.shift_per_cm})

    return (yield from calibration_run(station, "calibrate_shift", body, md, place=at, exposure_s=exposure_s))


@for_queue(
    "Take a Raman spectrum at each point of a grid on the sample, at one depth or several.",
    station=SPECTROMETER,
    at=place(),
    extent_um=number("Width and height of the grid, um.", 0, 200),
    points=number("In each row and column.", 1, 128, integer=True),
    exposure_s=EXPOSURE,
    depths_um=numbers("From the focus, + into the sample, um.", optional=True),
    md=FURTHER_METADATA,
)
def map_raman(
    station: MeasuresCells,
    at: str,
    extent_um: float = 31.0,
    points: int = 32,
    exposure_s: float = 1.0,
    depths_um: Sequence[float] | None = None,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Take a Raman spectrum at each point of a square grid on the sample, at one depth or several.

    Parameters
    ----------
    station
        Raman spectrometer.
    at
        Place of the sample changer.
    extent_um, points
        Width and height of the grid around the middle of the objective's range, and points along each.
    exposure_s
        Of each spectrum, in cell seconds.
    depths_um
        From the focus at this place, + into the sample; one grid after the other, without them one there.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run; the spectra are in its stream `raman`, with the position of the objective.

    Raises
    ------
    ValueError, LimitError
        Before anything moves, if the grid has no or too many points, or leaves the travel.
    """
    require_station(station, "raman")
    depths_um = [0.0] if depths_um is None else list(depths_um)
    count = points**2 * len(depths_um)
    if not 1 <= count <= MOST_POINTS:
        asked = f"{points} x {points} points at {len(depths_um)} depths"
        raise ValueError(f"{asked} are {count} spectra; take 1 to {MOST_POINTS}")
    check_exposure(exposure_s, count)
    objective, changer = station.objective, station.changer
    changer.position_mm(stage_target(station, at))
    focus_um = station.calibrations.focus_um(at)
    across_um = np.linspace(-extent_um / 2, extent_um / 2, points) if points > 1 else np.zeros(1)
    for axis, values in ((objective.x_um, across_um), (objective.y_um, across_um)):
        for end_um in (values[0], values[-1]):
            axis.check_value(float(end_um))
    for depth_um in depths_um:
        objective.z_um.check_value((focus_um or 0.0) + float(depth_um))

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(changer, stage_target(station, at))
        yield from into_focus(station, at)
        surface_um = yield from bps.rd(objective.z_um)
        for depth_um in depths_um:
            yield from bps.mv(objective.z_um, float(surface_um) + float(depth_um))
            for y_um in across_um:
                for x_um in across_um:
                    yield from bps.mv(objective.x_um, float(x_um), objective.y_um, float(y_um))
                    yield from take(station, 1, exposure_s, objective, stream=streams.RAMAN)
        yield from bps.mv(objective.x_um, 0.0, objective.y_um, 0.0, objective.z_um, float(surface_um))

    metadata = {"place": at, "exposure_s": exposure_s, "instrument": station.name,
                "grid": {"extent_um": extent_um, "points": points, "depths_um": depths_um}}  # fmt: skip
    finds = (objective.x_um, objective.y_um, objective.z_um)
    return (yield from calibration_run(station, "map_raman", body, md, finds=finds, **metadata))

"""Plans for thin samples in a transmission microscope: how many electrons they get, how thick they are."""

from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import EXPOSURE, FURTHER_METADATA, device, for_queue, place
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.waiting import in_thread
from intercalate.spectrum_frames import unpacked

HOLE, IMAGE = "empty", "image"


@for_queue(
    "Measure the dose rate of a transmission microscope by an image of a hole.",
    station=device("Transmission electron microscope with all that is around it.", "tem"),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def measure_dose_rate(
    station: MeasuresCells, exposure_s: float = 1.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Measure how many electrons an image gets per area and second, with the beam as it is set.

    Parameters
    ----------
    station
        Transmission electron microscope.
    exposure_s
        Of the image, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. What is kept says the dose rate with both errors, how uneven it is, and what
        current and illuminated area of the column make of it.

    Raises
    ------
    ValueError
        Before anything moves, if there is no hole on the stage.
    TemError
        If the image is dark or saturated, or something is in the beam.
    """
    from intercalate.reduction.tem import dose_rate
    from intercalate.tem_results import camera_of

    require_station(station, "tem")
    check_exposure(exposure_s)
    at = station.changer.find(content=HOLE)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, at, station.scan.mode, IMAGE)
        (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
        camera = camera_of(station.calibrations.on_paper)
        found = yield from in_thread(lambda: dose_rate(taken.frame, camera, exposure_s))
        width_mm, height_mm = station.beam.size_mm()
        fluence_j_cm2 = station.beam.joules_per_s() / (width_mm * height_mm / 100.0)
        values = {
            "e_per_a2_s": found.e_per_a2_s.value,
            "e_per_a2_s_sigma_stat": found.e_per_a2_s.sigma_stat,
            "e_per_a2_s_sigma_sys": found.e_per_a2_s.sigma_sys,
            "unevenness": found.unevenness,
            "said_e_per_a2_s": station.dose.scale.of(fluence_j_cm2, "", station.beam.particle_kev()),
            "exposure_s": exposure_s,
        }
        yield from keep(station, Kind.DOSE_RATE, run, values)

    changes = (station.scan.mode,)
    return (
        yield from calibration_run(
            station, "measure_dose_rate", body, md, changes=changes, place=at, exposure_s=exposure_s
        )
    )


@for_queue(
    "Measure how thick a sample is by electron losses, and what the zero loss is like.",
    station=device("Spectrometer of electron losses with all that is around it.", "eels"),
    at=place(),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def measure_thickness(
    station: MeasuresCells, at: str, exposure_s: float = 5.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Measure how thick a sample is in mean free paths, and place and width of the zero loss.

    Parameters
    ----------
    station
        Spectrometer of electron losses.
    at
        Place on the stage; a hole for the spectrometer alone.
    exposure_s
        Of the scan, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. What is kept says t/lambda with both errors and its range over the scan, in
        words what plural scattering does, and place and full width at half maximum of the zero loss.

    Raises
    ------
    ValueError, LimitError
        Before anything moves, if there is no such place.
    EelsError
        If there is no zero loss.
    """
    from intercalate.tem_results import loss_thickness

    require_station(station, "eels")
    check_exposure(exposure_s)
    station.changer.position_mm(stage_target(station, at))

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, stage_target(station, at))
        (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
        paper = station.calibrations.on_paper
        low, _ = unpacked(taken.frame, paper.points)
        found = yield from in_thread(lambda: loss_thickness(low, paper))
        ratio, mean = found.t_over_lambda, found.mean
        values = {
            "t_over_lambda": mean.value,
            "t_over_lambda_sigma_stat": mean.sigma_stat,
            "t_over_lambda_sigma_sys": mean.sigma_sys,
            "t_over_lambda_range": [float(ratio.min()), float(ratio.max())],
            "warning": found.warning,
            "zero_loss_ev": float(found.zero_ev.mean()),
            "zero_loss_scatter_ev": float(found.zero_ev.std()),
            "zero_loss_width_ev": found.zero_width_ev,
        }
        yield from keep(station, Kind.THICKNESS, run, values, key=at)

    return (
        yield from calibration_run(station, "measure_thickness", body, md, place=at, exposure_s=exposure_s)
    )

"""Plans for a transmission electron microscope: its camera length, losses and images under voltage."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator
from pydantic import Field

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.materials import Mark, Source
from intercalate.orchestration.annotations import (
    EXPOSURE,
    FURTHER_METADATA,
    device,
    for_queue,
    mappings,
    number,
)
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.waiting import in_thread
from intercalate.strict_model import StrictModel

GOLD, PATTERN, IMAGE = "gold", "diffraction", "image"
STAGE_C = (-190.0, 100.0)
"""Between which the stage may be sent."""
STAGE_SOURCE = Source("stages cooled by liquid nitrogen, with a heater", Mark.ILLUSTRATION)

_Step = Annotated[float, Field(ge=0.1, le=100.0)]


class LossScanRequest(StrictModel):
    """One scan of electron losses.

    Attributes
    ----------
    content
        Of the place on the stage.
    step_nm, row_step_nm
        Between two columns, and between two rows.
    bias_v
        Between the electrodes of the holder.
    beside_mm
        Along the layers from the middle of the place: where no beam has been before, nothing is damaged.
    """

    content: str
    step_nm: _Step
    row_step_nm: _Step
    bias_v: Annotated[float, Field(ge=-6.0, le=6.0)] = 0.0
    beside_mm: Annotated[float, Field(ge=-0.05, le=0.05)] = 0.0


class BiasedImageRequest(StrictModel):
    """One bright field image.

    Attributes
    ----------
    content
        Of the place on the stage.
    bias_v
        Between the electrodes of the holder, from before the image until another one is set.
    beside_mm
        From the middle of the place.
    """

    content: str
    bias_v: Annotated[float, Field(ge=-6.0, le=6.0)] = 0.0
    beside_mm: Annotated[float, Field(ge=-0.05, le=0.05)] = 0.0


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
    from intercalate.reduction.tem import camera_constant

    require_station(station, "tem")
    check_exposure(exposure_s)
    at = station.changer.find(content=GOLD)

    def body(run: str) -> MsgGenerator[None]:
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

    changes = (station.scan.mode,)
    return (
        yield from calibration_run(
            station, "calibrate_camera_length", body, md, changes=changes, place=at, exposure_s=exposure_s
        )
    )


@for_queue(
    "Scan electron losses, one place after the other, at voltages across the holder.",
    station=device("Spectrometer of electron losses with all that is around it.", "eels"),
    scans=mappings("Scans in their order: content, step_nm, row_step_nm, bias_v, beside_mm."),
    exposure_s=EXPOSURE,
    temperature_c=number("Of the stage, in degrees Celsius.", *STAGE_C),
    md=FURTHER_METADATA,
)
def scan_losses(
    station: MeasuresCells,
    scans: list[dict[str, Any]],
    exposure_s: float,
    temperature_c: float = -150.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Scan electron losses, one place after the other, at voltages across the holder.

    Parameters
    ----------
    station
        Spectrometer on a transmission electron microscope.
    scans
        In their order, as `LossScanRequest`.
    exposure_s
        Of each scan, in cell seconds.
    temperature_c
        Of the stage.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. The voltage is 0 afterwards.

    Raises
    ------
    ValueError
        Before anything moves, if a scan or the temperature is out of its limits, or there is no such place.
    """
    require_station(station, "eels")
    requests = [LossScanRequest.model_validate(one) for one in scans]
    check_exposure(exposure_s, len(requests))
    check_stage(temperature_c)
    targets = _targets(station, requests)

    def body(run: str) -> MsgGenerator[None]:
        scan = station.scan
        for one, target in zip(requests, targets):
            yield from bps.mv(station.changer, target)
            yield from bps.mv(
                scan.step_nm, one.step_nm, scan.row_step_nm, one.row_step_nm, scan.bias_v, one.bias_v
            )
            yield from take(station, 1, exposure_s, *station.of_exposure, stream=station.technique)

    listed = [one.model_dump() for one in requests]
    metadata = {"exposure_s": exposure_s, "instrument": station.name, "num_points": len(requests)}
    return (
        yield from calibration_run(
            station,
            "scan_losses",
            at_temperature(station, temperature_c, body),
            md,
            changes=(station.scan.step_nm, station.scan.row_step_nm),
            scans=listed,
            **metadata,
        )
    )


@for_queue(
    "Take bright field images, one place after the other, at voltages across the holder.",
    station=device("Transmission electron microscope with all that is around it.", "tem"),
    images=mappings("Images in their order: content, bias_v, beside_mm."),
    exposure_s=EXPOSURE,
    temperature_c=number("Of the stage, in degrees Celsius.", *STAGE_C),
    md=FURTHER_METADATA,
)
def image_under_bias(
    station: MeasuresCells,
    images: list[dict[str, Any]],
    exposure_s: float,
    temperature_c: float = 25.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Take bright field images, one place after the other, at voltages across the holder.

    Parameters
    ----------
    station
        Transmission electron microscope.
    images
        In their order, as `BiasedImageRequest`.
    exposure_s
        Of each image, in cell seconds.
    temperature_c
        Of the stage.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. The voltage is 0 afterwards.

    Raises
    ------
    ValueError
        Before anything moves, if an image or the temperature is out of its limits, or there is no such place.
    """
    require_station(station, "tem")
    requests = [BiasedImageRequest.model_validate(one) for one in images]
    check_exposure(exposure_s, len(requests))
    check_stage(temperature_c)
    targets = _targets(station, requests)

    def body(run: str) -> MsgGenerator[None]:
        scan = station.scan
        yield from bps.mv(scan.mode, IMAGE)
        for one, target in zip(requests, targets):
            yield from bps.mv(station.changer, target)
            yield from bps.mv(scan.bias_v, one.bias_v)
            yield from take(station, 1, exposure_s, *station.of_exposure, stream=station.technique)

    listed = [one.model_dump() for one in requests]
    metadata = {"exposure_s": exposure_s, "instrument": station.name, "num_points": len(requests)}
    return (
        yield from calibration_run(
            station,
            "image_under_bias",
            at_temperature(station, temperature_c, body),
            md,
            changes=(station.scan.mode,),
            images=listed,
            **metadata,
        )
    )


def at_temperature(
    station: MeasuresCells, temperature_c: float, body: Callable[[str], MsgGenerator[None]]
) -> Callable[[str], MsgGenerator[None]]:
    """`body` at a temperature of the stage; afterwards no voltage, and a stage not hotter than at rest."""

    def heated(run: str) -> MsgGenerator[None]:
        yield from in_thread(lambda: station.chamber.heat(temperature_c).wait())
        yield from body(run)

    def leave() -> MsgGenerator[None]:
        # Each is done even where the other fails.
        yield from bpp.finalize_wrapper(
            bps.mv(station.scan.bias_v, 0.0), lambda: in_thread(station.chamber.cool)
        )

    def whole(run: str) -> MsgGenerator[None]:
        yield from bpp.finalize_wrapper(heated(run), leave)

    return whole


def check_stage(temperature_c: float) -> None:
    """Refuse a temperature that the stage does not bear.

    Raises
    ------
    ValueError
        If it does not.
    """
    low_c, high_c = STAGE_C
    if not low_c <= temperature_c <= high_c:
        raise ValueError(f"temperature_c is {temperature_c:g}; the stage bears {low_c:g} to {high_c:g}")


def _targets(
    station: MeasuresCells, requests: Sequence[LossScanRequest | BiasedImageRequest]
) -> list[tuple[str, float, float]]:
    """Where the stage goes for each, within its travel."""
    found = [
        stage_target(station, station.changer.find(content=one.content), (0.0, one.beside_mm))
        for one in requests
    ]
    for target in found:
        station.changer.position_mm(target)
    return found

"""Plans for an electron microscope and the X-ray detector on it: scale, current, energies, the cut."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import (
    COUNT,
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
from intercalate.orchestration.sample_position import as_spot, into_focus, stage_target
from intercalate.orchestration.waiting import in_thread

MICROSCOPE = device("Electron microscope with all that is around it.", "sem")
X_RAYS = device("X-ray detector on the column, with all that is around it.", "eds")
GRID, CUP, METALS = "grid", "Faraday cup", ("Cu", "Co")
SECONDARY = "secondary electrons"
LARGEST_SEARCH_UM = 2000.0
"""Side of an image of the lowest magnification."""
METALS_KV = 15.0
"""At which K lines of copper and cobalt are excited."""


@for_queue(
    "Measure the size of a pixel on a grid of known pitch.",
    station=MICROSCOPE,
    field_of_view_um=number("Side of the image, um.", 1, 2000),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def calibrate_scale(
    station: MeasuresCells,
    field_of_view_um: float = 160.0,
    exposure_s: float = 20.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure the true over the stated size of a pixel, on the grid that is on the stage.

    Parameters
    ----------
    station
        Electron microscope.
    field_of_view_um
        As stated; the grid must repeat in it several times.
    exposure_s
        Of the image, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    ValueError
        Before anything moves, if there is no grid.
    MicrographError
        If the image shows none; the scale stays as it was.
    """
    from intercalate.reduction.micrographs import micrograph, scale_of

    require_station(station, "sem")
    check_exposure(exposure_s)
    at = station.changer.find(content=GRID)

    def body(run: str) -> MsgGenerator[None]:
        paper = station.calibrations.on_paper
        yield from bps.mv(station.changer, at, station.beam.field_of_view_um, field_of_view_um)
        (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
        stated_um = field_of_view_um / taken.frame.shape[1]

        def measured() -> Any:
            image = micrograph(taken.frame.astype(np.uint8), stated_um)
            return scale_of(image, paper.grid_pitch_um, paper.grid_pitch_sigma_um).pixel_um

        found = yield from in_thread(measured)
        values = {
            "pixel_ratio": found.value / stated_um,
            "pixel_ratio_sigma": found.sigma / stated_um,
            "field_of_view_um": field_of_view_um,
            "exposure_s": exposure_s,
        }
        yield from keep(station, Kind.SCALE, run, values)

    changes = (station.beam.field_of_view_um,)
    return (
        yield from calibration_run(
            station, "calibrate_scale", body, md, changes=changes, place=at, exposure_s=exposure_s
        )
    )


@for_queue(
    "Measure the probe current in the Faraday cup.",
    station=MICROSCOPE,
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def measure_current(
    station: MeasuresCells, exposure_s: float = 10.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Measure the probe current in the Faraday cup, which keeps all electrons, against what the column says.

    Parameters
    ----------
    station
        Electron microscope.
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
    ValueError
        Before anything moves, if there is no cup.
    """
    require_station(station, "sem")
    check_exposure(exposure_s)
    at = station.changer.find(content=CUP)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, at)
        (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
        said_na = float((yield from bps.rd(station.beam.current_na)))
        joules = station.beam.joules_of(taken.counts["specimen_counts"])
        measured_na = joules / exposure_s / (1000.0 * station.beam.particle_kev()) * 1e9
        values = {
            "current_na": measured_na,
            "current_na_sigma": measured_na / max(taken.counts["specimen_counts"], 1.0) ** 0.5,
            "said_na": said_na,
            "exposure_s": exposure_s,
        }
        yield from keep(station, Kind.CURRENT, run, values)

    return (yield from calibration_run(station, "measure_current", body, md, place=at, exposure_s=exposure_s))


@for_queue(
    "Find the cut through a cell, and put its middle into the middle of the image.",
    station=MICROSCOPE,
    at=place(),
    search_um=number("Side of the first image in which it is looked for, um.", 10, LARGEST_SEARCH_UM),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def find_section(
    station: MeasuresCells,
    at: str,
    search_um: float = 800.0,
    exposure_s: float = 20.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Find the cut through a cell in an image of low magnification, and keep where its middle is.

    Where the cut fills more than half of the image, or goes on beyond it, the next one shows twice as much.

    The layers lie along the rows of the image; its columns say nothing of where a cut is, and the stage stays
    there.

    Parameters
    ----------
    station
        Electron microscope.
    at
        Place on the stage of the chamber.
    search_um
        Side of the first image in which it is looked for.
    exposure_s
        Of each image, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    ValueError, LimitError
        Before anything moves, if there is no such place.
    MicrographError
        If the image shows no cut, or none that ends within the largest image; the place stays where it was.
    """
    from intercalate.reduction.micrographs.section_search import CutBeyondImageError, find_cut

    require_station(station, "sem")
    check_exposure(exposure_s)
    station.changer.position_mm(at)

    def body(run: str) -> MsgGenerator[None]:
        # Lithium scatters hardly more electrons back than nothing does.
        yield from bps.mv(station.scan.image_detector, SECONDARY)
        yield from bps.mv(station.changer, at)
        side_um = search_um
        while True:
            is_largest = side_um >= LARGEST_SEARCH_UM
            yield from bps.mv(station.beam.field_of_view_um, side_um)
            (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
            pixel_um = side_um / taken.frame.shape[1]
            try:
                found = yield from in_thread(partial(find_cut, taken.frame, pixel_um))
            except CutBeyondImageError:
                if is_largest:
                    raise
            else:
                # What fills most of an image may be a layer between dark ones.
                if is_largest or found.height_um < 0.5 * side_um:
                    break
            side_um = min(2.0 * side_um, LARGEST_SEARCH_UM)
        x_mm, y_mm = station.changer.centre_mm(at)
        values = {
            "x_mm": x_mm,
            "y_mm": y_mm + found.middle_um / 1000.0,
            "y_mm_sigma": found.sigma_um / 1000.0,
            "height_um": found.height_um,
        }
        yield from keep(station, Kind.POSITION, run, values, key=at)

    changes = (station.beam.field_of_view_um, station.scan.image_detector)
    return (
        yield from calibration_run(
            station, "find_section", body, md, changes=changes, place=at, exposure_s=exposure_s
        )
    )


@for_queue(
    "Set the energies of an X-ray detector by copper and cobalt.",
    station=X_RAYS,
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def calibrate_x_ray_energy(
    station: MeasuresCells, exposure_s: float = 60.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Set the energies of an X-ray detector by the lines of copper and cobalt on the stage, at 15 kV.

    Parameters
    ----------
    station
        X-ray detector.
    exposure_s
        Of each spectrum, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    ValueError
        Before anything moves, if one of the metals is missing.
    SpectrumError
        If lines are not where they can be; energies stay as they were.
    """
    from intercalate.materials.eds import STANDARD_DETECTOR, WINDOWLESS_DETECTOR
    from intercalate.reduction.eds import calibrated_axis

    require_station(station, "eds")
    check_exposure(exposure_s)
    places = {metal: station.changer.find(content=metal) for metal in METALS}
    windowless = station.calibrations.on_paper.kind == "windowless"
    detector = WINDOWLESS_DETECTOR if windowless else STANDARD_DETECTOR

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.beam.voltage_kv, METALS_KV)
        spectra = {}
        for metal, at in places.items():
            yield from bps.mv(station.changer, at)
            (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
            spectra[metal] = taken.frame.sum(axis=0)
        axis = yield from in_thread(lambda: calibrated_axis(spectra, detector))
        offset_ev, channel_ev = float(axis.energy_ev[0]), axis.channel_ev
        values = {
            "first_ev": offset_ev,
            "channel_ev": channel_ev,
            "sigma_ev": axis.sigma_ev,
            "exposure_s": exposure_s,
        }
        yield from keep(station, Kind.ENERGY, run, values, arrays={"energy_ev": axis.energy_ev})

    changes = (station.beam.voltage_kv,)
    return (
        yield from calibration_run(
            station, "calibrate_x_ray_energy", body, md, changes=changes, exposure_s=exposure_s
        )
    )


@for_queue(
    "Take images, spectra or maps of what is at a place.",
    station=device("Microscope with all that is around it.", "optical", "sem", "eds", "ebsd", "tem", "eels"),
    at=place(),
    count=COUNT,
    exposure_s=EXPOSURE,
    spot_mm=numbers("Place on the sample, from its middle, x and y.", optional=True),
    md=FURTHER_METADATA,
)
def take_images(
    station: MeasuresCells,
    at: str,
    count: int = 1,
    exposure_s: float = 20.0,
    spot_mm: Sequence[float] | None = None,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Take images, spectra or maps of what is at a place, with all as it is set; nothing is cycled.

    Parameters
    ----------
    station
        Microscope, or another detector on its column; the optical one is focused where a focus was found.
    at
        Place on the stage of the chamber.
    count
        Number of frames.
    exposure_s
        Of each frame, in cell seconds.
    spot_mm
        Place on the sample, x and y from its middle; the middle if None.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run; the frames are in the stream of the technique, with how they were made.

    Raises
    ------
    ValueError, LimitError
        Before anything moves, if there is no such place.
    """
    require_station(station)
    check_exposure(exposure_s, count)
    target = stage_target(station, at, as_spot(spot_mm))
    station.changer.position_mm(target)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, target)
        yield from into_focus(station, at)
        yield from take(station, count, exposure_s, *station.of_exposure, stream=station.technique)

    metadata = {"place": at, "exposure_s": exposure_s, "instrument": station.name, "num_points": count}
    return (yield from calibration_run(station, "take_images", body, md, **metadata))

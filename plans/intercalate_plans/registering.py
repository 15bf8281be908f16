"""A plan by which instruments find the same places of a sample: marks on its holder."""

from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import EXPOSURE, FURTHER_METADATA, device, for_queue, number, place
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import into_focus
from intercalate.orchestration.waiting import in_thread

CROSS, CROSS_POINTS = 1.8, 13
"""Length of the arms of a cross of places over a mark, in its diameters, and places of each arm."""
FINE_FIELD = 4.0
"""Field of the second image, in diameters of a mark."""


@for_queue(
    "Find the marks on a holder, so that places of the sample are the same for every instrument.",
    station=device("Electron microscope or Raman spectrometer.", "sem", "raman"),
    at=place(),
    search_um=number("Side of the square in which each mark is looked for, um.", 50, 2000),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def register_marks(
    station: MeasuresCells,
    at: str,
    search_um: float | None = None,
    exposure_s: float | None = None,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Find the marks on a holder, so that places of the sample are the same for every instrument.

    An electron microscope finds how the holder lies on its stage: shift and rotation. A Raman spectrometer,
    whose changer `align_cell` has aligned, finds where its laser meets the sample, from where the X-ray beam
    does.

    Parameters
    ----------
    station
        Electron microscope, or Raman spectrometer that is focused at the place.
    at
        Place whose holder has the marks that the configuration gives (`marks_mm`).
    search_um
        Side of the square in which each mark is looked for; 1000 in images, 400 with a laser, if None.
    exposure_s
        Of an image, 20 s, or of each point of a laser, 0.2 s, if None.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    ValueError, LimitError
        Before anything moves, if the holder has no marks, or one is out of reach.
    FiducialError
        If a mark is not found, or they do not fit together; then all stays as it was.
    """
    from intercalate.reduction.fiducials import Placement, placement

    require_station(station)
    if station.technique not in ("sem", "raman"):
        raise TypeError(f"station is {station.name}; marks are looked for by sem or raman")
    is_laser = station.technique == "raman"
    side_um = search_um or (400.0 if is_laser else 1000.0)
    seconds = exposure_s or (0.2 if is_laser else 20.0)
    check_exposure(seconds)
    marks = station.changer.marks_mm
    if len(marks) < 3:
        raise ValueError(f"{station.changer.name} has {len(marks)} marks; give three, as marks_mm")
    centre = np.array(station.changer.centre_mm(at))
    for mark in marks:
        station.changer.position_mm((at, float(mark[0]), float(mark[1])))
    find = _by_laser if is_laser else _by_images

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, at)
        yield from into_focus(station, at)
        # The stage goes so far the other way, for the beam to meet a place.
        found, sigma, off = [], [], -np.array(station.beside_mm)
        for order, mark in enumerate(marks):
            expected = centre + np.array(mark) + off
            at_mm, error_mm = yield from find(station, expected, side_um, seconds, order == 0)
            found.append(at_mm)
            sigma.append(error_mm)
            # All of them lie off by about as much.
            off = at_mm - centre - np.array(mark)
        fit: Placement = yield from in_thread(
            lambda: placement(np.array(marks), np.array(found), np.array(sigma))
        )
        values = {
            "rotation_deg": fit.rotation_deg.value,
            "rotation_deg_sigma": fit.rotation_deg.sigma,
            "residual_um": fit.residual_um,
            "x_mm_sigma": fit.x_mm.sigma,
            "y_mm_sigma": fit.y_mm.sigma,
        }
        if is_laser:
            # The stage went to where a mark met the laser, which is as far from where the changer means.
            away = {"x_mm": float(centre[0]) - fit.x_mm.value, "y_mm": float(centre[1]) - fit.y_mm.value}
            yield from keep(station, Kind.BESIDE, run, {**away, **values})
        else:
            middle = {"x_mm": fit.x_mm.value, "y_mm": fit.y_mm.value}
            yield from keep(station, Kind.POSITION, run, {**middle, **values}, key=at)

    changes = () if is_laser else (station.beam.field_of_view_um,)
    return (
        yield from calibration_run(
            station, "register_marks", body, md, changes=changes, place=at, exposure_s=seconds
        )
    )


Found = tuple[np.ndarray, float]
"""Stage position at which a mark is in the beam, and its standard error, mm."""


def _by_images(
    station: MeasuresCells, expected_mm: np.ndarray, side_um: float, exposure_s: float, is_first: bool
) -> MsgGenerator[Found]:
    """Two images of each, the second magnified around what the first has shown: holders are turned."""
    from intercalate.reduction.fiducials import Disc, disc_in_image

    diameter_um, pixel_sigma = station.changer.mark_diameter_um, station.calibrations.on_paper.pixel_sigma
    target, error_mm = np.array(expected_mm, float), np.nan
    for field_um in (side_um, FINE_FIELD * diameter_um):
        yield from bps.mv(station.changer.x_mm, target[0], station.changer.y_mm, target[1])
        yield from bps.mv(station.beam.field_of_view_um, field_um)
        (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure)
        pixel_um = field_um / taken.frame.shape[1]
        disc: Disc = yield from in_thread(
            lambda: disc_in_image(taken.frame, pixel_um, diameter_um, pixel_sigma)  # noqa: B023
        )
        target = target + np.array([disc.x_um.value, disc.y_um.value]) / 1000.0
        error_mm = max(disc.x_um.sigma, disc.y_um.sigma) / 1000.0
    return target, error_mm


def coarse_points(side_um: float, diameter_um: float) -> int:
    """Of each row and column of a scan in which a mark is looked for: four of them around a place have less
    than the diameter of a mark between opposite ones, so that no mark lies between all of them.
    """
    return int(np.ceil(np.sqrt(2.0) * side_um / diameter_um)) + 1


def _by_laser(
    station: MeasuresCells, expected_mm: np.ndarray, side_um: float, exposure_s: float, is_first: bool
) -> MsgGenerator[Found]:
    """A cross of places over the mark, for the first one after a coarse scan of the stage."""
    from intercalate.reduction.fiducials import brightest, middle_of_chord
    from intercalate.reduction.results import Estimate

    diameter_um = station.changer.mark_diameter_um
    target = np.array(expected_mm, float)
    if is_first:
        steps_um = side_um * np.linspace(-0.5, 0.5, coarse_points(side_um, diameter_um))
        at_um = np.array([(x_um, y_um) for y_um in steps_um for x_um in steps_um])
        light = yield from _reflected(station, target, at_um, exposure_s)
        target = target + np.array(brightest(at_um[:, 0], at_um[:, 1], light)) / 1000.0
    arm_um = CROSS * diameter_um * (np.arange(CROSS_POINTS) / (CROSS_POINTS - 1) - 0.5)
    found: list[Estimate] = []
    for axis in np.eye(2):
        light = yield from _reflected(station, target, arm_um[:, None] * axis, exposure_s)
        found.append(middle_of_chord(arm_um, light, diameter_um))
        # The other line goes through the middle of this one.
        target = target + axis * found[-1].value / 1000.0
    return target, max(one.sigma for one in found) / 1000.0


def _reflected(
    station: MeasuresCells, target_mm: np.ndarray, at_um: np.ndarray, exposure_s: float
) -> MsgGenerator[np.ndarray]:
    """Reflected over incident light at places around a position of the stage."""
    light = []
    for place_um in at_um:
        x_mm, y_mm = target_mm + place_um / 1000.0
        yield from bps.mv(station.changer.x_mm, x_mm, station.changer.y_mm, y_mm)
        (taken,) = yield from take(station, 1, exposure_s, station.objective, stream="marks")
        light.append(taken.counts["reflected_counts"] / max(taken.counts["i0_counts"], 1.0))
    return np.array(light)

"""Plans that measure the instrument itself; each keeps what it found, and its hash goes into later runs.

In this order: `take_darks`, `calibrate_geometry`, `take_flat`, `take_background`; `align_cell` at any time.
"""

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.calibrated import arrays_of, chain_of, dark_of, transmitted
from intercalate.calibrations import Calibration, Kind, exposure_key
from intercalate.devices.roles import CyclesCells, MeasuresDiffraction
from intercalate.orchestration.annotations import choice, device, for_queue, mapping, number, numbers
from intercalate.orchestration.calibrating import (
    Taken,
    calibration_run,
    keep,
    monitor_counts,
    take,
)
from intercalate.orchestration.checking import require_role
from intercalate.orchestration.waiting import in_thread, trigger_and_wait
from intercalate.reduction import Pattern
from intercalate.reduction.chain import ReductionChain, mean_pattern
from intercalate.reduction.geometry import (
    CALIBRANTS,
    CalibratedGeometry,
    NominalGeometry,
    fit_geometry,
)
from intercalate.reduction.integration import solid_angle
from intercalate.reduction.pixels import average_dark, blind_pixels, flat_field
from intercalate.reduction.window import Window, find_window

MAX_EXPOSURE_S = 3600.0
MAX_FRAMES = 1000

_STATION = device("Detector, shutter, monitors, sample changer.", "xrd")
_MD = mapping("Further metadata.", optional=True)
_EXPOSURE = number("Exposure of each frame, s.", 0.001, MAX_EXPOSURE_S)
_COUNT = number("Number of frames.", 1, MAX_FRAMES, integer=True)


@for_queue(
    "Take dark frames for every exposure that will be used.",
    station=_STATION,
    exposures_s=numbers("Exposures, s."),
    count=_COUNT,
    md=_MD,
)
def take_darks(
    station: MeasuresDiffraction,
    exposures_s: Sequence[float],
    count: int = 10,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Take dark frames, shutter closed, for every exposure that will be used.

    Parameters
    ----------
    station
        Its detector is read with its shutter closed.
    exposures_s
        In cell seconds.
    count
        Frames of each.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.
    """
    require_role(station, MeasuresDiffraction, "station")
    for exposure_s in exposures_s:
        _check(exposure_s, count)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.shutter, "closed")
        for exposure_s in exposures_s:
            # What the frame before has left behind would count as dark.
            yield from take(station, 1, exposure_s, stream="discarded")
            taken = yield from take(station, count, exposure_s)
            dark = yield from in_thread(lambda: average_dark((one.frame for one in taken), exposure_s))  # noqa: B023
            blind = blind_pixels(dark)
            live_s = sum(one.live_time_s for one in taken)
            values = {
                "exposure_s": exposure_s,
                "frames": count,
                "median_counts": float(np.median(dark.mean)),
                "blind_pixels": int(blind.sum()),
                "i0_dark_per_s": sum(one.i0_counts for one in taken) / live_s,
                "it_dark_per_s": sum(one.it_counts for one in taken) / live_s,
            }
            arrays = {"mean": dark.mean, "variance": dark.variance, "blind": blind}
            yield from keep(station, Kind.DARK, run, values, key=exposure_key(exposure_s), arrays=arrays)

    return (yield from calibration_run(station, "take_darks", body, md, exposures_s=list(exposures_s)))


@for_queue(
    "Find geometry and photon energy from the rings of a calibrant.",
    station=_STATION,
    calibrant=choice("What the calibrant is.", "Calibrant", CALIBRANTS),
    exposure_s=_EXPOSURE,
    md=_MD,
)
def calibrate_geometry(
    station: MeasuresDiffraction,
    calibrant: str = "LaB6",
    exposure_s: float = 60.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Find geometry and photon energy from the rings of a calibrant on the sample changer.

    Parameters
    ----------
    station
        With dark frames of this exposure.
    calibrant
        `LaB6` or `Si`.
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
        Before anything moves, if there are no dark frames of this exposure.
    GeometryError
        If the frame gives no geometry, or one at quite another energy.
    """
    require_role(station, MeasuresDiffraction, "station")
    _check(exposure_s, 1)
    place = station.changer.find(content=calibrant)
    dark = station.calibrations.store.need(Kind.DARK, exposure_key(exposure_s))
    on_paper = station.calibrations.on_paper

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, place)
        yield from bps.mv(station.shutter, "open")
        energy_kev = yield from bps.rd(station.beam.energy_kev)
        (taken,) = yield from take(station, 1, exposure_s)
        nominal = NominalGeometry(
            on_paper.distance_mm, on_paper.pixel_mm, on_paper.beam_mm, float(energy_kev)
        )

        def work() -> CalibratedGeometry:
            blind = dark.array("blind") | (taken.frame >= on_paper.saturation_counts)
            return fit_geometry(taken.frame - dark.array("mean"), blind, nominal, calibrant)

        found = yield from in_thread(work)
        values = {
            **found.values,
            **{f"{name}_sigma": found.sigma(name) for name in found.values},
            "scale_energy_kev": found.scale_energy_kev,
            "calibrant": calibrant,
            "rings": list(found.rings),
        }
        yield from keep(
            station,
            Kind.GEOMETRY,
            run,
            values,
            arrays={"covariance": found.covariance},
            texts={"geometry.poni": found.poni},
        )

    return (
        yield from calibration_run(
            station, "calibrate_geometry", body, md, calibrant=calibrant, exposure_s=exposure_s
        )
    )


@for_queue(
    "Measure the efficiency of each pixel with a sample that radiates evenly.",
    station=_STATION,
    exposure_s=_EXPOSURE,
    count=_COUNT,
    md=_MD,
)
def take_flat(
    station: MeasuresDiffraction,
    exposure_s: float = 300.0,
    count: int = 8,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure the efficiency of each pixel with a foil that fluoresces evenly, and the detector's lag.

    Dead pixels and the shadow of the beamstop go into the mask.

    Parameters
    ----------
    station
        With geometry, and dark frames of this exposure.
    exposure_s
        In cell seconds.
    count
        Number of frames; one behind the closed shutter follows.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    CalibrationError
        Before anything moves, if geometry or dark frames are missing.
    PixelError
        If the frames are too faint or saturated.
    """
    require_role(station, MeasuresDiffraction, "station")
    _check(exposure_s, count)
    place = station.changer.find(content="fluorescence")
    store = station.calibrations.store
    dark = store.need(Kind.DARK, exposure_key(exposure_s))
    geometry = store.need(Kind.GEOMETRY)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, place)
        yield from bps.mv(station.shutter, "open")
        taken = yield from take(station, count, exposure_s)
        yield from bps.mv(station.shutter, "closed")
        (after,) = yield from take(station, 1, exposure_s, stream="after")
        flat = yield from in_thread(
            lambda: flat_field(
                (one.frame for one in taken),
                dark_of(dark),
                dark.array("blind"),
                solid_angle(geometry.text("geometry.poni")),
                dark_after=after.frame,
                saturation=station.calibrations.on_paper.saturation_counts,
            )
        )
        values = {
            "exposure_s": exposure_s,
            "frames": count,
            "masked_pixels": int(flat.mask.sum()),
            "counts_per_photon": flat.counts_per_photon,
            "lag": flat.lag,
            "relative_sigma": flat.relative_sigma,
            "geometry_sha256": geometry.sha256,
            "dark_sha256": dark.sha256,
        }
        arrays = {"efficiency": flat.efficiency, "mask": flat.mask}
        yield from keep(station, Kind.FLAT, run, values, arrays=arrays)

    return (
        yield from calibration_run(station, "take_flat", body, md, exposure_s=exposure_s, num_points=count)
    )


@for_queue(
    "Measure the pattern of an empty cell.", station=_STATION, exposure_s=_EXPOSURE, count=_COUNT, md=_MD
)
def take_background(
    station: MeasuresDiffraction,
    exposure_s: float = 60.0,
    count: int = 8,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure the pattern of a cell without electrodes: windows, separator, electrolyte, air.

    Parameters
    ----------
    station
        With geometry, flat field, and dark frames of this exposure.
    exposure_s
        In cell seconds.
    count
        Number of frames.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    CalibrationError
        Before anything moves, if a calibration is missing.
    """
    require_role(station, MeasuresDiffraction, "station")
    _check(exposure_s, count)
    place = station.changer.find(content="empty")
    chain, used = _chain(station, exposure_s)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, place)
        yield from bps.mv(station.shutter, "open")
        pattern = yield from _mean_pattern(station, chain, used, exposure_s, count)
        values = _pattern_values(pattern, used, exposure_s, count)
        yield from keep(station, Kind.BACKGROUND, run, values, arrays=arrays_of(pattern))

    return (
        yield from calibration_run(
            station, "take_background", body, md, exposure_s=exposure_s, num_points=count
        )
    )


@for_queue(
    "Measure a pristine cell at open circuit.",
    station=_STATION,
    cycler=device("Channel the cell is on.", "cycler", "cycler_2"),
    place={"description": "Place of the cell on the sample changer.", "annotation": "str"},
    exposure_s=_EXPOSURE,
    count=_COUNT,
    md=_MD,
)
def reference_scan(
    station: MeasuresDiffraction,
    cycler: CyclesCells,
    place: str,
    exposure_s: float = 60.0,
    count: int = 4,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure the pattern of a pristine cell at open circuit, against which later states are seen.

    Parameters
    ----------
    station
        With all calibrations of this exposure.
    cycler
        Channel the cell is on; it must be idle.
    place
        Of the cell on the sample changer.
    exposure_s
        In cell seconds.
    count
        Number of frames.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    CalibrationError, ValueError
        Before anything moves, if a calibration is missing, the place is none, or the cell is cycled.
    """
    require_role(station, MeasuresDiffraction, "station")
    require_role(cycler, CyclesCells, "cycler")
    _check(exposure_s, count)
    station.changer.position_mm(place)
    chain, used = _chain(station, exposure_s)

    def body(run: str) -> MsgGenerator[None]:
        if cycler.is_busy:
            raise ValueError(f"{cycler.name} runs a program; a reference is taken at open circuit")
        yield from bps.mv(station.changer, place)
        yield from bps.mv(station.shutter, "open")
        pattern = yield from _mean_pattern(station, chain, used, exposure_s, count, cycler)
        values = {**_pattern_values(pattern, used, exposure_s, count), "place": place}
        yield from keep(station, Kind.REFERENCE, run, values, key=place, arrays=arrays_of(pattern))

    return (
        yield from calibration_run(
            station, "reference_scan", body, md, place=place, exposure_s=exposure_s, num_points=count
        )
    )


@for_queue(
    "Find the centre and edges of a cell's window by transmission.",
    station=_STATION,
    place={"description": "Place on the sample changer.", "annotation": "str"},
    half_range_mm=number("Scanned on either side of the position on paper, mm.", 0.5, 20),
    step_mm=number("Step, mm.", 0.02, 5),
    count_s=number("Counting time of each point, s.", 0.01, 60),
    md=_MD,
)
def align_cell(
    station: MeasuresDiffraction,
    place: str,
    half_range_mm: float = 4.5,
    step_mm: float = 0.25,
    count_s: float = 1.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Find the centre of a cell's window from two transmission scans, and keep it.

    Parameters
    ----------
    station
        Its monitors count before and behind the sample.
    place
        On the sample changer.
    half_range_mm
        Scanned on either side of where the centre was known to be; it must reach beyond both edges of the
        window, and not beyond the frame.
    step_mm, count_s
        Step, and counting time of each point in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    WindowError
        If no window with both edges is found; the centre stays as it was.
    LimitError
        Before anything moves, if the scan leaves the travel of an axis.
    """
    require_role(station, MeasuresDiffraction, "station")
    if not 0 < step_mm < half_range_mm:
        raise ValueError(f"step_mm is {step_mm:g}; it must be above 0 and below half_range_mm")
    offsets = np.arange(-half_range_mm, half_range_mm + step_mm / 2, step_mm)
    changer, monitors = station.changer, station.monitors
    for corner in ((-half_range_mm, -half_range_mm), (half_range_mm, half_range_mm)):
        changer.position_mm((place, *corner))
    start_mm = changer.centre_mm(place)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(monitors.count_time_s, count_s)
        yield from bps.mv(changer, place)
        yield from bps.mv(station.shutter, "open")
        across = yield from scan(changer.x_mm, start_mm[0])
        yield from bps.mv(changer.x_mm, across.centre_mm)
        down = yield from scan(changer.y_mm, start_mm[1])
        yield from bps.mv(changer.y_mm, down.centre_mm)
        on_paper = changer.places[place]
        values = {
            "x_mm": across.centre_mm,
            "x_sigma_mm": across.centre_sigma_mm,
            "y_mm": down.centre_mm,
            "y_sigma_mm": down.centre_sigma_mm,
            "width_mm": across.width_mm,
            "height_mm": down.width_mm,
            "transmission": across.transmission,
            "off_paper_mm": [across.centre_mm - on_paper.x_mm, down.centre_mm - on_paper.y_mm],
        }
        yield from keep(station, Kind.POSITION, run, values, key=place)

    def scan(axis: Any, centre_mm: float) -> MsgGenerator[Window]:
        found = []
        for offset in offsets:
            yield from bps.mv(axis, centre_mm + offset)
            yield from trigger_and_wait(monitors)
            yield from bps.create(name="transmission")
            i0, it, _ = yield from monitor_counts(station)
            yield from bps.read(changer)
            yield from bps.save()
            found.append(it / i0 if i0 > 0 else np.nan)
        return (yield from in_thread(lambda: find_window(centre_mm + offsets, np.array(found))))

    return (yield from calibration_run(station, "align_cell", body, md, takes_frames=False, place=place))


def _chain(station: MeasuresDiffraction, exposure_s: float) -> tuple[ReductionChain, dict[str, Calibration]]:
    calibrations = station.calibrations
    return chain_of(
        calibrations.store.in_use(),
        exposure_s,
        calibrations.on_paper.saturation_counts,
        background=False,
    )


def _mean_pattern(
    station: MeasuresDiffraction,
    chain: ReductionChain,
    used: dict[str, Calibration],
    exposure_s: float,
    count: int,
    *beside: Any,
) -> MsgGenerator[Pattern]:
    """Take frames and average their patterns, each normalised by what it transmitted."""
    taken = yield from take(station, count, exposure_s, *beside)
    dark_per_s = used[f"{Kind.DARK}:{exposure_key(exposure_s)}"].values["it_dark_per_s"]

    def pattern(one: Taken) -> Pattern:
        monitor = transmitted(one.it_counts, one.live_time_s, dark_per_s)
        return chain.reduce(one.frame, monitor=monitor).pattern

    return (yield from in_thread(lambda: mean_pattern([pattern(one) for one in taken])))


def _pattern_values(
    pattern: Pattern, used: dict[str, Calibration], exposure_s: float, count: int
) -> dict[str, Any]:
    return {
        "exposure_s": exposure_s,
        "frames": count,
        "energy_kev": used[str(Kind.GEOMETRY)].values["energy_kev"],
        "points": len(pattern),
        "used": {name: one.sha256 for name, one in used.items()},
    }


def _check(exposure_s: float, count: int) -> None:
    if not 0 < exposure_s <= MAX_EXPOSURE_S:
        raise ValueError(f"exposure_s is {exposure_s}; it must be above 0 and at most {MAX_EXPOSURE_S:g} s")
    if not 1 <= count <= MAX_FRAMES:
        raise ValueError(f"{count} frames are asked for; 1 to {MAX_FRAMES} can be taken")

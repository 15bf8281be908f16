"""Plans that measure the detector and where it is; what they keep goes by its hash into later runs.

In this order: `take_darks`, `calibrate_geometry`, `take_flat`, then those of `reference`.
"""

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind, exposure_key
from intercalate.devices.roles import MeasuresCells
from intercalate.materials.calibrants import CALIBRANTS
from intercalate.orchestration.annotations import (
    COUNT,
    DIFFRACTOMETER,
    EXPOSURE,
    FURTHER_METADATA,
    STATION,
    choice,
    for_queue,
    numbers,
)
from intercalate.orchestration.calibrating import (
    calibration_run,
    keep,
    shut,
    take,
)
from intercalate.orchestration.checking import (
    check_exposure,
    require_station,
)
from intercalate.orchestration.waiting import in_thread


@for_queue(
    "Take dark frames for every exposure that will be used.",
    station=STATION,
    exposures_s=numbers("Exposures, s."),
    count=COUNT,
    md=FURTHER_METADATA,
)
def take_darks(
    station: MeasuresCells,
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
    from intercalate.reduction.pixels import average_dark, blind_pixels

    require_station(station)
    for exposure_s in exposures_s:
        check_exposure(exposure_s, count)

    def body(run: str) -> MsgGenerator[None]:
        yield from shut(station)
        for exposure_s in exposures_s:
            # What the frame before has left behind would count as dark.
            yield from take(station, 1, exposure_s, stream="discarded")
            taken = yield from take(station, count, exposure_s)
            dark = yield from in_thread(lambda: average_dark((one.frame for one in taken), exposure_s))  # noqa: B023
            blind = blind_pixels(dark)
            live_s = sum(one.counts["live_time_s"] for one in taken)
            dark_per_s = {
                f"{name.removesuffix('_counts')}_dark_per_s": sum(one.counts[name] for one in taken) / live_s
                for name in taken[0].counts
                if name.endswith("_counts")
            }
            values = {
                "exposure_s": exposure_s,
                "frames": count,
                "median_counts": float(np.median(dark.mean)),
                "blind_pixels": int(blind.sum()),
                **dark_per_s,
            }
            arrays = {"mean": dark.mean, "variance": dark.variance, "blind": blind}
            yield from keep(station, Kind.DARK, run, values, key=exposure_key(exposure_s), arrays=arrays)

    return (yield from calibration_run(station, "take_darks", body, md, exposures_s=list(exposures_s)))


@for_queue(
    "Find geometry and photon energy from the rings of a calibrant.",
    station=DIFFRACTOMETER,
    calibrant=choice("What the calibrant is.", "Calibrant", CALIBRANTS),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def calibrate_geometry(
    station: MeasuresCells,
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
    from intercalate.reduction.geometry import CalibratedGeometry, NominalGeometry, fit_geometry

    require_station(station, "xrd")
    check_exposure(exposure_s)
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
    station=DIFFRACTOMETER,
    exposure_s=EXPOSURE,
    count=COUNT,
    md=FURTHER_METADATA,
)
def take_flat(
    station: MeasuresCells,
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
    from intercalate.correction_chain import dark_of
    from intercalate.reduction.integration import solid_angle
    from intercalate.reduction.pixels import flat_field

    require_station(station, "xrd")
    check_exposure(exposure_s, count)
    place = station.changer.find(content="fluorescence")
    store = station.calibrations.store
    dark = store.need(Kind.DARK, exposure_key(exposure_s))
    geometry = store.need(Kind.GEOMETRY)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, place)
        yield from bps.mv(station.shutter, "open")
        taken = yield from take(station, count, exposure_s)
        yield from shut(station)
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

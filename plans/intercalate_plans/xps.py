"""Plans for a photoelectron spectrometer: its scale of energies, its flood gun, and spectra of a place."""

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import (
    EXPOSURE,
    FURTHER_METADATA,
    device,
    for_queue,
    numbers,
    place,
    text,
    texts,
)
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import as_spot, stage_target
from intercalate.orchestration.waiting import in_thread
from intercalate.streams import XPS

SPECTROMETER = device("Photoelectron spectrometer with all that is around it.", "xps")
REFERENCES = {"Au": "Au 4f", "Ag": "Ag 3d"}
"""Clean metals by what is at their place: region and binding energy of the line."""


@for_queue(
    "Set the scale of binding energies by clean gold and silver.",
    station=SPECTROMETER,
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def calibrate_energy(
    station: MeasuresCells, exposure_s: float = 60.0, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Set the scale of binding energies by clean gold and silver on the stage.

    Parameters
    ----------
    station
        Photoelectron spectrometer, whose analyser has the regions `Au 4f` and `Ag 3d`.
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
    ValueError, RegionError
        Before anything moves, if a metal or a region is missing.
    XpsError
        If a line does not stand out, or is not where it can be; the scale stays as it was.
    """
    from intercalate.reduction.results import Estimate
    from intercalate.reduction.xps import GOLD_EV, SILVER_EV, components_of, energy_scale, fit_regions
    from intercalate.reduction.xps.charging import line_shape
    from intercalate.xps_results import region_spectrum

    require_station(station, "xps")
    check_exposure(exposure_s)
    true_ev = {"Au": GOLD_EV, "Ag": SILVER_EV}
    places = {metal: station.changer.find(content=metal) for metal in REFERENCES}
    for region in REFERENCES.values():
        station.analyser.check_value(region)

    def body(run: str) -> MsgGenerator[None]:
        # Metals that are earthed need no electrons, and would be shifted by them.
        yield from bps.mv(station.analyser.flood_gun, "off")
        found: list[tuple[Estimate, float]] = []
        for metal, at in places.items():
            region = REFERENCES[metal]
            yield from bps.mv(station.changer, stage_target(station, at), station.analyser, region)
            (taken,) = yield from take(station, 1, exposure_s, station.analyser)

            def fitted(counts: Any = taken.frame[0], metal: str = metal, region: str = region) -> Estimate:
                on_paper = station.calibrations.on_paper
                # A fit finds a line in noise too, where X-rays were off.
                line_shape(_energies_ev(on_paper.regions[region]), counts[: on_paper.regions[region].points])
                spectrum = region_spectrum(region, counts, on_paper.regions[region], exposure_s, on_paper)
                fit = fit_regions([spectrum], components_of([metal], [spectrum]))
                (component,) = fit.components
                return fit.centre[component.name]

            found.append(((yield from in_thread(fitted)), true_ev[metal]))
        scale = energy_scale(found)
        values = {
            "offset_ev": scale.offset_ev,
            "offset_ev_sigma": float(scale.covariance[0, 0] ** 0.5),
            "gain": scale.gain,
            "middle_ev": scale.middle_ev,
            "exposure_s": exposure_s,
        }
        yield from keep(station, Kind.ENERGY, run, values, arrays={"covariance": scale.covariance})

    changes = (station.analyser.flood_gun, *station.analyser.of_region)
    return (
        yield from calibration_run(
            station, "calibrate_energy", body, md, changes=changes, exposure_s=exposure_s
        )
    )


def _energies_ev(region: Any) -> np.ndarray:
    """Of the points of a region, on paper."""
    return region.start_ev + region.step_ev * np.arange(region.points)


@for_queue(
    "Take spectra of what is at a place, one region after the other.",
    station=SPECTROMETER,
    at=place(),
    regions=texts("By name."),
    exposure_s=EXPOSURE,
    spot_mm=numbers("Place on the sample, from its middle, x and y.", optional=True),
    md=FURTHER_METADATA,
)
def take_regions(
    station: MeasuresCells,
    at: str,
    regions: list[str],
    exposure_s: float = 60.0,
    spot_mm: Sequence[float] | None = None,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Take spectra of what is at a place, one region after the other; nothing is cycled.

    Parameters
    ----------
    station
        Photoelectron spectrometer.
    at
        Place on the stage of the chamber.
    regions
        Of the analyser, by name.
    exposure_s
        Of each spectrum, in cell seconds.
    spot_mm
        Place on the sample, x and y from its middle; the middle if None.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run; the spectra are in its stream `xps`, with what the analyser was set to.

    Raises
    ------
    ValueError, RegionError, LimitError
        Before anything moves, if there is no such place or region, or none is named.
    """
    require_station(station, "xps")
    check_exposure(exposure_s)
    if not regions:
        raise ValueError(f"no region is named; there are {', '.join(station.analyser.regions)}")
    for region in regions:
        station.analyser.check_value(region)
    target = stage_target(station, at, as_spot(spot_mm))
    station.changer.position_mm(target)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, target)
        for region in regions:
            yield from bps.mv(station.analyser, region)
            yield from take(station, 1, exposure_s, station.analyser, stream=XPS)

    metadata = {"place": at, "exposure_s": exposure_s, "instrument": station.name, "regions": list(regions)}
    return (yield from calibration_run(station, "take_regions", body, md, **metadata))


@for_queue(
    "Find whether a sample needs the flood gun, and leave it so.",
    station=SPECTROMETER,
    at=place(),
    region=text("By name, with a strong line."),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def set_flood_gun(
    station: MeasuresCells,
    at: str,
    region: str = "C 1s",
    exposure_s: float = 60.0,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Find whether a sample needs slow electrons against its charge, and leave the flood gun so.

    The strongest line of a region is measured without them and with them. They stay on where they make it
    narrower, because the sample was charged unevenly, and are off where they do not: then they only shift it.

    Parameters
    ----------
    station
        Photoelectron spectrometer.
    at
        Place on the stage.
    region
        With a strong line of the sample.
    exposure_s
        Of each spectrum, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. What is kept says the width of the line either way, by how much it has moved,
        and which was chosen.

    Raises
    ------
    ValueError, RegionError
        Before anything moves, if there is no such place or region.
    XpsError
        If no line stands out; the flood gun is then as before.
    """
    from intercalate.reduction.xps.charging import LineShape, line_shape, narrower

    require_station(station, "xps")
    check_exposure(exposure_s)
    station.analyser.check_value(region)
    station.changer.position_mm(stage_target(station, at))

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, stage_target(station, at), station.analyser, region)
        paper = station.calibrations.on_paper.regions[region]
        energy_ev = _energies_ev(paper)
        found: dict[str, LineShape] = {}
        for gun in ("off", "on"):
            yield from bps.mv(station.analyser.flood_gun, gun)
            (taken,) = yield from take(station, 1, exposure_s, station.analyser)
            row = taken.frame[0, : paper.points]
            found[gun] = yield from in_thread(lambda: line_shape(energy_ev, row))  # noqa: B023
        chosen = "on" if narrower(found["off"], found["on"]) else "off"
        yield from bps.mv(station.analyser.flood_gun, chosen)
        off, on = found["off"], found["on"]
        values = {
            "flood_gun": chosen,
            "region": region,
            "width_off_ev": off.width_ev.value,
            "width_off_ev_sigma": off.width_ev.sigma,
            "width_on_ev": on.width_ev.value,
            "width_on_ev_sigma": on.width_ev.sigma,
            "moved_ev": on.centre_ev.value - off.centre_ev.value,
            "moved_ev_sigma": float(np.hypot(on.centre_ev.sigma, off.centre_ev.sigma)),
        }
        yield from keep(station, Kind.CHARGING, run, values, key=at)

    return (
        yield from calibration_run(
            station,
            "set_flood_gun",
            body,
            md,
            changes=station.analyser.of_region,
            finds=(station.analyser.flood_gun,),
            place=at,
            exposure_s=exposure_s,
        )
    )

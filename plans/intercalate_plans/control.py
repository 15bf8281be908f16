"""A control without beam: what a beam has done to a sample, by places that it has not met."""

from collections.abc import Mapping, Sequence
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
    number_lists,
    place,
    text,
)
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import into_focus, stage_target
from intercalate.orchestration.waiting import in_thread

SPECTROSCOPIES, MICROSCOPIES = ("raman", "xps", "eds", "eels"), ("sem", "tem")
"""Compared by spectra, and by greys; lattices are compared by `intercalate beam-effect`."""

SpotMm = Sequence[float]


@for_queue(
    "Compare places that the beam has exposed with others that it has never met.",
    station=device("Instrument whose beam may change the sample.", *SPECTROSCOPIES, *MICROSCOPIES),
    at=place(),
    exposed_mm=number_lists("Places of the sample that were exposed, x and y each."),
    control_mm=number_lists("Places that were not."),
    exposure_s=EXPOSURE,
    region=text("Of an electron analyser.", optional=True),
    md=FURTHER_METADATA,
)
def beam_off_control(
    station: MeasuresCells,
    at: str,
    exposed_mm: Sequence[SpotMm],
    control_mm: Sequence[SpotMm],
    exposure_s: float,
    region: str | None = None,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Compare places of a sample that the beam has exposed with others that it has never met.

    Each place gets one more exposure. Places differ by themselves, so several of each kind are compared: 4 of
    each are enough. The account of doses must say that one kind was exposed and the other was not.

    Parameters
    ----------
    station
        Instrument whose beam may change the sample; diffraction has `intercalate beam-effect`.
    at
        Place on the stage.
    exposed_mm, control_mm
        On the sample, from the middle of that place.
    exposure_s
        Of each frame, in cell seconds.
    region
        Of an electron analyser; None elsewhere.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. Its frames are in the streams `exposed` and `control`; what came of it is kept
        as a calibration, with the odds that chance gives as much.

    Raises
    ------
    ValueError, ControlError, LimitError
        Before anything moves, if there are too few places, one is out of reach, or the account of doses says
        something else of one of them.
    """
    from intercalate.reduction.controls import check_places, compare, grey_curve, spectrum_curve

    require_station(station)
    if station.technique not in (*SPECTROSCOPIES, *MICROSCOPIES):
        known = ", ".join((*SPECTROSCOPIES, *MICROSCOPIES))
        raise TypeError(
            f"station is {station.name}, which measures {station.technique}; compared are {known}"
        )
    check_exposure(exposure_s)
    check_places(len(exposed_mm), len(control_mm))
    places = {"exposed": exposed_mm, "control": control_mm}
    for spots in places.values():
        for spot in spots:
            station.changer.position_mm(stage_target(station, at, (float(spot[0]), float(spot[1]))))
    _check_region(station, region)
    curve = spectrum_curve if station.technique in SPECTROSCOPIES else grey_curve

    def body(run: str) -> MsgGenerator[None]:
        yield from in_thread(lambda: _check_doses(station, at, places))
        curves: dict[str, list[np.ndarray]] = {"exposed": [], "control": []}
        # In turn, so that what drifts meets both alike.
        order = [(kind, spot) for kind, spots in places.items() for spot in spots]
        order.sort(key=lambda one: list(places[one[0]]).index(one[1]))
        for kind, spot in order:
            target = stage_target(station, at, (float(spot[0]), float(spot[1])))
            yield from bps.mv(station.changer, target)
            yield from into_focus(station, at)
            if region is not None:
                yield from bps.mv(station.analyser, region)
            (taken,) = yield from take(station, 1, exposure_s, *station.of_exposure, stream=kind)
            curves[kind].append((yield from in_thread(lambda: curve(taken.frame))))  # noqa: B023
        found = yield from in_thread(
            lambda: compare(np.array(curves["exposed"]), np.array(curves["control"]))
        )
        values = {
            "differs": found.differs,
            "probability": found.probability,
            "difference": found.difference,
            "scatter": found.scatter,
            "places": [len(exposed_mm), len(control_mm)],
            "exposure_s": exposure_s,
            "in_words": found.in_words(),
        }
        yield from keep(station, Kind.CONTROL, run, values, key=at)

    spots_mm = {f"{kind}_mm": [list(map(float, one)) for one in spots] for kind, spots in places.items()}
    metadata: dict[str, Any] = {"place": at, "exposure_s": exposure_s, "instrument": station.name, **spots_mm}
    changes = () if region is None else station.analyser.of_region
    return (yield from calibration_run(station, "beam_off_control", body, md, changes=changes, **metadata))


def _check_region(station: MeasuresCells, region: str | None) -> None:
    if station.analyser is None:
        if region is not None:
            raise ValueError(f"{station.name} has no analyser; drop region = {region!r}")
        return
    if region is None:
        raise ValueError(f"nobody said which region; there are {', '.join(station.analyser.regions)}")
    station.analyser.check_value(region)


def _check_doses(station: MeasuresCells, at: str, places: Mapping[str, Sequence[SpotMm]]) -> None:
    """Ask the account of doses whether each kind of places is what it is said to be."""
    dose = station.dose
    cell = dose.ledger.occupant(at).cell
    for kind, spots in places.items():
        for x_mm, y_mm in spots:
            totals = dose.ledger.totals(cell, dose.technique, dose.spot_at(float(x_mm), float(y_mm)))
            got = sum(one.amount for one in totals)
            if (got > 0) is not (kind == "exposed"):
                said = f"has had {got:.3g} J/cm2 of {dose.technique}" if got else "has never been exposed"
                raise ValueError(f"the place ({x_mm:g}, {y_mm:g}) mm of {at} {said}; it is no {kind} place")

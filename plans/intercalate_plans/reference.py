"""Plans that measure patterns to compare with: of an empty cell, and of a pristine one at open circuit."""

from typing import TYPE_CHECKING, Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Calibration, Kind, exposure_key
from intercalate.contract import CYCLER_NAMES
from intercalate.devices.roles import CyclesCells, MeasuresCells
from intercalate.orchestration.annotations import (
    COUNT,
    DIFFRACTOMETER,
    EXPOSURE,
    FURTHER_METADATA,
    device,
    for_queue,
    place,
)
from intercalate.orchestration.calibrating import Taken, calibration_run, keep, take
from intercalate.orchestration.checking import (
    check_exposure,
    require_role,
    require_station,
)
from intercalate.orchestration.waiting import in_thread

if TYPE_CHECKING:
    from intercalate.reduction import Pattern
    from intercalate.reduction.chain import ReductionChain


@for_queue(
    "Measure the pattern of an empty cell.",
    station=DIFFRACTOMETER,
    exposure_s=EXPOSURE,
    count=COUNT,
    md=FURTHER_METADATA,
)
def take_background(
    station: MeasuresCells,
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
    from intercalate.correction_chain import arrays_of

    require_station(station, "xrd")
    check_exposure(exposure_s, count)
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
    station=DIFFRACTOMETER,
    cycler=device("Channel the cell is on.", *CYCLER_NAMES),
    place=place(),
    exposure_s=EXPOSURE,
    count=COUNT,
    md=FURTHER_METADATA,
)
def reference_scan(
    station: MeasuresCells,
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
    from intercalate.correction_chain import arrays_of

    require_station(station, "xrd")
    require_role(cycler, CyclesCells, "cycler")
    check_exposure(exposure_s, count)
    station.changer.position_mm(place)
    chain, used = _chain(station, exposure_s)

    def body(run: str) -> MsgGenerator[None]:
        if cycler.is_busy:
            raise ValueError(f"{cycler.name} runs a program; a reference is taken at open circuit")
        yield from bps.mv(station.changer, place)
        pattern = yield from _mean_pattern(station, chain, used, exposure_s, count, cycler)
        values = {**_pattern_values(pattern, used, exposure_s, count), "place": place}
        yield from keep(station, Kind.REFERENCE, run, values, key=place, arrays=arrays_of(pattern))

    return (
        yield from calibration_run(
            station, "reference_scan", body, md, place=place, exposure_s=exposure_s, num_points=count
        )
    )


def _chain(station: MeasuresCells, exposure_s: float) -> "tuple[ReductionChain, dict[str, Calibration]]":
    from intercalate.correction_chain import chain_of

    calibrations = station.calibrations
    return chain_of(
        calibrations.store.in_use(),
        exposure_s,
        calibrations.on_paper.saturation_counts,
        polarisation=calibrations.on_paper.polarisation,
        background=False,
    )


def _mean_pattern(
    station: MeasuresCells,
    chain: "ReductionChain",
    used: dict[str, Calibration],
    exposure_s: float,
    count: int,
    *beside: Any,
) -> "MsgGenerator[Pattern]":
    """Take frames and average their patterns, each normalised by what it transmitted."""
    from intercalate.correction_chain import transmitted
    from intercalate.reduction import Pattern
    from intercalate.reduction.chain import mean_pattern

    taken = yield from take(station, count, exposure_s, *beside)
    dark_per_s = used[f"{Kind.DARK}:{exposure_key(exposure_s)}"].values["it_dark_per_s"]

    def pattern(one: Taken) -> Pattern:
        monitor = transmitted(one.counts["it_counts"], one.counts["live_time_s"], dark_per_s)
        return chain.reduce(one.frame, monitor=monitor).pattern

    return (yield from in_thread(lambda: mean_pattern([pattern(one) for one in taken])))


def _pattern_values(
    pattern: "Pattern", used: dict[str, Calibration], exposure_s: float, count: int
) -> dict[str, Any]:
    return {
        "exposure_s": exposure_s,
        "frames": count,
        "energy_kev": used[str(Kind.GEOMETRY)].values["energy_kev"],
        "points": len(pattern),
        "used": {name: one.sha256 for name, one in used.items()},
    }

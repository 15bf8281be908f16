"""Plans for the laser of a Raman spectrometer: its power at the sample, and its focus."""

from typing import TYPE_CHECKING, Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from intercalate.calibrations import Kind
from intercalate.devices.roles import MeasuresCells
from intercalate.orchestration.annotations import EXPOSURE, FURTHER_METADATA, device, for_queue, number, place
from intercalate.orchestration.calibrating import calibration_run, keep, take
from intercalate.orchestration.checking import check_exposure, require_station
from intercalate.orchestration.sample_position import stage_target
from intercalate.orchestration.waiting import in_thread

if TYPE_CHECKING:
    from intercalate.reduction.raman import Focus

SPECTROMETER = device("Raman spectrometer with all that is around it.", "raman")
METER = "power meter"
LOOK_S = 0.2
"""Wall seconds between two looks at a clock."""


@for_queue(
    "Find where the laser must be focused at a place.",
    station=SPECTROMETER,
    at=place(),
    around_um=number("Middle of the scan, um.", -500, 500),
    half_range_um=number("From there to its ends, um.", 1, 500),
    step_um=number("Between two points, um.", 0.1, 50),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def focus_laser(
    station: MeasuresCells,
    at: str,
    around_um: float = 0.0,
    half_range_um: float = 80.0,
    step_um: float = 2.0,
    exposure_s: float = 0.2,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Find where the laser must be focused at a place, by the light that comes back through the pinhole.

    Every point is an exposure of the spot, and counts for its dose.

    Parameters
    ----------
    station
        Raman spectrometer.
    at
        Place of the sample changer.
    around_um, half_range_um, step_um
        Scan of the focus, um.
    exposure_s
        Of each point, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run.

    Raises
    ------
    ValueError, LimitError
        Before anything moves, if the scan has too few points or leaves the travel.
    FocusError
        If there is none in the scan; what was found before stays.
    """
    require_station(station, "raman")
    check_exposure(exposure_s)
    z_um = _focus_scan(station, at, around_um, half_range_um, step_um)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, stage_target(station, at))
        found = yield from _scan_focus(station, z_um, exposure_s)
        yield from bps.mv(station.objective.z_um, found.z_um)
        yield from keep(station, Kind.FOCUS, run, _focus_values(found), key=at)

    finds = (station.objective.z_um,)
    return (
        yield from calibration_run(
            station, "focus_laser", body, md, finds=finds, place=at, exposure_s=exposure_s
        )
    )


def _focus_scan(
    station: MeasuresCells, at: str, around_um: float, half_range_um: float, step_um: float
) -> np.ndarray:
    """Points of a scan of the focus, all within its travel."""
    if not 0 < step_um <= half_range_um / 3:
        raise ValueError(f"step_um is {step_um:g}; it must be above 0 and at most a third of half_range_um")
    z_um = np.arange(around_um - half_range_um, around_um + half_range_um + step_um / 2, step_um)
    station.changer.position_mm(stage_target(station, at))
    for end_um in (z_um[0], z_um[-1]):
        station.objective.z_um.check_value(float(end_um))
    return z_um


def _scan_focus(station: MeasuresCells, z_um: np.ndarray, exposure_s: float) -> "MsgGenerator[Focus]":
    """Find the focus where the changer stands."""
    from intercalate.reduction.raman import find_focus

    returned, gone = [], []
    for one_um in z_um:
        yield from bps.mv(station.objective.z_um, float(one_um))
        (taken,) = yield from take(station, 1, exposure_s, station.objective, stream="focus")
        returned.append(taken.counts["reflected_counts"])
        gone.append(taken.counts["i0_counts"])
    return (yield from in_thread(lambda: find_focus(z_um, np.array(returned), np.array(gone))))


def _focus_values(found: "Focus") -> dict[str, float]:
    return {
        "z_um": found.z_um,
        "z_sigma_um": found.sigma_um,
        "depth_um": found.depth_um,
        "contrast": found.contrast,
    }


@for_queue(
    "Measure how a focus moves by itself.",
    station=SPECTROMETER,
    at=place(),
    count=number("Times that it is found.", 3, 100, integer=True),
    every_s=number("Between two of them, s.", 1, 86_400),
    half_range_um=number("From the focus to the ends of each scan, um.", 1, 500),
    step_um=number("Between two points, um.", 0.1, 50),
    exposure_s=EXPOSURE,
    md=FURTHER_METADATA,
)
def measure_focus_drift(
    station: MeasuresCells,
    at: str,
    count: int = 4,
    every_s: float = 1800.0,
    half_range_um: float = 20.0,
    step_um: float = 2.0,
    exposure_s: float = 0.2,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure how a focus moves by itself, by finding it several times at one place.

    Parameters
    ----------
    station
        Raman spectrometer.
    at
        Place of the sample changer at which the focus was found once; silicon bears the light.
    count
        Times that it is found again, 3 or more.
    every_s
        Cell seconds between them.
    half_range_um, step_um
        Scan around the last focus, um.
    exposure_s
        Of each point, in cell seconds.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. What is kept says by how much the focus moves per hour, and for how many hours
        it holds: so long at least 96 % of the light comes back.

    Raises
    ------
    CalibrationError, ValueError
        Before anything moves, if no focus was found there yet, or the scan has too few points.
    FocusError
        If one is not found again.
    """
    from intercalate.reduction.raman import Focus, focus_drift

    require_station(station, "raman")
    check_exposure(exposure_s)
    if count < 3 or not every_s > 0:
        raise ValueError(f"{count} times every {every_s:g} s: a drift needs 3 or more, one after the other")
    before = station.calibrations.store.need(Kind.FOCUS, at).values
    _focus_scan(station, at, before["z_um"], half_range_um, step_um)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, stage_target(station, at))
        around_um, found, when_s = float(before["z_um"]), list[Focus](), list[float]()
        for _ in range(count):
            yield from _wait_until(station, when_s[-1] + every_s if when_s else -np.inf)
            z_um = _focus_scan(station, at, around_um, half_range_um, step_um)
            one = yield from _scan_focus(station, z_um, exposure_s)
            when_s.append((yield from _clock_s(station)))
            found.append(one)
            around_um = one.z_um
        drift = focus_drift(
            np.array(when_s) / 3600.0,
            np.array([one.z_um for one in found]),
            np.array([one.sigma_um for one in found]),
        )
        values = {
            "um_per_h": drift.um_per_h.value,
            "um_per_h_sigma": drift.um_per_h.sigma,
            "scatter_um": drift.scatter_um,
            "span_um": drift.span_um,
            "holds_for_h": drift.holds_for_h(float(np.mean([one.depth_um for one in found]))),
            "hours": (when_s[-1] - when_s[0]) / 3600.0,
            "count": count,
        }
        yield from bps.mv(station.objective.z_um, found[-1].z_um)
        yield from keep(station, Kind.FOCUS, run, _focus_values(found[-1]), key=at)
        yield from keep(station, Kind.FOCUS_DRIFT, run, values, key=at)

    finds = (station.objective.z_um,)
    return (
        yield from calibration_run(
            station, "measure_focus_drift", body, md, finds=finds, place=at, exposure_s=exposure_s
        )
    )


def _clock_s(station: MeasuresCells) -> MsgGenerator[float]:
    """The instrument's clock."""
    yield from bps.trigger(station.clocks, wait=True)
    return float((yield from bps.rd(station.clocks.instrument_unix_s)))


def _wait_until(station: MeasuresCells, unix_s: float) -> MsgGenerator[None]:
    """Wait for a time of the instrument's clock; one that does not answer is asked again."""
    while not (yield from _clock_s(station)) >= unix_s:
        yield from bps.sleep(LOOK_S)


@for_queue(
    "Measure the laser's power at the sample with the meter on the sample changer.",
    station=SPECTROMETER,
    exposure_s=EXPOSURE,
    count=number("Readings.", 2, 100, integer=True),
    md=FURTHER_METADATA,
)
def measure_power(
    station: MeasuresCells, exposure_s: float = 10.0, count: int = 3, *, md: dict[str, Any] | None = None
) -> MsgGenerator[str]:
    """Measure the laser's power at the sample with the meter on the sample changer, as it is set.

    Parameters
    ----------
    station
        Raman spectrometer.
    exposure_s
        Of a reading, in cell seconds.
    count
        Of readings, 2 or more.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run. What is kept says the power and both its errors, what the laser's scale shows,
        and the energy at the sample for each count of I0, by which doses are counted (`joules_per_count` in
        the configuration).

    Raises
    ------
    ValueError
        Before anything moves, if there is no meter.
    RuntimeError
        If it shows nothing.
    """
    require_station(station, "raman")
    check_exposure(exposure_s, count)
    if count < 2:
        raise ValueError(f"count is {count}; the scatter of the readings needs 2 or more")
    at = station.changer.find(content=METER)

    def body(run: str) -> MsgGenerator[None]:
        yield from bps.mv(station.changer, stage_target(station, at))
        taken = yield from take(station, count, exposure_s)
        said_mw = float((yield from bps.rd(station.beam.power_mw)))
        shown_mw = np.array([one.counts["power_meter_mw"] for one in taken])
        power_mw, stat_mw = float(shown_mw.mean()), float(shown_mw.std(ddof=1) / np.sqrt(count))
        if not power_mw > 5.0 * stat_mw:
            raise RuntimeError(
                f"the power meter shows {power_mw:.3g} ± {stat_mw:.2g} mW at {at}; is the laser on, and the "
                "head in its spot?"
            )
        per_s = float(np.mean([one.counts["i0_counts"] / one.counts["live_time_s"] for one in taken]))
        values = {
            "power_mw": power_mw,
            "power_mw_sigma_stat": stat_mw,
            "power_mw_sigma_sys": power_mw * station.calibrations.on_paper.power_meter_sigma,
            "said_mw": said_mw,
            "joules_per_count": 1e-3 * power_mw / per_s,
            "joules_per_count_said": station.beam.joules_of(1.0),
        }
        yield from keep(station, Kind.POWER, run, values)

    return (yield from calibration_run(station, "measure_power", body, md, place=at, exposure_s=exposure_s))

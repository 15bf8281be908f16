"""Check before the start: cell, channel, beam, detector, vacuum, disk, clocks and calibrations."""

import logging
import math
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import MsgGenerator
from ophyd import Signal

from intercalate import streams
from intercalate.calibrations import CalibrationError, Kind, exposure_key
from intercalate.cell import Cell
from intercalate.contract import CYCLER_NAMES, STATION_NAMES, OnLoss
from intercalate.devices.channel_access import read_number, read_word
from intercalate.devices.roles import CyclesCells, MeasuresCells
from intercalate.orchestration import preflight as checks
from intercalate.orchestration import preflight_instrument as instrument
from intercalate.orchestration.annotations import (
    FURTHER_METADATA,
    device,
    devices,
    for_queue,
    mapping,
    number,
    place,
)
from intercalate.orchestration.calibrating import monitor_counts, take
from intercalate.orchestration.cells import CyclingCell
from intercalate.orchestration.checking import (
    MAX_EXPOSURE_S,
    as_cell,
    bound,
    check_exposure,
    require_role,
)
from intercalate.orchestration.events import note_values
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.tasks import cycler_of
from intercalate.orchestration.waiting import in_thread, trigger_and_wait, wait_for_any, wait_until_done
from intercalate.protocol import Protocol
from intercalate.protocol.program import Limits

log = logging.getLogger(__name__)

MAX_EVERY_S = 1e6

COUNT_S = 1.0
CLOCK_READINGS = 5
"""Of which the narrowest counts."""

_OF_PULSES = ("pulse", "resistance", "other channels")
_OF_FRAMES = ("shutter", "I0", "test frame", "disk", "clocks", "calibrations")


@for_queue(
    "Check cell, channel, instrument, disk, clocks and calibrations before an experiment.",
    cyclers=devices("All channels of the cycler.", *CYCLER_NAMES),
    station=device("Takes the frames.", *STATION_NAMES),
    place=place(),
    cell=mapping("The cell."),
    protocol=mapping("What will be done to it."),
    exposure_s=number("Of each frame, s; without, none is taken.", 0.001, MAX_EXPOSURE_S, optional=True),
    every_s=number("Time between two frames, s.", 0.001, MAX_EVERY_S, optional=True),
    overrides=mapping("Reason for each check whose red is accepted.", optional=True),
    initial_soc=number("State of charge at the start, 0 to 1.", 0, 1, optional=True),
    md=FURTHER_METADATA,
)
def preflight(
    cyclers: Sequence[CyclesCells],
    station: MeasuresCells,
    place: str,
    cell: Cell | dict[str, Any],
    protocol: Protocol | dict[str, Any],
    exposure_s: float | None = 60.0,
    every_s: float | None = None,
    overrides: dict[str, str] | None = None,
    *,
    initial_soc: float | None = None,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Check cell, channel, instrument, disk, clocks and calibrations before an experiment.

    The cell passes a charging and a discharging pulse of C/50, which leave its charge as it was, and meets
    the beam for one exposure; then it is at open circuit, behind a closed shutter. Outside its own window,
    as a fresh cell is, it is only pulsed towards it. A twin that is never exposed does not meet the beam here
    either, and the shutter opens for no other cell than this one. What cannot be checked because a device
    fails is red, and the other checks are made nevertheless.

    Other instruments than a diffractometer take no frame here, which would be dose on a surface that is to be
    seen as it is: the source is asked whether it shines, and a chamber whether it is pumped.

    A channel feeds and reads a cell by the same cable. So leads that are mixed between channels, and cells
    that touch, show in the pulse; two like cells whose whole cables are exchanged do not: each answers on the
    channel that feeds it. Only marks on the cables, or what a cell shows in the beam, tell which it is.

    Parameters
    ----------
    cyclers
        All channels: the others must not answer to the pulses of this cell's.
    station
        Takes the frames.
    place
        Of the cell on the sample changer.
    cell, protocol
        What it is, and what will be done to it.
    exposure_s, every_s
        Of the frames, in cell seconds; one after the other where `every_s` is None. Without an exposure the
        cell is one that never meets the beam.
    overrides
        By name of a check, the reason for which its red is accepted, in words. It is recorded; where the
        check is not red, it is ignored, and the finding says so.
    initial_soc
        State of charge at the start, 0 to 1; a protocol with `until_soc` needs it.
    md
        Added to the run's start document.

    Returns
    -------
    str
        Unique id of the run: findings in the stream `preflight`, the pulses in `cycling`.

    Raises
    ------
    PreflightError
        If something is red that is not overridden.
    ProtocolError, CellError, TasksError, ValueError
        Before anything moves, if something asked for cannot be.
    """
    require_role(station, MeasuresCells, "station")
    for one in cyclers:
        require_role(one, CyclesCells, "cyclers")
    if exposure_s is not None:
        check_exposure(exposure_s)
    if every_s is not None and not 0 < every_s <= MAX_EVERY_S:
        raise ValueError(f"every_s is {every_s}; it must be above 0 and at most {MAX_EVERY_S:g} s")
    vacuum = () if station.chamber is None else (checks.VACUUM,)
    reasons = dict(overrides or {})
    checks.check_overrides(reasons)
    sample = as_cell(cell)
    cycler = cycler_of(place, station.changer, cyclers)
    others = [one for one in cyclers if one is not cycler]
    station.changer.position_mm(place)
    is_diffraction = station.technique == "xrd"
    if is_diffraction and station.monitors.limits is None:
        raise ValueError(f"nothing says what {station.monitors.name} counts with full beam: see [monitors]")
    checked_protocol, _, planned = bound(protocol, sample, cycler.site, initial_soc)
    pulse_s = max(checks.PULSE_S, checks.PULSE_WALL_S * float(cycler.rate.get()))
    rates_C = checks.pulse_rates(float(cycler.voltage_v.get()), planned)
    _, _, pulses = bound(
        _pulses(pulse_s, rates_C, checked_protocol, planned.limits), sample, cycler.site, None
    )
    assert pulses.capacity_ah is not None, "rates were bound to it"
    metadata = {
        "plan_name": "preflight",
        "sample": sample.name,
        "cell": sample.model_dump(mode="json", exclude_none=True),
        "place": place,
        "channel": cycler.channel,
        "overrides": reasons,
        **(md or {}),
    }
    seen = checks.Pulses(checks.PULSE_RATE_C * pulses.capacity_ah)
    pulsed = CyclingCell(
        cycler, pulses, uuid.uuid4().hex, metadata, OnLoss.REST, OnLoss.REST, watch=_watch(seen)
    )
    findings: dict[str, checks.Finding] = {}

    def find(*found: checks.Finding) -> None:
        findings.update((one.what, one) for one in found)

    def attempt(what: str, plan: MsgGenerator[None]) -> MsgGenerator[None]:
        try:
            yield from plan
        except (*FAILURES, CalibrationError) as error:
            find(checks.failed(what, error))

    def is_red(what: str) -> bool:
        return what in findings and findings[what].verdict is checks.Verdict.RED

    def body() -> MsgGenerator[None]:
        yield from attempt("open-circuit voltage", at_rest())
        if is_red("open-circuit voltage"):
            find(*checks.skipped(_OF_PULSES, "the voltage is not such that the cell may be pulsed"))
        else:
            pulsing = bpp.contingency_wrapper(pulse(), except_plan=lambda _: pulsed.abort())
            yield from attempt("pulse", pulsing)
        if exposure_s is None:
            find(*checks.skipped((*_OF_FRAMES, *vacuum), "no frame is taken of this cell"))
            return
        yield from (first_frame(exposure_s) if is_diffraction else without_frame())
        if vacuum:
            yield from attempt(checks.VACUUM, pumped())
        yield from attempt("disk", room(exposure_s))
        yield from attempt("clocks", times())
        yield from attempt("calibrations", calibrated(exposure_s))

    def without_frame() -> MsgGenerator[None]:
        find(*checks.skipped(("shutter", "test frame"), f"{station.name} takes no frame before its time"))
        why_not = yield from in_thread(station.beam.unavailable)
        find(instrument.steady_source(why_not))

    def pumped() -> MsgGenerator[None]:
        chamber = station.chamber
        why_not = yield from in_thread(chamber.unavailable)
        pressure_mbar = yield from in_thread(lambda: read_number(chamber.pressure_mbar))
        find(instrument.vacuum(pressure_mbar, chamber.highest_mbar, why_not))

    def first_frame(exposure_s: float) -> MsgGenerator[None]:
        yield from attempt("test frame", _go(station.changer, place))
        if is_red("test frame"):
            find(*checks.skipped(("shutter", "I0"), "another cell may be where the beam is"))
        else:
            yield from attempt("shutter", beam())
            if is_red("shutter"):
                find(*checks.skipped({"I0", "test frame"} - set(findings), "the shutter is not in order"))
            else:
                yield from attempt("test frame", exposure(exposure_s))

    def at_rest() -> MsgGenerator[None]:
        voltage_v = yield from in_thread(lambda: read_number(cycler.voltage_v))
        find(checks.open_circuit_voltage(voltage_v, planned))

    def pulse() -> MsgGenerator[None]:
        busy = yield from in_thread(lambda: [other for other in others if other.is_busy])
        quiet = [other for other in others if other not in busy]
        seen.busy = [other.channel for other in busy]
        seen.others_v = {other.channel: [] for other in quiet}
        yield from pulsed.start()
        while pulsed.is_running:
            yield from wait_for_any([pulsed.bell()])
            yield from pulsed.collect()
            readings = yield from in_thread(lambda: _beside(cycler, quiet))
            for other, reading in zip(quiet, readings, strict=True):
                seen.note(other.channel, *reading)
        if pulsed.failure is None:
            find(*checks.pulse_answers(seen, rates_C))
        else:
            find(checks.no_pulse(pulsed.why_failed))
            find(*checks.skipped(("resistance", "other channels"), "there was no whole pulse"))

    def beam() -> MsgGenerator[None]:
        monitors = station.monitors
        yield from _go(monitors.count_time_s, COUNT_S)
        yield from shut("closed")
        if is_red("shutter"):
            return
        closed = yield from i0_per_s()
        yield from shut("open")
        if is_red("shutter"):
            return
        opened = yield from i0_per_s()
        find(*instrument.shutter_and_i0(closed, opened, monitors.limits))

    def shut(told: str) -> MsgGenerator[None]:
        try:
            yield from _go(station.shutter, told)
        except FAILURES as error:
            log.info("%s: %s", station.shutter.name, cause_of(error))
            shown = yield from in_thread(lambda: read_word(station.shutter.state))
            find(instrument.stuck_shutter(told, shown))

    def i0_per_s() -> MsgGenerator[float]:
        yield from trigger_and_wait(station.monitors)
        counts = yield from monitor_counts(station)
        i0, live_s = counts["i0_counts"], counts["live_time_s"]
        return i0 / live_s if live_s > 0 else math.nan

    def exposure(exposure_s: float) -> MsgGenerator[None]:
        (taken,) = yield from bpp.stage_wrapper(take(station, 1, exposure_s), [station.detector])
        yield from shut("closed")
        store, saturation = station.calibrations.store, station.calibrations.on_paper.saturation_counts
        dark, flat = store.latest(Kind.DARK, exposure_key(exposure_s)), store.latest(Kind.FLAT)
        found = yield from in_thread(lambda: instrument.exposed_frame(taken.frame, dark, flat, saturation))
        find(found)

    def room(exposure_s: float) -> MsgGenerator[None]:
        frames = math.ceil(planned.worst_case_s / max(exposure_s, every_s or 0.0))
        folder, size = Path(station.detector.frames_folder), station.detector.frame_bytes
        found = yield from in_thread(lambda: instrument.disk(folder, frames, size))
        find(found)

    def times() -> MsgGenerator[None]:
        signals = (
            station.clocks.cycler_unix_s,
            station.clocks.instrument_unix_s,
            station.clocks.half_width_s,
        )
        pairs = []
        for _ in range(CLOCK_READINGS):
            yield from trigger_and_wait(station.clocks)
            ours, theirs, width_s = (float(signal.get()) for signal in signals)
            pairs.append((width_s if math.isfinite(width_s) else math.inf, theirs - ours))
        width_s, offset_s = min(pairs)
        find(instrument.clocks(offset_s, width_s))

    def calibrated(exposure_s: float) -> MsgGenerator[None]:
        kept = station.calibrations
        found = yield from in_thread(
            lambda: instrument.calibrations(kept.store, station.technique, exposure_s, place, kept.max_age_h)
        )
        find(found)

    def wind_up() -> MsgGenerator[None]:
        yield from pulsed.wind_up()
        yield from shut("closed")
        yield from _note(result())

    def result() -> list[checks.Finding]:
        made = checks.completed(list(findings.values()), is_in_vacuum=bool(vacuum))
        return checks.overridden(made, reasons)

    def inner() -> MsgGenerator[str]:
        yield from pulsed.open()
        yield from bpp.contingency_wrapper(body(), except_plan=lambda _: pulsed.abort(), final_plan=wind_up)
        red = any(one.verdict is checks.Verdict.RED for one in result())
        yield from bps.close_run(exit_status="fail" if red else "success", reason="red" if red else "")
        if red:
            raise checks.PreflightError(place, result())
        return pulsed.uid

    return (yield from bpp.rewindable_wrapper(inner(), False))


def _go(device: Any, where: Any) -> MsgGenerator[None]:
    """Set a device and wait for it, which a pause does not cut short."""
    group = f"preflight-{uuid.uuid4().hex}"
    status = yield from bps.abs_set(device, where, group=group)
    yield from wait_until_done(status)
    yield from bps.wait(group)


def _beside(cycler: CyclesCells, others: Sequence[CyclesCells]) -> list[tuple[float, float, float]]:
    """Voltage of each other channel, between two readings of this one's current; NaN without an answer."""

    def read(signal: Any) -> float:
        try:
            return read_number(signal)
        except RuntimeError as error:
            log.warning("%s", error)
            return math.nan

    return [(read(cycler.current_a), read(other.voltage_v), read(cycler.current_a)) for other in others]


def _pulses(pulse_s: float, rates_C: Sequence[float], planned: Protocol, limits: Limits) -> dict[str, Any]:
    """A rest, then pulses with a rest after each, within the limits of what is planned.

    A pulse ends where the cell's window does: a host that is empty leaves it within seconds.
    """
    rest = {"step": "open_circuit_voltage", "until_time_s": pulse_s / 2}
    method = [rest]
    for rate_C in rates_C:
        until_v = limits.highest_setpoint_v if rate_C > 0 else limits.lowest_setpoint_v
        pulse = {"step": "constant_current", "rate_C": rate_C, "until_time_s": pulse_s}
        method += [{**pulse, "until_voltage_V": until_v}, rest]
    return {
        "record": {"time_s": pulse_s / 10},
        "sample": planned.sample.model_dump(exclude_none=True),
        "safety": planned.safety.model_dump(exclude_none=True),
        "method": method,
    }


def _watch(seen: checks.Pulses) -> Any:
    def watch(records: np.ndarray) -> None:
        seen.records = np.concatenate([seen.records, records])

    return watch


def _note(findings: Sequence[checks.Finding]) -> MsgGenerator[None]:
    columns = ("what", "verdict", "found", "limit", "remedy")
    signals = [Signal(name=f"preflight_{name}", value="") for name in columns]
    for one in findings:
        yield from note_values(streams.PREFLIGHT, signals, [str(getattr(one, name)) for name in columns])

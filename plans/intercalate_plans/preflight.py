"""Check before the start: cell, channel, beam, detector, disk, clocks and calibrations."""

import math
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import FailedStatus, MsgGenerator
from ophyd import Signal

from intercalate.calibrations import Kind, exposure_key
from intercalate.cell import Cell
from intercalate.contract import RECORD_COLUMNS, OnLoss
from intercalate.devices.roles import CyclesCells, MeasuresDiffraction
from intercalate.orchestration import preflight as checks
from intercalate.orchestration.annotations import device, devices, for_queue, mapping, number
from intercalate.orchestration.calibrating import monitor_counts, take
from intercalate.orchestration.cells import CyclingCell
from intercalate.orchestration.checking import as_cell, bound, require_role
from intercalate.orchestration.tasks import cycler_of
from intercalate.orchestration.waiting import in_thread, trigger_and_wait, wait_for_any
from intercalate.protocol import Protocol

PREFLIGHT_STREAM = "preflight"
"""One event per finding."""

COUNT_S = 1.0


@for_queue(
    "Check cell, channel, beam, detector, disk, clocks and calibrations before an experiment.",
    cyclers=devices("All channels of the cycler.", "cycler", "cycler_2", "cycler_3", "cycler_4",
                    "cycler_5", "cycler_6", "cycler_7", "cycler_8"),
    station=device("Takes the frames.", "xrd"),
    place={"description": "Of the cell on the sample changer.", "annotation": "str"},
    cell=mapping("The cell."),
    protocol=mapping("What will be done to it."),
    exposure_s=number("Exposure of each frame, s.", 0.001, 3600),
    every_s=number("Time between two frames, s.", 0.001, 1e6, optional=True),
    overrides=mapping("Reason for each check whose red is accepted.", optional=True),
    md=mapping("Further metadata.", optional=True),
)  # fmt: skip
def preflight(
    cyclers: Sequence[CyclesCells],
    station: MeasuresDiffraction,
    place: str,
    cell: Cell | dict[str, Any],
    protocol: Protocol | dict[str, Any],
    exposure_s: float = 60.0,
    every_s: float | None = None,
    overrides: dict[str, str] | None = None,
    *,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Check cell, channel, beam, detector, disk, clocks and calibrations before an experiment.

    The cell passes a charging and a discharging pulse of C/50, which leave its charge as it was, and meets
    the beam for one exposure; then it is at open circuit, behind a closed shutter. Outside its own window,
    as a fresh cell is, it is only pulsed towards it.

    Parameters
    ----------
    cyclers
        All channels: the others must not answer to the pulses of this cell's.
    station
        Takes the test frame.
    place
        Of the cell on the sample changer.
    cell, protocol
        What it is, and what will be done to it.
    exposure_s, every_s
        Of the frames, in cell seconds; one after the other where `every_s` is None.
    overrides
        By name of a check, the reason for which its red is accepted, in words. It is recorded.
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
    require_role(station, MeasuresDiffraction, "station")
    for one in cyclers:
        require_role(one, CyclesCells, "cyclers")
    reasons = dict(overrides or {})
    checks.check_overrides(reasons)
    sample = as_cell(cell)
    cycler = cycler_of(place, station.changer, cyclers)
    others = [one for one in cyclers if one is not cycler]
    station.changer.position_mm(place)
    checked_protocol, _, planned = bound(protocol, sample, cycler.site, None)
    pulse_s = max(checks.PULSE_S, checks.PULSE_WALL_S * float(cycler.rate.get()))
    rates_C = checks.pulse_rates(float(cycler.voltage_v.get()), planned)
    _, _, pulses = bound(_pulses(pulse_s, rates_C, checked_protocol), sample, cycler.site, None)
    metadata = {
        "plan_name": "preflight",
        "sample": sample.name,
        "cell": sample.model_dump(mode="json", exclude_none=True),
        "place": place,
        "channel": cycler.channel,
        "overrides": reasons,
        **(md or {}),
    }
    seen = checks.Pulses(np.empty((0, len(RECORD_COLUMNS))))
    pulsed = CyclingCell(
        cycler, pulses, uuid.uuid4().hex, metadata, OnLoss.REST, OnLoss.REST, watch=_watch(seen)
    )
    findings: list[checks.Finding] = []

    def body() -> MsgGenerator[None]:
        voltage_v = yield from in_thread(lambda: float(cycler.voltage_v.get(use_monitor=False)))
        findings.append(checks.open_circuit_voltage(voltage_v, planned))
        if findings[0].verdict is checks.Verdict.GREEN:
            yield from pulse()
            findings.extend(
                checks.pulse_answers(seen, rates_C)
                if pulsed.failure is None
                else [checks.no_pulse(pulsed.why_failed)]
            )
        yield from beam()
        findings.append(_disk(station, planned.worst_case_s, every_s or exposure_s))
        yield from trigger_and_wait(station.clocks)
        times = (station.clocks.cycler_unix_s, station.clocks.instrument_unix_s, station.clocks.half_width_s)
        ours, theirs, width = (float(signal.get()) for signal in times)
        findings.append(checks.clocks(theirs - ours, width))
        calibrations = station.calibrations
        findings.append(checks.calibrations(calibrations.store, exposure_s, place, calibrations.max_age_h))

    def pulse() -> MsgGenerator[None]:
        yield from pulsed.start()
        while pulsed.is_running:
            yield from wait_for_any([pulsed.bell()])
            yield from pulsed.collect()
            now_a = float(cycler.current_a.get())
            for other in others:
                read = yield from in_thread(lambda: float(other.voltage_v.get(use_monitor=False)))  # noqa: B023
                seen.others_v.setdefault(other.channel, []).append((now_a, read))

    def beam() -> MsgGenerator[None]:
        monitors, limits = station.monitors, station.monitors.limits
        yield from bps.mv(station.changer, place, monitors.count_time_s, COUNT_S, station.shutter, "closed")
        closed = yield from i0_per_s()
        try:
            yield from bps.mv(station.shutter, "open")
        except FailedStatus:
            shown = yield from bps.rd(station.shutter.state)
            findings.append(checks.stuck_shutter(str(shown)))
            return
        opened = yield from i0_per_s()
        findings.extend(checks.shutter_and_i0(closed, opened, limits.full_i0_per_s, limits.weak_below))
        (taken,) = yield from take(station, 1, exposure_s)
        yield from bps.mv(station.shutter, "closed")
        calibrations = station.calibrations
        dark = calibrations.store.latest(Kind.DARK, exposure_key(exposure_s))
        flat = calibrations.store.latest(Kind.FLAT)
        unused = flat.array("mask") if flat else dark.array("blind") if dark else None
        findings.append(
            checks.exposed_frame(
                taken.frame,
                dark.array("mean") if dark else None,
                unused,
                calibrations.on_paper.saturation_counts,
            )
        )

    def i0_per_s() -> MsgGenerator[float]:
        yield from trigger_and_wait(station.monitors)
        i0, _, live_s = yield from monitor_counts(station)
        return i0 / live_s if live_s > 0 else math.nan

    def wind_up() -> MsgGenerator[None]:
        yield from pulsed.wind_up()
        yield from bps.abs_set(station.shutter, "closed", group="shutter")
        yield from bps.wait(group="shutter", timeout=30, error_on_timeout=False)

    def inner() -> MsgGenerator[str]:
        yield from pulsed.open()
        yield from bpp.contingency_wrapper(body(), except_plan=lambda _: pulsed.abort(), final_plan=wind_up)
        findings[:] = checks.overridden(findings, reasons)
        yield from _note(findings)
        red = any(one.verdict is checks.Verdict.RED for one in findings)
        yield from bps.close_run(exit_status="fail" if red else "success", reason="red" if red else "")
        if red:
            raise checks.PreflightError(place, findings)
        return pulsed.uid

    return (yield from bpp.stage_wrapper(bpp.rewindable_wrapper(inner(), False), [station.detector]))


def _pulses(pulse_s: float, rates_C: Sequence[float], planned: Protocol) -> dict[str, Any]:
    """A rest, then pulses with a rest after each, within the limits of what is planned."""
    rest = {"step": "open_circuit_voltage", "until_time_s": pulse_s / 2}
    method = [rest]
    for rate_C in rates_C:
        method += [{"step": "constant_current", "rate_C": rate_C, "until_time_s": pulse_s}, rest]
    return {
        "record": {"time_s": pulse_s / 10},
        "safety": planned.safety.model_dump(exclude_none=True),
        "method": method,
    }


def _watch(seen: checks.Pulses) -> Any:
    def watch(records: np.ndarray) -> None:
        seen.records = np.concatenate([seen.records, records])

    return watch


def _disk(station: MeasuresDiffraction, duration_s: float, every_s: float) -> checks.Finding:
    frames = math.ceil(duration_s / every_s)
    return checks.disk(Path(station.detector.frames_folder), frames, station.detector.frame_bytes)


def _note(findings: Sequence[checks.Finding]) -> MsgGenerator[None]:
    signals: dict[str, Any] = {}
    for one in findings:
        values = checks.as_event(one)
        signals = signals or {name: Signal(name=f"preflight_{name}", value="") for name in values}
        yield from bps.create(name=PREFLIGHT_STREAM)
        for name, value in values.items():
            signals[name].put(value)
            yield from bps.read(signals[name])
        yield from bps.save()

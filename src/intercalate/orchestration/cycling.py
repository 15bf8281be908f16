"""Stubs that charge, discharge and rest a cell, and those that run a whole program."""

import json
import logging
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg, MsgGenerator
from ophyd import Signal

from intercalate import streams
from intercalate.cell import Cell
from intercalate.contract import Capability, OnLoss, Verb
from intercalate.devices.roles import CyclesCells
from intercalate.orchestration.events import note_values
from intercalate.orchestration.failures import FAILURES, cause_of
from intercalate.orchestration.waiting import trigger_and_wait
from intercalate.protocol import (
    BoundProgram,
    ConstantCurrent,
    ConstantVoltage,
    OpenCircuitVoltage,
    Protocol,
    Record,
    bind,
)

log = logging.getLogger(__name__)


CLEANUP_S = 30.0
"""Wall seconds that a finalizer waits for a device at most."""


DEFAULT_RECORD = Record(time_s=10.0, voltage_V=0.005)
"""Recording criteria of steps composed by hand: 10 s of cell time, or 5 mV."""


def charge(
    cycler: CyclesCells,
    cell: Cell,
    *,
    until_voltage_V: float | None = None,
    until_time_s: float | None = None,
    until_capacity_mAh: float | None = None,
    rate_C: float | None = None,
    current_mA: float | None = None,
) -> MsgGenerator[None]:
    """Charge at constant current until the first cut-off is met.

    Parameters
    ----------
    cycler
        Channel the cell is on.
    cell
        Gives the capacity to which `rate_C` refers, and the voltage window.
    until_voltage_V, until_time_s, until_capacity_mAh
        Cut-offs; at least one.
    rate_C, current_mA
        Magnitude of the current, one of the two.

    Raises
    ------
    ProtocolError
        Before anything moves, if the step cannot be.
    """
    yield from _constant_current(
        cycler, cell, 1.0, rate_C, current_mA, until_voltage_V, until_time_s, until_capacity_mAh
    )


def discharge(
    cycler: CyclesCells,
    cell: Cell,
    *,
    until_voltage_V: float | None = None,
    until_time_s: float | None = None,
    until_capacity_mAh: float | None = None,
    rate_C: float | None = None,
    current_mA: float | None = None,
) -> MsgGenerator[None]:
    """Discharge at constant current until the first cut-off is met; see `charge`."""
    yield from _constant_current(
        cycler, cell, -1.0, rate_C, current_mA, until_voltage_V, until_time_s, until_capacity_mAh
    )


def hold_voltage(
    cycler: CyclesCells,
    cell: Cell,
    voltage_V: float,
    *,
    until_time_s: float | None = None,
    until_current_mA: float | None = None,
    until_rate_C: float | None = None,
) -> MsgGenerator[None]:
    """Hold a voltage until the current has fallen to a magnitude, or a time has passed."""
    step = ConstantVoltage(
        voltage_V=voltage_V,
        until_time_s=until_time_s,
        until_current_mA=until_current_mA,
        until_rate_C=until_rate_C,
    )
    yield from run_step(cycler, cell, step)


def rest(cycler: CyclesCells, cell: Cell, *, until_time_s: float) -> MsgGenerator[None]:
    """Leave the cell at open circuit for a time in cell seconds."""
    yield from run_step(cycler, cell, OpenCircuitVoltage(until_time_s=until_time_s))


def _constant_current(
    cycler: CyclesCells,
    cell: Cell,
    sign: float,
    rate_C: float | None,
    current_mA: float | None,
    until_voltage_V: float | None,
    until_time_s: float | None,
    until_capacity_mAh: float | None,
) -> MsgGenerator[None]:
    for name, value in (("rate_C", rate_C), ("current_mA", current_mA)):
        if value is not None and not value > 0:
            raise ValueError(
                f"{name} is {value}; give a magnitude above 0, the direction is that of charge or discharge"
            )
    step = ConstantCurrent(
        rate_C=None if rate_C is None else sign * rate_C,
        current_mA=None if current_mA is None else sign * current_mA,
        until_voltage_V=until_voltage_V,
        until_time_s=until_time_s,
        until_capacity_mAh=until_capacity_mAh,
    )
    yield from run_step(cycler, cell, step)


def run_step(cycler: CyclesCells, cell: Cell, step: Any) -> MsgGenerator[None]:
    """Execute one protocol step; done when the cell is at open circuit again.

    A pause does not stop the cell. An abort or an error leaves it as the configuration's `on_abort`
    says.
    """
    program = bind(Protocol(record=DEFAULT_RECORD, method=(step,)), cell, cycler.site)
    request = program_request(program, uuid.uuid4().hex, cycler.on_client_lost)

    def inner() -> MsgGenerator[None]:
        yield from bps.abs_set(cycler.step.request, json.dumps(request), wait=True)
        yield from trigger_and_wait(cycler.step)
        yield _step_done(cycler)

    def clean_up(_: Exception) -> MsgGenerator[None]:
        yield from apply_on_abort(cycler, cycler.on_abort, request["program_id"])

    yield from bpp.rewindable_wrapper(bpp.contingency_wrapper(inner(), except_plan=clean_up), False)


def _step_done(cycler: CyclesCells) -> Msg:
    """Says that a step has reached its end: here `cycling_records` collects."""
    return Msg("null", cycler.step)


def program_request(program: BoundProgram, program_id: str, on_client_lost: OnLoss) -> dict[str, Any]:
    """What the cycler device starts."""
    return {"program": program.to_json(), "program_id": program_id, "on_client_lost": on_client_lost}


def declare_records(cycler: CyclesCells, *, spectra: bool) -> MsgGenerator[None]:
    """Describe the stream of records in the open run, before the first of them can be collected.

    Parameters
    ----------
    spectra
        Whether there may be impedance spectra too.
    """
    yield from bps.declare_stream(cycler, name=streams.CYCLING, collect=True)
    if spectra:
        yield from bps.declare_stream(cycler.impedance, name=streams.EIS, collect=True)


def start_program(
    cycler: CyclesCells, program: BoundProgram, program_id: str, on_client_lost: OnLoss
) -> MsgGenerator[None]:
    """Start a whole program and go on; needs an open run. The same id twice attaches to it."""
    request = program_request(program, program_id, on_client_lost)
    yield from bps.prepare(cycler, request, wait=True)
    yield from bps.kickoff(cycler, wait=True)


def drain(cycler: CyclesCells) -> MsgGenerator[np.ndarray]:
    """Collect the records that are new, and the spectra.

    Returns
    -------
    ndarray, shape (n, len(RECORD_COLUMNS))
        The records collected since the last time.
    """
    yield from bps.collect(cycler, name=streams.CYCLING, stream=False)
    if cycler.impedance.pending > 0:
        yield from bps.collect(cycler.impedance, name=streams.EIS, stream=False)
    # A pause, or an instrument's failing status, takes the answer of the message it hits, not its documents:
    # what the device has given out is asked for, and is given once, now or the next time.
    return cycler.take_collected()


def drain_at_the_end(cycler: CyclesCells) -> MsgGenerator[None]:
    """Collect what an ended plan has left, for a finalizer: no error that would hide the first one."""
    try:
        yield from drain(cycler)
    except FAILURES as error:
        log.error("records are left in the cycler's own file: %s", error)


def note_markers(cycler: CyclesCells, program_id: str) -> MsgGenerator[None]:
    """One event per marker that the program has passed, for a finalizer: no error, as above."""
    try:
        info = cycler.program_info()
    except FAILURES as error:
        log.error("markers are left in the cycler's own ledger: %s", error)
        return
    passed = info.get("markers", []) if info.get("program_id") == program_id else []
    signals = {
        key: Signal(name=f"{cycler.name}_marker_{key}", value=value)
        for key, value in (("name", ""), ("test_time_s", 0.0), ("record_seq", 0))
    }
    for marker in passed:
        yield from note_values(streams.MARKERS, signals.values(), [marker[key] for key in signals])


def apply_on_abort(cycler: CyclesCells, on_abort: OnLoss, program_id: str) -> MsgGenerator[None]:
    """Open circuit, or go on: bounded in time, and without an error that would hide the first one.

    Only this program ends, but that in any case: a start that is still under way comes too late.
    """
    if on_abort is OnLoss.CONTINUE:
        return
    try:
        yield from bps.abs_set(
            cycler.verb, Verb.STOP, program_id=program_id, why="the plan was aborted", group="on_abort"
        )
        yield from bps.wait(group="on_abort", timeout=CLEANUP_S, error_on_timeout=False)
    except FAILURES as error:
        log.error("%s was not told to rest: %s", cycler.channel, cause_of(error))


def cycling_records(
    plan: MsgGenerator[Any], cycler: CyclesCells, cell: Cell, *, md: dict[str, Any] | None = None
) -> MsgGenerator[Any]:
    """Keep the records of all steps in `plan` in one run of their own.

    Other runs may open and close meanwhile: this one has its own key.

    Parameters
    ----------
    plan
        Steps composed by hand, with any other plans between them.

    Returns
    -------
    Whatever `plan` returns.
    """
    key = f"cycling-{uuid.uuid4().hex[:8]}"
    keyed = partial(bpp.set_run_key_wrapper, run=key)
    metadata = {"plan_name": "cycling_records", "sample": cell.name, "cell": cell.model_dump(mode="json")}

    def collect_after(msg: Msg) -> tuple[None, Callable[[], MsgGenerator[Any]] | Any]:
        if msg.command == "null" and msg.obj is cycler.step:
            return None, keyed(drain(cycler))
        return None, None

    def body() -> MsgGenerator[Any]:
        yield from keyed(bps.open_run({**metadata, **(md or {})}))
        can_measure = Capability.IMPEDANCE_SPECTROSCOPY in cycler.site.capabilities
        yield from keyed(declare_records(cycler, spectra=can_measure))
        return (
            yield from bpp.finalize_wrapper(
                bpp.plan_mutator(plan, collect_after), keyed(drain_at_the_end(cycler))
            )
        )

    def close(exit_status: str, reason: str) -> MsgGenerator[None]:
        yield from keyed(bps.close_run(exit_status=exit_status, reason=reason))

    return (
        yield from bpp.contingency_wrapper(
            body(),
            except_plan=lambda error: close("fail", str(error)),
            else_plan=lambda: close("success", ""),
        )
    )

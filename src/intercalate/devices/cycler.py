"""The cycler: a channel of the cycler server as an ophyd device."""

import json
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, EpicsSignalRO, Kind, Signal
from ophyd.status import DeviceStatus

from intercalate.contract import IMPEDANCE_UNITS, RECORD_UNITS, CyclerState, OnLoss, Verb
from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS, READING_TIMEOUT_S, put_and_wait
from intercalate.devices.cycler_errors import CyclerError, CyclerSilent
from intercalate.devices.record_blocks import BlockReader
from intercalate.devices.renewal import Renewal
from intercalate.devices.statuses import end, end_in_thread, end_when
from intercalate.protocol import SiteLimits

COMMAND_TIMEOUT_S = 10.0
"""Wall seconds within which the server must have answered a command."""

BUSY = (CyclerState.RUNNING, CyclerState.HOLDING)


def read_now(signal: EpicsSignal | EpicsSignalRO) -> Any:
    """Value by an explicit read: a monitor's may be older than the answer to a command.

    Raises
    ------
    CyclerSilent
        If the server does not answer.
    """
    try:
        return signal.get(use_monitor=False, timeout=COMMAND_TIMEOUT_S, connection_timeout=COMMAND_TIMEOUT_S)
    except CHANNEL_ACCESS_ERRORS as error:
        raise CyclerSilent(f"{signal.pvname} does not answer: {error}") from error


class CyclerStep(Device):
    """One program at a time, done when it has reached its own end.

    `request` holds what `trigger` executes: a JSON object with `program` (a bound program),
    `program_id` and `on_client_lost`. A trigger needs no run, and the RunEngine never stops what it
    has only triggered.
    """

    request = Cpt(Signal, value="", kind=Kind.omitted)

    def trigger(self) -> DeviceStatus:
        """Execute the request; the status ends when the cell is at open circuit again.

        Returns
        -------
        DeviceStatus
            Fails with `CyclerError` where the program is refused, interrupted or faults; not where this
            client has withdrawn it, by `verb.set("stop", program_id=…)`.
        """
        assert isinstance(self.parent, Cycler)
        request = json.loads(str(self.request.get()))
        return self.parent.begin(request["program"], request["program_id"], OnLoss(request["on_client_lost"]))


class CyclerDoorbell(Device):
    """Rings when there are records that have not been collected, or the program has ended."""

    def trigger(self) -> DeviceStatus:
        """Wait for the next record or the end of the program."""
        cycler = self.parent
        assert isinstance(cycler, Cycler)
        status = DeviceStatus(self)
        end_when(status, lambda: cycler.pending > 0 or not cycler.ask_busy(), cycler.record_seq, cycler.state)
        return status


class CyclerImpedance(Device):
    """Impedance spectra that a program measures, one row for each frequency; collected like the records."""

    impedance_seq = Cpt(EpicsSignalRO, "ImpedanceSeq", auto_monitor=True, kind=Kind.omitted)
    impedance_request = Cpt(EpicsSignal, "ImpedanceRequest", kind=Kind.omitted)
    impedance_block = Cpt(EpicsSignalRO, "ImpedanceBlock", kind=Kind.omitted)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.rows = BlockReader(
            self.impedance_seq, self.impedance_request, self.impedance_block, IMPEDANCE_UNITS
        )

    @property
    def pending(self) -> int:
        """Frequencies announced and not yet collected."""
        return self.rows.pending

    def describe_collect(self) -> dict[str, Any]:
        """Data keys of one frequency, by column."""
        return self.rows.describe(self.name)

    def collect_pages(self) -> Iterator[dict[str, Any]]:
        """Frequencies announced until now and not yet collected, as partial event pages."""
        yield from self.rows.pages(self.name)


class CyclerVerb(Device):
    """Commands to the channel: `set("hold")`, `set("release")`, `set("acknowledge")` …"""

    def set(self, verb: str, **arguments: Any) -> DeviceStatus:
        """Send a command; done when the server has obeyed.

        Parameters
        ----------
        verb
            Member of `intercalate.contract.Verb`.
        """
        assert isinstance(self.parent, Cycler)
        return self.parent.command_status(Verb(verb), **arguments)

    def stop(self, *, success: bool = False) -> None:
        """A command that was sent cannot be taken back."""


class Cycler(Device):
    """One channel of a cycler.

    As a flyer it executes a whole program (`prepare`, `kickoff`, `complete`, `collect_pages`); it is
    never `set`, so neither a pause nor the end of a plan stops it.

    Parameters
    ----------
    site
        Limits no program may exceed.
    on_abort, on_client_lost
        What becomes of a step composed by hand when its plan aborts, or its client is gone.
    lease_s
        Wall seconds without a sign of life after which this client counts as gone.
    """

    state = Cpt(EpicsSignalRO, "State", string=True, auto_monitor=True, kind=Kind.normal)
    fault = Cpt(EpicsSignalRO, "Fault", string=True, auto_monitor=True, kind=Kind.omitted)
    fault_message = Cpt(EpicsSignalRO, "FaultMessage", string=True, kind=Kind.omitted)
    voltage_v = Cpt(EpicsSignalRO, "Voltage", auto_monitor=True, kind=Kind.hinted)
    current_a = Cpt(EpicsSignalRO, "Current", auto_monitor=True, kind=Kind.hinted)
    temperature_c = Cpt(EpicsSignalRO, "Temperature", auto_monitor=True, kind=Kind.normal)
    test_time_s = Cpt(EpicsSignalRO, "TestTime", auto_monitor=True, kind=Kind.normal)
    net_capacity_ah = Cpt(EpicsSignalRO, "NetCapacity", auto_monitor=True, kind=Kind.normal)
    state_of_charge = Cpt(EpicsSignalRO, "StateOfCharge", auto_monitor=True, kind=Kind.omitted)
    step_id = Cpt(EpicsSignalRO, "StepId", auto_monitor=True, kind=Kind.normal)
    step_type = Cpt(EpicsSignalRO, "StepType", string=True, auto_monitor=True, kind=Kind.omitted)
    cycle_count = Cpt(EpicsSignalRO, "CycleCount", auto_monitor=True, kind=Kind.normal)
    end_reason = Cpt(EpicsSignalRO, "EndReason", string=True, kind=Kind.omitted)
    program = Cpt(EpicsSignalRO, "Program", string=True, kind=Kind.omitted)
    lease_owner = Cpt(EpicsSignalRO, "LeaseOwner", string=True, kind=Kind.omitted)
    lease_remaining_s = Cpt(EpicsSignalRO, "LeaseRemaining", kind=Kind.omitted)
    unix_time_s = Cpt(EpicsSignalRO, "UnixTime", kind=Kind.omitted)
    command = Cpt(EpicsSignal, "Command", string=True, kind=Kind.omitted)
    reply = Cpt(EpicsSignalRO, "Reply", string=True, kind=Kind.omitted)
    open_circuit_now = Cpt(EpicsSignal, "Stop", kind=Kind.omitted)
    record_seq = Cpt(EpicsSignalRO, "RecordSeq", auto_monitor=True, kind=Kind.omitted)
    record_request = Cpt(EpicsSignal, "RecordRequest", kind=Kind.omitted)
    record_block = Cpt(EpicsSignalRO, "RecordBlock", kind=Kind.omitted)
    rate = Cpt(EpicsSignalRO, "Rate", auto_monitor=True, kind=Kind.config)
    capabilities = Cpt(EpicsSignalRO, "Capabilities", string=True, kind=Kind.omitted)

    step = Cpt(CyclerStep, "", kind=Kind.omitted)
    doorbell = Cpt(CyclerDoorbell, "", kind=Kind.omitted)
    verb = Cpt(CyclerVerb, "", kind=Kind.omitted)
    impedance = Cpt(CyclerImpedance, "", kind=Kind.omitted)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        site: SiteLimits,
        on_abort: OnLoss,
        on_client_lost: OnLoss,
        lease_s: float = 15.0,
        **kwargs: Any,
    ):
        super().__init__(prefix, name=name, **kwargs)
        self.site = site
        self.on_abort = on_abort
        self.on_client_lost = on_client_lost
        self.owner = f"{name}-{uuid.uuid4().hex[:12]}"
        self._records = BlockReader(self.record_seq, self.record_request, self.record_block, RECORD_UNITS)
        self._lease_s = lease_s
        self._renewal = Renewal(f"{self.name}-lease", self._claim, lease_s)
        self._sending = threading.Lock()
        self._starting = False
        self._withdrawn: str | None = None
        self._request: tuple[str, str, OnLoss] | None = None

    # Commands

    def send(self, verb: Verb, **arguments: Any) -> Any:
        """Send a command and wait for its answer; blocks for at most `COMMAND_TIMEOUT_S`.

        Raises
        ------
        CyclerSilent
            If the server does not answer: what the cell does is then unknown.
        CyclerError
            If it refuses.
        """
        request_id = uuid.uuid4().hex
        text = json.dumps({"request_id": request_id, "verb": verb, "owner": self.owner, **arguments})
        deadline = time.monotonic() + COMMAND_TIMEOUT_S
        with self._sending:
            # The server obeys a request_id once, however often it is asked for the answer.
            while (left_s := deadline - time.monotonic()) > 0:
                try:
                    if put_and_wait(self.command, text, left_s):
                        answer = json.loads(self.reply.get(timeout=2.0) or "{}")
                        if answer.get("request_id") == request_id:
                            break
                except (*CHANNEL_ACCESS_ERRORS, ValueError):
                    continue
            else:
                raise CyclerSilent(
                    f"{self.prefix} did not answer {verb!r} within {COMMAND_TIMEOUT_S:g} s; "
                    "the state of the cell is unknown until it does"
                )
        if not answer["ok"]:
            raise CyclerError(f"{self.prefix} refused {verb.value}: {answer['message']}")
        return answer["result"]

    def command_status(self, verb: Verb, **arguments: Any) -> DeviceStatus:
        """Send a command from a thread of its own."""
        if verb is Verb.STOP and "program_id" in arguments:
            self._withdrawn = arguments["program_id"]
        status = DeviceStatus(self)
        end_in_thread(status, lambda: self.send(verb, **arguments))
        return status

    def _unless_withdrawn(self, program_id: str, work: Callable[[], bool]) -> bool:
        """Do `work`; True in place of an error where this client has itself withdrawn the program.

        Its end was asked for: a status that failed of it would be thrown into the finalizer that asked.
        """
        try:
            return work()
        except CyclerError:
            if program_id == self._withdrawn:
                return True
            raise

    # Lease

    def take_lease(self) -> None:
        """Become the client that may command the channel, and stay it while this process lives.

        Raises
        ------
        CyclerError
            If somebody else holds the lease.
        """
        self._claim()
        self._renewal.start()

    def drop_lease(self) -> None:
        """Let others command the channel."""
        self._renewal.stop()
        self.send(Verb.DROP_LEASE)

    def fall_silent(self) -> None:
        """Renew the lease no more: when it ends, a running program does what was said for a lost client."""
        self._renewal.stop()

    def _claim(self) -> None:
        self.send(Verb.TAKE_LEASE, duration_s=self._lease_s)

    # Programs

    def ask_busy(self) -> bool:
        """Whether a program is being started, executed or held, by the server's own word.

        Raises
        ------
        CyclerSilent
            If the server does not answer.
        """
        return self._starting or read_now(self.state) in BUSY

    @property
    def channel(self) -> str:
        """Name of the channel: the last part of its prefix."""
        return self.prefix.rstrip(":").rsplit(":", 1)[-1]

    def clock_s(self) -> float:
        """The server's clock now, Unix time; NaN where it does not answer."""
        try:
            return float(
                self.unix_time_s.get(timeout=READING_TIMEOUT_S, connection_timeout=READING_TIMEOUT_S)
            )
        except CHANNEL_ACCESS_ERRORS:
            return math.nan

    @property
    def is_busy(self) -> bool:
        """Whether a program is being executed or held; True where the server does not answer."""
        try:
            # A monitor that still says so is enough; one that no longer does may be late for a start.
            if self._starting or (self.state.connected and self.state.get() in BUSY):
                return True
            return self.ask_busy()
        except (CyclerSilent, *CHANNEL_ACCESS_ERRORS):
            return True

    @property
    def pending(self) -> int:
        """Records announced and not yet collected."""
        return self._records.pending

    @property
    def records_lost(self) -> int:
        """Records and frequencies of spectra that the server no longer had."""
        return self._records.lost + self.impedance.rows.lost

    def begin(self, program: str, program_id: str, on_client_lost: OnLoss) -> DeviceStatus:
        """Load and start a program; the status ends when it is complete."""
        status = DeviceStatus(self)
        self._starting = True
        end_in_thread(
            status,
            lambda: self._unless_withdrawn(
                program_id, lambda: self._start(program, program_id, on_client_lost)
            ),
            go_on=lambda: self._end_with(status, program_id),
        )
        return status

    def _start(self, program: str, program_id: str, on_client_lost: OnLoss) -> bool:
        self._starting = True
        try:
            self.take_lease()
            self.send(Verb.LOAD, program_id=program_id, program=program, on_client_lost=on_client_lost)
            self.send(Verb.START, program_id=program_id)
            info = self._info_of(program_id)
            complete = info["status"] == "complete"
            for rows, kind in ((self._records, "record"), (self.impedance.rows, "impedance")):
                rows.end = info[f"end_{kind}"] if complete else None
                rows.cursor = int(info[f"first_{kind}"])
            return True
        finally:
            self._starting = False

    def program_info(self) -> dict[str, Any]:
        """The current or last program of the channel: id, status, records, charge, markers.

        Raises
        ------
        CyclerSilent
            If the server does not answer.
        CyclerError
            If what it says cannot be read.
        """
        text = read_now(self.program) or "{}"
        try:
            return json.loads(text)
        except ValueError as error:
            raise CyclerError(f"{self.program.pvname} holds no JSON ({error}): {text[:80]!r}") from None

    def _info_of(self, program_id: str) -> dict[str, Any]:
        info = self.program_info()
        if info.get("program_id") != program_id:
            raise CyclerError(
                f"{self.prefix} now has the program {info.get('program_id')!r}: somebody else took the "
                f"channel before the end of {program_id!r} was seen here"
            )
        return info

    def _end_with(self, status: DeviceStatus, program_id: str) -> None:
        """End `status` with the program."""

        def ended() -> bool:
            if self.ask_busy():
                return False
            info = self._info_of(program_id)
            if info["status"] in ("interrupted", "acknowledged"):
                raise CyclerError(f"{self.prefix} {info['status']}: {info['why'] or 'no reason given'}")
            return info["status"] == "complete"

        end_when(status, lambda: self._unless_withdrawn(program_id, ended), self.state)

    # Flyer

    def prepare(self, value: dict[str, Any]) -> DeviceStatus:
        """Say what the next `kickoff` starts: `program`, `program_id`, `on_client_lost`."""
        self._request = (value["program"], value["program_id"], OnLoss(value["on_client_lost"]))
        status = DeviceStatus(self)
        end(status)
        return status

    def kickoff(self) -> DeviceStatus:
        """Start the prepared program; done when it runs. The same id twice attaches to it."""
        if self._request is None:
            raise CyclerError(f"{self.name} was not prepared with a program")
        request = self._request
        status = DeviceStatus(self)
        self._starting = True
        end_in_thread(status, lambda: self._unless_withdrawn(request[1], lambda: self._start(*request)))
        return status

    def complete(self) -> DeviceStatus:
        """Wait for the end of the program."""
        if self._request is None:
            raise CyclerError(f"{self.name} was not prepared with a program")
        status = DeviceStatus(self)
        self._end_with(status, self._request[1])
        return status

    def describe_collect(self) -> dict[str, Any]:
        """Data keys of the records, by column."""
        return self._records.describe(self.name)

    def collect_pages(self) -> Iterator[dict[str, Any]]:
        """Records announced until now and not yet collected, as partial event pages."""
        yield from self._records.pages(self.name)

    def take_collected(self) -> np.ndarray:
        """Records that were collected since this was asked last, shape (n, len(RECORD_COLUMNS))."""
        return self._records.take_paged()

    def read_records(self) -> np.ndarray:
        """Read the next block of records from the server.

        Returns
        -------
        ndarray, shape (n, len(RECORD_COLUMNS))
            At most `RECORD_BLOCK_ROWS`; fewer where there are no more.

        Raises
        ------
        CyclerError
            If the server does not answer, or has fewer records than were collected.
        """
        return self._records.read()

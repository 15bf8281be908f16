"""The cycler: a channel of the cycler server as an ophyd device."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import epics
import numpy as np
from ophyd import Component as Cpt
from ophyd import Device, EpicsSignal, EpicsSignalRO, Kind, Signal
from ophyd.status import DeviceStatus

from intercalate.contract import (
    RECORD_BLOCK_HEADER,
    RECORD_COLUMNS,
    RECORD_UNITS,
    CyclerState,
    OnLoss,
    Verb,
)
from intercalate.devices.statuses import end
from intercalate.protocol import SiteLimits

COMMAND_TIMEOUT_S = 10.0
"""Wall seconds within which the server must have answered a command."""

ENDED = (CyclerState.COMPLETE, CyclerState.INTERRUPTED, CyclerState.FAULT)


class CyclerError(RuntimeError):
    """The cycler refused a command, or a program did not end as it should."""


def put_and_wait(signal: EpicsSignal, value: Any, timeout_s: float) -> bool:
    """Put with completion; False where the server has not confirmed in time."""
    done = threading.Event()
    signal.put(value, wait=False, callback=lambda **_: done.set())
    return done.wait(timeout_s)


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
            Fails with `CyclerError` where the program is refused, interrupted or faults.
        """
        assert isinstance(self.parent, Cycler)
        request = json.loads(self.request.get())
        return self.parent.begin(request["program"], request["program_id"], OnLoss(request["on_client_lost"]))


class CyclerDoorbell(Device):
    """Rings when there are records that have not been collected, or the program has ended."""

    def trigger(self) -> DeviceStatus:
        """Wait for the next record or the end of the program."""
        cycler = self.parent
        assert isinstance(cycler, Cycler)
        status = DeviceStatus(self)

        def look(**_: Any) -> None:
            if cycler.pending > 0 or not cycler.is_busy:
                end(status)

        def forget(_: Any) -> None:
            cycler.record_seq.clear_sub(look)
            cycler.state.clear_sub(look)

        status.add_callback(forget)
        cycler.record_seq.subscribe(look, run=False)
        cycler.state.subscribe(look, run=False)
        look()
        return status


class CyclerFinished(Device):
    """Done as soon as no program is being executed or held, whatever ended it."""

    def trigger(self) -> DeviceStatus:
        """Wait for open circuit."""
        cycler = self.parent
        assert isinstance(cycler, Cycler)
        status = DeviceStatus(self)

        def look(**_: Any) -> None:
            if not cycler.is_busy:
                end(status)

        status.add_callback(lambda _: cycler.state.clear_sub(look))
        cycler.state.subscribe(look, run=True)
        return status


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

    step = Cpt(CyclerStep, "", kind=Kind.omitted)
    doorbell = Cpt(CyclerDoorbell, "", kind=Kind.omitted)
    finished = Cpt(CyclerFinished, "", kind=Kind.omitted)
    verb = Cpt(CyclerVerb, "", kind=Kind.omitted)

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
        self.records_lost = 0
        self._lease_s = lease_s
        self._renewal: threading.Thread | None = None
        self._let_go = threading.Event()
        self._sending = threading.Lock()
        self._cursor = 0
        self._request: tuple[str, str, OnLoss] | None = None
        self._boot_id: float | None = None

    # Commands

    def send(self, verb: Verb, **arguments: Any) -> Any:
        """Send a command and wait for its answer; blocks for at most `COMMAND_TIMEOUT_S`.

        Raises
        ------
        CyclerError
            If the server refuses, or does not answer: what the cell does is then unknown.
        """
        request_id = uuid.uuid4().hex
        text = json.dumps({"request_id": request_id, "verb": verb, "owner": self.owner, **arguments})
        deadline = time.monotonic() + COMMAND_TIMEOUT_S
        with self._sending:
            while time.monotonic() < deadline:
                try:
                    if put_and_wait(self.command, text, max(0.0, deadline - time.monotonic())):
                        answer = json.loads(self.reply.get(timeout=2.0) or "{}")
                        if answer.get("request_id") == request_id:
                            break
                except (TimeoutError, ValueError):
                    continue
            else:
                raise CyclerError(
                    f"{self.prefix} did not answer {verb!r} within {COMMAND_TIMEOUT_S:g} s; "
                    "the state of the cell is unknown until it does"
                )
        if not answer["ok"]:
            raise CyclerError(f"{self.prefix} refused {verb!r}: {answer['message']}")
        return answer["result"]

    def command_status(self, verb: Verb, **arguments: Any) -> DeviceStatus:
        """Send a command from a thread of its own."""
        status = DeviceStatus(self)

        def work() -> None:
            epics.ca.use_initial_context()
            try:
                self.send(verb, **arguments)
            except CyclerError as error:
                end(status, error)
            else:
                end(status)

        threading.Thread(target=work, name=f"{self.name}-{verb}", daemon=True).start()
        return status

    # Lease

    def take_lease(self) -> None:
        """Become the client that may command the channel, and stay it while this process lives.

        Raises
        ------
        CyclerError
            If somebody else holds the lease.
        """
        self.send(Verb.TAKE_LEASE, duration_s=self._lease_s)
        if self._renewal is None or not self._renewal.is_alive():
            self._let_go.clear()
            self._renewal = threading.Thread(target=self._renew, name=f"{self.name}-lease", daemon=True)
            self._renewal.start()

    def drop_lease(self) -> None:
        """Let others command the channel."""
        self._let_go.set()
        self.send(Verb.DROP_LEASE)

    def _renew(self) -> None:
        epics.ca.use_initial_context()
        while not self._let_go.wait(self._lease_s / 4):
            try:
                self.send(Verb.TAKE_LEASE, duration_s=self._lease_s)
            except (CyclerError, AssertionError):
                # The server is away or somebody else took over; both end, or show in `lease_owner`.
                continue

    # Programs

    @property
    def is_busy(self) -> bool:
        """Whether a program is being executed or held."""
        return self.state.get() in (CyclerState.RUNNING, CyclerState.HOLDING)

    @property
    def pending(self) -> int:
        """Records announced and not yet collected."""
        return int(self.record_seq.get()) - self._cursor

    def begin(self, program: str, program_id: str, on_client_lost: OnLoss) -> DeviceStatus:
        """Load and start a program; the status ends when it is complete."""
        status = DeviceStatus(self)

        def work() -> None:
            epics.ca.use_initial_context()
            try:
                self._start(program, program_id, on_client_lost)
            except CyclerError as error:
                end(status, error)
                return
            self._watch(status, program_id)

        threading.Thread(target=work, name=f"{self.name}-begin", daemon=True).start()
        return status

    def _start(self, program: str, program_id: str, on_client_lost: OnLoss) -> None:
        self.take_lease()
        self.send(Verb.LOAD, program_id=program_id, program=program, on_client_lost=on_client_lost)
        self.send(Verb.START, program_id=program_id)
        self._cursor = int(self.program_info()["first_record"])
        self._catch_up()

    def _catch_up(self) -> None:
        """Wait until the monitor of the state shows what the server says: a reply may overtake it."""
        deadline = time.monotonic() + COMMAND_TIMEOUT_S
        while self.state.get() != self.state.get(use_monitor=False):
            if time.monotonic() > deadline:
                raise CyclerError(
                    f"{self.prefix}: its state lags behind by more than {COMMAND_TIMEOUT_S:g} s"
                )

    def program_info(self) -> dict[str, Any]:
        """The current or last program of the channel: id, status, records, charge, markers."""
        return json.loads(self.program.get() or "{}")

    def _watch(self, status: DeviceStatus, program_id: str) -> None:
        """End `status` with the program."""

        def look(**_: Any) -> None:
            state = self.state.get()
            if state == CyclerState.COMPLETE:
                end(status)
            elif state in ENDED:
                end(status, CyclerError(f"{self.prefix} {state}: {self._why()}"))

        status.add_callback(lambda _: self.state.clear_sub(look))
        self.state.subscribe(look, run=True)

    def _why(self) -> str:
        return self.fault_message.get() or self.program_info().get("why") or "no reason given"

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
        status = DeviceStatus(self)
        request = self._request

        def work() -> None:
            epics.ca.use_initial_context()
            try:
                self._start(*request)
            except CyclerError as error:
                end(status, error)
            else:
                end(status)

        threading.Thread(target=work, name=f"{self.name}-kickoff", daemon=True).start()
        return status

    def complete(self) -> DeviceStatus:
        """Wait for the end of the program."""
        if self._request is None:
            raise CyclerError(f"{self.name} was not prepared with a program")
        status = DeviceStatus(self)
        self._watch(status, self._request[1])
        return status

    def describe_collect(self) -> dict[str, Any]:
        """Data keys of the records, by column."""
        source = f"PV:{self.prefix}RecordBlock"
        return {
            f"{self.name}_{column}": {
                "source": source,
                "dtype": "number",
                "dtype_numpy": "<f8",
                "shape": [],
                "units": RECORD_UNITS[column],
            }
            for column in RECORD_COLUMNS
        }

    def collect_pages(self) -> Iterator[dict[str, Any]]:
        """Records announced since the last call, as partial event pages."""
        while len(rows := self.read_records()):
            now = time.time()
            names = [f"{self.name}_{column}" for column in RECORD_COLUMNS]
            data = {name: rows[:, i].tolist() for i, name in enumerate(names)}
            yield {
                "time": [now] * len(rows),
                "data": data,
                "timestamps": {name: [now] * len(rows) for name in names},
            }

    def read_records(self) -> np.ndarray:
        """Read the next block of records from the server.

        Returns
        -------
        ndarray, shape (n, len(RECORD_COLUMNS))
            None where there are no new ones.

        Raises
        ------
        CyclerError
            If the server does not answer.
        """
        head = len(RECORD_BLOCK_HEADER)
        for _ in range(5):
            if self.pending <= 0:
                break
            if not put_and_wait(self.record_request, self._cursor, COMMAND_TIMEOUT_S):
                continue
            block = np.atleast_1d(self.record_block.get(timeout=COMMAND_TIMEOUT_S))
            boot_id, requested, first, following, count = block[:head]
            if requested != self._cursor:
                continue
            if first > self._cursor:
                self.records_lost += int(first) - self._cursor
            self._boot_id = boot_id
            self._cursor = int(following)
            return block[head:].reshape(int(count), len(RECORD_COLUMNS))
        else:
            raise CyclerError(f"{self.prefix}RecordBlock does not answer for record {self._cursor}")
        return np.empty((0, len(RECORD_COLUMNS)))

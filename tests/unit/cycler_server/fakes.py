"""A cell and a channel without clocks and processes: time passes when a test says so."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.cell import Cell
from intercalate.contract import (
    IMPEDANCE_COLUMNS,
    RECORD_COLUMNS,
    Capability,
    ControlMode,
    EndReason,
    OnLoss,
)
from intercalate.cycler_server.channel import ChannelError, ChannelListener, ImpedancePoint, Sample
from intercalate.cycler_server.commands import CommandDesk
from intercalate.cycler_server.executor import ChannelExecutor
from intercalate.cycler_server.lease import Lease
from intercalate.cycler_server.ledger import ProgramLedger
from intercalate.cycler_server.records import RecordFile
from intercalate.protocol import BoundProgram, Protocol, Segment, SegmentProgress, SiteLimits, Spectrum, bind

RESISTANCE_OHM = 5.0
VOLTS_PER_AH = 100.0
"""10 mAh raise the open-circuit voltage by 1 V."""

SITE = SiteLimits(
    min_voltage_V=-0.5,
    max_voltage_V=5.0,
    max_current_mA=100.0,
    min_temperature_C=0.0,
    max_temperature_C=60.0,
    max_duration_s=1e7,
    interlock_delay_s=5.0,
    capabilities=frozenset(Capability),
)


def make_cell(**changes: Any) -> Cell:
    """NMC811 against graphite, 10 mAh, 2.5 V to 4.2 V."""
    content = {
        "name": "test cell",
        "format": "coin",
        "positive": {"material": "NMC811"},
        "negative": {"material": "graphite"},
        "working": "positive",
        "one_c_current_mA": 10.0,
        "one_c_basis": "nominal",
        "min_voltage_V": 2.5,
        "max_voltage_V": 4.2,
    }
    return Cell.from_dict(content | changes)


def make_program(
    *method: dict[str, Any],
    record: dict[str, Any] | None = None,
    safety: dict[str, Any] | None = None,
    cell: Cell | None = None,
    site: SiteLimits = SITE,
    initial_soc: float | None = None,
) -> BoundProgram:
    """Bind a method; records every 10 s unless told otherwise."""
    content = {"record": record or {"time_s": 10}, "safety": safety or {}, "method": list(method)}
    return bind(Protocol.from_dict(content), cell or make_cell(), site, initial_soc=initial_soc)


def charge(time_s: float = 100.0, current_mA: float = 10.0, **more: Any) -> dict[str, Any]:
    """A constant-current step."""
    return {"step": "constant_current", "current_mA": current_mA, "until_time_s": time_s, **more}


def rest(time_s: float = 100.0) -> dict[str, Any]:
    """A step at open circuit."""
    return {"step": "open_circuit_voltage", "until_time_s": time_s}


class FakeCell:
    """A capacitor with a resistance; it lives on while servers come and go."""

    def __init__(self, voltage_v: float = 3.0):
        self.start_v = voltage_v
        self.unix_time_s = 1_700_000_000.0
        self.charge_ah = 0.0
        self.current_a = 0.0
        self.temperature_c = 25.0

    @property
    def open_circuit_v(self) -> float:
        return self.start_v + VOLTS_PER_AH * self.charge_ah

    @property
    def voltage_v(self) -> float:
        return self.open_circuit_v + RESISTANCE_OHM * self.current_a

    def advance(self, mode: ControlMode, setpoint: float, dt_s: float) -> None:
        match mode:
            case ControlMode.REST:
                self.current_a = 0.0
            case ControlMode.CURRENT:
                self.current_a = setpoint
            case ControlMode.VOLTAGE:
                self.current_a = (setpoint - self.open_circuit_v) / RESISTANCE_OHM
            case ControlMode.POWER:
                self.current_a = setpoint / self.open_circuit_v
        self.charge_ah += self.current_a * dt_s / 3600.0
        self.unix_time_s += dt_s


class FakeChannel:
    """A channel whose every vice is an attribute."""

    name = "CH1"

    def __init__(self, cell: FakeCell):
        self.cell = cell
        self.rate = 1.0
        self.capabilities = frozenset(Capability)
        self.listener: ChannelListener | None = None
        self.segment: Segment | None = None
        self.given: list[Segment] = []
        self.start: Sample | None = None
        self.answers = True
        self.acknowledges = True
        self.notices_cut_offs = True
        self.contact = True
        self.obeys_stop = True
        self.stuck: Sample | None = None
        self.temperature_c: float | None = None

    def attach(self, listener: ChannelListener) -> None:
        self.listener = listener

    def start_segment(self, segment: Segment) -> None:
        if not self.answers:
            raise ChannelError("no answer")
        self.segment, self.start, self.measured = segment, None, 0
        self.given.append(segment)
        self.unacknowledged = True

    def open_circuit(self) -> None:
        if self.obeys_stop:
            self.segment = None

    def unix_time_s(self) -> float:
        return self.cell.unix_time_s

    @property
    def flows(self) -> bool:
        """Whether a current is demanded of the cell."""
        return self.segment is not None and self.segment.mode is not ControlMode.REST

    def sample(self) -> Sample:
        cell = self.cell
        if self.stuck is not None:
            s = self.stuck
            return Sample(cell.unix_time_s, s.voltage_v, s.current_a, cell.charge_ah, s.temperature_c)
        temperature_c = cell.temperature_c if self.temperature_c is None else self.temperature_c
        voltage_v = cell.voltage_v if self.contact else 0.0
        return Sample(cell.unix_time_s, voltage_v, cell.current_a, cell.charge_ah, temperature_c)

    def step(self, dt_s: float = 1.0) -> None:
        """Let time pass and report."""
        assert self.listener is not None
        segment = self.segment
        before = self.sample()
        begun_s = (self.start or before).unix_time_s
        mode, setpoint = ControlMode.REST, 0.0
        if segment is not None:
            mode, setpoint = segment.mode, segment.setpoint_at(before.unix_time_s + dt_s - begun_s)
        if self.contact:
            self.cell.advance(mode, setpoint, dt_s)
        else:
            self.cell.advance(ControlMode.REST, 0.0, dt_s)
        self.start = self.start or before
        if segment is not None and self.unacknowledged and self.acknowledges:
            self.unacknowledged = False
            self.listener.on_started(segment)
        sample = self.sample()
        self.listener.on_sample(sample)
        if segment is None or self.segment is not segment or not self.notices_cut_offs:
            return
        elapsed_s = sample.unix_time_s - self.start.unix_time_s
        if segment.spectrum is not None and self._measure(segment, segment.spectrum, elapsed_s):
            return
        progress = SegmentProgress(
            elapsed_s=elapsed_s,
            voltage_v=sample.voltage_v,
            current_a=sample.current_a,
            capacity_ah=sample.charge_ah - self.start.charge_ah,
            voltage_slope_v_per_s=(sample.voltage_v - before.voltage_v) / dt_s if elapsed_s > 1 else math.nan,
        )
        cut = segment.ended_by(progress)
        if cut is not None:
            self.open_circuit()
            self.listener.on_ended(segment, cut.reason)

    def _measure(self, segment: Segment, spectrum: Spectrum, elapsed_s: float) -> bool:
        """Report the frequencies that are due; whether the sweep, or the segment, is over."""
        assert self.listener is not None
        while self.measured < len(spectrum.ends_s) and spectrum.ends_s[self.measured] <= elapsed_s:
            frequency_hz = spectrum.frequencies_hz[self.measured]
            self.measured += 1
            self.listener.on_impedance(segment, ImpedancePoint(frequency_hz, complex(5.0, -1 / frequency_hz)))
            if self.segment is not segment:
                return True
        if self.measured < len(spectrum.ends_s):
            return False
        self.open_circuit()
        self.listener.on_ended(segment, EndReason.SPECTRUM_COMPLETE)
        return True


class Bench:
    """A cycler server on a fake cell, which can be killed and started again."""

    def __init__(self, folder: Path, *, site: SiteLimits = SITE, voltage_v: float = 3.0):
        self.folder = folder
        self.site = site
        self.cell = FakeCell(voltage_v)
        self.monotonic_s = 0.0
        self._ids = itertools.count(1)
        self.boot()

    def boot(self) -> None:
        """Start the server; the channel is at open circuit and gives a reading."""
        self.channel = FakeChannel(self.cell)
        self.records = RecordFile(self.folder / "records.f8")
        self.impedances = RecordFile(self.folder / "impedances.f8", IMPEDANCE_COLUMNS)
        self.ledger = ProgramLedger(self.folder / "programs.jsonl")
        self.executor = ChannelExecutor(self.channel, self.records, self.impedances, self.ledger, self.site)
        self.desk = CommandDesk(self.executor, Lease(lambda: self.monotonic_s))
        self.channel.step()

    def kill(self) -> None:
        """End the server without a word; the cell goes to open circuit when the line is dead."""
        self.records.close()
        self.impedances.close()
        self.ledger.close()
        if self.channel.segment is not None:
            self.cell.advance(self.channel.segment.mode, self.channel.segment.setpoint, 1.0)
        self.cell.advance(ControlMode.REST, 0.0, 1.0)

    def run(
        self, program: BoundProgram, program_id: str = "p1", on_client_lost: OnLoss = OnLoss.REST
    ) -> None:
        """Load and start."""
        self.executor.load(program_id, program, on_client_lost)
        self.executor.start(program_id)

    def pass_time(self, time_s: float, dt_s: float = 1.0) -> None:
        """Let time pass."""
        for _ in range(round(time_s / dt_s)):
            self.channel.step(dt_s)

    def finish(self, most_s: float = 1e5) -> None:
        """Let time pass until no program runs."""
        for _ in range(int(most_s)):
            if self.executor.run is None:
                return
            self.channel.step()
        raise AssertionError(f"the program still runs after {most_s:g} s")

    def spectra(self) -> dict[str, np.ndarray]:
        """All frequencies of all spectra, by column."""
        self.impedances.sync()
        rows = self.impedances.read(0, 10**6)
        return {name: rows[:, i] for i, name in enumerate(IMPEDANCE_COLUMNS)}

    def table(self) -> dict[str, np.ndarray]:
        """All records, by column."""
        self.records.sync()
        rows = self.records.read(0, 10**6)
        return {name: rows[:, i] for i, name in enumerate(RECORD_COLUMNS)}

    def ask(self, verb: str, owner: str = "", **more: Any) -> dict[str, Any]:
        """Send a command through the desk."""
        request = {"request_id": f"r{next(self._ids)}", "verb": verb, "owner": owner, **more}
        return self.desk.answer(json.dumps(request))

"""Simulated cycler channels: each drives one cell of the world, with the vices of real ones on demand."""

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intercalate.contract import Capability, ControlMode, EndReason
from intercalate.cycler_server.channel import ChannelError, ChannelListener, Sample
from intercalate.cycler_server.course import SegmentCourse
from intercalate.protocol import Segment
from intercalate_sims.link import WorldLink
from intercalate_sims.sweep import Sweep
from intercalate_sims.wire import Message

log = logging.getLogger(__name__)

NOISE_V = 2e-5
NOISE_A_FRACTION = 1e-5
_NOISE = np.random.default_rng(20261).standard_normal(4096)
_NOISE_STRIDE = 619
"""Of the noise of one segment to the next; coprime to the length of the table."""

_ROUNDING_S = 1e-6
"""Differences of unix times are certain to this."""


@dataclass
class Knobs:
    """What can be wrong with a channel; each stays until it is turned back.

    Attributes
    ----------
    contact_loss
        The leads are open: no current flows and the voltage reads 0.
    over_temperature_c
        Added to the temperature reading.
    stuck_reading
        Readings repeat the last one.
    late_completion_s
        Cut-offs are noticed so much cell time late.
    sensor_nan
        The thermometer reads NaN.
    lost_reply
        The next commands are obeyed but never acknowledged.
    """

    contact_loss: bool = False
    over_temperature_c: float = 0.0
    stuck_reading: bool = False
    late_completion_s: float = 0.0
    sensor_nan: bool = False
    lost_reply: bool = False


class SimulatedChannel:
    """A `Channel` on a cell of the simulated world.

    A ramp is a staircase with a stair for each step of cell time.

    Attributes
    ----------
    capabilities
        Those of `Channel`, as the cell's model allows.
    """

    def __init__(self, name: str, cell: str, rig: "SimulatedRig"):
        self.name = name
        self.cell = cell
        self.knobs = Knobs()
        self._rig = rig
        self._listener: ChannelListener | None = None
        self._segment: Segment | None = None
        self._unacknowledged: Segment | None = None
        self._from: Sample | None = None
        self._met_at_s: float | None = None
        self._course: SegmentCourse | None = None
        self._last: Sample | None = None
        self._segments = 0
        self._readings = 0
        self._setpoint = 0.0
        self._sweep: Sweep | None = None
        self.capabilities = frozenset({Capability.CONSTANT_POWER, Capability.VOLTAGE_SCAN})

    # Channel

    @property
    def rate(self) -> float:
        """See `Channel`."""
        return self._rig.rate

    def attach(self, listener: ChannelListener) -> None:
        """See `Channel`."""
        self._listener = listener

    def start_segment(self, segment: Segment) -> None:
        """See `Channel`."""
        if not self._rig.up:
            raise ChannelError("the simulated world does not answer")
        self._segment = self._unacknowledged = segment
        self._segments, self._readings = self._segments + 1, 0
        self._from = self._last
        self._met_at_s = self._course = None
        self._setpoint = segment.setpoint_at(self._rig.dt_s)
        self._sweep = Sweep(segment.spectrum, self._segments) if segment.spectrum is not None else None
        self._drive()

    def open_circuit(self) -> None:
        """See `Channel`."""
        self._segment = self._unacknowledged = None
        self._rig.apply(self.cell, ControlMode.REST, 0.0, at_once=True)

    def _control(self) -> tuple[ControlMode, float]:
        """How the cell is to be controlled: as the segment says, as far as the leads carry it."""
        if self._segment is None or self.knobs.contact_loss:
            return ControlMode.REST, 0.0
        return self._segment.mode, self._setpoint

    def _drive(self) -> None:
        self._rig.apply(self.cell, *self._control())

    def turn(self, **knobs: bool | float) -> None:
        """Turn knobs by name; see `Knobs`."""
        for name, value in knobs.items():
            setattr(self.knobs, name, value)
        self._drive()

    def unix_time_s(self) -> float:
        """See `Channel`."""
        return self._rig.unix_time_s()

    # What the world tells

    def take(self, unix_time_s: float, message: Message) -> None:
        """One reading of the cell; called once per step of cell time."""
        sample = self._seen(unix_time_s, message["reading"])
        self._last = sample
        self._readings += 1
        if self._listener is None:
            return
        # A reading from before the last command reached the world says nothing of the segment, which has
        # not yet begun.
        current = (message["mode"], message["setpoint"]) == self._control()
        if not current and self._unacknowledged is not None:
            self._from, self._course = sample, None
        if current and self._unacknowledged is not None and not self.knobs.lost_reply:
            acknowledged, self._unacknowledged = self._unacknowledged, None
            self._listener.on_started(acknowledged)
        self._listener.on_sample(sample)
        segment = self._segment
        if segment is None or not current:
            return
        reason = self._ended(segment, sample)
        if reason is not EndReason.NONE:
            self.open_circuit()
            self._listener.on_ended(segment, reason)
        else:
            self._go_on(segment, sample)

    def _go_on(self, segment: Segment, sample: Sample) -> None:
        """Climb the next stair of a ramp; ask for what a sweep has measured in the last step."""
        assert self._from is not None
        elapsed_s = sample.unix_time_s - self._from.unix_time_s
        if segment.ramp_per_s is not None:
            self._setpoint = segment.setpoint_at(elapsed_s + self._rig.dt_s)
            self._drive()
        due_hz = self._sweep.due_hz(elapsed_s + _ROUNDING_S) if self._sweep is not None else []
        if due_hz and not self.knobs.contact_loss:
            self._rig.ask_impedance(self.cell, due_hz)

    def take_impedance(self, impedance_ohm: list[complex]) -> None:
        """What was asked for; it arrives before the next reading."""
        segment, sweep = self._segment, self._sweep
        if segment is None or sweep is None or self._listener is None:
            return
        for one in impedance_ohm:
            if self._segment is segment:
                self._listener.on_impedance(segment, sweep.measured(one))

    def _noise(self) -> float:
        """Keyed on the segment and the reading in it, so that no speed and no waiting changes it."""
        index = self._segments * _NOISE_STRIDE + (self._readings if self._segment is not None else 0)
        return float(_NOISE[index % len(_NOISE)])

    def _seen(self, unix_time_s: float, reading: Message) -> Sample:
        """What the instrument makes of a reading: noise, and the faults that are turned on."""
        knobs = self.knobs
        if knobs.stuck_reading and self._last is not None:
            stuck = self._last
            return Sample(unix_time_s, stuck.voltage_v, stuck.current_a, stuck.charge_ah, stuck.temperature_c)
        draw = self._noise()
        voltage_v = reading["voltage_v"] + NOISE_V * draw
        current_a = reading["current_a"] * (1.0 + NOISE_A_FRACTION * draw)
        temperature_c = reading["temperature_c"] + knobs.over_temperature_c
        return Sample(
            unix_time_s,
            0.0 if knobs.contact_loss else voltage_v,
            current_a,
            reading["charge_ah"],
            math.nan if knobs.sensor_nan else temperature_c,
        )

    def _ended(self, segment: Segment, sample: Sample) -> EndReason:
        if self._from is None:
            self._from = sample
        if self._course is None:
            self._course = SegmentCourse(segment, self._from)
        cut = self._course.see(sample)
        if self._sweep is not None and self._sweep.complete:
            return EndReason.SPECTRUM_COMPLETE
        if cut is None:
            return EndReason.NONE
        elapsed_s = self._course.elapsed_s
        if self._met_at_s is None:
            self._met_at_s = elapsed_s
        return cut.reason if elapsed_s - self._met_at_s >= self.knobs.late_completion_s else EndReason.NONE

    def lost(self) -> None:
        """The world is gone."""
        self._segment = self._unacknowledged = None
        if self._listener is not None:
            self._listener.on_lost("the simulated world is gone")

    def found(self) -> None:
        """The world is back, with the cell at open circuit."""
        if self._listener is not None:
            self._listener.on_found()


class SimulatedRig:
    """All simulated channels of one cycler, on one connection to the world.

    The world stands still after every step until the rig has answered, so what the listeners decide
    takes effect at the very next step.
    """

    def __init__(self, address_file: Path, cells: dict[str, str]):
        self.channels = {name: SimulatedChannel(name, cell, self) for name, cell in cells.items()}
        self._by_cell = {channel.cell: channel for channel in self.channels.values()}
        self._link = WorldLink(address_file, on_message=self._take, on_up=self._attach, on_down=self._lost)
        self._commands: dict[str, tuple[str, float]] = {}
        self._in_step = False
        self._attached = False
        self._t0_unix_s = 0.0
        self._time_s = 0.0
        self._made_monotonic_s = time.monotonic()
        self.dt_s = 0.0
        self.rate = 1.0

    async def run(self) -> None:
        """Keep the connection up, until cancelled."""
        await self._link.run()

    @property
    def up(self) -> bool:
        """Whether the world lets this rig control its cells."""
        return self._attached

    def unix_time_s(self) -> float:
        """Laboratory time, between steps by the rate of the clock."""
        passed_s = min((time.monotonic() - self._made_monotonic_s) * self.rate, self.dt_s)
        return self._t0_unix_s + self._time_s + passed_s

    def apply(self, cell: str, mode: ControlMode, setpoint: float, *, at_once: bool = False) -> None:
        """Let the cell be controlled so from the next reading on.

        Parameters
        ----------
        at_once
            Do not wait for that reading. What stops a current is in haste; what starts one is not, and
            begins at the same step of cell time however long the command was on its way.
        """
        self._commands[cell] = (mode, setpoint)
        if at_once and not self._in_step:
            self._send(go_on=False)

    def ask_impedance(self, cell: str, frequencies_hz: list[float]) -> None:
        """Ask for the impedance of a cell as it stands after the step that is being answered."""
        self._link.send({"op": "impedance", "cell": cell, "frequencies_hz": frequencies_hz})

    def _send(self, *, go_on: bool) -> None:
        commands, self._commands = self._commands, {}
        self._link.send({"op": "apply", "apply": commands, "continue": go_on})

    def _attach(self) -> None:
        self._link.send({"op": "control", "cells": list(self._by_cell)})

    def _lost(self) -> None:
        self._attached = False
        self._commands.clear()
        for channel in self.channels.values():
            channel.lost()

    def _take(self, message: Message) -> None:
        match message["op"]:
            case "readings":
                self._step(message)
            case "attached":
                self._attached = True
                self._t0_unix_s, self._time_s = message["t0_unix_s"], message["time_s"]
                self.dt_s, self.rate = message["dt_s"], message["rate"]
                for channel in self.channels.values():
                    if message["cells"][channel.cell]["has_impedance"]:
                        channel.capabilities |= {Capability.IMPEDANCE_SPECTROSCOPY}
                    channel.found()
            case "impedance":
                found = zip(message["real_ohm"], message["imaginary_ohm"])
                self._by_cell[message["cell"]].take_impedance([complex(*one) for one in found])
            case other:
                # Somebody else controls the cell; it may be let go at any time.
                log.error("the world says %s: %s", other, message.get("why"))
                self._link.drop()

    def _step(self, message: Message) -> None:
        self._time_s = message["time_s"]
        self._made_monotonic_s = message["made_monotonic_s"]
        self._in_step = True
        try:
            for cell, reading in message["cells"].items():
                self._by_cell[cell].take(self._t0_unix_s + self._time_s, reading)
        finally:
            self._in_step = False
            self._send(go_on=True)

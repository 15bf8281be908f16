"""Interlocks of one channel: what must not last longer than its delay, in cell time."""

import math

from intercalate.contract import ControlMode, Fault
from intercalate.cycler_server.channel import Sample
from intercalate.protocol import Limits, Segment, SiteLimits

CELL_WINDOW_MARGIN_V = 0.05
"""How far a current may drive the cell beyond its own window. A fresh cell may stand outside it at open
circuit, and charging from below it is right; driving it further out is not."""

CONTACT_FRACTION = 0.05
CURRENT_FLOOR_A = 2e-5
"""What is demanded flows within 5 % and 20 microampere, or contact is bad; less than that is no current."""

CONTACT_VOLTAGE_V = 0.05
"""A held voltage that is off by this while no current flows is not at the cell."""

OFFSET_FRACTION = 1e-3
"""Of the largest current allowed: what the meter of a channel at open circuit may show."""

SETTLE_S = 10.0
"""Cell seconds that a channel has at least to bring the current where it should be, or to stop it."""

STALE_AFTER_S = 120.0
"""Cell seconds after which a reading that repeats to the last digit, under current, is a fault."""


def site_guard(site: SiteLimits) -> Limits:
    """Limits in force on a channel where no program runs."""
    capacity = site.max_capacity_mAh
    return Limits(
        min_voltage_v=site.min_voltage_V,
        max_voltage_v=site.max_voltage_V,
        min_current_a=-site.max_current_mA / 1000,
        max_current_a=site.max_current_mA / 1000,
        min_temperature_c=site.min_temperature_C,
        max_temperature_c=site.max_temperature_C,
        max_capacity_ah=None if capacity is None else capacity / 1000,
        delay_s=site.interlock_delay_s,
    )


def no_current_a(limits: Limits) -> float:
    """Largest reading of the current that still counts as none, in A."""
    return max(CURRENT_FLOOR_A, OFFSET_FRACTION * max(limits.max_current_a, -limits.min_current_a))


class Interlocks:
    """Watches samples; a condition that lasts longer than `limits.delay_s` is a fault.

    The delay counts from the first sample that shows the condition to the last one, by the samples' own
    time, so that neither the speed of a simulation nor a slow machine changes what trips.

    Besides the limits, the cell's own window counts while a current flows that leads out of it: charging
    above `cell_max_voltage_v` + 50 mV, discharging below `cell_min_voltage_v` - 50 mV.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._since: dict[Fault, float] = {}
        self._present: dict[Fault, str] = {}
        self._frozen: Sample | None = None

    def check(
        self, sample: Sample, segment: Segment | None, capacity_ah: float, *, acknowledged: bool = True
    ) -> tuple[Fault, str] | None:
        """Take in one sample.

        Parameters
        ----------
        sample
            The reading.
        segment
            What the channel executes; None at open circuit.
        capacity_ah
            Net charge since the start of the program.
        acknowledged
            Whether the channel has said that it executes the segment: before, no current is wrong.

        Returns
        -------
        tuple of Fault and str, or None
            The first fault whose delay is over and its description.
        """
        self._present = self._out_of_limits(sample, capacity_ah)
        if acknowledged:
            self._present |= self._not_as_demanded(sample, segment)
        for fault in [f for f in self._since if f not in self._present]:
            del self._since[fault]
        for fault, why in self._present.items():
            since = self._since.setdefault(fault, sample.unix_time_s)
            lasted_s, delay_s = sample.unix_time_s - since, self._delay_s(fault, segment)
            if lasted_s >= delay_s:
                return fault, f"{why} for {lasted_s:g} s (delay {delay_s:g} s)"
        return self._stale(sample, segment)

    def present(self, sample: Sample) -> dict[Fault, str]:
        """What is wrong at this sample of a channel at open circuit, however short."""
        return self._out_of_limits(sample, 0.0) | self._not_as_demanded(sample, None)

    def no_contact(self) -> str | None:
        """Why the last sample is not the cell's, so that no cut-off met at it counts; None where it is."""
        return self._present.get(Fault.NO_CONTACT)

    def _delay_s(self, fault: Fault, segment: Segment | None) -> float:
        at_rest = segment is None or segment.mode is ControlMode.REST
        settling = fault is Fault.NO_CONTACT or (fault is Fault.OVER_CURRENT and at_rest)
        return max(self.limits.delay_s, SETTLE_S) if settling else self.limits.delay_s

    def _out_of_limits(self, s: Sample, capacity_ah: float) -> dict[Fault, str]:
        limits = self.limits
        found: dict[Fault, str] = {}
        if not (math.isfinite(s.voltage_v) and math.isfinite(s.current_a) and math.isfinite(s.temperature_c)):
            found[Fault.INVALID_READING] = (
                f"reading is not finite: {s.voltage_v} V, {s.current_a} A, {s.temperature_c} degC"
            )
        highest_v, lowest_v = self._voltages(s.current_a)
        if s.voltage_v > highest_v:
            found[Fault.OVER_VOLTAGE] = f"{s.voltage_v:.4f} V is above {highest_v:g} V"
        if s.voltage_v < lowest_v:
            found[Fault.UNDER_VOLTAGE] = f"{s.voltage_v:.4f} V is below {lowest_v:g} V"
        if not limits.min_current_a <= s.current_a <= limits.max_current_a and math.isfinite(s.current_a):
            found[Fault.OVER_CURRENT] = (
                f"{s.current_a:.6g} A is outside {limits.min_current_a:g} to {limits.max_current_a:g} A"
            )
        if s.temperature_c > limits.max_temperature_c:
            found[Fault.OVER_TEMPERATURE] = (
                f"{s.temperature_c:.2f} degC is above {limits.max_temperature_c:g} degC"
            )
        if s.temperature_c < limits.min_temperature_c:
            found[Fault.UNDER_TEMPERATURE] = (
                f"{s.temperature_c:.2f} degC is below {limits.min_temperature_c:g} degC"
            )
        if limits.max_capacity_ah is not None and abs(capacity_ah) > limits.max_capacity_ah:
            found[Fault.OVER_CAPACITY] = (
                f"{capacity_ah:.6g} Ah passed, the limit is {limits.max_capacity_ah:g} Ah"
            )
        return found

    def _voltages(self, current_a: float) -> tuple[float, float]:
        """Highest and lowest voltage under this current."""
        limits = self.limits
        highest_v, lowest_v = limits.max_voltage_v, limits.min_voltage_v
        if limits.cell_max_voltage_v is not None and current_a > CURRENT_FLOOR_A:
            highest_v = min(highest_v, limits.cell_max_voltage_v + CELL_WINDOW_MARGIN_V)
        if limits.cell_min_voltage_v is not None and current_a < -CURRENT_FLOOR_A:
            lowest_v = max(lowest_v, limits.cell_min_voltage_v - CELL_WINDOW_MARGIN_V)
        return highest_v, lowest_v

    def _not_as_demanded(self, s: Sample, segment: Segment | None) -> dict[Fault, str]:
        """Current that does not flow though it should, or flows though it should not."""
        mode = ControlMode.REST if segment is None else segment.mode
        setpoint = 0.0 if segment is None else segment.setpoint
        tolerance = CONTACT_FRACTION * abs(setpoint)
        match mode:
            case ControlMode.REST:
                if abs(s.current_a) > no_current_a(self.limits):
                    return {Fault.OVER_CURRENT: f"{s.current_a:.6g} A flows at open circuit"}
            case ControlMode.CURRENT:
                if abs(s.current_a - setpoint) > tolerance + CURRENT_FLOOR_A:
                    return {Fault.NO_CONTACT: f"{s.current_a:.6g} A flows, {setpoint:.6g} A is demanded"}
            case ControlMode.VOLTAGE:
                off_v = abs(s.voltage_v - setpoint)
                if off_v > CONTACT_VOLTAGE_V + self._lag_v(segment) and abs(s.current_a) <= CURRENT_FLOOR_A:
                    text = f"{s.voltage_v:.4f} V without a current, {setpoint:g} V is demanded"
                    return {Fault.NO_CONTACT: text}
            case ControlMode.POWER:
                power_w, floor_w = s.voltage_v * s.current_a, CURRENT_FLOOR_A * max(1.0, abs(s.voltage_v))
                if abs(power_w - setpoint) > tolerance + floor_w:
                    return {Fault.NO_CONTACT: f"{power_w:.6g} W flow, {setpoint:.6g} W are demanded"}
        return {}

    def _lag_v(self, segment: Segment | None) -> float:
        """How far a ramp may be ahead of a channel that takes as long as it may to settle."""
        return 0.0 if segment is None or segment.ramp_per_s is None else segment.ramp_per_s * SETTLE_S

    def _stale(self, sample: Sample, segment: Segment | None) -> tuple[Fault, str] | None:
        """A reading that repeats to the last digit while current should flow comes from a stuck meter."""
        flowing = segment is not None and segment.mode is not ControlMode.REST
        before = self._frozen
        if before is None or not flowing or _figures(before) != _figures(sample):
            self._frozen = sample
            return None
        lasted_s = sample.unix_time_s - before.unix_time_s
        if lasted_s < STALE_AFTER_S:
            return None
        return Fault.STALE_READING, f"the same reading to the last digit for {lasted_s:g} s"


def _figures(sample: Sample) -> tuple[float, float, float]:
    return sample.voltage_v, sample.current_a, sample.temperature_c

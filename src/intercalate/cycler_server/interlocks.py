"""Interlocks of one channel: what must not last longer than its delay, in cell time."""

import math

from intercalate.contract import ControlMode, Fault
from intercalate.cycler_server.channel import Sample
from intercalate.protocol import Limits, Segment, SiteLimits

_CONTACT_FRACTION = 0.05
_CONTACT_FLOOR_A = 2e-5
"""A current step delivers its setpoint within 5 % and 20 microampere, or contact is bad."""


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


class Interlocks:
    """Watches samples; a condition that lasts longer than `limits.delay_s` is a fault.

    The delay counts from the first sample that shows the condition to the last one, by the samples' own
    time, so that neither the speed of a simulation nor a slow machine changes what trips.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._since: dict[Fault, float] = {}
        self._frozen: tuple[Sample, float] | None = None

    def check(self, sample: Sample, segment: Segment | None, capacity_ah: float) -> tuple[Fault, str] | None:
        """Take in one sample.

        Parameters
        ----------
        sample
            The reading.
        segment
            What the channel executes; None at open circuit.
        capacity_ah
            Net charge since the start of the program.

        Returns
        -------
        tuple of Fault and str, or None
            The first fault whose delay is over and its description.
        """
        present = self._present(sample, segment, capacity_ah)
        for fault in [f for f in self._since if f not in present]:
            del self._since[fault]
        for fault, why in present.items():
            since = self._since.setdefault(fault, sample.unix_time_s)
            lasted_s = sample.unix_time_s - since
            if lasted_s >= self.limits.delay_s:
                return fault, f"{why} for {lasted_s:g} s (delay {self.limits.delay_s:g} s)"
        return self._stale(sample, segment)

    def _present(self, s: Sample, segment: Segment | None, capacity_ah: float) -> dict[Fault, str]:
        limits = self.limits
        found: dict[Fault, str] = {}
        if not (math.isfinite(s.voltage_v) and math.isfinite(s.current_a) and math.isfinite(s.temperature_c)):
            found[Fault.INVALID_READING] = (
                f"reading is not finite: {s.voltage_v} V, {s.current_a} A, {s.temperature_c} degC"
            )
        if segment is not None and segment.mode is ControlMode.CURRENT:
            tolerance = _CONTACT_FRACTION * abs(segment.setpoint) + _CONTACT_FLOOR_A
            if abs(s.current_a - segment.setpoint) > tolerance:
                found[Fault.NO_CONTACT] = f"{s.current_a:.6g} A flows, {segment.setpoint:.6g} A is demanded"
        if s.voltage_v > limits.max_voltage_v:
            found[Fault.OVER_VOLTAGE] = f"{s.voltage_v:.4f} V is above {limits.max_voltage_v:g} V"
        if s.voltage_v < limits.min_voltage_v:
            found[Fault.UNDER_VOLTAGE] = f"{s.voltage_v:.4f} V is below {limits.min_voltage_v:g} V"
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

    def _stale(self, sample: Sample, segment: Segment | None) -> tuple[Fault, str] | None:
        """A reading that repeats to the last digit while current should flow comes from a stuck meter."""
        flowing = segment is not None and segment.mode is not ControlMode.REST
        reading = (sample.voltage_v, sample.current_a, sample.temperature_c)
        if self._frozen is not None and flowing:
            before, since = self._frozen
            if (before.voltage_v, before.current_a, before.temperature_c) == reading:
                lasted_s = sample.unix_time_s - since
                if lasted_s >= STALE_AFTER_S:
                    return Fault.STALE_READING, f"the same reading to the last digit for {lasted_s:g} s"
                return None
        self._frozen = (sample, sample.unix_time_s)
        return None

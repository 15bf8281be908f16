"""From one step of a protocol to the segments that do it, in SI units, within limits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from intercalate.contract import ControlMode, EndReason, StepType
from intercalate.problems import ABSENT, Problem
from intercalate.protocol import steps
from intercalate.protocol.program import ROUNDING, Limits, Run
from intercalate.protocol.segment import CutOff, Quantity, RecordCriteria, Segment, Spectrum

DERIVED_DURATION_FACTOR = 1.5
"""A step without a time may last this many times as long as its current needs for the capacity."""

SWEEP_OVERHEAD_S = 2.0
"""What a channel may need besides for each frequency: to settle, to change its range."""

Comparison = Literal[">=", "<="]


@dataclass(frozen=True)
class DriveTerms:
    """What a step is expanded with; what is wrong is added to `problems`."""

    limits: Limits
    capacity_ah: float | None
    initial_soc: float | None
    record: RecordCriteria
    problems: list[Problem]

    def refuse(self, where: str, value: Any, limit: str, fix: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(where, value, limit, fix))

    def to_amperes(self, where: str, rate_C: float | None, current_mA: float | None) -> float | None:
        """Current from a C-rate, which goes first, or from mA; `where` names the step."""
        if rate_C is None:
            return None if current_mA is None else current_mA / 1000
        if self.capacity_ah is None:
            fix = "state one_c_current_mA in the cell or sample.capacity_mAh in the protocol, or use mA"
            self.refuse(where, rate_C, "a C-rate needs a capacity", fix)
            return None
        current_a = rate_C * self.capacity_ah
        if current_mA is not None and abs(current_mA / 1000 - current_a) > 0.01 * abs(current_a):
            limit = f"is {current_a * 1000:g} mA, but {current_mA:g} mA is given too"
            self.refuse(where, rate_C, limit, "drop one of them")
        return current_a

    def drive_a(self, step: Any, where: str) -> float | None:
        """Current of a step that drives one, checked against the limits."""
        field = f"{where}.rate_C" if step.rate_C is not None else f"{where}.current_mA"
        current_a = self.to_amperes(field, step.rate_C, step.current_mA)
        if current_a is None:
            return None
        bound_a = self.limits.max_current_a if current_a > 0 else self.limits.min_current_a
        if abs(current_a) > abs(bound_a) * (1 + ROUNDING):
            given = ""
            if step.rate_C is not None and self.capacity_ah is not None:
                given = f"{step.rate_C:g} C of {self.capacity_ah * 1000:g} mAh is {current_a * 1000:g} mA, "
            limit = f"{given}beyond the limit of {bound_a * 1000:g} mA"
            value = step.rate_C if step.rate_C is not None else step.current_mA
            self.refuse(field, value, limit, "lower the current, or raise the limit that says so")
        return current_a

    def check_voltage(self, where: str, voltage_v: float) -> None:
        """Refuse a voltage outside the limits."""
        low, high = self.limits.lowest_setpoint_v, self.limits.highest_setpoint_v
        if not low <= voltage_v <= high:
            limit = f"outside {low:g} V to {high:g} V, which site, protocol and cell allow together"
            self.refuse(where, voltage_v, limit, "choose a voltage within")

    def cut_offs(self, step: Any, where: str, sign: int) -> list[CutOff]:
        """Cut-offs of a driven step on voltage, capacity and state of charge."""
        found: list[CutOff] = []
        onward: Comparison = ">=" if sign > 0 else "<="
        voltage_v = getattr(step, "until_voltage_V", None)
        if voltage_v is not None:
            self.check_end_voltage(f"{where}.until_voltage_V", voltage_v, sign)
            found.append(CutOff(Quantity.VOLTAGE_V, onward, voltage_v, EndReason.VOLTAGE))
        found += self.capacity_cut_off(step, where)
        if step.until_soc is not None:
            self._check_soc(f"{where}.until_soc", step.until_soc)
            found.append(CutOff(Quantity.SOC, onward, step.until_soc, EndReason.STATE_OF_CHARGE))
        return found

    def capacity_cut_off(self, step: Any, where: str) -> list[CutOff]:
        """Cut-off on the charge passed, as a list of none or one."""
        capacity_mAh = getattr(step, "until_capacity_mAh", None)
        if capacity_mAh is None:
            return []
        most_ah = self.limits.max_capacity_ah
        if most_ah is not None and capacity_mAh / 1000 > most_ah * (1 + ROUNDING):
            limit = f"beyond the limit of {most_ah * 1000:g} mAh"
            self.refuse(f"{where}.until_capacity_mAh", capacity_mAh, limit, "lower it")
        return [CutOff(Quantity.CAPACITY_AH, ">=", capacity_mAh / 1000, EndReason.CAPACITY)]

    def current_cut_off(self, step: Any, where: str) -> list[CutOff]:
        """Cut-off of a voltage hold on the size of the current, as a list of none or one."""
        name = "until_rate_C" if step.until_rate_C is not None else "until_current_mA"
        current_a = self.to_amperes(f"{where}.{name}", step.until_rate_C, step.until_current_mA)
        if current_a is None:
            return []
        return [CutOff(Quantity.CURRENT_A, "<=", abs(current_a), EndReason.CURRENT)]

    def timed(
        self, cutoffs: list[CutOff], time_s: float | None, where: str, least_a: float | None
    ) -> tuple[tuple[CutOff, ...], float]:
        """Add the time cut-off, and tell the worst-case duration.

        Without a time, it is the time that the least current the step can have needs for the
        charge it can pass, and half as long again.
        """
        if time_s is not None:
            return (*cutoffs, CutOff(Quantity.TIME_S, ">=", time_s, EndReason.TIME)), time_s
        charges_ah = [one.value for one in cutoffs if one.quantity is Quantity.CAPACITY_AH]
        charges_ah += [] if self.capacity_ah is None else [self.capacity_ah]
        if not charges_ah or not least_a:
            self.refuse(where, ABSENT, "no worst-case duration can be derived", "add this time")
            return tuple(cutoffs), 0.0
        return tuple(cutoffs), DERIVED_DURATION_FACTOR * min(charges_ah) * 3600 / abs(least_a)

    def check_end_voltage(self, where: str, voltage_v: float, sign: int) -> None:
        """Refuse a voltage outside the limits, or one at which the drive would end at once."""
        self.check_voltage(where, voltage_v)
        verb, edge_v = (
            ("charge", self.limits.lowest_setpoint_v)
            if sign > 0
            else ("discharge", self.limits.highest_setpoint_v)
        )
        if voltage_v == edge_v:
            limit = f"a {verb} that ends there ends at once: every allowed voltage is already beyond"
            self.refuse(where, voltage_v, limit, "correct the sign of the current or the voltage")

    def _check_soc(self, where: str, soc: float) -> None:
        if self.capacity_ah is None:
            fix = "state one_c_current_mA in the cell or sample.capacity_mAh in the protocol"
            self.refuse(where, soc, "a state of charge needs a capacity", fix)
        if self.initial_soc is None:
            self.refuse(where, soc, "the state of charge at the start is unknown", "give initial_soc to bind")


def expand(step: Any, index: int, terms: DriveTerms) -> Run | None:
    """Segments of one step, None where it cannot be done; says why in `terms.problems`."""
    where = f"method[{index}]"
    common = {"step_id": index + 1, "record": terms.record}
    match step:
        case steps.OpenCircuitVoltage():
            parts = _rest(step.until_time_s, step.until_dVdt_mV_per_h, common)
        case steps.ConstantCurrent():
            parts = _constant_current(step, where, terms, common)
        case steps.ConstantPower():
            parts = _constant_power(step, where, terms, common)
        case steps.ConstantVoltage():
            terms.check_voltage(f"{where}.voltage_V", step.voltage_V)
            parts = _hold(step, step.voltage_V, where, terms, common)
        case steps.ConstantCurrentConstantVoltage():
            parts = _cccv(step, where, terms, common)
        case steps.Gitt():
            return _gitt(step, where, terms, common)
        case steps.Pitt():
            parts = _pitt(step, where, terms, common)
        case steps.VoltageScan():
            parts = _voltage_scan(step, where, terms, common)
        case steps.ImpedanceSpectroscopy():
            parts = _impedance(step, where, terms, common)
        case steps.Marker():
            parts = [Segment(index + 1, StepType.MARKER, marker=step.marker)]
        case steps.WaitForRelease():
            parts = _wait(step, where, terms, common)
        case _:
            raise TypeError(f"no segments for {type(step).__name__}")
    return Run(parts=tuple(parts)) if parts else None


def _rest(time_s: float, slope_mV_per_h: float | None, common: dict[str, Any]) -> list[Segment]:
    cutoffs = [CutOff(Quantity.TIME_S, ">=", time_s, EndReason.TIME)]
    if slope_mV_per_h is not None:
        slope_v_per_s = slope_mV_per_h / 3.6e6
        cutoffs.insert(
            0, CutOff(Quantity.VOLTAGE_SLOPE_V_PER_S, "<=", slope_v_per_s, EndReason.VOLTAGE_SLOPE)
        )
    return [Segment(step_type=StepType.REST, cutoffs=tuple(cutoffs), worst_case_s=time_s, **common)]


def _constant_current(
    step: steps.ConstantCurrent, where: str, terms: DriveTerms, common: dict[str, Any]
) -> list[Segment]:
    current_a = terms.drive_a(step, where)
    if current_a is None:
        return []
    found = terms.cut_offs(step, where, 1 if current_a > 0 else -1)
    cutoffs, worst_case_s = terms.timed(found, step.until_time_s, f"{where}.until_time_s", current_a)
    return [_current_segment(current_a, cutoffs, worst_case_s, common)]


def _current_segment(
    current_a: float,
    cutoffs: tuple[CutOff, ...],
    worst_case_s: float,
    common: dict[str, Any],
    group_end_on: frozenset[EndReason] = frozenset(),
) -> Segment:
    return Segment(
        step_type=StepType.CONSTANT_CURRENT,
        mode=ControlMode.CURRENT,
        setpoint=current_a,
        cutoffs=cutoffs,
        worst_case_s=worst_case_s,
        group_end_on=group_end_on,
        **common,
    )


def _constant_power(
    step: steps.ConstantPower, where: str, terms: DriveTerms, common: dict[str, Any]
) -> list[Segment]:
    sign, power_w = (1 if step.power_mW > 0 else -1), step.power_mW / 1000
    found = terms.cut_offs(step, where, sign)
    lowest_v = terms.limits.lowest_setpoint_v
    if sign < 0 and step.until_voltage_V is not None:
        lowest_v = step.until_voltage_V
    bound_a = abs(terms.limits.max_current_a if sign > 0 else terms.limits.min_current_a)
    if lowest_v <= 0:
        fix = "use constant_current, or narrow safety.min_voltage_V"
        terms.refuse(f"{where}.power_mW", step.power_mW, f"no bound on the current at {lowest_v:g} V", fix)
    elif abs(power_w) / lowest_v > bound_a * (1 + ROUNDING):
        limit = f"is {abs(step.power_mW) / lowest_v:g} mA at {lowest_v:g} V, beyond {bound_a * 1000:g} mA"
        terms.refuse(f"{where}.power_mW", step.power_mW, limit, "lower the power or end at a higher voltage")
    highest_v = terms.limits.highest_setpoint_v
    least_a = power_w / highest_v if highest_v > 0 else None
    cutoffs, worst_case_s = terms.timed(found, step.until_time_s, f"{where}.until_time_s", least_a)
    return [
        Segment(
            step_type=StepType.CONSTANT_POWER,
            mode=ControlMode.POWER,
            setpoint=power_w,
            cutoffs=cutoffs,
            worst_case_s=worst_case_s,
            **common,
        )
    ]


def _hold(
    step: Any,
    voltage_v: float,
    where: str,
    terms: DriveTerms,
    common: dict[str, Any],
    also: Sequence[CutOff] = (),
) -> list[Segment]:
    current = terms.current_cut_off(step, where)
    found = [*current, *terms.capacity_cut_off(step, where), *also]
    least_a = current[0].value if current else None
    cutoffs, worst_case_s = terms.timed(found, step.until_time_s, f"{where}.until_time_s", least_a)
    return [_voltage_segment(voltage_v, cutoffs, worst_case_s, common)]


def _voltage_segment(
    voltage_v: float,
    cutoffs: tuple[CutOff, ...],
    worst_case_s: float,
    common: dict[str, Any],
    step_type: StepType = StepType.CONSTANT_VOLTAGE,
) -> Segment:
    return Segment(
        step_type=step_type,
        mode=ControlMode.VOLTAGE,
        setpoint=voltage_v,
        cutoffs=cutoffs,
        worst_case_s=worst_case_s,
        **common,
    )


def _cccv(
    step: steps.ConstantCurrentConstantVoltage, where: str, terms: DriveTerms, common: dict[str, Any]
) -> list[Segment]:
    current_a = terms.drive_a(step, where)
    if current_a is None:
        return []
    sign = 1 if current_a > 0 else -1
    terms.check_end_voltage(f"{where}.voltage_V", step.voltage_V, sign)
    onward: Comparison = ">=" if sign > 0 else "<="
    soc = terms.cut_offs(step, where, sign)
    reached = CutOff(Quantity.VOLTAGE_V, onward, step.voltage_V, EndReason.VOLTAGE)
    cutoffs, worst_case_s = terms.timed(
        [reached, *soc], step.current_until_time_s, f"{where}.current_until_time_s", current_a
    )
    # Only a drive that reached the voltage may be followed by its hold.
    early = frozenset({EndReason.TIME, EndReason.STATE_OF_CHARGE})
    drive = _current_segment(current_a, cutoffs, worst_case_s, common, early)
    hold = _hold(step, step.voltage_V, where, terms, common, soc)
    for one in hold[0].cutoffs:
        if one.quantity is Quantity.CURRENT_A and one.value >= abs(current_a):
            name = "until_rate_C" if step.until_rate_C is not None else "until_current_mA"
            limit = f"the hold would end at once: the current before is {abs(current_a) * 1000:g} mA"
            terms.refuse(f"{where}.{name}", getattr(step, name), limit, "lower it")
    return [drive, *hold]


def _gitt(step: steps.Gitt, where: str, terms: DriveTerms, common: dict[str, Any]) -> Run | None:
    current_a = terms.drive_a(step, where)
    if current_a is None:
        return None
    ends = [
        one
        for one in terms.cut_offs(step, where, 1 if current_a > 0 else -1)
        if one.quantity is not Quantity.CAPACITY_AH
    ]
    rest = _rest(step.rest_time_s, step.rest_until_dVdt_mV_per_h, common)

    def pulse(time_s: float) -> Segment:
        time = CutOff(Quantity.TIME_S, ">=", time_s, EndReason.TIME)
        early = frozenset({EndReason.VOLTAGE, EndReason.STATE_OF_CHARGE})
        return _current_segment(current_a, (*ends, time), time_s, common, early)

    count, last_s = _pulses(step, abs(current_a))
    last = (pulse(last_s), *rest) if last_s else ()
    return Run(parts=(pulse(step.pulse_time_s), *rest), repeat=count, last=last)


def _pulses(step: steps.Gitt, current_a: float) -> tuple[int, float]:
    """Number of whole pulses, and length in s of a shorter last one (0 for none)."""
    if step.until_capacity_mAh is None:
        return step.pulse_count or 0, 0.0
    pulses = step.until_capacity_mAh / 1000 * 3600 / (current_a * step.pulse_time_s)
    count = math.floor(pulses + ROUNDING)
    last_s = (pulses - count) * step.pulse_time_s if pulses - count > ROUNDING else 0.0
    if step.pulse_count is not None and step.pulse_count <= count:
        return step.pulse_count, 0.0
    return count, last_s


def _pitt(step: steps.Pitt, where: str, terms: DriveTerms, common: dict[str, Any]) -> list[Segment]:
    terms.check_voltage(f"{where}.start_voltage_V", step.start_voltage_V)
    terms.check_voltage(f"{where}.end_voltage_V", step.end_voltage_V)
    span_v = step.end_voltage_V - step.start_voltage_V
    whole = math.floor(abs(span_v) * 1000 / step.step_mV * (1 - ROUNDING))
    step_v = math.copysign(step.step_mV / 1000, span_v)
    # Nanovolts: the sum of start and steps carries the dust of binary fractions.
    voltages_v = [round(step.start_voltage_V + k * step_v, 9) for k in range(whole + 1)]
    if span_v:
        voltages_v.append(step.end_voltage_V)
    hold = _hold(step, step.start_voltage_V, where, terms, common)[0]
    return [_voltage_segment(v, hold.cutoffs, hold.worst_case_s, common) for v in voltages_v]


def _voltage_scan(
    step: steps.VoltageScan, where: str, terms: DriveTerms, common: dict[str, Any]
) -> list[Segment]:
    terms.check_voltage(f"{where}.start_voltage_V", step.start_voltage_V)
    terms.check_voltage(f"{where}.end_voltage_V", step.end_voltage_V)
    span_v, rate_v_per_s = step.end_voltage_V - step.start_voltage_V, step.scan_rate_mV_per_s / 1000
    duration_s = abs(span_v) / rate_v_per_s
    if not 0 < duration_s <= steps.LONGEST_S:
        limit = f"the scan lasts {duration_s:g} s"
        terms.refuse(f"{where}.end_voltage_V", step.end_voltage_V, limit, "scan to another voltage or faster")
    return [
        Segment(
            step_type=StepType.VOLTAGE_SCAN,
            mode=ControlMode.VOLTAGE,
            setpoint=step.start_voltage_V,
            end_setpoint=step.end_voltage_V,
            ramp_per_s=rate_v_per_s,
            cutoffs=(CutOff(Quantity.TIME_S, ">=", duration_s, EndReason.TIME),),
            worst_case_s=duration_s,
            **common,
        )
    ]


def _impedance(
    step: steps.ImpedanceSpectroscopy, where: str, terms: DriveTerms, common: dict[str, Any]
) -> list[Segment]:
    name = "amplitude_V" if step.amplitude_V is not None else "amplitude_mA"
    amplitude = getattr(step, name)
    if not amplitude > 0:
        terms.refuse(f"{where}.{name}", amplitude, "an amplitude is above 0", "correct it")
        return []
    most_a = min(terms.limits.max_current_a, -terms.limits.min_current_a)
    if name == "amplitude_mA" and amplitude / 1000 > most_a:
        limit = f"the current would leave the limit of {most_a * 1000:g} mA"
        terms.refuse(f"{where}.{name}", amplitude, limit, "lower it")
    if step.drift_correction:
        fix = "leave it out: each frequency has its own time and voltage, by which drift can be seen"
        terms.refuse(f"{where}.drift_correction", True, "channels do not correct drift", fix)
    spectrum = Spectrum(
        step.start_frequency_Hz,
        step.end_frequency_Hz,
        step.points_per_decade,
        step.measures_per_point,
        amplitude_v=step.amplitude_V,
        amplitude_a=None if step.amplitude_mA is None else step.amplitude_mA / 1000,
    )
    ends_s = spectrum.ends_s
    worst_case_s = DERIVED_DURATION_FACTOR * ends_s[-1] + SWEEP_OVERHEAD_S * len(ends_s)
    return [
        Segment(
            step_type=StepType.IMPEDANCE_SPECTROSCOPY,
            cutoffs=(CutOff(Quantity.TIME_S, ">=", worst_case_s, EndReason.TIME),),
            worst_case_s=worst_case_s,
            spectrum=spectrum,
            **common,
        )
    ]


def _wait(step: steps.WaitForRelease, where: str, terms: DriveTerms, common: dict[str, Any]) -> list[Segment]:
    cutoffs = (CutOff(Quantity.TIME_S, ">=", step.max_s, EndReason.TIME),)
    if step.hold_voltage_V is None:
        return [
            Segment(step_type=StepType.WAIT_FOR_RELEASE, cutoffs=cutoffs, worst_case_s=step.max_s, **common)
        ]
    terms.check_voltage(f"{where}.hold_voltage_V", step.hold_voltage_V)
    return [_voltage_segment(step.hold_voltage_V, cutoffs, step.max_s, common, StepType.WAIT_FOR_RELEASE)]

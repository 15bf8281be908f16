"""A method, said as a person would say it."""

from collections.abc import Sequence
from typing import Any

from intercalate.protocol import steps


def describe(method: Sequence[steps.AnyStep]) -> str:
    """One numbered line per step, positions as loops count them."""
    return "\n".join(
        f"{position}. {_sentence(step, method, position)}" for position, step in enumerate(method, 1)
    )


def _sentence(step: Any, method: Sequence[steps.AnyStep], position: int) -> str:
    match step:
        case steps.OpenCircuitVoltage():
            ends = _ends(dV_dt=step.until_dVdt_mV_per_h)
            return (
                f"Rest {ends} (at most {_time(step.until_time_s)})."
                if ends
                else f"Rest for {_time(step.until_time_s)}."
            )
        case steps.ConstantCurrent():
            return _drive(_current_verb(step), step) + "."
        case steps.ConstantPower():
            verb = "Charge" if step.power_mW > 0 else "Discharge"
            return _drive(f"{verb} at {abs(step.power_mW):g} mW", step) + "."
        case steps.ConstantVoltage():
            capacity = f"{step.until_capacity_mAh:g} mAh have passed" if step.until_capacity_mAh else None
            return _hold(f"Hold at {step.voltage_V:g} V", step, capacity) + "."
        case steps.ConstantCurrentConstantVoltage():
            first = f"{_current_verb(step)} until {step.voltage_V:g} V"
            if step.until_soc is not None:
                first += f" or a state of charge of {step.until_soc:g}"
            if step.current_until_time_s:
                first += f" (at most {_time(step.current_until_time_s)})"
            return f"{first}, then {_hold('hold there', step, None)}."
        case steps.Gitt():
            return _gitt(step)
        case steps.Pitt():
            span = (
                f"from {step.start_voltage_V:g} V to {step.end_voltage_V:g} V in steps of {step.step_mV:g} mV"
            )
            return f"Titrate {span}, {_hold('each held', step, None)}."
        case steps.ImpedanceSpectroscopy():
            span = f"from {step.start_frequency_Hz:g} Hz to {step.end_frequency_Hz:g} Hz"
            size = f"{step.amplitude_V:g} V" if step.amplitude_V is not None else f"{step.amplitude_mA:g} mA"
            return f"Measure the impedance {span} with an amplitude of {size}."
        case steps.VoltageScan():
            span = f"from {step.start_voltage_V:g} V to {step.end_voltage_V:g} V"
            return f"Scan the voltage {span} at {step.scan_rate_mV_per_s:g} mV/s."
        case steps.Loop():
            return _loop(step, method, position)
        case steps.Tag():
            return f'Tag "{step.tag}".'
        case steps.Marker():
            return f'Mark "{step.marker}".'
        case steps.WaitForRelease():
            how = "Rest" if step.hold_voltage_V is None else f"Hold at {step.hold_voltage_V:g} V"
            return f"{how} until released (at most {_time(step.max_s)})."
    raise TypeError(f"no sentence for {type(step).__name__}")


def _current_verb(step: Any) -> str:
    value = step.rate_C if step.rate_C is not None else step.current_mA
    amount = _rate(value) if step.rate_C is not None else f"{abs(value):g} mA"
    return f"{'Charge' if value > 0 else 'Discharge'} at {amount}"


def _drive(verb: str, step: Any) -> str:
    """Current or power, with its cut-offs; a time alone is a duration."""
    ends = _ends(step.until_voltage_V, step.until_capacity_mAh, step.until_soc)
    return _with_time(verb, ends, step.until_time_s)


def _hold(verb: str, step: Any, capacity: str | None) -> str:
    ends = []
    if step.until_rate_C is not None:
        ends.append(f"the current falls to {_rate(step.until_rate_C)}")
    elif step.until_current_mA is not None:
        ends.append(f"the current falls to {abs(step.until_current_mA):g} mA")
    if capacity:
        ends.append(capacity)
    return _with_time(verb, f"until {' or '.join(ends)}" if ends else "", step.until_time_s)


def _with_time(verb: str, ends: str, time_s: float | None) -> str:
    if not ends:
        return f"{verb} for {_time(time_s or 0.0)}"
    return f"{verb} {ends}" + (f" (at most {_time(time_s)})" if time_s else "")


def _gitt(step: steps.Gitt) -> str:
    pulse = f"{_current_verb(step)} in pulses of {_time(step.pulse_time_s)}"
    rest = f"each followed by a rest of {_time(step.rest_time_s)}"
    if step.rest_until_dVdt_mV_per_h:
        rest += f" or {_ends(dV_dt=step.rest_until_dVdt_mV_per_h)}"
    most = f", at most {step.pulse_count} pulses" if step.pulse_count else ""
    ends = _ends(step.until_voltage_V, step.until_capacity_mAh, step.until_soc)
    return f"{pulse}, {rest}{', ' + ends if ends else ''}{most}."


def _loop(step: steps.Loop, method: Sequence[steps.AnyStep], position: int) -> str:
    first = step.loop_to
    if isinstance(first, str):
        first = 1 + next(
            i for i, s in enumerate(method) if isinstance(s, steps.Tag) and s.tag == step.loop_to
        )
    span = f"step {first}" if first == position - 1 else f"steps {first} to {position - 1}"
    return f"Repeat {span}, {'once' if step.cycle_count == 1 else f'{step.cycle_count} times'} in all."


def _ends(
    voltage_V: float | None = None,
    capacity_mAh: float | None = None,
    soc: float | None = None,
    dV_dt: float | None = None,
) -> str:
    ends = []
    if voltage_V is not None:
        ends.append(f"{voltage_V:g} V")
    if capacity_mAh is not None:
        ends.append(f"{capacity_mAh:g} mAh have passed")
    if soc is not None:
        ends.append(f"a state of charge of {soc:g}")
    if dV_dt is not None:
        ends.append(f"the voltage changes by less than {dV_dt:g} mV/h")
    return f"until {' or '.join(ends)}" if ends else ""


def _rate(rate_C: float) -> str:
    """Magnitude of a C-rate: `C/10`, `2C`, `0.37C`."""
    size = abs(rate_C)
    inverse = 1 / size
    if size < 1 and abs(inverse - round(inverse)) < 1e-6 * inverse:
        return f"C/{round(inverse)}"
    return f"{size:g}C"


def _time(time_s: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if time_s >= length:
            return f"{time_s / length:.6g} {unit}"
    return f"{time_s:g} s"

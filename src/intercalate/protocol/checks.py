"""Steps that contradict the one before them."""

from collections.abc import Sequence
from dataclasses import dataclass

from intercalate.problems import Problem
from intercalate.protocol import steps

Driving = steps.ConstantCurrent | steps.ConstantCurrentConstantVoltage


@dataclass(frozen=True, slots=True)
class _End:
    """Where a step ends for certain: voltage under a current of at most this size and this sign."""

    voltage_v: float
    sign: int
    current_ma: float


def check_sequence(method: Sequence[steps.AnyStep], capacity_mAh: float | None) -> list[Problem]:
    """Steps that would end at once, since the one before ends beyond their voltage.

    Only what is certain is refused: after a charge that can end in no other way than at its
    voltage, a discharge to that voltage or above, or a charge at no smaller current to a lower
    one; and the mirror image. A rest in between makes nothing certain.
    """
    problems: list[Problem] = []
    end: _End | None = None
    for index, step in enumerate(method):
        if isinstance(step, steps.Tag | steps.Marker | steps.Loop):
            continue
        if end is not None and isinstance(step, Driving):
            name, voltage_v = _target(step)
            if voltage_v is not None and _ends_at_once(end, step, voltage_v, capacity_mAh):
                limit = f"the step before ends at {end.voltage_v:g} V, so this one would end at once"
                problems.append(
                    Problem(f"method[{index}].{name}", voltage_v, limit, "correct the sign or the voltage")
                )
        end = _certain_end(step, end, capacity_mAh)
    return problems


def _target(step: Driving) -> tuple[str, float | None]:
    if isinstance(step, steps.ConstantCurrent):
        return "until_voltage_V", step.until_voltage_V
    return "voltage_V", step.voltage_V


def _current_ma(step: Driving, capacity_mAh: float | None) -> float | None:
    if step.rate_C is None:
        return step.current_mA
    return None if capacity_mAh is None else step.rate_C * capacity_mAh


def _ends_at_once(end: _End, step: Driving, voltage_v: float, capacity_mAh: float | None) -> bool:
    current_ma = _current_ma(step, capacity_mAh)
    if current_ma is None:
        return False
    sign = 1 if current_ma > 0 else -1
    beyond_v = sign * (end.voltage_v - voltage_v)
    if sign != end.sign:
        return beyond_v >= 0
    return beyond_v > 0 and abs(current_ma) >= end.current_ma


def _certain_end(step: steps.AnyStep, before: _End | None, capacity_mAh: float | None) -> _End | None:
    if isinstance(step, steps.ConstantVoltage):
        return before if before is not None and before.voltage_v == step.voltage_V else None
    if isinstance(step, steps.ConstantCurrent):
        others = (step.until_time_s, step.until_capacity_mAh, step.until_soc)
    elif isinstance(step, steps.ConstantCurrentConstantVoltage):
        others = (step.current_until_time_s, step.until_soc)
    else:
        return None
    voltage_v, current_ma = _target(step)[1], _current_ma(step, capacity_mAh)
    if voltage_v is None or current_ma is None or any(other is not None for other in others):
        return None
    return _End(voltage_v, 1 if current_ma > 0 else -1, abs(current_ma))

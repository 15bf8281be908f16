"""Points at which a cell is held to be measured, compiled into its protocol.

A hold is a relaxation, a marker and a `wait_for_release`: it is done by the cycler, on time, and ends by
itself where the client that should release it is gone.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from intercalate.problems import Problem
from intercalate.protocol.protocol import Protocol
from intercalate.protocol.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantPower,
    ConstantVoltage,
    Duration,
    Loop,
    Marker,
    Model,
    Number,
    OpenCircuitVoltage,
    OptionalPositive,
    ProtocolError,
    Tag,
    WaitForRelease,
)

_Driven = ConstantCurrent | ConstantCurrentConstantVoltage | ConstantPower


class Hold(Model):
    """Where a cell is held, how, and for how long.

    Attributes
    ----------
    voltage_V, soc
        Levels at which a charge or discharge (`constant_current`, `constant_power`, `cccv`) is interrupted.
        A step that does not pass a level is not held there. Limits of time of an interrupted step count
        anew after each hold.
    after_step
        Positions of steps in the protocol, from 1, after which the cell is held.
    control
        `rest` at open circuit, or hold the `voltage` that was reached.
    relax_time_s
        Longest relaxation before the measurement.
    relax_until_dVdt_mV_per_h
        Slope of the voltage at which a rest is over sooner.
    max_s
        Longest time from there until the release, after which the program goes on by itself.
    """

    voltage_V: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)] | None = None
    soc: (
        Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1, max_length=1000)]
        | None
    ) = None
    after_step: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] | None = None
    control: Literal["rest", "voltage"] = "rest"
    relax_time_s: Duration
    relax_until_dVdt_mV_per_h: OptionalPositive = None
    max_s: Duration

    @model_validator(mode="after")
    def _has_points(self):
        self._need_one_of("voltage_V", "soc", "after_step", what="a point at which the cell is held")
        if self.voltage_V is not None and self.soc is not None:
            limit = "voltage_V is given too, and nobody knows which is passed first"
            raise ProtocolError("hold", [Problem("soc", self.soc[0], limit, "drop one of them")])
        if self.control == "voltage":
            if self.soc is not None:
                limit = "no voltage is known there to be held"
                raise ProtocolError("hold", [Problem("soc", self.soc[0], limit, 'say control = "rest"')])
            if self.relax_until_dVdt_mV_per_h is not None:
                limit = "the voltage is held, and has no slope"
                fix = "drop it; relax_time_s says how long"
                where = "relax_until_dVdt_mV_per_h"
                raise ProtocolError("hold", [Problem(where, self.relax_until_dVdt_mV_per_h, limit, fix)])
        return self

    def describe(self) -> str:
        """As a person would say it."""
        at = [f"{one:g} V" for one in self.voltage_V or ()]
        at += [f"state of charge {one:g}" for one in self.soc or ()]
        at += [f"the end of step {one}" for one in self.after_step or ()]
        slope = ""
        if self.relax_until_dVdt_mV_per_h is not None:
            slope = f", or until the voltage changes by less than {self.relax_until_dVdt_mV_per_h:g} mV/h"
        what = "rest" if self.control == "rest" else "hold the voltage"
        return (
            f"At {', '.join(at)}: {what} for {self.relax_time_s:g} s{slope}; then measure, "
            f"for {self.max_s:g} s at most."
        )

    def steps(self, name: str, voltage_V: float | None) -> list[Any]:
        """Steps of one hold; `voltage_V` is the one that was reached, where it is known."""
        if self.control == "rest":
            relaxing: Any = OpenCircuitVoltage(
                until_time_s=self.relax_time_s, until_dVdt_mV_per_h=self.relax_until_dVdt_mV_per_h
            )
            return [relaxing, Marker(marker=name), WaitForRelease(max_s=self.max_s)]
        assert voltage_V is not None
        relaxing = ConstantVoltage(voltage_V=voltage_V, until_time_s=self.relax_time_s)
        return [relaxing, Marker(marker=name), WaitForRelease(max_s=self.max_s, hold_voltage_V=voltage_V)]


def with_holds(protocol: Protocol, hold: Hold) -> Protocol:
    """The protocol, with the holds in it.

    Raises
    ------
    ProtocolError
        If a level is passed by no step, a step to be held after is not there or has no end that could be
        held, or a step to be interrupted ends by the charge passed, which counts anew after each hold.
    """
    problems = list(_problems(protocol, hold))
    if problems:
        raise ProtocolError("hold", problems)
    pieces = [_with_holds(protocol.method, index, hold) for index in range(len(protocol.method))]
    firsts = [1 + offset for offset in (0, *itertools.accumulate(len(one) for one in pieces))]
    method = [
        step.model_copy(update={"loop_to": firsts[step.loop_to - 1]})
        if isinstance(step, Loop) and isinstance(step.loop_to, int)
        else step
        for step in itertools.chain.from_iterable(pieces)
    ]
    return Protocol.model_validate({**protocol.model_dump(exclude={"method"}), "method": method})


def _with_holds(method: Sequence[Any], index: int, hold: Hold) -> list[Any]:
    """One step, interrupted where it passes a level, and held after where that is asked for."""
    step, found = method[index], []
    if isinstance(step, _Driven):
        for level, is_voltage in _levels(method, index, hold):
            found.append(_piece(step, level, is_voltage))
            name = f"held at {level:g} V" if is_voltage else f"held at state of charge {level:g}"
            found += hold.steps(name, level if is_voltage else None)
    found.append(step)
    if index + 1 in (hold.after_step or ()):
        found += hold.steps(f"held after step {index + 1}", _end_voltage(step))
    return found


def _piece(step: Any, level: float, is_voltage: bool) -> Any:
    """The part of a charge or discharge up to a level."""
    field = "until_voltage_V" if is_voltage else "until_soc"
    if isinstance(step, ConstantCurrentConstantVoltage):
        end = {"until_voltage_V": step.voltage_V, "until_soc": step.until_soc, field: level}
        time_s = step.current_until_time_s
        return ConstantCurrent(rate_C=step.rate_C, current_mA=step.current_mA, until_time_s=time_s, **end)
    return step.model_copy(update={field: level})


def _levels(method: Sequence[Any], index: int, hold: Hold) -> list[tuple[float, bool]]:
    """Levels that a step passes, in this order, and whether each is a voltage."""
    step, sign = method[index], _sign(method[index])
    before = next((one for one in reversed(method[:index]) if not _is_idle(one)), None)
    found = []
    ranges = (
        (hold.voltage_V, True, _end_voltage(before), _end_voltage(step)),
        (hold.soc, False, getattr(before, "until_soc", None), step.until_soc),
    )
    for levels, is_voltage, start, end in ranges:
        passed = [
            level
            for level in levels or ()
            if (start is None or sign * (level - start) > 0) and (end is None or sign * (end - level) > 0)
        ]
        found += [(level, is_voltage) for level in sorted(passed, key=lambda one: sign * one)]
    return found


def _is_idle(step: Any) -> bool:
    return isinstance(step, OpenCircuitVoltage | Marker | Tag | Loop | WaitForRelease)


def _sign(step: Any) -> float:
    if isinstance(step, ConstantPower):
        return 1.0 if step.power_mW > 0 else -1.0
    return 1.0 if (step.rate_C or step.current_mA or 0.0) > 0 else -1.0


def _end_voltage(step: Any) -> float | None:
    """Voltage at which a step ends as a rule; None where it is not known."""
    if isinstance(step, ConstantCurrentConstantVoltage | ConstantVoltage):
        return step.voltage_V
    return getattr(step, "until_voltage_V", None)


def _problems(protocol: Protocol, hold: Hold) -> Iterator[Problem]:
    method = protocol.method
    driven = [index for index, step in enumerate(method) if isinstance(step, _Driven)]
    passed = {index: _levels(method, index, hold) for index in driven}
    all_passed = {level for levels in passed.values() for level in levels}
    for name, levels, is_voltage in (("voltage_V", hold.voltage_V, True), ("soc", hold.soc, False)):
        for level in levels or ():
            if (level, is_voltage) not in all_passed:
                yield Problem(
                    name, level, "no step of the protocol passes it", "mend the level, or the protocol"
                )
    for index in driven:
        charge = getattr(method[index], "until_capacity_mAh", None)
        if passed[index] and charge is not None:
            limit = "would count anew after each hold"
            yield Problem(
                f"method[{index}].until_capacity_mAh", charge, limit, "end at a voltage or until_soc"
            )
    for position in hold.after_step or ():
        if position > len(method) or isinstance(method[position - 1], Tag | Loop | Marker):
            limit = f"is no step that takes time; the protocol has {len(method)} steps"
            yield Problem("after_step", position, limit, "name the position of one")
        elif hold.control == "voltage" and _end_voltage(method[position - 1]) is None:
            yield Problem("after_step", position, "does not end at a voltage", 'say control = "rest"')

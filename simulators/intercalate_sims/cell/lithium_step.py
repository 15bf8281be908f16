"""What a current does to a cell of two electrodes of lithium in one step, and the current under a control."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from intercalate.contract import ControlMode

LIMIT_V = 5.0
LIMIT_A_M2 = 1000.0
"""At which the instrument saturates."""
NEARLY_ALL = 1.0 - 1e-9
"""Of the limiting current: at all of it the potential has no bound."""
POSITIVE, NEGATIVE = 1, 0
"""Rows of the faces; the salt counts from the negative one."""


@dataclass(frozen=True, slots=True)
class StepRelations:
    """What the current of one step does; pairs are of the negative and the positive face.

    Attributes
    ----------
    salt
        In the middle of each cell of the electrolyte: without a current, and its change per A/m2.
    free, gain
        The same at the faces.
    exchange
        Exchange current densities at 1 mol/L.
    supply
        Largest current that the lithium of a face can give for a step.
    chi
        Of the diffusion potential, in RT/F.
    """

    salt: np.ndarray
    free: tuple[float, float]
    gain: tuple[float, float]
    exchange: tuple[float, float]
    supply: tuple[float, float]
    resistance: float
    half_resistance: float
    thermal_v: float
    chi: float

    def salt_at(self, face: int, current: float) -> float:
        """Salt at a face in mol/L at the end of the step."""
        return max(self.free[face] + self.gain[face] * current, 1e-12)

    def _overpotential_v(self, face: int, current: float) -> float:
        i0 = self.exchange[face] * math.sqrt(self.salt_at(face, current))
        return 2.0 * self.thermal_v * math.asinh(0.5 * current / i0)

    def voltage_v(self, current: float) -> float:
        """Voltage at a current; it rises with it."""
        jump = math.log(self.salt_at(POSITIVE, current) / self.salt_at(NEGATIVE, current))
        faces = self._overpotential_v(POSITIVE, current) + self._overpotential_v(NEGATIVE, current)
        return faces + self.resistance * current + self.chi * self.thermal_v * jump

    def negative_v(self, current: float) -> float:
        """Negative electrode against lithium that rests in the middle."""
        half_way = len(self.salt) // 2
        middle = self.salt[half_way, 0] + current * self.salt[half_way, 1]
        jump = math.log(max(float(middle), 1e-12) / self.salt_at(NEGATIVE, current))
        faces = self._overpotential_v(NEGATIVE, current) + self.half_resistance * current
        return -(faces + self.chi * self.thermal_v * jump)

    def _largest(self, sign: int) -> float:
        """Current in one direction at which salt, lithium or the instrument ends."""
        plated, stripped = (NEGATIVE, POSITIVE) if sign > 0 else (POSITIVE, NEGATIVE)
        largest = min(LIMIT_A_M2, self.supply[stripped])
        if self.gain[plated] != 0.0:
            largest = min(largest, NEARLY_ALL * self.free[plated] / abs(self.gain[plated]))
        return sign * max(largest, 0.0)

    def _at_voltage(self, voltage_v: float) -> float:
        """Current at a voltage, or the last before it that there is."""
        low, high = self._largest(-1), self._largest(1)
        if self.voltage_v(high) <= voltage_v:
            return high
        if self.voltage_v(low) >= voltage_v:
            return low
        return _root(lambda current: self.voltage_v(current) - voltage_v, low, high)

    def under(self, mode: ControlMode, value: float) -> tuple[float, float]:
        """Current and voltage under a control, within the limits of the instrument."""
        if mode is ControlMode.VOLTAGE:
            value = min(max(value, -LIMIT_V), LIMIT_V)
            return self._at_voltage(value), value
        if mode is ControlMode.POWER:
            return self._at_power(value)
        low, high = self._largest(-1), self._largest(1)
        current = min(max(value, low), high)
        if current != value:
            wall = math.copysign(LIMIT_V, value)
            return self._at_voltage(wall), wall
        voltage = self.voltage_v(current)
        if abs(voltage) > LIMIT_V:
            wall = math.copysign(LIMIT_V, voltage)
            return self._at_voltage(wall), wall
        return current, voltage

    def _at_power(self, value: float) -> tuple[float, float]:
        high = self._largest(1)
        if value <= 0.0 or high <= 0.0:
            return 0.0, self.voltage_v(0.0)
        at_limit = self._at_voltage(LIMIT_V)
        if at_limit <= 0.0 or at_limit * LIMIT_V <= value:
            return max(at_limit, 0.0), LIMIT_V
        if high * self.voltage_v(high) <= value:
            return high, value / high
        current = _root(lambda current: current * self.voltage_v(current) - value, 0.0, high)
        return current, self.voltage_v(current)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Root between two ends of different sign."""
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-12, maxiter=200))  # pyright: ignore[reportArgumentType]


def shorted(mode: ControlMode, value: float, resistance: float) -> tuple[float, float]:
    """Current and voltage of what is only a resistance."""
    if mode is ControlMode.VOLTAGE:
        current = value / resistance
    elif mode is ControlMode.POWER:
        current = math.sqrt(max(value, 0.0) / resistance)
    else:
        current = value
    current = min(max(current, -LIMIT_A_M2), LIMIT_A_M2)
    return current, current * resistance

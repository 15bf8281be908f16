"""One implicit step of the zero-dimensional model of sulfur against lithium, compiled.

The equations are stated in `SulfurCell`. All is per gram of sulfur: species as shares of it, currents in A/g,
here counted positive on discharge.
"""

import math

import numpy as np
from numba import njit

from intercalate.materials.constants import FARADAY_C_PER_MOL

S8, S4, S2, S1, SOLID = range(5)
SPECIES = 5

E_HIGH, E_LOW, I_HIGH, I_LOW, F_HIGH, F_LOW, PRECIPITATION, SATURATION, SHUTTLE = range(9)
THERMAL_V, RESISTANCE, I_LITHIUM, CHAIN = range(9, 13)
PARAMETERS = 13
"""Of one step: potentials in V, exchange currents in A/g, factors of Nernst's law, rates in 1/s, RT/F in V,
resistance in ohm g, exchange current of the lithium in A/g, atoms of the polysulfide between plateaus."""

REST, CONTROL_CURRENT, CONTROL_VOLTAGE, CONTROL_POWER = range(4)

PER_COULOMB = 32.06 / (4.0 * FARADAY_C_PER_MOL)
"""Grams of one sulfur atom for each coulomb of a reaction of four electrons."""
ELECTRONS = 4.0
LEAST = 1e-60
BISECTIONS = 90
OUTER_BISECTIONS = 70
V_MIN, V_MAX, I_MAX = 0.5, 4.0, 16.0
"""At which the instrument saturates; 10C are 12.6 A/g."""
TOLERANCE_V, TOLERANCE_SHARE = 3e-4, 2e-4
"""By how much one step and two halves of it may differ."""
HALVINGS = 8


@njit(cache=True, error_model="numpy")
def atoms_high(p):
    """Atoms of S8 that four electrons turn into the polysulfide: 8 where it is S4(2-)."""
    return 2.0 * p[CHAIN]


@njit(cache=True, error_model="numpy")
def atoms_low(p):
    """Atoms of the polysulfide that four electrons turn into S2(2-) and S(2-), half of them into each."""
    return 4.0 * p[CHAIN] / (1.5 * p[CHAIN] - 2.0)


@njit(cache=True, error_model="numpy")
def after(y, high, low, h, p, out):
    """Species after h seconds of both reactions at these currents, backward Euler in closed form."""
    reacted = PER_COULOMB * h
    of_high, of_low = atoms_high(p), atoms_low(p)
    out[S8] = (y[S8] - of_high * reacted * high) / (1.0 + p[SHUTTLE] * h)
    out[S4] = y[S4] + reacted * (of_high * high - of_low * low) + h * p[SHUTTLE] * out[S8]
    out[S2] = y[S2] + 0.5 * of_low * reacted * low
    both = y[S1] + y[SOLID] + 0.5 * of_low * reacted * low
    rate = p[PRECIPITATION] * h
    b = 1.0 - rate * (both - p[SATURATION])
    root = math.sqrt(b * b + 4.0 * rate * y[SOLID])
    # Of the two forms of the root, the one that does not subtract equals.
    solid = 2.0 * y[SOLID] / (b + root) if b > 0.0 else 0.5 * (root - b) / rate
    out[SOLID] = solid
    out[S1] = both - solid


@njit(cache=True, error_model="numpy")
def high_potential(out, high, p):
    """Potential at which the first reaction runs at this current."""
    if p[CHAIN] == 4.0:
        ratio = p[F_HIGH] * max(out[S8], LEAST) / max(out[S4], LEAST) ** 2
        nernst = p[E_HIGH] + p[THERMAL_V] / ELECTRONS * math.log(ratio)
    else:
        made = 8.0 / p[CHAIN]
        logs = math.log(p[F_HIGH] * max(out[S8], LEAST)) - made * math.log(max(out[S4], LEAST))
        nernst = p[E_HIGH] + p[THERMAL_V] / (2.0 * made) * logs
    return nernst - 2.0 * p[THERMAL_V] / ELECTRONS * math.asinh(0.5 * high / p[I_HIGH])


@njit(cache=True, error_model="numpy")
def low_potential(out, low, p):
    """Potential at which the second reaction runs at this current."""
    if p[CHAIN] == 4.0:
        logs = (
            math.log(max(out[S4], LEAST))
            - 2.0 * math.log(max(out[S1], LEAST))
            - math.log(max(out[S2], LEAST))
        )
        electrons = ELECTRONS
    else:
        half, quarter = 0.5 * p[CHAIN], 0.25 * p[CHAIN]
        logs = math.log(max(out[S4], LEAST)) - half * math.log(max(out[S1], LEAST))
        logs -= quarter * math.log(max(out[S2], LEAST))
        electrons = 1.5 * p[CHAIN] - 2.0
    nernst = p[E_LOW] + p[THERMAL_V] / electrons * (math.log(p[F_LOW]) + logs)
    return nernst - 2.0 * p[THERMAL_V] / ELECTRONS * math.asinh(0.5 * low / p[I_LOW])


@njit(cache=True, error_model="numpy")
def split(y, current, h, p, out):
    """Share the current between both reactions so that they agree on a potential; returns that of the cell.

    The difference of their potentials falls with the current of the first. Beyond what the species last for,
    the potential is infinite, negative on discharge.
    """
    reacted = PER_COULOMB * h
    left = 1.0 + p[SHUTTLE] * h
    of_high, of_low = atoms_high(p), atoms_low(p)
    most = y[S8] / (of_high * reacted)
    shuttled = h * p[SHUTTLE] / left
    # S4 stays positive above this current of the first reaction.
    least = of_low * reacted * current - y[S4] - shuttled * y[S8]
    least /= reacted * (of_high + of_low - of_high * shuttled)
    dissolving = y[SOLID] / (1.0 + p[PRECIPITATION] * h * p[SATURATION]) - y[S1] - y[SOLID]
    slowest = max(-y[S2], dissolving) / (0.5 * of_low * reacted)
    most = min(most, current - slowest)
    if least >= most:
        return -math.inf if current > 0.0 else math.inf
    low_end, high_end = least, most
    for _ in range(BISECTIONS):
        high = 0.5 * (low_end + high_end)
        after(y, high, current - high, h, p, out)
        if high_potential(out, high, p) > low_potential(out, current - high, p):
            low_end = high
        else:
            high_end = high
    high = 0.5 * (low_end + high_end)
    after(y, high, current - high, h, p, out)
    potential = 0.5 * (high_potential(out, high, p) + low_potential(out, current - high, p))
    lithium = 2.0 * p[THERMAL_V] * math.asinh(0.5 * current / p[I_LITHIUM])
    return potential - lithium - p[RESISTANCE] * current


@njit(cache=True, error_model="numpy")
def at_voltage(y, voltage, h, p, out):
    """Current at which the cell has this voltage, within the instrument's reach."""
    low_end, high_end = -I_MAX, I_MAX
    for _ in range(OUTER_BISECTIONS):
        current = 0.5 * (low_end + high_end)
        if split(y, current, h, p, out) > voltage:
            low_end = current
        else:
            high_end = current
    # Of the two ends the one that is smaller in size is within what the species last for.
    return low_end if abs(low_end) < abs(high_end) else high_end


@njit(cache=True, error_model="numpy")
def at_power(y, power, h, p, out):
    """Current at which the cell gives this power, or as near as it comes."""
    limit = at_voltage(y, V_MIN if power > 0.0 else V_MAX, h, p, out)
    if limit * power <= 0.0:
        return 0.0
    low_end, high_end = 0.0, limit
    if abs(limit * split(y, limit, h, p, out)) <= abs(power):
        return limit
    for _ in range(OUTER_BISECTIONS):
        current = 0.5 * (low_end + high_end)
        if abs(current * split(y, current, h, p, out)) < abs(power):
            low_end = current
        else:
            high_end = current
    return low_end


@njit(cache=True, error_model="numpy")
def controlled(y, mode, setpoint, h, p, out):
    """Current under a control; `out` holds the species after h at it."""
    current = 0.0
    if mode == CONTROL_VOLTAGE:
        current = at_voltage(y, min(max(setpoint, V_MIN), V_MAX), h, p, out)
    elif mode == CONTROL_POWER:
        current = at_power(y, setpoint, h, p, out)
    elif mode == CONTROL_CURRENT:
        current = min(max(setpoint, -I_MAX), I_MAX)
        voltage = split(y, current, h, p, out)
        if voltage < V_MIN:
            current = at_voltage(y, V_MIN, h, p, out)
        elif voltage > V_MAX:
            current = at_voltage(y, V_MAX, h, p, out)
    return current


@njit(cache=True, error_model="numpy")
def terminal_voltage(mode, setpoint, current, voltage):
    """Voltage that the instrument shows: its limit, or what it holds, where the species were used up."""
    if mode == CONTROL_VOLTAGE and abs(current) < 0.999 * I_MAX:
        return min(max(setpoint, V_MIN), V_MAX)
    asked = min(max(setpoint, -I_MAX), I_MAX)
    short_of_it = mode == CONTROL_CURRENT and abs(current) < abs(asked)
    short_of_it = short_of_it or (mode == CONTROL_POWER and abs(current * voltage) < 0.999 * abs(setpoint))
    if short_of_it:
        return V_MIN if setpoint > 0.0 else V_MAX
    return min(max(voltage, V_MIN), V_MAX)


@njit(cache=True, error_model="numpy")
def step(y, mode, setpoint, dt, p):
    """Advance the species in place by dt; returns the mean current, and the voltage at the end.

    A part of the step is halved while it and two halves of it differ.
    """
    whole, first, second = np.empty(SPECIES), np.empty(SPECIES), np.empty(SPECIES)
    ticks = 2**HALVINGS
    left, part = ticks, ticks
    charge, voltage = 0.0, 0.0
    while left > 0:
        part = min(part, left)
        h = dt * part / ticks
        one = controlled(y, mode, setpoint, h, p, whole)
        voltage = terminal_voltage(mode, setpoint, one, split(y, one, h, p, whole))
        half_one = controlled(y, mode, setpoint, 0.5 * h, p, first)
        split(y, half_one, 0.5 * h, p, first)
        half_two = controlled(first, mode, setpoint, 0.5 * h, p, second)
        closer = split(first, half_two, 0.5 * h, p, second)
        closer = terminal_voltage(mode, setpoint, half_two, closer)
        differs = abs(closer - voltage) > TOLERANCE_V
        for k in range(SPECIES):
            differs = differs or abs(second[k] - whole[k]) > TOLERANCE_SHARE
        if differs and part > 1:
            part //= 2
            continue
        for k in range(SPECIES):
            y[k] = second[k]
        charge += 0.5 * h * (half_one + half_two)
        voltage = closer
        left -= part
        part *= 2
    return charge / dt, voltage

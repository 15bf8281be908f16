"""One implicit time step of a reduced porous-electrode cell, compiled.

The equations are stated in `IntercalationCell`. Everything is per electrode area; J is the anodic
current density of an electrode (oxidation, lithium leaves), so J = I for the positive and -I for the
negative electrode when the cell is charged with I. Slices count from the separator.
"""

import math

import numpy as np
from numba import njit

from intercalate.materials.constants import FARADAY_C_PER_MOL, GAS_J_MOL_K

LAMBDA = np.array([4.493409457909064, 7.725251836937707, 10.904121659428899, 14.066193912831473])
"""First roots of tan(l) = l: the modes of spherical diffusion with a given flux at the surface."""
MODES = LAMBDA.size
QUASI_STATIC = float(0.2 - np.sum(2.0 / LAMBDA**2))
"""What the modes beyond follow at once: the full response of the surface is 1/5."""

COLUMNS = 5 + MODES
X, J_HOST, SEI, PLATED, DEAD, MODE = 0, 1, 2, 3, 4, 5
"""Columns of an electrode's state, one row per slice: x, host current, charges in C/m2, modes of x."""

SLICE, SIGMA, EXCHANGE, E_REACTION, DIFFUSION, E_DIFFUSION, FOIL = range(7)
SEI_KINETIC, SEI_V, SEI_TRANSPORT, SEI_FULL, SEI_RESIDUAL = range(7, 12)
PLATING, DEAD_FRACTION, PLATED_REFERENCE, FILM = range(12, 16)
ELECTRODE_PARAMETERS = 16
"""Parameters of one electrode."""

CONTACT, K1, K15, K3, D0, D1, D2, T_PLUS, E_SALT = range(9)
HEAT_CAPACITY, HEAT_LOSS, I_MAX, V_MIN, V_MAX = range(9, 14)
"""Parameters of the cell."""

TEMPERATURE_K, CURRENT, VOLTAGE, E_POSITIVE, E_NEGATIVE, CHARGE, FOIL_CHARGE, AMBIENT_K = range(8)
TOTALS = 8
"""Entries of the state of the whole cell; charges in C/m2."""

WIDTH, VOLUME, TORTUOUS = range(3)
"""Rows of the grid of the electrolyte, from the negative to the positive collector."""

FREE, GAIN, I0, HOST, OFFSET, RESISTANCE, POTENTIAL, HOST_RESISTANCE = range(8)
WA, WB, UPPER, IONIC, JUMP, SALT = range(8, 14)
WORK_ROWS = 14
"""Rows of the work array of one electrode."""

OHMIC, DIFFUSIVE, POTENTIAL_JUMP, SOURCE, SWEEP = range(5)
FACE_ROWS = 5
"""Rows of the work array of the electrolyte."""

REST, CONTROL_CURRENT, CONTROL_VOLTAGE, CONTROL_POWER = range(4)

REFERENCE_K = 298.15
DEPLETED, SATURATED = 1e-4, 3.5
"""Salt concentrations in mol/L beyond which transport and kinetics change no further."""
SLOWEST = 2e-11
"""Least salt diffusivity in m2/s: the fitted parabola has no meaning where it is smaller."""
LARGEST_DRAW = 0.7
"""Largest part of the salt of a slice that its reaction may take in one substep."""
HALVINGS = 6
TOLERANCE_V = 1e-7
ITERATIONS = 25
UNDAMPED_ITERATIONS = 8
"""After these Newton goes in half steps: it may jump to and fro over a kink of the potential table."""


@njit(cache=True, error_model="numpy")
def arrhenius(activation, temperature_k):
    return math.exp(activation / GAS_J_MOL_K * (1.0 / REFERENCE_K - 1.0 / temperature_k))


@njit(cache=True, error_model="numpy")
def lookup(table, x):
    """Value and slope of the potential at x, with the last slope continued beyond 0 and 1."""
    n = table.size - 1
    position = x * n
    i = int(min(max(position, 0.0), n - 1.0))
    step = table[i + 1] - table[i]
    return table[i] + (position - i) * step, step * n


@njit(cache=True, error_model="numpy")
def side_currents(p, sei, plated, potential, kelvin, dt):
    """Cathodic SEI and plating current of one slice, the sum of their slopes, and plated Li lost."""
    if p[SEI_FULL] <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    beta = 0.5 * FARADAY_C_PER_MOL / (GAS_J_MOL_K * kelvin)
    kinetic = p[SEI_KINETIC] * math.exp(min(max(beta * (p[SEI_V] - potential), -60.0), 60.0))
    rate = 1.0 / (1.0 / kinetic + 1.0 / p[SEI_TRANSPORT])
    slope_rate = -beta * rate * rate / kinetic
    fresh = max(1.0 - sei / p[SEI_FULL], 0.0)
    damped = 1.0 + dt * rate / p[SEI_FULL]
    sei_current = fresh * rate / damped + p[SEI_RESIDUAL] * rate
    slope = (fresh / (damped * damped) + p[SEI_RESIDUAL]) * slope_rate
    if potential < 0.0:
        plating, lost = -p[PLATING] * potential, 0.0
        slope -= p[PLATING]
    else:
        damped = 1.0 + dt * p[PLATING] * potential / p[PLATED_REFERENCE]
        removed = plated / dt * (1.0 - 1.0 / damped)
        plating, lost = -(1.0 - p[DEAD_FRACTION]) * removed, p[DEAD_FRACTION] * removed
        slope -= (1.0 - p[DEAD_FRACTION]) * plated * p[PLATING] / (p[PLATED_REFERENCE] * damped * damped)
    return sei_current, plating, slope, lost


@njit(cache=True, error_model="numpy")
def prepare(state, p, sites, kelvin, dt, work):
    """Fill what stays fixed in a step: surface content free - gain * host current, exchange currents."""
    rate = p[DIFFUSION] * arrhenius(p[E_DIFFUSION], kelvin)
    gain = QUASI_STATIC
    for m in range(MODES):
        square = LAMBDA[m] * LAMBDA[m]
        gain += 2.0 / square * (1.0 - math.exp(-square * rate * dt))
    gain = dt + gain / (3.0 * rate)
    factor = p[EXCHANGE] * arrhenius(p[E_REACTION], kelvin)
    for k in range(state.shape[0]):
        surface = state[k, X]
        for m in range(MODES):
            surface += state[k, MODE + m] * math.exp(-LAMBDA[m] * LAMBDA[m] * rate * dt)
        work[FREE, k] = surface
        work[GAIN, k] = gain / sites[k]
        surface = min(max(surface, 1e-3), 1.0 - 1e-3)
        work[I0, k] = factor * math.sqrt(work[SALT, k] * surface * (1.0 - surface))
        work[HOST, k] = state[k, J_HOST]


@njit(cache=True, error_model="numpy")
def linearise(state, p, table, kelvin, dt, work):
    """Potential of each slice as OFFSET + RESISTANCE * (its anodic current), around the present guess."""
    twice_rt = 2.0 * GAS_J_MOL_K * kelvin / FARADAY_C_PER_MOL
    for k in range(state.shape[0]):
        j, i0 = work[HOST, k], work[I0, k]
        value, slope = lookup(table, work[FREE, k] - work[GAIN, k] * j)
        film = p[FILM] * state[k, SEI] / p[SEI_FULL] if p[SEI_FULL] > 0.0 else 0.0
        potential = value + twice_rt * math.asinh(0.5 * j / i0) + film * j
        host_resistance = -slope * work[GAIN, k] + twice_rt / math.sqrt(j * j + 4.0 * i0 * i0) + film
        sei, plating, side_slope, _ = side_currents(p, state[k, SEI], state[k, PLATED], potential, kelvin, dt)
        resistance = 1.0 / (1.0 / host_resistance - side_slope)
        work[RESISTANCE, k] = resistance
        work[OFFSET, k] = potential - (j - sei - plating) * resistance
        work[POTENTIAL, k] = potential
        work[HOST_RESISTANCE, k] = host_resistance


@njit(cache=True, error_model="numpy")
def ladder(n, solid, work):
    """Ionic current WA + WB J at the faces of the slices; returns E = ea + eb J.

    E is the potential of the collector against the electrolyte at the centre of the first slice.
    Thomas algorithm on the n - 1 inner faces, with J kept as a second right-hand side.
    """
    work[WA, 0], work[WB, 0], work[WA, n], work[WB, n] = 0.0, 1.0, 0.0, 0.0
    for k in range(1, n):
        before = work[RESISTANCE, k - 1]
        diagonal = work[RESISTANCE, k] + before + solid + work[IONIC, k]
        if k > 1:
            diagonal += before * work[UPPER, k - 1]
        work[UPPER, k] = -work[RESISTANCE, k] / diagonal
        step_down = work[OFFSET, k - 1] - work[OFFSET, k] - work[JUMP, k]
        work[WA, k] = (step_down + before * work[WA, k - 1]) / diagonal
        work[WB, k] = (solid + before * work[WB, k - 1]) / diagonal
    for k in range(n - 2, 0, -1):
        work[WA, k] -= work[UPPER, k] * work[WA, k + 1]
        work[WB, k] -= work[UPPER, k] * work[WB, k + 1]
    ea = work[OFFSET, 0] + work[RESISTANCE, 0] * (work[WA, 0] - work[WA, 1])
    eb = work[RESISTANCE, 0] * (work[WB, 0] - work[WB, 1]) + 0.5 * solid
    for k in range(1, n):
        ea -= work[WA, k] * solid
        eb += (1.0 - work[WB, k]) * solid
    return ea, eb


@njit(cache=True, error_model="numpy")
def controlled_current(mode, setpoint, va, vb, p):
    """Current at which V = va + vb I meets the control, within the compliance of the instrument."""
    if mode == REST:
        return 0.0
    if mode == CONTROL_VOLTAGE:
        current = (min(max(setpoint, p[V_MIN]), p[V_MAX]) - va) / vb
        return min(max(current, -p[I_MAX]), p[I_MAX])
    if mode == CONTROL_CURRENT:
        current = setpoint
    else:
        square = max(va * va + 4.0 * vb * setpoint, 0.0)
        stalled = setpoint < 0.0 and va <= 0.0
        current = 0.0 if stalled else 0.5 * (math.sqrt(square) - va) / vb
    current = min(max(current, -p[I_MAX]), p[I_MAX])
    if current > 0.0:
        return min(current, max((p[V_MAX] - va) / vb, 0.0))
    return max(current, min((p[V_MIN] - va) / vb, 0.0))


@njit(cache=True, error_model="numpy")
def slice_current(work, k, j_total):
    """Anodic current of slice k: the ionic current that enters it less the one that leaves it."""
    return (work[WA, k] - work[WA, k + 1]) + (work[WB, k] - work[WB, k + 1]) * j_total


@njit(cache=True, error_model="numpy")
def correct(n, j_total, damping, work):
    """Take the Newton step in one electrode and return its largest change of potential.

    The guess stays where the surface content is between 0 and 1, as the solution is: a step along the
    flat part of the potential would otherwise land far behind the wall.
    """
    worst = 0.0
    for k in range(n):
        potential = work[OFFSET, k] + work[RESISTANCE, k] * slice_current(work, k, j_total)
        change = potential - work[POTENTIAL, k]
        host = work[HOST, k] + damping * change / work[HOST_RESISTANCE, k]
        gain = work[GAIN, k]
        work[HOST, k] = min(max(host, (work[FREE, k] - 1.0) / gain), work[FREE, k] / gain)
        work[POTENTIAL, k] = potential
        worst = max(worst, abs(change))
    return worst


@njit(cache=True, error_model="numpy")
def commit(state, p, sites, kelvin, dt, j_total, work):
    """Let the electrode live through the step; what the side reactions leave goes to the host."""
    rate = p[DIFFUSION] * arrhenius(p[E_DIFFUSION], kelvin)
    for k in range(state.shape[0]):
        sei, plating, _, lost = side_currents(
            p, state[k, SEI], state[k, PLATED], work[POTENTIAL, k], kelvin, dt
        )
        host = slice_current(work, k, j_total) + sei + plating
        x_rate = -host / sites[k]
        state[k, X] += dt * x_rate
        for m in range(MODES):
            square = LAMBDA[m] * LAMBDA[m]
            decay = math.exp(-square * rate * dt)
            state[k, MODE + m] = (
                state[k, MODE + m] * decay + 2.0 * (1.0 - decay) / (3.0 * square * rate) * x_rate
            )
        state[k, J_HOST] = host
        state[k, SEI] += dt * sei
        state[k, PLATED] = max(state[k, PLATED] + dt * (plating - lost), 0.0)
        state[k, DEAD] += dt * lost


@njit(cache=True, error_model="numpy")
def transport(salt, grid, cell, kelvin, faces):
    """Fill ohmic resistance, diffusion conductance and diffusion potential of the faces i-1 | i."""
    warm = arrhenius(cell[E_SALT], kelvin)
    chi = 2.0 * GAS_J_MOL_K * kelvin / FARADAY_C_PER_MOL * (1.0 - cell[T_PLUS])
    ohmic_before, diffusive_before, log_before = 0.0, 0.0, 0.0
    for i in range(salt.size):
        c = min(max(salt[i], DEPLETED), SATURATED)
        tortuous = warm * grid[TORTUOUS, i]
        kappa = tortuous * c * (cell[K1] + cell[K15] * math.sqrt(c) + cell[K3] * c * c)
        diffusivity = tortuous * max(cell[D0] + cell[D1] * c + cell[D2] * c * c, SLOWEST)
        ohmic = 0.5 * grid[WIDTH, i] / kappa
        diffusive = 0.5 * grid[WIDTH, i] / diffusivity
        log_c = chi * math.log(c)
        faces[OHMIC, i] = ohmic_before + ohmic
        faces[DIFFUSIVE, i] = 1.0 / (diffusive_before + diffusive) if i > 0 else 0.0
        faces[POTENTIAL_JUMP, i] = log_c - log_before if i > 0 else 0.0
        ohmic_before, diffusive_before, log_before = ohmic, diffusive, log_c


@njit(cache=True, error_model="numpy")
def between_electrodes(faces, first, stop, start_of_last_half):
    """Resistance and diffusion potential from the first face to the one before `stop`."""
    resistance, jump = 0.0, 0.0
    for i in range(first, stop):
        resistance += faces[OHMIC, i]
        jump += faces[POTENTIAL_JUMP, i]
    if start_of_last_half:
        resistance += 0.5 * faces[OHMIC, stop]
        jump += 0.5 * faces[POTENTIAL_JUMP, stop]
    return resistance, jump


@njit(cache=True, error_model="numpy")
def salt_step(salt, grid, faces, dt):
    """Diffusion of the salt, backward Euler, with the sources in faces[SOURCE]."""
    n = salt.size
    for k in range(n):
        left = faces[DIFFUSIVE, k]
        right = faces[DIFFUSIVE, k + 1] if k < n - 1 else 0.0
        storage = grid[VOLUME, k] / dt
        diagonal = storage + left + right
        value = storage * salt[k] + faces[SOURCE, k]
        if k > 0:
            diagonal += left * faces[SWEEP, k - 1]
            value += left * salt[k - 1]
        faces[SWEEP, k] = -right / diagonal
        salt[k] = value / diagonal
    for k in range(n - 2, -1, -1):
        salt[k] -= faces[SWEEP, k] * salt[k + 1]


@njit(cache=True, error_model="numpy")
def mean_potential(state, sites, table):
    """Potential of the host at its mean content."""
    amount, content = 0.0, 0.0
    for k in range(state.shape[0]):
        amount += sites[k]
        content += sites[k] * state[k, X]
    return lookup(table, content / amount)[0]


@njit(cache=True, error_model="numpy")
def solve(
    dt,
    mode,
    setpoint,
    total,
    pos,
    neg,
    cell,
    p_pos,
    p_neg,
    table_pos,
    table_neg,
    between,
    foil_i0,
    work_pos,
    work_neg,
):
    """Potentials, current and control together by Newton's method; leaves current and voltages in total.

    Returns whether it converged.
    """
    kelvin, current = total[TEMPERATURE_K], total[CURRENT]
    n_pos, n_neg = pos.shape[0], neg.shape[0]
    solid_pos = p_pos[SLICE] / p_pos[SIGMA]
    twice_rt = 2.0 * GAS_J_MOL_K * kelvin / FARADAY_C_PER_MOL
    en_a, en_b, va, vb = 0.0, 0.0, 0.0, 1.0
    converged = False
    for iteration in range(ITERATIONS):
        linearise(pos, p_pos, table_pos, kelvin, dt, work_pos)
        ep_a, ep_b = ladder(n_pos, solid_pos, work_pos)
        if n_neg == 0:
            en_b = twice_rt / math.sqrt(current * current + 4.0 * foil_i0 * foil_i0)
            en_a = -twice_rt * math.asinh(0.5 * current / foil_i0) + en_b * current
        else:
            linearise(neg, p_neg, table_neg, kelvin, dt, work_neg)
            en_a, en_b = ladder(n_neg, p_neg[SLICE] / p_neg[SIGMA], work_neg)
        va = ep_a - en_a + between[1]
        vb = ep_b + en_b + between[0] + cell[CONTACT]
        before = current
        current = controlled_current(mode, setpoint, va, vb, cell)
        damping = 1.0 if iteration < UNDAMPED_ITERATIONS else 0.5
        worst = max(correct(n_pos, current, damping, work_pos), correct(n_neg, -current, damping, work_neg))
        if max(worst, abs(current - before) * en_b) < TOLERANCE_V:
            converged = True
            break
    total[CURRENT] = current
    total[VOLTAGE] = va + vb * current
    total[E_NEGATIVE] = en_a - en_b * current
    return converged


@njit(cache=True, error_model="numpy")
def place_sources(salt, pos, neg, cell, current, faces, work_pos, work_neg):
    """Fill faces[SOURCE] with the salt that the reactions release, in mol/L m/s."""
    n_pos, n_neg = pos.shape[0], neg.shape[0]
    salt_per_charge = (1.0 - cell[T_PLUS]) / (FARADAY_C_PER_MOL * 1000.0)
    for i in range(salt.size):
        faces[SOURCE, i] = 0.0
    for k in range(n_pos):
        faces[SOURCE, salt.size - n_pos + k] = salt_per_charge * slice_current(work_pos, k, current)
    for k in range(n_neg):
        faces[SOURCE, n_neg - 1 - k] = salt_per_charge * slice_current(work_neg, k, -current)
    if n_neg == 0:
        faces[SOURCE, 0] = -salt_per_charge * current


@njit(cache=True, error_model="numpy")
def overdrawn(salt, grid, faces, dt):
    """Whether the reactions would take too much of the salt of a cell in dt."""
    for i in range(salt.size):
        if -faces[SOURCE, i] * dt > grid[VOLUME, i] * (LARGEST_DRAW * max(salt[i], 0.0) + DEPLETED):
            return True
    return False


@njit(cache=True, error_model="numpy")
def substep(
    dt,
    may_refuse,
    mode,
    setpoint,
    total,
    salt,
    pos,
    neg,
    cell,
    p_pos,
    p_neg,
    sites_pos,
    sites_neg,
    table_pos,
    table_neg,
    grid,
    faces,
    work_pos,
    work_neg,
):
    """Advance by dt; returns False, with nothing but the guess changed, if dt is too long."""
    kelvin = total[TEMPERATURE_K]
    n_pos, n_neg = pos.shape[0], neg.shape[0]
    first_pos = salt.size - n_pos
    transport(salt, grid, cell, kelvin, faces)
    for k in range(n_pos):
        work_pos[IONIC, k] = faces[OHMIC, first_pos + k]
        work_pos[JUMP, k] = faces[POTENTIAL_JUMP, first_pos + k]
        work_pos[SALT, k] = max(salt[first_pos + k], DEPLETED)
    for k in range(n_neg):
        work_neg[IONIC, k] = faces[OHMIC, n_neg - k]
        work_neg[JUMP, k] = -faces[POTENTIAL_JUMP, n_neg - k]
        work_neg[SALT, k] = max(salt[n_neg - 1 - k], DEPLETED)
    between = between_electrodes(faces, n_neg, first_pos + 1, False)
    to_middle = between_electrodes(faces, n_neg, (n_neg + first_pos) // 2, True)

    prepare(pos, p_pos, sites_pos, kelvin, dt, work_pos)
    foil_i0 = 0.0
    if n_neg == 0:
        foil_i0 = p_neg[FOIL] * arrhenius(p_neg[E_REACTION], kelvin) * math.sqrt(max(salt[0], DEPLETED))
    else:
        prepare(neg, p_neg, sites_neg, kelvin, dt, work_neg)
    converged = solve(
        dt,
        mode,
        setpoint,
        total,
        pos,
        neg,
        cell,
        p_pos,
        p_neg,
        table_pos,
        table_neg,
        between,
        foil_i0,
        work_pos,
        work_neg,
    )
    current, voltage = total[CURRENT], total[VOLTAGE]
    place_sources(salt, pos, neg, cell, current, faces, work_pos, work_neg)
    if may_refuse and (not converged or overdrawn(salt, grid, faces, dt)):
        return False

    commit(pos, p_pos, sites_pos, kelvin, dt, current, work_pos)
    commit(neg, p_neg, sites_neg, kelvin, dt, -current, work_neg)
    salt_step(salt, grid, faces, dt)
    open_circuit = mean_potential(pos, sites_pos, table_pos)
    if n_neg > 0:
        open_circuit -= mean_potential(neg, sites_neg, table_neg)
    else:
        total[FOIL_CHARGE] += dt * current
    warmth = cell[HEAT_CAPACITY] / dt * kelvin + cell[HEAT_LOSS] * total[AMBIENT_K]
    heat = current * (voltage - open_circuit)
    total[TEMPERATURE_K] = (warmth + heat) / (cell[HEAT_CAPACITY] / dt + cell[HEAT_LOSS])
    total[E_NEGATIVE] -= to_middle[0] * current + to_middle[1]
    total[E_POSITIVE] = voltage + total[E_NEGATIVE]
    total[CHARGE] += dt * current
    return True


@njit(cache=True, error_model="numpy")
def step(
    dt,
    mode,
    setpoint,
    total,
    salt,
    pos,
    neg,
    cell,
    p_pos,
    p_neg,
    sites_pos,
    sites_neg,
    table_pos,
    table_neg,
    grid,
):
    """Advance the state arrays total, salt, pos and neg in place by dt seconds under this control.

    The step is halved, as often as `HALVINGS`, while a reaction would drain the salt of a slice.
    """
    faces = np.empty((FACE_ROWS, salt.size + 1))
    work_pos = np.empty((WORK_ROWS, pos.shape[0] + 1))
    work_neg = np.empty((WORK_ROWS, neg.shape[0] + 1))
    ticks = 2**HALVINGS
    left, part = ticks, ticks
    while left > 0:
        part = min(part, left)
        if substep(
            dt * part / ticks,
            part > 1,
            mode,
            setpoint,
            total,
            salt,
            pos,
            neg,
            cell,
            p_pos,
            p_neg,
            sites_pos,
            sites_neg,
            table_pos,
            table_neg,
            grid,
            faces,
            work_pos,
            work_neg,
        ):
            left -= part
            part *= 2
        else:
            part //= 2

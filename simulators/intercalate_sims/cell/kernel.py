"""One implicit time step of a reduced porous-electrode cell, compiled.

The equations are stated in `IntercalationCell`. Everything is per electrode area; J is the anodic
current density of an electrode (oxidation, lithium leaves), so J = I for the positive and -I for the
negative electrode when the cell is charged with I. Slices count from the separator.
"""

import math

import numpy as np
from numba import njit

LAMBDA = np.array([4.493409457909064, 7.725251836937707, 10.904121659428899, 14.066193912831473])
"""First roots of tan(l) = l: the modes of spherical diffusion with a given flux at the surface."""
MODES = LAMBDA.size
QUASI_STATIC = float(0.2 - np.sum(2.0 / LAMBDA**2))
"""What the modes beyond follow at once: the full response of the surface is 1/5."""

COLUMNS = 5 + MODES
X, J_HOST, SEI, PLATED, DEAD, MODE = 0, 1, 2, 3, 4, 5
"""Columns of an electrode's state, one row per slice: x, host current, charges in C/m2, modes of x."""

(SLICE, SIGMA, EXCHANGE, E_REACTION, DIFFUSION, E_DIFFUSION, SEI_KINETIC, SEI_V, SEI_TRANSPORT, SEI_FULL) = (
    range(10)
)
SEI_RESIDUAL, PLATING, DEAD_FRACTION, PLATED_REFERENCE, FOIL = range(10, 15)
ELECTRODE_PARAMETERS = 15

(
    SEPARATOR_CELLS,
    CONTACT,
    K1,
    K15,
    K3,
    D0,
    D1,
    D2,
    T_PLUS,
    E_SALT,
    HEAT_CAPACITY,
    HEAT_LOSS,
    I_MAX,
    V_MIN,
    V_MAX,
) = range(15)
CELL_PARAMETERS = 15

TEMPERATURE_K, CURRENT, VOLTAGE, E_POSITIVE, E_NEGATIVE, CHARGE, FOIL_CHARGE, AMBIENT_K = range(8)
TOTALS = 8
"""Entries of the state of the whole cell; charges in C/m2."""

REST, CONTROL_CURRENT, CONTROL_VOLTAGE, CONTROL_POWER = range(4)

FARADAY = 96485.33212
GAS = 8.31446262
REFERENCE_K = 298.15
DEPLETED = 0.01
"""Salt concentration relative to 1 mol/L below which transport and kinetics worsen no further."""
TOLERANCE_V = 1e-9
ITERATIONS = 40


@njit(cache=True)
def arrhenius(activation, temperature_k):
    return math.exp(activation / GAS * (1.0 / REFERENCE_K - 1.0 / temperature_k))


@njit(cache=True)
def lookup(table, x):
    """Value and slope of the potential at x, with the last slope continued beyond 0 and 1."""
    n = table.size - 1
    position = x * n
    i = int(min(max(position, 0.0), n - 1.0))
    step = table[i + 1] - table[i]
    return table[i] + (position - i) * step, step * n


@njit(cache=True)
def side_currents(p, sei, plated, potential, kelvin, dt):
    """Cathodic SEI and plating current of one slice, the sum of their slopes, and plated Li lost."""
    if p[SEI_FULL] <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    beta = 0.5 * FARADAY / (GAS * kelvin)
    kinetic = p[SEI_KINETIC] * math.exp(min(-beta * (potential - p[SEI_V]), 60.0))
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


@njit(cache=True)
def prepare(state, p, sites, table, salt, kelvin, dt, x_free, x_gain, exchange, decay):
    """Fill what stays fixed in a step: surface content x_free - x_gain j, and exchange currents."""
    n = state.shape[0]
    rate = p[DIFFUSION] * arrhenius(p[E_DIFFUSION], kelvin)
    gain = QUASI_STATIC
    for m in range(MODES):
        square = LAMBDA[m] * LAMBDA[m]
        decay[m] = math.exp(-square * rate * dt)
        gain += 2.0 / square * (1.0 - decay[m])
    gain = dt + gain / (3.0 * rate)
    factor = p[EXCHANGE] * arrhenius(p[E_REACTION], kelvin)
    for k in range(n):
        surface = state[k, X]
        for m in range(MODES):
            surface += state[k, MODE + m] * decay[m]
        x_free[k] = surface
        x_gain[k] = gain / sites[k]
        surface = min(max(surface, 1e-3), 1.0 - 1e-3)
        exchange[k] = factor * math.sqrt(max(salt[k], DEPLETED) * surface * (1.0 - surface))


@njit(cache=True)
def linearise(
    state, p, table, kelvin, dt, x_free, x_gain, exchange, host, offset, resistance, potential, host_r
):
    """Potential of each slice as offset + resistance * (its anodic current), around the present guess."""
    twice_rt = 2.0 * GAS * kelvin / FARADAY
    for k in range(host.size):
        j = host[k]
        value, slope = lookup(table, x_free[k] - x_gain[k] * j)
        delta = value + twice_rt * math.asinh(0.5 * j / exchange[k])
        r = -slope * x_gain[k] + twice_rt / math.sqrt(j * j + 4.0 * exchange[k] * exchange[k])
        sei, plating, side_slope, _ = side_currents(p, state[k, SEI], state[k, PLATED], delta, kelvin, dt)
        total_slope = 1.0 / r - side_slope
        resistance[k] = 1.0 / total_slope
        offset[k] = delta - (j - sei - plating) * resistance[k]
        potential[k] = delta
        host_r[k] = r


@njit(cache=True)
def ladder(offset, resistance, solid, ionic, diffusion, wa, wb, c):
    """Ionic current w = wa + wb J at the faces between slices; returns E = ea + eb J to the first centre."""
    n = offset.size
    wa[0], wb[0], wa[n], wb[n] = 0.0, 1.0, 0.0, 0.0
    for k in range(1, n):
        diagonal = resistance[k] + resistance[k - 1] + solid + ionic[k]
        a = offset[k - 1] - offset[k] - diffusion[k]
        b = solid
        if k == 1:
            b += resistance[0]
        else:
            lower = -resistance[k - 1]
            diagonal -= lower * c[k - 1]
            a -= lower * wa[k - 1]
            b -= lower * wb[k - 1]
        c[k] = -resistance[k] / diagonal
        wa[k] = a / diagonal
        wb[k] = b / diagonal
    for k in range(n - 2, 0, -1):
        wa[k] -= c[k] * wa[k + 1]
        wb[k] -= c[k] * wb[k + 1]
    ea = offset[0] + resistance[0] * (wa[0] - wa[1])
    eb = resistance[0] * (wb[0] - wb[1]) + 0.5 * solid
    for k in range(1, n):
        ea -= wa[k] * solid
        eb += (1.0 - wb[k]) * solid
    return ea, eb


@njit(cache=True)
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


@njit(cache=True)
def correct(host, potential, host_r, offset, resistance, wa, wb, j_total):
    """Take the Newton step in one electrode and return its largest change of potential."""
    worst = 0.0
    for k in range(host.size):
        j = (wa[k] - wa[k + 1]) + (wb[k] - wb[k + 1]) * j_total
        change = offset[k] + resistance[k] * j - potential[k]
        host[k] += change / host_r[k]
        potential[k] += change
        worst = max(worst, abs(change))
    return worst


@njit(cache=True)
def commit(state, p, sites, kelvin, dt, potential, wa, wb, j_total, decay, source):
    """Let the electrode live through the step; what the side reactions leave goes to the host."""
    rate = p[DIFFUSION] * arrhenius(p[E_DIFFUSION], kelvin)
    for k in range(state.shape[0]):
        j = (wa[k] - wa[k + 1]) + (wb[k] - wb[k + 1]) * j_total
        sei, plating, _, lost = side_currents(p, state[k, SEI], state[k, PLATED], potential[k], kelvin, dt)
        host = j + sei + plating
        x_rate = -host / sites[k]
        state[k, X] += dt * x_rate
        for m in range(MODES):
            drive = 2.0 / (LAMBDA[m] * LAMBDA[m]) * (1.0 - decay[m]) / (3.0 * rate)
            state[k, MODE + m] = state[k, MODE + m] * decay[m] + drive * x_rate
        state[k, J_HOST] = host
        state[k, SEI] += dt * sei
        state[k, PLATED] += dt * (plating - lost)
        state[k, DEAD] += dt * lost
        source[k] = j


@njit(cache=True)
def salt_step(salt, volume, face, source, dt):
    """Diffusion of the salt, implicit: volume is porosity * width, face is D_eff / distance."""
    n = salt.size
    c = np.empty(n)
    for k in range(n):
        left = face[k] if k > 0 else 0.0
        right = face[k + 1] if k < n - 1 else 0.0
        diagonal = volume[k] / dt + left + right
        value = volume[k] / dt * salt[k] + source[k]
        if k > 0:
            diagonal += left * c[k - 1]
            value += left * salt[k - 1]
        c[k] = -right / diagonal
        salt[k] = value / diagonal
    for k in range(n - 2, -1, -1):
        salt[k] -= c[k] * salt[k + 1]


@njit(cache=True)
def mean_potential(state, sites, table):
    amount, content = 0.0, 0.0
    for k in range(state.shape[0]):
        amount += sites[k]
        content += sites[k] * state[k, X]
    return lookup(table, content / amount)[0]


@njit(cache=True)
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
    width,
    porosity,
    tortuous,
):
    """Advance the four state arrays in place by dt seconds under this control."""
    kelvin = total[TEMPERATURE_K]
    n_pos, n_neg, cells = pos.shape[0], neg.shape[0], salt.size
    n_sep = cells - n_pos - n_neg
    warm = arrhenius(cell[E_SALT], kelvin)
    chi = 2.0 * GAS * kelvin / FARADAY * (1.0 - cell[T_PLUS])

    half_r = np.empty(cells)
    half_d = np.empty(cells)
    for i in range(cells):
        c = min(max(salt[i], DEPLETED), 3.5)
        kappa = warm * tortuous[i] * (cell[K1] * c + cell[K15] * c * math.sqrt(c) + cell[K3] * c * c * c)
        d = warm * tortuous[i] * max(cell[D0] + cell[D1] * c + cell[D2] * c * c, 2e-11)
        half_r[i] = 0.5 * width[i] / kappa
        half_d[i] = 0.5 * width[i] / d
    face_r = np.zeros(cells + 1)
    face_d = np.zeros(cells + 1)
    jump = np.zeros(cells + 1)
    for i in range(1, cells):
        face_r[i] = half_r[i - 1] + half_r[i]
        face_d[i] = 1.0 / (half_d[i - 1] + half_d[i])
        jump[i] = chi * math.log(max(salt[i], DEPLETED) / max(salt[i - 1], DEPLETED))

    ionic_pos = np.empty(n_pos)
    jump_pos = np.empty(n_pos)
    salt_pos = salt[n_neg + n_sep :]
    for k in range(n_pos):
        ionic_pos[k] = face_r[n_neg + n_sep + k]
        jump_pos[k] = jump[n_neg + n_sep + k]
    ionic_neg = np.empty(n_neg)
    jump_neg = np.empty(n_neg)
    salt_neg = np.empty(n_neg)
    for k in range(n_neg):
        ionic_neg[k] = face_r[n_neg - k]
        jump_neg[k] = -jump[n_neg - k]
        salt_neg[k] = salt[n_neg - 1 - k]

    between_r, between_v = 0.0, 0.0
    to_middle_r, to_middle_v = 0.0, 0.0
    middle = n_neg + n_sep // 2
    first = max(n_neg, 1)
    if n_neg == 0:
        between_r = half_r[0]
        to_middle_r = half_r[0]
    for i in range(first, n_neg + n_sep + 1):
        between_r += face_r[i]
        between_v += jump[i]
        if i < middle:
            to_middle_r += face_r[i]
            to_middle_v += jump[i]
    to_middle_r += 0.5 * face_r[middle]
    to_middle_v += 0.5 * jump[middle]

    work_pos = np.empty((8, n_pos + 1))
    work_neg = np.empty((8, n_neg + 1))
    decay_pos = np.empty(MODES)
    decay_neg = np.empty(MODES)
    xf_p, xg_p, ex_p, host_p = (
        work_pos[0, :n_pos],
        work_pos[1, :n_pos],
        work_pos[2, :n_pos],
        work_pos[3, :n_pos],
    )
    of_p, re_p, po_p, hr_p = (
        work_pos[4, :n_pos],
        work_pos[5, :n_pos],
        work_pos[6, :n_pos],
        work_pos[7, :n_pos],
    )
    xf_n, xg_n, ex_n, host_n = (
        work_neg[0, :n_neg],
        work_neg[1, :n_neg],
        work_neg[2, :n_neg],
        work_neg[3, :n_neg],
    )
    of_n, re_n, po_n, hr_n = (
        work_neg[4, :n_neg],
        work_neg[5, :n_neg],
        work_neg[6, :n_neg],
        work_neg[7, :n_neg],
    )
    wa_p, wb_p, c_p = np.zeros(n_pos + 1), np.zeros(n_pos + 1), np.zeros(n_pos + 1)
    wa_n, wb_n, c_n = np.zeros(n_neg + 1), np.zeros(n_neg + 1), np.zeros(n_neg + 1)

    prepare(pos, p_pos, sites_pos, table_pos, salt_pos, kelvin, dt, xf_p, xg_p, ex_p, decay_pos)
    host_p[:] = pos[:, J_HOST]
    solid_p = p_pos[SLICE] / p_pos[SIGMA]
    foil = n_neg == 0
    foil_exchange, solid_n = 1.0, 0.0
    if foil:
        foil_exchange = p_neg[FOIL] * arrhenius(p_neg[E_REACTION], kelvin) * math.sqrt(max(salt[0], DEPLETED))
    else:
        prepare(neg, p_neg, sites_neg, table_neg, salt_neg, kelvin, dt, xf_n, xg_n, ex_n, decay_neg)
        host_n[:] = neg[:, J_HOST]
        solid_n = p_neg[SLICE] / p_neg[SIGMA]

    twice_rt = 2.0 * GAS * kelvin / FARADAY
    current = total[CURRENT]
    en_a, en_b, va, vb = 0.0, 0.0, 0.0, 1.0
    for _ in range(ITERATIONS):
        linearise(pos, p_pos, table_pos, kelvin, dt, xf_p, xg_p, ex_p, host_p, of_p, re_p, po_p, hr_p)
        ep_a, ep_b = ladder(of_p, re_p, solid_p, ionic_pos, jump_pos, wa_p, wb_p, c_p)
        if foil:
            en_b = twice_rt / math.sqrt(current * current + 4.0 * foil_exchange * foil_exchange)
            en_a = -twice_rt * math.asinh(0.5 * current / foil_exchange) + en_b * current
        else:
            linearise(neg, p_neg, table_neg, kelvin, dt, xf_n, xg_n, ex_n, host_n, of_n, re_n, po_n, hr_n)
            en_a, en_b = ladder(of_n, re_n, solid_n, ionic_neg, jump_neg, wa_n, wb_n, c_n)
        va = ep_a - en_a + between_v
        vb = ep_b + en_b + between_r + cell[CONTACT]
        before = current
        current = controlled_current(mode, setpoint, va, vb, cell)
        worst = correct(host_p, po_p, hr_p, of_p, re_p, wa_p, wb_p, current)
        if foil:
            worst = max(worst, abs(current - before) * en_b)
        else:
            worst = max(worst, correct(host_n, po_n, hr_n, of_n, re_n, wa_n, wb_n, -current))
        if worst < TOLERANCE_V:
            break

    source = np.zeros(cells)
    commit(pos, p_pos, sites_pos, kelvin, dt, po_p, wa_p, wb_p, current, decay_pos, source[n_neg + n_sep :])
    per_mol = (1.0 - cell[T_PLUS]) / (FARADAY * 1000.0)
    if foil:
        source[0] = -current
    else:
        source_neg = np.empty(n_neg)
        commit(neg, p_neg, sites_neg, kelvin, dt, po_n, wa_n, wb_n, -current, decay_neg, source_neg)
        for k in range(n_neg):
            source[n_neg - 1 - k] = source_neg[k]
    for i in range(cells):
        source[i] *= per_mol
    salt_step(salt, porosity * width, face_d, source, dt)

    voltage = va + vb * current
    open_circuit = mean_potential(pos, sites_pos, table_pos)
    if not foil:
        open_circuit -= mean_potential(neg, sites_neg, table_neg)
    heat = current * (voltage - open_circuit)
    stored = cell[HEAT_CAPACITY] / dt
    total[TEMPERATURE_K] = (stored * kelvin + heat + cell[HEAT_LOSS] * total[AMBIENT_K]) / (
        stored + cell[HEAT_LOSS]
    )
    total[CURRENT] = current
    total[VOLTAGE] = voltage
    total[E_NEGATIVE] = en_a - en_b * current - to_middle_r * current - to_middle_v
    total[E_POSITIVE] = voltage + total[E_NEGATIVE]
    total[CHARGE] += dt * current
    if foil:
        total[FOIL_CHARGE] += dt * current

"""How close the reduced cell model is to PyBaMM's Doyle-Fuller-Newman model, and how fast.

Prints two Markdown tables. The reduced model takes the parameters of the set Chen2020 as they are, without
a fitted number; the first table shows what the coarse grid costs, without side reactions, at 25 C.
PyBaMM's current is positive on discharge; the functions here take and return + for charge.
"""

import os
import time
from functools import cache

from intercalate.materials.constants import FARADAY_C_PER_MOL

os.environ["PYBAMM_DISABLE_TELEMETRY"] = "true"

import numpy as np
import pybamm

from intercalate.contract import ControlMode
from intercalate_sims.cell import make_cell
from intercalate_sims.cell.intercalation import IntercalationCell
from intercalate_sims.cell.parameters import NMC811_GRAPHITE, PorousElectrode

REFERENCE_AREA_M2 = 0.1027
NOMINAL_A = 5.0
SLICES = (4, 8, 16)
CASES = tuple((rate, sign) for rate in (0.1, 0.5, 1.0) for sign in (-1, 1))
SOC_LIMITS = (0.05, 0.95)


def window_ah() -> float:
    """Capacity of the reference cell between the contents at 0 and 100 % state of charge."""
    negative = NMC811_GRAPHITE.negative
    assert isinstance(negative, PorousElectrode)
    empty, full = NMC811_GRAPHITE.negative_x_window
    return (full - empty) * negative.sites_mol_m2 * FARADAY_C_PER_MOL / 3600.0 * REFERENCE_AREA_M2


@cache
def reference_curve(c_rate: float, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Discharge (sign -1) from 100 % or charge (+1) from 0 % at 25 C.

    Returns
    -------
    soc, voltage_v
    """
    start = 1.0 if sign < 0 else 0.0
    model = pybamm.lithium_ion.DFN()
    values = pybamm.ParameterValues("Chen2020")
    values["Current function [A]"] = -sign * c_rate * NOMINAL_A
    values.set_initial_state(start)
    duration_s = 0.97 * window_ah() / (c_rate * NOMINAL_A) * 3600.0
    simulation = pybamm.Simulation(model, parameter_values=values, solver=pybamm.IDAKLUSolver())
    time_s = np.linspace(0.0, duration_s, 400)
    solution = simulation.solve([0.0, duration_s], t_interp=time_s)
    soc = start + sign * time_s * c_rate * NOMINAL_A / 3600.0 / window_ah()
    return soc, solution["Voltage [V]"](time_s)


def reduced_curve(slices: int, c_rate: float, sign: int, dt_s: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """The same of the reduced model, without side reactions.

    Returns
    -------
    soc, voltage_v
    """
    start = 1.0 if sign < 0 else 0.0
    cell = IntercalationCell(
        NMC811_GRAPHITE,
        dt_s=dt_s,
        area_cm2=REFERENCE_AREA_M2 * 1e4,
        initial_soc=start,
        slices=slices,
        side_reactions=False,
    )
    capacity_ah = window_ah()
    steps = int(0.96 * capacity_ah / (c_rate * NOMINAL_A) * 3600.0 / dt_s)
    current_a = sign * c_rate * NOMINAL_A
    readings = [cell.advance(ControlMode.CURRENT, current_a) for _ in range(steps)]
    soc = start + np.array([r.charge_ah for r in readings]) / capacity_ah
    return soc, np.array([r.voltage_v for r in readings])


def voltage_error_v(slices: int, c_rate: float, sign: int) -> np.ndarray:
    """Reduced model minus reference on 181 points of 5 to 95 %, where that is within 2.5 to 4.2 V."""
    grid = np.linspace(*SOC_LIMITS, 181)
    curves = []
    for soc, voltage in (reference_curve(c_rate, sign), reduced_curve(slices, c_rate, sign)):
        order = np.argsort(soc)
        curves.append(np.interp(grid, soc[order], voltage[order]))
    within = (curves[0] >= 2.5) & (curves[0] <= 4.2)
    return (curves[1] - curves[0])[within]


def step_time_s(spec: str, steps: int, c_rate: float, dt_s: float = 2.0) -> float:
    """Processor time of one step of a cell charged from half full."""
    cell = make_cell(spec, initial_soc=0.5, dt_s=dt_s)
    current_a = c_rate * cell.describe()["nominal_capacity_ah"]
    cell.advance(ControlMode.CURRENT, current_a)
    start = time.process_time()
    for _ in range(steps):
        cell.advance(ControlMode.CURRENT, current_a)
    return (time.process_time() - start) / steps


def main() -> None:
    """Print both tables."""
    print("| C-rate | direction | points | " + " | ".join(f"rms, {n} slices (mV)" for n in SLICES), end="")
    print(" | largest, 8 slices (mV) |")
    print("|---|---|---|" + "---|" * (len(SLICES) + 1))
    for c_rate, sign in CASES:
        errors_mv = {n: 1e3 * voltage_error_v(n, c_rate, sign) for n in SLICES}
        rms = " | ".join(f"{np.sqrt(np.mean(e**2)):.2f}" for e in errors_mv.values())
        direction = "charge" if sign > 0 else "discharge"
        print(f"| {c_rate} | {direction} | {errors_mv[8].size} | {rms} | {np.abs(errors_mv[8]).max():.1f} |")
    print()
    print("| cell, dt 2 s | processor time per step | cell time per processor time |")
    print("|---|---|---|")
    for spec, steps in (("nmc811-graphite", 5000), ("graphite-li", 5000), ("pybamm:Chen2020", 50)):
        seconds = step_time_s(spec, steps, 0.2)
        print(f"| {spec} | {1e6 * seconds:.0f} us | {2.0 / seconds:.2g} |")


if __name__ == "__main__":
    main()

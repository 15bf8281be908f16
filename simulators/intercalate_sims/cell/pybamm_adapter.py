"""PyBaMM's Doyle-Fuller-Newman model behind the interface of a simulated cell."""

import math
import os
from typing import Any

import numpy as np

from intercalate.contract import ControlMode
from intercalate_sims.cell.interface import ElectrodeState, ProbeState, Reading
from intercalate_sims.cell.parameters import NMC811_GRAPHITE, PorousElectrode

SPEC = "pybamm:Chen2020"
REFERENCE_AREA_M2 = 0.1027
NOMINAL_A = 5.0
SLICES = 8
POINTS_PER_SLICE = 2
LIMIT_C_RATE = 10.0
LIMITS_V = (2.3, 4.4)
PARTS = (1.0, 0.5, 0.25, 0.125, 0.0625)
SOLVER_OPTIONS = {
    "max_num_steps": 1000,
    "dt_min": 1e-5,
    "max_convergence_failures": 10,
    "silence_sundials_errors": True,
}
"""A step within reach takes some tens of the solver's; these end one out of reach instead of going on."""
SIGN = -1.0
"""PyBaMM counts discharge positive: current and power change sign both ways with this factor only."""
ZERO_CELSIUS_K = 273.15


def import_pybamm() -> Any:
    """Import PyBaMM with its telemetry switched off.

    Raises
    ------
    ImportError
        If it is not installed, with the command that installs it.
    """
    os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    try:
        import pybamm
    except ImportError as error:
        raise ImportError(
            f"the cell {SPEC!r} needs PyBaMM, which is not installed: pip install intercalate[pybamm]"
        ) from error
    return pybamm


class PybammCell:
    """The DFN with the set Chen2020, scaled to a disc; isothermal, without side reactions.

    Every step starts from the state vector alone, at model time 0, so that a restored cell continues
    identically. Setpoints saturate at 10C and at 2.3 and 4.4 V, beyond which the set has no meaning: a
    current or power that would leave them is halved until it does not. A step that the solver cannot
    take even so is replaced by one at rest; the reading then shows no current.

    Parameters
    ----------
    seed
        Kept for the metadata; the model has nothing random.
    dt_s, area_cm2, temperature_c
        As in `make_cell`.
    initial_soc
        Between the contents at 2.5 and 4.2 V; None is 0, as the set knows no cell before formation.

    Raises
    ------
    ImportError
        If PyBaMM is not installed.
    ValueError
        If a number is out of its range.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        dt_s: float = 2.0,
        area_cm2: float | None = None,
        temperature_c: float = 25.0,
        initial_soc: float | None = None,
    ):
        soc = 0.0 if initial_soc is None else initial_soc
        if not 0.0 <= soc <= 1.0:
            raise ValueError(f"initial_soc = {soc} is outside 0 to 1")
        if not 0.1 <= dt_s <= 10.0:
            raise ValueError(f"dt_s = {dt_s} is outside 0.1 to 10")
        self._pybamm = import_pybamm()
        self.seed = seed
        self.dt_s = dt_s
        self.temperature_c = temperature_c
        self.area_m2 = (NMC811_GRAPHITE.area_cm2 if area_cm2 is None else area_cm2) * 1e-4
        self._steps = 0
        self._charge_ah = 0.0
        self._solver = self._pybamm.IDAKLUSolver(options=SOLVER_OPTIONS)
        self._model = self._build(soc)
        self._inputs = _inputs(ControlMode.REST, 0.0)
        self._solution = self._solver.step(None, self._model, 1e-6, inputs=self._inputs, save=False)
        self._keep_last()
        self._reading = self._read()

    def _build(self, soc: float) -> Any:
        """The discretised model, whose control is chosen by input parameters in each step."""
        pybamm = self._pybamm

        def control(variables: dict[str, Any]) -> Any:
            current, voltage = variables["Current [A]"], variables["Voltage [V]"]
            setpoint = pybamm.InputParameter("setpoint")
            return (
                pybamm.InputParameter("hold current") * (current - setpoint)
                + pybamm.InputParameter("hold voltage") * (voltage - setpoint)
                + pybamm.InputParameter("hold power") * (current * voltage - setpoint)
            )

        model = pybamm.lithium_ion.DFN({"operating mode": control})
        model.insert_reference_electrode()
        model.events = []
        values = pybamm.ParameterValues("Chen2020")
        kelvin = self.temperature_c + ZERO_CELSIUS_K
        values.update({"Ambient temperature [K]": kelvin, "Initial temperature [K]": kelvin})
        values.set_initial_state(soc)
        points = dict.fromkeys(("x_n", "x_p"), SLICES * POINTS_PER_SLICE)
        simulation = pybamm.Simulation(
            model, parameter_values=values, var_pts=points | {"x_s": 10, "r_n": 20, "r_p": 20}
        )
        simulation.build()
        return simulation.built_model

    def _keep_last(self) -> None:
        """Forget all of the solution but its last point."""
        state = np.asarray(self._solution.y)[:, -1:]
        self._solution = self._pybamm.Solution(np.zeros(1), state, self._model, self._inputs)

    def _try_step(self, inputs: dict[str, float]) -> bool:
        """Take a step, unless the solver cannot or the voltage would leave the limits."""
        try:
            solution = self._solver.step(self._solution, self._model, self.dt_s, inputs=inputs, save=False)
        except self._pybamm.SolverError:
            return False
        if not np.all(np.isfinite(np.asarray(solution.y)[:, -1])):
            return False
        if inputs["hold voltage"] == 0.0 and inputs["setpoint"] != 0.0:
            voltage_v = float(np.asarray(solution["Voltage [V]"].entries)[-1])
            charging = SIGN * inputs["setpoint"] > 0.0
            if voltage_v > LIMITS_V[1] if charging else voltage_v < LIMITS_V[0]:
                return False
        self._solution, self._inputs = solution, inputs
        self._keep_last()
        return True

    def advance(self, mode: ControlMode, setpoint: float) -> Reading:
        """Let one step of `dt_s` pass under this control and read the terminals at its end.

        Raises
        ------
        ValueError
            If the setpoint is not a finite number.
        RuntimeError
            If the solver can take no step, not even at rest.
        """
        if not math.isfinite(setpoint):
            raise ValueError(
                f"setpoint {setpoint} of {mode} is not a finite number; the cell did not advance"
            )
        scale = REFERENCE_AREA_M2 / self.area_m2
        parts = (1.0,) if mode in (ControlMode.VOLTAGE, ControlMode.REST) else PARTS
        attempts = [_inputs(mode, part * setpoint, scale) for part in parts]
        attempts.append(_inputs(ControlMode.REST, 0.0))
        if not any(self._try_step(inputs) for inputs in attempts):
            raise RuntimeError(f"PyBaMM can take no step from the state at {self._steps * self.dt_s} s")
        self._steps += 1
        current_a = self._terminal_current_a()
        self._charge_ah += current_a * self.dt_s / 3600.0
        self._reading = self._read()
        return self._reading

    def _value(self, name: str) -> np.ndarray:
        return np.asarray(self._solution[name].entries)[..., -1]

    def _terminal_current_a(self) -> float:
        """Current of the disc in our sign."""
        current_a = float(self._value("Current [A]"))
        return SIGN * current_a * self.area_m2 / REFERENCE_AREA_M2 if current_a else 0.0

    def _read(self) -> Reading:
        return Reading(
            time_s=self._steps * self.dt_s,
            voltage_v=float(self._value("Voltage [V]")),
            current_a=self._terminal_current_a(),
            charge_ah=self._charge_ah,
            temperature_c=self.temperature_c,
            positive_potential_v=float(self._value("Positive electrode 3E potential [V]")),
            negative_potential_v=float(self._value("Negative electrode 3E potential [V]")),
        )

    def reading(self) -> Reading:
        """Terminals at the end of the last step; of a new cell, its open-circuit voltage."""
        return self._reading

    def probe_state(self) -> ProbeState:
        """Show the inside of the cell now."""
        negative = NMC811_GRAPHITE.negative
        assert isinstance(negative, PorousElectrode)
        return ProbeState(
            time_s=self._steps * self.dt_s,
            temperature_c=self.temperature_c,
            positive=self._electrode("Positive", NMC811_GRAPHITE.positive, from_separator=True),
            negative=self._electrode("Negative", negative, from_separator=False),
            plated_li_ah=0.0,
            sei_charge_ah=0.0,
        )

    def _electrode(self, side: str, electrode: PorousElectrode, *, from_separator: bool) -> ElectrodeState:
        """Mean and spread of x over the shells of the particles and the mesh points of each slice."""
        x = self._value(f"{side} particle concentration")
        edges = np.linspace(0.0, 1.0, x.shape[0] + 1)
        weight = np.diff(edges**3)[:, None, None] / POINTS_PER_SLICE
        x = x.reshape(x.shape[0], SLICES, POINTS_PER_SLICE)
        mean = np.sum(weight * x, axis=(0, 2))
        spread = np.sqrt(np.sum(weight * (x - mean[None, :, None]) ** 2, axis=(0, 2)))
        order = slice(None) if from_separator else slice(None, None, -1)
        return ElectrodeState(
            material=electrode.material,
            li_content=tuple(mean[order].tolist()),
            li_spread=tuple(spread[order].tolist()),
            thickness_um=electrode.thickness_m * 1e6,
            active_loading_mg_cm2=electrode.active_loading_mg_cm2,
        )

    def to_state(self) -> dict[str, Any]:
        """Complete state as JSON-able values; `restore_cell` makes an identical cell of it."""
        return {
            "spec": SPEC,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_m2": self.area_m2,
            "temperature_c": self.temperature_c,
            "steps": self._steps,
            "charge_ah": self._charge_ah,
            "inputs": self._inputs,
            "y": np.asarray(self._solution.y)[:, -1].tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "PybammCell":
        """Make the cell that `to_state` described.

        Raises
        ------
        KeyError
            If an entry is missing.
        ValueError
            If the state vector is not that of this model.
        """
        cell = cls(seed=state["seed"], dt_s=state["dt_s"], temperature_c=state["temperature_c"])
        y = np.array(state["y"], dtype=float)[:, None]
        expected = np.asarray(cell._solution.y).shape[0]
        if y.shape[0] != expected:
            raise ValueError(
                f"state['y'] holds {y.shape[0]} numbers, {expected} expected: another PyBaMM or mesh"
            )
        cell.area_m2 = state["area_m2"]
        cell._steps, cell._charge_ah, cell._inputs = state["steps"], state["charge_ah"], dict(state["inputs"])
        cell._solution = cell._pybamm.Solution(np.zeros(1), y, cell._model, cell._inputs)
        cell._reading = cell._read()
        return cell

    def describe(self) -> dict[str, Any]:
        """Model, parameters and seed, JSON-able, for the metadata of simulated data."""
        return {
            "model": "pybamm DFN",
            "version": self._pybamm.__version__,
            "spec": SPEC,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_cm2": self.area_m2 * 1e4,
            "nominal_capacity_ah": NOMINAL_A * self.area_m2 / REFERENCE_AREA_M2,
            "slices": SLICES,
        }


def _inputs(mode: ControlMode, setpoint: float, scale: float = 1.0) -> dict[str, float]:
    """PyBaMM's inputs for a control, at the size of its own cell."""
    limit_a = LIMIT_C_RATE * NOMINAL_A
    if mode is ControlMode.VOLTAGE:
        value = min(max(setpoint, LIMITS_V[0]), LIMITS_V[1])
    elif mode is ControlMode.POWER:
        limit_w = limit_a * LIMITS_V[1]
        value = SIGN * min(max(setpoint * scale, -limit_w), limit_w)
    else:
        value = 0.0 if mode is ControlMode.REST else SIGN * min(max(setpoint * scale, -limit_a), limit_a)
    return {
        "hold current": float(mode in (ControlMode.REST, ControlMode.CURRENT)),
        "hold voltage": float(mode is ControlMode.VOLTAGE),
        "hold power": float(mode is ControlMode.POWER),
        "setpoint": value,
    }

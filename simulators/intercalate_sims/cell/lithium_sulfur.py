"""A cell of sulfur against lithium: the zero-dimensional model of Marinescu, Zhang and Offer."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from intercalate.contract import ControlMode
from intercalate.materials.constants import FARADAY_C_PER_MOL, GAS_J_MOL_K
from intercalate_sims.cell import sulfur_kernel as kernel
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import ElectrodeState, ProbeState, Reading
from intercalate_sims.cell.lithium_growth import LITHIUM_CHARGE_C_M3
from intercalate_sims.cell.shapes import REFERENCE_K, SulfurCellParameters
from intercalate_sims.cell.sulfur_speciation import SULFUR_G_MOL, sulfur_state

MODEL = "lithium-sulfur"
AS_ASSEMBLED = (0.9899, 0.0101, 1.5e-6, 3.0e-7, 1.0e-6)
"""Shares of the sulfur in S8, S4(2-), S2(2-), S(2-) and solid Li2S of a charged cell at rest."""
NAMES = ("S8", "S4(2-)", "S2(2-)", "S(2-)", "Li2S")
ATOMS = np.array([8.0, 4.0, 2.0, 1.0, 1.0])
LITHIATED = np.array([0.0, 0.25, 0.5, 1.0, 1.0])
"""Of each species, in parts of Li2S."""
START_C_RATE, START_STEP_S = 0.05, 20.0
ZERO_CELSIUS_K = 273.15
MODE_CODES = {
    ControlMode.REST: kernel.REST,
    ControlMode.CURRENT: kernel.CONTROL_CURRENT,
    ControlMode.VOLTAGE: kernel.CONTROL_VOLTAGE,
    ControlMode.POWER: kernel.CONTROL_POWER,
}


class SulfurCell:
    """Two reactions of dissolved species, precipitation, and the shuttle, without any place in space.

    S8 + 4 e- = 2 S4(2-) and S4(2-) + 4 e- = 2 S(2-) + S2(2-): Marinescu, Zhang & Offer, Phys. Chem. Chem.
    Phys. 18 (2016) 584. Where the polysulfide between both is a longer chain of n atoms, the high plateau
    takes 16 / n electrons per S8 and the low one the rest of 12; the second reaction makes as much sulfur of
    each product as before. With i of discharge, species as mass, for n = 4:

    - potentials: E_H + (RT/4F) ln(f_h S8 / S4^2) and E_L + (RT/4F) ln(f_l S4 / (S^2 S2)) with
      f_h = n4^2 M v / n8 and f_l = n1^2 n2 M^2 v^2 / n4; both reactions are at one potential,
      i = 2 i0 a sinh(4F (E - V) / 2RT).
    - S(2-) precipitates as Li2S at k_p Sp (S - S_sat) / (v rho), and dissolves where S is below S_sat.
    - shuttle: k_s S8 is reduced to S4(2-) by the lithium, and passes no current outside.
    - lithium foil and contacts: (2RT/F) asinh(I / 2 i0) and a resistance.

    Solid S8 is not told from dissolved S8, and S2(2-) stays dissolved, so that 12 of 16 electrons of S8 are
    used; nothing is lost for good. What of it probes meet solid and what dissolved is reckoned from
    that: `sulfur_speciation`. Isothermal. Backward Euler; a step is halved while it and two halves
    of it differ; a reading's current is the mean of its step, its voltage that at the end. A setpoint out
    of reach saturates: at 0.5 and 4 V, and at 16 A per gram of sulfur.

    Parameters
    ----------
    parameters
        The chemistry.
    seed
        Kept for the metadata; the model has nothing random.
    dt_s
        Step, 0.1 to 10 s.
    area_cm2
        Electrode area; that of the parameters if None.
    temperature_c
        Of the cell.
    initial_soc
        None: as assembled. Otherwise, at 1 the same; below, discharged from there at C/20 without a shuttle.
    shuttle_per_s
        The true rate of the shuttle, where it is not that of the parameters; `describe` does not tell it.
    host
        How sulfur reacts as far as probes are concerned; `describe` does not tell it.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    def __init__(
        self,
        parameters: SulfurCellParameters,
        *,
        seed: int = 0,
        dt_s: float = 2.0,
        area_cm2: float | None = None,
        temperature_c: float | None = None,
        initial_soc: float | None = None,
        shuttle_per_s: float | None = None,
        host: str = Host.STAGED,
    ):
        area_cm2 = parameters.area_cm2 if area_cm2 is None else area_cm2
        temperature_c = parameters.temperature_c if temperature_c is None else temperature_c
        shuttle = parameters.shuttle_per_s if shuttle_per_s is None else shuttle_per_s
        _check_range("dt_s", dt_s, 0.1, 10.0)
        _check_range("area_cm2", area_cm2, 1e-3, 1e5)
        _check_range("temperature_c", temperature_c, -60.0, 90.0)
        _check_range("shuttle_per_s", shuttle, 0.0, 0.1)
        self.parameters, self.seed, self.dt_s = parameters, seed, dt_s
        self.area_m2 = area_cm2 * 1e-4
        self._shuttle, self._host = shuttle, Host(host)
        self._kelvin = temperature_c + ZERO_CELSIUS_K
        self._species = np.array(AS_ASSEMBLED)
        self._species /= self._species.sum()
        self._steps, self._charge_c_m2 = 0, 0.0
        self._foil_c_m2 = parameters.negative.thickness_m * LITHIUM_CHARGE_C_M3
        if initial_soc is not None:
            _check_range("initial_soc", initial_soc, 0.0, 1.0)
            self._discharge_to(initial_soc)
        # Traces decide the potential of a cell at rest: let both reactions agree on them.
        _, voltage = kernel.step(self._species, kernel.REST, 0.0, 10.0, self._vector(0.0))
        self._current_a_m2, self._voltage_v = 0.0, float(voltage)

    def _vector(self, shuttle_per_s: float) -> np.ndarray:
        """Parameters in the order of the kernel."""
        p, thermal = self.parameters, GAS_J_MOL_K * self._kelvin / FARADAY_C_PER_MOL
        foil = p.negative
        warm = math.exp(
            foil.reaction_activation_j_mol / GAS_J_MOL_K * (1.0 / REFERENCE_K - 1.0 / self._kelvin)
        )
        v = np.zeros(kernel.PARAMETERS)
        v[kernel.E_HIGH], v[kernel.E_LOW] = p.high_potential_v, p.low_potential_v
        v[kernel.I_HIGH] = p.high_exchange_a_m2 * p.surface_m2_g
        v[kernel.I_LOW] = p.low_exchange_a_m2 * p.surface_m2_g
        volume = SULFUR_G_MOL * p.electrolyte_l_g
        n = v[kernel.CHAIN] = p.chain_atoms
        if n == 4.0:
            v[kernel.F_HIGH] = 4.0**2 * volume / 8.0
            v[kernel.F_LOW] = 2.0 * volume**2 / 4.0
        else:
            v[kernel.F_HIGH] = (n * volume) ** (8.0 / n) / (8.0 * volume)
            v[kernel.F_LOW] = volume ** (n / 2.0) * (2.0 * volume) ** (n / 4.0) / (n * volume)
        v[kernel.PRECIPITATION] = p.precipitation_per_s / (p.electrolyte_l_g * p.precipitate_g_l)
        v[kernel.SATURATION] = p.saturation_share
        v[kernel.SHUTTLE] = shuttle_per_s
        v[kernel.THERMAL_V] = thermal
        v[kernel.RESISTANCE] = p.contact_resistance_ohm_m2 * p.sulfur_g_m2
        v[kernel.I_LITHIUM] = foil.exchange_current_a_m2 * warm / p.sulfur_g_m2
        return v

    def _discharge_to(self, soc: float) -> None:
        """Take the charge out that a cell at this state of charge has given."""
        p = self.parameters
        current = START_C_RATE * p.nominal_capacity_ah_m2 / p.sulfur_g_m2
        steps = round((1.0 - soc) * 3600.0 / START_C_RATE / START_STEP_S)
        vector = self._vector(0.0)
        for _ in range(steps):
            passed, _ = kernel.step(self._species, kernel.CONTROL_CURRENT, current, START_STEP_S, vector)
            self._foil_c_m2 -= passed * p.sulfur_g_m2 * START_STEP_S

    def advance(self, mode: ControlMode, setpoint: float) -> Reading:
        """Let one step of `dt_s` pass under this control and read the terminals at its end.

        Parameters
        ----------
        mode
            What is held.
        setpoint
            A, V or W; + charges. Ignored at rest.

        Raises
        ------
        ValueError
            If the setpoint is not a finite number.
        """
        if not math.isfinite(setpoint):
            raise ValueError(
                f"setpoint {setpoint} of {mode} is not a finite number; the cell did not advance"
            )
        code, loading = MODE_CODES[mode], self.parameters.sulfur_g_m2
        # The kernel counts discharge positive, per gram of sulfur.
        value = setpoint if code == kernel.CONTROL_VOLTAGE else -setpoint / self.area_m2 / loading
        given, voltage = kernel.step(self._species, code, value, self.dt_s, self._vector(self._shuttle))
        self._current_a_m2, self._voltage_v = (-given * loading if given else 0.0), float(voltage)
        passed = self._current_a_m2 * self.dt_s
        self._charge_c_m2 += passed
        self._foil_c_m2 += passed
        self._steps += 1
        return self.reading()

    def reading(self) -> Reading:
        """Terminals at the end of the last step; of a new cell, its open-circuit voltage."""
        foil = self._vector(0.0)[kernel.I_LITHIUM] * self.parameters.sulfur_g_m2
        thermal_v = GAS_J_MOL_K * self._kelvin / FARADAY_C_PER_MOL
        negative_v = -2.0 * thermal_v * math.asinh(0.5 * self._current_a_m2 / foil)
        return Reading(
            time_s=self._steps * self.dt_s,
            voltage_v=self._voltage_v,
            current_a=self._current_a_m2 * self.area_m2,
            charge_ah=self._charge_c_m2 * self.area_m2 / 3600.0,
            temperature_c=self._kelvin - ZERO_CELSIUS_K,
            positive_potential_v=self._voltage_v + negative_v,
            negative_potential_v=negative_v,
        )

    @property
    def ambient_temperature_c(self) -> float:
        """Temperature of the surroundings, and of the cell; a heating stage sets it."""
        return self._kelvin - ZERO_CELSIUS_K

    @ambient_temperature_c.setter
    def ambient_temperature_c(self, value: float) -> None:
        _check_range("ambient_temperature_c", value, -60.0, 90.0)
        self._kelvin = value + ZERO_CELSIUS_K

    def sulfur_shares(self) -> dict[str, float]:
        """Parts of all sulfur in each species; they sum to 1."""
        return dict(zip(NAMES, self._species.tolist()))

    @property
    def _lithiated(self) -> float:
        """All sulfur, in parts of Li2S."""
        chain = np.array(LITHIATED)
        chain[kernel.S4] = 1.0 / self.parameters.chain_atoms
        return float(chain @ self._species)

    def probe_state(self) -> ProbeState:
        """Show the inside of the cell now; x of the sulfur counts Li2S as 1."""
        p = self.parameters
        atoms = np.array(ATOMS)
        atoms[kernel.S4] = p.chain_atoms
        mmol = 1e3 * p.sulfur_g_m2 * self.area_m2 / SULFUR_G_MOL * self._species / atoms
        lithiated = self._lithiated
        sulfur = sulfur_state(p, tuple(self._species.tolist()), lithiated, self._host)
        positive = ElectrodeState(
            material="S",
            li_content=(lithiated,),
            li_spread=(0.0,),
            thickness_um=p.thickness_m * 1e6,
            active_loading_mg_cm2=0.1 * p.sulfur_g_m2,
            host=self._host,
        )
        foil_um = 1e6 * self._foil_c_m2 / LITHIUM_CHARGE_C_M3
        return ProbeState(
            time_s=self._steps * self.dt_s,
            temperature_c=self._kelvin - ZERO_CELSIUS_K,
            positive=positive,
            negative=ElectrodeState(p.negative.material, (), (), foil_um, 0.0),
            plated_li_ah=0.0,
            sei_charge_ah=0.0,
            species=tuple(zip(NAMES, mmol.tolist())),
            sulfur=sulfur,
        )

    def to_state(self) -> dict[str, Any]:
        """Complete state as JSON-able values; `restore_cell` makes an identical cell of it."""
        return {
            "model": MODEL,
            "spec": self.parameters.name,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_m2": self.area_m2,
            "shuttle_per_s": self._shuttle,
            "host": str(self._host),
            "kelvin": self._kelvin,
            "steps": self._steps,
            "charge_c_m2": self._charge_c_m2,
            "foil_c_m2": self._foil_c_m2,
            "current_a_m2": self._current_a_m2,
            "voltage_v": self._voltage_v,
            "species": self._species.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], parameters: SulfurCellParameters) -> "SulfurCell":
        """Make the cell that `to_state` described.

        Raises
        ------
        KeyError
            If an entry is missing.
        ValueError
            If there are not as many species as in the model.
        """
        cell = cls(
            parameters,
            seed=state["seed"],
            dt_s=state["dt_s"],
            shuttle_per_s=state["shuttle_per_s"],
            host=state["host"],
        )
        species = np.array(state["species"], dtype=float)
        if species.shape != (kernel.SPECIES,):
            raise ValueError(f"state['species'] has the shape {species.shape}, {(kernel.SPECIES,)} expected")
        cell.area_m2, cell._kelvin = state["area_m2"], state["kelvin"]
        cell._steps, cell._charge_c_m2, cell._foil_c_m2 = (
            state["steps"],
            state["charge_c_m2"],
            state["foil_c_m2"],
        )
        cell._species, cell._current_a_m2, cell._voltage_v = (
            species,
            state["current_a_m2"],
            state["voltage_v"],
        )
        return cell

    def describe(self) -> dict[str, Any]:
        """Model, parameters and seed, JSON-able, for the metadata of simulated data."""
        return {
            "model": MODEL,
            "spec": self.parameters.name,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_cm2": self.area_m2 * 1e4,
            "nominal_capacity_ah": self.parameters.nominal_capacity_ah_m2 * self.area_m2,
            "parameters": asdict(self.parameters),
        }


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value} is outside {low} to {high}")

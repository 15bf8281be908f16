"""A cell of two electrodes of lithium: salt between them, what grows on them, and the short circuit."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from intercalate.contract import ControlMode
from intercalate.materials.constants import FARADAY_C_PER_MOL, GAS_J_MOL_K
from intercalate_sims.cell import lithium_growth as growing
from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.interface import ElectrodeState, ProbeState, Reading
from intercalate_sims.cell.lithium_step import NEGATIVE, POSITIVE, StepRelations, shorted
from intercalate_sims.cell.shapes import REFERENCE_K, LithiumCellParameters

MODEL = "lithium-metal"
SALT_CELLS = 30
DEPLETED, SATURATED = 1e-4, 3.5
"""Salt in mol/L beyond which transport changes no further."""
SCATTER = 0.05
"""Of the exchange current densities of the two faces, relative."""
TALLEST = (1.6, 2.4)
"""Height of the tallest needle of a cell over the mean, between which it is drawn."""
ZERO_CELSIUS_K = 273.15


class LithiumMetalCell:
    """Two faces of lithium and a binary electrolyte between them, in one dimension.

    + current dissolves lithium at the positive and plates it at the negative electrode.

    - electrolyte: porosity dc/dt = div(D_eff grad c), with the flux (1 - t+) I/F at both faces; finite
      volumes, finer towards the faces, backward Euler. Where the salt at the plating face would be used up
      the current cannot be held: Sand's time above, and a steady gradient below, the limiting current
      2 F c0 D / ((1 - t+) L) (Chazalviel, Phys. Rev. A 42 (1990) 7355) follow from this.
    - faces: eta = (2RT/F) asinh(I / 2 i0), i0 = k sqrt(c) times the surface that moss adds, Arrhenius in k,
      and an ohmic film; diffusion potential (2RT/F)(1 - t+) ln(c+/c-); Ohm's law between.
    - growth: of what is plated a part grows as needles, the more the further the current density is above
      a turn-over, or the salt at the face is used up; the rest lies flat or grows as moss or, at impurities,
      as globules. What has grown is stripped first, and a part of it stays behind dead.
    - short circuit: the tallest needle reaches across. It stays; the voltage is then that of a small
      resistance, and nothing reacts any more.
    - heat: C dT/dt = I V - h (T - T_ambient).

    Currents are per area of the flat face. A setpoint out of reach saturates: at 100 mA/cm2 and 5 V. The cell
    gives no power of its own: a negative power is taken as rest.

    Parameters
    ----------
    parameters
        The chemistry.
    seed
        Of the scatter between faces and of the tallest needle.
    dt_s
        Step, 0.1 to 10 s.
    area_cm2
        Electrode area; that of the parameters if None.
    temperature_c
        Of the surroundings and, at first, of the cell.
    initial_soc
        Without effect: a symmetric cell has no state of charge.
    turnover_current_a_m2
        The true turn-over, where it is not that of the parameters; `describe` does not tell it.
    growth
        How lithium grows by the current density; `describe` does not tell it.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    def __init__(
        self,
        parameters: LithiumCellParameters,
        *,
        seed: int = 0,
        dt_s: float = 2.0,
        area_cm2: float | None = None,
        temperature_c: float | None = None,
        initial_soc: float | None = None,
        turnover_current_a_m2: float | None = None,
        growth: Growth = Growth.REAL,
    ):
        area_cm2 = parameters.area_cm2 if area_cm2 is None else area_cm2
        temperature_c = parameters.temperature_c if temperature_c is None else temperature_c
        turnover = turnover_current_a_m2
        turnover = parameters.growth.turnover_current_a_m2 if turnover is None else turnover
        _check_range("dt_s", dt_s, 0.1, 10.0)
        _check_range("area_cm2", area_cm2, 1e-3, 1e5)
        _check_range("temperature_c", temperature_c, -60.0, 90.0)
        _check_range("turnover_current_a_m2", turnover, 1e-6, 1e6)
        if initial_soc is not None:
            _check_range("initial_soc", initial_soc, 0.0, 1.0)
        self.parameters, self.seed, self.dt_s = parameters, seed, dt_s
        self.area_m2 = area_cm2 * 1e-4
        self._turnover, self._growth = turnover, Growth(growth)
        self._build_constants()
        self._salt = np.full(SALT_CELLS, parameters.salt_mol_l)
        self._faces = np.zeros((2, growing.ENTRIES))
        self._faces[:, growing.DENSE] = parameters.electrode.thickness_m * growing.LITHIUM_CHARGE_C_M3
        self._steps, self._charge_c_m2, self._shorted = 0, 0.0, False
        self._kelvin = self._ambient_k = temperature_c + ZERO_CELSIUS_K
        self._terminals = (0.0, 0.0, 0.0)

    def _build_constants(self) -> None:
        p = self.parameters
        generator = np.random.default_rng([self.seed, 37])
        self._exchange = p.electrode.exchange_current_a_m2 * np.exp(SCATTER * generator.standard_normal(2))
        self._tallest = float(generator.uniform(*TALLEST))
        edges = 0.5 * p.separator_thickness_m * (1.0 - np.cos(np.linspace(0.0, math.pi, SALT_CELLS + 1)))
        self._width = np.diff(edges)
        self._volume = p.separator_porosity * self._width
        self._tortuous = p.separator_porosity**1.5
        self._laws = growing.laws_of(p.growth, self._turnover, self._growth)
        self._per_charge = (1.0 - p.electrolyte.transference_number) / (1000.0 * FARADAY_C_PER_MOL)

    def _warm(self, activation_j_mol: float) -> float:
        return math.exp(activation_j_mol / GAS_J_MOL_K * (1.0 / REFERENCE_K - 1.0 / self._kelvin))

    def _transport(self) -> tuple[np.ndarray, np.ndarray]:
        """Resistance in ohm m2 of each cell of the electrolyte, and its diffusivity."""
        e = self.parameters.electrolyte
        c = np.clip(self._salt, DEPLETED, SATURATED)
        warm = self._warm(e.activation_j_mol) * self._tortuous
        k1, k15, k3 = e.conductivity
        d0, d1, d2 = e.diffusivity
        kappa = warm * c * (k1 + k15 * np.sqrt(c) + k3 * c * c)
        return self._width / kappa, warm * np.maximum(d0 + d1 * c + d2 * c * c, 1e-16)

    def _salt_after(self, diffusivity: np.ndarray) -> np.ndarray:
        """Salt after a step without a current, and its change for 1 A/m2; shape (cells, 2)."""
        half = 0.5 * self._width / diffusivity
        link = 1.0 / (half[1:] + half[:-1])
        storage = self._volume / self.dt_s
        from scipy.linalg import solve_banded

        bands = np.zeros((3, SALT_CELLS))
        bands[1] = storage
        bands[1, :-1] += link
        bands[1, 1:] += link
        bands[0, 1:] = -link
        bands[2, :-1] = -link
        right = np.zeros((SALT_CELLS, 2))
        right[:, 0] = storage * self._salt
        right[0, 1], right[-1, 1] = -self._per_charge, self._per_charge
        return solve_banded((1, 1), bands, right)

    def _step_relations(self) -> StepRelations:
        ohmic, diffusivity = self._transport()
        after = self._salt_after(diffusivity)
        beyond = 0.5 * self._per_charge * self._width[[0, -1]] / diffusivity[[0, -1]]
        p = self.parameters
        warm = self._warm(p.electrode.reaction_activation_j_mol)
        surface = [growing.surface_factor(face, p.growth) for face in self._faces]
        supply = [growing.strippable_c_m2(face, p.growth) / self.dt_s for face in self._faces]
        return StepRelations(
            salt=after,
            free=(float(after[0, 0]), float(after[-1, 0])),
            gain=(float(after[0, 1] - beyond[0]), float(after[-1, 1] + beyond[1])),
            exchange=(
                float(self._exchange[NEGATIVE] * warm * surface[NEGATIVE]),
                float(self._exchange[POSITIVE] * warm * surface[POSITIVE]),
            ),
            supply=(supply[NEGATIVE], supply[POSITIVE]),
            resistance=float(ohmic.sum()) + 2.0 * p.interface_ohm_m2 + p.contact_resistance_ohm_m2,
            half_resistance=0.5 * float(ohmic.sum()) + p.interface_ohm_m2,
            thermal_v=GAS_J_MOL_K * self._kelvin / FARADAY_C_PER_MOL,
            chi=2.0 * (1.0 - p.electrolyte.transference_number),
        )

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
        value = setpoint if mode is ControlMode.VOLTAGE else setpoint / self.area_m2
        if mode is ControlMode.REST:
            value = 0.0
        relations = self._step_relations()
        if self._shorted:
            current, voltage = shorted(mode, value, self.parameters.growth.short_resistance_ohm_m2)
            self._salt = relations.salt[:, 0]
            self._terminals = (current, voltage, 0.0)
        else:
            current, voltage = relations.under(mode, value)
            self._terminals = (current, voltage, relations.negative_v(current))
            self._salt = relations.salt[:, 0] + current * relations.salt[:, 1]
            self._move(current, relations)
        self._charge_c_m2 += self.dt_s * current
        p = self.parameters
        storage = p.heat_capacity_j_m2_k / self.dt_s
        warmth = storage * self._kelvin + p.heat_loss_w_m2_k * self._ambient_k + current * voltage
        # An instrument that drives kilowatts through a square metre melts the cell; the model stops before.
        self._kelvin = min(warmth / (storage + p.heat_loss_w_m2_k), ZERO_CELSIUS_K + 150.0)
        self._steps += 1
        return self.reading()

    def _move(self, current: float, relations: StepRelations) -> None:
        """Take lithium from one face, lay it on the other, and see whether it reaches across."""
        growth = self.parameters.growth
        plated, stripped = (NEGATIVE, POSITIVE) if current > 0.0 else (POSITIVE, NEGATIVE)
        if current == 0.0:
            return
        size = abs(current)
        growing.pass_current(self._faces[stripped], -size, 1.0, self.dt_s, self._laws)
        salt_share = relations.salt_at(plated, current) / self.parameters.salt_mol_l
        growing.pass_current(self._faces[plated], size, salt_share, self.dt_s, self._laws)
        reach_m = self._tallest * max(growing.needle_height_m(face, growth) for face in self._faces)
        self._shorted = reach_m >= self.parameters.separator_thickness_m

    def reading(self) -> Reading:
        """Terminals at the end of the last step; of a new cell, none has a voltage."""
        current, voltage, negative = self._terminals
        return Reading(
            time_s=self._steps * self.dt_s,
            voltage_v=voltage,
            current_a=current * self.area_m2,
            charge_ah=self._charge_c_m2 * self.area_m2 / 3600.0,
            temperature_c=self._kelvin - ZERO_CELSIUS_K,
            positive_potential_v=voltage + negative,
            negative_potential_v=negative,
        )

    @property
    def is_shorted(self) -> bool:
        """Whether a needle has reached across; it stays so."""
        return self._shorted

    @property
    def salt_mol_l(self) -> np.ndarray:
        """Salt from the negative to the positive face."""
        return self._salt.copy()

    @property
    def ambient_temperature_c(self) -> float:
        """Temperature of the surroundings; a heating stage sets it."""
        return self._ambient_k - ZERO_CELSIUS_K

    @ambient_temperature_c.setter
    def ambient_temperature_c(self, value: float) -> None:
        _check_range("ambient_temperature_c", value, -60.0, 90.0)
        self._ambient_k = value + ZERO_CELSIUS_K

    def probe_state(self) -> ProbeState:
        """Show the inside of the cell now."""
        to_ah = self.area_m2 / 3600.0
        return ProbeState(
            time_s=self._steps * self.dt_s,
            temperature_c=self._kelvin - ZERO_CELSIUS_K,
            positive=self._electrode(POSITIVE),
            negative=self._electrode(NEGATIVE),
            plated_li_ah=float(self._faces[:, growing.GROWN].sum()) * to_ah,
            sei_charge_ah=float(self._faces[:, growing.FILM].sum()) * to_ah,
        )

    def _electrode(self, side: int) -> ElectrodeState:
        face = self._faces[side]
        metal = float(face[growing.DENSE] + face[growing.GROWN].sum())
        return ElectrodeState(
            material=self.parameters.electrode.material,
            li_content=(),
            li_spread=(),
            thickness_um=1e6 * metal / growing.LITHIUM_CHARGE_C_M3,
            active_loading_mg_cm2=0.0,
            deposits=growing.deposits(face, self.parameters.growth),
            dead_um=1e6 * float(face[growing.DEAD]) / growing.LITHIUM_CHARGE_C_M3,
        )

    def lithium_inventory_ah(self) -> dict[str, float]:
        """Where the lithium is, as charge in Ah; the sum never changes.

        Returns
        -------
        dict
            `positive`, `negative` (metal in contact), `dead` and `film` of both.
        """
        to_ah = self.area_m2 / 3600.0
        metal = self._faces[:, growing.DENSE] + self._faces[:, growing.GROWN].sum(axis=1)
        return {
            "positive": float(metal[POSITIVE]) * to_ah,
            "negative": float(metal[NEGATIVE]) * to_ah,
            "dead": float(self._faces[:, growing.DEAD].sum()) * to_ah,
            "film": float(self._faces[:, growing.FILM].sum()) * to_ah,
        }

    def impedance(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Impedance now in ohm, complex, shape (n,), linearised around rest at the mean salt.

        Ohm's law, a film, an arc of charge transfer beside the double layer at each face, and the finite
        diffusion of the salt between them: chi RT/F (1 - t+) L / (F c D) tanh(s)/s with
        s^2 = j w porosity L^2 / 4D.
        """
        omega = 1j * 2.0 * np.pi * np.asarray(frequency_hz, dtype=float)
        if self._shorted:
            return np.full(
                omega.shape, self.parameters.growth.short_resistance_ohm_m2 / self.area_m2, complex
            )
        relations, p = self._step_relations(), self.parameters
        found = np.full(omega.shape, relations.resistance, complex)
        for face, salt in ((NEGATIVE, self._salt[0]), (POSITIVE, self._salt[-1])):
            surface = growing.surface_factor(self._faces[face], p.growth)
            transfer = relations.thermal_v / (relations.exchange[face] * math.sqrt(max(salt, DEPLETED)))
            found += 1.0 / (1.0 / transfer + omega * p.electrode.double_layer_f_m2 * surface)
        diffusivity = float(np.mean(self._transport()[1]))
        length, salt = p.separator_thickness_m, float(np.mean(self._salt))
        root = np.sqrt(omega * p.separator_porosity * length**2 / (4.0 * diffusivity))
        steady = relations.chi * relations.thermal_v * self._per_charge * length / (salt * diffusivity)
        return (found + steady * np.tanh(root) / root) / self.area_m2

    def to_state(self) -> dict[str, Any]:
        """Complete state as JSON-able values; `restore_cell` makes an identical cell of it."""
        return {
            "model": MODEL,
            "spec": self.parameters.name,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_m2": self.area_m2,
            "turnover_current_a_m2": self._turnover,
            "growth": str(self._growth),
            "steps": self._steps,
            "charge_c_m2": self._charge_c_m2,
            "shorted": self._shorted,
            "kelvin": self._kelvin,
            "ambient_k": self._ambient_k,
            "terminals": list(self._terminals),
            "salt": self._salt.tolist(),
            "faces": self._faces.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], parameters: LithiumCellParameters) -> "LithiumMetalCell":
        """Make the cell that `to_state` described.

        Raises
        ------
        KeyError
            If an entry is missing.
        ValueError
            If the arrays do not fit the model.
        """
        cell = cls(
            parameters,
            seed=state["seed"],
            dt_s=state["dt_s"],
            turnover_current_a_m2=state["turnover_current_a_m2"],
            growth=Growth(state.get("growth", Growth.REAL)),
        )
        cell.area_m2 = state["area_m2"]
        for name, key in (("_salt", "salt"), ("_faces", "faces")):
            values, shape = np.array(state[key], dtype=float), getattr(cell, name).shape
            if values.shape != shape:
                raise ValueError(f"state[{key!r}] has the shape {values.shape}, {shape} expected")
            setattr(cell, name, values)
        cell._steps, cell._charge_c_m2, cell._shorted = state["steps"], state["charge_c_m2"], state["shorted"]
        cell._kelvin, cell._ambient_k = state["kelvin"], state["ambient_k"]
        current, voltage, negative = state["terminals"]
        cell._terminals = (current, voltage, negative)
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

"""The reduced model of a cell of one or two porous intercalation electrodes."""

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from intercalate.contract import ControlMode
from intercalate.materials.constants import FARADAY_C_PER_MOL, GAS_J_MOL_K
from intercalate_sims.cell import kernel
from intercalate_sims.cell import lithium_growth as growing
from intercalate_sims.cell.hosts import Host, with_host
from intercalate_sims.cell.impedance import Electrode, impedance_ohm_m2
from intercalate_sims.cell.interface import ElectrodeState, ProbeState, Reading
from intercalate_sims.cell.isolation import CHARGE, Isolated
from intercalate_sims.cell.ocv import potential_table
from intercalate_sims.cell.parameters import (
    CellParameters,
    LithiumFoil,
    PorousElectrode,
)

MODEL = "reduced-intercalation"
SEPARATOR_CELLS = 4
COMPLIANCE_C_RATE = 10.0
COMPLIANCE_V = (-2.0, 7.0)
ZERO_CELSIUS_K = 273.15
MODE_CODES = {
    ControlMode.REST: kernel.REST,
    ControlMode.CURRENT: kernel.CONTROL_CURRENT,
    ControlMode.VOLTAGE: kernel.CONTROL_VOLTAGE,
    ControlMode.POWER: kernel.CONTROL_POWER,
}


class IntercalationCell:
    """A cell as a short stack of slices through each electrode, advanced implicitly in fixed steps.

    It is a porous-electrode (Doyle-Fuller-Newman) model on a coarse grid with the particles reduced to
    four diffusion modes. Per slice of a porous electrode, with j its anodic current per electrode area:

    - host: Delta = U(x_s) + (2RT/F) asinh(j / 2 i0), i0 = k sqrt(c x_s (1 - x_s)): Butler-Volmer with
      equal transfer coefficients (Newman & Thomas-Alyea, Electrochemical Systems, ch. 8), Arrhenius in k.
    - particles: x_s - x = sum of q_m; dq_m/dt = -l_m^2 D/R^2 q_m + (2/3) dx/dt with tan(l_m) = l_m: the
      eigenfunctions of Fick's law in a sphere with given flux (Carslaw & Jaeger, Conduction of Heat,
      sec. 9.8). Four are exact in time for a constant j; the rest follow at once.
      The variance of x over the volume of the particles is 1.5 sum of q_m^2.
    - ladder: the ionic current w between slices obeys Ohm's law with the diffusion potential
      (2RT/F)(1 - t+) ln c, the electronic current J - w Ohm's law in the solid (Newman & Tiedemann 1975).
    - electrolyte: porosity dc/dt = div(D_eff grad c) + (1 - t+) j/F, finite volumes, Bruggeman 1.5.
    - SEI: reduction of the electrolyte, Tafel below about 0.8 V in series with a transport limit, in
      proportion to the surface still bare, with a small residual. The film is a resistance of the host,
      in proportion to what has formed.
    - plating: linearised Butler-Volmer where Delta < 0; stripping where Delta > 0, in proportion to what
      is there when that is little; a fraction of what leaves becomes dead.
    - heat: C dT/dt = I (V - U at the mean contents) - h (T - T_ambient); entropic heat is left out.
    - growth of lithium on a foil, where its parameters are given: habits, dead lithium and film of what is
      plated there, for probes to find; it does not act back on voltages, and never shorts the cell.
    - isolation, in electrolytes whose film does not passivate: with the charge that passes into the film
      particles lose contact, and keep the lithium that is in them. An electrode that a high voltage harms
      (`HighVoltageFade`) loses them so with the time above a potential, and a layer grows in series; one
      whose particles swell and are large (`Cracking`) with the lithium that goes in and out.

    Within a step of backward Euler all potentials, the current and the control are solved together by
    Newton's method; exchange currents and salt-dependent properties are those of the start of the step.
    Lithium is conserved to rounding, as the host takes what remains of a slice's current.

    A step is halved inside, up to six times, where it would drain the salt of a slice or not converge.
    A setpoint out of reach saturates: at 10C, and at -2 and 7 V at the terminals.

    With `side_reactions=False` and the set Chen2020 the voltage is within 2 mV rms of PyBaMM's DFN up to 1C
    (`benchmarks/bench_cell_model.py`); no parameter is fitted to it.

    Parameters
    ----------
    parameters
        The chemistry.
    seed
        Of the scatter of loading over the slices and of x between particles.
    dt_s
        Step, 0.1 to 10 s.
    area_cm2
        Electrode area; that of the parameters if None.
    temperature_c
        Of the surroundings and, at first, of the cell.
    initial_soc
        None: as assembled, with no SEI. Otherwise a formed cell at rest at this state of charge, 0..1.
    slices
        Through each electrode.
    side_reactions
        False leaves out SEI and plating, as in the reference the model is calibrated against.
    host
        What host it has in it; `describe` tells of the real one whatever it is.
    turnover_current_a_m2
        The true current density at which lithium turns to needles, where it is not that of the parameters;
        `describe` does not tell it.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    def __init__(
        self,
        parameters: CellParameters,
        *,
        seed: int = 0,
        dt_s: float = 2.0,
        area_cm2: float | None = None,
        temperature_c: float | None = None,
        initial_soc: float | None = None,
        slices: int = 8,
        side_reactions: bool = True,
        host: Host = Host.STAGED,
        turnover_current_a_m2: float | None = None,
    ):
        area_cm2 = parameters.area_cm2 if area_cm2 is None else area_cm2
        temperature_c = parameters.temperature_c if temperature_c is None else temperature_c
        _check_range("dt_s", dt_s, 0.1, 10.0)
        _check_range("area_cm2", area_cm2, 1e-3, 1e5)
        _check_range("temperature_c", temperature_c, -60.0, 90.0)
        _check_range("slices", slices, 1, 100)
        if initial_soc is not None:
            _check_range("initial_soc", initial_soc, 0.0, 1.0)
        self.parameters = with_host(parameters, host)
        self._told = parameters
        self.host = host
        self.seed = seed
        self.dt_s = dt_s
        self.area_m2 = area_cm2 * 1e-4
        self.slices = slices
        self.side_reactions = side_reactions
        self._steps = 0
        self._face = growing.Face.of(parameters, turnover_current_a_m2, dt_s)
        self._build_constants()
        self._build_state(temperature_c + ZERO_CELSIUS_K, initial_soc)
        self._emptied_to = self._pos[:, kernel.X].copy() if self.host.remembers else None
        self._reading = self._rest_reading()

    def _build_constants(self) -> None:
        """Lay the parameters out as the arrays that the kernel takes."""
        p, n = self.parameters, self.slices
        generator = np.random.default_rng([self.seed, 811])
        self._sites_pos, self._spread_pos = _scatter(p.positive, n, p.heterogeneity, generator)
        self._sites_neg, self._spread_neg = _scatter(p.negative, n, p.heterogeneity, generator)
        self._isolated = [Isolated.of(p.positive, self._sites_pos, self.side_reactions)]
        self._isolated.append(Isolated.of(p.negative, self._sites_neg, self.side_reactions))
        self._isolates = any(one.takes for one in self._isolated)
        self._p_pos = _electrode_vector(p, p.positive, n, self.side_reactions)
        self._p_neg = _electrode_vector(p, p.negative, n, self.side_reactions)
        self._table_pos = potential_table(p.positive.potential)
        self._table_neg = (
            self._table_pos if isinstance(p.negative, LithiumFoil) else potential_table(p.negative.potential)
        )
        regions = [(SEPARATOR_CELLS, p.separator_thickness_m, p.separator_porosity)]
        regions.append((n, p.positive.thickness_m, p.positive.porosity))
        if isinstance(p.negative, PorousElectrode):
            regions.insert(0, (n, p.negative.thickness_m, p.negative.porosity))
        width = np.concatenate([np.full(count, length / count) for count, length, _ in regions])
        porosity = np.concatenate([np.full(count, porosity) for count, _, porosity in regions])
        self._grid = np.array([width, porosity * width, porosity**1.5])
        self._cell = np.array(
            [
                p.contact_resistance_ohm_m2,
                *p.electrolyte.conductivity,
                *p.electrolyte.diffusivity,
                p.electrolyte.transference_number,
                p.electrolyte.activation_j_mol,
                p.heat_capacity_j_m2_k,
                p.heat_loss_w_m2_k,
                COMPLIANCE_C_RATE * p.nominal_capacity_ah_m2,
                *COMPLIANCE_V,
            ]
        )

    def _build_state(self, kelvin: float, initial_soc: float | None) -> None:
        p, n = self.parameters, self.slices
        self._pos = np.zeros((n, kernel.COLUMNS))
        self._neg = np.zeros((self._sites_neg.size, kernel.COLUMNS))
        if initial_soc is None:
            self._pos[:, kernel.X] = p.positive_x_fresh
            self._neg[:, kernel.X] = p.negative_x_fresh
        else:
            for state, window in ((self._pos, p.positive_x_window), (self._neg, p.negative_x_window)):
                state[:, kernel.X] = window[0] + initial_soc * (window[1] - window[0])
            self._pos[:, kernel.SEI] = self._p_pos[kernel.SEI_FULL]
            self._neg[:, kernel.SEI] = self._p_neg[kernel.SEI_FULL]
        self._salt = np.ones(self._grid.shape[1])
        self._total = np.zeros(kernel.TOTALS)
        self._total[kernel.TEMPERATURE_K] = kelvin
        self._total[kernel.AMBIENT_K] = kelvin
        if isinstance(p.negative, LithiumFoil):
            self._total[kernel.FOIL_CHARGE] = p.negative.thickness_m * growing.LITHIUM_CHARGE_C_M3

    def _run_kernel(
        self,
        dt_s: float,
        mode: int,
        setpoint: float,
        total: np.ndarray,
        salt: np.ndarray,
        pos: np.ndarray,
        neg: np.ndarray,
    ) -> None:
        kernel.step(
            dt_s,
            mode,
            setpoint,
            total,
            salt,
            pos,
            neg,
            self._cell,
            self._p_pos,
            self._p_neg,
            self._sites_pos,
            self._sites_neg,
            self._table_pos,
            self._table_neg,
            self._grid,
        )

    def _rest_reading(self) -> Reading:
        """Terminals of the resting cell, found on a copy over a vanishing time."""
        total = self._total.copy()
        self._run_kernel(1e-6, kernel.REST, 0.0, total, self._salt.copy(), self._pos.copy(), self._neg.copy())
        for index in (kernel.VOLTAGE, kernel.E_POSITIVE, kernel.E_NEGATIVE):
            self._total[index] = total[index]
        return self._read()

    def _read(self) -> Reading:
        kelvin, current, voltage, positive, negative, charge, _, _ = self._total.tolist()
        area = self.area_m2
        return Reading(
            self._steps * self.dt_s,
            voltage,
            current * area,
            charge * area / 3600.0,
            kelvin - ZERO_CELSIUS_K,
            positive,
            negative,
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
        code = MODE_CODES[mode]
        value = setpoint if code == kernel.CONTROL_VOLTAGE else setpoint / self.area_m2
        before = [e.copy() for e in (self._pos, self._neg)] if self._isolates else []
        self._run_kernel(self.dt_s, code, value, self._total, self._salt, self._pos, self._neg)
        if self._isolates:
            self._isolate(before)
        if self._emptied_to is not None:
            np.minimum(self._emptied_to, self._pos[:, kernel.X], out=self._emptied_to)
        self._steps += 1
        self._reading = self._read()
        if self._face is not None:
            self._face.step(self._reading.current_a / self.area_m2, self._salt.item(0))
        return self._reading

    def _isolate(self, states_before: list[np.ndarray]) -> None:
        """Take particles out of the electrodes, with the lithium in them, as film, voltage and cracks say."""
        for isolated, state, sites, p, before, potential_v in zip(
            self._isolated,
            (self._pos, self._neg),
            (self._sites_pos, self._sites_neg),
            (self._p_pos, self._p_neg),
            states_before,
            self._total[[kernel.E_POSITIVE, kernel.E_NEGATIVE]].tolist(),
        ):
            if not isolated.takes:
                continue
            grown, over_v_h = 0.0, 0.0
            if isolated.share > 0.0:
                grown = (state[:, kernel.SEI] - before[:, kernel.SEI]) / p[kernel.SEI_FULL]
            if isolated.fade is not None:
                over_v_h = isolated.fade.over_v_h(potential_v, self.dt_s)
                self._cell[kernel.CONTACT] += isolated.fade.resistance_ohm_m2_per_v_h * over_v_h
            turned = state[:, kernel.X] - before[:, kernel.X]
            isolated.take(sites, state[:, kernel.X], grown, over_v_h, turned)

    def reading(self) -> Reading:
        """Terminals at the end of the last step; of a new cell, its open-circuit voltage."""
        return self._reading

    @property
    def ambient_temperature_c(self) -> float:
        """Temperature of the surroundings; a heating stage sets it."""
        return float(self._total[kernel.AMBIENT_K]) - ZERO_CELSIUS_K

    @ambient_temperature_c.setter
    def ambient_temperature_c(self, value: float) -> None:
        _check_range("ambient_temperature_c", value, -60.0, 90.0)
        self._total[kernel.AMBIENT_K] = value + ZERO_CELSIUS_K

    def probe_state(self) -> ProbeState:
        """Show the inside of the cell now."""
        inventory = self.lithium_inventory_ah()
        return ProbeState(
            time_s=self._steps * self.dt_s,
            temperature_c=float(self._total[kernel.TEMPERATURE_K]) - ZERO_CELSIUS_K,
            positive=self._remembering(
                self._isolated[0].seen_with(
                    self._electrode_state(self.parameters.positive, self._pos, self._spread_pos),
                    self._sites_pos,
                )
            ),
            negative=(
                self._foil_state(self.parameters.negative)
                if isinstance(self.parameters.negative, LithiumFoil)
                else self._isolated[1].seen_with(
                    self._electrode_state(self.parameters.negative, self._neg, self._spread_neg),
                    self._sites_neg,
                )
            ),
            plated_li_ah=inventory["plated"],
            sei_charge_ah=inventory["sei"],
        )

    def _electrode_state(
        self, electrode: PorousElectrode, state: np.ndarray, scatter: np.ndarray
    ) -> ElectrodeState:
        current_a_m2 = abs(self._reading.current_a) / self.area_m2
        rate_per_h = 3600.0 * current_a_m2 / (FARADAY_C_PER_MOL * electrode.sites_mol_m2)
        return replace(_electrode_state(electrode, state, scatter, self.host), rate_per_h=float(rate_per_h))

    def _remembering(self, positive: ElectrodeState) -> ElectrodeState:
        """With how empty it has been, where its host remembers."""
        if self._emptied_to is None:
            return positive
        return replace(positive, emptied_to=tuple(np.clip(self._emptied_to, 0.0, 1.0).tolist()))

    def _foil_state(self, foil: LithiumFoil) -> ElectrodeState:
        """Of a foil, as thick as the lithium that is left of it, or was laid on it."""
        thickness_um = float(self._total[kernel.FOIL_CHARGE]) / growing.LITHIUM_CHARGE_C_M3 * 1e6
        if self._face is None:
            return ElectrodeState(foil.material, (), (), thickness_um, 0.0)
        grown, dead_um = self._face.deposits(), self._face.dead_um()
        return ElectrodeState(foil.material, (), (), thickness_um, 0.0, deposits=grown, dead_um=dead_um)

    def impedance(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Impedance now in ohm, complex, shape (n,); see `intercalate_sims.cell.impedance`."""
        p, n = self.parameters, self.slices
        positive = Electrode(
            self._pos, self._p_pos, self._sites_pos, self._table_pos, *_capacitances(p.positive, n)
        )
        negative = Electrode(
            self._neg, self._p_neg, self._sites_neg, self._table_neg, *_capacitances(p.negative, n)
        )
        kelvin = float(self._total[kernel.TEMPERATURE_K])
        per_area = impedance_ohm_m2(
            frequency_hz, positive, negative, self._salt, self._grid, self._cell, kelvin
        )
        return per_area / self.area_m2

    def lithium_inventory_ah(self) -> dict[str, float]:
        """Where the lithium is, as charge in Ah; the sum never changes.

        Returns
        -------
        dict
            `positive`, `negative` (hosts), `foil`, `sei`, `plated` (can be stripped), `dead`, and `isolated`
            (in particles without contact).
        """
        to_ah = self.area_m2 / 3600.0
        electrodes = (self._pos, self._neg)
        return {
            "positive": float(self._sites_pos @ self._pos[:, kernel.X]) * to_ah,
            "negative": float(self._sites_neg @ self._neg[:, kernel.X]) * to_ah,
            "foil": float(self._total[kernel.FOIL_CHARGE]) * to_ah,
            "sei": sum(float(e[:, kernel.SEI].sum()) for e in electrodes) * to_ah,
            "plated": sum(float(e[:, kernel.PLATED].sum()) for e in electrodes) * to_ah,
            "dead": sum(float(e[:, kernel.DEAD].sum()) for e in electrodes) * to_ah,
            "isolated": sum(float(one.content[:, CHARGE].sum()) for one in self._isolated) * to_ah,
        }

    def to_state(self) -> dict[str, Any]:
        """Complete state as JSON-able values; `restore_cell` makes an identical cell of it."""
        isolated = [one.content.tolist() for one in self._isolated]
        return {
            "model": MODEL,
            "spec": self.parameters.name,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_m2": self.area_m2,
            "slices": self.slices,
            "side_reactions": self.side_reactions,
            "host": self.host,
            **({"isolated": isolated} if self._isolates else {}),
            **({"series_ohm_m2": float(self._cell[kernel.CONTACT])} if self._isolates else {}),
            **({} if self._face is None else {"face": self._face.to_state()}),
            **({} if self._emptied_to is None else {"emptied_to": self._emptied_to.tolist()}),
            "steps": self._steps,
            "total": self._total.tolist(),
            "salt": self._salt.tolist(),
            "positive": self._pos.tolist(),
            "negative": self._neg.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], parameters: CellParameters) -> "IntercalationCell":
        """Make the cell that `to_state` described.

        Raises
        ------
        KeyError
            If an entry is missing.
        ValueError
            If the arrays do not fit the number of slices.
        """
        cell = cls(
            parameters,
            seed=state["seed"],
            dt_s=state["dt_s"],
            slices=state["slices"],
            side_reactions=state["side_reactions"],
            host=Host(state.get("host", Host.STAGED)),
        )
        cell.area_m2 = state["area_m2"]
        cell._steps = state["steps"]
        for name, key in (("_total", "total"), ("_salt", "salt"), ("_pos", "positive"), ("_neg", "negative")):
            shape = getattr(cell, name).shape
            values = np.array(state[key], dtype=float)
            if values.size != math.prod(shape):
                raise ValueError(f"state[{key!r}] holds {values.size} numbers, {math.prod(shape)} expected")
            setattr(cell, name, values.reshape(shape))
        for one, sites, content in zip(
            cell._isolated, (cell._sites_pos, cell._sites_neg), state.get("isolated", ())
        ):
            one.content = np.array(content, dtype=float).reshape(one.content.shape)
            sites[:] = one.left()
        cell._cell[kernel.CONTACT] = state.get("series_ohm_m2", cell._cell[kernel.CONTACT])
        if cell._face is not None and "face" in state:
            cell._face.restore(state["face"])
        if cell._emptied_to is not None:
            cell._emptied_to = np.array(state["emptied_to"], dtype=float)
        cell._reading = cell._read()
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
            "slices": self.slices,
            "side_reactions": self.side_reactions,
            "parameters": asdict(self._told),
        }


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value} is outside {low} to {high}")


def _scatter(
    electrode: PorousElectrode | LithiumFoil, slices: int, scatter: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sites of each slice in C/m2 (their sum is that of the electrode), and scatter of x in each."""
    if isinstance(electrode, LithiumFoil):
        return np.zeros(0), np.zeros(0)
    loading = 1.0 + scatter * generator.standard_normal(slices)
    loading /= loading.sum()
    spread = scatter * np.exp(0.2 * generator.standard_normal(slices))
    return FARADAY_C_PER_MOL * electrode.sites_mol_m2 * loading, spread


def _capacitances(electrode: PorousElectrode | LithiumFoil, slices: int) -> tuple[float, float]:
    """Of the double layer and of the SEI of one slice, per electrode area."""
    if isinstance(electrode, LithiumFoil):
        return electrode.double_layer_f_m2, 0.0
    area = 3.0 * electrode.active_fraction / electrode.particle_radius_m * electrode.thickness_m / slices
    side = electrode.side_reactions
    return electrode.double_layer_f_m2 * area, 0.0 if side is None else side.sei_capacitance_f_m2 * area


def _electrode_vector(
    p: CellParameters, electrode: PorousElectrode | LithiumFoil, slices: int, side_reactions: bool
) -> np.ndarray:
    """Parameters of one electrode in the order of the kernel, per slice where extensive."""
    v = np.zeros(kernel.ELECTRODE_PARAMETERS)
    v[kernel.E_REACTION] = electrode.reaction_activation_j_mol
    if isinstance(electrode, LithiumFoil):
        v[kernel.FOIL] = electrode.exchange_current_a_m2
        return v
    slice_m = electrode.thickness_m / slices
    particle_area = 3.0 * electrode.active_fraction / electrode.particle_radius_m * slice_m
    v[kernel.SLICE] = slice_m
    v[kernel.SIGMA] = electrode.conductivity_s_m
    v[kernel.EXCHANGE] = electrode.reaction_current_a_m2 * particle_area
    v[kernel.DIFFUSION] = electrode.diffusivity_m2_s / electrode.particle_radius_m**2
    v[kernel.E_DIFFUSION] = electrode.diffusion_activation_j_mol
    side = electrode.side_reactions
    if side is None or not side_reactions:
        return v
    full = side.sei_charge_fraction * FARADAY_C_PER_MOL * electrode.sites_mol_m2 / slices
    v[kernel.SEI_FULL] = full
    v[kernel.SEI_V] = side.sei_potential_v
    v[kernel.SEI_KINETIC] = full / side.sei_kinetic_time_s
    v[kernel.SEI_TRANSPORT] = full / side.sei_transport_time_s
    v[kernel.SEI_RESIDUAL] = side.sei_residual
    v[kernel.FILM] = side.sei_resistance_ohm_m2 / particle_area
    conductance = (
        side.plating_current_a_m2 * particle_area / (GAS_J_MOL_K * kernel.REFERENCE_K / FARADAY_C_PER_MOL)
    )
    v[kernel.PLATING] = conductance
    v[kernel.DEAD_FRACTION] = side.plating_dead_fraction
    v[kernel.PLATED_REFERENCE] = side.plating_reference_c_m2 / slices
    return v


def _electrode_state(
    electrode: PorousElectrode, state: np.ndarray, scatter: np.ndarray, host: Host
) -> ElectrodeState:
    """What a probe finds; x of an emptied or filled host is clipped to 0..1."""
    particle_area = 3.0 * electrode.active_fraction / electrode.particle_radius_m * electrode.thickness_m
    film = state[:, kernel.SEI] * len(state) / particle_area
    x = np.clip(state[:, kernel.X], 0.0, 1.0)
    within = 1.5 * np.sum(state[:, kernel.MODE :] ** 2, axis=1)
    between = (2.0 * scatter) ** 2 * x * (1.0 - x)
    return ElectrodeState(
        material=electrode.material,
        li_content=tuple(x.tolist()),
        li_spread=tuple(np.sqrt(within + between).tolist()),
        thickness_um=electrode.thickness_m * 1e6,
        active_loading_mg_cm2=electrode.active_loading_mg_cm2,
        host=str(host),
        film_c_m2=tuple(film.tolist()),
    )

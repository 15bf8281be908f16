"""A cell that plays back what a cycler once recorded: a past experiment, rehearsed with its own voltage."""

import math
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

from intercalate.contract import ControlMode
from intercalate.cycling_files import read_cycling_file
from intercalate.materials.constants import FARADAY_C_PER_MOL
from intercalate_sims.cell.factory import REPLAY
from intercalate_sims.cell.interface import ElectrodeState, ProbeState, Reading
from intercalate_sims.cell.parameters import NMC811_GRAPHITE, PorousElectrode

MODEL = "replay"
SLICES = 8
NO_CURRENT_FRACTION = 1e-3
"""Of the largest current: less is none."""


class ReplayCell:
    """The recorded voltage and charge of a file, interpolated between its records.

    It stands at the voltage before the first current until a command other than rest arrives. Then the
    recording plays from its first current to its end, whatever is commanded: *commands start the course
    and never change it*. So a program that demands another current than flowed is stopped by the interlocks
    of the cycler, as with a bad contact; the protocol that was recorded runs through. After the last record
    no current flows and the last voltage stays.

    Current is that of the charge between two moments. The electrodes are NMC811 and graphite: their lithium
    content is uniform and follows from the charge that passed by Faraday's law. Unless `area_cm2` says
    otherwise, they are so large that the charge of the recording takes the positive one through its whole
    window. Holes of the recording are bridged.

    Parameters
    ----------
    spec
        `replay:` and the path of a file that `read_cycling_file` takes.
    seed
        Kept for the metadata; nothing here is random.
    dt_s, area_cm2, temperature_c
        As in `make_cell`; a file with a temperature of its own shows that.

    Raises
    ------
    CyclingFileError
        If the file is refused.
    OSError
        If it cannot be read.
    ValueError
        If a number is out of its range, or no current flows in the file.
    """

    def __init__(
        self,
        spec: str,
        *,
        seed: int = 0,
        dt_s: float = 2.0,
        area_cm2: float | None = None,
        temperature_c: float = 25.0,
    ):
        if not 0.1 <= dt_s <= 10.0:
            raise ValueError(f"dt_s = {dt_s} is outside 0.1 to 10")
        self.spec, self.seed, self.dt_s, self.temperature_c = spec, seed, dt_s, temperature_c
        self._path = Path(spec.removeprefix(REPLAY))
        # Only differences of time are used, so the zone does not matter.
        file = read_cycling_file(self._path, zone=UTC)
        self.sha256 = file.sha256
        current = np.abs(file.columns["current_ampere"])
        flowing = np.flatnonzero(current > NO_CURRENT_FRACTION * current.max())
        if not flowing.size:
            raise ValueError(f"{self._path.name}: no current flows in it, so there is nothing to play")
        first = max(int(flowing[0]) - 1, 0)
        time_s = file.columns["test_time_second"][first:]
        self._time_s = time_s - time_s[0]
        self._voltage_v = file.columns["voltage_volt"][first:]
        self._charge_ah = file.columns["net_capacity_ah"][first:] - file.columns["net_capacity_ah"][first]
        self._celsius = file.columns.get("surface_temperature_celsius", np.full(first + 1, np.nan))[first:]
        span_ah = float(np.ptp(self._charge_ah))
        full, empty = NMC811_GRAPHITE.positive_x_window
        window_ah_m2 = (full - empty) * _capacity_ah_m2(NMC811_GRAPHITE.positive)
        self.area_m2 = span_ah / window_ah_m2 if area_cm2 is None else area_cm2 * 1e-4
        if not self.area_m2 > 0:
            raise ValueError(f"area_cm2 = {self.area_m2 * 1e4} must be above 0; no charge passed in the file")
        self._steps = 0
        self._began: int | None = None

    @property
    def _played_s(self) -> float:
        return 0.0 if self._began is None else (self._steps - self._began) * self.dt_s

    def _charge_at(self, played_s: float) -> float:
        return float(np.interp(played_s, self._time_s, self._charge_ah))

    def advance(self, mode: ControlMode, setpoint: float) -> Reading:
        """Let one step of `dt_s` pass; the first command other than rest starts the recording.

        Raises
        ------
        ValueError
            If the setpoint is not a finite number.
        """
        if not math.isfinite(setpoint):
            raise ValueError(
                f"setpoint {setpoint} of {mode} is not a finite number; the cell did not advance"
            )
        if self._began is None and mode is not ControlMode.REST:
            self._began = self._steps
        self._steps += 1
        return self.reading()

    def reading(self) -> Reading:
        """Terminals at the end of the last step."""
        played_s = self._played_s
        charge_ah = self._charge_at(played_s)
        passed_ah = charge_ah - self._charge_at(max(played_s - self.dt_s, 0.0))
        voltage_v = float(np.interp(played_s, self._time_s, self._voltage_v))
        celsius = float(np.interp(played_s, self._time_s[: self._celsius.size], self._celsius))
        negative_v = float(NMC811_GRAPHITE_NEGATIVE.potential.potential_v(np.array(self._contents()[1])))
        return Reading(
            time_s=self._steps * self.dt_s,
            voltage_v=voltage_v,
            current_a=passed_ah * 3600.0 / self.dt_s,
            charge_ah=charge_ah,
            temperature_c=celsius if math.isfinite(celsius) else self.temperature_c,
            positive_potential_v=voltage_v + negative_v,
            negative_potential_v=negative_v,
        )

    def _contents(self) -> tuple[float, float]:
        """Lithium content of both electrodes."""
        charged_ah_m2 = (self._charge_at(self._played_s) - float(self._charge_ah.min())) / self.area_m2
        lost = charged_ah_m2 / _capacity_ah_m2(NMC811_GRAPHITE.positive)
        gained = charged_ah_m2 / _capacity_ah_m2(NMC811_GRAPHITE_NEGATIVE)
        positive = NMC811_GRAPHITE.positive_x_window[0] - lost
        negative = NMC811_GRAPHITE.negative_x_window[0] + gained
        return min(max(positive, 0.0), 1.0), min(max(negative, 0.0), 1.0)

    def probe_state(self) -> ProbeState:
        """Show the inside of the cell now."""
        positive, negative = self._contents()
        return ProbeState(
            time_s=self._steps * self.dt_s,
            temperature_c=self.reading().temperature_c,
            positive=_electrode_state(NMC811_GRAPHITE.positive, positive),
            negative=_electrode_state(NMC811_GRAPHITE_NEGATIVE, negative),
            plated_li_ah=0.0,
            sei_charge_ah=0.0,
        )

    def to_state(self) -> dict[str, Any]:
        """Complete state as JSON-able values; `restore_cell` makes an identical cell of it."""
        return {
            "spec": self.spec,
            "sha256": self.sha256,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_m2": self.area_m2,
            "temperature_c": self.temperature_c,
            "steps": self._steps,
            "began": self._began,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "ReplayCell":
        """Make the cell that `to_state` described.

        Raises
        ------
        KeyError
            If an entry is missing.
        ValueError
            If the file has changed.
        """
        cell = cls(
            state["spec"],
            seed=state["seed"],
            dt_s=state["dt_s"],
            area_cm2=state["area_m2"] * 1e4,
            temperature_c=state["temperature_c"],
        )
        if cell.sha256 != state["sha256"]:
            raise ValueError(f"{cell._path} is another file than the one that was played; use fresh cells")
        cell.area_m2, cell._steps, cell._began = state["area_m2"], state["steps"], state["began"]
        return cell

    def describe(self) -> dict[str, Any]:
        """Model, parameters and seed, JSON-able, for the metadata of simulated data."""
        return {
            "model": MODEL,
            "spec": self.spec,
            "sha256": self.sha256,
            "seed": self.seed,
            "dt_s": self.dt_s,
            "area_cm2": self.area_m2 * 1e4,
            "nominal_capacity_ah": NMC811_GRAPHITE.nominal_capacity_ah_m2 * self.area_m2,
            "slices": SLICES,
            "commands": "start the course and never change it",
        }


def _negative() -> PorousElectrode:
    electrode = NMC811_GRAPHITE.negative
    assert isinstance(electrode, PorousElectrode)
    return electrode


NMC811_GRAPHITE_NEGATIVE = _negative()


def _capacity_ah_m2(electrode: PorousElectrode) -> float:
    """Charge per area that changes x by 1."""
    return electrode.sites_mol_m2 * FARADAY_C_PER_MOL / 3600.0


def _electrode_state(electrode: PorousElectrode, x: float) -> ElectrodeState:
    """Uniform, but for the scatter between particles."""
    spread = 2.0 * NMC811_GRAPHITE.heterogeneity * math.sqrt(x * (1.0 - x))
    return ElectrodeState(
        material=electrode.material,
        li_content=(x,) * SLICES,
        li_spread=(spread,) * SLICES,
        thickness_um=electrode.thickness_m * 1e6,
        active_loading_mg_cm2=electrode.active_loading_mg_cm2,
    )

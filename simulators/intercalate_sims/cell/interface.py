"""What a simulated cell is to the rest of the simulated beamline.

Sign convention: + current charges the cell, at this interface and everywhere outside a model.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from intercalate.contract import ControlMode
from intercalate_sims.cell.sulfur_speciation import SulfurState


@dataclass(frozen=True, slots=True)
class Reading:
    """What the leads and the thermometer of a cell show at one moment.

    Attributes
    ----------
    time_s
        Cell time since the cell was made.
    voltage_v, current_a
        At the terminals; + current charges.
    charge_ah
        Net charge passed since the cell was made, + is charge.
    temperature_c
        At the surface of the cell.
    positive_potential_v, negative_potential_v
        Of each electrode against Li/Li+. Truth: only a three-electrode cell shows them.
    """

    time_s: float
    voltage_v: float
    current_a: float
    charge_ah: float
    temperature_c: float
    positive_potential_v: float
    negative_potential_v: float


@dataclass(frozen=True, slots=True)
class ElectrodeState:
    """What a probe finds in one electrode.

    Attributes
    ----------
    material
        Key of `intercalate.materials`: `NMC811`, `graphite`, `Li`.
    li_content
        Mean x (in Li_xMO2 or Li_xC6) in each of n equally thick slices, from the separator to the
        current collector. Empty for lithium metal.
    li_spread
        Standard deviation of x over the particles and their depth, for each slice.
    thickness_um
        Of the coating, or of the metal that there is.
    active_loading_mg_cm2
        Mass of active material per electrode area.
    host
        How it takes up lithium; see `hosts.Host`.
    film_c_m2
        Charge of the film on the particles of each slice, per area of particle; empty where there is none.
    deposits
        What has grown on lithium: habit (`needles`, `moss`, `globules`), share of the area that it covers,
        width of one and mean height, both in um.
    dead_um
        Lithium without contact, as thick as it would be if it were dense.
    rate_per_h
        Change of the mean x per hour by the current, without sign.
    emptied_to
        The lowest x that each slice has had; empty where the host does not remember.
    """

    material: str
    li_content: tuple[float, ...]
    li_spread: tuple[float, ...]
    thickness_um: float
    active_loading_mg_cm2: float
    host: str = "staged"
    film_c_m2: tuple[float, ...] = ()
    deposits: tuple[tuple[str, float, float, float], ...] = ()
    dead_um: float = 0.0
    rate_per_h: float = 0.0
    emptied_to: tuple[float, ...] = ()

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Make of what `dataclasses.asdict` and JSON left of a state."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        fields["deposits"] = tuple(tuple(one) for one in fields.get("deposits", ()))
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class ProbeState:
    """The inside of a cell at one moment of cell time.

    Attributes
    ----------
    species
        Of a cell whose material dissolves: formula and amount in mmol, as its model counts them.
    sulfur
        Of such a cell: what of it is solid, and what dissolved.
    """

    time_s: float
    temperature_c: float
    positive: ElectrodeState
    negative: ElectrodeState
    plated_li_ah: float
    sei_charge_ah: float
    species: tuple[tuple[str, float], ...] = ()
    sulfur: SulfurState | None = None

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Make of what `dataclasses.asdict` and JSON left of a state."""
        electrodes: dict[str, Any] = {
            side: ElectrodeState.from_dict(content[side]) for side in ("positive", "negative")
        }
        species = tuple((str(name), float(amount)) for name, amount in content.get("species", ()))
        found = content.get("sulfur")
        sulfur = None if found is None else SulfurState.from_dict(found)
        return cls(**{**content, **electrodes, "species": species, "sulfur": sulfur})


class CellModel(Protocol):
    """A cell that advances in fixed steps of cell time, deterministically."""

    dt_s: float

    def advance(self, mode: ControlMode, setpoint: float) -> Reading:
        """Let one step of `dt_s` pass under this control and read the terminals at its end."""
        ...

    def reading(self) -> Reading:
        """Read the terminals now; under no current this is the open-circuit voltage."""
        ...

    def probe_state(self) -> ProbeState:
        """Show the inside of the cell now."""
        ...

    def to_state(self) -> dict[str, Any]:
        """Complete state as JSON-able values; `restore_cell` makes an identical cell of it."""
        ...

    def describe(self) -> dict[str, Any]:
        """Model, parameters and seed, JSON-able, for the metadata of simulated data."""
        ...


@runtime_checkable
class HasImpedance(Protocol):
    """A cell whose small-signal impedance is known."""

    def impedance(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Impedance now in ohm, complex, shape (n,), negative imaginary where capacitive."""
        ...

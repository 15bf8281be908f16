"""The cells of the world: made fresh or from a saved state, with what is applied to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intercalate.contract import ControlMode
from intercalate_sims.cell import make_cell, restore_cell
from intercalate_sims.cell.habits import Growth
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.interface import CellModel, HasImpedance
from intercalate_sims.wire import JsonLines

STATE_FORMAT = 2
"""Of the saved state; 1 had no beam."""


@dataclass
class Slot:
    """One cell and what is applied to it.

    Attributes
    ----------
    active_mass
        True over nominal; nobody is told.
    """

    cell: CellModel
    active_mass: float = 1.0
    mode: ControlMode = ControlMode.REST
    setpoint: float = 0.0
    owner: JsonLines | None = None

    def describe(self) -> dict[str, Any]:
        """The cell as its maker describes it."""
        description = self.cell.describe()
        for key in ("area_cm2", "nominal_capacity_ah"):
            description[key] = round(description[key] / self.active_mass, 12)
        return {**description, "has_impedance": isinstance(self.cell, HasImpedance)}


def fresh_slots(
    specs: Mapping[str, str],
    seed: int,
    dt_s: float,
    active_mass: Mapping[str, float],
    hosts: Mapping[str, Host],
    growth: Mapping[str, Growth],
) -> dict[str, Slot]:
    """Make a cell for each name, of the model that its specification names."""
    slots = {}
    for number, (name, spec) in enumerate(specs.items()):
        options: dict[str, Any] = {"seed": seed + number, "dt_s": dt_s}
        if name in hosts:
            options["host"] = hosts[name]
        if name in growth:
            options["growth"] = growth[name]
        cell, factor = make_cell(spec, **options), active_mass.get(name, 1.0)
        if factor != 1.0:
            area_cm2 = cell.describe()["area_cm2"] * factor
            cell = make_cell(spec, **options, area_cm2=area_cm2)
        slots[name] = Slot(cell, factor)
    return slots


def saved_slots(
    saved: dict[str, Any], specs: Mapping[str, str], dt_s: float, active_mass: Mapping[str, float]
) -> dict[str, Slot]:
    """Make the cells of a saved world.

    Raises
    ------
    ValueError
        If it was kept by another program, or holds other cells or steps than asked for.
    """
    if saved.get("format") != STATE_FORMAT:
        raise ValueError(
            f"the saved world has format {saved.get('format', 1)}, this program keeps {STATE_FORMAT}; "
            "remove the saved state to begin with fresh cells"
        )
    if set(saved["cells"]) != set(specs):
        raise ValueError(
            f"the saved world holds the cells {sorted(saved['cells'])}, asked for are {sorted(specs)}; "
            "use another folder, or remove the saved state to begin with fresh cells"
        )
    if saved["dt_s"] != dt_s:
        raise ValueError(
            f"the saved cells advance in steps of {saved['dt_s']:g} s, asked for are {dt_s:g} s; "
            "ask for the same, or remove the saved state to begin with fresh cells"
        )
    return {
        name: Slot(restore_cell(state), active_mass.get(name, 1.0)) for name, state in saved["cells"].items()
    }

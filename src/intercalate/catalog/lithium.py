"""Lithium content of both electrodes from the charge that has passed (coulometry)."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from intercalate.cell import Cell, CellError, Electrode
from intercalate.materials import electrode

MASS_RELATIVE_SIGMA = 0.02
"""Relative standard error of an active mass, of which a cell says nothing: a disc weighed less its foil."""

OUTSIDE = 0.05
"""By how much x may leave 0 to 1 within the error of a mass."""

SPAN_V, SMALLEST_CHANGE = 0.5, 0.02
"""No insertion electrode changes its voltage by so much within so little lithium, but at the ends."""

DIRECTION = {"positive": -1.0, "negative": 1.0}
"""Charging takes lithium out of the positive electrode and puts it into the negative one."""


@dataclass(frozen=True)
class LithiumContent:
    """x in the formula unit, with its standard error; NaN and a reason where it is unknown.

    Attributes
    ----------
    x, sigma
        Shape as the charge.
    note
        Why it is unknown, or on what it rests.
    """

    x: np.ndarray
    sigma: np.ndarray
    note: str


def cell_of(start: dict[str, Any]) -> Cell | None:
    """The cell in a start document; None where there is none that can be understood."""
    try:
        return Cell.from_dict(plain(start["cell"])) if start.get("cell") else None
    except CellError:
        return None


def plain(value: Any) -> Any:
    """Metadata as the catalog's client gives them, in dictionaries and lists again."""
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return value
    return [plain(item) for item in value] if hasattr(value, "__iter__") else value


def lithium_content(
    side: Literal["positive", "negative"],
    cell: Cell | None,
    net_capacity_ah: np.ndarray,
    sigma_ah: np.ndarray,
    *,
    charged_before_ah: float = 0.0,
    voltage_span_v: float = 0.0,
) -> LithiumContent:
    """Lithium content by Faraday's law.

    `x = x_assembled ± (Q_before + Q - Q_lost) / (m C)`, with + for the negative electrode. What was lost in
    formation left the positive electrode but is not in the negative one, so `Q_lost` counts there only.

    Parameters
    ----------
    side
        Electrode, by terminal.
    cell
        Its mass, material, lithium content and formation; None if unknown.
    net_capacity_ah, sigma_ah
        Charge since the start, + is charge, and its standard error.
    charged_before_ah
        Charge in the cell at the start beyond the discharged state.
    voltage_span_v
        By how much the cell's voltage changed meanwhile, against which the result is checked.
    """

    def unknown(why: str) -> LithiumContent:
        nothing = np.full_like(net_capacity_ah, np.nan)
        return LithiumContent(nothing, nothing.copy(), f"unknown: {why}")

    if cell is None:
        return unknown("the run carries no cell")
    one: Electrode = cell.positive if side == "positive" else cell.negative
    try:
        material = electrode(one.material)
    except KeyError as error:
        return unknown(str(error.args[0]))
    if material.formula == "Li":
        return unknown(f"the {side} electrode is lithium metal")
    if one.mass_mg is None:
        return unknown(f"the {side} electrode has no active mass, nor loading and area")
    if one.lithium_content_assembled is None:
        return unknown(f"the {side} electrode has no lithium_content_assembled")
    losses = [step.irreversible_capacity_mAh for step in cell.formation]
    if any(loss is None for loss in losses):
        named = next(step.description for step in cell.formation if step.irreversible_capacity_mAh is None)
        return unknown(f"the irreversible capacity of the formation {named!r} is not given")
    capacity_ah = one.mass_mg * material.capacity_mah_per_g_per_x * 1e-6
    lost_ah = sum(loss for loss in losses if loss is not None) / 1000.0
    passed_ah = net_capacity_ah + charged_before_ah + (lost_ah if side == "positive" else 0.0)
    change = DIRECTION[side] * passed_ah / capacity_ah
    sigma = np.hypot(sigma_ah / capacity_ah, MASS_RELATIVE_SIGMA * change)
    note = f"coulometry with {one.mass_mg:.4g} mg known to {MASS_RELATIVE_SIGMA:.0%}"
    if not cell.formation:
        note += "; no formation is given, charge lost in side reactions counts as intercalated"
    x = one.lithium_content_assembled + change
    return LithiumContent(x, sigma, note + _doubt(x, voltage_span_v))


def _doubt(x: np.ndarray, voltage_span_v: float) -> str:
    """What is implausible about a course of x: masses left at an instrument's default are found here."""
    known = x[np.isfinite(x)]
    if not known.size:
        return ""
    low, high = float(known.min()), float(known.max())
    if low < -OUTSIDE or high > 1.0 + OUTSIDE:
        return f"; implausible: x runs from {low:.3g} to {high:.3g}, check mass, formation and history"
    if voltage_span_v > SPAN_V and high - low < SMALLEST_CHANGE:
        return (
            f"; implausible: x changes by {high - low:.1g} only while the voltage changes by "
            f"{voltage_span_v:.2g} V, check the active mass"
        )
    return ""

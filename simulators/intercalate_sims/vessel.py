"""The airtight transfer vessel and the glovebox: where a cell is that was taken off the cycler."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from intercalate.contract import CARRIED_TO, Opened, VesselLocation

FILL_MBAR = 900.0
"""Argon in the vessel when it is sealed: less than outside, so that a leak is seen as a rise."""

OUTSIDE_MBAR = 1013.0
GLOVEBOX_MBAR = 1016.0
REACTIVE_SHARE = 0.22
"""Oxygen and water in the air of a laboratory, by volume."""

IN_VESSEL = "vessel"
"""What an instrument looks for where a vessel is put on: the cell in it, if it is there."""

_ZERO_C_K = 273.15


class Change(StrEnum):
    """What `Vessel.set` can change."""

    LOCATION = "location"
    HOLDER = "holder"
    SEALED = "sealed"
    OPENED = "opened"
    LEAK = "leak_mbar_per_h"
    O2 = "o2_ppm"
    H2O = "h2o_ppm"
    NEVER_ARRIVES = "never_arrives"


@dataclass
class VesselState:
    """What outlives a restart.

    Attributes
    ----------
    target, arrives_s
        Where it goes or is, and the cell time of its arrival.
    holder
        Of the sample changer, with the cell in it, that is in the vessel; empty where none is.
    pressure_mbar, pressure_since_s
        Inside, at a cell time; from then on it rises by the leak.
    filled_mbar
        Of argon, or of nothing, when it was sealed; what is there besides is air.
    opened
        By holder: the electrode whose face shows since its cell was taken apart, which is for good.
    air_mbar_s, lived_s
        By holder: pressure of oxygen and water times the time in which its cell met them, up to a cell time.
    """

    target: VesselLocation = VesselLocation.GLOVEBOX
    arrives_s: float = 0.0
    holder: str = ""
    sealed: bool = False
    pressure_mbar: float = GLOVEBOX_MBAR
    pressure_since_s: float = 0.0
    filled_mbar: float = FILL_MBAR
    leak_mbar_per_h: float = 0.0
    o2_ppm: float = 0.4
    h2o_ppm: float = 0.3
    never_arrives: bool = False
    opened: dict[str, str] = field(default_factory=dict)
    air_mbar_s: dict[str, float] = field(default_factory=dict)
    lived_s: float = 0.0


class Vessel:
    """One vessel, which carries one holder at a time.

    Parameters
    ----------
    holders
        Cell in each holder of the sample changer.
    transfer_s
        Cell time that a way takes.
    o2_ppm, h2o_ppm
        In the glovebox, as found.
    """

    def __init__(self, holders: Mapping[str, str], transfer_s: float, o2_ppm: float, h2o_ppm: float):
        self._holders = dict(holders)
        self._transfer_s = transfer_s
        self._state = VesselState(o2_ppm=o2_ppm, h2o_ppm=h2o_ppm)

    def location(self, time_s: float) -> VesselLocation:
        """Where it is."""
        state = self._state
        return state.target if time_s >= state.arrives_s else VesselLocation.IN_TRANSIT

    @property
    def cell(self) -> str | None:
        """The cell in it."""
        return self._holders.get(self._state.holder)

    def is_off(self, cell: str) -> bool:
        """Whether a cell has no leads on it: it is in the vessel, or was taken apart."""
        return cell == self.cell or any(self._holders[one] == cell for one in self._state.opened)

    def cell_at(self, instrument: str, time_s: float) -> str | None:
        """The cell in it, if an instrument meets it; a chamber takes it out of the open vessel."""
        there = CARRIED_TO.get(instrument)
        is_inside = there is VesselLocation.VACUUM and self._state.sealed
        return self.cell if self.location(time_s) == there and not is_inside else None

    def told_of(self, cell: str | None, time_s: float) -> dict[str, Any]:
        """What an instrument meets of a cell besides its state, if the cell came in the vessel."""
        if cell is None or cell != self.cell:
            return {}
        self._live(time_s)
        holder = self._state.holder
        return {
            "face": self._state.opened.get(holder, ""),
            "air_mbar_s": self._state.air_mbar_s.get(holder, 0.0),
        }

    def pressure_mbar(self, time_s: float) -> float:
        """Inside."""
        state = self._state
        if not state.sealed:
            return GLOVEBOX_MBAR if self.location(time_s) is not VesselLocation.VACUUM else 0.0
        risen = state.leak_mbar_per_h * max(0.0, time_s - state.pressure_since_s) / 3600
        return min(OUTSIDE_MBAR, state.pressure_mbar + risen)

    def set(self, time_s: float, changes: Mapping[str, Any]) -> None:
        """Move, load, take apart, seal, or turn a vice, at a cell time.

        Raises
        ------
        ValueError
            If the vessel cannot do so where and as it is, or a value makes no sense.
        """
        self._live(time_s)
        for name, value in changes.items():
            match Change(name):
                case Change.LOCATION:
                    self._move(time_s, VesselLocation(value))
                case Change.HOLDER:
                    self._load(time_s, str(value))
                case Change.SEALED:
                    self._seal(time_s, bool(value))
                case Change.OPENED:
                    self._take_apart(time_s, Opened(value))
                case Change.LEAK:
                    self._keep_pressure(time_s)
                    self._state.leak_mbar_per_h = _not_negative(name, value)
                case Change.O2:
                    self._state.o2_ppm = _not_negative(name, value)
                case Change.H2O:
                    self._state.h2o_ppm = _not_negative(name, value)
                case Change.NEVER_ARRIVES:
                    self._state.never_arrives = bool(value)

    def _move(self, time_s: float, target: VesselLocation) -> None:
        if target is VesselLocation.IN_TRANSIT:
            raise ValueError("nobody goes to 'in transit'; name a place")
        if not self._state.sealed:
            raise ValueError("the vessel is open; the lock of the glovebox lets it out sealed alone")
        if target is self._state.target and math.isfinite(self._state.arrives_s):
            return
        self._state.target = target
        self._state.arrives_s = math.inf if self._state.never_arrives else time_s + self._transfer_s

    def _load(self, time_s: float, holder: str) -> None:
        self._in_glovebox(time_s, "is loaded and unloaded")
        if self._state.sealed:
            raise ValueError("the vessel is sealed; open it first")
        if holder and holder not in self._holders:
            raise ValueError(f"no holder {holder!r} with a cell; there are {', '.join(self._holders)}")
        if holder and self._state.holder not in ("", holder):
            raise ValueError(f"{self._state.holder} is in the vessel already")
        self._state.holder = holder

    def _take_apart(self, time_s: float, opened: Opened) -> None:
        self._in_glovebox(time_s, "holds a cell that is taken apart")
        state, holder = self._state, self._state.holder
        before = state.opened.get(holder, Opened.WHOLE)
        if opened == before:
            return
        if not holder or state.sealed:
            raise ValueError("a cell is taken apart in the open vessel; load it, and open the vessel")
        if opened is Opened.WHOLE:
            raise ValueError(f"the cell of {holder} was taken apart, which is for good")
        state.opened = {**state.opened, holder: str(opened)}

    def _seal(self, time_s: float, seals: bool) -> None:
        if seals == self._state.sealed:
            return
        here = self.location(time_s)
        if here not in (VesselLocation.GLOVEBOX, VesselLocation.VACUUM):
            raise ValueError(
                f"the vessel is opened and sealed in the glovebox or at the vacuum chamber; it is at {here}"
            )
        filled_mbar = FILL_MBAR if here is VesselLocation.GLOVEBOX else 0.0
        state = self._state
        state.sealed, state.filled_mbar = seals, filled_mbar
        state.pressure_mbar, state.pressure_since_s = filled_mbar, time_s

    def _in_glovebox(self, time_s: float, what: str) -> None:
        here = self.location(time_s)
        if here is not VesselLocation.GLOVEBOX:
            raise ValueError(f"the vessel {what} in the glovebox alone; it is at {here}")

    def _live(self, time_s: float) -> None:
        """Count what air the cell in it has met, up to a cell time."""
        state = self._state
        if state.holder:
            passed_s = max(0.0, time_s - state.lived_s)
            mean_mbar = (self._air_mbar(state.lived_s) + self._air_mbar(time_s)) / 2
            before = state.air_mbar_s.get(state.holder, 0.0)
            state.air_mbar_s = {**state.air_mbar_s, state.holder: before + mean_mbar * passed_s}
        state.lived_s = max(time_s, state.lived_s)

    def _air_mbar(self, time_s: float) -> float:
        """Oxygen and water around the cell in it."""
        state = self._state
        if state.sealed:
            return REACTIVE_SHARE * max(0.0, self.pressure_mbar(time_s) - state.filled_mbar)
        is_in_box = self.location(time_s) is VesselLocation.GLOVEBOX
        return 1e-6 * (state.o2_ppm + state.h2o_ppm) * GLOVEBOX_MBAR if is_in_box else 0.0

    def _keep_pressure(self, time_s: float) -> None:
        self._state.pressure_mbar, self._state.pressure_since_s = self.pressure_mbar(time_s), time_s

    def status(self, time_s: float) -> dict[str, Any]:
        """What vessel and glovebox show at a cell time, JSON-able."""
        state = self._state
        return {
            "location": str(self.location(time_s)),
            "holder": state.holder,
            "sealed": state.sealed,
            "opened": state.opened.get(state.holder, str(Opened.WHOLE)),
            "pressure_mbar": self.pressure_mbar(time_s),
            "o2_ppm": state.o2_ppm,
            "h2o_ppm": state.h2o_ppm,
            "dew_point_c": dew_point_c(state.h2o_ppm, GLOVEBOX_MBAR),
        }

    def to_state(self) -> dict[str, Any]:
        """What `restore` needs, JSON-able."""
        kept = asdict(self._state)
        # JSON has no infinity.
        kept["arrives_s"] = None if math.isinf(self._state.arrives_s) else self._state.arrives_s
        return kept

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on as it was."""
        arrives_s = math.inf if kept["arrives_s"] is None else kept["arrives_s"]
        target = VesselLocation(kept["target"])
        self._state = VesselState(**{**kept, "target": target, "arrives_s": arrives_s})


def dew_point_c(h2o_ppm: float, pressure_mbar: float) -> float:
    """Temperature at which so much water vapour (by volume) condenses; below 0 degrees C as ice.

    Vapour pressures over ice and over supercooled water: D. M. Murphy, T. Koop, Q. J. R. Meteorol. Soc. 131
    (2005) 1539, equations 7 and 10. Down to -150 degrees C.
    """
    partial_pa = max(h2o_ppm, 1e-9) * 1e-6 * pressure_mbar * 100
    low_k, high_k = 123.0, 333.0
    while high_k - low_k > 1e-6:
        middle_k = (low_k + high_k) / 2
        if _vapour_pa(middle_k) < partial_pa:
            low_k = middle_k
        else:
            high_k = middle_k
    return low_k - _ZERO_C_K


def _vapour_pa(kelvin: float) -> float:
    log_t = math.log(kelvin)
    if kelvin < _ZERO_C_K:
        return math.exp(9.550426 - 5723.265 / kelvin + 3.53068 * log_t - 0.00728332 * kelvin)
    cold = 54.842763 - 6763.22 / kelvin - 4.210 * log_t + 0.000367 * kelvin
    warm = 53.878 - 1331.22 / kelvin - 9.44523 * log_t + 0.014025 * kelvin
    return math.exp(cold + math.tanh(0.0415 * (kelvin - 218.8)) * warm)


def _not_negative(name: str, value: Any) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} is {number:g}; it must be 0 or more")
    return number

"""The vacuum chamber of the microscopes: its gas, its gate valve, and the temperature of its stage."""

import math
from dataclasses import dataclass

from intercalate.materials.electron_range import LITHIUM_MELTS_C

BASE_MBAR = 2e-9
LOCK_MBAR = 1e-6
"""Beyond the gate valve."""

PUMP_S = 40.0
"""Time constant of the pumps, for all but what sticks to the walls."""

STAGE_C = (-180.0, 400.0)
STAGE_K_PER_S = 0.5
"""By which heater and cold finger move the stage at most."""


@dataclass
class Chamber:
    """Pressure and temperature at a cell time; asked as often as one likes, in order.

    Attributes
    ----------
    leak_mbar
        What a leak adds to the pressure.
    target_c, stage_c, rest_c
        Of the stage: as set, as it is, and where it goes when a client that keeps it hot is gone.
    freezes
        Times that the stage came back from where lithium melts.
    """

    pressure_mbar: float = BASE_MBAR
    gate_is_open: bool = False
    leak_mbar: float = 0.0
    target_c: float = 25.0
    stage_c: float = 25.0
    rest_c: float = 25.0
    time_s: float = math.nan
    freezes: int = 0

    def live(self, time_s: float) -> None:
        """Let time pass up to a cell time."""
        passed_s = max(time_s - self.time_s, 0.0) if math.isfinite(self.time_s) else 0.0
        self.time_s = time_s
        settles_at = BASE_MBAR + self.leak_mbar + (LOCK_MBAR if self.gate_is_open else 0.0)
        left = math.exp(-passed_s / PUMP_S)
        self.pressure_mbar = settles_at + (self.pressure_mbar - settles_at) * left
        most_k = STAGE_K_PER_S * passed_s
        was_molten = self.stage_c > LITHIUM_MELTS_C
        self.stage_c += min(max(self.target_c - self.stage_c, -most_k), most_k)
        self.freezes += was_molten and self.stage_c <= LITHIUM_MELTS_C

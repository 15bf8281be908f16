"""How lithium grows by the current density: as it really does, or in a world without the effect."""

from enum import StrEnum


class Growth(StrEnum):
    """How lithium grows by the current density; nobody is told."""

    REAL = "real"
    """As moss at low, as needles at high current density."""
    EVEN = "even"
    """Half of it as needles, at any current density."""
    REVERSED = "reversed"
    """As needles at low, as moss at high current density."""

    def sharpness(self, real: float) -> float:
        """Power of the current density in the share of needles."""
        return {Growth.REAL: real, Growth.EVEN: 0.0, Growth.REVERSED: -real}[self]

"""A diamond-anvil cell: its membrane, the pressure at the sample, and what nobody is told of both."""

import math
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from intercalate.contract import PressureState
from intercalate.materials.equations_of_state import MARKERS

GAIN_SIGMA = 0.06
"""Relative, of the pressure at the sample against what the table of the membrane says."""
PLAY_GPA = 0.6
"""By which the membrane may give way, through friction, before the sample has less pressure."""
SETTLING_S = 60.0
"""Time constant with which gasket and medium follow the anvils."""
BETWEEN_SIGMA = 0.005
"""Relative, of the pressure at the sample against that at the marker beside it."""
DISPLACEMENT_SIGMA_UM = 60.0
MODULUS_GPA, MODULUS_SIGMA_GPA = 130.0, 3.0
SLOPE, SLOPE_SIGMA = 4.2, 0.3


class Compression(StrEnum):
    """How the sample gives way."""

    ANISOTROPIC = "anisotropic"
    """Each axis by its own compressibility."""
    ISOTROPIC = "isotropic"
    """All axes alike."""
    EXCHANGED = "exchanged"
    """Those of the most and of the least compressible axis are exchanged."""
    TRANSITION = "transition"
    """The volume falls at once, by another arrangement of the same symmetry."""


@dataclass(frozen=True)
class HiddenPressed:
    """How a sample between diamonds differs from what its users are told.

    Attributes
    ----------
    gain, play_gpa
        Of the membrane.
    between
        Relative difference of the pressure at the sample from that at the marker.
    modulus_gpa, slope
        Of the sample.
    marker_modulus_gpa, marker_slope
        Of the marker, whose scale is uncertain.
    displacement_um
        From the plane of the calibrants, + downstream.
    """

    gain: float = 1.0
    play_gpa: float = 0.0
    between: float = 0.0
    modulus_gpa: float = MODULUS_GPA
    slope: float = SLOPE
    marker_modulus_gpa: float = MARKERS["Au"].law.bulk_modulus_gpa
    marker_slope: float = MARKERS["Au"].law.slope
    displacement_um: float = 0.0
    compression: Compression = Compression.ANISOTROPIC

    @classmethod
    def draw(cls, seed: int, compression: Compression = Compression.ANISOTROPIC) -> Self:
        """Draw from the seed; the sample gives way as told."""
        generator = np.random.default_rng([seed, zlib.crc32(b"pressed"), 0xB1DE])
        drawn = [float(one) for one in generator.standard_normal(8)]
        marker = MARKERS["Au"]
        return cls(
            gain=1 + GAIN_SIGMA * drawn[0],
            play_gpa=PLAY_GPA * math.exp(0.3 * drawn[1]),
            between=BETWEEN_SIGMA * drawn[2],
            modulus_gpa=MODULUS_GPA + MODULUS_SIGMA_GPA * drawn[3],
            slope=SLOPE + SLOPE_SIGMA * drawn[4],
            marker_modulus_gpa=marker.law.bulk_modulus_gpa + marker.bulk_modulus_sigma_gpa * drawn[5],
            marker_slope=marker.law.slope + marker.slope_sigma * drawn[6],
            displacement_um=DISPLACEMENT_SIGMA_UM * drawn[7],
            compression=compression,
        )


class PressureCell:
    """Membrane and anvils; asked as often as one likes, in order.

    Its valve is shut while nobody asks for another pressure: then nothing changes but what gasket and medium
    have still to follow. A controller that is lost in the middle of an approach leaves the valve shut.

    Attributes
    ----------
    membrane_gpa
        Pressure at the sample that belongs to the membrane's own, by its table.
    marker_gpa
        Truly in the chamber, at the marker.
    """

    def __init__(self, hidden: HiddenPressed, rate_gpa_min: float):
        self._hidden = hidden
        self.membrane_gpa = 0.0
        self.marker_gpa = 0.0
        self._anvils_gpa = 0.0
        self._target_gpa = 0.0
        self._rate_gpa_min = rate_gpa_min

    @property
    def state(self) -> PressureState:
        """Whether the valve is shut."""
        is_there = self.membrane_gpa == self._target_gpa
        return PressureState.HOLDING if is_there else PressureState.APPROACHING

    def live(self, passed_s: float) -> None:
        """Let time pass."""
        most = self._rate_gpa_min * passed_s / 60.0
        self.membrane_gpa += min(max(self._target_gpa - self.membrane_gpa, -most), most)
        pressed = self._hidden.gain * self.membrane_gpa
        # Friction: what was pressed stays so until the membrane has given way by more than the play.
        self._anvils_gpa = max(0.0, min(max(self._anvils_gpa, pressed), pressed + self._hidden.play_gpa))
        if self.membrane_gpa == 0.0:
            self._anvils_gpa = 0.0
        left = math.exp(-passed_s / SETTLING_S)
        self.marker_gpa = self._anvils_gpa + (self.marker_gpa - self._anvils_gpa) * left

    def hold(self) -> None:
        """Shut the valve."""
        self._target_gpa = self.membrane_gpa

    def set(self, changes: dict[str, Any]) -> None:
        """Change set point or rate, or hold.

        Raises
        ------
        ValueError
            If a number is no pressure, or no rate.
        """
        for name, value in changes.items():
            number = float(value)
            if name == "hold":
                self.hold()
            elif name == "target_gpa" and 0 <= number < math.inf:
                self._target_gpa = number
            elif name == "rate_gpa_min" and 0 < number < math.inf:
                self._rate_gpa_min = number
            else:
                raise ValueError(f"{name} cannot be {value!r}")

    def status(self) -> dict[str, Any]:
        """What a controller shows."""
        return {
            "membrane_gpa": self.membrane_gpa,
            "target_gpa": self._target_gpa,
            "rate_gpa_min": self._rate_gpa_min,
            "state": str(self.state),
        }

    def to_state(self) -> dict[str, float]:
        """JSON-able."""
        return {
            "membrane_gpa": self.membrane_gpa,
            "marker_gpa": self.marker_gpa,
            "anvils_gpa": self._anvils_gpa,
            "rate_gpa_min": self._rate_gpa_min,
        }

    def restore(self, state: dict[str, float]) -> None:
        """Be as `to_state` said, with the valve shut."""
        self.membrane_gpa = state["membrane_gpa"]
        self.marker_gpa = state["marker_gpa"]
        self._anvils_gpa = state["anvils_gpa"]
        self._rate_gpa_min = state["rate_gpa_min"]
        self.hold()

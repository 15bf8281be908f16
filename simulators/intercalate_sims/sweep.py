"""The impedance meter of a simulated channel: one frequency after the other, with noise."""

import math

import numpy as np

from intercalate.cycler_server.channel import ImpedancePoint
from intercalate.protocol import Spectrum

RELATIVE_NOISE = 5e-4
"""Of an impedance, per measure."""

VOLTAGE_NOISE_V = 1e-5
"""Against the amplitude of the voltage, per measure."""


class Sweep:
    """Progress of one spectrum; each frequency takes as many periods as it is measured.

    Parameters
    ----------
    spectrum
        To be measured.
    key
        By which the noise of this sweep is drawn.
    """

    def __init__(self, spectrum: Spectrum, key: int):
        self._spectrum = spectrum
        self._frequencies_hz = spectrum.frequencies_hz
        self._ends_s = spectrum.ends_s
        self._key = key
        self._asked = 0
        self._measured = 0

    @property
    def complete(self) -> bool:
        """Whether every frequency has been measured."""
        return self._measured == len(self._frequencies_hz)

    def due_hz(self, elapsed_s: float) -> list[float]:
        """Frequencies whose periods are over and that were not due before."""
        first = self._asked
        while self._asked < len(self._ends_s) and self._ends_s[self._asked] <= elapsed_s:
            self._asked += 1
        return list(self._frequencies_hz[first : self._asked])

    def measured(self, impedance_ohm: complex) -> ImpedancePoint:
        """What the meter makes of the impedance at the next frequency."""
        spectrum, size = self._spectrum, abs(impedance_ohm)
        amplitude_v = spectrum.amplitude_v
        if amplitude_v is None:
            assert spectrum.amplitude_a is not None
            amplitude_v = spectrum.amplitude_a * size
        sigma = size * math.hypot(RELATIVE_NOISE, VOLTAGE_NOISE_V / amplitude_v)
        sigma /= math.sqrt(spectrum.measures_per_point)
        draw = np.random.default_rng([20262, self._key, self._measured]).standard_normal(2)
        point = ImpedancePoint(
            self._frequencies_hz[self._measured], impedance_ohm + sigma * complex(*draw.tolist())
        )
        self._measured += 1
        return point

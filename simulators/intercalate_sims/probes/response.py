"""How the detector turns photons into counts, and by which of its pixels it is not to be trusted."""

from dataclasses import dataclass

import numpy as np

SATURATION = 2**20 - 1
LAG = 0.002
"""Of the signal of the frame before, left in the next."""

OFFSET = 100.0
READ_NOISE = 3.0
DARK_PER_S = 0.4
"""Mean over the ordinary pixels."""

PIXEL_GAIN_SIGMA = 0.02
MODULE_GAIN = 0.03
"""Largest smooth deviation of the gain within a module, and standard deviation between modules."""

GAP_PIXELS = 4
HOT_SHARE = 1e-4
HOT_PER_S = (50.0, 5000.0)
DEAD_PIXELS = 12

_NORMAL_ABOVE = 20.0


@dataclass(frozen=True)
class PixelMaps:
    """What each pixel is like, drawn once for a detector; float32 and bool, shape of a frame.

    Attributes
    ----------
    gain
        Counts per photon; 0 where dead or in a gap.
    dark_per_s
        Counts of dark current.
    gap
        Between the modules, where nothing is counted at all.
    """

    gain: np.ndarray
    dark_per_s: np.ndarray
    gap: np.ndarray

    @classmethod
    def draw(cls, shape: tuple[int, int], seed: int) -> "PixelMaps":
        """Draw a detector of 2 x 2 modules."""
        generator = np.random.default_rng([seed, 0xDE7EC7])
        gain = 1.0 + PIXEL_GAIN_SIGMA * generator.standard_normal(shape, dtype=np.float32)
        gain *= _modules(shape, generator)
        dark = (DARK_PER_S * (0.7 + 0.6 * np.linspace(0, 1, shape[0])))[:, None] * np.ones(shape)
        dark = (dark * np.exp(0.1 * generator.standard_normal(shape))).astype(np.float32)
        places = generator.permutation(shape[0] * shape[1])
        hot, dead = np.split(places[: round(HOT_SHARE * places.size) + DEAD_PIXELS], [-DEAD_PIXELS])
        low, high = np.log(HOT_PER_S)
        dark.flat[hot] = np.exp(generator.uniform(low, high, hot.size))
        gain.flat[dead] = 0.0
        gap = np.zeros(shape, dtype=bool)
        for axis, length in enumerate(shape):
            start = (length - GAP_PIXELS) // 2
            np.moveaxis(gap, axis, 0)[start : start + GAP_PIXELS] = True
        gain[gap] = 0.0
        dark[gap] = 0.0
        return cls(gain, dark, gap)


class Response:
    """An integrating detector, which remembers its last frame.

    counts = gain * photons + lag * last signal + offset + dark current * time + noise, rounded and cut
    at `SATURATION`; nothing in the gaps.
    """

    def __init__(self, maps: PixelMaps):
        self.maps = maps
        self._gain_squared = maps.gain**2
        self._last = np.zeros(maps.gain.shape, dtype=np.float32)
        self._exposure_s = float("nan")
        self._dark = self._floor = self._last

    def count(self, photons: np.ndarray, exposure_s: float, generator: np.random.Generator) -> np.ndarray:
        """Draw the frame (uint32) of these expected photons (float32).

        Poisson where fewer than 20 photons are expected, elsewhere normal deviates of the same mean and
        variance; dark current and read-out add normal noise everywhere.
        """
        self._expose(exposure_s)
        gain = self.maps.gain
        # Where nothing arrives, as behind a closed shutter, there is nothing to draw.
        faint = np.flatnonzero((photons > 0) & (photons < _NORMAL_ABOVE))
        spread = photons * self._gain_squared
        spread.flat[faint] = 0.0
        spread += self._floor
        np.sqrt(spread, out=spread)
        signal = generator.standard_normal(photons.shape, dtype=np.float32)
        signal *= spread
        np.multiply(photons, gain, out=spread)
        spread.flat[faint] = generator.poisson(photons.flat[faint]) * gain.flat[faint]
        signal += spread
        self._last *= np.float32(LAG)
        signal += self._last
        np.add(signal, self._dark, out=spread)
        np.clip(spread, 0, SATURATION, out=spread)
        spread[self.maps.gap] = 0.0
        # What is beyond the full well is not there to lag either.
        self._last = np.minimum(signal, np.float32(SATURATION), out=signal)
        return spread.astype(np.uint32)

    def _expose(self, exposure_s: float) -> None:
        """Dark counts with offset and half a count to round by, and the variance without photons."""
        if exposure_s != self._exposure_s:
            self._exposure_s = exposure_s
            dark = self.maps.dark_per_s * np.float32(exposure_s)
            self._dark = dark + np.float32(OFFSET + 0.5)
            self._floor = dark + np.float32(READ_NOISE**2)


def _modules(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Gain of each module, with a smooth change within it."""
    found = np.empty(shape, dtype=np.float32)
    rows, columns = shape[0] // 2, shape[1] // 2
    for down in (slice(0, rows), slice(rows, None)):
        for across in (slice(0, columns), slice(columns, None)):
            part = found[down, across]
            y, x = (np.linspace(-1, 1, length) for length in part.shape)
            a, b, c = generator.uniform(-1, 1, 3)
            level = 1.0 + MODULE_GAIN * generator.standard_normal()
            part[:] = level + MODULE_GAIN / 3 * (a * x[None, :] + b * y[:, None] + c * np.outer(y, x))
    return found

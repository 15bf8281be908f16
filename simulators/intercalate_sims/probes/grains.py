"""Rings are not even: the crystals of rolled and coated foils prefer directions, and grains are few.

The rings of a phase are modulated over the azimuth by its texture, which belongs to the holder, and by
its grains, which belong to the place on the sample. Places are counted in units of the size of the beam: one
beam further all grains are others, half a beam further half of them.
"""

import itertools
import math
import zlib
from collections.abc import Mapping

import numpy as np

from intercalate_sims.probes.detector import DetectorGeometry

AZIMUTHS = 360
RADIUS_STEP_MM = 0.2
_GRAIN_STEP_MM = 2.0
"""Rings much closer together than this have the same grains; those of one phase hardly ever are."""

GRAIN_SIGMA = {
    "Li": 0.9,
    "Al": 0.25,
    "Cu": 0.20,
    "graphite": 0.06,
    "NMC811": 0.03,
    "Li-rich NMC": 0.01,
    "LFP": 0.01,
    "FePO4": 0.01,
    "S8": 0.05,
    "Au": 0.02,
    "Li2S": 0.01,
    "LaB6": 0.02,
    "Si": 0.06,
}
"""Relative standard deviation of the intensity in one degree of a ring, for a beam of 0.5 x 0.5 mm."""

TEXTURE = {
    "Al": 0.35,
    "Cu": 0.30,
    "PE": 0.50,
    "Li": 0.20,
    "graphite": 0.03,
    "NMC811": 0.02,
    "Li-rich NMC": 0.02,
    "LFP": 0.01,
    "FePO4": 0.01,
}
"""Amplitude of the modulation over the azimuth."""

_REFERENCE_MM2 = 0.25
_PLACES_KEPT = 16


class Grains:
    """Modulation of the rings of one detector.

    Parameters
    ----------
    seed
        Of texture and grains.
    """

    def __init__(self, geometry: DetectorGeometry, seed: int):
        self._seed = seed
        rings = int(geometry.radius_mm.max() / RADIUS_STEP_MM) + 1
        ring = (geometry.radius_mm / RADIUS_STEP_MM).astype(np.int32)
        azimuth = ((geometry.azimuth_rad + np.pi) / (2 * np.pi) * AZIMUTHS).astype(np.int32) % AZIMUTHS
        self._index = ring * AZIMUTHS + azimuth
        self._azimuth_rad = (np.arange(AZIMUTHS) + 0.5) / AZIMUTHS * 2 * np.pi - np.pi
        self._rings = rings
        self._fields: dict[tuple[str, str, tuple[float, float], tuple[float, float]], np.ndarray] = {}

    def modulate(
        self,
        expected: np.ndarray,
        holder: str,
        place_mm: tuple[float, float],
        slit_mm: tuple[float, float],
        profiles: Mapping[str, np.ndarray],
        rest: np.ndarray,
    ) -> None:
        """Multiply a frame, in place, by the modulation of its rings.

        Parameters
        ----------
        place_mm, slit_mm
            Where the beam is on the sample, and how large.
        profiles
            Of each phase, by 0.01 mm of radius; `rest` is that of all that is even.
        """
        means = {phase: self._ring_means(profile) for phase, profile in profiles.items()}
        total = sum(means.values(), self._ring_means(rest))
        total[total == 0] = 1.0
        table = np.ones((self._rings, AZIMUTHS), dtype=np.float32)
        for phase, mean in means.items():
            share = (mean / total).astype(np.float32)
            table += share[:, None] * self._deviation(phase, holder, place_mm, slit_mm)
        expected *= table.ravel()[self._index]

    def _ring_means(self, profile: np.ndarray) -> np.ndarray:
        per_ring = round(RADIUS_STEP_MM / 0.01)
        needed = self._rings * per_ring
        padded = np.zeros(needed)
        padded[: min(needed, profile.size)] = profile[:needed]
        return padded.reshape(self._rings, per_ring).mean(axis=1)

    def _deviation(
        self, phase: str, holder: str, place_mm: tuple[float, float], slit_mm: tuple[float, float]
    ) -> np.ndarray:
        """Relative deviation of a phase's intensity from an even ring, shape (rings, AZIMUTHS)."""
        key = (phase, holder, place_mm, slit_mm)
        if key not in self._fields:
            while len(self._fields) >= _PLACES_KEPT:
                self._fields.pop(next(iter(self._fields)))
            texture = 1.0 + self._texture(phase, holder)
            self._fields[key] = texture.astype(np.float32) * (1 + self._grains(*key)) - 1
        return self._fields[key]

    def _texture(self, phase: str, holder: str) -> np.ndarray:
        turned, halves = self._generator(phase, holder).random(2)
        azimuth = self._azimuth_rad - np.pi * turned
        amplitude = TEXTURE.get(phase, 0.0)
        share = 0.3 + 0.4 * halves
        return amplitude * (share * np.cos(2 * azimuth) + (1 - share) * np.cos(4 * azimuth))

    def _grains(
        self, phase: str, holder: str, place_mm: tuple[float, float], slit_mm: tuple[float, float]
    ) -> np.ndarray:
        """Deviation by grains of the four places that the beam touches, each by its share of the variance."""
        sigma = GRAIN_SIGMA.get(phase, 0.0) * math.sqrt(_REFERENCE_MM2 / (slit_mm[0] * slit_mm[1]))
        if sigma == 0.0:
            return np.zeros((self._rings, AZIMUTHS), dtype=np.float32)
        beams = [place / size for place, size in zip(place_mm, slit_mm)]
        first = [math.floor(at) for at in beams]
        nodes = int(self._rings * RADIUS_STEP_MM / _GRAIN_STEP_MM) + 2
        coarse = np.zeros((nodes, AZIMUTHS), dtype=np.float32)
        for right, up in itertools.product((0, 1), repeat=2):
            share = abs(beams[0] - first[0] + right - 1) * abs(beams[1] - first[1] + up - 1)
            if share == 0:
                continue
            generator = self._generator(phase, holder, first[0] + right, first[1] + up)
            grains = generator.standard_gamma(sigma**-2, coarse.shape, dtype=np.float32)
            coarse += np.float32(math.sqrt(share)) * (grains * np.float32(sigma**2) - 1)
        np.maximum(coarse, -1.0, out=coarse)
        at = np.arange(self._rings) * RADIUS_STEP_MM / _GRAIN_STEP_MM
        below = at.astype(int)
        upper = (at - below).astype(np.float32)[:, None]
        return (1 - upper) * coarse[below] + upper * coarse[below + 1]

    def _generator(self, phase: str, holder: str, *place: int) -> np.random.Generator:
        words = [self._seed, zlib.crc32(phase.encode()), zlib.crc32(holder.encode())]
        return np.random.default_rng(words + [number % 2**32 for number in place])

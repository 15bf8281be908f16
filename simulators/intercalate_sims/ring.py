"""The storage ring: its current and the brightness of the beam, as functions of cell time."""

import itertools
import math
from collections.abc import Callable
from enum import StrEnum

import numpy as np


class RingState(StrEnum):
    """What the ring does."""

    NO_BEAM = "no beam"
    """Nothing is stored."""
    STORED = "stored"
    """Beam for everybody."""
    INJECTION = "injection"
    """Electrons are added; at a top-up the beam is disturbed, after a dump it is weak at first."""


LIFETIME_S = 36_000.0
TOP_UP_PERIOD_S = 180.0
TOP_UP_S = 4.0
TOP_UP_BRIGHTNESS = 0.75
"""Of the undisturbed beam, while the orbit is bumped for an injection."""

REFILL_S = 120.0
"""From nothing to the full current, after a dump."""

DRIFTS = ((0.010, 8_300.0), (0.004, 1_020.0))
"""Amplitude and period in s of the slow changes of brightness: monochromator and orbit."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_QUADRATURE = [(float(x + 1) / 2, float(w) / 2) for x, w in zip(_NODES, _WEIGHTS)]


class Ring:
    """Current and brightness at any cell time, from the seed and the dumps alone.

    Parameters
    ----------
    full_ma
        Current that the ring is topped up to.
    seed
        Of the phases of top-up and drift; None for a ring that is topped up without end and never drifts.
    dumps
        Start and duration in s of cell time of each stay without beam.
    """

    def __init__(self, full_ma: float, seed: int | None, dumps: list[tuple[float, float]] | None = None):
        self.full_ma = full_ma
        self.dumps = list(dumps or [])
        self._is_steady = seed is None
        phases = np.random.default_rng([seed or 0, 1947]).random(1 + len(DRIFTS))
        self._top_up_phase_s = float(phases[0]) * TOP_UP_PERIOD_S
        self._drift_phases = [2 * math.pi * float(phase) for phase in phases[1:]]

    def dump(self, start_s: float, duration_s: float) -> None:
        """Lose the beam at `start_s` for `duration_s`."""
        self.dumps.append((start_s, duration_s))

    def state(self, time_s: float) -> RingState:
        """What the ring does at this cell time."""
        fill = self._fill(time_s)
        if fill <= 0:
            return RingState.NO_BEAM
        return RingState.INJECTION if fill < 1 or self._tops_up(time_s) else RingState.STORED

    def current_ma(self, time_s: float) -> float:
        """Stored current."""
        return self.full_ma * self._fill(time_s) * self._decay(time_s)

    def brightness(self, time_s: float) -> float:
        """Photons at the beamline, relative to those of the full, undisturbed ring."""
        disturbed = TOP_UP_BRIGHTNESS if self._tops_up(time_s) else 1.0
        return self._fill(time_s) * self._decay(time_s) * self._drift(time_s) * disturbed

    def mean(self, quantity: Callable[[float], float], start_s: float, end_s: float) -> float:
        """Mean of `current_ma` or `brightness` over a time, exact to 1e-9 of the full value."""
        if not end_s > start_s:
            raise ValueError(f"a mean needs a time, not {start_s} to {end_s} s")
        edges = [start_s, *self._edges(start_s, end_s), end_s]
        total = 0.0
        for low, high in itertools.pairwise(edges):
            width = high - low
            total += width * sum(w * quantity(low + x * width) for x, w in _QUADRATURE)
        return total / (end_s - start_s)

    def _edges(self, start_s: float, end_s: float) -> list[float]:
        """Times in between at which something jumps or bends."""
        times = [
            time
            for start, duration in self.dumps
            for time in (start, start + duration, start + duration + REFILL_S)
        ]
        if not self._is_steady:
            first = math.floor((start_s + self._top_up_phase_s) / TOP_UP_PERIOD_S)
            last = math.floor((end_s + self._top_up_phase_s) / TOP_UP_PERIOD_S)
            for number in range(first, last + 1):
                begin = number * TOP_UP_PERIOD_S - self._top_up_phase_s
                times += [begin, begin + TOP_UP_S]
        return sorted({time for time in times if start_s < time < end_s})

    def _fill(self, time_s: float) -> float:
        """Share of the full current that has been filled again since the last dump."""
        fill = 1.0
        for start, duration in self.dumps:
            if time_s >= start:
                fill = min(fill, max(0.0, (time_s - start - duration) / REFILL_S))
        return fill

    def _since_top_up_s(self, time_s: float) -> float:
        return (time_s + self._top_up_phase_s) % TOP_UP_PERIOD_S

    def _tops_up(self, time_s: float) -> bool:
        return not self._is_steady and self._since_top_up_s(time_s) < TOP_UP_S

    def _decay(self, time_s: float) -> float:
        if self._is_steady:
            return 1.0
        since_s = self._since_top_up_s(time_s)
        if since_s >= TOP_UP_S:
            return math.exp(-(since_s - TOP_UP_S) / LIFETIME_S)
        lowest = math.exp(-(TOP_UP_PERIOD_S - TOP_UP_S) / LIFETIME_S)
        return lowest + (1 - lowest) * since_s / TOP_UP_S

    def _drift(self, time_s: float) -> float:
        if self._is_steady:
            return 1.0
        return 1.0 + sum(
            amplitude * math.sin(2 * math.pi * time_s / period + phase)
            for (amplitude, period), phase in zip(DRIFTS, self._drift_phases)
        )

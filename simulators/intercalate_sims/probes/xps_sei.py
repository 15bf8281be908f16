"""The layer that grows on lithium in a lithium-sulfur cell: which compounds, when, and how fast.

Three groups, as in the study of the project: primary compounds of lithium; what these and the salt give with
the electrolyte; polysulfides that foul the surface. When each begins is drawn from a seed and hidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps_samples import Layer


class SeiWorld(StrEnum):
    """How the layer grows."""

    STEPS = "steps"
    """Primary compounds, then secondary ones, then polysulfides."""
    TOGETHER = "together"
    """All from the start."""
    NOTHING = "nothing"
    """A native film that stays as it is."""
    PERMUTED = "permuted"
    """In three steps of another order."""


GROUPS: Mapping[str, Mapping[str, float]] = {
    "primary": {"Li2O": 0.6, "Li3N": 0.25, "LiF": 0.15},
    "secondary": {"Li2S2O3": 0.35, "Li2S4O6": 0.2, "Li2CO3": 0.45},
    "polysulfide": {"Li2S6": 0.7, "Li2S": 0.3},
}
"""Shares of formula units: illustration after the review's account of the layer."""


@dataclass(frozen=True)
class SeiGrowth:
    """Of one cell.

    Attributes
    ----------
    onset_h, time_constant_h, final_nm
        By group; the thickness follows a root of time that levels off. Infinite where a group never comes.
    native_nm
        Of oxide, before.
    """

    onset_h: Mapping[str, float]
    time_constant_h: Mapping[str, float]
    final_nm: Mapping[str, float]
    native_nm: float

    @classmethod
    def draw(cls, seed: int, world: SeiWorld, duration_h: float) -> "SeiGrowth":
        """A cell of this seed that is watched for this long."""
        generator = keyed_generator(seed, "sei", 0)
        names = list(GROUPS)
        first = duration_h * generator.uniform(0.08, 0.2)
        gaps = duration_h * generator.uniform(0.18, 0.28, 2)
        onsets = first + np.concatenate([[0.0], np.cumsum(gaps)])
        order = [np.array(one) for one in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))]
        another = order[int(generator.integers(len(order)))]
        if world is SeiWorld.TOGETHER:
            onsets = np.full(3, onsets[0])
        elif world is SeiWorld.NOTHING:
            onsets = np.full(3, np.inf)
        elif world is SeiWorld.PERMUTED:
            onsets = onsets[another]
        constants = duration_h * generator.uniform(0.05, 0.25, 3)
        final = generator.uniform(0.8, 2.0, 3)
        return cls(
            dict(zip(names, onsets.tolist())),
            dict(zip(names, constants.tolist())),
            dict(zip(names, final.tolist())),
            float(generator.uniform(0.2, 0.6)),
        )

    def thickness_nm(self, time_h: float) -> dict[str, float]:
        """Of each group, as if it were a layer of its own."""
        found = {}
        for group, onset in self.onset_h.items():
            since = max(time_h - onset, 0.0) if np.isfinite(onset) else 0.0
            found[group] = self.final_nm[group] * float(
                np.sqrt(-np.expm1(-since / self.time_constant_h[group]))
            )
        return found

    def stack(self, time_h: float) -> list[Layer]:
        """The sample at a time: one mixed layer on the native film on lithium."""
        grown = self.thickness_nm(time_h)
        total = sum(grown.values())
        layers = [Layer("adventitious carbon", 0.3)]
        if total > 0:
            layers.append(Layer(_mixture(grown), total, shift_ev=0.3))
        return [*layers, Layer("Li2O", self.native_nm), Layer("Li")]


def _mixture(nm: Mapping[str, float]) -> dict[str, float]:
    """Formula units by volumes of groups, all compounds taken as equally dense in units."""
    shares: dict[str, float] = {}
    for group, thickness in nm.items():
        for compound, share in GROUPS[group].items():
            shares[compound] = shares.get(compound, 0.0) + thickness * share
    return shares


def amounts_with_errors(
    growth: SeiGrowth, time_h: Sequence[float], seed: int, *, relative: float = 0.06, least_nm: float = 0.04
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What a good reduction would make of spectra at these times, without making them.

    A calibration error common to all times, a scatter, and a detection limit.

    Returns
    -------
    dict
        Amount and its standard error from scatter by group, shape (times,) each, in nm.
    """
    generator = keyed_generator(seed, "sei amounts", 1)
    found = {}
    for group in GROUPS:
        true = np.array([growth.thickness_nm(float(one))[group] for one in time_h])
        common = 1.0 + 0.15 * generator.standard_normal()
        sigma = np.hypot(relative * true, least_nm)
        found[group] = (common * true + sigma * generator.standard_normal(true.size), sigma)
    return found

"""Films of lithium on a garnet that thin unevenly, and where lithium grows on them afterwards."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_relief import nuclei
from intercalate_sims.probes.sem_surface import Grid

LEAST_UM = 0.2
"""That stays of a film wherever lithium leaves it."""
_EDGE_UM = 0.8
"""Over which a region passes into what is around it."""
_MOST_GRAINS = 40
_ELSEWHERE = 0.03
"""Chance that lithium grows at a place that it does not prefer."""


class Thinning(StrEnum):
    """How lithium leaves a film and grows on it again; nobody is told."""

    REAL = "real"
    """Out of some regions more than elsewhere; and there it grows."""
    EVEN = "even"
    """Evenly; and it grows anywhere."""
    ELSEWHERE = "elsewhere"
    """Out of some regions more than elsewhere; and it grows beside them."""


@dataclass(frozen=True)
class HiddenThinning:
    """How a film thins.

    Attributes
    ----------
    regions_per_mm2
        Number of regions.
    grain_um
        Diameter of the grains that a region consists of.
    grains, spread
        Median of their number in a region, and standard deviation of its logarithm.
    share
        Of the lithium that leaves, which leaves out of the regions alone.
    made
        Thickness of the film over that of the cell's model.
    """

    regions_per_mm2: float = 900.0
    grain_um: float = 7.0
    grains: float = 5.0
    spread: float = 0.9
    share: float = 0.4
    made: float = 1.0

    @classmethod
    def draw(cls, seed: int) -> Self:
        """Of a seed."""
        n = keyed_generator(seed, "thinning", 0).standard_normal(5)
        return cls(
            900.0 * float(np.exp(0.15 * n[0])),
            7.0 * float(np.exp(0.1 * n[1])),
            5.0,
            float(np.clip(0.9 + 0.1 * n[2], 0.6, 1.2)),
            float(np.clip(0.4 + 0.05 * n[3], 0.25, 0.5)),
            1.0 + 0.03 * float(n[4]),
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


class ThinnedFace:
    """A film of which places and depth of thinned regions are known.

    Parameters
    ----------
    fresh_um
        Thickness of the film by the cell's model, as it was made.
    seed
        Of the places.
    """

    def __init__(self, fresh_um: float, hidden: HiddenThinning, law: Thinning, seed: int):
        self._fresh_um, self._hidden, self._law, self._seed = fresh_um, hidden, law, seed

    def thickness_um(self, grid: Grid, now_um: float) -> np.ndarray:
        """At the pixels of a scan, shape (rows, columns).

        Parameters
        ----------
        now_um
            Mean thickness by the cell's model.
        """
        made_um = self._fresh_um * self._hidden.made
        lost_um = max(self._fresh_um - now_um, 0.0)
        if self._law is Thinning.EVEN:
            return np.full(grid.shape, max(made_um - lost_um, LEAST_UM))
        share = self._hidden.share
        depth = within(grid, self._seed, self._hidden) / mean_depth(self._seed, self._hidden)
        return np.maximum(made_um - lost_um * (1.0 - share + share * depth), LEAST_UM)

    def preference(self, grid: Grid) -> "Growing | None":
        """Where lithium grows, as far as a scan and what lies around it are concerned."""
        if self._law is Thinning.EVEN:
            return None
        return Growing(
            _grains(grid, self._seed, self._hidden),
            mean_depth(self._seed, self._hidden),
            0.5 * self._hidden.grain_um,
            is_inside=self._law is Thinning.REAL,
        )


@dataclass(frozen=True)
class Growing:
    """Chance of growth: where a film is thinned, or where it is not.

    Attributes
    ----------
    grains_um
        Places of the grains of thinned regions, shape (n, 2).
    share
        Of the face that they cover.
    """

    grains_um: np.ndarray
    share: float
    radius_um: float
    is_inside: bool

    @property
    def mean(self) -> float:
        """Chance over the whole face."""
        share = self.share if self.is_inside else 1.0 - self.share
        return _ELSEWHERE + (1.0 - _ELSEWHERE) * share

    def at(self, x_um: float, y_um: float) -> float:
        """Chance at a place."""
        away = np.hypot(self.grains_um[:, 0] - x_um, self.grains_um[:, 1] - y_um)
        depth = float(_profile(np.min(away, initial=np.inf), self.radius_um))
        return _ELSEWHERE + (1.0 - _ELSEWHERE) * (depth if self.is_inside else 1.0 - depth)


def _profile(away_um: np.ndarray | float, radius_um: float) -> np.ndarray:
    """1 within a grain, 0 far from it."""
    return 1.0 / (1.0 + np.exp(np.clip((np.asarray(away_um) - radius_um) / _EDGE_UM, -50.0, 50.0)))


def _grains(grid: Grid, seed: int, hidden: HiddenThinning) -> np.ndarray:
    """Places of all grains of thinned regions in and around a scan, shape (n, 2)."""
    places: list[Sequence[float]] = []
    margin_um = 2.0 * hidden.grain_um * np.sqrt(_MOST_GRAINS)
    for region in nuclei(grid, seed, "thinned regions", hidden.regions_per_mm2 * 1e-6, float(margin_um)):
        generator = keyed_generator(seed, "thinned region", region.key)
        count = round(float(hidden.grains * np.exp(hidden.spread * generator.standard_normal())))
        at = np.zeros((1, 2))
        # Grain by grain, each beside one that is there.
        for _ in range(min(max(count, 1), _MOST_GRAINS) - 1):
            angle = generator.uniform(0.0, 2.0 * np.pi)
            beside = at[int(generator.integers(len(at)))]
            step = 0.9 * hidden.grain_um * np.array([np.cos(angle), np.sin(angle)])
            at = np.vstack([at, beside + step])
        places += [(region.x_um + dx, region.y_um + dy) for dx, dy in at]
    return np.array(places).reshape(-1, 2)


def within(grid: Grid, seed: int, hidden: HiddenThinning) -> np.ndarray:
    """How far a place is within a thinned region, 0 to 1, shape (rows, columns)."""
    depth = np.zeros(grid.shape)
    radius = 0.5 * hidden.grain_um
    reach = radius + 8.0 * _EDGE_UM
    for x_um, y_um in _grains(grid, seed, hidden):
        rows = slice(*np.searchsorted(grid.y_um, [y_um - reach, y_um + reach]))
        low, high = x_um - reach - grid.shift_um.max(), x_um + reach - grid.shift_um.min()
        columns = slice(*np.searchsorted(grid.x_um, [low, high]))
        x = grid.x_um[None, columns] + grid.shift_um[rows, None] - x_um
        away = np.hypot(x, grid.y_um[rows, None] - y_um)
        depth[rows, columns] = np.maximum(depth[rows, columns], _profile(away, radius))
    return depth


@lru_cache(maxsize=16)
def mean_depth(seed: int, hidden: HiddenThinning) -> float:
    """Mean of `within` over a square millimetre."""
    along = np.arange(-500.0, 500.0, 2.5)
    return float(within(Grid(along, along, np.zeros(along.size)), seed, hidden).mean())

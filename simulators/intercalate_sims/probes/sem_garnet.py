"""A garnet that is not one phase: what lithium has left behind where it was lost, and carbonate."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_relief import nuclei
from intercalate_sims.probes.sem_surface import Grid

GARNET = "LLZO"
PHASES = ("lanthanum zirconate", "lanthanum oxide", "passivated lithium")
"""Beside the garnet, keys of `IMAGED_MATERIALS`; the last is carbonate."""
PATCH_UM = 14.0
"""Diameter of a typical patch."""


@dataclass(frozen=True)
class HiddenGarnet:
    """How much of a garnet is something else.

    Attributes
    ----------
    shares
        Of its section, of each of `PHASES`.
    """

    shares: tuple[float, float, float] = (0.06, 0.04, 0.05)

    @classmethod
    def draw(cls, seed: int) -> Self:
        """Of a seed."""
        factors = np.exp(0.25 * keyed_generator(seed, "garnet", 0).standard_normal(3))
        typical = cls().shares
        return cls((typical[0] * factors[0], typical[1] * factors[1], typical[2] * factors[2]))

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


TYPICAL_GARNET = HiddenGarnet()


def phases_of(grid: Grid, seed: int, hidden: HiddenGarnet) -> np.ndarray:
    """0 for the garnet, else one more than the index into `PHASES`; shape (rows, columns)."""
    found = np.zeros(grid.shape, dtype=np.int8)
    for number, share in enumerate(hidden.shares):
        name = f"garnet {PHASES[number]}"
        # Discs at random places cover 1 - exp(-density x area).
        per_um2 = -np.log1p(-share) / (0.25 * np.pi * PATCH_UM**2 * np.exp(2 * 0.3**2))
        for patch in nuclei(grid, seed, name, float(per_um2), 2.0 * PATCH_UM):
            generator = keyed_generator(seed, f"{name} shape", patch.key)
            radius = 0.5 * PATCH_UM * float(np.exp(0.3 * generator.standard_normal()))
            x = grid.x_um[None, :] + grid.shift_um[:, None] - patch.x_um
            inside = x**2 + (grid.y_um[:, None] - patch.y_um) ** 2 < radius**2
            found[inside] = number + 1
    return found

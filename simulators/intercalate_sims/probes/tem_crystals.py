"""Reciprocal lattices as a pattern shows them: lithium (body-centred) and gold (face-centred)."""

from itertools import product

import numpy as np

LITHIUM_A = 3.51
GOLD_A = 4.0782

GROWTH_AXES = {"111": (1, 1, 1), "110": (1, 1, 0), "211": (2, 1, 1)}
_ZONES = {
    "111": ((1, -1, 0),),
    "110": ((0, 0, 1), (1, -1, 1), (1, -1, 0)),
    "211": ((0, 1, -1), (1, -1, -1)),
}
"""Directions of the beam across the growth axis of which a pattern has enough spots."""


def lithium_spots(growth_axis: str, generator: np.random.Generator) -> list[tuple[float, float, float]]:
    """Spots of a crystal that grows across the beam.

    Returns
    -------
    list of (along, across, strength)
        Components of each in 1/A along the growth axis and across it.
    """
    along = np.array(GROWTH_AXES[growth_axis], float)
    zones = _ZONES[growth_axis]
    beam = np.array(zones[int(generator.integers(len(zones)))], float)
    along, beam = along / np.linalg.norm(along), beam / np.linalg.norm(beam)
    across = np.cross(beam, along)
    tilt = np.deg2rad(0.8) * generator.standard_normal(2)
    spots = []
    for indices in product(range(-4, 5), repeat=3):
        plane = np.array(indices, float)
        if not plane.any() or int(plane.sum()) % 2:
            continue
        vector = plane / LITHIUM_A
        if abs(vector @ beam) > 1e-9 or np.linalg.norm(vector) > 0.72:
            continue
        # Off the sphere by the tilt: spots of one side fade.
        excess = vector @ along * tilt[0] + vector @ across * tilt[1] + 0.0125 * (vector @ vector)
        strength = (
            np.exp(-((excess / 0.012) ** 2)) * np.exp(-2.0 * (vector @ vector)) * generator.gamma(4.0, 0.25)
        )
        spots.append((float(vector @ along), float(vector @ across), float(strength)))
    return spots


def gold_rings() -> list[tuple[float, float]]:
    """1/d in 1/A and relative strength of each."""
    rings = ((3, 100.0), (4, 52.0), (8, 32.0), (11, 36.0), (12, 12.0))
    return [(float(np.sqrt(squares) / GOLD_A), strength / 100.0) for squares, strength in rings]

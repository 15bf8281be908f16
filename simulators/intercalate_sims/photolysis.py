"""What a strong laser does to a sample: lithium carbide on the spot, more with every dose."""

import json
import math
import os
from dataclasses import astuple
from pathlib import Path

from intercalate.materials.raman import HARMLESS_W_CM2
from intercalate_sims.irradiation import Spot

VISIBLE_KEV = 0.01
"""Photons of less energy are light."""
CARBIDE_J_CM2 = 1e7
"""Energy per area, of what is more intense than the harmless, after which all but 1/e of what can become
carbide has: an illustration."""


def carbide_share(burnt_j_cm2: float) -> float:
    """Of what can become carbide on a spot."""
    return -math.expm1(-burnt_j_cm2 / CARBIDE_J_CM2)


class Burnt:
    """What every spot of every cell has received above the harmless intensity, kept on disk.

    Parameters
    ----------
    path
        JSON file, which is read if it exists.
    """

    def __init__(self, path: Path):
        self._path = path
        self._spots: dict[str, dict[Spot, float]] = {}
        if path.exists():
            for cell, spots in json.loads(path.read_text()).items():
                self._spots[cell] = {Spot(*spot): burnt for spot, burnt in spots}

    def on(self, cell: str, spot: Spot) -> float:
        """J/cm2 of a spot, that of overlapping exposures by the area they share."""
        return sum(burnt * spot.covered_by(other) for other, burnt in self._spots.get(cell, {}).items())

    def expose(self, cell: str, spot: Spot, fluence_j_cm2: float, intensity_w_cm2: float) -> None:
        """Let a spot receive light of an intensity; what would be harmless does not count."""
        if not (fluence_j_cm2 > 0 and intensity_w_cm2 > HARMLESS_W_CM2):
            return
        more = fluence_j_cm2 * (1.0 - HARMLESS_W_CM2 / intensity_w_cm2)
        spots = self._spots.setdefault(cell, {})
        spots[spot] = spots.get(spot, 0.0) + more
        content = {
            name: [[astuple(one), burnt] for one, burnt in known.items()]
            for name, known in self._spots.items()
        }
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(content))
        os.replace(part, self._path)

"""What the beam does to a cell: particles of an exposed spot stop taking part, more with every dose.

A particle that stops keeps the lithium that it has at that moment. The share that has stopped rises with the
energy fluence and saturates; the rest of the cell neither sees nor feels it.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from intercalate_sims.cell.interface import ElectrodeState, ProbeState

MOST_GROUPS = 12
"""Of particles of one spot that stopped at different moments; beyond it, those most alike are merged."""


@dataclass(frozen=True)
class BeamEffect:
    """How fast particles stop.

    Attributes
    ----------
    inactive_share
        Of the particles of both electrodes, after an infinite dose.
    fluence_j_cm2
        Energy per area after which all but 1/e of these have stopped.
    """

    inactive_share: float
    fluence_j_cm2: float

    def stopping(self, stopped: float, fluence_j_cm2: float) -> float:
        """Share of the particles that stops in an exposure, where this share has stopped before."""
        left = max(0.0, self.inactive_share - stopped)
        return -left * math.expm1(-fluence_j_cm2 / self.fluence_j_cm2)


@dataclass(frozen=True)
class Spot:
    """Rectangle of a cell that a beam meets, from the centre of its window."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float

    def covered_by(self, other: "Spot") -> float:
        """Share of this spot that lies in another."""
        wide = (self.width_mm + other.width_mm) / 2 - abs(self.x_mm - other.x_mm)
        high = (self.height_mm + other.height_mm) / 2 - abs(self.y_mm - other.y_mm)
        covered = min(max(wide, 0.0), self.width_mm) * min(max(high, 0.0), self.height_mm)
        return min(1.0, covered / (self.width_mm * self.height_mm))


@dataclass(frozen=True)
class Inactive:
    """Particles that stopped, as a share of those of a spot, and how they are."""

    share: float
    positive: ElectrodeState
    negative: ElectrodeState

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Inactive":
        """Make of what `dataclasses.asdict` and JSON left of it."""
        sides = {side: ElectrodeState.from_dict(content[side]) for side in ("positive", "negative")}
        return cls(content["share"], **sides)

    def beside(self, living: ProbeState) -> ProbeState:
        """State of the cell, were all particles like these."""
        return replace(living, positive=self.positive, negative=self.negative)


def seen_states(
    states: Sequence[tuple[float, ProbeState]], inactive: Sequence[Inactive]
) -> list[tuple[float, ProbeState]]:
    """What a probe meets at a spot: the particles that take part, and those that stopped.

    Without any of the latter, the states themselves.
    """
    if not inactive or not states:
        return list(states)
    active = 1.0 - sum(one.share for one in inactive)
    total = sum(weight for weight, _ in states)
    stopped = [(total * one.share, one.beside(states[-1][1])) for one in inactive]
    return [*((weight * active, state) for weight, state in states), *stopped]


class Irradiated:
    """What every spot of every cell has received, kept on disk.

    Parameters
    ----------
    effect
        None where the beam does nothing; then nothing is kept.
    path
        JSON file, which is read if it exists.
    """

    def __init__(self, effect: BeamEffect | None, path: Path):
        self._effect = effect
        self._path = path
        self._spots: dict[str, dict[Spot, list[Inactive]]] = {}
        if effect is not None and path.exists():
            for cell, spots in json.loads(path.read_text()).items():
                self._spots[cell] = {
                    Spot(*spot): [Inactive.from_dict(one) for one in groups] for spot, groups in spots
                }

    def inactive(self, cell: str, spot: Spot) -> list[Inactive]:
        """Particles of a spot that have stopped, those of overlapping exposures by the area they share."""
        found = []
        for other, groups in self._spots.get(cell, {}).items():
            covered = spot.covered_by(other)
            found += [replace(one, share=one.share * covered) for one in groups if covered > 0]
        return found

    def expose(self, cell: str, spot: Spot, fluence_j_cm2: float, state: ProbeState) -> None:
        """Let particles of a spot stop in the state that the cell has now."""
        if self._effect is None or not fluence_j_cm2 > 0:
            return
        stopped = sum(one.share for one in self.inactive(cell, spot))
        share = self._effect.stopping(stopped, fluence_j_cm2)
        groups = self._spots.setdefault(cell, {}).setdefault(spot, [])
        groups.append(Inactive(share, state.positive, state.negative))
        if len(groups) > MOST_GROUPS:
            _merge_most_alike(groups)
        self._keep()

    def _keep(self) -> None:
        content = {
            cell: [
                [list(asdict(spot).values()), [asdict(one) for one in groups]]
                for spot, groups in spots.items()
            ]
            for cell, spots in self._spots.items()
        }
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(content))
        os.replace(part, self._path)


def _merge_most_alike(groups: list[Inactive]) -> None:
    """Make one of the two neighbours in time whose lithium contents differ least for the share they are."""

    def loss(number: int) -> float:
        one, other = groups[number], groups[number + 1]
        apart = [
            np.subtract(getattr(one, side).li_content, getattr(other, side).li_content)
            for side in ("positive", "negative")
        ]
        weight = one.share * other.share / max(one.share + other.share, 1e-300)
        return weight * float(sum(np.sum(difference**2) for difference in apart))

    at = min(range(len(groups) - 1), key=loss)
    groups[at : at + 2] = [_merged(groups[at], groups[at + 1])]


def _merged(one: Inactive, other: Inactive) -> Inactive:
    share = one.share + other.share
    weight = one.share / share if share > 0 else 0.5

    def side(a: ElectrodeState, b: ElectrodeState) -> ElectrodeState:
        mean = weight * np.array(a.li_content) + (1 - weight) * np.array(b.li_content)
        square = weight * (np.square(a.li_spread) + np.square(a.li_content))
        square = square + (1 - weight) * (np.square(b.li_spread) + np.square(b.li_content))
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))
        return replace(a, li_content=tuple(mean.tolist()), li_spread=tuple(spread.tolist()))

    return Inactive(share, side(one.positive, other.positive), side(one.negative, other.negative))

"""What a scanning electron microscope meets on a face, and the grid of places that it looks at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np


class Habit(StrEnum):
    """How lithium has grown."""

    NEEDLE = "needle"
    """Long, straight or kinked, thin."""
    MOSSY = "mossy"
    """Lumps upon lumps with a ragged outline."""
    GLOBULAR = "globular"
    """Smooth and round."""
    NONE = "none"
    """Nothing has grown."""


@dataclass(frozen=True)
class Deposit:
    """What has grown on a face by one habit.

    Attributes
    ----------
    coverage
        Share of the face that is covered, as an expectation over many fields.
    size_um
        Typical length of a needle, diameter of a lump of moss or of a globule.
    height_um
        By which it rises over the face.
    material
        Key of `IMAGED_MATERIALS`.
    """

    habit: Habit
    coverage: float
    size_um: float
    height_um: float
    material: str = "passivated lithium"


@dataclass(frozen=True)
class Spots:
    """Round features of a face.

    Attributes
    ----------
    per_mm2
        How many.
    """

    per_mm2: float
    size_um: float
    height_um: float


@dataclass(frozen=True)
class Cracks:
    """Open cracks of a face.

    Attributes
    ----------
    per_mm2
        How many.
    length_um, width_um
        Of a typical one.
    """

    per_mm2: float
    length_um: float
    width_um: float


class Preference(Protocol):
    """Where something grows rather than elsewhere."""

    @property
    def mean(self) -> float:
        """Chance over the whole face."""
        ...

    def at(self, x_um: float, y_um: float) -> float:
        """Chance that what would grow at a place does, 0 to 1."""
        ...


@dataclass(frozen=True)
class SurfaceView:
    """A face as the microscope meets it.

    Attributes
    ----------
    material
        Of the face itself, key of `IMAGED_MATERIALS`.
    cracks, isles, craters
        None where there are none. Isles are flat islands of lithium, craters volcano-like marks of gas.
    texture_um
        Standard deviation of the face's own roughness.
    passivated
        Whether a passivation layer keeps the relief when what is below has melted.
    preference
        Where deposits grow; None for anywhere.
    """

    deposits: Sequence[Deposit] = ()
    material: str = "polymer electrolyte"
    cracks: Cracks | None = None
    isles: Spots | None = None
    craters: Spots | None = None
    texture_um: float = 0.05
    passivated: bool = True
    preference: Preference | None = None


@dataclass(frozen=True)
class Grid:
    """Places of the pixels of a scan: x of a pixel is `x_um[column] + shift_um[row]`, y is `y_um[row]`."""

    x_um: np.ndarray
    y_um: np.ndarray
    shift_um: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y_um.size, self.x_um.size

    @property
    def pixel_um(self) -> float:
        """Typical size of a pixel."""
        return float((self.x_um[-1] - self.x_um[0]) / (self.x_um.size - 1))


@dataclass
class Relief:
    """Heights and materials under the pixels of a scan.

    Attributes
    ----------
    height_um
        Shape (rows, columns).
    material
        Index into `materials` for each pixel.
    covered
        Pixels covered by each habit.
    """

    height_um: np.ndarray
    material: np.ndarray
    materials: list[str]
    covered: dict[Habit, np.ndarray] = field(default_factory=dict)

    def index(self, material: str) -> int:
        """Of a material, new ones added."""
        if material not in self.materials:
            self.materials.append(material)
        return self.materials.index(material)

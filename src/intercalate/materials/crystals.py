"""Crystals by their atoms: lattice and occupation by lithium content, powder lines, phases of a material.

The figures are in `crystals.toml`, each beside its source. Any space group is served alike: its operations
are data, the atoms of a cell follow from them, and lines are summed over all indices, so that multiplicities
and absences need no table.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from intercalate.materials.model import Mark, Source

SAME_D = 1e-7
"""Relative difference of 1/d^2 below which lines are one."""
ABSENT = 1e-6
"""Of the strongest |F|^2: below it a line is absent."""
SAME_PLACE = 1e-3
"""Fractional distance below which two images of an atom are one."""


@dataclass(frozen=True, slots=True)
class LatticeRow:
    """Lattice of a phase at one lithium content of its material; axes are orthogonal or hexagonal."""

    li_content: float
    lengths_angstrom: tuple[float, float, float]
    source: Source


@dataclass(frozen=True, slots=True)
class Atom:
    """One atom of the asymmetric unit.

    Attributes
    ----------
    at
        Fractional coordinates.
    occupancy
        At x = 0, and its change with x.
    shift_z
        Change of z for each lithium that is missing.
    """

    element: str
    at: tuple[float, float, float]
    occupancy: tuple[float, float]
    shift_z: float = 0.0


@dataclass(frozen=True, slots=True)
class SpaceGroup:
    """Operations of a space group.

    Attributes
    ----------
    rotations, translations
        Shapes (n, 3, 3) and (n, 3), those of the centring included.
    is_hexagonal
        Whether the axes a and b are at 120 degrees.
    """

    name: str
    rotations: np.ndarray
    translations: np.ndarray
    is_hexagonal: bool


@dataclass(frozen=True, slots=True)
class CrystalPhase:
    """A crystal whose lattice and occupation follow the lithium content of its material.

    Attributes
    ----------
    lattice
        Rows of rising lithium content.
    structure
        Source of the atoms' places.
    """

    key: str
    formula: str
    group: SpaceGroup
    lattice: tuple[LatticeRow, ...]
    atoms: tuple[Atom, ...]
    structure: Source

    def lengths_at(self, li_content: np.ndarray | float) -> np.ndarray:
        """a, b and c in A at these lithium contents, straight between rows, shape (..., 3); ends are kept."""
        x = [row.li_content for row in self.lattice]
        table = np.array([row.lengths_angstrom for row in self.lattice])
        return np.stack([np.interp(li_content, x, table[:, axis]) for axis in range(3)], axis=-1)

    def volume_at(self, li_content: np.ndarray | float) -> np.ndarray:
        """Volume of the cell in A^3."""
        return np.prod(self.lengths_at(li_content), axis=-1) * (
            np.sqrt(0.75) if self.group.is_hexagonal else 1.0
        )


@dataclass(frozen=True, slots=True)
class PowderLines:
    """Lines of one phase at one lithium content, from large d to small; arrays of shape (n,).

    Attributes
    ----------
    hkl
        Indices of one plane of each line, shape (n, 3).
    multiplicity
        Number of planes with this spacing that diffract.
    strength
        Sum of |F|^2 over them, in electrons squared per cell, without displacements and geometry.
    """

    hkl: np.ndarray
    d_angstrom: np.ndarray
    multiplicity: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True, slots=True)
class PhaseDiagram:
    """Which phases a material consists of: alone within a window of x, by the lever rule between two.

    Attributes
    ----------
    windows
        Key of the phase, lower and upper x; rising and apart.
    """

    material: str
    windows: tuple[tuple[str, float, float], ...]
    source: Source

    def shares(self, li_content: np.ndarray | float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Part of the material in each phase, and the lithium content of that phase there."""
        x = np.asarray(li_content, dtype=float)
        found = {}
        for index, (key, low, high) in enumerate(self.windows):
            share = np.ones_like(x)
            if index > 0:
                before = self.windows[index - 1][2]
                share = np.minimum(share, np.clip((x - before) / (low - before), 0.0, 1.0))
            if index + 1 < len(self.windows):
                after = self.windows[index + 1][1]
                share = np.minimum(share, np.clip((after - x) / (after - high), 0.0, 1.0))
            found[key] = (share, np.clip(x, low, high))
        return found


def _triplet(text: str) -> tuple[list[list[float]], list[float]]:
    """Rotation and translation of an operation such as `-y,x-y,z+1/3`."""
    rotation, translation = [], []
    for part in text.split(","):
        row, shift = [0.0, 0.0, 0.0], 0.0
        for term in part.replace("-", "+-").split("+"):
            name = term.lstrip("-")
            sign = -1.0 if term.startswith("-") else 1.0
            if name in ("x", "y", "z"):
                row["xyz".index(name)] += sign
            elif name:
                shift += sign * float(Fraction(name))
        rotation.append(row)
        translation.append(shift)
    return rotation, translation


def _group(key: str, content: Mapping[str, Any]) -> SpaceGroup:
    pairs = [_triplet(text) for text in content["operations"]]
    rotations = np.array([rotation for rotation, _ in pairs])
    shifts = np.array([shift for _, shift in pairs])
    centring = np.array(content["centring"])
    translations = (shifts[:, None, :] + centring[None, :, :]).reshape(-1, 3) % 1.0
    return SpaceGroup(
        key, np.repeat(rotations, len(centring), axis=0), translations, content["name"].endswith(":H")
    )


def _row(row: Mapping[str, Any]) -> LatticeRow:
    a = row["a"]
    default_c = row.get("c", a)
    return LatticeRow(row["x"], (a, row.get("b", a), default_c), Source(row["citation"], Mark(row["mark"])))


@cache
def _tables() -> tuple[dict[str, CrystalPhase], dict[str, PhaseDiagram]]:
    text = (files("intercalate.materials") / "crystals.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    groups = {key: _group(key, one) for key, one in content["groups"].items()}
    phases = {
        key: CrystalPhase(
            key,
            one["formula"],
            groups[one["group"]],
            tuple(_row(row) for row in one["lattice"]),
            tuple(
                Atom(a["element"], tuple(a["at"]), tuple(a["occupancy"]), a.get("shift_z", 0.0))
                for a in one["atoms"]
            ),
            Source(one["structure"]["citation"], Mark(one["structure"]["mark"])),
        )
        for key, one in content["phases"].items()
    }
    diagrams = {
        key: PhaseDiagram(
            key,
            tuple((window["phase"], *window["x"]) for window in one["windows"]),
            Source(one["citation"], Mark(one["mark"])),
        )
        for key, one in content["diagrams"].items()
    }
    return phases, diagrams


def crystal_phases() -> tuple[str, ...]:
    """Keys of the phases in the table."""
    return tuple(_tables()[0])


def crystal(key: str) -> CrystalPhase:
    """Phase of this key.

    Raises
    ------
    KeyError
        If the table has none; the message lists those it has.
    """
    phases = _tables()[0]
    if key not in phases:
        raise KeyError(f"no crystal {key!r}; known are {', '.join(phases)}")
    return phases[key]


def phase_diagram(material: str) -> PhaseDiagram:
    """Phases of an active material by its key.

    Raises
    ------
    KeyError
        If the table has none; the message lists those it has.
    """
    diagrams = _tables()[1]
    if material not in diagrams:
        raise KeyError(f"no phases are known of {material!r}; known are {', '.join(diagrams)}")
    return diagrams[material]


def unit_cell(phase: CrystalPhase, li_content: float = 1.0) -> list[tuple[str, np.ndarray, float]]:
    """All atoms of a cell: element, fractional places of shape (n, 3), occupancy."""
    found = []
    for atom in phase.atoms:
        x, y, z = atom.at
        start = np.array([x, y, z + atom.shift_z * (1.0 - li_content)])
        images = (phase.group.rotations @ start + phase.group.translations) % 1.0
        distinct: list[np.ndarray] = []
        for image in images:
            apart = [np.abs((image - one + 0.5) % 1.0 - 0.5).max() for one in distinct]
            if not apart or min(apart) > SAME_PLACE:
                distinct.append(image)
        occupancy = atom.occupancy[0] + atom.occupancy[1] * li_content
        found.append((atom.element, np.array(distinct), occupancy))
    return found


def powder_lines(
    phase: CrystalPhase,
    li_content: float = 1.0,
    *,
    least_d_angstrom: float = 1.0,
    energy_kev: float | None = None,
) -> PowderLines:
    """Lines of a phase down to a spacing.

    Parameters
    ----------
    li_content
        x of the material.
    energy_kev
        Of the photons, for anomalous scattering; None leaves it out.

    Raises
    ------
    ValueError
        If the lithium content is outside 0 to 1, or the spacing outside 0.5 to 20 A.
    """
    if not 0.0 <= li_content <= 1.0:
        raise ValueError(f"li_content = {li_content} is outside 0 to 1")
    if not 0.5 <= least_d_angstrom <= 20.0:
        raise ValueError(f"least_d_angstrom = {least_d_angstrom} is outside 0.5 to 20")
    a, b, c = phase.lengths_at(li_content)
    most = [
        int(length / least_d_angstrom * (1.2 if phase.group.is_hexagonal else 1.0)) + 1
        for length in (a, b, c)
    ]
    axes = np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij")
    hkl = np.stack([axis.ravel() for axis in axes], axis=1)
    h, k, layer = hkl.T.astype(float)
    if phase.group.is_hexagonal:
        inverse = 4.0 / 3.0 * (h * h + h * k + k * k) / a**2 + (layer / c) ** 2
    else:
        inverse = (h / a) ** 2 + (k / b) ** 2 + (layer / c) ** 2
    inside = (inverse > 0.0) & (inverse <= 1.0 / least_d_angstrom**2)
    hkl, inverse = hkl[inside], inverse[inside]
    square = _structure_factors_squared(phase, li_content, hkl, inverse, energy_kev)
    present = square > ABSENT * square.max()
    return _grouped(hkl[present], inverse[present], square[present])


def _structure_factors_squared(
    phase: CrystalPhase, li_content: float, hkl: np.ndarray, inverse: np.ndarray, energy_kev: float | None
) -> np.ndarray:
    """|F|^2 of each plane, of atoms at rest."""
    import xraydb

    amplitude = np.zeros(len(hkl), complex)
    factors: dict[str, np.ndarray] = {}
    for element, places, occupancy in unit_cell(phase, li_content):
        if element not in factors:
            factor = xraydb.f0(element, 0.5 * np.sqrt(inverse)).astype(complex)
            if energy_kev is not None:
                energy_ev = 1e3 * energy_kev
                f1 = np.asarray(xraydb.f1_chantler(element, energy_ev), dtype=float)
                f2 = np.asarray(xraydb.f2_chantler(element, energy_ev), dtype=float)
                factor += f1 + 1j * f2
            factors[element] = factor
        turns = np.asarray(np.matmul(hkl, places.T), dtype=float)
        waves = np.exp(2j * np.pi * turns).sum(axis=1)
        amplitude += occupancy * factors[element] * waves
    return np.abs(amplitude) ** 2


def _grouped(hkl: np.ndarray, inverse: np.ndarray, square: np.ndarray) -> PowderLines:
    """Planes of one spacing as one line, named by the highest indices."""
    order = np.lexsort((-hkl[:, 2], -hkl[:, 1], -hkl[:, 0], np.round(inverse / (SAME_D * inverse.max()))))
    hkl, inverse, square = hkl[order], inverse[order], square[order]
    starts = np.flatnonzero(np.diff(inverse, prepend=-1.0) > 10 * SAME_D * inverse.max())
    counts = np.diff(np.append(starts, len(inverse)))
    return PowderLines(hkl[starts], 1.0 / np.sqrt(inverse[starts]), counts, np.add.reduceat(square, starts))

"""Shapes of the reference tables: every figure stands beside its source and a mark of trust."""

from dataclasses import dataclass
from enum import StrEnum

from intercalate.materials.constants import FARADAY_C_PER_MOL


class Mark(StrEnum):
    """How far a figure can be trusted."""

    VERIFIED = "V"
    """Seen in an abstract, an excerpt, or a machine-readable database; or computed from constants."""
    RECALLED = "R"
    """Recalled from the named source, which was not opened again: +-1 in the last digit."""
    UNSURE = "?"
    """Value or attribution still has to be checked."""
    ILLUSTRATION = "I"
    """Interpolated or chosen for illustration; no source."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from."""

    citation: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class ElectrodeMaterial:
    """An active material and the charge it stores.

    Attributes
    ----------
    formula
        Of the unit that holds x lithium, at x = 1.
    reference_formula
        The composition by whose mass specific capacities are reckoned.
    molar_mass_g_mol
        Of `reference_formula`.
    density_g_cm3
        Crystallographic, of `reference_formula`.
    """

    key: str
    formula: str
    reference_formula: str
    molar_mass_g_mol: float
    density_g_cm3: float
    source: Source

    @property
    def capacity_mah_per_g_per_x(self) -> float:
        """Charge in mAh per gram of `reference_formula` when x changes by one (Faraday's law)."""
        return FARADAY_C_PER_MOL / (3.6 * self.molar_mass_g_mol)


@dataclass(frozen=True, slots=True)
class Reflection:
    """A family of lattice planes.

    Attributes
    ----------
    h, k, l
        Miller indices of one member. For layered carbons `l` counts *layer spacings* d, not unit
        cells, so that one list serves every stage: 1/d_hkl^2 = 4/3 (h^2 + hk + k^2)/a^2 + (l/d)^2.
    multiplicity
        Number of equivalent planes.
    relative_intensity
        Tabulated intensity, strongest 100; None where it follows from a structure.
    """

    h: int
    k: int
    l: float  # noqa: E741 - the field's name
    multiplicity: int
    relative_intensity: float | None = None

    @property
    def name(self) -> str:
        """Indices as one word, for example `003` or `10.5`."""
        indices = [f"{index:g}" for index in (self.h, self.k, self.l)]
        compact = all(len(index) == 1 for index in indices)
        return "".join(indices) if compact else " ".join(indices)


@dataclass(frozen=True, slots=True)
class LatticePoint:
    """Lattice parameters of a hexagonal phase at one lithium content."""

    li_content: float
    a_angstrom: float
    c_angstrom: float
    source: Source


@dataclass(frozen=True, slots=True)
class LayeredOxide:
    """A layered LixMO2, space group R-3m in the hexagonal setting (M at 3a, Li at 3b, O at 6c).

    Attributes
    ----------
    metals
        Site occupancy of 3a by element.
    lattice
        Rows of falling lithium content.
    oxygen_z
        Coordinate of O at x = 1 and its change per unit of lithium removed.
    """

    key: str
    metals: tuple[tuple[str, float], ...]
    lattice: tuple[LatticePoint, ...]
    oxygen_z: tuple[float, float]
    oxygen_z_source: Source
    reflections: tuple[Reflection, ...]


@dataclass(frozen=True, slots=True)
class GraphiteStage:
    """One stage of LixC6.

    Attributes
    ----------
    li_content
        Lower and upper end of the window in x where this stage is alone.
    layer_spacing_angstrom, in_plane_a_angstrom
        At both ends of that window.
    stacking
        `AB` or `AA`, which decides the reflections.
    layer_structure_factor
        |F| in electrons per C6 of the first 00l line of the carbon layers, upper end of the window,
        without the Debye-Waller factor.
    """

    key: str
    li_content: tuple[float, float]
    layer_spacing_angstrom: tuple[float, float]
    in_plane_a_angstrom: tuple[float, float]
    stacking: str
    layer_structure_factor: float
    source: Source


@dataclass(frozen=True, slots=True)
class Graphite:
    """LixC6: stages in order of x, and the reflections of each stacking of the carbon layers."""

    key: str
    stages: tuple[GraphiteStage, ...]
    reflections: dict[str, tuple[Reflection, ...]]

    def stage(self, key: str) -> GraphiteStage:
        """Stage of this name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for stage in self.stages:
            if stage.key == key:
                return stage
        known = ", ".join(stage.key for stage in self.stages)
        raise KeyError(f"graphite has no stage {key!r}; known stages: {known}")


@dataclass(frozen=True, slots=True)
class CubicMetal:
    """A cubic element, as collector, electrode or internal standard.

    Attributes
    ----------
    a_angstrom
        At 25 degC.
    expansion_per_k
        Linear, near room temperature.
    """

    key: str
    element: str
    centring: str
    a_angstrom: float
    expansion_per_k: float
    density_g_cm3: float
    reflections: tuple[Reflection, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class SpacingLine:
    """A line known by its spacing alone."""

    name: str
    d_angstrom: float
    relative_intensity: float
    source: Source


@dataclass(frozen=True, slots=True)
class Polymer:
    """A semicrystalline or amorphous polymer: a few lines or halos by spacing."""

    key: str
    formula: str
    density_g_cm3: float
    lines: tuple[SpacingLine, ...]
    source: Source

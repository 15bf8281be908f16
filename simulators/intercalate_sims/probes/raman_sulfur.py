"""What a Raman spectrometer sees of a cell of sulfur: the cathode's face, or the electrolyte in a hole."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials.raman_sulfur import (
    CARBON,
    CARBON_BANDS,
    ELECTROLYTES,
    SHIFT_SIGMA_PER_CM,
    STRENGTH_SIGMA,
    SULFIDE,
    SULFUR_BANDS,
    WIDTH_SIGMA,
    SpeciesBand,
)
from intercalate_sims.cell.sulfur_speciation import SOLID_SULFIDE, SulfurState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.raman import Line

HOLE_MM, HOLE_RADIUS_MM = (2.4, 0.0), 0.4
"""In the cathode of a cell of sulfur, from the middle of its window."""

SULFUR_PER_CARBON = 0.87
"""Atoms in a cathode of seven parts of sulfur and three of carbon, by mass."""

PORE_SHARE = 0.5
"""Part of the electrolyte that is in the cathode: light meets what is dissolved there too."""

FACE_AREA, ELECTROLYTE_AREA = 16.0, 0.8
"""Area of S8 at 474 1/cm for an atom of carbon, and for a mol per litre; graphite's strongest band has 22."""

CARBON_SIGMA = 0.03
"""Relative, by which carbon and sulfur of a place differ from the mean of the cathode."""


@dataclass(frozen=True)
class HiddenBands:
    """By how much the bands of a sample differ from the tables.

    Attributes
    ----------
    strength, width
        Factors.
    shift_per_cm
        Added.
    """

    strength: tuple[float, ...]
    width: tuple[float, ...]
    shift_per_cm: tuple[float, ...]

    @classmethod
    def draw(cls, seed: int, key: str, count: int) -> "HiddenBands":
        """Those of this seed."""
        normal = keyed_generator(seed, f"bands of {key}", 0).standard_normal((count, 3))
        return cls(
            tuple(np.exp(STRENGTH_SIGMA * normal[:, 0]).tolist()),
            tuple(np.exp(WIDTH_SIGMA * normal[:, 1]).tolist()),
            tuple((SHIFT_SIGMA_PER_CM * normal[:, 2]).tolist()),
        )

    def lines(self, bands: tuple[SpeciesBand, ...], amounts: Mapping[str, float], area: float) -> list[Line]:
        """Bands of so much of each species."""
        found = []
        for number, band in enumerate(bands):
            amount = amounts.get(band.of, 0.0)
            if amount > 0.0:
                width = band.width_per_cm * self.width[number]
                shift = band.shift_per_cm + self.shift_per_cm[number]
                strength = area * band.strength * self.strength[number] * amount
                found.append(Line(shift, 0.8 * width, 0.14 * width, strength))
        return found


def is_in_hole(place_mm: tuple[float, float]) -> bool:
    """Whether light passes the cathode and meets the electrolyte."""
    return float(np.hypot(place_mm[0] - HOLE_MM[0], place_mm[1] - HOLE_MM[1])) < HOLE_RADIUS_MM


def on_cathode(sulfur: SulfurState) -> dict[str, float]:
    """Atoms of sulfur in each species on the cathode's face, for an atom of carbon."""
    found: dict[str, float] = {}
    for name, share in sulfur.solid:
        found[SULFIDE if name == SOLID_SULFIDE else name] = SULFUR_PER_CARBON * share
    for name, mol_l in sulfur.dissolved:
        share = PORE_SHARE * mol_l / sulfur.total_mol_l
        found[name] = found.get(name, 0.0) + SULFUR_PER_CARBON * share
    return found


def in_electrolyte(sulfur: SulfurState) -> dict[str, float]:
    """Sulfur in each species in the electrolyte, in mol/L."""
    return dict(sulfur.dissolved)


def carbon_at(seed: int, place_mm: tuple[float, float]) -> float:
    """Carbon at a place of the cathode, in parts of its mean."""
    generator = keyed_generator(seed, f"cathode {place_mm[0]:.3f} {place_mm[1]:.3f}", 0)
    return 1.0 + CARBON_SIGMA * float(generator.standard_normal())


def sulfur_lines(seed: int, sulfur: SulfurState, place_mm: tuple[float, float]) -> list[Line]:
    """Bands of the place of a cell of sulfur that light meets."""
    electrolyte = ELECTROLYTES[sulfur.electrolyte]
    of_sulfur = HiddenBands.draw(seed, "sulfur", len(SULFUR_BANDS))
    of_salt = HiddenBands.draw(seed, sulfur.electrolyte, len(electrolyte.bands))
    salt = {electrolyte.anion: electrolyte.mol_l}
    if is_in_hole(place_mm):
        lines = of_sulfur.lines(SULFUR_BANDS, in_electrolyte(sulfur), ELECTROLYTE_AREA)
        return lines + of_salt.lines(electrolyte.bands, salt, ELECTROLYTE_AREA)
    of_carbon = HiddenBands.draw(seed, "carbon", len(CARBON_BANDS))
    carbon = carbon_at(seed, place_mm)
    return [
        *of_sulfur.lines(SULFUR_BANDS, on_cathode(sulfur), FACE_AREA),
        *of_carbon.lines(CARBON_BANDS, {CARBON: carbon}, FACE_AREA),
        # Of the pores, in which there is less of it than in the hole.
        *of_salt.lines(electrolyte.bands, salt, 0.2 * ELECTROLYTE_AREA),
    ]

"""Raman bands of oxides whose metal changes its oxidation state, with their sources. Marks as in `raman`.

A further oxide is a further entry of `OXIDES`: its bands, what each of them belongs to, and how much charge
the metal and the rest of the formula carry.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from intercalate.materials.model import Mark, Source

FRAMEWORK = "framework"
"""What a band belongs to that is there at any oxidation state, by which the others are measured."""


@dataclass(frozen=True, slots=True)
class OxideBand:
    """A band of an oxide.

    Attributes
    ----------
    of
        Ion whose bond to oxygen it is, as `Ni4+`; or `FRAMEWORK`.
    shift_per_cm
        Where it lies.
    width_per_cm
        Full width at half maximum, about.
    strength
        Area where all of the metal is that ion, in parts of the area of all bands of the framework.
    source
        Of the shift.
    """

    key: str
    of: str
    shift_per_cm: float
    width_per_cm: float
    strength: float
    source: Source


@dataclass(frozen=True, slots=True)
class RedoxOxide:
    """An oxide one of whose metals gives the electrons.

    Attributes
    ----------
    key
        Of the material.
    metal
        Symbol of the metal.
    oxidation_numbers
        That it passes through. All but one of these ions have bands of their own; that one is what is left.
    metal_content
        Atoms of the metal in the formula.
    other_charge
        What all other atoms but lithium carry, negative.
    bands
        Of the framework, and of ions of the metal.
    strength_sigma
        Relative standard uncertainty of the strength of a band.
    """

    key: str
    metal: str
    oxidation_numbers: tuple[int, ...]
    metal_content: float
    other_charge: float
    bands: tuple[OxideBand, ...]
    strength_sigma: float

    @property
    def ions(self) -> tuple[str, ...]:
        """As `Ni2+`, from the lowest oxidation number to the highest."""
        return tuple(f"{self.metal}{number}+" for number in self.oxidation_numbers)

    @property
    def number_of(self) -> Mapping[str, int]:
        """Oxidation numbers by ion."""
        return dict(zip(self.ions, self.oxidation_numbers))

    @property
    def seen_ions(self) -> tuple[str, ...]:
        """Those that have bands."""
        of = {band.of for band in self.bands}
        return tuple(ion for ion in self.ions if ion in of)

    @property
    def unseen_ion(self) -> str:
        """The one that has none."""
        (found,) = set(self.ions) - set(self.seen_ions)
        return found

    def strength(self, of: str) -> float:
        """Of all bands of an ion, or of the framework."""
        return sum(band.strength for band in self.bands if band.of == of)

    def li_content(self, oxidation_number: float) -> float:
        """Lithium in the formula at a mean oxidation number of the metal: it is neutral."""
        return -self.other_charge - self.metal_content * oxidation_number

    def __post_init__(self) -> None:
        stray = sorted({band.of for band in self.bands} - {*self.ions, FRAMEWORK})
        if stray:
            raise ValueError(f"{self.key}: bands of {', '.join(stray)}; its ions are {', '.join(self.ions)}")
        if not self.strength(FRAMEWORK) > 0:
            raise ValueError(f"{self.key} has no band of the framework, by which others are measured")
        unseen = [ion for ion in self.ions if ion not in self.seen_ions]
        if len(unseen) != 1:
            named = ", ".join(unseen) or "none"
            raise ValueError(f"{self.key}: without a band must be one of its ions and is {named}")


_DOKKO = Source(
    "Dokko et al., J. Electrochem. Soc. 150 (2003) A739; that a band is of one ion alone is disputed, see "
    "Boulet-Roblin et al., J. Phys. Chem. C 120 (2016) 16377",
    Mark.RECALLED,
)
_JULIEN = Source("Julien et al., Mater. Sci. Eng. B 130 (2006) 41", Mark.RECALLED)

_SPINEL_BANDS = (
    OxideBand("Ni2+-O(400)", "Ni2+", 400.0, 26.0, 0.25, _DOKKO),
    OxideBand("Ni2+-O(498)", "Ni2+", 498.0, 22.0, 0.60, _DOKKO),
    OxideBand("Ni4+-O(540)", "Ni4+", 540.0, 28.0, 0.70, _DOKKO),
    OxideBand("Mn-O(602)", FRAMEWORK, 602.0, 30.0, 0.35, _JULIEN),
    OxideBand("Mn-O(636)", FRAMEWORK, 636.0, 32.0, 0.65, _DOKKO),
)
STRENGTHS = Source("order of what spectra of the spinel show; differs between samples", Mark.ILLUSTRATION)
"""Of strengths and widths."""


def _spinel(key: str, nickel: float, manganese: float, trivalent: float) -> RedoxOxide:
    """LiMnNiMO4 with manganese 4+ and a dopant 3+; those with another lose less of their nickel's charge."""
    other_charge = 4.0 * manganese + 3.0 * trivalent - 8.0
    return RedoxOxide(key, "Ni", (2, 3, 4), nickel, other_charge, _SPINEL_BANDS, 0.08)


OXIDES: Mapping[str, RedoxOxide] = {
    one.key: one
    for one in (
        _spinel("LMNO", 0.5, 1.5, 0.0),
        *(_spinel(f"LMNO-{dopant}", 0.45, 1.45, 0.1) for dopant in ("Cr", "Co", "Al")),
    )
}
"""By material."""

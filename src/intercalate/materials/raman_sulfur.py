"""Raman bands of sulfur, its polysulfides and what is beside them in a cell. Marks as in `raman`.

To which species a band belongs is disputed: those of chains of different length lie in the same places, and
S8(2-) is not told from S6(2-) here. S3(-), which a chain of six dissociates into, is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from intercalate.materials.model import Mark, Source

SULFUR, LONG, SHORT, DISULFIDE, SULFIDE = "S8", "S6-8(2-)", "S4(2-)", "S2(2-)", "S(2-)"
CARBON = "C"
"""Of the cathode, by which the amounts on its face are measured."""


@dataclass(frozen=True, slots=True)
class SpeciesBand:
    """A band of a species.

    Attributes
    ----------
    width_per_cm
        Full width at half maximum, about.
    strength
        Area for a mol of atoms of sulfur (of carbon, of anions), in parts of that of S8 at 474 1/cm.
    source
        Of the shift; strengths and widths are those of `STRENGTHS`.
    """

    of: str
    shift_per_cm: float
    width_per_cm: float
    strength: float
    source: Source


STRENGTHS = Source("order of what spectra of such cells show; differs between samples", Mark.ILLUSTRATION)
STRENGTH_SIGMA = 0.08
"""Relative standard uncertainty of the strength of a band."""
SHIFT_SIGMA_PER_CM = 1.0
WIDTH_SIGMA = 0.10
"""Of the shift of a band, and relative of its width, between samples; as `STRENGTHS`."""

_WARD = Source("Ward, J. Phys. Chem. 72 (1968) 4133", Mark.RECALLED)
_HAGEN = Source(
    "Hagen et al., J. Electrochem. Soc. 160 (2013) A1205; Wu, Huff & Gewirth, ACS Appl. Mater. Interfaces 7 "
    "(2015) 1709; disputed",
    Mark.RECALLED,
)
_JANZ = Source("Janz et al., Inorg. Chem. 15 (1976) 1759, of sodium polysulfides; disputed", Mark.RECALLED)
_LI2S = Source("T2g of antifluorite Li2S; usual value", Mark.RECALLED)
_CARBON = Source("D and G of carbon black with 532 nm; usual values", Mark.RECALLED)
_TFSI = Source("Rey et al., J. Phys. Chem. A 102 (1998) 3249", Mark.RECALLED)
_FSI = Source("Fujii et al., J. Phys. Chem. C 117 (2013) 19314", Mark.UNSURE)

SULFUR_BANDS = (
    SpeciesBand(SULFUR, 153.0, 8.0, 0.5, _WARD),
    SpeciesBand(SULFUR, 219.0, 8.0, 0.8, _WARD),
    SpeciesBand(SULFUR, 437.0, 10.0, 0.1, _WARD),
    SpeciesBand(SULFUR, 474.0, 10.0, 1.0, _WARD),
    SpeciesBand(LONG, 398.0, 20.0, 0.6, _HAGEN),
    SpeciesBand(LONG, 505.0, 22.0, 0.2, _HAGEN),
    SpeciesBand(SHORT, 202.0, 14.0, 0.4, _HAGEN),
    SpeciesBand(SHORT, 445.0, 16.0, 0.6, _JANZ),
    SpeciesBand(DISULFIDE, 458.0, 16.0, 0.6, _JANZ),
    SpeciesBand(SULFIDE, 372.0, 14.0, 0.4, _LI2S),
)
CARBON_BANDS = (
    SpeciesBand(CARBON, 1350.0, 130.0, 3.0, _CARBON),
    SpeciesBand(CARBON, 1590.0, 80.0, 2.5, _CARBON),
)
SPECIES = (SULFUR, LONG, SHORT, DISULFIDE, SULFIDE)


@dataclass(frozen=True, slots=True)
class RamanElectrolyte:
    """An electrolyte as a Raman spectrum shows it below 900 1/cm.

    Attributes
    ----------
    anion
        By whose bands amounts in the electrolyte are measured.
    mol_l
        How much there is of it.
    bands
        Of all that does not change; strengths for a mol of that anion.
    """

    anion: str
    mol_l: float
    bands: tuple[SpeciesBand, ...]


def _of(anion: str, shift: float, width: float, strength: float, source: Source) -> SpeciesBand:
    return SpeciesBand(anion, shift, width, strength, source)


ELECTROLYTES: Mapping[str, RamanElectrolyte] = {
    "LiTFSI in DOL:DME": RamanElectrolyte(
        "TFSI-",
        1.0,
        (
            _of("TFSI-", 741.0, 12.0, 2.0, _TFSI),
            _of("TFSI-", 340.0, 26.0, 0.4, _TFSI),
            _of("TFSI-", 278.0, 22.0, 0.5, _TFSI),
        ),
    ),
    "LiTFSI in PY13-FSI": RamanElectrolyte(
        "FSI-",
        4.0,
        (
            _of("FSI-", 728.0, 14.0, 1.6, _FSI),
            _of("FSI-", 293.0, 22.0, 0.4, _FSI),
            _of("FSI-", 741.0, 12.0, 0.25, _TFSI),
        ),
    ),
}
"""By name: 1 mol/L of LiTFSI in the ether; 0.5 mol/L in the ionic liquid, with some 4 mol/L of FSI-."""

"""Which species sulfur is in, and where, as probes meet it: solid in the cathode or dissolved.

The model of a cell counts sulfur in as few species as its voltage needs. What light and X-rays meet follows
from these by an equilibrium and by solubilities, and changes neither charge nor voltage.
"""

from dataclasses import dataclass
from typing import Any, Self

from intercalate.materials.raman_sulfur import DISULFIDE, LONG, SHORT, SULFIDE, SULFUR
from intercalate_sims.cell.hosts import Host
from intercalate_sims.cell.shapes import SulfurCellParameters

SULFUR_G_MOL = 32.06
SOLID_SULFUR, SOLID_SULFIDE = "S8", "Li2S"
"""Crystals, by their names in the table of crystals."""


@dataclass(frozen=True, slots=True)
class SulfurState:
    """Sulfur in a cell at one moment.

    Attributes
    ----------
    electrolyte
        Name of it.
    total_mol_l
        Of sulfur in the electrolyte, were all dissolved.
    solid
        Species in the cathode, with its part of all sulfur.
    dissolved
        Species in the electrolyte, in mol of sulfur per litre.
    """

    electrolyte: str
    total_mol_l: float
    solid: tuple[tuple[str, float], ...]
    dissolved: tuple[tuple[str, float], ...]

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Make of what `dataclasses.asdict` and JSON left of it."""
        solid, dissolved = (
            tuple((str(name), float(amount)) for name, amount in content[key])
            for key in ("solid", "dissolved")
        )
        return cls(content["electrolyte"], content["total_mol_l"], solid, dissolved)


def comproportionated(long: float, disulfide: float, constant: float) -> float:
    """Sulfur in S4(2-) by S6(2-) + S2(2-) = 2 S4(2-), in the units of the others, which are sulfur too.

    With the extent e of the reaction in mol, (2 e)^2 = K (a - e) (b - e) with a and b mol of both.
    """
    a, b = max(long, 0.0) / 6.0, max(disulfide, 0.0) / 2.0
    if a * b <= 0.0 or constant <= 0.0:
        return 0.0
    # Of the two forms of the root, the one that does not subtract equals.
    total = constant * (a + b)
    root = (total**2 + 4.0 * (4.0 - constant) * constant * a * b) ** 0.5
    return 8.0 * 2.0 * constant * a * b / (total + root)


def sulfur_state(
    parameters: SulfurCellParameters, shares: tuple[float, ...], lithiated: float, host: str
) -> SulfurState:
    """Sulfur as probes meet it.

    Parameters
    ----------
    shares
        Of all sulfur in S8, in the polysulfide between both plateaus, in S2(2-), in S(2-) and in solid Li2S.
    lithiated
        Of all sulfur, in parts of Li2S.
    host
        How it reacts: as it does; from solid to solid; or with the polysulfides in the other order.
    """
    p = parameters
    elemental, chain, disulfide, sulfide, solid = (max(one, 0.0) for one in shares)
    if Host(host) is Host.QUASI_SOLID:
        found = {SULFUR: 1.0 - lithiated, LONG: 0.0, SHORT: 0.0, DISULFIDE: 0.0}
        sulfide, solid = 0.0, lithiated
    elif p.chain_atoms == 4.0:
        found = {SULFUR: elemental, LONG: 0.0, SHORT: chain, DISULFIDE: disulfide}
    else:
        short = comproportionated(chain, disulfide, p.comproportionation)
        # Of 8 atoms of S4(2-), 6 are of S6(2-) and 2 of S2(2-).
        long, disulfide = chain - 0.75 * short, disulfide - 0.25 * short
        if Host(host) is Host.SHORT_FIRST:
            long, short = short, long
        found = {SULFUR: elemental, LONG: long, SHORT: short, DISULFIDE: disulfide}
    total = 1.0 / (SULFUR_G_MOL * p.electrolyte_l_g)
    soluble = {
        SULFUR: p.sulfur_solubility_mol_l,
        LONG: p.polysulfide_solubility_mol_l,
        SHORT: p.polysulfide_solubility_mol_l,
        DISULFIDE: p.disulfide_solubility_mol_l,
    }
    dissolved = {name: min(share * total, soluble[name]) for name, share in found.items()}
    left = {name: share - dissolved[name] / total for name, share in found.items()}
    return SulfurState(
        p.electrolyte,
        total,
        (*left.items(), (SOLID_SULFIDE, solid)),
        (*dissolved.items(), (SULFIDE, sulfide * total)),
    )

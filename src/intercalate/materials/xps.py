"""Core levels of photoelectrons with their sources. Marks: V verified, R recalled, ? unsure, I illustrative.

Binding energies are on a scale on which C 1s of hydrocarbon is 284.8 eV. Tables of different authors agree
within 0.2 to 0.5 eV; the difference between two levels of one compound is known better than each of them,
because it does not depend on charging or on the reference. Al K-alpha, 1486.6 eV, is meant throughout.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials.model import Mark, Source

AL_K_ALPHA_EV = 1486.6
"""Monochromated source."""
AL_K_ALPHA_SOURCE = Source("usual value; Bearden, Rev. Mod. Phys. 39 (1967) 78", Mark.RECALLED)

HYDROCARBON_EV = 284.8
"""C 1s of adventitious carbon, the usual and disputed reference."""
HYDROCARBON_SIGMA_EV = 0.2
"""Between samples; Greczynski & Hultman, Prog. Mater. Sci. 107 (2020) 100591 find far more: R."""

SEPARATION_SIGMA_EV = 0.1
"""Of the difference between two levels of one compound, between laboratories: I."""

MEAN_FREE_PATH_SIGMA = 0.1
"""Relative; S. Tanuma, C. J. Powell & D. R. Penn state 10.2 % (rms) against optical data: R."""

_SCOFIELD = Source(
    "J. H. Scofield, J. Electron Spectrosc. 8 (1976) 129, C 1s = 1; both lines; those of Kissel in xraylib "
    "4.3.0 are within 2 %",
    Mark.VERIFIED,
)
_NATURAL = Source(
    "Campbell & Papp, At. Data Nucl. Data Tables 77 (2001) 1; splittings of handbooks", Mark.UNSURE
)


@dataclass(frozen=True, slots=True)
class Level:
    """What a core level is, whatever the compound.

    Attributes
    ----------
    cross_section
        Of photoionisation by Al K-alpha relative to C 1s, of both lines of a doublet.
    splitting_ev
        By which the weaker line of a doublet lies at higher binding energy; 0 where there is one line.
    ratio
        Weaker line over stronger.
    natural_width_ev
        Lorentzian full width at half maximum.
    """

    key: str
    cross_section: float
    splitting_ev: float = 0.0
    ratio: float = 0.0
    natural_width_ev: float = 0.1
    cross_section_source: Source = _SCOFIELD
    shape_source: Source = _NATURAL

    @property
    def element(self) -> str:
        """To which the level belongs."""
        return self.key.split()[0]


LEVELS: Mapping[str, Level] = {
    level.key: level
    for level in (
        Level("Li 1s", 0.0568, natural_width_ev=0.05),
        Level("C 1s", 1.0, natural_width_ev=0.10),
        Level("N 1s", 1.80, natural_width_ev=0.12),
        Level("O 1s", 2.93, natural_width_ev=0.16),
        Level("F 1s", 4.43, natural_width_ev=0.20),
        Level("Mg 2p", 0.3335, 0.28, 0.5, 0.05),
        Level("Al 2p", 0.5371, 0.41, 0.5, 0.05),
        Level("P 2p", 1.192, 0.86, 0.5, 0.05),
        Level("S 2p", 1.677, 1.17, 0.5, 0.06),
        Level("Ti 2p", 7.81, 5.7, 0.5, 0.3),
        Level("Mn 2p", 13.91, 11.6, 0.5, 0.4),
        Level("Fe 2p", 16.42, 13.1, 0.5, 0.4),
        Level("Co 2p", 19.16, 15.0, 0.5, 0.4),
        Level("Ni 2p", 22.18, 17.3, 0.5, 0.5),
        Level("Mn 3p", 1.423, natural_width_ev=0.9),
        Level("Fe 3p", 1.669, natural_width_ev=0.9),
        Level("Co 3p", 1.93, natural_width_ev=0.9),
        Level("Ni 3p", 2.217, natural_width_ev=0.9),
        Level("Zr 3d", 7.04, 2.43, 0.667, 0.15),
        Level("Ag 3d", 18.04, 6.0, 0.692, 0.28),
        Level("La 3d", 47.62, 16.8, 0.69, 0.8),
        Level("Au 4f", 17.12, 3.67, 0.787, 0.32),
    )
}


@dataclass(frozen=True, slots=True)
class CoreLevel:
    """A line of one compound.

    Attributes
    ----------
    binding_ev
        Of the stronger line of a doublet.
    width_ev
        Gaussian full width at half maximum by vibrations and disorder, without the instrument.
    atoms
        Per formula unit; a satellite has its share of them.
    label
        Tells apart lines of one level, such as `terminal` and `bridging`.
    asymmetry
        Exponent of the tail of a metal (Doniach & Sunjic); 0 elsewhere.
    """

    level: str
    binding_ev: float
    width_ev: float
    atoms: float
    source: Source
    label: str = ""
    asymmetry: float = 0.0

    @property
    def name(self) -> str:
        """Level with the label, for example `S 2p bridging`."""
        return f"{self.level} {self.label}".rstrip()


@dataclass(frozen=True, slots=True)
class XpsCompound:
    """A compound as photoelectrons show it.

    Attributes
    ----------
    elements
        Atoms per formula unit, hydrogen too.
    gap_ev
        Band gap; 0 for a metal, which does not charge.
    """

    key: str
    elements: Mapping[str, float]
    density_g_cm3: float
    gap_ev: float
    levels: tuple[CoreLevel, ...]
    bulk_source: Source

    @property
    def molar_mass_g_mol(self) -> float:
        """Of the formula unit."""
        return sum(ATOMIC_MASS_G_MOL[element] * number for element, number in self.elements.items())

    @property
    def units_per_nm3(self) -> float:
        """Formula units per volume."""
        return 602.214076 * self.density_g_cm3 / self.molar_mass_g_mol

    @property
    def is_metallic(self) -> bool:
        """Whether it conducts."""
        return self.gap_ev == 0.0

    def mean_free_path_nm(self, kinetic_ev: float) -> float:
        """Inelastic mean free path by the equation TPP-2M.

        S. Tanuma, C. J. Powell & D. R. Penn, Surf. Interface Anal. 21 (1994) 165; coefficients R. Its
        relative error is `MEAN_FREE_PATH_SIGMA`.
        """
        valence = sum(VALENCE_ELECTRONS[element] * number for element, number in self.elements.items())
        per_mass = valence * self.density_g_cm3 / self.molar_mass_g_mol
        plasmon_ev = 28.8 * np.sqrt(per_mass)
        beta = -0.10 + 0.944 / np.hypot(plasmon_ev, self.gap_ev) + 0.069 * self.density_g_cm3**0.1
        gamma = 0.191 / np.sqrt(self.density_g_cm3)
        c, d = 1.97 - 0.91 * per_mass, 53.4 - 20.8 * per_mass
        inverse = plasmon_ev**2 * (beta * np.log(gamma * kinetic_ev) - c / kinetic_ev + d / kinetic_ev**2)
        return float(0.1 * kinetic_ev / inverse)

    def lines(self, level: str) -> tuple[CoreLevel, ...]:
        """Those of one level."""
        return tuple(line for line in self.levels if line.level == level)


ATOMIC_MASS_G_MOL = {
    "H": 1.008, "Li": 6.94, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "Mg": 24.305, "Al": 26.982,
    "P": 30.974, "S": 32.06, "Ti": 47.867, "Mn": 54.938, "Fe": 55.845, "Co": 58.933, "Ni": 58.693,
    "Zr": 91.224, "Ag": 107.868, "La": 138.905, "Au": 196.967,
}  # fmt: skip
"""IUPAC standard atomic weights, abridged: R."""

VALENCE_ELECTRONS = {
    "H": 1, "Li": 1, "C": 4, "N": 5, "O": 6, "F": 7, "Mg": 2, "Al": 3, "P": 5, "S": 6, "Ti": 4, "Mn": 7,
    "Fe": 8, "Co": 9, "Ni": 10, "Zr": 4, "Ag": 11, "La": 9, "Au": 11,
}  # fmt: skip
"""As TPP-2M counts them, after Tanuma et al.: R."""

_HARWELL = Source("harwellxps.guru", Mark.VERIFIED)
_FITTING = Source("xpsfitting.com", Mark.VERIFIED)
_WOOD = Source("Wood & Teeter, ACS Appl. Energy Mater. 1 (2018) 4493", Mark.RECALLED)
_LIANG = Source("Liang et al., Nat. Commun. 6 (2015) 5682; Helen et al. 2015", Mark.RECALLED)
_YU = Source("Yu et al., ACS Energy Lett. (2022), 10.1021/acsenergylett.2c01587", Mark.RECALLED)
_BEAMSON = Source("Beamson & Briggs, High Resolution XPS of Organic Polymers (1992)", Mark.RECALLED)
_DEDRYVERE = Source("Dedryvere et al. 2010", Mark.RECALLED)
_BATTERY = Source("usual values of the battery literature", Mark.RECALLED)
_HANDBOOK = Source("Moulder et al., Handbook of X-ray Photoelectron Spectroscopy (1992)", Mark.RECALLED)
_UNSURE = Source("values differ between papers", Mark.UNSURE)
_GUESS = Source("chosen for illustration", Mark.ILLUSTRATION)
_BULK = Source("density: CRC Handbook; band gap: rounded", Mark.RECALLED)
_BULK_GUESS = Source("density and band gap chosen for illustration", Mark.ILLUSTRATION)

_L = CoreLevel

_SATELLITES = {"Co 2p": 0.1, "Ni 2p": 0.25}
"""Share of a line's area in its satellite: I."""


def _layered(key: str, nickel: float, manganese: float, cobalt: float) -> XpsCompound:
    """A layered oxide of these metals, whose lines lie where those of NMC111 do."""
    lines = [
        _L("Li 1s", 54.0, 1.2, 1, _UNSURE),
        _L("Mn 3p", 49.5, 2.0, manganese, _UNSURE),
        _L("Co 3p", 60.8, 1.8, cobalt, _BATTERY),
        _L("Ni 3p", 67.5, 2.4, nickel, _UNSURE),
        _L("O 1s", 529.4, 1.1, 2, _BATTERY),
        _L("Mn 2p", 642.2, 2.6, manganese, _BATTERY),
    ]
    for level, main_ev, width_ev, satellite_ev, broad_ev, atoms in (
        ("Co 2p", 780.0, 1.6, 790.0, 3.0, cobalt),
        ("Ni 2p", 854.9, 2.2, 861.5, 4.0, nickel),
    ):
        apart = _SATELLITES[level]
        lines.append(_L(level, main_ev, width_ev, (1 - apart) * atoms, _BATTERY))
        lines.append(_L(level, satellite_ev, broad_ev, apart * atoms, _BATTERY, "satellite"))
    atoms = {"Li": 1.0, "Ni": nickel, "Mn": manganese, "Co": cobalt, "O": 2.0}
    return XpsCompound(key, atoms, 4.75, 2.0, tuple(lines), _BULK)


COMPOUNDS: Mapping[str, XpsCompound] = {
    one.key: one
    for one in (
        XpsCompound("Li", {"Li": 1}, 0.534, 0.0,
                    (_L("Li 1s", 54.8, 0.6, 1, _HARWELL, asymmetry=0.10),), _BULK),
        XpsCompound("Li2O", {"Li": 2, "O": 1}, 2.013, 8.0,
                    (_L("Li 1s", 53.6, 1.1, 2, _WOOD), _L("O 1s", 528.5, 1.1, 1, _WOOD)), _BULK),
        XpsCompound("LiOH", {"Li": 1, "O": 1, "H": 1}, 1.46, 6.0,
                    (_L("Li 1s", 55.8, 1.2, 1, _HARWELL), _L("O 1s", 531.2, 1.3, 1, _FITTING)), _BULK),
        XpsCompound("Li2CO3", {"Li": 2, "C": 1, "O": 3}, 2.11, 7.5,
                    (_L("Li 1s", 55.1, 1.2, 2, _HARWELL), _L("C 1s", 289.9, 1.1, 1, _BATTERY),
                     _L("O 1s", 531.5, 1.3, 3, _FITTING)), _BULK),
        XpsCompound("LiF", {"Li": 1, "F": 1}, 2.635, 13.6,
                    (_L("Li 1s", 55.7, 1.3, 1, _BATTERY), _L("F 1s", 685.1, 1.4, 1, _FITTING)), _BULK),
        XpsCompound("Li3N", {"Li": 3, "N": 1}, 1.27, 2.2,
                    (_L("Li 1s", 54.8, 1.1, 3, _WOOD), _L("N 1s", 395.3, 1.2, 1, _WOOD)), _BULK),
        XpsCompound("Li2S", {"Li": 2, "S": 1}, 1.66, 3.7,
                    (_L("Li 1s", 54.7, 1.1, 2, _GUESS), _L("S 2p", 160.2, 0.9, 1, _LIANG)), _BULK),
        XpsCompound("Li2S6", {"Li": 2, "S": 6}, 1.75, 3.0,
                    (_L("Li 1s", 55.2, 1.2, 2, _GUESS), _L("S 2p", 161.7, 0.9, 2, _LIANG, "terminal"),
                     _L("S 2p", 163.1, 0.9, 4, _LIANG, "bridging")), _BULK_GUESS),
        XpsCompound("S8", {"S": 8}, 2.07, 2.8, (_L("S 2p", 164.0, 0.8, 8, _BATTERY),), _BULK),
        XpsCompound("Li2S2O3", {"Li": 2, "S": 2, "O": 3}, 1.9, 5.0,
                    (_L("Li 1s", 55.4, 1.2, 2, _GUESS), _L("S 2p", 161.9, 0.9, 1, _GUESS, "terminal"),
                     _L("S 2p", 167.1, 1.0, 1, _LIANG, "central"), _L("O 1s", 531.8, 1.3, 3, _GUESS)),
                    _BULK_GUESS),
        XpsCompound("Li2S4O6", {"Li": 2, "S": 4, "O": 6}, 2.0, 5.0,
                    (_L("Li 1s", 55.6, 1.2, 2, _GUESS), _L("S 2p", 163.7, 0.9, 2, _GUESS, "bridging"),
                     _L("S 2p", 168.6, 1.0, 2, _LIANG, "sulfonate"), _L("O 1s", 532.2, 1.3, 6, _GUESS)),
                    _BULK_GUESS),
        XpsCompound("LiTFSI", {"Li": 1, "N": 1, "S": 2, "O": 4, "C": 2, "F": 6}, 1.33, 6.0,
                    (_L("Li 1s", 56.2, 1.3, 1, _GUESS), _L("N 1s", 399.5, 1.2, 1, _YU),
                     _L("S 2p", 168.95, 1.0, 2, _YU), _L("O 1s", 532.7, 1.3, 4, _GUESS),
                     _L("C 1s", 292.9, 1.1, 2, _YU, "CF3"), _L("F 1s", 688.85, 1.4, 6, _YU)), _BULK_GUESS),
        XpsCompound("LiPF6", {"Li": 1, "P": 1, "F": 6}, 2.84, 8.0,
                    (_L("Li 1s", 57.0, 1.4, 1, _GUESS), _L("P 2p", 136.9, 1.2, 1, _UNSURE),
                     _L("F 1s", 687.4, 1.5, 6, _YU)), _BULK_GUESS),
        XpsCompound("LiPO2F2", {"Li": 1, "P": 1, "O": 2, "F": 2}, 2.1, 7.0,
                    (_L("Li 1s", 56.2, 1.4, 1, _GUESS), _L("P 2p", 134.8, 1.3, 1, _UNSURE),
                     _L("O 1s", 532.2, 1.4, 2, _GUESS), _L("F 1s", 686.5, 1.5, 2, _YU)), _BULK_GUESS),
        XpsCompound("PEO", {"C": 2, "H": 4, "O": 1}, 1.13, 7.0,
                    (_L("C 1s", 286.5, 1.0, 2, _BEAMSON, "C-O"), _L("O 1s", 532.8, 1.2, 1, _BEAMSON)), _BULK),
        XpsCompound("CH3OCO2Li", {"C": 2, "H": 3, "O": 3, "Li": 1}, 1.5, 6.0,
                    (_L("Li 1s", 55.5, 1.3, 1, _GUESS), _L("C 1s", 286.7, 1.1, 1, _GUESS, "C-O"),
                     _L("C 1s", 288.8, 1.2, 1, _BATTERY, "CO3"), _L("O 1s", 531.9, 1.3, 2, _GUESS, "C=O"),
                     _L("O 1s", 533.4, 1.3, 1, _GUESS, "C-O")), _BULK_GUESS),
        XpsCompound("adventitious carbon", {"C": 1, "H": 2}, 1.0, 6.0,
                    (_L("C 1s", HYDROCARBON_EV, 1.05, 1, _BATTERY, "C-C"),), _BULK_GUESS),
        XpsCompound("graphite", {"C": 1}, 2.26, 0.0,
                    (_L("C 1s", 284.4, 0.5, 0.95, _BATTERY, asymmetry=0.08),
                     _L("C 1s", 291.0, 3.0, 0.05, _BATTERY, "shake-up")), _BULK),
        XpsCompound("LTO", {"Li": 4, "Ti": 5, "O": 12}, 3.48, 3.8,
                    (_L("Li 1s", 54.9, 1.2, 4, _UNSURE), _L("Ti 2p", 458.6, 0.9, 5, _BATTERY),
                     _L("O 1s", 530.0, 1.1, 12, _BATTERY)), _BULK),
        XpsCompound("LFP", {"Li": 1, "Fe": 1, "P": 1, "O": 4}, 3.6, 3.8,
                    (_L("Li 1s", 55.6, 1.3, 1, _UNSURE), _L("Fe 3p", 56.0, 1.8, 1, _HARWELL),
                     _L("P 2p", 133.4, 1.1, 1, _DEDRYVERE), _L("O 1s", 531.3, 1.3, 4, _DEDRYVERE),
                     _L("Fe 2p", 710.0, 2.8, 0.85, _DEDRYVERE),
                     _L("Fe 2p", 715.3, 4.0, 0.15, _UNSURE, "satellite")), _BULK),
        XpsCompound("FePO4", {"Fe": 1, "P": 1, "O": 4}, 3.7, 3.0,
                    (_L("Fe 3p", 57.5, 1.9, 1, _UNSURE), _L("P 2p", 133.6, 1.1, 1, _DEDRYVERE),
                     _L("O 1s", 531.4, 1.3, 4, _DEDRYVERE), _L("Fe 2p", 712.0, 3.0, 1, _DEDRYVERE)), _BULK),
        XpsCompound("LCO", {"Li": 1, "Co": 1, "O": 2}, 5.06, 2.7,
                    (_L("Li 1s", 54.1, 1.1, 1, _UNSURE), _L("Co 3p", 60.8, 1.8, 1, _BATTERY),
                     _L("O 1s", 529.4, 1.0, 2, _BATTERY), _L("Co 2p", 780.0, 1.4, 0.91, _BATTERY),
                     _L("Co 2p", 790.0, 3.0, 0.09, _BATTERY, "satellite")), _BULK),
        _layered("NMC111", 1 / 3, 1 / 3, 1 / 3),
        _layered("NMC622", 0.6, 0.2, 0.2),
        _layered("NMC811", 0.8, 0.1, 0.1),
        XpsCompound("LiAl", {"Li": 1, "Al": 1}, 1.75, 0.0,
                    (_L("Li 1s", 54.9, 0.7, 1, _GUESS, asymmetry=0.06),
                     _L("Al 2p", 72.2, 0.5, 1, _GUESS, asymmetry=0.08)), _BULK),
        XpsCompound("Al", {"Al": 1}, 2.70, 0.0,
                    (_L("Al 2p", 72.8, 0.4, 1, _HANDBOOK, asymmetry=0.10),), _BULK),
        XpsCompound("Au", {"Au": 1}, 19.3, 0.0,
                    (_L("Au 4f", 84.0, 0.35, 1, _HANDBOOK, asymmetry=0.05),), _BULK),
        XpsCompound("Ag", {"Ag": 1}, 10.49, 0.0,
                    (_L("Ag 3d", 368.2, 0.3, 1, _HANDBOOK, asymmetry=0.05),), _BULK),
        XpsCompound("LLZO", {"Li": 7, "La": 3, "Zr": 2, "O": 12}, 5.1, 5.8,
                    (_L("Li 1s", 54.7, 1.3, 7, _UNSURE), _L("Zr 3d", 182.0, 1.2, 2, _UNSURE),
                     _L("O 1s", 529.8, 1.4, 12, _UNSURE), _L("La 3d", 834.0, 2.6, 0.6 * 3, _UNSURE),
                     _L("La 3d", 838.0, 3.0, 0.4 * 3, _UNSURE, "satellite")), _BULK),
        XpsCompound("LiPON", {"Li": 2.9, "P": 1, "O": 3.3, "N": 0.4}, 2.3, 6.0,
                    (_L("Li 1s", 55.5, 1.4, 2.9, _UNSURE), _L("P 2p", 133.3, 1.3, 1, _UNSURE),
                     _L("O 1s", 531.6, 1.4, 3.3, _UNSURE), _L("N 1s", 397.6, 1.2, 0.25, _UNSURE, "double"),
                     _L("N 1s", 399.3, 1.2, 0.15, _UNSURE, "triple")), _BULK_GUESS),
    )
}  # fmt: skip

LITHIUM_OVERLAPS: Mapping[str, tuple[float, Source]] = {
    "Mn 3p": (49.0, _BATTERY),
    "Mg 2p": (50.5, _HARWELL),
    "Fe 3p": (56.0, _HARWELL),
    "Co 3p": (60.5, _BATTERY),
}
"""Lines under or beside Li 1s: where these elements are, lithium is not had from Li 1s alone."""


class XpsTableError(ValueError):
    """Something is asked for that the tables do not hold."""


def compound_named(key: str) -> XpsCompound:
    """Compound of this name.

    Raises
    ------
    XpsTableError
        If there is none.
    """
    try:
        return COMPOUNDS[key]
    except KeyError:
        raise XpsTableError(
            f"no compound is called {key!r}; the table of core levels has {', '.join(COMPOUNDS)}"
        ) from None


def level_named(key: str) -> Level:
    """Core level of this name.

    Raises
    ------
    XpsTableError
        If there is none.
    """
    try:
        return LEVELS[key]
    except KeyError:
        raise XpsTableError(f"no core level is called {key!r}; the table has {', '.join(LEVELS)}") from None


def separation_ev(compound: str, upper: str, lower: str) -> float:
    """Binding energy of one line of a compound above that of another, by their names.

    Raises
    ------
    XpsTableError
        If the compound has no such line.
    """
    lines = {line.name: line.binding_ev for line in compound_named(compound).levels}
    missing = [name for name in (upper, lower) if name not in lines]
    if missing:
        raise XpsTableError(f"{compound} has no line {missing[0]!r}; it has {', '.join(lines)}")
    return lines[upper] - lines[lower]

"""Electron energy losses with their sources. Marks: V verified, R recalled, ? unsure, I illustrative.

Energies are in eV, doses in electrons per square angstrom.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials.constants import AVOGADRO_PER_MOL
from intercalate.materials.model import Mark, Source


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a shell of an element begins to take energy up."""

    element: str
    shell: str
    onset_ev: float
    source: Source

    @property
    def key(self) -> str:
        """Element and shell, for example `O K`."""
        return f"{self.element} {self.shell}"


@dataclass(frozen=True, slots=True)
class Plasmon:
    """Bulk plasmon of a compound."""

    compound: str
    energy_ev: float
    source: Source


@dataclass(frozen=True, slots=True)
class WhiteLineRatio:
    """Ratio of both white lines of a transition metal at one valence; depends on windows and background."""

    compound: str
    valence: float
    ratio: float
    source: Source


@dataclass(frozen=True, slots=True)
class NearEdgeFeature:
    """A feature of an edge by which a compound is told."""

    compound: str
    edge: str
    energy_ev: float
    meaning: str
    source: Source


@dataclass(frozen=True, slots=True)
class CriticalDose:
    """Dose after which 1/e of a phase is left."""

    compound: str
    is_cold: bool
    electrons_per_a2: float
    product: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class ThinCompound:
    """A compound that electrons pass: atoms of its formula and its density."""

    key: str
    atoms: tuple[tuple[str, float], ...]
    molar_mass_g_mol: float
    density_g_cm3: float
    source: Source

    def atoms_per_nm3(self, element: str) -> float:
        """Of an element, 0 where there is none of it."""
        units = self.density_g_cm3 / self.molar_mass_g_mol * AVOGADRO_PER_MOL * 1e-21
        return units * dict(self.atoms).get(element, 0.0)


_EXSPY = Source("exspy 0.3.2, table of elements", Mark.VERIFIED)
_ATLAS = Source("Ahn & Krivanek, EELS Atlas (1983)", Mark.RECALLED)

EDGES: Mapping[str, Edge] = {
    edge.key: edge
    for edge in (
        Edge("Li", "K", 55.0, _EXSPY),
        Edge("Mn", "M2,3", 49.0, _ATLAS),
        Edge("Fe", "M2,3", 54.0, _ATLAS),
        Edge("Co", "M2,3", 60.0, _ATLAS),
        Edge("Ni", "M2,3", 68.0, _ATLAS),
        Edge("Si", "L2,3", 99.0, _ATLAS),
        Edge("P", "L2,3", 132.0, _ATLAS),
        Edge("C", "K", 284.0, _EXSPY),
        Edge("N", "K", 401.0, _EXSPY),
        Edge("O", "K", 532.0, _EXSPY),
        Edge("Mn", "L3", 640.0, _EXSPY),
        Edge("Mn", "L2", 651.0, _EXSPY),
        Edge("F", "K", 685.0, _EXSPY),
        Edge("Fe", "L3", 708.0, _EXSPY),
        Edge("Fe", "L2", 721.0, _EXSPY),
        Edge("Co", "L3", 779.0, _EXSPY),
        Edge("Co", "L2", 794.0, _EXSPY),
        Edge("La", "M5", 832.0, _EXSPY),
        Edge("La", "M4", 849.0, _EXSPY),
        Edge("Ni", "L3", 855.0, _EXSPY),
        Edge("Ni", "L2", 872.0, _EXSPY),
        Edge("P", "K", 2146.0, _EXSPY),
    )
}
"""By element and shell. M2,3 of Mn, Fe (54 to 57), Co (60 to 62) and Ni (66 to 68) overlap Li K."""

LITHIUM_PEAK_EV = 62.0
"""Of Li K in most of ten materials of electrodes and electrolytes."""
LITHIUM_PEAK_SOURCE = Source("Saitoh et al., PCCP 2018, 10.1039/C8CP03390K (abstract)", Mark.VERIFIED)

_PLASMON = Source("Egerton, Electron Energy-Loss Spectroscopy, 3rd ed. (2011), table C.1", Mark.RECALLED)
PLASMONS: Mapping[str, Plasmon] = {
    one.compound: one
    for one in (
        Plasmon("Li", 7.1, _PLASMON),
        Plasmon("Li2O", 18.0, Source(_PLASMON.citation, Mark.UNSURE)),
        Plasmon("LiF", 25.0, _PLASMON),
        Plasmon("Li2CO3", 21.5, Source(_PLASMON.citation, Mark.UNSURE)),
        Plasmon("Si", 16.7, _PLASMON),
        Plasmon("LiCoO2", 25.0, Source("free-electron estimate between Co3O4 and CoO", Mark.ILLUSTRATION)),
        Plasmon("Li2O2", 20.0, Source("free-electron estimate", Mark.ILLUSTRATION)),
        Plasmon("LiPON", 22.0, Source("free-electron estimate", Mark.ILLUSTRATION)),
    )
}

_WANG = "Wang, Yin & Jiang, Micron 31 (2000) 571; Wang et al., Micron 31 (2000) 355"
COBALT_WHITE_LINES = (
    WhiteLineRatio("CoO", 2.0, 4.8, Source(_WANG, Mark.RECALLED)),
    WhiteLineRatio("Co3O4", 8.0 / 3.0, 3.3, Source(_WANG, Mark.UNSURE)),
    WhiteLineRatio("LiCoO2", 3.0, 2.5, Source(_WANG, Mark.RECALLED)),
    WhiteLineRatio("CoO2", 4.0, 2.3, Source("hardly less than that of Co3+", Mark.ILLUSTRATION)),
)
"""L3 over L2 against valence, of falling ratio."""

COBALT_L3_EV_PER_VALENCE = 0.8
"""By which L3 moves up with the valence of cobalt, above Co3+."""
COBALT_L3_SOURCE = Source("chemical shift of about 1 eV per valence in 3d oxides", Mark.ILLUSTRATION)

OXYGEN_FEATURES = (
    NearEdgeFeature(
        "LiCoO2", "O K", 530.0, "O 2p - Co 3d", Source("usual value of layered oxides", Mark.RECALLED)
    ),
    NearEdgeFeature(
        "CoO2",
        "O K",
        529.2,
        "holes on oxygen: lower and stronger",
        Source("course of Li1-xCoO2", Mark.UNSURE),
    ),
    NearEdgeFeature(
        "Li2O2", "O K", 530.8, "sigma* of O-O", Source("pre-peak of peroxides, 530 to 531", Mark.RECALLED)
    ),
    NearEdgeFeature("Li2O", "O K", 534.0, "no pre-peak", Source("usual shape of Li2O", Mark.UNSURE)),
    NearEdgeFeature("Li2CO3", "O K", 533.8, "pi* of C=O", Source("usual shape of carbonates", Mark.RECALLED)),
)

_LIN = Source("Lin et al., Sci. Rep. 2014, PMC4100024, fig. 1, 200 kV", Mark.VERIFIED)
CRITICAL_DOSES = (
    CriticalDose("Li2CO3", False, 750.0, "Li2O", _LIN),
    CriticalDose("Li2CO3", True, 3000.0, "Li2O", Source("gain of cold about 4", Mark.ILLUSTRATION)),
    CriticalDose("Li2O2", False, 4000.0, "Li2O", Source("less sensitive than Li2CO3", Mark.ILLUSTRATION)),
    CriticalDose("Li2O2", True, 16000.0, "Li2O", Source("gain of cold about 4", Mark.ILLUSTRATION)),
    CriticalDose("Li", False, 200.0, None, Source("holes at tens of e/A2/s within seconds", Mark.UNSURE)),
    CriticalDose("Li", True, 1500.0, None, Source("Li et al., Science 358 (2017) 506", Mark.RECALLED)),
    CriticalDose("SEI", False, 100.0, None, Source("cold budget over about 4", Mark.ILLUSTRATION)),
    CriticalDose("SEI", True, 450.0, None, Source("budget of cold microscopy of the SEI", Mark.RECALLED)),
)

_DENSITY = Source("crystallographic density, usual handbooks", Mark.RECALLED)
COMPOUNDS: Mapping[str, ThinCompound] = {
    one.key: one
    for one in (
        ThinCompound("Li", (("Li", 1.0),), 6.94, 0.534, _DENSITY),
        ThinCompound("Li2O", (("Li", 2.0), ("O", 1.0)), 29.88, 2.01, _DENSITY),
        ThinCompound("Li2O2", (("Li", 2.0), ("O", 2.0)), 45.88, 2.31, _DENSITY),
        ThinCompound("Li2CO3", (("Li", 2.0), ("C", 1.0), ("O", 3.0)), 73.89, 2.11, _DENSITY),
        ThinCompound("LiF", (("Li", 1.0), ("F", 1.0)), 25.94, 2.64, _DENSITY),
        ThinCompound("LiCoO2", (("Li", 1.0), ("Co", 1.0), ("O", 2.0)), 97.87, 5.05, _DENSITY),
        ThinCompound("Li0.5CoO2", (("Li", 0.5), ("Co", 1.0), ("O", 2.0)), 94.40, 4.87, _DENSITY),
        ThinCompound("CoO", (("Co", 1.0), ("O", 1.0)), 74.93, 6.44, _DENSITY),
        ThinCompound("Co3O4", (("Co", 3.0), ("O", 4.0)), 240.80, 6.11, _DENSITY),
        ThinCompound("Si", (("Si", 1.0),), 28.086, 2.33, _DENSITY),
        ThinCompound(
            "C", (("C", 1.0),), 12.011, 2.0, Source("evaporated films, 1.8 to 2.1 g/cm3", Mark.RECALLED)
        ),
        ThinCompound(
            "LiPON",
            (("Li", 2.9), ("P", 1.0), ("O", 3.3), ("N", 0.46)),
            110.3,
            2.3,
            Source("usual composition of sputtered films", Mark.UNSURE),
        ),
    )
}

MEAN_FREE_PATH_SOURCE = Source("Iakoubovskii et al., Microsc. Res. Tech. 71 (2008) 626", Mark.RECALLED)


def mean_free_path_nm(
    density_g_cm3: float, beam_kev: float, convergence_mrad: float, collection_mrad: float
) -> float:
    """Mean free path of inelastic scattering (Iakoubovskii et al. 2008), good to about 10 %."""
    relativistic = (1 + beam_kev / 1022) / (1 + beam_kev / 511) ** 2
    dense = density_g_cm3**0.3
    characteristic, cutoff = 5.5 * dense / (relativistic * beam_kev), 20.0
    a2, b2 = convergence_mrad**2, collection_mrad**2
    apart = abs(a2 - b2)
    inside = (a2 + b2 + 2 * characteristic**2 + apart) / (a2 + b2 + 2 * cutoff**2 + apart)
    logarithm = np.log(inside * (cutoff / characteristic) ** 2)
    return float(200 * relativistic * beam_kev / (11 * dense * logarithm))


def critical_dose(compound: str, is_cold: bool) -> CriticalDose | None:
    """Row of a compound; None where the table has none, which does not mean that it lasts."""
    for row in CRITICAL_DOSES:
        if row.compound == compound and row.is_cold == is_cold:
            return row
    return None

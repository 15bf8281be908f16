"""Characteristic X-rays and the detectors that count them.

Energies, yields and absorption come from xraydb (Elam, Ravel & Sieber, Radiat. Phys. Chem. 63 (2002) 121;
Chantler, J. Phys. Chem. Ref. Data 24 (1995) 71 below 110 eV). What it lacks stands here. Marks: V verified, R
recalled, ? unsure, I illustrative.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xraydb

from intercalate.materials.model import Mark, Source

LITHIUM_K_EV = 54.3
LITHIUM_YIELD = 2.9e-4
LITHIUM_SOURCE = Source("xraylib 4.3.0 (yield); 54.3 eV of metal", Mark.VERIFIED)

LITHIUM_YIELD_FACTORS: dict[str, float] = {
    "metal": 1.0,
    "carbide": 0.3,
    "oxide": 0.02,
    "carbonate": 0.01,
    "fluoride": 0.01,
}
"""Of Li K in a compound, by that in metal: bonding takes the electrons that would fill the shell."""
LITHIUM_FACTORS_SOURCE = Source(
    "Hovington et al., Scanning 38 (2016) 571: metal is seen, ionic compounds weakly or not; the figures "
    "between are ours",
    Mark.ILLUSTRATION,
)
LITHIUM_MOST_KV = 5.0
"""Above which the beam goes too deep for 54 eV to come out."""

M_SHELL_YIELD = 2.5e-3
"""Of M5 and M4 of lanthanum, for which xraydb has 0 and 0.0027."""
M_SHELL_SOURCE = Source("of the order of Elam's for M4; Krause's tables end at L", Mark.UNSURE)

FANO, EV_PER_PAIR = 0.115, 3.65
FANO_SOURCE = Source(
    "silicon; Goldstein et al., Scanning Electron Microscopy and X-Ray Microanalysis", Mark.RECALLED
)

SILICON_ESCAPE_EV = 1740.0
SILICON_EDGE_EV = 1839.0

_SHELL_ELECTRONS = {"K": 2, "L1": 2, "L2": 2, "L3": 4, "M4": 4, "M5": 6}


@dataclass(frozen=True, slots=True)
class EmissionLine:
    """A characteristic line.

    Attributes
    ----------
    family
        `K`, `L` or `M`.
    edge_ev
        Of the shell that must lose an electron.
    shell_electrons
        In that shell.
    branching
        Share of this line among all of the shell.
    """

    element: str
    name: str
    family: str
    energy_ev: float
    edge_ev: float
    shell_electrons: int
    fluorescence_yield: float
    branching: float


@lru_cache(maxsize=256)
def emission_lines(element: str) -> tuple[EmissionLine, ...]:
    """Lines of an element between 50 eV and 20 keV that are worth counting.

    Raises
    ------
    ValueError
        If there is no such element.
    """
    if element == "Li":
        return (EmissionLine("Li", "K", "K", LITHIUM_K_EV, 54.7, 2, LITHIUM_YIELD, 1.0),)
    try:
        edges = xraydb.xray_edges(element)
        lines = xraydb.xray_lines(element)
    except ValueError as error:
        raise ValueError(f"no element {element!r}; give a chemical symbol") from error
    found: list[EmissionLine] = []
    for name, line in lines.items():
        for shell in line.initial_level.replace("M4,5", "M5").split(","):
            if shell not in _SHELL_ELECTRONS or shell not in edges or line.intensity < 0.005:
                continue
            edge = edges[shell]
            yielded = M_SHELL_YIELD if shell.startswith("M") else edge.fyield
            if not 100.0 < line.energy < 20000.0 or yielded <= 0:
                continue
            family = shell[0]
            found.append(
                EmissionLine(
                    element,
                    name,
                    family,
                    line.energy,
                    edge.energy,
                    _SHELL_ELECTRONS[shell],
                    yielded,
                    line.intensity,
                )
            )
    return tuple(found)


@lru_cache(maxsize=256)
def atomic_number(element: str) -> int:
    """Of an element; kept, for a database is slow and spectra ask for it again and again."""
    return int(xraydb.atomic_number(element))


@lru_cache(maxsize=256)
def atomic_mass(element: str) -> float:
    """Of an element, in g/mol; kept as `atomic_number` is."""
    return float(xraydb.atomic_mass(element))


def mass_absorption_cm2_g(element: str, energy_ev: np.ndarray) -> np.ndarray:
    """Of an element, at energies from 50 eV."""
    energy = np.atleast_1d(np.asarray(energy_ev, dtype=float))
    return _mass_absorption_cm2_g(element, energy.tobytes()).copy()


@lru_cache(maxsize=1024)
def _mass_absorption_cm2_g(element: str, energies: bytes) -> np.ndarray:
    """At energies as their bytes: splines of a database are slow, and axes are asked for again and again."""
    energy = np.frombuffer(energies)
    soft = energy < 110.0
    found = np.empty(energy.size)
    if soft.any():
        found[soft] = xraydb.mu_chantler(element, np.maximum(energy[soft], 50.0))
    if (~soft).any():
        found[~soft] = xraydb.mu_elam(element, energy[~soft])
    return found


@dataclass(frozen=True)
class XrayDetector:
    """A silicon drift detector.

    Attributes
    ----------
    window_nm
        Thickness of a polymer window on a silicon grid; 0 where there is none.
    dead_layer_nm
        Of silicon that collects no charge.
    noise_ev
        Full width at half maximum that the electronics give.
    thickness_um
        Of the silicon.
    """

    key: str
    window_nm: float
    dead_layer_nm: float
    noise_ev: float
    thickness_um: float
    channel_ev: float
    channels: int
    take_off_deg: float
    solid_angle_sr: float
    source: Source

    @property
    def windowless(self) -> bool:
        """Whether nothing stands between sample and silicon."""
        return self.window_nm <= 0

    def width_ev(self, energy_ev: np.ndarray | float) -> np.ndarray:
        """Full width at half maximum of a line."""
        energy = np.maximum(np.asarray(energy_ev, dtype=float), 0.0)
        return np.sqrt(self.noise_ev**2 + 8 * np.log(2) * FANO * EV_PER_PAIR * energy)

    def efficiency(
        self, energy_ev: np.ndarray, window_factor: float = 1.0, ice_nm: float = 0.0
    ) -> np.ndarray:
        """Share of X-rays that is counted.

        Parameters
        ----------
        window_factor
            Of the window's thickness.
        ice_nm
            Of ice that has grown on a cold detector.
        """
        energy = np.atleast_1d(np.asarray(energy_ev, dtype=float))
        silicon = mass_absorption_cm2_g("Si", energy) * 2.33
        passed = np.exp(-silicon * self.dead_layer_nm * 1e-7)
        if ice_nm > 0:
            water = 0.112 * mass_absorption_cm2_g("H", energy) + 0.888 * mass_absorption_cm2_g("O", energy)
            passed = passed * np.exp(-water * 0.92 * ice_nm * 1e-7)
        if not self.windowless:
            polymer = 0.69 * mass_absorption_cm2_g("C", energy) + 0.21 * mass_absorption_cm2_g("O", energy)
            film = np.exp(-polymer * 1.4 * self.window_nm * window_factor * 1e-7)
            grid = 0.77 + 0.23 * np.exp(-silicon * 380e-4)
            coat = np.exp(-mass_absorption_cm2_g("Al", energy) * 2.7 * 30e-7)
            passed = passed * film * grid * coat
        return passed * (1.0 - np.exp(-silicon * self.thickness_um * 1e-4))


_DETECTORS = Source("typical of makers' descriptions; not of one instrument", Mark.ILLUSTRATION)
STANDARD_DETECTOR = XrayDetector("standard", 300.0, 50.0, 45.0, 450.0, 10.0, 2048, 35.0, 0.02, _DETECTORS)
WINDOWLESS_DETECTOR = XrayDetector("windowless", 0.0, 8.0, 22.0, 450.0, 5.0, 2048, 35.0, 0.05, _DETECTORS)

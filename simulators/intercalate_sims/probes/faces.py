"""What a surface technique meets of a cell: the layers on the face of an electrode, from the outside in.

The film that forms on an electrode below 1 V follows from the charge that the cell model has put into it.
Thin films that are there from the beginning are drawn from the seed. There is no salt, no solvent and no
polymer on a face: the sample is taken to be rinsed and dry.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from intercalate.materials import Mark, Source
from intercalate.materials.constants import FARADAY_C_PER_MOL
from intercalate.materials.xps import compound_named
from intercalate_sims.cell.interface import ElectrodeState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps_samples import Layer

ROUGHNESS = 8.0
"""Surface of flake graphite by gas adsorption, about 2 m2/g, over that of spheres of the model's size."""

ORGANIC, INNER = "CH3OCO2Li", ("Li2CO3", "LiF")
ELECTRONS = {ORGANIC: 1.0, "Li2CO3": 2.0, "LiF": 1.0}
"""For one formula unit, of the reductions of ethylene carbonate and of the salt."""

OXIDES: Mapping[str, Mapping[str, float]] = {
    "LFP": {"LFP": 1.0},
    "LCO": {"LCO": 1.0},
    "LTO": {"LTO": 1.0},
    "NMC111": {"NMC111": 1.0},
    "NMC622": {"NMC622": 1.0},
    "NMC811": {"NMC811": 1.0},
}
"""By what the table of core levels has."""


@dataclass(frozen=True)
class HiddenFace:
    """How the faces of one chamber's samples differ from clean ones.

    Attributes
    ----------
    organic_share, fluoride_share
        Of the charge of a film: of its organic outside, and of LiF in what lies below.
    hydrocarbon_nm
        Adventitious carbon on everything.
    carbonate_nm, oxide_nm
        Native films: Li2CO3 on oxides and on lithium, Li2O below it on lithium.
    """

    organic_share: float = 0.4
    fluoride_share: float = 0.3
    hydrocarbon_nm: float = 0.4
    carbonate_nm: float = 0.8
    oxide_nm: float = 2.5

    @classmethod
    def draw(cls, seed: int) -> Self:
        """Of a seed."""
        n = keyed_generator(seed, "faces", 0).standard_normal(5)
        return cls(
            float(np.clip(0.4 + 0.08 * n[0], 0.1, 0.8)),
            float(np.clip(0.3 + 0.08 * n[1], 0.05, 0.8)),
            0.4 * float(np.exp(0.3 * n[2])),
            0.8 * float(np.exp(0.3 * n[3])),
            2.5 * float(np.exp(0.2 * n[4])),
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


AIR_NM, AIR_MBAR_S = 1.0, 100.0
AIR_SOURCE = Source(
    "films grow on lithium and its compounds as the logarithm of the time in air, nanometres within a minute",
    Mark.ILLUSTRATION,
)
INERT_IN_AIR = ("LFP", "LTO")
"""On which no carbonate grows within hours."""


def carbonate_of_air_nm(material: str, met_mbar_s: float) -> float:
    """Thickness of the lithium carbonate that oxygen and water have left on an electrode."""
    return 0.0 if material in INERT_IN_AIR else AIR_NM * float(np.log1p(met_mbar_s / AIR_MBAR_S))


def face_of(electrode: ElectrodeState, hidden: HiddenFace, met_mbar_s: float = 0.0) -> list[Layer]:
    """Layers of the face that an electrode turns away from the separator.

    Parameters
    ----------
    met_mbar_s
        Oxygen and water that the face has met, pressure times time.

    Raises
    ------
    ValueError
        If the table of core levels has no such material.
    """
    outside = [Layer("adventitious carbon", hidden.hydrocarbon_nm)]
    if (grown_nm := carbonate_of_air_nm(electrode.material, met_mbar_s)) > 0:
        outside.append(Layer("Li2CO3", grown_nm))
    if electrode.material == "graphite":
        return [*outside, *_film(electrode, hidden), Layer("graphite")]
    if electrode.material == "Li":
        return [*outside, Layer("Li2CO3", hidden.carbonate_nm), Layer("Li2O", hidden.oxide_nm), Layer("Li")]
    if electrode.material == "LFP":
        x = electrode.li_content[-1]
        below = Layer({"LFP": x, "FePO4": 1.0 - x})
    elif electrode.material in OXIDES:
        below = Layer(OXIDES[electrode.material])
    else:
        raise ValueError(f"nothing is known of the surface of {electrode.material}")
    return [*outside, Layer("Li2CO3", 0.5 * hidden.carbonate_nm), below]


def film_nm(charge_c_m2: float, hidden: HiddenFace) -> tuple[float, float]:
    """Thickness of the organic outside and of the salts below, by the charge per area of particle."""
    per_area = charge_c_m2 / ROUGHNESS / FARADAY_C_PER_MOL
    organic = hidden.organic_share * per_area / ELECTRONS[ORGANIC] * _volume_cm3_mol(ORGANIC)
    left = (1.0 - hidden.organic_share) * per_area
    salts = sum(
        share * left / ELECTRONS[one] * _volume_cm3_mol(one)
        for one, share in zip(INNER, (1.0 - hidden.fluoride_share, hidden.fluoride_share))
    )
    # cm3/m2 are micrometres.
    return 1000.0 * organic, 1000.0 * salts


def _film(electrode: ElectrodeState, hidden: HiddenFace) -> list[Layer]:
    charge_c_m2 = electrode.film_c_m2[-1] if electrode.film_c_m2 else 0.0
    organic_nm, salts_nm = film_nm(charge_c_m2, hidden)
    if not organic_nm > 0:
        return []
    units = {
        one: share / ELECTRONS[one]
        for one, share in zip(INNER, (1.0 - hidden.fluoride_share, hidden.fluoride_share))
    }
    return [Layer(ORGANIC, organic_nm), Layer(units, salts_nm)]


def _volume_cm3_mol(compound: str) -> float:
    found = compound_named(compound)
    return found.molar_mass_g_mol / found.density_g_cm3

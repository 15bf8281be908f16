"""What an electron microscope meets of a cell that was cut open: its layers, as thick as they are now."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from intercalate_sims.cell.interface import ElectrodeState, ProbeState
from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.sem_section import CrossSection, SectionBodies, SectionLayer

IMAGED = {"Li": "lithium", "LFP": "LFP", "graphite": "graphite", "NMC811": "NMC"}
"""Materials of images by those of electrodes."""

LFP_VOLUME = 0.066
"""By which a particle of LFP is larger than one of FePO4, relative; Andersson et al. 2000: R."""
COATING_FOLLOWS = 0.45
"""Share of a coating's volume that follows its particles."""


ISLE_UM = (6.0, 3.0)
"""Width and height of a typical isle."""
ISLE_UM2 = np.pi / 4 * ISLE_UM[0] * ISLE_UM[1] * 1.2
"""Mean area of the section of one, a half ellipse whose size scatters by a third."""


class SectionLaw(StrEnum):
    """How the layers of a section change; nobody is told."""

    REAL = "real"
    """As the charge says."""
    STILL = "still"
    """Not at all: every layer stays as it was made, and no isles come."""
    REVERSED = "reversed"
    """Lithium becomes thinner where it should become thicker, and isles go."""


@dataclass(frozen=True)
class HiddenSection:
    """How a section differs from one with flat layers.

    Attributes
    ----------
    roughness_um
        Of the lower face of each layer, from the top.
    isles_per_mm_um
        That come with each micrometre of lithium that is plated.
    porosity
        Of plated lithium.
    """

    roughness_um: tuple[float, float, float] = (0.6, 0.6, 0.8)
    isles_per_mm_um: float = 5.0
    porosity: float = 0.05

    @classmethod
    def draw(cls, seed: int) -> Self:
        """Of a seed."""
        n = keyed_generator(seed, "section", 0).standard_normal(5)
        rough = tuple(float(0.6 * np.exp(0.3 * one)) for one in n[:3])
        return cls(
            (rough[0], rough[1], rough[2]),
            5.0 * float(np.exp(0.3 * n[3])),
            float(np.clip(0.05 + 0.03 * n[4], 0.0, 0.2)),
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def section_of(
    state: ProbeState,
    fresh: ProbeState,
    between_um: float,
    hidden: HiddenSection,
    law: SectionLaw,
    between: str = "polymer electrolyte",
) -> CrossSection:
    """Layers from the lithium down, as thick as they are.

    Parameters
    ----------
    fresh
        The cell as it was made.
    between_um, between
        Thickness of what is between the electrodes, and what it is.
    """
    made_um = fresh.negative.thickness_um
    gained_um = state.negative.thickness_um - made_um
    if gained_um > 0:
        gained_um /= 1.0 - hidden.porosity
    working_um = _coating_um(state.positive)
    if law is SectionLaw.STILL:
        gained_um, working_um = 0.0, _coating_um(fresh.positive)
    elif law is SectionLaw.REVERSED:
        gained_um = -gained_um
    isles = max(gained_um, 0.0) * hidden.isles_per_mm_um
    # What stands in isles is not in the layer.
    gained_um -= isles / 1000.0 * ISLE_UM2
    layers = (
        (IMAGED[state.negative.material], made_um + gained_um),
        (between, between_um),
        (IMAGED[state.positive.material], working_um),
    )
    return CrossSection(
        [
            SectionLayer(material, thickness_um, rough)
            for (material, thickness_um), rough in zip(layers, hidden.roughness_um)
        ],
        isles=SectionBodies(isles, *ISLE_UM) if isles > 0 else None,
    )


def _coating_um(electrode: ElectrodeState) -> float:
    """Of a coating whose particles breathe."""
    if electrode.material != "LFP":
        return electrode.thickness_um
    empty = 1.0 - float(np.mean(electrode.li_content))
    return electrode.thickness_um * (1.0 - COATING_FOLLOWS * LFP_VOLUME * empty)

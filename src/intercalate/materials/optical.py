"""Colours in white light with their sources: reflectance at normal incidence in red, green and blue."""

from collections.abc import Mapping
from dataclasses import dataclass

from intercalate.materials.model import Mark, Source

WHITE_NM = 550.0
"""In the middle of what is visible, by which photons of white light are counted."""

Reflectance = tuple[float, float, float]
"""Of red, green and blue light."""


@dataclass(frozen=True, slots=True)
class StageColour:
    """Colour of LixC6 where it is of one stage.

    Attributes
    ----------
    li_content
        x at which it is.
    """

    name: str
    li_content: float
    reflectance: Reflectance
    source: Source


_SEEN = "Maire et al., J. Electrochem. Soc. 155 (2008) A862; Harris et al., Chem. Phys. Lett. 485 (2010) 265"
_SHADE = "reflectance that looks so"

GRAPHITE_COLOURS: Mapping[str, StageColour] = {
    one.name: one
    for one in (
        StageColour(
            "grey", 0.0, (0.30, 0.30, 0.31), Source("reflectance of graphite, about 0.3", Mark.RECALLED)
        ),
        StageColour(
            "blue", 0.33, (0.09, 0.13, 0.24), Source(f"blue-black: {_SEEN}; {_SHADE}", Mark.RECALLED)
        ),
        StageColour("red", 0.5, (0.42, 0.17, 0.13), Source(f"red: {_SEEN}; {_SHADE}", Mark.RECALLED)),
        StageColour("gold", 1.0, (0.74, 0.56, 0.20), Source(f"gold: {_SEEN}; {_SHADE}", Mark.RECALLED)),
    )
}
"""By name, in the order in which lithium goes in. The colours are recalled, their shades illustrations."""

SILICON_REFLECTANCE: Reflectance = (0.35, 0.37, 0.42)
SILICON_SOURCE = Source("polished silicon at 620, 550 and 460 nm", Mark.RECALLED)
SILICON_SIGMA = 0.02
"""Relative, of each."""

"""Faces that a cell may show to a photoelectron spectrometer in the place of those that its model has."""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np

from intercalate_sims.noise import keyed_generator
from intercalate_sims.probes.xps_samples import Layer


class Face(StrEnum):
    """What is in the beam."""

    IRREGULAR_ALLOY = "irregular LiAl"
    """An alloy of lithium and aluminium with places that lack lithium."""
    EVEN_ALLOY = "even LiAl"
    """The same without such places."""
    LAYERED_LITHIUM = "Li2CO3, Li3N and Li2O on Li"
    """Lithium under three layers, the first outermost."""
    BARE_LITHIUM = "Li"
    """Lithium without them, as if freshly scraped."""
    SEI_IN_STEPS = "SEI in steps"
    """Lithium beside sulfur: primary compounds, then secondary ones, then polysulfides."""
    SEI_AT_ONCE = "SEI at once"
    """The same, all from the start."""
    SEI_IN_ANOTHER_ORDER = "SEI in another order"
    """The same, in three steps of another order."""


LAYERS_NM: Mapping[str, float] = {"Li2CO3": 1.0, "Li3N": 1.0, "Li2O": 1.2}
"""On lithium, from the outside in: illustration, thin enough for the metal to be seen."""

_SCATTER = 0.15


def lithium_face(seed: int, face: Face, hydrocarbon_nm: float) -> list[Layer]:
    """Lithium under what air and electrolyte have left of it, or under hydrocarbon alone."""
    outside, below = Layer("adventitious carbon", hydrocarbon_nm), Layer("Li")
    if face is Face.BARE_LITHIUM:
        return [outside, below]
    factors = np.exp(_SCATTER * keyed_generator(seed, "layers on lithium", 0).standard_normal(len(LAYERS_NM)))
    layers = [Layer(key, nm * float(factor)) for (key, nm), factor in zip(LAYERS_NM.items(), factors)]
    return [outside, *layers, below]

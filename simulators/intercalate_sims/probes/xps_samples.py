"""Samples of photoelectron spectroscopy: layers on a substrate, and what argon ions make of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from intercalate.materials.xps import XpsCompound, compound_named


class StackError(ValueError):
    """There is no such sample; the message says why."""


@dataclass(frozen=True)
class Layer:
    """A layer of a compound or a mixture.

    Attributes
    ----------
    compound
        Name in the table of core levels, or shares of formula units by name.
    thickness_nm
        Of the covered part; infinite for a substrate.
    shift_ev
        By which all lines of the layer lie at higher binding energy: its potential.
    coverage
        Part of the area that it covers, independently of the layers below.
    """

    compound: str | Mapping[str, float]
    thickness_nm: float = float("inf")
    shift_ev: float = 0.0
    coverage: float = 1.0
    shares: Mapping[str, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        named = {self.compound: 1.0} if isinstance(self.compound, str) else dict(self.compound)
        total = sum(named.values())
        for key, share in named.items():
            compound_named(key)
            if not (np.isfinite(share) and share >= 0):
                raise StackError(f"the share of {key} is {share:g}; shares are 0 or more")
        if not total > 0:
            raise StackError("a layer holds nothing: the shares of its compounds add up to 0")
        if not self.thickness_nm >= 0:
            raise StackError(f"a layer is {self.thickness_nm:g} nm thick; 0 or more is possible")
        if not 0 <= self.coverage <= 1:
            raise StackError(f"a layer covers {self.coverage:g} of the area; from 0 to 1 is possible")
        if not np.isfinite(self.shift_ev):
            raise StackError(f"the potential of a layer is {self.shift_ev:g} eV; it must be finite")
        object.__setattr__(self, "shares", {key: one / total for key, one in named.items() if one > 0})

    def parts(self) -> list[tuple[XpsCompound, float]]:
        """Compounds, and formula units of each per nm3, volumes added up."""
        volume = sum(share / compound_named(key).units_per_nm3 for key, share in self.shares.items())
        return [(compound_named(key), share / volume) for key, share in self.shares.items()]

    def is_conducting(self) -> bool:
        """Whether it is a metal in the main."""
        return sum(share for key, share in self.shares.items() if compound_named(key).is_metallic) > 0.5


Stack = Sequence[Layer]
"""Layers from the outside in; the last one is the substrate, however thick it says it is."""


def checked_stack(stack: Stack) -> tuple[Layer, ...]:
    """The stack, with an infinite substrate that covers everything.

    Raises
    ------
    StackError
        If there is no layer, or a layer above the substrate has no end.
    """
    if not stack:
        raise StackError("a sample has no layer; it needs a substrate at least")
    for number, layer in enumerate(stack[:-1]):
        if not np.isfinite(layer.thickness_nm):
            raise StackError(
                f"layer {number} from the outside has no end, and hides {len(stack) - 1 - number} more"
            )
    return (*stack[:-1], replace(stack[-1], thickness_nm=float("inf"), coverage=1.0))


_BY_SPUTTERING: Mapping[str, tuple[Mapping[str, float], float]] = {
    "LiPF6": ({"LiF": 1.0}, 1.2),
    "LiTFSI": ({"LiF": 3.0, "Li2S": 0.3, "Li3N": 0.2}, 1.0),
    "LiPO2F2": ({"LiF": 2.0}, 0.8),
    "Li2CO3": ({"Li2O": 1.0}, 0.35),
    "CH3OCO2Li": ({"Li2O": 0.5}, 0.6),
    "Li2S4O6": ({"Li2S": 1.0, "S8": 0.25}, 0.5),
    "Li2S2O3": ({"Li2S": 1.0}, 0.4),
}
"""What a formula unit turns into, and at which rate per 1e16 argon ions per cm2. That salts turn into LiF is
Yu et al., ACS Energy Lett. (2022), 10.1021/acsenergylett.2c01587 (V); yields and rates are illustrations."""

_NM_PER_FLUENCE = 1.0
"""Removed by 1e16 argon ions per cm2 at a few hundred eV: I."""

_DAMAGED_NM = 3.0
"""Into which ions damage: I."""


def sputtered(stack: Stack, fluence_1e16_cm2: float) -> tuple[Layer, ...]:
    """A sample after argon ions: thinner, its salts in part LiF, its carbonates in part oxide.

    Parameters
    ----------
    fluence_1e16_cm2
        Argon ions per area in units of 1e16 per cm2; 1 removes about a nanometre.

    Raises
    ------
    StackError
        If the fluence is negative.
    """
    if not fluence_1e16_cm2 >= 0:
        raise StackError(f"the fluence is {fluence_1e16_cm2:g}e16 ions per cm2; it cannot be negative")
    layers = checked_stack(stack)
    to_remove = _NM_PER_FLUENCE * fluence_1e16_cm2
    left: list[Layer] = []
    depth = 0.0
    for layer in layers:
        removed = min(to_remove, layer.thickness_nm)
        to_remove -= removed
        remaining = layer.thickness_nm - removed
        if remaining <= 0:
            continue
        reached = max(_DAMAGED_NM - depth, 0.0)
        altered = Layer(_damaged(layer.shares, fluence_1e16_cm2), remaining, layer.shift_ev, layer.coverage)
        if reached >= remaining:
            left.append(altered)
        elif reached > 0 and altered.shares != layer.shares:
            left.append(replace(altered, thickness_nm=reached))
            left.append(replace(layer, thickness_nm=remaining - reached))
        else:
            left.append(replace(layer, thickness_nm=remaining))
        depth += remaining
    return checked_stack(left)


def _damaged(shares: Mapping[str, float], fluence: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, share in shares.items():
        products, rate = _BY_SPUTTERING.get(key, ({}, 0.0))
        turned = share * (1.0 - float(np.exp(-rate * fluence)))
        found[key] = found.get(key, 0.0) + share - turned
        for product, number in products.items():
            found[product] = found.get(product, 0.0) + turned * number
    return found

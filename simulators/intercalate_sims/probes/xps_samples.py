"""Samples of photoelectron spectroscopy: layers on a substrate, and what argon ions make of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from intercalate.materials.sputtering import BY_SPUTTERING, DAMAGED_NM, MIXED_NM, NM_PER_FLUENCE
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


_NOTHING_NM = 1e-3
"""Less of a layer is not there."""


def sputtered(stack: Stack, fluence_1e16_cm2: float) -> tuple[Layer, ...]:
    """A sample after argon ions: thinner, its salts in part LiF, its carbonates in part oxide.

    A layer does not end at once: its last fraction of a nanometre is carried into what lies below, and leaves
    slowly.

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
    to_remove = NM_PER_FLUENCE * fluence_1e16_cm2
    left: list[Layer] = []
    depth = 0.0
    for layer in layers:
        remaining = _left_nm(layer.thickness_nm, to_remove)
        to_remove = max(to_remove - layer.thickness_nm, 0.0)
        if remaining <= _NOTHING_NM:
            continue
        reached = max(DAMAGED_NM - depth, 0.0)
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


def _left_nm(thickness_nm: float, to_remove_nm: float) -> float:
    """Of a layer, with what mixing keeps of its last part."""
    mixed_nm = min(MIXED_NM, thickness_nm)
    beyond_nm = to_remove_nm - (thickness_nm - mixed_nm)
    if beyond_nm <= 0 or not np.isfinite(thickness_nm):
        return thickness_nm - to_remove_nm if np.isfinite(thickness_nm) else thickness_nm
    return mixed_nm * float(np.exp(-beyond_nm / mixed_nm)) if mixed_nm > 0 else 0.0


def _damaged(shares: Mapping[str, float], fluence: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, share in shares.items():
        products, rate = BY_SPUTTERING.get(key, ({}, 0.0))
        turned = share * (1.0 - float(np.exp(-rate * fluence)))
        found[key] = found.get(key, 0.0) + share - turned
        for product, number in products.items():
            found[product] = found.get(product, 0.0) + turned * number
    return found

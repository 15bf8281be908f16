"""Components of a fit: lines of compounds, tied to the layer in which they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from intercalate.materials.xps import (
    AL_K_ALPHA_EV,
    SEPARATION_SIGMA_EV,
    CoreLevel,
    XpsCompound,
    compound_named,
    level_named,
)
from intercalate.reduction.xps.counts import AnalyserOnPaper, XpsError

_MARGIN_EV = 1.0
"""Between a line and the end of its region."""

_TIED, _TIED_LITHIUM = 0.1, 0.2
"""Relative errors of the strength of one line of a compound against another; of Li 1s."""


class MeasuredRegion(Protocol):
    """A region of a spectrum or of a map."""

    @property
    def name(self) -> str: ...
    @property
    def binding_ev(self) -> np.ndarray: ...
    @property
    def seconds(self) -> float: ...
    @property
    def pass_energy_ev(self) -> float: ...
    @property
    def analyser(self) -> AnalyserOnPaper: ...


@dataclass(frozen=True, slots=True)
class Component:
    """A line, or a doublet of fixed ratio and splitting and common width.

    Attributes
    ----------
    name
        Unique in a fit.
    layer
        Lines of one layer are shifted together.
    binding_ev, binding_sigma_ev
        Before the shift of the layer, and how well its distance from other lines of the layer is known.
    width_ev, width_sigma
        Gaussian full width at half maximum without the instrument, and its relative standard error.
    is_asymmetric
        Whether it has the tail of a metal.
    compound
        To which it belongs; empty where it is a line of no known compound.
    atoms
        Per formula unit of the compound.
    tied
        Strength against other lines of the compound in the layer, where all are tied together; 0 leaves the
        area of this line free.
    tied_sigma
        Relative standard error of `tied`.
    """

    name: str
    region: str
    level: str
    layer: str
    binding_ev: float
    width_ev: float
    is_asymmetric: bool = False
    compound: str = ""
    atoms: float = 1.0
    binding_sigma_ev: float = SEPARATION_SIGMA_EV
    width_sigma: float = 0.1
    tied: float = 0.0
    tied_sigma: float = 0.1

    def __post_init__(self) -> None:
        level_named(self.level)
        for quantity, value in (
            ("width", self.width_ev),
            ("error of the position", self.binding_sigma_ev),
            ("error of the width", self.width_sigma),
            ("error of the tie", self.tied_sigma),
        ):
            if not (np.isfinite(value) and value > 0):
                raise XpsError(f"component {self.name}: the {quantity} is {value:g}; it must be more than 0")
        if not (np.isfinite(self.tied) and self.tied >= 0):
            raise XpsError(
                f"component {self.name}: the tie is {self.tied:g}; it is a strength, or 0 for none"
            )


def components_of(
    compounds: Sequence[str],
    regions: Sequence[MeasuredRegion],
    layer: str = "surface",
    *,
    tied: bool = False,
) -> list[Component]:
    """Lines of compounds in one layer that lie within regions.

    Names are `compound level label`, with the layer in front where it is not the `surface`. Metals get the
    asymmetry of their lines.

    Parameters
    ----------
    tied
        Whether the lines of a compound keep the strength of its formula against each other, within what is
        known of cross sections and transmission (10 %, Li 1s 20 %). Only where little or nothing lies above
        the layer: an overlayer takes away more of the slower electrons. Without this, species whose lines
        coincide, as those of lithium do, cannot be told apart there.

    Raises
    ------
    XpsError
        If a compound has no line in any of the regions.
    """
    found: list[Component] = []
    for key in compounds:
        own = [
            _component(compound_named(key), line, region, layer, tied)
            for line in compound_named(key).levels
            for region in regions
            if region.binding_ev[0] + _MARGIN_EV < line.binding_ev < region.binding_ev[-1] - _MARGIN_EV
        ]
        if not own:
            covered = ", ".join(
                f"{one.name} {one.binding_ev[0]:g}-{one.binding_ev[-1]:g} eV" for one in regions
            )
            raise XpsError(f"no line of {key} lies in the regions ({covered})")
        found += own
    return found


def _component(
    compound: XpsCompound, line: CoreLevel, region: MeasuredRegion, layer: str, tied: bool
) -> Component:
    prefix = "" if layer == "surface" else f"{layer}: "
    return Component(
        name=f"{prefix}{compound.key} {line.name}",
        region=region.name,
        level=line.level,
        layer=layer,
        binding_ev=line.binding_ev,
        width_ev=line.width_ev,
        is_asymmetric=line.asymmetry > 0,
        compound=compound.key,
        atoms=line.atoms,
        tied=_strength(line, region, compound) if tied else 0.0,
        tied_sigma=_TIED_LITHIUM if line.level == "Li 1s" else _TIED,
    )


def _strength(line: CoreLevel, region: MeasuredRegion, compound: XpsCompound) -> float:
    """Counts of a line against those of one atom of carbon."""
    path = compound.mean_free_path_nm(AL_K_ALPHA_EV - line.binding_ev)
    transmission = region.analyser.transmission(line.binding_ev, region.pass_energy_ev)
    return float(line.atoms * level_named(line.level).cross_section * transmission * path * region.seconds)


@dataclass(frozen=True, slots=True)
class XpsOptions:
    """How to fit, and what is known beforehand.

    Attributes
    ----------
    shift_sigma_ev
        Of the shift of a layer before it is measured; at least half of `search_ev` is taken.
    search_ev
        Within which the shift of each layer is looked for; 0 starts from the tables.
    step_per_ev, loss, plasmon
        Active backgrounds, each as expected value and standard deviation: Shirley's step per area and eV,
        Tougaard's loss per area, which is 1 for a homogeneous sample, and the part of it that is no universal
        loss but lies at plasmons.
    asymmetry
        Part of an asymmetric line in its tail: expected value and standard deviation.
    detection_sigma
        A component that is weaker than this many combined sigma counts as absent.
    background_fraction, profile_fraction
        Declared: relative errors of an area by a background and a profile that are not the true ones; the
        second is that of a centre in full widths, too, and the part of a line that may be taken for another
        one that lies under it.
    unknown_sigma, unknown_fraction
        A residual line is reported when it is as many sigma strong and has this part of the largest
        area in its region.
    tolerance
        Converged when every parameter moves by less than this part of its standard error; far less than where
        one parameter is one quantity, because a position is the sum of two that are known less well than it.
    max_iterations
        After which the fit has failed.
    """

    shift_sigma_ev: float = 1.0
    search_ev: float = 3.0
    step_per_ev: tuple[float, float] = (0.003, 0.005)
    loss: tuple[float, float] = (0.7, 0.4)
    plasmon: tuple[float, float] = (0.3, 0.3)
    asymmetry: tuple[float, float] = (0.2, 0.1)
    detection_sigma: float = 4.0
    background_fraction: float = 0.02
    profile_fraction: float = 0.02
    unknown_sigma: float = 6.0
    unknown_fraction: float = 0.04
    tolerance: float = 0.02
    max_iterations: int = 40

"""Thickness of a layer from what it lets through of the substrate and what it gives itself."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import root_scalar

from intercalate.materials.xps import (
    AL_K_ALPHA_EV,
    LEVELS,
    MEAN_FREE_PATH_SIGMA,
    XpsCompound,
    compound_named,
)
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.xps.components import Component
from intercalate.reduction.xps.composition import Sensitivity
from intercalate.reduction.xps.counts import XpsError
from intercalate.reduction.xps.fit import XpsFit

_THICKEST_PATHS = 12.0


@dataclass(frozen=True, slots=True)
class Thickness:
    """Of an overlayer that is even and closed.

    Attributes
    ----------
    nm
        Undetermined where the substrate is not seen.
    at_least_nm
        With 95 % confidence, where the substrate is not seen: what is measured is the layer alone, as if it
        were the whole sample. NaN otherwise.
    """

    nm: Estimate
    at_least_nm: float


@dataclass(frozen=True)
class _Pair:
    """One line of the layer and one of the substrate, in terms of which a thickness is found.

    Attributes
    ----------
    unit
        Area of the layer's line over that of the substrate's, both infinitely thick.
    own, other
        Mean free paths in the layer, times the cosine, of its electrons and of those of the substrate.
    """

    unit: float
    own: float
    other: float

    def thickness(self, ratio: float, path: float = 1.0) -> float:
        """From the ratio of areas; `path` is a factor on the mean free paths in the layer."""
        own, other = self.own * path, self.other * path
        wanted = ratio / (self.unit * path)
        if wanted <= 0:
            return 0.0

        def off(nm: float) -> float:
            return float(np.log(-np.expm1(-nm / own)) + nm / other - np.log(wanted))

        return float(root_scalar(off, bracket=(1e-12, _THICKEST_PATHS * max(own, other))).root)


def overlayer_thickness(
    fit: XpsFit,
    *,
    overlayer: str,
    substrate: str,
    overlayer_line: str,
    substrate_line: str,
    sensitivity: Sensitivity | None = None,
) -> Thickness:
    """Thickness of a layer by two lines.

    Parameters
    ----------
    overlayer, substrate
        Compounds of which both consist, for density and mean free path.
    overlayer_line, substrate_line
        Names of components of the fit. A thin layer above both takes about the same part of either.

    Raises
    ------
    XpsError
        If a line was not fitted or belongs to another compound, or the line of the layer cannot be seen
        either.
    """
    first, second = _component(fit, overlayer_line, overlayer), _component(fit, substrate_line, substrate)
    if not fit.converged:
        return Thickness(UNDETERMINED, float("nan"))
    above, below = fit.area[overlayer_line], fit.area[substrate_line]
    if not fit.present[overlayer_line] and not fit.present[substrate_line]:
        raise XpsError(
            f"neither {overlayer_line} nor {substrate_line} stands out; there is nothing to compare"
        )
    pair = _pair(fit, first, second, compound_named(overlayer), compound_named(substrate))
    relative = _relative_sys(fit, first, second, sensitivity or Sensitivity())
    if not fit.present[substrate_line]:
        highest = max(below.value, 0.0) + 1.64 * below.sigma
        least = (above.value - 1.64 * above.sigma) / highest * float(np.exp(-1.64 * relative))
        return Thickness(UNDETERMINED, pair.thickness(least, 1.0 - 1.64 * MEAN_FREE_PATH_SIGMA))
    ratio = max(above.value, 0.0) / below.value
    nm = pair.thickness(ratio)
    numbers = [list(fit.area).index(name) for name in (overlayer_line, substrate_line)]
    slope = np.array([_slope(pair, ratio) / below.value, -_slope(pair, ratio) * ratio / below.value])
    block = np.ix_(numbers, numbers)
    stat = float(np.sqrt(slope @ fit.covariance_stat[block] @ slope))
    by_area = float(np.sqrt(slope @ fit.covariance_sys[block] @ slope))
    step = 0.5 * MEAN_FREE_PATH_SIGMA
    by_path = (pair.thickness(ratio, 1 + step) - pair.thickness(ratio, 1 - step)) / (2 * step)
    by_unit = _slope(pair, ratio) * ratio
    sys = np.sqrt(
        by_area**2
        + (by_path * MEAN_FREE_PATH_SIGMA) ** 2
        + by_unit**2 * (relative**2 + MEAN_FREE_PATH_SIGMA**2)
    )
    return Thickness(Estimate(nm, stat, float(sys)), float("nan"))


def _component(fit: XpsFit, name: str, compound: str) -> Component:
    for one in fit.components:
        if one.name == name:
            if one.compound != compound:
                raise XpsError(f"{name} is a line of {one.compound or 'no compound'}, not of {compound}")
            return one
    raise XpsError(f"{name} was not fitted; there are {', '.join(fit.area)}")


def _pair(
    fit: XpsFit, first: Component, second: Component, overlayer: XpsCompound, substrate: XpsCompound
) -> _Pair:
    spectra = {one.name: one for one in fit.spectra}
    cosine = spectra[first.region].analyser.cosine

    def whole(component: Component, compound: XpsCompound) -> float:
        spectrum = spectra[component.region]
        path = compound.mean_free_path_nm(AL_K_ALPHA_EV - component.binding_ev)
        transmission = spectrum.analyser.transmission(component.binding_ev, spectrum.pass_energy_ev)
        atoms = compound.units_per_nm3 * component.atoms * LEVELS[component.level].cross_section
        return float(atoms * transmission * path * spectrum.seconds)

    own, other = (
        overlayer.mean_free_path_nm(AL_K_ALPHA_EV - one.binding_ev) * cosine for one in (first, second)
    )
    return _Pair(whole(first, overlayer) / whole(second, substrate), own, other)


def _relative_sys(fit: XpsFit, first: Component, second: Component, sensitivity: Sensitivity) -> float:
    """Of the ratio of what one atom gives."""
    covariance = sensitivity.covariance(
        [LEVELS[first.level], LEVELS[second.level]], np.array([first.binding_ev, second.binding_ev])
    )
    return float(np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))


def _slope(pair: _Pair, ratio: float) -> float:
    """Derivative of the thickness by the ratio of areas."""
    step = max(1e-3 * ratio, 1e-6 * pair.unit)
    return (pair.thickness(ratio + step) - pair.thickness(max(ratio - step, 0.0))) / (
        ratio + step - max(ratio - step, 0.0)
    )

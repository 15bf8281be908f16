"""Atomic percent of a surface from the areas of its lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from intercalate.materials.xps import AL_K_ALPHA_EV, LEVELS, Level, compound_named
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.xps.counts import AnalyserOnPaper, XpsError
from intercalate.reduction.xps.fit import XpsFit


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How well it is known what one atom gives, as relative standard errors.

    Together about 10 % of an amount, and 20 % for lithium.

    Attributes
    ----------
    cross_section, lithium
        Of each level on its own; of Li 1s, whose electrons are few and far from the rest.
    transmission_tilt, transmission_curvature
        Of the logarithm of the transmission over the logarithm of the kinetic energy, and its square.
    mean_free_path_tilt
        Of the logarithm of the mean free path over that of the kinetic energy; its size cancels in a ratio.
    """

    cross_section: float = 0.08
    lithium: float = 0.18
    transmission_tilt: float = 0.08
    transmission_curvature: float = 0.04
    mean_free_path_tilt: float = 0.03

    def covariance(self, levels: list[Level], binding_ev: np.ndarray) -> np.ndarray:
        """Of the logarithms of what one atom gives, shape (levels, levels)."""
        logarithm = np.log((AL_K_ALPHA_EV - binding_ev) / 1000.0)
        own = np.array([self.lithium if one.element == "Li" else self.cross_section for one in levels])
        same = np.array([[one.key == other.key for other in levels] for one in levels])
        tilt = self.transmission_tilt**2 + self.mean_free_path_tilt**2
        return (
            same * np.outer(own, own)
            + tilt * np.outer(logarithm, logarithm)
            + self.transmission_curvature**2 * np.outer(logarithm**2, logarithm**2)
        )


@dataclass(frozen=True)
class Composition:
    """What a surface consists of, as if it were the same at all depths that are seen.

    Attributes
    ----------
    atomic_percent
        By element.
    by_component
        Of those from which it was taken, in percent of all atoms but hydrogen; undetermined in layers whose
        lines may be those of other species (`XpsFit.other_shifts`).
    """

    atomic_percent: Mapping[str, Estimate] = field(default_factory=dict)
    by_component: Mapping[str, Estimate] = field(default_factory=dict)


def atoms_per_area(
    level: Level, binding_ev: float, pass_energy_ev: float, analyser: AnalyserOnPaper, matrix: str
) -> float:
    """Counts eV of one atom per volume in a homogeneous sample, in units common to all levels."""
    path = compound_named(matrix).mean_free_path_nm(AL_K_ALPHA_EV - binding_ev)
    return float(level.cross_section * analyser.transmission(binding_ev, pass_energy_ev) * path)


def composition(
    fit: XpsFit,
    *,
    matrix: str = "Li2CO3",
    sensitivity: Sensitivity | None = None,
    levels: Mapping[str, str] | None = None,
) -> Composition:
    """Atomic percent, hydrogen left out, by the model of a homogeneous sample.

    Parameters
    ----------
    matrix
        Compound whose mean free paths are taken; only their course with the energy matters.
    levels
        Which level to take for an element; of several that were fitted, that of the largest cross section
        otherwise.

    Raises
    ------
    XpsError
        If a level is asked for that was not fitted.
    """
    sensitivity = sensitivity or Sensitivity()
    chosen = _chosen(fit, dict(levels or {}))
    numbers = [
        number for number, one in enumerate(fit.components) if chosen[LEVELS[one.level].element] == one.level
    ]
    components = [fit.components[number] for number in numbers]
    elements = list(dict.fromkeys(LEVELS[one.level].element for one in components))
    if not fit.converged:
        return Composition(
            dict.fromkeys(elements, UNDETERMINED), {one.name: UNDETERMINED for one in components}
        )
    by_region = {one.name: one for one in fit.spectra}
    unit = np.array(
        [
            atoms_per_area(
                LEVELS[one.level],
                one.binding_ev,
                by_region[one.region].pass_energy_ev,
                by_region[one.region].analyser,
                matrix,
            )
            * by_region[one.region].seconds
            for one in components
        ]
    )
    amount = np.array([fit.area[one.name].value for one in components]) / unit
    block = np.ix_(numbers, numbers)
    stat = fit.covariance_stat[block] / np.outer(unit, unit)
    known = sensitivity.covariance(
        [LEVELS[one.level] for one in components], np.array([one.binding_ev for one in components])
    )
    sys = fit.covariance_sys[block] / np.outer(unit, unit) + known * np.outer(amount, amount)
    total = float(amount.sum())
    if not total > 0:
        raise XpsError("no component has an area: there is nothing of which a composition could be given")

    def percent(members: np.ndarray) -> Estimate:
        share = float(amount[members].sum()) / total
        slope = (members.astype(float) - share) / total
        return Estimate(
            100.0 * share,
            100.0 * float(np.sqrt(slope @ stat @ slope)),
            100.0 * float(np.sqrt(slope @ sys @ slope)),
        )

    belongs = np.array([LEVELS[one.level].element for one in components])
    each = np.eye(len(components), dtype=bool)
    return Composition(
        {element: percent(belongs == element) for element in elements},
        {
            one.name: UNDETERMINED if one.layer in fit.other_shifts else percent(row)
            for one, row in zip(components, each)
        },
    )


def _chosen(fit: XpsFit, asked: dict[str, str]) -> dict[str, str]:
    """Level of each element."""
    fitted = {one.level for one in fit.components}
    for element, level in asked.items():
        if level not in fitted:
            raise XpsError(
                f"{level} is to give {element}, but was not fitted; there are {', '.join(sorted(fitted))}"
            )
    best: dict[str, str] = {}
    for level in fitted:
        element = LEVELS[level].element
        if element not in best or LEVELS[level].cross_section > LEVELS[best[element]].cross_section:
            best[element] = level
    return best | asked

"""Which compound it is: by how far its lines lie apart, which no charge changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from intercalate.materials.xps import LEVELS, SEPARATION_SIGMA_EV, CoreLevel, compound_named
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.xps.components import Component, XpsOptions
from intercalate.reduction.xps.counts import RegionSpectrum, XpsError
from intercalate.reduction.xps.fit import XpsFit, fit_regions

_LEAST_PROBABILITY = 0.003
_LEAST_ADVANTAGE = 4.0
"""In chi squared over the next compound: two sigma."""


@dataclass(frozen=True)
class Identification:
    """Which compound has lines that lie as far apart as those that were measured.

    Attributes
    ----------
    compound
        Its name; empty where none fits, or more than one.
    fitting
        All that fit, the best first.
    chi2
        Of each candidate that can be judged: two of its levels were measured.
    shift_ev
        Common to all lines of the best one.
    separations
        Measured: of each level from the first.
    """

    compound: str
    fitting: tuple[str, ...]
    chi2: Mapping[str, float]
    shift_ev: Estimate
    separations: Mapping[str, Estimate]


def identify(lines: Mapping[str, Estimate], candidates: Sequence[str]) -> Identification:
    """Find the compound by separations, with one shift for all of its lines.

    Parameters
    ----------
    lines
        Binding energy of the strongest line of each level that belongs to the layer.
    candidates
        Compounds.

    Raises
    ------
    XpsError
        If fewer than two levels were measured.
    """
    known = {level: one for level, one in lines.items() if np.isfinite(one.value) and one.sigma > 0}
    if len(known) < 2:
        raise XpsError(
            f"{len(known)} levels were determined ({', '.join(known) or 'none'}); a separation needs two"
        )
    found: dict[str, tuple[float, int, Estimate]] = {}
    for key in candidates:
        strongest = _strongest(compound_named(key).levels)
        levels = [level for level in known if level in strongest]
        if len(levels) < 2:
            continue
        # A compound that lacks one of the levels may lie beside another that has it: judged by the rest.
        off = np.array([known[level].value - strongest[level].binding_ev for level in levels])
        variance = np.array([known[level].sigma ** 2 + SEPARATION_SIGMA_EV**2 for level in levels])
        weight = 1.0 / variance
        shift = float(weight @ off / weight.sum())
        chi2 = float(weight @ (off - shift) ** 2)
        stat = np.array([known[level].sigma_stat for level in levels])
        own = np.sqrt(weight @ (weight * stat**2)) / weight.sum()
        whole = np.sqrt(1.0 / weight.sum())
        found[key] = (chi2, len(levels) - 1, Estimate(shift, float(own), float(np.sqrt(whole**2 - own**2))))
    ranked = sorted(found, key=lambda key: found[key][0] - 2.0 * found[key][1])
    fitting = tuple(key for key in ranked if chi2_distribution.sf(*found[key][:2]) > _LEAST_PROBABILITY)
    alone = len(fitting) == 1 or (
        len(fitting) > 1 and found[fitting[1]][0] - found[fitting[0]][0] > _LEAST_ADVANTAGE
    )
    first, *others = known
    separations = {
        f"{level} - {first}": Estimate(
            known[level].value - known[first].value,
            float(np.hypot(known[level].sigma_stat, known[first].sigma_stat)),
            float(np.hypot(known[level].sigma_sys, known[first].sigma_sys)),
        )
        for level in others
    }
    return Identification(
        fitting[0] if fitting and alone else "",
        fitting,
        {key: one[0] for key, one in found.items()},
        found[fitting[0]][2] if fitting else UNDETERMINED,
        separations,
    )


def _strongest(levels: Sequence[CoreLevel]) -> dict[str, CoreLevel]:
    found: dict[str, CoreLevel] = {}
    for line in levels:
        if line.level not in found or line.atoms > found[line.level].atoms:
            found[line.level] = line
    return found


def free_lines(
    spectra: Sequence[RegionSpectrum], levels: Mapping[str, tuple[str, float]], *, width_ev: float = 1.2
) -> list[Component]:
    """One line for each level, tied to no other, near where it is expected.

    Parameters
    ----------
    levels
        Region and expected binding energy by level.
    width_ev
        Without the instrument; known within a quarter.
    """
    names = {one.name for one in spectra}
    for level, (region, _) in levels.items():
        if level not in LEVELS or region not in names:
            raise XpsError(f"{level} in region {region}: no such level, or the region was not measured")
    return [
        Component(level, region, level, layer=level, binding_ev=expected, width_ev=width_ev, width_sigma=0.25)
        for level, (region, expected) in levels.items()
    ]


def identify_layer(
    spectra: Sequence[RegionSpectrum],
    levels: Mapping[str, tuple[str, float]],
    candidates: Sequence[str],
    *,
    others: Sequence[Component] = (),
    options: XpsOptions | None = None,
) -> tuple[Identification, XpsFit]:
    """Fit one free line for each level, and find the compound by their separations.

    Parameters
    ----------
    levels
        Region and expected binding energy by level, as for `free_lines`; within `options.search_ev` it is
        looked for.
    others
        Components of other compounds that are known to be there, such as adventitious carbon.
    """
    fit = fit_regions(spectra, [*free_lines(spectra, levels), *others], options)
    lines = {level: fit.centre[level] for level in levels if fit.present[level]}
    return identify(lines, candidates), fit

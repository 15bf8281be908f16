"""Which elements a survey shows, and how much of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from intercalate.materials.xps import COMPOUNDS, LEVELS, LITHIUM_OVERLAPS
from intercalate.reduction.results import CONVERGED, UNDETERMINED, Estimate
from intercalate.reduction.xps.components import Component, XpsOptions
from intercalate.reduction.xps.composition import Sensitivity, composition
from intercalate.reduction.xps.counts import RegionSpectrum, XpsError
from intercalate.reduction.xps.fit import XpsFit, fit_regions

_BELOW_EV, _ABOVE_EV = 10.0, 14.0
"""Around the lines of a level that belong to its window; the second is counted from the weaker line."""

_CHEMICAL_EV = 1.5
"""Standard deviation of a line of an element about the middle of its compounds."""

_WIDTH_EV, _WIDTH_SIGMA = 2.0, 0.4
"""Of a line that may be several species, without the instrument; relative."""

_BROADEST_EV = 5.0
"""Of a line, with the instrument."""

_DETECTION = 8.0
"""Sigma of counting and misfit from which a line counts as one: losses and Auger lines make humps as well."""

_MOST_LINES = 3
"""Of one level, each of which may be several species."""

_SATELLITE_MISSED = 1.0 / float(np.sqrt(3.0))
"""Of the largest share of satellites, which a survey shows in whole, in part or not: rms of an even
distribution."""

_LOSS_EV = (12.0, 32.0)
_LOSS_RATIO = 3.0
"""A line that lies so far above one that is so much stronger may be its plasmon."""


@dataclass(frozen=True)
class Survey:
    """What a survey shows.

    Attributes
    ----------
    atomic_percent
        Of the elements that stand out, by the model of a homogeneous sample.
    absent
        Levels that were looked for and do not stand out.
    overlapped
        Levels that stand out and lie under a line of another element that does, with that line. Nothing
        is known of their amounts; percent are those of the other elements alone.
    doubtful
        Levels that were seen where plasmons of a far stronger line are, with that line; they are not counted.
    fit
        Of all windows; what is unknown in it may be of a level that was not looked for.
    """

    atomic_percent: Mapping[str, Estimate]
    absent: tuple[str, ...]
    overlapped: Mapping[str, str]
    doubtful: Mapping[str, str]
    fit: XpsFit


def read_survey(
    survey: RegionSpectrum,
    levels: Sequence[str],
    *,
    search_ev: float = 4.0,
    matrix: str = "Li2CO3",
    sensitivity: Sensitivity | None = None,
) -> Survey:
    """Look for levels in a survey, and take atomic percent of those that stand out.

    Parameters
    ----------
    levels
        Of the table, one for each element, such as `O 1s`. `Li 1s` is weak, and lies under lines of
        iron, cobalt and manganese, which say so when their own strong levels are looked for, too.
    search_ev
        Within which charge may shift all lines.

    Raises
    ------
    XpsError
        If a level is not in the table, outside of the survey or named twice, or nothing stands out.
    """
    twice = {level for level in levels if list(levels).count(level) > 1}
    if twice or not levels:
        raise XpsError(f"the levels of a survey are each named once; got {', '.join(levels) or 'none'}")
    centres = {level: _middle(level) for level in levels}
    fit = _joined([_fitted(survey, level, centres[level], search_ev) for level in levels])
    doubtful = _doubtful(fit)
    lines = [one for one in fit.components if fit.present[one.name] and one.level not in doubtful]
    found = {one.level for one in lines}
    if not found:
        raise XpsError(f"none of {', '.join(levels)} stands out in the survey {survey.name}")
    seen = {LEVELS[level].element for level in found}
    under = [other for other in LITHIUM_OVERLAPS if "Li 1s" in found and LEVELS[other].element in seen]
    shares = {LEVELS[level].element: UNDETERMINED for level in levels if level in found}
    certain = [one.name for one in lines if not (one.level == "Li 1s" and under)]
    if certain:
        shares |= composition(_of(fit, certain), matrix=matrix, sensitivity=sensitivity).atomic_percent
    return Survey(
        atomic_percent=shares,
        absent=tuple(level for level in levels if level not in found and level not in doubtful),
        overlapped={"Li 1s": ", ".join(under)} if under else {},
        doubtful=doubtful,
        fit=fit,
    )


def _doubtful(fit: XpsFit) -> dict[str, str]:
    """Levels whose strongest line may be a loss of another level's line, by that line's name."""
    seen = [one for one in fit.components if fit.present[one.name]]
    strongest: dict[str, Component] = {}
    for one in seen:
        if one.level not in strongest or fit.area[one.name].value > fit.area[strongest[one.level].name].value:
            strongest[one.level] = one
    found = {}
    for level, one in strongest.items():
        for other in seen:
            apart = fit.centre[one.name].value - fit.centre[other.name].value
            ratio = fit.area[other.name].value / fit.area[one.name].value
            if other.level != level and _LOSS_EV[0] < apart < _LOSS_EV[1] and ratio > _LOSS_RATIO:
                found[level] = other.name
    return found


def _fitted(survey: RegionSpectrum, level: str, centre_ev: float, search_ev: float) -> XpsFit:
    """Fit of one window by a line, and by more where there are.

    What is far broader than a line is a loss of another line, and no line of the level.
    """
    high = centre_ev + LEVELS[level].splitting_ev + _ABOVE_EV
    window = survey.between(centre_ev - _BELOW_EV, high, level)
    first = Component(
        level,
        level,
        level,
        layer=level,
        binding_ev=centre_ev,
        width_ev=_WIDTH_EV,
        binding_sigma_ev=_CHEMICAL_EV,
        width_sigma=_WIDTH_SIGMA,
    )
    lines = [first, *_satellite(first)]
    fit = fit_regions([window], lines, XpsOptions(search_ev=search_ev, detection_sigma=_DETECTION))
    while fit.unknown and len(lines) < _MOST_LINES:
        name = f"{level} ({len(lines) + 1})"
        lines = [replace(one, binding_ev=fit.centre[one.name].value) for one in lines]
        lines.append(replace(first, name=name, layer=name, binding_ev=fit.unknown[0].binding_ev.value))
        fit = fit_regions([window], lines, XpsOptions(search_ev=0.0, detection_sigma=_DETECTION))
    present = {name: fit.present[name] and fit.width[name].value < _BROADEST_EV for name in fit.present}
    satellite = f"{level} satellite"
    if satellite in present and not any(is_there for name, is_there in present.items() if name != satellite):
        present[satellite] = False
    areas = np.array([fit.area[one.name].value for one in lines])
    missed = np.diag((_SATELLITE_MISSED * _satellite_share(level)[0] * areas) ** 2)
    return replace(fit, present=present, covariance_sys=fit.covariance_sys + missed)


def _satellite_share(level: str) -> tuple[float, float]:
    """Largest part of a level in satellites over the compounds of the table, and how far they lie above."""
    found = [(0.0, 0.0)]
    for one in COMPOUNDS.values():
        main, *others = one.lines(level) or (None,)
        for line in others:
            if main is not None and line.label == "satellite":
                found.append((line.atoms / (main.atoms + line.atoms), line.binding_ev - main.binding_ev))
    return max(found)


def _satellite(first: Component) -> list[Component]:
    """A broad second line of levels that have satellites, somewhere above the first."""
    share, apart_ev = _satellite_share(first.level)
    if share == 0:
        return []
    return [
        replace(
            first,
            name=f"{first.level} satellite",
            binding_ev=first.binding_ev + apart_ev,
            binding_sigma_ev=2.0,
            width_ev=1.8 * _WIDTH_EV,
        )
    ]


def _of(fit: XpsFit, names: Sequence[str]) -> XpsFit:
    """The fit, as if it had these components alone."""
    numbers = [number for number, one in enumerate(fit.components) if one.name in names]
    block = np.ix_(numbers, numbers)
    return replace(
        fit,
        components=tuple(fit.components[number] for number in numbers),
        covariance_stat=fit.covariance_stat[block],
        covariance_sys=fit.covariance_sys[block],
    )


def _joined(fits: Sequence[XpsFit]) -> XpsFit:
    """Fits of windows that share no point, as one."""

    def together(name: str) -> dict[str, Any]:
        return {key: value for one in fits for key, value in getattr(one, name).items()}

    failed = [f"{one.components[0].name} {one.message}" for one in fits if not one.converged]
    return XpsFit(
        components=tuple(component for one in fits for component in one.components),
        area=together("area"),
        centre=together("centre"),
        width=together("width"),
        shift=together("shift"),
        separation=together("separation"),
        present=together("present"),
        covariance_stat=np.asarray(block_diag(*(one.covariance_stat for one in fits))),
        covariance_sys=np.asarray(block_diag(*(one.covariance_sys for one in fits))),
        unknown=tuple(line for one in fits for line in one.unknown),
        reduced_chi2=float(np.mean([one.reduced_chi2 for one in fits])),
        converged=not failed,
        message="; ".join(failed) or CONVERGED,
        regions=tuple(region for one in fits for region in one.regions),
        spectra=tuple(spectrum for one in fits for spectrum in one.spectra),
    )


def _middle(level: str) -> float:
    """Of the strongest line of a level over the compounds of the table.

    Raises
    ------
    XpsError
        If no compound has it.
    """
    lines = [line.binding_ev for one in COMPOUNDS.values() for line in one.lines(level)[:1]]
    if not lines:
        raise XpsError(f"no compound of the table has a line {level!r}; it has {', '.join(LEVELS)}")
    return (min(lines) + max(lines)) / 2

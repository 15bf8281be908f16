"""How much lithium is in graphite, by its bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from intercalate.materials.raman import DENSE, DILUTE, INNER_TO_OUTER, OUTER, STAGE_INDICES
from intercalate.reduction.band_batch import fit_bands_of
from intercalate.reduction.bands import Band, BandFit, BandOptions, Spectrum, SpectrumError
from intercalate.reduction.raman.axis import ShiftAxis
from intercalate.reduction.raman.carbide import carbide_bands
from intercalate.reduction.raman.overtone import overtones
from intercalate.reduction.results import UNDETERMINED, Estimate

RANGE_PER_CM = (1480.0, 1680.0)
"""Around the bands of the carbon layers, between D and what solvents have at 1750."""

_WIDTH_PER_CM = (12.0, 3.0, 40.0)
_DILUTE_WIDTH_PER_CM = 18.0
"""Full width of the band of dilute graphite at most; well-ordered samples have 13 to 16."""
_STAGED_WIDTH_PER_CM = 13.0
"""Full width of the upper band of staged graphite at most, where those of dilute graphite begin; beside
dilute graphite it is broader, as two in one."""
_DENSE_WIDTH_PER_CM = (40.0, 20.0, 90.0)

_RATIO_CONSTANT_SIGMA = 0.15
"""Relative standard uncertainty of the constant between the ratio of both bands and the stage."""

_OUTER_SIGMA_PER_CM = 1.0
"""Of the course of the upper band, between authors."""

_WINDOW_SIGMA = 0.01
"""Of the lithium content at which graphite is in one stage: samples and authors differ so."""


class Regime(StrEnum):
    """What the bands say."""

    DILUTE = "dilute"
    """One band, which moves with the lithium content."""
    TRANSITION = "between dilute and staged"
    """A band that is too broad to be one, or an upper one that has not come to where staged graphite has it:
    both kinds of graphite lie beside each other. Nothing more is known."""
    STAGED = "staged"
    """Two bands, whose ratio is that of layers with and without lithium beside them."""
    STAGE_2 = "stage 2 or denser"
    """One band, of layers that all have lithium on one side: stage 2, alone or beside stage 1, whose band is
    lost in fluorescence more often than not. Its position says more until it has come to its end."""
    DENSE = "stage 1"
    """A broad band that moves down, beside stage 2 or alone."""
    UNDETERMINED = "undetermined"
    """No band, or none that graphite has."""


@dataclass(frozen=True)
class GraphiteState:
    """What a spectrum says of graphite.

    Attributes
    ----------
    regime
        What it was taken from.
    li_content
        x in LixC6 where the laser was.
    fit
        Of the bands.
    overtone
        The band 2D, from which no lithium content is taken; None where the spectrum does not reach it.
    carbide
        That of Li2C2, which the laser has made; None where it does not stand out.
    """

    regime: Regime
    li_content: Estimate
    fit: BandFit
    overtone: BandFit | None = None
    carbide: BandFit | None = None


def graphite_state(spectrum: Spectrum, axis: ShiftAxis) -> GraphiteState:
    """Say how much lithium is in graphite.

    Two bands are tried first. Where the lower is not found, or is too broad for staged graphite, that of
    stage 1 is tried in its place, and then the upper band alone.

    Parameters
    ----------
    spectrum
        On the shifts of `axis`.

    Raises
    ------
    SpectrumError
        If the spectrum does not reach over the bands.
    """
    (found,) = graphite_states([spectrum], axis)
    if isinstance(found, SpectrumError):
        raise found
    return found


def graphite_states(spectra: Sequence[Spectrum], axis: ShiftAxis) -> list[GraphiteState | SpectrumError]:
    """The same of many spectra, whose bands are fitted at once.

    Returns
    -------
    list
        For each spectrum what it says, or why it cannot be fitted.
    """
    options = BandOptions(axis.width_at(1590.0))
    inner = Band("E2g2(i)", (1581.0, 1566.0, 1593.0), _WIDTH_PER_CM)
    outer = Band("E2g2(b)", (1603.0, 1594.0, 1612.0), _WIDTH_PER_CM)
    dense = Band("E2g2(1)", (1577.0, 1555.0, 1600.0), _DENSE_WIDTH_PER_CM)
    fits = fit_bands_of(spectra, [inner, outer], RANGE_PER_CM, options)

    def refit(numbers: Sequence[int], bands: Sequence[Band]) -> dict[int, BandFit]:
        found = fit_bands_of([spectra[number] for number in numbers], bands, RANGE_PER_CM, options)
        return {number: one for number, one in zip(numbers, found) if isinstance(one, BandFit)}

    unclear = [number for number, fit in enumerate(fits) if isinstance(fit, BandFit) and _is_unclear(fit)]
    with_dense = refit(unclear, [dense, outer])
    alone = []
    for number, fit in with_dense.items():
        before = fits[number]
        if _is_stage_1(fit, axis):
            fits[number] = fit
        elif isinstance(before, BandFit) and _is_broad(before) and before.present["E2g2(b)"]:
            alone.append(number)
    for number, fit in refit(alone, [outer]).items():
        fits[number] = fit
    return [
        _state(fit, axis, overtone, carbide) if isinstance(fit, BandFit) else fit
        for fit, overtone, carbide in zip(fits, overtones(spectra, axis), carbide_bands(spectra, axis))
    ]


def _state(
    fit: BandFit, axis: ShiftAxis, overtone: BandFit | SpectrumError, carbide: BandFit | None
) -> GraphiteState:
    seen = overtone if isinstance(overtone, BandFit) and overtone.converged else None
    if not fit.converged:
        return GraphiteState(Regime.UNDETERMINED, UNDETERMINED, fit, seen, carbide)
    regime, content = _read(fit, axis)
    return GraphiteState(regime, content, fit, seen, carbide)


def _is_unclear(fit: BandFit) -> bool:
    """Whether the lower band is not there, or too broad for staged graphite."""
    return not fit.present["E2g2(i)"] or _is_broad(fit)


def _is_broad(fit: BandFit) -> bool:
    """Whether what was taken for the lower band is broader than it can be."""
    width = fit.width["E2g2(i)"].value
    return bool(fit.present["E2g2(i)"]) and not width < 0.8 * _WIDTH_PER_CM[2]


def _is_stage_1(fit: BandFit, axis: ShiftAxis) -> bool:
    """Whether a broad band is that of stage 1: neither at the bounds of its width, nor above its window.

    Beside it must be the band of stage 2, where stage 2 has it, unless it has come so far down that there is
    hardly any of that left.
    """
    centre = fit.centre["E2g2(1)"]
    if not fit.present["E2g2(1)"] or not np.isfinite(fit.width["E2g2(1)"].value):
        return False
    if fit.present["E2g2(b)"]:
        sigma = np.hypot(centre.sigma, axis.sigma_at(centre.value))
        highest = DENSE.shift_per_cm[0] + 2.0 * sigma
        return bool(centre.value < highest) and not _is_below_staged(fit, axis)
    return bool(centre.value < np.mean(DENSE.shift_per_cm))


def _read(fit: BandFit, axis: ShiftAxis) -> tuple[Regime, Estimate]:
    upper = fit.present["E2g2(b)"]
    if fit.present.get("E2g2(1)"):
        return Regime.DENSE, _by_position(fit.centre["E2g2(1)"], DENSE.li_content, DENSE.shift_per_cm, axis)
    lower = fit.present.get("E2g2(i)", False)
    between = _anywhere(DILUTE.li_content[1], OUTER.li_content[0] + _WINDOW_SIGMA)
    if upper and _is_below_staged(fit, axis) and not (lower and _may_be_staged(fit, axis)):
        return Regime.TRANSITION, between
    if lower and upper:
        return Regime.STAGED, _by_ratio(fit)
    if lower and _is_dilute_or_above(fit.centre["E2g2(i)"], axis):
        if _is_two_in_one(fit):
            return Regime.TRANSITION, between
        return Regime.DILUTE, _by_position(
            fit.centre["E2g2(i)"], DILUTE.li_content, DILUTE.shift_per_cm, axis
        )
    if upper:
        return Regime.STAGE_2, _by_upper_band(fit.centre["E2g2(b)"], axis)
    return Regime.UNDETERMINED, UNDETERMINED


def _is_below_staged(fit: BandFit, axis: ShiftAxis) -> bool:
    """Whether the upper of two bands lies below where staged graphite has it, or at its bound."""
    centre = fit.centre["E2g2(b)"]
    if not np.isfinite(centre.value):
        return True
    return bool(centre.value < OUTER.shift_per_cm[0] - np.hypot(centre.sigma, axis.sigma_at(centre.value)))


def _may_be_staged(fit: BandFit, axis: ShiftAxis) -> bool:
    """Whether an upper band that lies too low is that of a sample which has it there.

    Authors differ in where it is. That of dilute graphite between both bands would make it broad, besides.
    """
    centre = fit.centre["E2g2(b)"]
    sigma = np.sqrt(centre.sigma**2 + axis.sigma_at(centre.value) ** 2 + _OUTER_SIGMA_PER_CM**2)
    is_near = centre.value > OUTER.shift_per_cm[0] - 2.0 * sigma
    return bool(is_near and fit.width["E2g2(b)"].value < _STAGED_WIDTH_PER_CM)


def _is_dilute_or_above(centre: Estimate, axis: ShiftAxis) -> bool:
    """Whether the only band lies where that of graphite without lithium lies, or above."""
    sigma = np.hypot(centre.sigma, axis.sigma_at(centre.value))
    return bool(centre.value > DILUTE.shift_per_cm[0] - 3.0 * sigma)


def _is_two_in_one(fit: BandFit) -> bool:
    """Whether the only band is broader than one of dilute graphite, or at its bound."""
    width = fit.width["E2g2(i)"]
    return not width.value - 2.0 * width.sigma_stat < _DILUTE_WIDTH_PER_CM


def _anywhere(low: float, high: float) -> Estimate:
    """A content that lies between two others, and nobody knows where."""
    return Estimate((low + high) / 2, 0.0, (high - low) / np.sqrt(12))


def _by_upper_band(centre: Estimate, axis: ShiftAxis) -> Estimate:
    """Content of graphite whose layers all have lithium beside them: the band still moves, and then stays."""
    end_x, end_per_cm = OUTER.li_content[1], OUTER.shift_per_cm[1]
    sigma = float(np.sqrt(centre.sigma**2 + axis.sigma_at(centre.value) ** 2 + _OUTER_SIGMA_PER_CM**2))
    if centre.value < end_per_cm - 2.0 * sigma:
        return _by_position(centre, OUTER.li_content, OUTER.shift_per_cm, axis, _OUTER_SIGMA_PER_CM)
    slope = (OUTER.li_content[1] - OUTER.li_content[0]) / (OUTER.shift_per_cm[1] - OUTER.shift_per_cm[0])
    # What is read two errors below its end may belong to a content that is another error lower.
    return _anywhere(end_x - 3.0 * slope * sigma, DENSE.li_content[1])


def _by_position(
    centre: Estimate,
    li_content: tuple[float, float],
    shift_per_cm: tuple[float, float],
    axis: ShiftAxis,
    course_sigma_per_cm: float = 0.0,
) -> Estimate:
    """Content from the position of a band that moves evenly over a window, not beyond its ends."""
    slope = (li_content[1] - li_content[0]) / (shift_per_cm[1] - shift_per_cm[0])
    value = li_content[0] + slope * (centre.value - shift_per_cm[0])
    known = np.hypot(axis.sigma_at(centre.value), course_sigma_per_cm)
    systematic = abs(slope) * float(np.hypot(centre.sigma_sys, known))
    content = float(np.clip(value, *li_content))
    # Samples differ in what they hold at a position, but none holds less than nothing, which is three
    # standard errors below.
    window_sigma = min(_WINDOW_SIGMA, content / 3.0)
    return Estimate(content, abs(slope) * centre.sigma_stat, float(np.hypot(systematic, window_sigma)))


def _by_ratio(fit: BandFit) -> Estimate:
    """Content from the ratio of both bands: the stage, and where graphite is in it."""
    found = fit.ratio("E2g2(i)", "E2g2(b)")
    ratio = found.value
    index = 2.0 + 2.0 * ratio / INNER_TO_OUTER
    rows = sorted((row.index, row.li_content) for row in STAGE_INDICES)
    indices, contents = (np.array(column) for column in zip(*rows))
    content = float(np.interp(index, indices, contents))
    number = int(np.clip(np.searchsorted(indices, index), 1, indices.size - 1))
    slope = (contents[number] - contents[number - 1]) / (indices[number] - indices[number - 1])
    per_relative = abs(slope) * 2.0 * ratio / INNER_TO_OUTER
    stat = found.sigma_stat / ratio
    systematic = np.hypot(found.sigma_sys / ratio, _RATIO_CONSTANT_SIGMA)
    return Estimate(
        content, float(per_relative * stat), float(np.hypot(per_relative * systematic, _WINDOW_SIGMA))
    )

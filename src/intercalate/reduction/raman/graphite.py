"""How much lithium is in graphite, by its bands."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from intercalate.materials.raman import DENSE, DILUTE, INNER_TO_OUTER, STAGE_INDICES
from intercalate.reduction.bands import Band, BandFit, BandOptions, Spectrum, fit_bands
from intercalate.reduction.raman.axis import ShiftAxis
from intercalate.reduction.results import UNDETERMINED, Estimate

RANGE_PER_CM = (1480.0, 1680.0)
"""Around the bands of the carbon layers, between D and what solvents have at 1750."""

_WIDTH_PER_CM = (12.0, 3.0, 40.0)
_DENSE_WIDTH_PER_CM = (40.0, 20.0, 90.0)

_RATIO_CONSTANT_SIGMA = 0.15
"""Relative standard uncertainty of the constant between the ratio of both bands and the stage."""

_WINDOW_SIGMA = 0.01
"""Of the lithium content at which graphite is in one stage: samples and authors differ so."""


class Regime(StrEnum):
    """What the bands say."""

    DILUTE = "dilute"
    """One band, which moves with the lithium content."""
    STAGED = "staged"
    """Two bands, whose ratio is that of layers with and without lithium beside them."""
    STAGE_2 = "stage 2 or denser"
    """One band, of layers that all have lithium on one side: stage 2, alone or beside stage 1, whose band is
    lost in fluorescence more often than not. Nothing more is known."""
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
    """

    regime: Regime
    li_content: Estimate
    fit: BandFit


def graphite_state(spectrum: Spectrum, axis: ShiftAxis) -> GraphiteState:
    """Say how much lithium is in graphite.

    Two bands are tried first; where only one is found, its position says which it is.

    Parameters
    ----------
    spectrum
        On the shifts of `axis`.

    Raises
    ------
    SpectrumError
        If the spectrum does not reach over the bands.
    """
    options = BandOptions(axis.width_at(1590.0))
    inner = Band("E2g2(i)", (1581.0, 1566.0, 1593.0), _WIDTH_PER_CM)
    outer = Band("E2g2(b)", (1603.0, 1594.0, 1612.0), _WIDTH_PER_CM)
    fit = fit_bands(spectrum, [inner, outer], RANGE_PER_CM, options)
    if not fit.present["E2g2(i)"] or _is_broad(fit):
        dense = Band("E2g2(1)", (1577.0, 1555.0, 1600.0), _DENSE_WIDTH_PER_CM)
        with_dense = fit_bands(spectrum, [dense, outer], RANGE_PER_CM, options)
        # One that a fit makes as narrow as it may is what is left of another band.
        fit = with_dense if np.isfinite(with_dense.width["E2g2(1)"].value) or _is_broad(fit) else fit
    if not fit.converged:
        return GraphiteState(Regime.UNDETERMINED, UNDETERMINED, fit)
    regime, content = _read(fit, axis)
    return GraphiteState(regime, content, fit)


def _is_broad(fit: BandFit) -> bool:
    """Whether what was taken for the lower band is broader than it can be."""
    width = fit.width["E2g2(i)"].value
    return bool(fit.present["E2g2(i)"]) and not width < 0.8 * _WIDTH_PER_CM[2]


def _read(fit: BandFit, axis: ShiftAxis) -> tuple[Regime, Estimate]:
    if fit.present.get("E2g2(1)"):
        return Regime.DENSE, _by_position(fit.centre["E2g2(1)"], DENSE.li_content, DENSE.shift_per_cm, axis)
    lower, upper = fit.present.get("E2g2(i)", False), fit.present["E2g2(b)"]
    if lower and upper:
        return Regime.STAGED, _by_ratio(fit)
    if lower:
        return Regime.DILUTE, _by_position(
            fit.centre["E2g2(i)"], DILUTE.li_content, DILUTE.shift_per_cm, axis
        )
    if upper:
        low, high = STAGE_INDICES[-1].li_content, DENSE.li_content[1]
        return Regime.STAGE_2, Estimate((low + high) / 2, 0.0, (high - low) / np.sqrt(12))
    return Regime.UNDETERMINED, UNDETERMINED


def _by_position(
    centre: Estimate, li_content: tuple[float, float], shift_per_cm: tuple[float, float], axis: ShiftAxis
) -> Estimate:
    """Content from the position of a band that moves evenly over a window, not beyond its ends."""
    slope = (li_content[1] - li_content[0]) / (shift_per_cm[1] - shift_per_cm[0])
    value = li_content[0] + slope * (centre.value - shift_per_cm[0])
    systematic = abs(slope) * float(np.hypot(centre.sigma_sys, axis.sigma_at(centre.value)))
    return Estimate(
        float(np.clip(value, *li_content)),
        abs(slope) * centre.sigma_stat,
        float(np.hypot(systematic, _WINDOW_SIGMA)),
    )


def _by_ratio(fit: BandFit) -> Estimate:
    """Content from the ratio of both bands: the stage, and where graphite is in it."""
    inner, outer = fit.intensity["E2g2(i)"], fit.intensity["E2g2(b)"]
    ratio = inner.value / outer.value
    index = 2.0 + 2.0 * ratio / INNER_TO_OUTER
    rows = sorted((row.index, row.li_content) for row in STAGE_INDICES)
    indices, contents = (np.array(column) for column in zip(*rows))
    content = float(np.interp(index, indices, contents))
    number = int(np.clip(np.searchsorted(indices, index), 1, indices.size - 1))
    slope = (contents[number] - contents[number - 1]) / (indices[number] - indices[number - 1])
    per_relative = abs(slope) * 2.0 * ratio / INNER_TO_OUTER
    stat = np.hypot(inner.sigma_stat / inner.value, outer.sigma_stat / outer.value)
    systematic = np.hypot(inner.sigma_sys / inner.value, outer.sigma_sys / outer.value)
    systematic = np.hypot(systematic, _RATIO_CONSTANT_SIGMA)
    return Estimate(
        content, float(per_relative * stat), float(np.hypot(per_relative * systematic, _WINDOW_SIGMA))
    )

"""How much graphite expands, along and across its layers, at half and at full lithium content."""

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from intercalate.views.operando import BLUE, GREEN, ORANGE
from intercalate_plans.studies.finding import SIGNIFICANCE, Claim, Finding, Published, Quantity
from intercalate_plans.studies.graphite import Series, mean_over_stages
from intercalate_plans.studies.measured import Cells, only

MEASURES: dict[str, tuple[str, dict[str, int]]] = {
    "expansion": ("volume", {"d": 1, "a": 2}),
    "layer_spacing": ("layer spacing d", {"d": 1}),
    "in_plane": ("in-plane a", {"a": 1}),
}
"""Label of each, and the powers of lattice parameters that it is the product of."""

HALF, HALF_REACH = 0.5, 0.1
FULL, FULL_REACH = 1.0, 0.12
RESIDUAL_LITHIUM = 0.03 / math.sqrt(3)
"""Standard error of the lithium content at the start, which is counted as that of the cell as assembled: a
formation that ends at 1 V under current leaves anything from nothing to 0.03."""

EXTRAPOLATED_AT_MOST = 0.1
"""By so much lithium content the last frame may fall short."""

_FEWEST_FRAMES = 4
_UNDETERMINED = (math.nan, math.nan)


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Read the expansion off against the first frame, and compare it with what was published.

    Volume per C6 goes as d a^2, averaged over the stages by their shares.

    Parameters
    ----------
    cells
        One; its frames with `x_positive`, and `a` and `d` of `graphite` and `LiC6` with `stage_1_fraction`.
    published
        `expansion_half_percent`, `expansion_full_percent`.
    """
    _, frames = only(cells)
    growths = {name: growth_percent(frames, powers) for name, (_, powers) in MEASURES.items()}
    quantities = []
    for name, (label, _) in MEASURES.items():
        for place, where, reach in (("half", HALF, HALF_REACH), ("full", FULL, FULL_REACH)):
            value, sigma = value_at(growths[name], where, reach, _lithium_sigma(frames, where))
            quantities.append(
                Quantity(f"{name}_{place}_percent", f"{label} at x = {where:g}", value, sigma, "%")
            )
    finding = Finding("", quantities, ())
    claims = []
    for name in ("expansion", "layer_spacing", "in_plane"):
        one = finding.quantity(f"{name}_half_percent")
        claims.append(Claim.exceeds(f"{MEASURES[name][0]} has grown at x = 0.5", one.value, one.sigma))
    for place in ("half", "full"):
        name = f"expansion_{place}_percent"
        text = f"volume at x = {HALF if place == 'half' else FULL:g} agrees with the published one"
        claims.append(Claim.agrees(text, finding.quantity(name), published[name]))
    return Finding(_sentence(finding), quantities, claims)


def _sentence(finding: Finding) -> str:
    half, full = (finding.quantity(f"expansion_{place}_percent") for place in ("half", "full"))
    if not (math.isfinite(half.value) and math.isfinite(full.value)):
        return "The expansion is not determined at both lithium contents."
    return f"The volume has changed by {half.value:+.1f} % at x = 0.5 and by {full.value:+.1f} % at x = 1."


def growth_percent(frames: xr.Dataset, powers: Mapping[str, int]) -> Series:
    """Relative change since the frame with least lithium, by lithium content.

    The systematic errors of both frames are taken as independent, which they are not: on the safe side.
    """
    mean = mean_over_stages(frames, np.asarray(frames["x_positive"], float), powers)
    if not mean.value.size:
        return mean
    first = mean.value[0]
    relative = mean.value / first
    stat, systematic = (
        100.0 * relative * np.hypot(error / mean.value, error[0] / first)
        for error in (mean.stat, mean.systematic)
    )
    return Series(mean.at, 100.0 * (relative - 1), stat, systematic)


def value_at(series: Series, where: float, reach: float, sigma_x: float) -> tuple[float, float]:
    """Value and standard error of a straight line through the frames within `reach` of where, or of the
    frame that comes closest to it.

    Where these scatter by more than their errors, these are scaled up. The error of the lithium content
    counts by the slope.
    """
    around = float(np.clip(where, series.at[0], series.at[-1])) if series.at.size else where
    near = abs(series.at - around) <= reach
    x = series.at[near] - where
    if x.size < _FEWEST_FRAMES or x.min() > 0 or x.max() < -EXTRAPOLATED_AT_MOST:
        return _UNDETERMINED
    weight = 1 / np.maximum(series.stat[near], 1e-9)
    design = np.stack([np.ones_like(x), x], axis=1) * weight[:, None]
    solution, *_ = np.linalg.lstsq(design, series.value[near] * weight, rcond=None)
    residual = series.value[near] * weight - design @ solution
    scale = max(1.0, float(residual @ residual) / (x.size - 2))
    stat = math.sqrt(scale * np.linalg.inv(design.T @ design)[0, 0])
    systematic = float(np.median(series.systematic[near]))
    return float(solution[0]), math.sqrt(stat**2 + systematic**2 + float(solution[1] * sigma_x) ** 2)


def _lithium_sigma(frames: xr.Dataset, where: float) -> float:
    """Standard error of the lithium content there."""
    x, sigma = (np.asarray(frames[name], float) for name in ("x_positive", "x_positive_sigma"))
    known = np.isfinite(x) & np.isfinite(sigma)
    if not known.any():
        return math.nan
    order = np.argsort(x[known])
    of_charge = float(np.interp(where, x[known][order], sigma[known][order]))
    return math.hypot(of_charge, RESIDUAL_LITHIUM)


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Growth of volume, spacing and in-plane parameter by lithium content, with what was published."""
    _, frames = only(cells)
    shown, axes = plt.subplots(3, 1, sharex=True, figsize=(6.5, 7.0), layout="constrained")
    for axis, (name, (label, powers)), colour in zip(axes, MEASURES.items(), (BLUE, GREEN, ORANGE)):
        growth = growth_percent(frames, powers)
        axis.errorbar(growth.at, growth.value, growth.sigma, fmt="o", ms=3, lw=0.8, color=colour)
        axis.axhline(0.0, color="0.7", lw=0.7)
        axis.set_ylabel(f"{label[:1].upper()}{label[1:]} (%)")
        for place, where in (("half", HALF), ("full", FULL)):
            one, known = finding.quantity(f"{name}_{place}_percent"), published.get(f"{name}_{place}_percent")
            if known is not None:
                low, high = known.value - known.half_width, known.value + known.half_width
                axis.fill_between((where - 0.03, where + 0.03), low, high, color="0.6", alpha=0.5, lw=0)
            if math.isfinite(one.value):
                axis.errorbar(
                    where, one.value, SIGNIFICANCE * one.sigma, fmt="_", ms=12, color="black", lw=1.2
                )
    axes[0].set_title("grey: published; black: read off here, three standard errors", fontsize=7)
    axes[-1].set_xlabel("Lithium content x in Li$_x$C$_6$")
    shown.suptitle(title, fontsize=9)
    return shown

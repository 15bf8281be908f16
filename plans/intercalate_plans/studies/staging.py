"""Plateaus of graphite's voltage and the stage compounds that form and move on them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.views.operando import BLUE, GREEN, ORANGE
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.graphite import Series, fitted
from intercalate_plans.studies.measured import Cells, only
from intercalate_plans.studies.plateaus import (
    GRID_V,
    Plateau,
    constant_current_step,
    density,
    find_plateaus,
)

MOST = 0.5
"""Share of the electrode that has to change on a plateau for it to be the plateau of that change."""


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Find the two plateaus with most charge, and say which stage compound forms or moves on each.

    On the lower one stage 1 has to form, in most of the electrode, and not on the upper one; on the upper
    one the lines of the other stages have to move to larger spacings, and not on the lower one.

    Parameters
    ----------
    cells
        One, with a step at constant current; its frames with `graphite.d` and `stage_1_fraction`.
    published
        Not used: the publication gives no numbers.
    """
    records, frames = only(cells)
    step = constant_current_step(records)
    found = find_plateaus(step)
    pair = _largest_two(found)
    if pair is None:
        listed = ", ".join(f"{one.voltage_v:.3f} V" for one in found) or "none"
        text = f"The voltage has no two plateaus (found: {listed})."
        return Finding(text, [], [Claim.undetermined("the voltage has two plateaus")])
    upper, lower = pair
    passed_ah = step.passed_ah(np.asarray(frames["net_capacity_ah"], float))
    moved = [_change(fitted(frames, passed_ah, "graphite.d"), one) for one in pair]
    formed = [_change(fitted(frames, passed_ah, "stage_1_fraction"), one) for one in pair]
    quantities = [
        Quantity("upper_plateau_v", "upper plateau", upper.voltage_v, upper.sigma_v, "V"),
        Quantity("lower_plateau_v", "lower plateau", lower.voltage_v, lower.sigma_v, "V"),
        *_both("stage_1_formed", "share of stage 1 formed", formed, ""),
        *_both("spacing_moved_angstrom", "spacing of the other stages moved by", moved, "A"),
    ]
    claims = [
        Claim.exceeds("the voltage has two plateaus", min(one.rise_sigmas for one in pair), 1.0),
        Claim.exceeds("most stage 1 forms on the lower one", formed[1].value, formed[1].sigma, MOST),
        _outdoes("more of it than on the upper one", formed[1], formed[0]),
        Claim.exceeds("the other stages move on the upper one", moved[0].value, moved[0].sigma),
        _outdoes("further than on the lower one", moved[0], moved[1]),
    ]
    others = [f"{one.voltage_v:.3f} V" for one in found if one not in pair]
    more = f" Smaller ones: {', '.join(others)}." if others else ""
    text = (
        f"Most charge passes on plateaus at {upper.voltage_v:.3f} V, where the layer spacing of the stages "
        f"above 1 changes by {moved[0].value:+.3f} A, and at {lower.voltage_v:.3f} V, where the share of "
        f"stage 1 changes by {formed[1].value:+.2f}.{more}"
    )
    return Finding(text, quantities, claims)


def _largest_two(plateaus: list[Plateau]) -> tuple[Plateau, Plateau] | None:
    """Upper and lower of the two with most charge."""
    if len(plateaus) < 2:
        return None
    first, second = sorted(plateaus, key=lambda one: one.charge_ah)[-2:]
    return (first, second) if first.voltage_v > second.voltage_v else (second, first)


@dataclass(frozen=True)
class _Change:
    """A value, or a difference of two, with its standard error."""

    value: float
    sigma: float


def _change(series: Series, plateau: Plateau) -> _Change:
    """Interpolated between frames, of which at least two are on the plateau.

    Beyond the last frame in which it is determined a quantity is taken to stay as it is.
    """
    inside = (series.at >= plateau.from_ah) & (series.at <= plateau.to_ah)
    if inside.sum() < 2:
        return _Change(math.nan, math.nan)
    before, after = (_interpolated(series, one) for one in (plateau.from_ah, plateau.to_ah))
    return _Change(after.value - before.value, math.hypot(before.sigma, after.sigma))


def _interpolated(series: Series, at_ah: float) -> _Change:
    """Between two frames anything from the one value to the other may be true, all of it as likely."""
    number = int(np.searchsorted(series.at, at_ah))
    beside = series.value[max(number - 1, 0) : number + 1]
    sigma = math.hypot(float(np.interp(at_ah, series.at, series.sigma)), np.ptp(beside) / math.sqrt(12))
    return _Change(float(np.interp(at_ah, series.at, series.value)), sigma)


def _both(name: str, label: str, changes: list[_Change], unit: str) -> list[Quantity]:
    places = ("upper", "lower")
    return [
        Quantity(f"{name}_{place}", f"{label} on the {place} plateau", one.value, one.sigma, unit)
        for place, one in zip(places, changes)
    ]


def _outdoes(text: str, more: _Change, less: _Change) -> Claim:
    """Whether one change is larger than the other, whatever the direction of the latter."""
    return Claim.exceeds(text, more.value - abs(less.value), math.hypot(more.sigma, less.sigma))


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Voltage with its charge per volt, spacings and share of stage 1 by charge; plateaus are tinted."""
    records, frames = only(cells)
    step = constant_current_step(records)
    shown = plt.figure(figsize=(7.5, 7.0), layout="constrained")
    axes = shown.subplot_mosaic(
        [["voltage", "density"], ["spacing", "."], ["share", "."]],
        width_ratios=(3, 1),
        height_ratios=(3, 2, 2),
    )
    mah = 1000.0 * step.charge_ah
    axes["voltage"].plot(mah, step.voltage_v, color=BLUE, lw=1.2)
    axes["voltage"].set(ylabel="Voltage (V)", ylim=(0.0, 0.3))
    grid_v = np.arange(step.voltage_v.min(), step.voltage_v.max(), GRID_V)
    axes["density"].sharey(axes["voltage"])
    axes["density"].plot(1000.0 * density(step, grid_v), grid_v, color=BLUE, lw=1.0)
    axes["density"].set_xlabel("Charge per volt\n(mAh/V)")
    passed_ah = step.passed_ah(np.asarray(frames["net_capacity_ah"], float))
    for name, colour, label in (("graphite.d", BLUE, "other stages"), ("LiC6.d", GREEN, "stage 1")):
        _points(axes["spacing"], fitted(frames, passed_ah, name), colour, label)
    axes["spacing"].set_ylabel("Layer spacing (Å)")
    axes["spacing"].legend(loc="best", fontsize=7, frameon=False)
    _points(axes["share"], fitted(frames, passed_ah, "stage_1_fraction"), ORANGE, "")
    axes["share"].set(xlabel="Charge passed (mAh)", ylabel="Share of stage 1", ylim=(-0.1, 1.1))
    for name in ("spacing", "share"):
        axes[name].sharex(axes["voltage"])
    for plateau, colour in zip(_largest_two(find_plateaus(step)) or (), (BLUE, GREEN)):
        for name in ("voltage", "spacing", "share"):
            axes[name].axvspan(1000 * plateau.from_ah, 1000 * plateau.to_ah, color=colour, alpha=0.13, lw=0)
        axes["density"].axhspan(plateau.low_v, plateau.high_v, color=colour, alpha=0.13, lw=0)
    shown.suptitle(title, fontsize=9)
    return shown


def _points(axis: Axes, series: Series, colour: str, label: str) -> None:
    axis.errorbar(
        1000.0 * series.at, series.value, series.sigma, fmt="o", ms=2.5, lw=0.8, color=colour, label=label
    )

"""Whether clusters grow at small and whiskers at large overpotential, and what dissolution leaves of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.tem import Filling, Habit, Observation, TemError, growth_finding
from intercalate.views.operando import BLUE, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

AT_REST_V = 0.005
"""Voltage, without its sign, below which neither growth nor dissolution is meant."""
SHOWN = 4
"""Images of each step in the figure."""
LABELS = {
    "share of whiskers at large overpotential": ("whiskers_large", "whiskers at large overpotential"),
    "share of clusters at small overpotential": ("clusters_small", "clusters at small overpotential"),
    "density of clusters": ("density", "area of clusters over that of their hull"),
    "share of tubes after dissolution": ("tubes", "hollow among whiskers after dissolution"),
    "rise of tubes by dissolution": ("tubes_rise", "rise of their share by dissolution"),
}


@dataclass(frozen=True)
class Seen:
    """An image of which a deposit was classed."""

    habit: Habit
    filling: Filling
    density: float


@dataclass(frozen=True)
class Step:
    """Images at one voltage.

    Attributes
    ----------
    grown_v
        Overpotential at which there was growth last, NaN where there was none.
    is_dissolved
        Whether the voltage was reversed since.
    frames
        Numbers of the images.
    """

    bias_v: float
    grown_v: float
    is_dissolved: bool
    frames: Sequence[int]


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare classes of deposits between overpotentials, and of whiskers before and after dissolution.

    Parameters
    ----------
    cells
        One, with bright field images at voltages across the holder, in the order in which they were taken.
    published
        Not used: the publication gives no numbers.
    """
    _, frames = only(cells)
    wanted = "deposits were seen at two overpotentials, and dissolved"
    told = ""
    try:
        steps = steps_of(frames)
        told = _told(frames, steps)
        border_v = _border_v(steps)
        found = growth_finding(_observations(frames, steps, border_v), border_v)
    except TemError as error:
        text = f"Not all that is asked can be said: {error}.{told}"
        return Finding(text, [], [Claim.undetermined(wanted)])
    quantities = [
        Quantity(*LABELS[one.name], one.value.value, one.value.sigma, "")
        for one in found.claims
        if one.name in LABELS
    ]
    quantities += _sizes(frames, steps, border_v)
    claims = [
        Claim.exceeds(f"{one.name} above {one.threshold:g}", one.value.value, one.value.sigma, one.threshold)
        for one in found.claims
    ]
    shares = {one.name: one.value for one in quantities}
    return Finding(
        f"{_percent(shares['clusters_small'])} of the deposits are clusters at small, "
        f"{_percent(shares['whiskers_large'])} whiskers at large overpotential; after dissolution "
        f"{_percent(shares['tubes'])} of the whiskers are hollow.",
        quantities,
        claims,
    )


def _told(frames: xr.Dataset, steps: Sequence[Step]) -> str:
    """What had grown at each voltage, in sentences."""
    found = []
    for step in steps:
        if not step.is_dissolved and np.isfinite(step.grown_v):
            seen = [one for one in (_seen(frames, number) for number in step.frames) if one is not None]
            whiskers = sum(one.habit is Habit.WHISKER for one in seen)
            found.append(f" At {step.grown_v:g} V {whiskers} of {len(seen)} deposits are whiskers.")
    return "".join(found)


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %" if np.isfinite(share) else "an unknown share"


def steps_of(frames: xr.Dataset) -> list[Step]:
    """Images by the voltage across the holder, and what had been done before.

    Raises
    ------
    TemError
        If nobody knows the voltage, or it was not set.
    """
    if "scan_bias_v" not in frames:
        raise TemError("the events do not say which voltage was across the holder")
    bias = np.asarray(frames["scan_bias_v"], float)
    steps: list[Step] = []
    grown_v, is_dissolved = float("nan"), False
    ends = [0, *(np.flatnonzero(np.diff(bias) != 0) + 1), bias.size]
    for first, last in pairwise(ends):
        now = float(bias[first])
        if now < -AT_REST_V:
            grown_v, is_dissolved = -now, False
        elif now > AT_REST_V:
            is_dissolved = True
        steps.append(Step(now, grown_v, is_dissolved, range(int(first), int(last))))
    return steps


def _border_v(steps: Sequence[Step]) -> float:
    """Between the smallest and the largest overpotential, on a logarithmic scale."""
    grown = [one.grown_v for one in steps if np.isfinite(one.grown_v)]
    if not grown or max(grown) <= min(grown):
        raise TemError("lithium was grown at fewer than two overpotentials")
    return float(np.sqrt(min(grown) * max(grown)))


def _seen(frames: xr.Dataset, number: int) -> Seen | None:
    """What an image shows; None where it is of no use or shows nothing."""
    habit, filling = (str(frames[name].values[number]) for name in ("habit", "filling"))
    if not habit:
        return None
    return Seen(Habit(habit), Filling(filling), float(frames["density"][number]))


def _observations(frames: xr.Dataset, steps: Sequence[Step], border_v: float) -> list[Observation]:
    """Of growth, and of what was grown at large overpotential and dissolved."""
    found = []
    for step in steps:
        if not np.isfinite(step.grown_v) or (step.is_dissolved and step.grown_v < border_v):
            continue
        for number in step.frames:
            seen = _seen(frames, number)
            if seen is not None:
                found.append(Observation(seen, step.grown_v, step.is_dissolved))
    return found


def _sizes(frames: xr.Dataset, steps: Sequence[Step], border_v: float) -> list[Quantity]:
    """Mean diameter of clusters at small and of whiskers at large overpotential."""
    found = []
    for name, label, habit, is_large in (
        ("cluster_nm", "mean diameter of clusters", Habit.CLUSTER, False),
        ("whisker_nm", "mean diameter of whiskers", Habit.WHISKER, True),
    ):
        numbers = [
            number
            for step in steps
            if not step.is_dissolved and np.isfinite(step.grown_v) and (step.grown_v >= border_v) is is_large
            for number in step.frames
            if str(frames["habit"].values[number]) == habit
        ]
        widths = np.asarray(frames["width_nm"], float)[numbers]
        systematic = np.asarray(frames["width_nm_sigma_sys"], float)[numbers]
        if widths.size < 2:
            continue
        scatter = float(widths.std(ddof=1) / np.sqrt(widths.size))
        sigma = float(np.hypot(scatter, systematic.mean()))
        found.append(Quantity(name, label, float(widths.mean()), sigma, "nm"))
    return found


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Some images of each step, and the shares of what they show."""
    _, frames = only(cells)
    shown = Figure(figsize=(9.0, 8.0), layout="constrained")
    shown.suptitle(title, fontsize=10)
    try:
        steps = steps_of(frames)
    except TemError:
        return shown
    grid = shown.add_gridspec(len(steps) + 1, SHOWN)
    for row, step in enumerate(steps):
        for column, number in enumerate(step.frames[:SHOWN]):
            axis = shown.add_subplot(grid[row, column])
            axis.imshow(frames["thumbnail"][number], cmap="gray")
            axis.set_xticks([])
            axis.set_yticks([])
            seen = _seen(frames, number)
            told = "nothing" if seen is None else f"{seen.habit}"
            if seen is not None and seen.habit is Habit.WHISKER:
                told = f"{seen.filling} {told}"
            axis.set_title(told, fontsize=7)
            if column == 0:
                axis.set_ylabel(f"{step.bias_v:+.2f} V", fontsize=8)
    axis = shown.add_subplot(grid[-1, :])
    kinds = ("cluster", "filled whisker", "hollow whisker", "nothing")
    bottom = np.zeros(len(steps))
    for kind, colour in zip(kinds, (BLUE, "0.4", VERMILION, "0.9")):
        share = np.array([_share(frames, step, kind) for step in steps])
        axis.bar(range(len(steps)), share, 0.6, bottom, color=colour, label=kind)
        bottom += share
    axis.set_xticks(range(len(steps)), [f"{step.bias_v:+.2f} V" for step in steps])
    axis.set(ylabel="Share of the places", ylim=(0.0, 1.0))
    axis.legend(fontsize=7, frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.25))
    return shown


def _share(frames: xr.Dataset, step: Step, kind: str) -> float:
    count = 0
    for number in step.frames:
        seen = _seen(frames, number)
        told = "nothing" if seen is None else str(seen.habit)
        if seen is not None and seen.habit is Habit.WHISKER:
            told = f"{seen.filling} {told}"
        count += told == kind
    return count / max(len(step.frames), 1)

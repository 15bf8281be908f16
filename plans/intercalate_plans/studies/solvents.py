"""How much of the charge a graphite electrode takes up as lithium, and gives back, in each electrolyte."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.reduction.staging import lithium_by_spacing
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION
from intercalate_plans.studies.finding import SIGNIFICANCE, Claim, Finding, Published, Quantity
from intercalate_plans.studies.graphite import fitted
from intercalate_plans.studies.measured import Cells, MeasuredCell

MEASUREMENT = "xrd"
FILMING, HARMFUL = ("EC-DEC", "wet DMC"), ("PC", "THF")
"""Electrolytes as the publication groups them: those whose film lets lithium in, and those that do harm."""

MOST = 0.5
"""Of the electrode, of its capacity, or of the lithium that went in."""
MASS_SIGMA = 0.02
"""Relative, of the active mass as it is weighed, by which charge becomes lithium content."""
SAME_CHARGE = 0.01
"""Change of lithium content by charge within which frames are of the end of the lithiation."""
LEAST_FRAMES = 3
UNDETERMINED = (math.nan, math.nan)
ERRORS = ("", "_sigma_stat", "_sigma_sys")


@dataclass(frozen=True)
class Course:
    """Lithium in graphite frame by frame, in order of time.

    Attributes
    ----------
    hours
        Test time.
    fresh
        Lithium content at the start of the run, as the cell says.
    by_charge
        Lithium content if all charge were that of lithium in graphite.
    stage_1, stage_1_sigma
        Share of stage 1.
    seen, sigma
        Lithium content by diffraction.
    """

    hours: np.ndarray
    fresh: float
    by_charge: np.ndarray
    stage_1: np.ndarray
    stage_1_sigma: np.ndarray
    seen: np.ndarray
    sigma: np.ndarray


@dataclass(frozen=True)
class Cycle:
    """What the first cycle did in one electrolyte; value and standard error of each.

    Attributes
    ----------
    passed
        Charge of the lithiation, as lithium content of graphite.
    stage_1
        Share at its end.
    efficiency
        Lithium that graphite took up, by diffraction, over that charge.
    returned
        Part of it that was gone at the end of the delithiation; undetermined where too little was there.
    left
        Lithium content then; undetermined where there was no delithiation.
    """

    passed: tuple[float, float]
    stage_1: tuple[float, float]
    efficiency: tuple[float, float]
    returned: tuple[float, float]
    left: tuple[float, float]


LABELS = {
    "passed": "charge passed, as lithium content",
    "stage_1": "share of stage 1 after lithiation",
    "efficiency": "efficiency of intercalation",
    "returned": "part of the lithium that came out again",
    "left": "lithium content after delithiation",
}


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare lithium seen by diffraction with charge, at the end of the first lithiation and delithiation.

    Parameters
    ----------
    cells
        Each with frames `xrd` of one cycle, whose attribute `electrolyte` ends with the name of the solvent.
    published
        Not used: the publication gives no numbers.
    """
    found = {solvent: cycle_of(course_of(cell)) for solvent, cell in _by_solvent(cells).items()}
    known = {solvent: one for solvent, one in found.items() if one is not None}
    missing = [solvent for solvent in (*FILMING, *HARMFUL) if solvent not in known]
    if missing:
        text = f"Nothing is known of graphite in {', '.join(missing)}."
        return Finding(text, [], [Claim.undetermined("a cycle is followed in every electrolyte")])
    quantities = [
        Quantity(f"{name}_{solvent.replace(' ', '_')}", f"{label}, {solvent}", value, sigma, "")
        for solvent, one in known.items()
        for name, label in LABELS.items()
        for value, sigma in [getattr(one, name)]
    ]
    claims: list[Claim] = []
    for solvent in FILMING:
        one = known[solvent]
        claims += [
            Claim.exceeds(f"in {solvent} most of the graphite becomes stage 1", *one.stage_1, MOST),
            Claim.exceeds(f"in {solvent} most of the lithium comes out again", *one.returned, MOST),
        ]
    for solvent in HARMFUL:
        one = known[solvent]
        claims += [
            Claim.exceeds(f"in {solvent} charge passes for most of the graphite", *one.passed, MOST),
            _below(f"in {solvent} most of it becomes no stage 1 all the same", one.stage_1, MOST),
        ]
    claims.append(_apart(known))
    order = sorted(known, key=lambda solvent: -known[solvent].efficiency[0])
    shares = ", ".join(f"{known[solvent].efficiency[0]:.2f} in {solvent}" for solvent in order)
    return Finding(f"Of the charge of the first lithiation graphite took up {shares}.", quantities, claims)


def _below(text: str, value: tuple[float, float], bound: float) -> Claim:
    return Claim.exceeds(text, -value[0], value[1], -bound)


def _apart(known: Mapping[str, Cycle]) -> Claim:
    """That every efficiency of the one group is above every one of the other."""
    pairs = [(known[one].efficiency, known[other].efficiency) for one in FILMING for other in HARMFUL]
    gaps = [(one[0] - other[0], math.hypot(one[1], other[1])) for one, other in pairs]
    least = min(gaps, key=lambda gap: gap[0] / gap[1])
    return Claim.exceeds("more of the charge is lithium in graphite than in PC and THF", *least)


def _by_solvent(cells: Cells) -> dict[str, MeasuredCell]:
    named = {}
    for cell in cells.values():
        electrolyte = str(cell.frames[MEASUREMENT].attrs["electrolyte"])
        named[electrolyte.split(" in ")[-1]] = cell
    return {solvent: named[solvent] for solvent in (*FILMING, *HARMFUL) if solvent in named}


def course_of(cell: MeasuredCell) -> Course:
    """Lithium content of each frame: that of stage 1 counts by its share, that of the others by spacing.

    Where stages are spread wide, as in particles that have lost contact beside others, their lines are none
    of the shape that is fitted. The error of the share grows with the root of the misfit, against that of the
    frame that fits best.
    """
    frames = cell.frames[MEASUREMENT]
    hours, charge, share, share_stat, share_sys, spacing, spacing_stat, spacing_sys = (
        _column(frames, name)
        for name in (
            "test_time_second",
            "x_positive",
            *(f"stage_1_fraction{end}" for end in ERRORS),
            *(f"graphite.d{end}" for end in ERRORS),
        )
    )
    # Where stage 1 is alone there is no spacing of others, and none is needed.
    alone = share >= 1.0
    poor, poor_sigma = (np.where(alone, 0.0, one) for one in lithium_by_spacing(spacing))
    shifted, _ = lithium_by_spacing(spacing + np.hypot(spacing_stat, spacing_sys))
    moved = np.where(alone, 0.0, abs(shifted - poor))
    seen = share + (1.0 - share) * poor
    misfit = _column(frames, "reduced_chi2")
    share_sigma = np.hypot(share_stat, share_sys) * np.sqrt(misfit / np.nanmin(misfit))
    sigma = np.hypot((1.0 - poor) * share_sigma, (1.0 - share) * np.hypot(poor_sigma, moved))
    kept = np.isfinite(charge) & np.isfinite(seen) & np.isfinite(sigma)
    for name in ("in_gap", "crosses_step"):
        if name in frames:
            kept &= ~np.asarray(frames[name], bool)
    net_ah = _column(frames, "net_capacity_ah")[kept]
    # The first frame may be late: what is wanted is the content at no charge.
    spread = kept.sum() >= LEAST_FRAMES and np.ptp(net_ah) > 0.0
    fresh = float(np.polyfit(net_ah, charge[kept], 1)[1]) if spread else math.nan
    columns = (charge, share, share_sigma, seen, sigma)
    return Course(hours[kept] / 3600.0, fresh, *(one[kept] for one in columns))


def _column(frames: xr.Dataset, name: str) -> np.ndarray:
    """NaN where a fit knows nothing of it in any frame."""
    if name in frames:
        return np.asarray(frames[name], float)
    return np.full(frames.sizes["frame"], np.nan)


def cycle_of(course: Course) -> Cycle | None:
    """Look at the frames at the end of the lithiation and at the end of all; None without frames.

    Graphite begins as empty as its cell says; the error of the active mass is that of all charge.
    """
    if not math.isfinite(course.fresh):
        return None
    passed = course.by_charge - course.fresh
    full = int(np.flatnonzero(passed >= passed.max() - SAME_CHARGE)[0])
    if not passed[full] > 0.0:
        return None
    seen, sigma, charge = float(course.seen[full]), float(course.sigma[full]), float(passed[full])
    gained = (seen - course.fresh, sigma)
    efficiency = gained[0] / charge
    returned = left = UNDETERMINED
    if passed[-1] < charge - SAME_CHARGE:
        left = (float(course.seen[-1]), float(course.sigma[-1]))
        returned = _ratio((seen - left[0], math.hypot(sigma, left[1])), gained)
    return Cycle(
        passed=(charge, MASS_SIGMA * charge),
        stage_1=(float(course.stage_1[full]), float(course.stage_1_sigma[full])),
        efficiency=(efficiency, math.hypot(sigma / charge, efficiency * MASS_SIGMA)),
        returned=returned,
        left=left,
    )


def _ratio(lost: tuple[float, float], gained: tuple[float, float]) -> tuple[float, float]:
    """Undetermined where it is not sure that anything was gained."""
    if not gained[0] > SIGNIFICANCE * gained[1]:
        return UNDETERMINED
    value = lost[0] / gained[0]
    return value, math.hypot(lost[1], value * gained[1]) / gained[0]


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Voltage, layer spacings, share of stage 1, and lithium by charge and by diffraction, over time."""
    named = _by_solvent(cells)
    shown, grid = plt.subplots(
        3,
        max(len(named), 1),
        sharex=True,
        sharey="row",
        squeeze=False,
        figsize=(10.5, 7.2),
        layout="constrained",
    )
    for axes, (solvent, cell) in zip(grid.T, named.items()):
        records, course = cell.records, course_of(cell)
        hours = np.asarray(records["test_time_second"], float) / 3600.0
        axes[0].plot(hours, np.asarray(records["voltage_volt"], float), color=BLUE, lw=1.0)
        axes[0].set(ylim=(0.0, 1.2), title=solvent)
        _spacings(axes[1], cell.frames[MEASUREMENT])
        axes[2].plot(
            course.hours, course.by_charge, color="0.5", lw=1.2, label="x if all charge went into it"
        )
        axes[2].errorbar(
            course.hours,
            course.seen,
            course.sigma,
            fmt="o",
            ms=3,
            lw=0.8,
            color=GREEN,
            label="x by diffraction",
        )
        axes[2].errorbar(
            course.hours,
            course.stage_1,
            course.stage_1_sigma,
            fmt="s",
            ms=2.5,
            lw=0.8,
            color=ORANGE,
            label="share of stage 1",
        )
        axes[2].set_xlabel("Time (h)")
    grid[0, 0].set_ylabel("Voltage (V)")
    grid[1, 0].set_ylabel("Layer spacing (Å)")
    grid[2, 0].set_ylabel("Lithium content, share")
    handles = [handle for row in (1, 2) for handle in grid[row, 0].get_legend_handles_labels()[0]]
    shown.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    shown.suptitle(title, fontsize=9)
    return shown


def _spacings(axis: Axes, frames: xr.Dataset) -> None:
    hours = np.asarray(frames["test_time_second"], float) / 3600.0
    for name, colour, label in (("graphite.d", VERMILION, "other stages"), ("LiC6.d", ORANGE, "stage 1")):
        one = fitted(frames, hours, name)
        axis.errorbar(one.at, one.value, one.sigma, fmt="o", ms=3, lw=0.8, color=colour, label=label)

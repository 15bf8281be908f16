"""Stages that a particle of graphite goes through, and its 2D band, on insertion and extraction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.reduction.raman import Regime
from intercalate.views.operando import BLUE, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only
from intercalate_plans.studies.solution import MASS_SIGMA

OVERTONE = "2D"
RANKS = {Regime.DILUTE: 0, Regime.STAGED: 1, Regime.STAGE_2: 2, Regime.DENSE: 2}
"""Order of the regimes by lithium content; the others are not counted."""

STEPS = {"staged": 1, "stage_2": 2}
"""Steps, by the rank that begins with each."""

LABELS = {"staged": "staged graphite", "stage_2": "stage 2"}

BRANCHES = ("insertion", "extraction")
LEAST_SPECTRA = 3
"""On either side of a step, and at either end of the course of 2D."""

MOST_WRONG = 0.1
"""Of the spectra on the rarer side of a step, that may lie on the other."""

STEP_SIGMA = 0.02
"""Of the lithium content at which spectra change: samples differ, and a band is lost before it is gone."""

END_SPECTRA = 4
LEAST_SHIFT_PER_CM = 30.0
"""By which 2D must move at least; the axis and one band that changes its shape do not do that."""

STAGE_2_CONTENT = 0.5
"""Of LiC12, by which 2D must be gone."""


@dataclass(frozen=True)
class Branch:
    """Insertion or extraction.

    Attributes
    ----------
    frames
        Numbers of its spectra.
    x
        Lithium that has gone into the electrode since insertion began, of those spectra.
    steps
        Lithium content at each step, with its error; None where the regimes have no such order.
    gone
        Lithium content from which on there is no 2D band, with its error; None where there is no such one.
    moved
        By how much 2D lies lower, in 1/cm, in the fullest spectra that have it than in the emptiest, with its
        error; None where too few have it.
    """

    frames: np.ndarray
    x: np.ndarray
    steps: Mapping[str, tuple[float, float] | None]
    gone: tuple[float, float] | None
    moved: tuple[float, float] | None


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Find where the regime of the spectra changes in either direction, and follow 2D.

    Parameters
    ----------
    cells
        One, with Raman spectra of one place through insertion and extraction.
    published
        Not used: the publication's numbers are of another laser.
    """
    _, frames = only(cells)
    branches = branches_of(frames)
    claims, quantities = [], []
    for name in BRANCHES:
        if name not in branches:
            claims.append(Claim.undetermined(f"{name} is seen"))
            continue
        claims += _claims(name, branches[name])
        quantities += _quantities(name, branches[name], frames)
    return Finding(_text(branches), quantities, claims)


def _text(branches: Mapping[str, Branch]) -> str:
    said = [
        f"{name} at x = {', '.join(f'{one[0]:.2f}' for one in branch.steps.values() if one)}"
        for name, branch in branches.items()
        if all(branch.steps.values())
    ]
    if not said:
        return "The particle does not go through the stages in their order."
    return f"The particle changes to staged graphite and to stage 2 on {' and on '.join(said)}."


def _claims(name: str, branch: Branch) -> list[Claim]:
    order = f"on {name} the particle is dilute at low, staged at higher, in stage 2 at the highest x"
    lower, upper = branch.steps["staged"], branch.steps["stage_2"]
    moves = f"on {name} 2D lies the lower, the more lithium there is"
    gone = f"on {name} there is 2D at low x alone, and none from LiC12 on"
    return [
        Claim.undetermined(order)
        if lower is None or upper is None
        else Claim.exceeds(order, upper[0] - lower[0], math.hypot(upper[1], lower[1])),
        Claim.undetermined(moves)
        if branch.moved is None
        else Claim.exceeds(moves, *branch.moved, LEAST_SHIFT_PER_CM),
        Claim.undetermined(gone)
        if branch.gone is None
        else Claim.exceeds(gone, STAGE_2_CONTENT - branch.gone[0], branch.gone[1]),
    ]


def _quantities(name: str, branch: Branch, frames: xr.Dataset) -> list[Quantity]:
    found = []
    volts = np.asarray(frames["voltage_volt"], float)[branch.frames]
    for key, step in branch.steps.items():
        if step is None:
            continue
        label = LABELS[key]
        found.append(Quantity(f"{key}_{name}", f"x at the step to {label} on {name}", *step, ""))
        near = np.argsort(np.abs(branch.x - step[0]))[:3]
        at_v = f"voltage at the step to {label} on {name}"
        spread_v = float(np.ptp(volts[near]))
        found.append(Quantity(f"{key}_{name}_v", at_v, float(np.mean(volts[near])), spread_v, "V"))
    if branch.gone is not None:
        found.append(Quantity(f"gone_{name}", f"x from which on there is no 2D on {name}", *branch.gone, ""))
    if branch.moved is not None:
        label = f"by which 2D lies lower at the end it was seen at, on {name}"
        found.append(Quantity(f"moved_{name}", label, *branch.moved, "1/cm"))
    return found


def branches_of(frames: xr.Dataset) -> dict[str, Branch]:
    """Insertion and extraction, of those that there are."""
    content, current = (np.asarray(frames[name], float) for name in ("x_positive", "current_ampere"))
    used = np.isfinite(content)
    for name in ("crosses_step", "in_gap"):
        if name in frames:
            used &= ~np.asarray(frames[name], bool)
    found = {}
    empty = float(np.nanmin(content)) if used.any() else math.nan
    for name, sign in zip(BRANCHES, (-1.0, 1.0)):
        own = np.flatnonzero(used & (sign * current > 0))
        if own.size:
            x = content[own] - empty
            ranks = rank_of(frames)[own]
            steps = {key: step_of(x, ranks, rank) for key, rank in STEPS.items()}
            centre = np.asarray(frames[f"{OVERTONE}.centre"], float)[own]
            gone = step_of(x, np.where(np.isfinite(centre), 0.0, 1.0), 1)
            found[name] = Branch(own, x, steps, gone, _moved(frames, own, x))
    return found


def rank_of(frames: xr.Dataset) -> np.ndarray:
    """Rank of the regime of each spectrum, NaN where it has none."""
    regimes = np.asarray(frames["graphite.regime"]).astype(str)
    return np.array([RANKS.get(Regime(one), math.nan) for one in regimes])


def step_of(x: np.ndarray, ranks: np.ndarray, rank: int) -> tuple[float, float] | None:
    """Lithium content from which on spectra have this rank or a higher one, with its standard error.

    Of all places between two spectra it is the one with the fewest spectra on the wrong side. It lies
    anywhere between those beside it.

    Returns
    -------
    tuple of float or None
        None where there are too few spectra on a side, or too many on the wrong one.
    """
    known = np.isfinite(ranks)
    order = np.argsort(x[known], kind="stable")
    at, above = x[known][order], ranks[known][order] >= rank
    rarer = int(min(above.sum(), (~above).sum()))
    if rarer < LEAST_SPECTRA:
        return None
    # Before the first spectrum all that are below are wrong.
    wrong = np.concatenate([[0], np.cumsum(above)]) + np.concatenate([np.cumsum(~above[::-1])[::-1], [0]])
    best = int(np.argmin(wrong))
    if not 0 < best < at.size or wrong[best] > MOST_WRONG * rarer:
        return None
    low, high = at[best - 1], at[best]
    value = float((low + high) / 2)
    astray = np.concatenate([at[:best][above[:best]], at[best:][~above[best:]]])
    scatter = float(np.sqrt(np.sum((astray - value) ** 2) / max(rarer, 1)))
    within = float(high - low) / math.sqrt(12.0)
    return value, math.sqrt(within**2 + scatter**2 + STEP_SIGMA**2 + (MASS_SIGMA * value) ** 2)


def _moved(frames: xr.Dataset, own: np.ndarray, x: np.ndarray) -> tuple[float, float] | None:
    centre, stat = (np.asarray(frames[f"{OVERTONE}.centre{end}"], float)[own] for end in ("", "_sigma_stat"))
    there = np.flatnonzero(np.isfinite(centre))
    if there.size < 2 * END_SPECTRA:
        return None
    order = there[np.argsort(x[there], kind="stable")]
    means, sigmas = [], []
    for some in (order[:END_SPECTRA], order[-END_SPECTRA:]):
        means.append(float(np.mean(centre[some])))
        scatter = max(float(np.std(centre[some], ddof=1)), float(np.sqrt(np.mean(stat[some] ** 2))))
        sigmas.append(scatter / math.sqrt(END_SPECTRA))
    return means[0] - means[1], math.hypot(*sigmas)


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Voltage, spectra around the bands of the layers and around 2D by time, and the place of 2D by x."""
    records, frames = only(cells)
    branches = branches_of(frames)
    shown = plt.figure(figsize=(9.5, 8.5), layout="constrained")
    axes = shown.subplot_mosaic(
        [["voltage", "regime"], ["layers", "place"], ["overtone", "place"]], width_ratios=(3, 2)
    )
    hours = np.asarray(frames["test_time_second"], float) / 3600.0
    axes["voltage"].plot(
        np.asarray(records["test_time_second"], float) / 3600.0,
        np.asarray(records["voltage_volt"], float),
        color="0.3",
        lw=1.0,
    )
    axes["voltage"].set(ylabel="Voltage (V)", ylim=(0.0, 0.5))
    _spectra(axes["layers"], frames, hours, (1540.0, 1640.0))
    _spectra(axes["overtone"], frames, hours, (2560.0, 2780.0))
    for name in ("layers", "overtone"):
        axes[name].sharex(axes["voltage"])
    axes["overtone"].set_xlabel("Test time (h)")
    for (name, branch), colour, marker in zip(branches.items(), (BLUE, VERMILION), "os"):
        raised = 0.08 if name == "extraction" else -0.08
        axes["regime"].plot(branch.x, rank_of(frames)[branch.frames] + raised, marker, ms=3, color=colour)
        for step in filter(None, branch.steps.values()):
            axes["regime"].axvline(step[0], color=colour, lw=0.8, ls="--")
        _place(axes["place"], frames, branch, colour, marker, name)
    axes["regime"].set(xlabel="x gone in, by coulometry", yticks=(0, 1, 2), ylim=(-0.5, 2.5))
    axes["regime"].set_yticklabels(("dilute", "staged", "stage 2"))
    axes["place"].set(xlabel="x gone in, by coulometry", ylabel="2D (cm$^{-1}$)")
    if branches:
        axes["place"].legend(fontsize=7, frameon=False)
    shown.suptitle(title, fontsize=9)
    return shown


def _place(axis: Axes, frames: xr.Dataset, branch: Branch, colour: str, marker: str, label: str) -> None:
    centre, sigma = (
        np.asarray(frames[f"{OVERTONE}.centre{end}"], float)[branch.frames] for end in ("", "_sigma_stat")
    )
    axis.errorbar(branch.x, centre, sigma, fmt=marker, ms=3.0, lw=0.7, color=colour, label=label)


def _spectra(axis: Axes, frames: xr.Dataset, hours: np.ndarray, range_per_cm: tuple[float, float]) -> None:
    shift = np.asarray(frames["shift"], float)
    inside = (shift > range_per_cm[0]) & (shift < range_per_cm[1])
    intensity = np.asarray(frames["intensity"], float)[:, inside]
    # Over the lowest of each spectrum, for fluorescence rises with lithium.
    over = intensity - np.nanmin(intensity, axis=1, keepdims=True)
    mesh = axis.pcolormesh(hours, shift[inside], over.T, shading="nearest", cmap="cividis", rasterized=True)
    axis.set_ylabel("Raman shift (cm$^{-1}$)")
    axis.figure.colorbar(mesh, ax=axis, pad=0.01).set_label("Counts over the lowest")

"""Two phases of LFP that turn into each other, and the solid solution in both of them, by rate."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.materials.crystals import crystal
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

RICH, POOR = "LFP", "FePO4"
PHASES = {RICH: "rich", POOR: "poor"}

PLATEAU = (0.15, 0.85)
"""Lithium contents of the electrode between which both phases are well seen."""

LEAST_FRAMES = 4
SAME_RATE = 0.1
"""Relative difference of rates within which steps are counted together."""

VEGARD_SIGMA = 0.05
"""Relative, of a change of composition by one of the lattice: Vegard's law holds for LFP to a few percent
of x (Yamada et al., Nat. Mater. 5 (2006) 357: R)."""

MASS_SIGMA = 0.03
"""Relative, of the active mass as it is weighed, by which charge becomes a change of x."""


@dataclass(frozen=True)
class Slope:
    """Change of something by that of the lithium content of the electrode, with its standard error."""

    value: float
    sigma: float


@dataclass(frozen=True)
class Step:
    """Frames on the plateau during one step at constant current.

    Attributes
    ----------
    frames
        Their numbers.
    rate_per_h
        Change of x per hour, without sign.
    """

    frames: np.ndarray
    rate_per_h: float


@dataclass(frozen=True)
class Rate:
    """What is found at one rate: by x, the compositions of both phases and the share of the rich one.

    Without the errors of scale, which all slopes share.
    """

    rate_per_h: float
    rich: Slope
    poor: Slope
    converted: Slope

    @property
    def solution(self) -> Slope:
        """Part of the lithium that both phases take up as they are.

        Where the shares are f and 1 - f that is f times the one slope and 1 - f times the other: over the
        plateau as much of either.
        """
        sigma = math.hypot(self.rich.sigma, self.poor.sigma) / 2
        return Slope((self.rich.value + self.poor.value) / 2, sigma)


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Follow both phases over the plateau in each step at constant current, and compare rates.

    Parameters
    ----------
    cells
        One; its frames with `LFP.a`, `FePO4.a` and `lithium_rich_fraction`.
    published
        Not used: the publication gives no numbers.
    """
    _, frames = only(cells)
    rates = _rates(frames)
    if len(rates) < 2:
        text = f"Both phases were followed over the plateau at {len(rates)} rates; it takes two."
        return Finding(text, [], [Claim.undetermined("both phases are followed at several rates")])
    slow, fast = rates[0].solution, rates[-1].solution
    grown = _scaled(Slope(fast.value - slow.value, math.hypot(fast.sigma, slow.sigma)))
    claims = [
        _least("at every rate one phase turns into the other", [one.converted for one in rates]),
        _least("the lithium-rich one changes its composition at every rate", [one.rich for one in rates]),
        _least("so does the lithium-poor one", [one.poor for one in rates]),
        Claim.exceeds("more so at the highest rate than at the lowest", grown.value, grown.sigma),
    ]
    quantities = [
        *(quantity for number, one in enumerate(rates, 1) for quantity in _quantities(number, one)),
        Quantity("solution_grown", "share of solid solution gained", grown.value, grown.sigma, ""),
    ]
    shares = ", ".join(f"{one.solution.value:.2f} at {one.rate_per_h:.2f} per hour" for one in rates)
    text = f"Two phases turn into each other, with a part of solid solution of {shares}."
    return Finding(text, quantities, claims)


def _least(text: str, slopes: Sequence[Slope]) -> Claim:
    """That all of them are positive, by the one of which this is known least."""
    least = min(map(_scaled, slopes), key=lambda one: one.value / one.sigma)
    return Claim.exceeds(text, least.value, least.sigma)


def _quantities(number: int, one: Rate) -> list[Quantity]:
    at = f"at {one.rate_per_h:.2f} per hour"
    return [
        Quantity(f"{name}_{number}", f"{label} {at}", slope.value, _scaled(slope).sigma, "")
        for name, label, slope in (
            ("rich", "change of the rich phase by x", one.rich),
            ("poor", "change of the poor phase by x", one.poor),
            ("solution", "share of solid solution", one.solution),
        )
    ]


def lithium_in(frames: xr.Dataset, phase: str, error: str = "stat") -> tuple[np.ndarray, np.ndarray]:
    """Lithium content of a phase by its axis a and Vegard's law, and its counting or systematic error."""
    empty, full = (float(crystal(key).lengths_at(x)[0]) for key, x in ((POOR, 0.0), (RICH, 1.0)))
    a, sigma = (np.asarray(frames[f"{phase}.a{end}"], float) for end in ("", f"_sigma_{error}"))
    return (a - empty) / (full - empty), sigma / (full - empty)


def _steps(frames: xr.Dataset) -> list[Step]:
    x = np.asarray(frames["x_positive"], float)
    hours = np.asarray(frames["test_time_second"], float) / 3600.0
    current = np.asarray(frames["current_ampere"], float)
    seen = np.isfinite(x) & (np.abs(current) > 0) & (x > PLATEAU[0]) & (x < PLATEAU[1])
    for name in ("crosses_step", "in_gap"):
        if name in frames:
            seen &= ~np.asarray(frames[name], bool)
    for phase in PHASES:
        composition, sigma = lithium_in(frames, phase)
        seen &= np.isfinite(composition) & np.isfinite(sigma)
    count = np.asarray(frames["step_count" if "step_count" in frames else "step_id"], int)
    found = []
    for one in np.unique(count[seen]):
        own = np.flatnonzero(seen & (count == one))
        if own.size >= LEAST_FRAMES:
            found.append(Step(own, float(abs(np.polyfit(hours[own] - hours[own[0]], x[own], 1)[0]))))
    return found


def _rates(frames: xr.Dataset) -> list[Rate]:
    """From low to high; steps of the same rate together."""
    groups: list[list[Step]] = []
    for step in sorted(_steps(frames), key=lambda one: one.rate_per_h):
        if groups and step.rate_per_h < groups[-1][0].rate_per_h * (1 + SAME_RATE):
            groups[-1].append(step)
        else:
            groups.append([step])
    return [_rate(frames, group) for group in groups]


def _rate(frames: xr.Dataset, steps: Sequence[Step]) -> Rate:
    name = "lithium_rich_fraction"
    share, stat, systematic = (
        np.asarray(frames[f"{name}{end}"], float) for end in ("", "_sigma_stat", "_sigma_sys")
    )
    columns = {phase: (*lithium_in(frames, phase), lithium_in(frames, phase, "sys")[1]) for phase in PHASES}
    columns["converted"] = (share, stat, systematic)
    x = np.asarray(frames["x_positive"], float)
    found = {
        key: _mean([_slope(x[one.frames], *(part[one.frames] for part in column)) for one in steps])
        for key, column in columns.items()
    }
    rate_per_h = float(np.mean([one.rate_per_h for one in steps]))
    return Rate(rate_per_h, found[RICH], found[POOR], found["converted"])


def _scaled(slope: Slope) -> Slope:
    """With the errors of the scales of both axes."""
    return Slope(slope.value, math.hypot(slope.sigma, math.hypot(VEGARD_SIGMA, MASS_SIGMA) * slope.value))


def _mean(slopes: Sequence[Slope]) -> Slope:
    sigma = math.sqrt(sum(one.sigma**2 for one in slopes)) / len(slopes)
    return Slope(sum(one.value for one in slopes) / len(slopes), sigma)


def _slope(x: np.ndarray, value: np.ndarray, stat: np.ndarray, systematic: np.ndarray) -> Slope:
    """Of a straight line, with the larger of the errors by counting and by the scatter of the points.

    To it comes the systematic error, as if it were independent at both ends of what was seen.
    """
    weight = 1.0 / np.maximum(stat, 1e-6) ** 2
    centre = float(weight @ x / weight.sum())
    spread = float(weight @ (x - centre) ** 2)
    slope = float(weight @ ((x - centre) * value)) / spread
    rest = value - float(weight @ value / weight.sum()) - slope * (x - centre)
    scatter = float(weight @ rest**2) / (x.size - 2)
    common = math.sqrt(2.0) * float(systematic.mean()) / float(np.ptp(x))
    return Slope(slope, math.hypot(math.sqrt(max(scatter, 1.0) / spread), common))


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Compositions and share of phases by x, a colour for each rate; share of solid solution by rate."""
    _, frames = only(cells)
    steps, rates = _steps(frames), _rates(frames)
    shown = plt.figure(figsize=(8.0, 6.0), layout="constrained")
    axes = shown.subplot_mosaic([["compositions", "solution"], ["share", "solution"]], width_ratios=(3, 2))
    x = np.asarray(frames["x_positive"], float)
    share = np.asarray(frames["lithium_rich_fraction"], float)
    colours = (BLUE, GREEN, ORANGE, VERMILION)
    for number, rate in enumerate(rates):
        colour, label = colours[number % len(colours)], f"{rate.rate_per_h:.2f} per hour"
        near = [one for one in steps if abs(one.rate_per_h / rate.rate_per_h - 1) < SAME_RATE]
        for step in near:
            for phase, marker in ((RICH, "o"), (POOR, "s")):
                composition, sigma = lithium_in(frames, phase)
                _points(axes["compositions"], x, composition, sigma, step, colour, marker)
            errors = np.asarray(frames["lithium_rich_fraction_sigma_stat"], float)
            _points(axes["share"], x, share, errors, step, colour, "o", label if step is near[0] else "")
        one = _scaled(rate.solution)
        axes["solution"].errorbar(rate.rate_per_h, one.value, one.sigma, fmt="o", color=colour)
    axes["compositions"].set(ylabel="x of the rich (o), poor phase (s)", ylim=(-0.05, 1.05))
    axes["share"].set(xlabel="x of the electrode, by coulometry", ylabel="Share of the rich phase")
    if rates:
        axes["share"].legend(loc="best", fontsize=7, frameon=False)
    axes["share"].sharex(axes["compositions"])
    axes["solution"].set(xlabel="Change of x per hour", ylabel="Share of solid solution", xlim=(0.0, None))
    axes["solution"].axhline(0.0, color="0.6", lw=0.8)
    shown.suptitle(title, fontsize=9)
    return shown


def _points(
    axis: Axes,
    x: np.ndarray,
    value: np.ndarray,
    sigma: np.ndarray,
    step: Step,
    colour: str,
    marker: str,
    label: str = "",
) -> None:
    own = step.frames
    axis.errorbar(
        x[own], value[own], sigma[own], fmt=marker, ms=3.0, lw=0.8, color=colour, label=label or None
    )

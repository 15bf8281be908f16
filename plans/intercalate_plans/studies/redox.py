"""Whether the metal of an oxide follows lithium on charge and comes back on discharge, alike in all cells."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.materials.raman_oxides import OXIDES, RedoxOxide
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION
from intercalate_plans.studies.finding import SIGNIFICANCE, Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, MeasuredCell
from intercalate_plans.studies.solution import MASS_SIGMA

SPECTRA = "raman"
"""Measurement of the study."""

NUMBER, CONTENT = "oxide.oxidation_number", "oxide.x"
SEEN = (0.12, 0.97)
"""Lithium contents by coulometry between which a cell is looked at: beyond, dopant and impurities react."""

EMPTY, FULL = 0.2, 0.9
"""Of the electrode: lithium contents at which charge and discharge are compared."""

MIDDLE = (0.5, 0.6)
LEAST_FRAMES = 8
LEAST_FOLLOWED = 0.5
"""Of the lithium that coulometry tells, above which spectra follow it."""
MOST_LEFT = 0.2
"""Of the oxidation on charge that may stay after discharge, and by which two cells may differ."""


@dataclass(frozen=True)
class Line:
    """Straight line through a quantity against the lithium content by coulometry.

    Attributes
    ----------
    middle, value, slope
        Lithium content in the middle of what was seen, value there, and slope.
    value_sigma, slope_sigma
        By counting or by the scatter of the points, whichever is more; independent of each other.
    """

    middle: float
    value: float
    slope: float
    value_sigma: float
    slope_sigma: float

    def at(self, x: float) -> tuple[float, float]:
        """Value and standard error at a lithium content."""
        away = x - self.middle
        return self.value + self.slope * away, math.hypot(self.value_sigma, self.slope_sigma * away)


@dataclass(frozen=True)
class Course:
    """What one cell did.

    Attributes
    ----------
    oxide
        What it is of.
    before, oxidised, after
        Oxidation numbers of the full electrode, of the empty one, and of the full one again: value and
        statistical error.
    scale_sigma
        Systematic error of a full and of an empty electrode's oxidation number.
    followed
        Change of the lithium content by spectra, in parts of that by coulometry, with its error.
    between
        Share of the ion without bands in the middle, with its error; NaN where there is no spectrum.
    """

    oxide: RedoxOxide
    before: tuple[float, float]
    oxidised: tuple[float, float]
    after: tuple[float, float]
    scale_sigma: tuple[float, float]
    followed: tuple[float, float]
    between: tuple[float, float]

    @property
    def left(self) -> tuple[float, float]:
        """Part of the oxidation on charge that is still there after discharge; NaN where there was none."""
        gained = self.oxidised[0] - self.before[0]
        gained_sigma = math.hypot(self.oxidised[1], self.before[1], *self.scale_sigma)
        if not gained > SIGNIFICANCE * gained_sigma:
            return math.nan, math.nan
        left = (self.after[0] - self.before[0]) / gained
        sigma = math.hypot(self.after[1], self.before[1]) / gained
        return left, math.hypot(sigma, left * gained_sigma / gained)


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Follow the oxidation number of the metal of each cell through charge and discharge, and compare cells.

    Parameters
    ----------
    cells
        Each with Raman spectra `raman` of an oxide.
    published
        Not used: the publication gives no numbers.
    """
    courses, claims, quantities = [], list[Claim](), list[Quantity]()
    for cell in cells.values():
        course = course_of(cell.frames[SPECTRA])
        if course is None:
            claims.append(Claim.undetermined("charge and discharge of every cell are seen"))
            continue
        courses.append(course)
        claims += _claims(course)
        quantities += _quantities(course)
    if len(courses) > 1:
        claims.append(_alike(courses))
    if not courses:
        return Finding("No cell was followed through charge and discharge.", [], claims)
    said = "; ".join(
        f"{one.oxide.key} from {one.before[0]:.2f} to {one.oxidised[0]:.2f} and back to {one.after[0]:.2f}"
        for one in courses
    )
    metal = " and ".join(dict.fromkeys(one.oxide.metal for one in courses))
    return Finding(f"The oxidation number of {metal} goes in {said}.", quantities, claims)


def _claims(course: Course) -> list[Claim]:
    name, (followed, sigma), (left, left_sigma) = course.oxide.key, course.followed, course.left
    away = abs(followed - 1.0) / sigma
    agrees = f"{name}: lithium by band ratios agrees with that by coulometry"
    return [
        Claim.exceeds(f"{name}: band ratios follow lithium on charge", followed, sigma, LEAST_FOLLOWED),
        Claim(agrees, away, away <= SIGNIFICANCE),
        Claim.exceeds(f"{name}: they come back on discharge", MOST_LEFT - left, left_sigma),
    ]


def _alike(courses: Sequence[Course]) -> Claim:
    """That the cells differ by less than what may be left, in the pair that does most."""
    found = [one.left for one in courses]
    low, high = min(found), max(found)
    names = " and ".join(one.oxide.key for one in courses)
    differs = high[0] - low[0] if all(math.isfinite(one[0]) for one in found) else math.nan
    return Claim.exceeds(f"alike in {names}", MOST_LEFT - differs, math.hypot(low[1], high[1]))


def _quantities(course: Course) -> list[Quantity]:
    oxide, (full_sigma, empty_sigma) = course.oxide, course.scale_sigma
    name, metal = oxide.key, oxide.metal

    def number(key: str, when: str, found: tuple[float, float], scale_sigma: float) -> Quantity:
        label = f"oxidation number of {metal} in {name}, {when}"
        return Quantity(f"{key}_{name}", label, found[0], math.hypot(found[1], scale_sigma), "")

    return [
        number("before", f"at x = {FULL:g} on charge", course.before, full_sigma),
        number("oxidised", f"at x = {EMPTY:g} on charge", course.oxidised, empty_sigma),
        number("after", f"at x = {FULL:g} on discharge", course.after, full_sigma),
        Quantity(
            f"between_{name}", f"share of {oxide.unseen_ion} in {name}, in the middle", *course.between, ""
        ),
        Quantity(f"followed_{name}", f"change of x in {name} over that by coulometry", *course.followed, ""),
        Quantity(f"left_{name}", f"part of the oxidation of {name} left after discharge", *course.left, ""),
    ]


def _oxide(frames: xr.Dataset) -> RedoxOxide:
    return OXIDES[frames[CONTENT].attrs["material"]]


def _used(frames: xr.Dataset) -> np.ndarray:
    """Spectra under current that say something, well inside a step."""
    used = np.isfinite(np.asarray(frames["x_positive"], float)) & np.asarray(frames["converged"], bool)
    for name in (NUMBER, CONTENT):
        used &= np.isfinite(np.asarray(frames[name], float))
    for name in ("crosses_step", "in_gap"):
        if name in frames:
            used &= ~np.asarray(frames[name], bool)
    return used & (np.asarray(frames["current_ampere"], float) != 0.0)


def branches(frames: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the spectra on charge, and of those on discharge."""
    x = np.asarray(frames["x_positive"], float)
    used = _used(frames) & (x > SEEN[0]) & (x < SEEN[1])
    current = np.asarray(frames["current_ampere"], float)
    return np.flatnonzero(used & (current > 0)), np.flatnonzero(used & (current < 0))


def course_of(frames: xr.Dataset) -> Course | None:
    """What a cell did; None where too few spectra say so."""
    charge, discharge = branches(frames)
    if min(charge.size, discharge.size) < LEAST_FRAMES:
        return None
    oxide = _oxide(frames)
    there, back = _line(frames, charge, NUMBER), _line(frames, discharge, NUMBER)
    content = _line(frames, charge, CONTENT)
    full_sys, empty_sys = (_systematic(frames, charge, NUMBER, x) for x in (FULL, EMPTY))
    # Strengths of the bands of a full and of an empty electrode are errors of their own.
    scale = oxide.metal_content * math.hypot(full_sys, empty_sys) / (FULL - EMPTY)
    sigma = math.hypot(content.slope_sigma, scale, MASS_SIGMA * content.slope)
    return Course(
        oxide,
        there.at(FULL),
        there.at(EMPTY),
        back.at(FULL),
        (full_sys, empty_sys),
        (content.slope, sigma),
        _between(frames, np.concatenate([charge, discharge]), oxide),
    )


def _line(frames: xr.Dataset, chosen: np.ndarray, name: str) -> Line:
    """Weighted by counting errors; the error of each parameter is the larger of counting and scatter."""
    x, value, sigma = (
        np.asarray(frames[key], float)[chosen] for key in ("x_positive", name, f"{name}_sigma_stat")
    )
    weight = 1.0 / sigma**2
    middle = float(weight @ x / weight.sum())
    spread = float(weight @ (x - middle) ** 2)
    mean = float(weight @ value / weight.sum())
    slope = float(weight @ ((x - middle) * value)) / spread
    rest = value - mean - slope * (x - middle)
    scatter = max(1.0, float(weight @ rest**2) / (x.size - 2))
    return Line(middle, mean, slope, math.sqrt(scatter / float(weight.sum())), math.sqrt(scatter / spread))


def _systematic(frames: xr.Dataset, chosen: np.ndarray, name: str, x: float) -> float:
    """Systematic error of a spectrum at a lithium content: that of the nearest ones."""
    nearest = chosen[np.argsort(np.abs(np.asarray(frames["x_positive"], float)[chosen] - x))[:3]]
    return float(np.mean(np.asarray(frames[f"{name}_sigma_sys"], float)[nearest]))


def _between(frames: xr.Dataset, chosen: np.ndarray, oxide: RedoxOxide) -> tuple[float, float]:
    x, name = np.asarray(frames["x_positive"], float)[chosen], f"share.{oxide.unseen_ion}"
    own = chosen[(x > MIDDLE[0]) & (x < MIDDLE[1])]
    if not own.size:
        return math.nan, math.nan
    value, stat, sys = (
        np.asarray(frames[f"{name}{end}"], float)[own] for end in ("", "_sigma_stat", "_sigma_sys")
    )
    scatter = np.std(value) if own.size > 1 else 0.0
    sigma = max(float(np.sqrt(np.mean(stat**2))), float(scatter)) / math.sqrt(own.size)
    return float(value.mean()), math.hypot(sigma, float(sys.mean()))


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Of each cell: spectra on the way, shares of the ions and voltage by time, oxidation number by x."""
    shown, axes = plt.subplots(
        3, len(cells), figsize=(5.0 * len(cells), 9.0), squeeze=False, layout="constrained"
    )
    for column, cell in zip(axes.T, cells.values()):
        frames = cell.frames[SPECTRA]
        oxide = _oxide(frames)
        column[0].set_title(oxide.key, fontsize=9)
        _spectra(column[0], frames, oxide)
        _shares(column[1], cell, oxide)
        _numbers(column[2], frames, oxide)
    shown.suptitle(title, fontsize=9)
    return shown


def _spectra(axis: Axes, frames: xr.Dataset, oxide: RedoxOxide) -> None:
    """Full, in the middle, empty and full again, above each other."""
    charge, discharge = branches(frames)
    x = np.asarray(frames["x_positive"], float)
    shifts = [band.shift_per_cm for band in oxide.bands]
    shift = np.asarray(frames["shift"], float)
    inside = (shift > min(shifts) - 50.0) & (shift < max(shifts) + 50.0)
    places = ((charge, FULL), (charge, float(np.mean(MIDDLE))), (charge, EMPTY), (discharge, FULL))
    for number, ((branch, at), colour) in enumerate(zip(places, (BLUE, GREEN, VERMILION, ORANGE))):
        if not branch.size:
            continue
        frame = int(branch[np.argmin(np.abs(x[branch] - at))])
        seen = np.asarray(frames["intensity"], float)[frame, inside]
        low, high = np.nanmin(seen), np.nanmax(seen)
        label = f"x = {x[frame]:.2f}, {'discharge' if branch is discharge else 'charge'}"
        axis.plot(
            shift[inside], (seen - low) / (high - low) - 1.1 * number, color=colour, lw=1.0, label=label
        )
    axis.set(xlabel="Raman shift (cm$^{-1}$)", ylabel="Intensity, of its range", yticks=[])
    axis.set_ylim(top=1.8)
    axis.legend(fontsize=7, frameon=False, loc="upper left", ncols=2)


def _shares(axis: Axes, cell: MeasuredCell, oxide: RedoxOxide) -> None:
    frames = cell.frames[SPECTRA]
    hours = np.asarray(frames["test_time_second"], float) / 3600.0
    for ion, colour, marker in zip(oxide.ions, (BLUE, GREEN, VERMILION, ORANGE), "osD^"):
        value, sigma = (np.asarray(frames[f"share.{ion}{end}"], float) for end in ("", "_sigma_stat"))
        axis.errorbar(hours, value, sigma, fmt=marker, ms=2.5, lw=0.7, color=colour, label=ion)
    axis.set(xlabel="Test time (h)", ylabel=f"Share of {oxide.metal}", ylim=(-0.25, 1.3))
    axis.legend(fontsize=7, frameon=False, loc="upper left", ncols=len(oxide.ions))
    other = axis.twinx()
    other.plot(
        np.asarray(cell.records["test_time_second"], float) / 3600.0,
        np.asarray(cell.records["voltage_volt"], float),
        color="0.5",
        lw=0.9,
    )
    other.set_ylabel("Voltage (V)", color="0.5")


def _numbers(axis: Axes, frames: xr.Dataset, oxide: RedoxOxide) -> None:
    x = np.asarray(frames["x_positive"], float)
    value, sigma = (np.asarray(frames[f"{NUMBER}{end}"], float) for end in ("", "_sigma_stat"))
    for own, colour, marker, label in zip(branches(frames), (BLUE, VERMILION), "os", ("charge", "discharge")):
        axis.errorbar(x[own], value[own], sigma[own], fmt=marker, ms=3.0, lw=0.7, color=colour, label=label)
    numbers = np.array(oxide.oxidation_numbers[:: len(oxide.oxidation_numbers) - 1], float)
    axis.plot(
        [oxide.li_content(one) for one in numbers], numbers, color="0.4", lw=0.9, ls="--", label="neutral"
    )
    axis.set(xlabel="x by coulometry", ylabel=f"Oxidation number of {oxide.metal}")
    axis.legend(fontsize=7, frameon=False)

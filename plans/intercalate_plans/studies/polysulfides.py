"""When crystals and species of sulfur come and go on discharge, against the plateaus of the voltage."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.materials.raman_sulfur import DISULFIDE, LONG, SHORT, SPECIES, SULFIDE
from intercalate.reduction.raman import Where
from intercalate.views.operando import BLUE, GREEN, ORANGE, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, MeasuredCell
from intercalate_plans.studies.onsets import Onset, Series, end_of, onset_of

DIFFRACTION = "xrd"
"""Measurement of the study; those of Raman spectra are called by where they are of."""

SOON = 0.2
"""Part of the discharge within which something follows the end of the high plateau soon, or is with it."""
SULFUR_CRYSTAL, SULFIDE_CRYSTAL = "S8", "Li2S"
LEAST_DROP_V = 0.1
"""Between two plateaus."""
EDGES = (0.03, 0.97)
"""Parts of the discharge between which plateaus are looked for: before and after, polarisation changes."""
KEYS = {LONG: "long", SHORT: "s4", DISULFIDE: "s2", SULFIDE: "sulfide"}
"""Of quantities, by species; of which those that stay in the cathode are looked for there alone."""
DISSOLVED = (LONG, SHORT)
COLOURS = dict(zip(SPECIES, (ORANGE, BLUE, GREEN, VERMILION, "0.35")))


@dataclass(frozen=True)
class Plateaus:
    """What the voltage says of a discharge, in h of test time.

    Attributes
    ----------
    start_h, end_h
        Of the current.
    boundary
        Where the voltage passes the middle between both plateaus, with its standard error: half of what it
        takes for the middle half of the way.
    drop_v
        Between the plateaus, with the scatter within them.
    """

    start_h: float
    end_h: float
    boundary: Onset
    drop_v: tuple[float, float]

    @property
    def soon_h(self) -> float:
        """What counts as soon."""
        return SOON * (self.end_h - self.start_h)


@dataclass(frozen=True)
class Course:
    """What one cell did; onsets in h of test time.

    Attributes
    ----------
    electrolyte
        What the salt is dissolved in.
    sulfur_end, sulfide_begin
        When the crystals of sulfur are gone, and when those of Li2S appear.
    begins
        Of each species, by where it is and its name.
    dissolved
        Concentration of long polysulfides in the electrolyte at the end of the high plateau, in mol of sulfur
        per litre.
    """

    electrolyte: str
    plateaus: Plateaus
    sulfur_end: Onset
    sulfide_begin: Onset
    begins: Mapping[tuple[str, str], Onset]
    dissolved: tuple[float, float]


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Place the onset of every species and the course of both crystals beside the plateaus of the voltage.

    Parameters
    ----------
    cells
        Each with diffraction `xrd`, and Raman spectra `cathode` and `electrolyte`, of one discharge.
    published
        Not used: the publication gives no numbers.
    """
    claims, quantities, said = list[Claim](), list[Quantity](), list[str]()
    for cell in cells.values():
        course = course_of(cell)
        if course is None:
            claims.append(Claim.undetermined("the discharge of every cell has two plateaus"))
            continue
        claims += _claims(course)
        quantities += _quantities(course)
        said.append(_sentence(course))
    return Finding("; ".join(said) or "No discharge has two plateaus.", quantities, claims)


def course_of(cell: MeasuredCell) -> Course | None:
    """What a cell did; None where its voltage has no two plateaus."""
    plateaus = plateaus_of(cell.records)
    if plateaus is None:
        return None
    crystals = cell.frames[DIFFRACTION]
    places = {str(where): cell.frames[where] for where in (Where.CATHODE, Where.ELECTROLYTE)}
    looked_for = [(str(Where.CATHODE), name) for name in KEYS]
    looked_for += [(str(Where.ELECTROLYTE), name) for name in DISSOLVED]
    dissolved = series_of(places[Where.ELECTROLYTE], f"{Where.ELECTROLYTE}.{LONG}")
    return Course(
        str(crystals.attrs.get("electrolyte", "")).rpartition(" in ")[2],
        plateaus,
        end_of(series_of(crystals, f"amount.{SULFUR_CRYSTAL}")),
        onset_of(series_of(crystals, f"amount.{SULFIDE_CRYSTAL}")),
        {(where, name): onset_of(series_of(places[where], f"{where}.{name}")) for where, name in looked_for},
        _near(dissolved, plateaus.boundary[0]),
    )


def plateaus_of(records: xr.Dataset) -> Plateaus | None:
    """Find the two plateaus of a discharge in its voltage; None where there are none."""
    hours, voltage, current = (
        np.asarray(records[name], float) for name in ("test_time_second", "voltage_volt", "current_ampere")
    )
    hours = hours / 3600.0
    under = np.flatnonzero((current < 0.0) & np.isfinite(voltage))
    if under.size < 50:
        return None
    start, end = float(hours[under[0]]), float(hours[under[-1]])
    first, last = (start + part * (end - start) for part in EDGES)
    inside = under[(hours[under] > first) & (hours[under] < last)]
    # The voltage between both classes whose variance within is least (N. Otsu, 1979).
    ordered = np.sort(voltage[inside])
    count = np.arange(1, ordered.size)
    total, sums = ordered.sum(), np.cumsum(ordered)[:-1]
    apart = sums / count - (total - sums) / (ordered.size - count)
    split = int(np.argmax(count * (ordered.size - count) * apart**2))
    threshold = (ordered[split] + ordered[split + 1]) / 2
    high, low = (
        voltage[inside][which] for which in (voltage[inside] > threshold, voltage[inside] <= threshold)
    )
    levels = float(np.median(high)), float(np.median(low))
    drop = levels[0] - levels[1]
    scatter = math.hypot(*(1.4826 * float(np.median(np.abs(one - np.median(one)))) for one in (high, low)))
    if not drop > LEAST_DROP_V:
        return None
    passed = [_passes(hours[inside], voltage[inside], levels[1] + part * drop) for part in (0.75, 0.5, 0.25)]
    spacing = float(np.median(np.diff(hours[inside]))) / math.sqrt(12.0)
    sigma = math.hypot((passed[2] - passed[0]) / 2, spacing)
    return Plateaus(start, end, (passed[1], sigma), (drop, scatter))


def _passes(hours: np.ndarray, voltage: np.ndarray, level: float) -> float:
    """When the voltage falls below a level for the first time."""
    at = int(np.argmax(voltage < level))
    if at == 0:
        return float(hours[0])
    share = (voltage[at - 1] - level) / (voltage[at - 1] - voltage[at])
    return float(hours[at - 1] + share * (hours[at] - hours[at - 1]))


def series_of(frames: xr.Dataset, name: str) -> Series:
    """A quantity by test time in h, where it is known."""
    value, stat, sys = (
        np.asarray(frames[f"{name}{end}"], float) for end in ("", "_sigma_stat", "_sigma_sys")
    )
    used = np.isfinite(value) & np.isfinite(stat) & np.isfinite(sys)
    if "in_gap" in frames:
        used &= ~np.asarray(frames["in_gap"], bool)
    hours = np.asarray(frames["test_time_second"], float) / 3600.0
    return Series(hours[used], value[used], stat[used], sys[used])


def _near(series: Series, hours: float) -> tuple[float, float]:
    """Mean of the three frames nearest to a time; undetermined where nothing was found."""
    if not series.is_found:
        return math.nan, math.nan
    around = np.argsort(np.abs(series.time - hours))[:3]
    stat = float(np.sqrt(np.sum(series.stat[around] ** 2))) / series.stat[around].size
    return float(series.value[around].mean()), math.hypot(stat, float(series.sys[around].mean()))


def _claims(course: Course) -> list[Claim]:
    name, plateaus = course.electrolyte, course.plateaus
    boundary, soon = plateaus.boundary, plateaus.soon_h
    claims = [
        Claim.exceeds(f"{name}: the voltage has two plateaus", *plateaus.drop_v),
        _before(
            f"{name}: crystals of sulfur are gone when the low plateau is reached",
            course.sulfur_end,
            boundary,
            -soon,
        ),
        _with(f"{name}: crystals of Li2S appear with the low plateau", course.sulfide_begin, boundary, soon),
    ]
    for (where, species), found in course.begins.items():
        place = "on the cathode" if where == Where.CATHODE else "in the electrolyte"
        if species == LONG:
            text = f"{name}: long polysulfides are {place} on the high plateau"
            claims.append(_before(text, found, boundary, soon / 2))
        else:
            text = f"{name}: {species} is {place} soon after the low plateau begins, and not before"
            claims.append(_with(text, found, boundary, soon))
    return claims


def _before(text: str, found: Onset, boundary: Onset, by: float) -> Claim:
    """Something is more than so many hours before the boundary."""
    if not math.isfinite(found[0]):
        return Claim.undetermined(text)
    return Claim.exceeds(text, boundary[0] - by - found[0], math.hypot(found[1], boundary[1]))


def _with(text: str, found: Onset, boundary: Onset, within: float) -> Claim:
    """Something is no more than so many hours away from the boundary."""
    if not math.isfinite(found[0]):
        return Claim.undetermined(text)
    return Claim.exceeds(text, within - abs(found[0] - boundary[0]), math.hypot(found[1], boundary[1]))


def _quantities(course: Course) -> list[Quantity]:
    name = course.electrolyte
    found = [
        Quantity(f"boundary_{name}", f"end of the high plateau, {name}", *course.plateaus.boundary, "h"),
        Quantity(f"s8_end_{name}", f"crystals of sulfur gone, {name}", *course.sulfur_end, "h"),
        Quantity(f"li2s_begin_{name}", f"crystals of Li2S appear, {name}", *course.sulfide_begin, "h"),
    ]
    for (where, species), onset in course.begins.items():
        key = f"{KEYS[species]}_{where}_{name}"
        found.append(Quantity(key, f"{species} appears, {where}, {name}", *onset, "h"))
    label = f"long polysulfides dissolved at the end of the high plateau, {name}"
    return [*found, Quantity(f"dissolved_{name}", label, *course.dissolved, "mol of S per L")]


def _sentence(course: Course) -> str:
    def at(onset: Onset) -> str:
        return f"at {onset[0]:.1f} h" if math.isfinite(onset[0]) else "never"

    cathode = {name: onset for (where, name), onset in course.begins.items() if where == Where.CATHODE}
    said = ", ".join(f"{name} {at(onset)}" for name, onset in cathode.items())
    return (
        f"in {course.electrolyte} the high plateau ends {at(course.plateaus.boundary)}, crystals of sulfur "
        f"are gone {at(course.sulfur_end)}, those of Li2S appear {at(course.sulfide_begin)}, and on the "
        f"cathode {said}"
    )


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Of each cell voltage, crystals, species on the cathode and in the electrolyte, on one axis of time."""
    shown, axes = plt.subplots(
        4, len(cells), figsize=(5.6 * len(cells), 9.6), squeeze=False, sharex="col", layout="constrained"
    )
    for column, cell in zip(axes.T, cells.values()):
        course = course_of(cell)
        hours = np.asarray(cell.records["test_time_second"], float) / 3600.0
        column[0].plot(hours, np.asarray(cell.records["voltage_volt"], float), color="0.2", lw=1.0)
        column[0].set_ylabel("Voltage (V)")
        _amounts(column[1], cell.frames[DIFFRACTION], {f"amount.{one}": one for one in ("S8", "Li2S")}, None)
        column[1].set_ylabel("Crystals, of the\nS8 of the first frame")
        for axis, where, unit in (
            (column[2], Where.CATHODE, "S per C"),
            (column[3], Where.ELECTROLYTE, "mol of S / L"),
        ):
            _amounts(
                axis, cell.frames[where], {f"{where}.{one}": one for one in SPECIES}, (course, str(where))
            )
            axis.set_ylabel(f"Raman, {where}\n({unit})")
        column[3].set_xlabel("Test time (h)")
        if course is not None:
            column[0].set_title(course.electrolyte, fontsize=9)
            boundary, sigma = course.plateaus.boundary
            for axis in column:
                axis.axvline(boundary, color="0.6", lw=0.9, ls="--")
                axis.axvspan(boundary - sigma, boundary + sigma, color="0.9", zorder=0)
    shown.suptitle(title, fontsize=9)
    return shown


def _amounts(
    axis: Axes, frames: xr.Dataset, names: Mapping[str, str], onsets: tuple[Course | None, str] | None
) -> None:
    """Amounts by time, with a mark below where each is found to begin."""
    colours = COLOURS | {SULFIDE_CRYSTAL: VERMILION}
    for name, label in names.items():
        one = series_of(frames, name)
        if not one.time.size:
            continue
        axis.errorbar(
            one.time, one.value, one.stat, fmt="o", ms=2.2, lw=0.6, color=colours[label], label=label
        )
        axis.fill_between(
            one.time, one.value - one.sys, one.value + one.sys, color=colours[label], alpha=0.15, lw=0
        )
        course, where = onsets or (None, "")
        found = None if course is None else course.begins.get((where, label))
        if found is not None and math.isfinite(found[0]):
            axis.annotate(
                "",
                (found[0], 0.0),
                (found[0], -0.09),
                xycoords=("data", "axes fraction"),
                textcoords=("data", "axes fraction"),
                arrowprops={"arrowstyle": "->", "color": colours[label]},
            )
    axis.axhline(0.0, color="0.7", lw=0.6)
    axis.margins(y=0.18)
    axis.legend(fontsize=6.5, frameon=False, loc="upper right", ncols=len(names))

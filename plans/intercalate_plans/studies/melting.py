"""Whether a passivation layer outlasts the melting of the metal below it, which freezes as other grains."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.materials.electron_range import LITHIUM_MELTS_C
from intercalate.reduction.ebsd import HeatedVisit, OrientationMapError, melting, patterns_of
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, MeasuredCell

IMAGES, MAPS = "sem", "ebsd"
"""Measurements of the study."""

SAME_TEMPERATURE_K = 3.0
"""Within which an image and a map belong together; the stage settles within 0.5 K."""


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare the relief above melting with that before, and the grains after cooling with those before.

    Parameters
    ----------
    cells
        One, with secondary electron images `sem` and orientation maps `ebsd`, taken in turn at each
        temperature.
    """
    (cell,) = cells.values()
    images, maps = cell.frames[IMAGES], cell.frames[MAPS]
    try:
        found = melting(
            [_visit(images, maps, *pair) for pair in visits(cell)],
            _after_cooling(maps),
            _hottest(images),
        )
    except OrientationMapError as error:
        text = f"Nothing can be said of melting: {error}."
        return Finding(text, [], [Claim.undetermined("the sample was seen below and above melting")])
    quantities = [
        Quantity(one.name, one.label, one.estimate.value, one.estimate.sigma, one.unit)
        for one in found.observations
    ]
    claims = [Claim(one.text, one.sigmas, one.holds) for one in found.claims]
    return Finding(f"{found.text[:1].upper()}{found.text[1:]}.", quantities, claims)


def visits(cell: MeasuredCell) -> Sequence[tuple[int, int]]:
    """Numbers of the images, each with that of the map that was taken next to it at the same temperature."""
    images, maps = cell.frames[IMAGES], cell.frames[MAPS]
    found = []
    for number in range(images.sizes["frame"]):
        apart_k = abs(_temperature(maps) - _temperature(images)[number])
        apart_s = abs(_time(maps) - _time(images)[number])
        apart_s = np.where(apart_k <= SAME_TEMPERATURE_K, apart_s, np.inf)
        if np.isfinite(apart_s).any():
            found.append((number, int(np.nanargmin(apart_s))))
    return found


def _temperature(frames: xr.Dataset) -> np.ndarray:
    return np.asarray(frames["chamber_temperature_c"], float)


def _time(frames: xr.Dataset) -> np.ndarray:
    return np.asarray(frames["test_time_second"], float)


def _estimate(frames: xr.Dataset, name: str, number: int) -> Estimate:
    """Of a frame; undetermined where no frame has it."""
    if name not in frames:
        return UNDETERMINED
    return Estimate(*(float(frames[f"{name}{end}"][number]) for end in ("", "_sigma_stat", "_sigma_sys")))


def _visit(images: xr.Dataset, maps: xr.Dataset, image: int, number: int) -> HeatedVisit:
    points = maps.sizes["row"] * maps.sizes["column"]
    return HeatedVisit(
        float(_temperature(images)[image]),
        _estimate(images, "coverage", image),
        patterns_of(float(maps["pattern_share"][number]), points),
    )


def _hottest(images: xr.Dataset) -> Estimate:
    """Relief of the hottest image that is that of the first."""
    return _estimate(images, "same_relief", int(np.argmax(_temperature(images))))


def _after_cooling(maps: xr.Dataset) -> Estimate:
    """Area of the same grains in the last map of all, if it is one after cooling."""
    temperature_c, time_s = _temperature(maps), _time(maps)
    last, hottest = int(np.argmax(time_s)), int(np.argmax(temperature_c))
    if temperature_c[last] >= LITHIUM_MELTS_C or time_s[last] <= time_s[hottest]:
        return UNDETERMINED
    return _estimate(maps, "same_area", last)


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Images, orientation maps, and what of them is as before, from temperature to temperature."""
    (cell,) = cells.values()
    images, maps = cell.frames[IMAGES], cell.frames[MAPS]
    pairs = visits(cell)
    shown = Figure(figsize=(max(2.4 * len(pairs), 6.0), 7.4), layout="constrained")
    shown.suptitle(title, fontsize=10)
    grid = shown.add_gridspec(3, max(len(pairs), 1), height_ratios=(1, 1, 0.8))
    for column, (image, number) in enumerate(pairs):
        relief, crystal = (shown.add_subplot(grid[row, column]) for row in range(2))
        field_um = float(images["column_field_of_view_um"][image])
        relief.imshow(images["thumbnail"][image], cmap="gray", extent=(0, field_um, field_um, 0))
        side_um = float(maps["step_um"][number]) * maps.sizes["column"]
        crystal.imshow(maps["colour"][number], extent=(0, side_um, side_um, 0))
        relief.set_title(f"{_temperature(images)[image]:.0f} °C", fontsize=9)
        for axis in (relief, crystal):
            axis.tick_params(labelsize=7)
            axis.set_xlabel("µm", fontsize=7)
    axis = shown.add_subplot(grid[2, :])
    rows = (
        ("covered share", images, "coverage", "o-"),
        ("same relief", images, "same_relief", "s-"),
        ("same grains", maps, "same_area", "d-"),
    )
    for label, frames, name, style in rows:
        chosen = [pair[0 if frames is images else 1] for pair in pairs]
        all_of = [_estimate(frames, name, one) for one in chosen]
        value, sigma = [one.value for one in all_of], [one.sigma for one in all_of]
        axis.errorbar(range(len(pairs)), value, yerr=sigma, fmt=style, ms=4, lw=0.8, label=label)
    share = [float(maps["pattern_share"][number]) for _, number in pairs]
    axis.plot(range(len(pairs)), share, "^-", ms=4, lw=0.8, label="points with a pattern")
    axis.set_xticks(range(len(pairs)), [f"{_temperature(images)[one]:.0f} °C" for one, _ in pairs])
    axis.set(ylabel="Share of the field", ylim=(-0.05, 1.05))
    axis.legend(fontsize=7, frameon=False, ncols=2)
    return shown

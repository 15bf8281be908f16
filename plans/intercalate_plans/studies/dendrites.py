"""Whether lithium grows as moss at low and as needles at high current density, and shorts the cell then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.reduction.micrographs import (
    DepositClass,
    GrowthAt,
    MicrographError,
    growth_against_current,
    needle_share,
)
from intercalate.reduction.results import Estimate
from intercalate.views.operando import BLUE, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, MeasuredCell

IMAGES = "sem"
"""Measurement of the study."""

LEAST_FIELDS = 4
FLOWING = 0.5
"""Of the largest current, from which on a record counts as one under current."""
SHORTED = 0.2
"""Of the voltage that a cell had under its current before, below which it is shorted."""
LEAST_RECORDS = 5
"""Under current, of which the middle is that voltage."""


@dataclass(frozen=True)
class SeenField:
    """One image, by the classes of what it shows."""

    coverage_of: Mapping[DepositClass, Estimate]


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Compare what has grown at two current densities, and look for a short circuit in the voltage.

    Parameters
    ----------
    cells
        Each with micrographs `sem` of several fields of a face of lithium, plated at one current density.
    """
    try:
        series = [growth_of(one) for one in cells.values()]
        found = growth_against_current(series)
    except MicrographError as error:
        return Finding(f"Nothing can be said of growth: {error}.", [], [Claim.undetermined("growth is seen")])
    quantities = [
        Quantity(one.name, one.label, one.estimate.value, one.estimate.sigma, one.unit)
        for one in found.observations
        if np.isfinite(one.estimate.value)
    ]
    claims = [Claim(one.text, one.sigmas, one.holds) for one in found.claims]
    return Finding(f"{found.text[:1].upper()}{found.text[1:]}.", quantities, claims)


def growth_of(cell: MeasuredCell) -> GrowthAt:
    """What was seen at the current density of a cell.

    Raises
    ------
    MicrographError
        If too few of its images are of use, or its area is not known.
    """
    images = cell.frames[IMAGES]
    used = np.flatnonzero(np.asarray(images["note"]).astype(str) == "")
    if used.size < LEAST_FIELDS:
        raise MicrographError(f"{used.size} images of a cell are of use, {LEAST_FIELDS} are the least")
    needles = used[np.asarray(images["habit"]).astype(str)[used] == DepositClass.NEEDLE]
    seen_s = np.asarray(images["test_time_second"], float)[needles]
    return GrowthAt(
        current_density(cell),
        [_field(images, int(number)) for number in used],
        float(seen_s.min()) if seen_s.size else None,
        short_at_s(cell.records),
    )


def _field(images: xr.Dataset, number: int) -> SeenField:
    found = {}
    for kind in (DepositClass.NEEDLE, DepositClass.MOSSY, DepositClass.GLOBULAR):
        name = f"coverage.{kind}"
        values = (float(images[f"{name}{end}"][number]) for end in ("", "_sigma_stat", "_sigma_sys"))
        found[kind] = Estimate(*values)
    return SeenField(found)


def current_density(cell: MeasuredCell) -> float:
    """Of plating, in mA/cm2: by the charge per area that the images tell, over the charge.

    Raises
    ------
    MicrographError
        If nobody knows the area.
    """
    images = cell.frames[IMAGES]
    charge_mah = 1000.0 * np.asarray(images["net_capacity_ah"], float)
    per_area = (
        np.asarray(images["charge_mah_cm2"], float) if "charge_mah_cm2" in images else charge_mah * np.nan
    )
    area_cm2 = float(np.nanmedian(charge_mah / per_area)) if np.isfinite(per_area).any() else float("nan")
    if not area_cm2 > 0:
        raise MicrographError("the area of the cell is not known; say area_cm2 in its file")
    current_ma = 1000.0 * np.asarray(cell.records["current_ampere"], float)
    return float(np.median(current_ma[_flowing(cell.records)])) / area_cm2


def _flowing(records: xr.Dataset) -> np.ndarray:
    current = abs(np.asarray(records["current_ampere"], float))
    return current > FLOWING * current.max()


def short_at_s(records: xr.Dataset) -> float | None:
    """Test time of the first record under current with the voltage of a short circuit; None without one."""
    under = np.flatnonzero(_flowing(records))
    voltage = abs(np.asarray(records["voltage_volt"], float)[under])
    for number in range(LEAST_RECORDS, under.size):
        if voltage[number] < SHORTED * float(np.median(voltage[:number])):
            return float(np.asarray(records["test_time_second"], float)[under[number]])
    return None


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Two fields of each cell, their needles, and the voltage against the charge."""
    ordered = sorted(cells.values(), key=current_density)
    shown = Figure(figsize=(9.6, 7.2), layout="constrained")
    shown.suptitle(title, fontsize=10)
    grid = shown.add_gridspec(2, 4)
    for row, cell in enumerate(ordered[:: max(len(ordered) - 1, 1)][:2]):
        images = cell.frames[IMAGES]
        for column, number in enumerate(range(min(2, images.sizes["frame"]))):
            axis = shown.add_subplot(grid[row, column])
            field_um = float(images["column_field_of_view_um"][number])
            axis.imshow(images["thumbnail"][number], cmap="gray", extent=(0, field_um, field_um, 0))
            axis.set_xlabel("µm", fontsize=7)
            axis.tick_params(labelsize=7)
            axis.set_title(
                f"{current_density(cell):.2g} mA/cm²: {images['habit'][number].values!s}", fontsize=8
            )
    _voltages(shown.add_subplot(grid[0, 2:]), ordered)
    _shares(shown.add_subplot(grid[1, 2:]), ordered)
    return shown


def _voltages(axis: Axes, cells: Sequence[MeasuredCell]) -> None:
    for cell, colour in zip(cells, (BLUE, VERMILION)):
        under = _flowing(cell.records)
        charge = 1000.0 * np.asarray(cell.records["net_capacity_ah"], float)[under]
        voltage = 1000.0 * np.asarray(cell.records["voltage_volt"], float)[under]
        label = f"{current_density(cell):.2g} mA/cm²"
        axis.semilogy(charge, np.maximum(voltage, 1e-2), lw=1.0, color=colour, label=label)
    axis.set(xlabel="Charge (mAh)", ylabel="Voltage under current (mV)")
    axis.legend(fontsize=7, frameon=False)


def _shares(axis: Axes, cells: Sequence[MeasuredCell]) -> None:
    for cell, colour in zip(cells, (BLUE, VERMILION)):
        found = growth_of(cell)
        each = [needle_share([one]).value for one in found.fields]
        axis.semilogx([found.current_density_ma_cm2] * len(each), each, "o", ms=3, alpha=0.5, color=colour)
        share = needle_share(found.fields)
        axis.errorbar(found.current_density_ma_cm2, share.value, yerr=share.sigma, fmt="s", color=colour)
    axis.axhline(0.5, lw=0.8, color="0.5")
    axis.set(xlabel="Current density (mA/cm²)", ylabel="Needles in all that has grown", ylim=(-0.05, 1.05))

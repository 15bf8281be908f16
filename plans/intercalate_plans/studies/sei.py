"""In which order groups of compounds begin to grow on lithium."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.reduction.xps import AmountSeries, SeiSteps, XpsError, amount_series, sei_steps
from intercalate.views.xps import growth_figure
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

GROUPS: Mapping[str, tuple[str, ...]] = {
    "primary": ("Li3N N 1s", "LiF F 1s"),
    "secondary": ("Li2S2O3 S 2p central", "Li2S4O6 S 2p sulfonate", "Li2CO3 C 1s"),
    "polysulfide": ("Li2S6 S 2p bridging", "Li2S S 2p"),
}
"""Lines that belong to one group alone, in the order in which the groups are said to come."""

LABELS = {
    "primary": "primary compounds of lithium",
    "secondary": "secondary products",
    "polysulfide": "polysulfides",
}


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Find when each group begins to grow, and whether each begins after the one before.

    Parameters
    ----------
    cells
        One, with photoelectron spectra of its lithium over time.
    published
        Not used: the publication gives an order and no numbers.
    """
    _, frames = only(cells)
    try:
        _, steps = _steps(frames)
    except XpsError as error:
        return Finding(f"No growth: {error}.", [], [Claim.undetermined("the layer is followed over time")])
    quantities, claims = [], []
    for group, one in steps.onsets.items():
        onset = one.onset_h
        quantities.append(Quantity(f"onset_{group}", f"{LABELS[group]} from", onset.value, onset.sigma, "h"))
        claims.append(Claim.exceeds(f"{LABELS[group]} grow", one.growth_sigmas, 1.0))
    for early, late in pairwise(GROUPS):
        text = f"{LABELS[late]} begin after {LABELS[early]}"
        first, second = steps.onsets[early].onset_h, steps.onsets[late].onset_h
        sigma = float(np.hypot(first.sigma, second.sigma))
        claims.append(Claim.exceeds(text, second.value - first.value, sigma))
    return Finding(f"On lithium: {steps.reason}.", quantities, claims)


def _steps(frames: xr.Dataset) -> tuple[AmountSeries, SeiSteps]:
    """Amounts over time, and what grows when."""
    if "component_nm" not in frames or "acquisition_test_time_second" not in frames:
        raise XpsError("the spectra give no amounts over time")
    hours = np.asarray(frames["acquisition_test_time_second"], float) / 3600.0
    known = np.flatnonzero(np.isfinite(hours) & np.asarray(frames["converged"], bool))
    amounts = [_amounts(frames.isel(acquisition=number)) for number in known]
    series = amount_series(hours[known].tolist(), amounts)
    return series, sei_steps(series, list(GROUPS))


def _amounts(row: xr.Dataset) -> dict[str, Estimate]:
    """Of each group at one acquisition: the sum over its lines."""
    names = np.asarray(row["component"]).astype(str)
    columns = [np.asarray(row[f"component_nm{end}"], float) for end in ("", "_sigma_stat", "_sigma_sys")]
    found = {}
    for group, lines in GROUPS.items():
        chosen = np.isin(names, [f"film: {line}" for line in lines])
        if chosen.sum() != len(lines):
            found[group] = UNDETERMINED
            continue
        value, stat, sys = (column[chosen] for column in columns)
        # Counting differs from line to line; what is not known of the analyser is common to all.
        found[group] = Estimate(float(value.sum()), float(np.hypot.reduce(stat)), float(sys.sum()))
    return found


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Amount of each group over time, with its onset."""
    _, frames = only(cells)
    try:
        series, steps = _steps(frames)
    except XpsError:
        shown = Figure(figsize=(6.0, 2.0))
        shown.suptitle(title, fontsize=9)
        return shown
    return growth_figure(series, steps, title, LABELS)

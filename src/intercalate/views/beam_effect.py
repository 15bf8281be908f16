"""The figure of what the beam did to a cell."""

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg", force=False)
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intercalate.beam_effect import MGY, Comparison, Difference
from intercalate.views.operando import BLUE, VERMILION


def beam_effect_figure(comparison: Comparison, title: str) -> Figure:
    """Difference between exposed spot and control, a panel for each quantity, against dose or, without, time.

    Thick bars are counting errors, thin ones all errors; what is beyond chance is in another colour.

    Raises
    ------
    ValueError
        If nothing was compared.
    """
    names = list(dict.fromkeys(one.quantity for one in comparison.differences))
    if not names:
        raise ValueError(comparison.sentence())
    figure, axes = plt.subplots(
        len(names), 1, sharex=True, figsize=(6.5, 1.5 * len(names) + 0.9), layout="constrained", squeeze=False
    )
    known = all(math.isfinite(one.dose_gy) for one in comparison.differences)
    for axis, name in zip(axes[:, 0], names, strict=True):
        shown = [one for one in comparison.differences if one.quantity == name]
        _panel(axis, shown, comparison.threshold, known)
    label = "Dose of the exposed spot (MGy)" if known else "Test time (h)"
    axes[-1, 0].set_xlabel(label)
    control = "twin" if comparison.is_twin else "fresh spot"
    figure.suptitle(f"{title}: exposed spot minus {control}", fontsize=10)
    return figure


def save_beam_effect_figure(path: Path, comparison: Comparison, title: str) -> None:
    """Write the figure as PNG."""
    figure = beam_effect_figure(comparison, title)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def _panel(axis: Axes, shown: list[Difference], threshold: float, by_dose: bool) -> None:
    axis.axhline(0.0, color="0.6", lw=0.8)
    for one in shown:
        x = one.dose_gy / MGY if by_dose else one.test_time_s / 3600.0
        colour = VERMILION if abs(one.significance) > threshold else BLUE
        axis.errorbar(x, one.value, yerr=one.sigma, fmt="o", ms=3.5, lw=0.8, capsize=2.5, color=colour)
        axis.errorbar(x, one.value, yerr=one.sigma_stat, fmt="none", lw=2.4, color=colour)
    first = shown[0]
    name = first.quantity.replace("_", " ").replace(".", " ")
    axis.set_ylabel(f"Δ {name}\n({'Å' if first.unit == 'angstrom' else 'share'})", fontsize=8)
    axis.tick_params(labelsize=8)
    low, high = axis.get_ylim()
    most = float(np.max(np.abs([low, high])))
    axis.set_ylim(-most, most)

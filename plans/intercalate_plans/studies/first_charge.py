"""How the layers of a lithium-rich oxide move in its first charge: apart, then together on the plateau."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from intercalate.views.operando import BLUE, GREEN, VERMILION
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.graphite import Series, fitted
from intercalate_plans.studies.measured import Cells, only
from intercalate_plans.studies.plateaus import Step, constant_current_step

OXIDE = "Li-rich NMC"
CONSTANT = 0.25
"""Part of the change before the plateau, below which a change on it counts as none."""
LEAST_FRAMES = 6


@dataclass(frozen=True)
class Change:
    """A difference of two frames in A, with its standard error."""

    value: float
    sigma: float


@dataclass(frozen=True)
class Turn:
    """Where c is largest, between frames before and after.

    Attributes
    ----------
    passed_ah
        Charge of the step until then.
    voltage_v, sigma_v
        Of the cell; it may lie anywhere between the frames beside the largest.
    """

    passed_ah: float
    voltage_v: float
    sigma_v: float


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Find the voltage at which c turns, and say by how much c and a change before and after.

    Parameters
    ----------
    cells
        One, with a step at constant current; its frames with `Li-rich NMC.a` and `.c`.
    published
        `turning_v`, where the plateau begins.
    """
    step, a, c = _followed(cells)
    turn = _turn(step, c)
    if turn is None:
        text = f"The axis c has no largest value within the charge ({c.at.size} frames show it)."
        return Finding(text, [], [Claim.undetermined("c rises, and falls again")])
    rise, fall = _changes(c, turn)
    before, on = _changes(a, turn)
    voltage = Quantity("turning_v", "voltage where c is largest", turn.voltage_v, turn.sigma_v, "V")
    quantities = [
        voltage,
        Quantity("c_before_angstrom", "change of c until then", rise.value, rise.sigma, "A"),
        Quantity("c_after_angstrom", "change of c from there on", fall.value, fall.sigma, "A"),
        Quantity("a_before_angstrom", "change of a until then", before.value, before.sigma, "A"),
        Quantity("a_after_angstrom", "change of a from there on", on.value, on.sigma, "A"),
    ]
    slack = CONSTANT * abs(before.value) - abs(on.value)
    claims = [
        Claim.exceeds("c rises at first", rise.value, rise.sigma),
        Claim.exceeds("c falls again before the end of the charge", -fall.value, fall.sigma),
        Claim.agrees("it turns where the plateau begins", voltage, published["turning_v"]),
        Claim.exceeds("a falls until then", -before.value, before.sigma),
        Claim.exceeds(
            "a stays on the plateau, as against that", slack, math.hypot(CONSTANT * before.sigma, on.sigma)
        ),
    ]
    text = (
        f"Until {turn.voltage_v:.2f} V c changes by {rise.value:+.3f} A and a by {before.value:+.4f} A; from "
        f"there on c by {fall.value:+.3f} A and a by {on.value:+.4f} A."
    )
    return Finding(text, quantities, claims)


def _followed(cells: Cells) -> tuple[Step, Series, Series]:
    """The charge, and a and c during it, by the charge that has passed."""
    records, frames = only(cells)
    step = constant_current_step(records)
    passed_ah = step.passed_ah(np.asarray(frames["net_capacity_ah"], float))
    a, c = (fitted(_charging(frames), passed_ah, f"{OXIDE}.{name}") for name in "ac")
    return step, a, c


def _charging(frames: xr.Dataset) -> xr.Dataset:
    """What crosses into another step is of neither."""
    if "crosses_step" not in frames:
        return frames
    left_out = np.asarray(frames["crosses_step"], bool)
    return frames.assign(in_gap=("frame", left_out | np.asarray(frames["in_gap"], bool)))


def _turn(step: Step, c: Series) -> Turn | None:
    """None where too few frames are known, or the largest is the first or the last."""
    if c.at.size < LEAST_FRAMES:
        return None
    most = int(np.argmax(c.value))
    if most in (0, c.at.size - 1):
        return None
    before_v, at_v, after_v = (
        float(np.interp(c.at[number], step.charge_ah, step.voltage_v))
        for number in (most - 1, most, most + 1)
    )
    return Turn(float(c.at[most]), at_v, (after_v - before_v) / math.sqrt(12))


def _changes(series: Series, turn: Turn) -> tuple[Change, Change]:
    """From the first frame to the turn, and from there to the last."""
    if series.at.size < LEAST_FRAMES:
        return Change(math.nan, math.nan), Change(math.nan, math.nan)
    at = int(np.argmin(abs(series.at - turn.passed_ah)))
    found = [
        Change(
            float(series.value[last] - series.value[first]),
            float(math.hypot(series.sigma[last], series.sigma[first])),
        )
        for first, last in ((0, at), (at, series.at.size - 1))
    ]
    return found[0], found[1]


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Voltage, c and a by the charge that has passed; published voltage and what was found of it."""
    step, a, c = _followed(cells)
    turn = _turn(step, c)
    shown, axes = plt.subplots(3, 1, sharex=True, figsize=(6.5, 7.0), layout="constrained")
    axes[0].plot(1000.0 * step.charge_ah, step.voltage_v, color=BLUE, lw=1.2)
    known = published["turning_v"]
    axes[0].axhspan(
        known.value - known.half_width, known.value + known.half_width, color="0.6", alpha=0.4, lw=0
    )
    axes[0].set_ylabel("Voltage (V)")
    for axis, series, colour, name in ((axes[1], c, GREEN, "c"), (axes[2], a, VERMILION, "a")):
        axis.errorbar(1000.0 * series.at, series.value, series.sigma, fmt="o", ms=3, lw=0.8, color=colour)
        axis.set_ylabel(f"{name} (Å)")
    if turn is not None:
        for axis in axes:
            axis.axvline(1000.0 * turn.passed_ah, color="0.5", lw=0.9, ls="--")
        axes[0].errorbar(
            1000.0 * turn.passed_ah, turn.voltage_v, turn.sigma_v, fmt="o", ms=4, color="black", lw=1.2
        )
    axes[0].set_title("grey: published; black: where c is largest", fontsize=7)
    axes[-1].set_xlabel("Charge passed (mAh)")
    shown.align_ylabels(axes)
    shown.suptitle(title, fontsize=9)
    return shown

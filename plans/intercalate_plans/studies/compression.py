"""Whether the axes of a cell give way to pressure unlike each other, and nothing else happens."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.materials import Mark, Source
from intercalate.pressed_results import equation_of_state
from intercalate.reduction.pressure import AXES
from intercalate.views.pressure import pressure_figure
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

RANKED = ("a", "c", "b")
"""Axes of LiFePO4 (Pnma), the most compressible first."""
RANKED_SOURCE = Source(
    "row sums of the compliances that belong to the computed stiffnesses of T. Maxisch and G. Ceder, "
    "Phys. Rev. B 73 (2006) 174112",
    Mark.RECALLED,
)
SMALLEST_STEP = 0.005
"""Of the volume: a transition that is looked for changes it by more."""


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Fit equations of state to volume and lengths by the pressure of the marker, and look for a step.

    Parameters
    ----------
    cells
        One sample between diamonds, on no cycler.
    published
        `bulk_modulus_gpa`.
    """
    _, frames = only(cells)
    found = equation_of_state(frames)
    modulus, highest = found.modulus_gpa, _highest(frames)
    quantities = [
        Quantity("highest_gpa", "pressed to", *highest, "GPa"),
        Quantity("bulk_modulus_gpa", "bulk modulus", modulus.value, modulus.sigma, "GPa"),
        Quantity("slope", "its slope", found.slope.value, found.slope.sigma, ""),
        *(
            Quantity(
                f"compressibility_{axis}",
                f"compressibility of {axis}",
                1e3 * one.value,
                1e3 * one.sigma,
                "1/TPa",
            )
            for axis, one in found.compressibility.items()
        ),
        Quantity(
            "volume_step", "largest step of the volume", 100 * found.jump.value, 100 * found.jump.sigma, "%"
        ),
    ]
    claims = [
        *(
            Claim.exceeds(
                f"{axis} shrinks", found.compressibility[axis].value, found.compressibility[axis].sigma
            )
            for axis in AXES
        ),
        *(
            Claim.exceeds(
                f"{one} gives way more than {two}", found.excess[one, two].value, found.excess[one, two].sigma
            )
            for one, two in pairwise(RANKED)
        ),
        _one_cell(frames),
        Claim.exceeds(
            f"the volume takes no step of {SMALLEST_STEP:.1%}",
            SMALLEST_STEP - found.jump.value,
            found.jump.sigma,
        ),
        Claim.agrees("the bulk modulus is the published one", quantities[1], published["bulk_modulus_gpa"]),
    ]
    return Finding(_text(quantities), quantities, claims)


def _highest(frames: xr.Dataset) -> tuple[float, float]:
    """Highest pressure, and its error."""
    pressure = np.asarray(frames["pressure_gpa"], float)
    if not np.isfinite(pressure).any():
        return float("nan"), float("nan")
    top = int(np.nanargmax(pressure))
    stat, systematic = (float(frames[f"pressure_gpa_sigma_{kind}"][top]) for kind in ("stat", "sys"))
    return float(pressure[top]), float(np.hypot(stat, systematic))


def _one_cell(frames: xr.Dataset) -> Claim:
    """Whether one orthorhombic cell and the marker are enough at every pressure."""
    is_fitted = np.asarray(frames["converged"], bool) & np.isfinite(
        np.asarray(frames["volume_angstrom3"], float)
    )
    return Claim("the same cell is found at every pressure", float("nan"), bool(is_fitted.all()))


def _text(quantities: list[Quantity]) -> str:
    by_name = {one.name: one for one in quantities}
    if not np.isfinite(by_name["bulk_modulus_gpa"].value):
        return "No equation of state fits volume and lengths."
    axes = ", ".join(f"{axis} {by_name[f'compressibility_{axis}'].value:.2f}" for axis in AXES)
    return (
        f"To {by_name['highest_gpa'].value:.1f} GPa the axes give way by {axes} /TPa; the bulk modulus is "
        f"{by_name['bulk_modulus_gpa'].value:.1f} GPa."
    )


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """Lengths and volume by pressure."""
    _, frames = only(cells)
    return pressure_figure(frames, title)

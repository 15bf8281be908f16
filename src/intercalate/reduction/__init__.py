"""Arrays in, physical quantities with uncertainties out; no EPICS, no bluesky, no simulators.

Lattice parameters of an electrode are means over its material: lithium is never spread evenly, so
each line is a distribution, and what a fit returns is its centre. `sigma_sys` holds the difference.
"""

from intercalate.reduction.integration import Integrator, Pattern, SecondLine
from intercalate.reduction.pawley import fit
from intercalate.reduction.phases import (
    FitPhase,
    foil,
    full_cell,
    graphite,
    half_cell,
    layered_oxide,
    lithiated_graphite,
    lithium,
    separator,
)
from intercalate.reduction.results import Estimate, FitOptions, PawleyResult, Systematics
from intercalate.reduction.series import fit_series
from intercalate.reduction.staging import stage_1_fraction

__all__ = [
    "Estimate",
    "FitOptions",
    "FitPhase",
    "Integrator",
    "Pattern",
    "PawleyResult",
    "SecondLine",
    "Systematics",
    "fit",
    "fit_series",
    "foil",
    "full_cell",
    "graphite",
    "half_cell",
    "layered_oxide",
    "lithiated_graphite",
    "lithium",
    "separator",
    "stage_1_fraction",
]

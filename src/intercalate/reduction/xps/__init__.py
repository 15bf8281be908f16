"""X-ray photoelectron spectra: counts of an analyser in, surfaces out; no EPICS, no bluesky."""

from intercalate.reduction.xps.calibration import (
    GOLD_EV,
    SILVER_EV,
    ChargeReference,
    EnergyScale,
    carbon_reference,
    energy_scale,
    metal_reference,
)
from intercalate.reduction.xps.components import Component, XpsOptions, components_of
from intercalate.reduction.xps.composition import Composition, Sensitivity, composition
from intercalate.reduction.xps.counts import AnalyserOnPaper, RegionSpectrum, XpsError, counted
from intercalate.reduction.xps.fit import FittedRegion, XpsFit, fit_regions
from intercalate.reduction.xps.overlayer import Thickness, overlayer_thickness
from intercalate.reduction.xps.species import Identification, free_lines, identify, identify_layer
from intercalate.reduction.xps.unknown import UnknownLine

__all__ = [
    "GOLD_EV",
    "SILVER_EV",
    "AnalyserOnPaper",
    "ChargeReference",
    "Component",
    "Composition",
    "EnergyScale",
    "FittedRegion",
    "Identification",
    "RegionSpectrum",
    "Sensitivity",
    "Thickness",
    "UnknownLine",
    "XpsError",
    "XpsFit",
    "XpsOptions",
    "carbon_reference",
    "components_of",
    "composition",
    "counted",
    "energy_scale",
    "fit_regions",
    "free_lines",
    "identify",
    "identify_layer",
    "metal_reference",
    "overlayer_thickness",
]

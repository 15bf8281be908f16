"""X-ray photoelectron spectra: counts of an analyser in, surfaces out; no EPICS, no bluesky."""

from intercalate.reduction.xps.components import Component, XpsOptions, components_of
from intercalate.reduction.xps.composition import Composition, Sensitivity, composition
from intercalate.reduction.xps.counts import AnalyserOnPaper, RegionSpectrum, XpsError, counted
from intercalate.reduction.xps.fit import FittedRegion, XpsFit, fit_regions
from intercalate.reduction.xps.unknown import UnknownLine

__all__ = [
    "AnalyserOnPaper",
    "Component",
    "Composition",
    "FittedRegion",
    "RegionSpectrum",
    "Sensitivity",
    "UnknownLine",
    "XpsError",
    "XpsFit",
    "XpsOptions",
    "components_of",
    "composition",
    "counted",
    "fit_regions",
]

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
from intercalate.reduction.xps.maps import (
    ChemicalMap,
    MapIrregularity,
    MappedRegion,
    ShareMap,
    chemical_map,
    find_irregularities,
    share_map,
)
from intercalate.reduction.xps.overlayer import Thickness, overlayer_thickness
from intercalate.reduction.xps.sei_growth import (
    AmountSeries,
    GroupOnset,
    SeiSteps,
    amount_series,
    layer_amounts_nm,
    sei_steps,
)
from intercalate.reduction.xps.species import Identification, free_lines, identify, identify_layer
from intercalate.reduction.xps.survey import Survey, read_survey
from intercalate.reduction.xps.unknown import UnknownLine

__all__ = [
    "GOLD_EV",
    "SILVER_EV",
    "AmountSeries",
    "AnalyserOnPaper",
    "ChargeReference",
    "ChemicalMap",
    "Component",
    "Composition",
    "EnergyScale",
    "FittedRegion",
    "GroupOnset",
    "Identification",
    "MapIrregularity",
    "MappedRegion",
    "RegionSpectrum",
    "SeiSteps",
    "Sensitivity",
    "ShareMap",
    "Survey",
    "Thickness",
    "UnknownLine",
    "XpsError",
    "XpsFit",
    "XpsOptions",
    "amount_series",
    "carbon_reference",
    "chemical_map",
    "components_of",
    "composition",
    "counted",
    "energy_scale",
    "find_irregularities",
    "fit_regions",
    "free_lines",
    "identify",
    "identify_layer",
    "layer_amounts_nm",
    "metal_reference",
    "overlayer_thickness",
    "read_survey",
    "sei_steps",
    "share_map",
]

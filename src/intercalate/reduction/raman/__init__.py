"""Raman spectra: counts of a spectrometer in, bands and what they say out; no EPICS, no bluesky."""

from intercalate.reduction.raman.axis import ShiftAxis, SpectrographOnPaper, calibrated_axis
from intercalate.reduction.raman.counts import CountingDetector, cosmic_rays, reduced
from intercalate.reduction.raman.focus import Focus, FocusDrift, FocusError, find_focus, focus_drift
from intercalate.reduction.raman.graphite import GraphiteState, Regime, graphite_state
from intercalate.reduction.raman.maps import (
    Inhomogeneity,
    MapError,
    MapMean,
    inhomogeneity,
    map_mean,
    maps_of,
)
from intercalate.reduction.raman.oxides import OxideState, oxide_states
from intercalate.reduction.raman.series import spectra_of_graphite, spectra_of_oxide, spectra_of_sulfur
from intercalate.reduction.raman.sulfur import SulfurSpectrum, Where, sulfur_spectra

__all__ = [
    "CountingDetector",
    "Focus",
    "FocusDrift",
    "FocusError",
    "GraphiteState",
    "Inhomogeneity",
    "MapError",
    "MapMean",
    "OxideState",
    "Regime",
    "ShiftAxis",
    "SpectrographOnPaper",
    "SulfurSpectrum",
    "Where",
    "calibrated_axis",
    "cosmic_rays",
    "find_focus",
    "focus_drift",
    "graphite_state",
    "inhomogeneity",
    "map_mean",
    "maps_of",
    "oxide_states",
    "reduced",
    "spectra_of_graphite",
    "spectra_of_oxide",
    "spectra_of_sulfur",
    "sulfur_spectra",
]

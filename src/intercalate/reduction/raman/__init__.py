"""Raman spectra: counts of a spectrometer in, bands and what they say out; no EPICS, no bluesky."""

from intercalate.reduction.raman.axis import ShiftAxis, SpectrographOnPaper, calibrated_axis
from intercalate.reduction.raman.counts import CountingDetector, cosmic_rays, reduced
from intercalate.reduction.raman.focus import Focus, FocusError, find_focus
from intercalate.reduction.raman.graphite import GraphiteState, Regime, graphite_state
from intercalate.reduction.raman.maps import Inhomogeneity, MapError, inhomogeneity, maps_of
from intercalate.reduction.raman.series import spectra_of_graphite

__all__ = [
    "CountingDetector",
    "Focus",
    "FocusError",
    "GraphiteState",
    "Inhomogeneity",
    "MapError",
    "Regime",
    "ShiftAxis",
    "SpectrographOnPaper",
    "calibrated_axis",
    "cosmic_rays",
    "find_focus",
    "graphite_state",
    "inhomogeneity",
    "maps_of",
    "reduced",
    "spectra_of_graphite",
]

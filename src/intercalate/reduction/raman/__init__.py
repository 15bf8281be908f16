"""Raman spectra: counts of a spectrometer in, bands and what they say out; no EPICS, no bluesky."""

from intercalate.reduction.raman.axis import ShiftAxis, SpectrographOnPaper, calibrated_axis
from intercalate.reduction.raman.counts import CountingDetector, cosmic_rays, reduced
from intercalate.reduction.raman.graphite import GraphiteState, Regime, graphite_state

__all__ = [
    "CountingDetector",
    "GraphiteState",
    "Regime",
    "ShiftAxis",
    "SpectrographOnPaper",
    "calibrated_axis",
    "cosmic_rays",
    "graphite_state",
    "reduced",
]

"""Electron energy losses: counts of a spectrometer in, thickness, compounds and valence out; no EPICS."""

from intercalate.reduction.eels.background import PowerLaw, power_law
from intercalate.reduction.eels.low_loss import Thickness, single_scattering, thickness
from intercalate.reduction.eels.mlls import Component, ComponentMaps, FitSettings, fit_components
from intercalate.reduction.eels.references import (
    Prepared,
    Reference,
    components_of,
    core_component,
    low_component,
    prepare,
    single_image,
    thickness_bins,
)
from intercalate.reduction.eels.spectra import (
    EelsCamera,
    EelsError,
    SpectrumImage,
    aligned,
    electrons_of,
    zero_loss_ev,
)

__all__ = [
    "Component",
    "ComponentMaps",
    "EelsCamera",
    "EelsError",
    "FitSettings",
    "PowerLaw",
    "Prepared",
    "Reference",
    "SpectrumImage",
    "Thickness",
    "aligned",
    "components_of",
    "core_component",
    "electrons_of",
    "fit_components",
    "low_component",
    "power_law",
    "prepare",
    "single_image",
    "single_scattering",
    "thickness",
    "thickness_bins",
    "zero_loss_ev",
]

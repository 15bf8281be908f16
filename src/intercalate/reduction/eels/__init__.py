"""Electron energy losses: counts of a spectrometer in, thickness, compounds and valence out; no EPICS."""

from intercalate.reduction.eels.background import PowerLaw, power_law
from intercalate.reduction.eels.cobalt import CobaltValence, cobalt_valence
from intercalate.reduction.eels.lithium import lithium_map
from intercalate.reduction.eels.low_loss import Thickness, full_width_ev, single_scattering, thickness
from intercalate.reduction.eels.mlls import (
    Component,
    ComponentMaps,
    FitSettings,
    difference,
    fit_components,
)
from intercalate.reduction.eels.nanobattery import (
    Claim,
    LayerFinding,
    NanobatteryProfile,
    charging_finding,
    disordered_finding,
    profile_of,
)
from intercalate.reduction.eels.profile import Interface, LayerFound, fit_interface, fit_layer
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
    "Claim",
    "CobaltValence",
    "Component",
    "ComponentMaps",
    "EelsCamera",
    "EelsError",
    "FitSettings",
    "Interface",
    "LayerFinding",
    "LayerFound",
    "NanobatteryProfile",
    "PowerLaw",
    "Prepared",
    "Reference",
    "SpectrumImage",
    "Thickness",
    "aligned",
    "charging_finding",
    "cobalt_valence",
    "components_of",
    "core_component",
    "difference",
    "disordered_finding",
    "electrons_of",
    "fit_components",
    "fit_interface",
    "fit_layer",
    "full_width_ev",
    "lithium_map",
    "low_component",
    "power_law",
    "prepare",
    "profile_of",
    "single_image",
    "single_scattering",
    "thickness",
    "thickness_bins",
    "zero_loss_ev",
]

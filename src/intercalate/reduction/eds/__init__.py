"""Energy-dispersive X-ray spectra: counts in, elements with errors out; no EPICS, no bluesky."""

from intercalate.reduction.eds.axis import EnergyAxis, axis_on_paper, calibrated_axis
from intercalate.reduction.eds.film import FilmOn, film_thickness
from intercalate.reduction.eds.lines import LineFit, SpectrumError, fit_lines
from intercalate.reduction.eds.lithium import Lithium, LithiumVerdict, lithium
from intercalate.reduction.eds.lithium_bond import BoundLithium, LithiumBond, lithium_bond
from intercalate.reduction.eds.maps import ElementMaps, element_maps
from intercalate.reduction.eds.quantities import Composition, composition

__all__ = [
    "BoundLithium",
    "Composition",
    "ElementMaps",
    "EnergyAxis",
    "FilmOn",
    "LineFit",
    "Lithium",
    "LithiumBond",
    "LithiumVerdict",
    "SpectrumError",
    "axis_on_paper",
    "calibrated_axis",
    "composition",
    "element_maps",
    "film_thickness",
    "fit_lines",
    "lithium",
    "lithium_bond",
]

"""Maps of compounds in a spectrum image, by references of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intercalate.materials.eels import COMPOUNDS, EDGES
from intercalate.reduction.eels.mlls import Component, ComponentMaps, difference, fit_components
from intercalate.reduction.eels.references import Prepared, Reference, components_of
from intercalate.reduction.eels.spectra import EelsError
from intercalate.reduction.results import Estimate

PRE_EDGE_EV, LAST_EV = 509.0, 806.0
"""Between which losses are fitted, from a little before O K to behind both edges of Co L."""


@dataclass(frozen=True)
class CompoundMaps:
    """Thickness of each compound along the beam.

    Attributes
    ----------
    maps
        By compound; NaN where it cannot be told from the others, as the oxides of one metal among each other.
    sums
        Of compounds with one metal that look so much alike, by `all with METAL`: what changes from one to the
        other is fitted beside their sum.
    """

    maps: ComponentMaps
    sums: Mapping[str, ComponentMaps]

    @property
    def amounts(self) -> Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Thickness in nm, its errors by counting and by what is declared; shape (rows, columns) each."""
        found = dict.fromkeys(self.maps.amount, self.maps) | dict(self.sums)
        return {
            name: (of.amount[name], of.sigma_stat[name], np.hypot(of.sigma_sys[name], _of_amount(of, name)))
            for name, of in found.items()
        }

    def mean(self, name: str) -> Estimate:
        """Mean over the image."""
        return self.sums.get(name, self.maps).mean(name)


def _of_amount(maps: ComponentMaps, name: str) -> np.ndarray:
    """What the thickness of the reference is off."""
    return maps.common_sigma[name] * np.abs(maps.amount[name])


def compound_maps(prepared: Prepared, references: Mapping[str, Reference]) -> CompoundMaps:
    """Fit all references to every pixel.

    Parameters
    ----------
    references
        By compound.

    Raises
    ------
    EelsError
        If there is no reference, or the spectra cannot be fitted.
    """
    if not references:
        raise EelsError("there are no references of compounds; take_references measures them")
    first_ev = max(PRE_EDGE_EV + 1.0, float(prepared.core.energy_ev[0]))
    image = prepared.core.between(first_ev, min(LAST_EV, float(prepared.core.energy_ev[-1])))
    found, bins = components_of(list(references.values()), prepared, image)
    components = {one.name: one for one in found}
    fitted = fit_components(image, found, prepared.core_incident, thickness_bin=bins)
    sums: dict[str, ComponentMaps] = {}
    for metal, alike in _alike(references).items():
        name = f"all with {metal}"
        base = components[alike[0]]
        whole = Component(name, base.template, base.variance, base.amount_sigma, base.edges)
        beside = [
            difference(one.name, one, base) if one.name in alike[1:] else one
            for one in found
            if one is not base
        ]
        sums[name] = fit_components(image, [whole, *beside], prepared.core_incident, thickness_bin=bins)
    return CompoundMaps(fitted, sums)


def _alike(references: Mapping[str, Reference]) -> dict[str, list[str]]:
    """Compounds of one transition metal, where there are several."""
    metals = {edge.element for edge in EDGES.values() if edge.shell == "L3"}
    found = {
        metal: [one for one in references if metal in dict(COMPOUNDS[one].atoms)] for metal in sorted(metals)
    }
    return {metal: names for metal, names in found.items() if len(names) > 1}

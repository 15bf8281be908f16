"""Lithium beside the metals whose M2,3 edges lie on its own."""

from collections.abc import Mapping

from intercalate.materials.eels import COMPOUNDS
from intercalate.reduction.eels.mlls import ComponentMaps, FitSettings, fit_components
from intercalate.reduction.eels.references import Prepared, Reference, low_component, single_image
from intercalate.reduction.eels.spectra import EelsError

WINDOW_EV = (45.0, 120.0)

SHAPE_SIGMA = 0.06
"""Declared: by what part the shape of Li K differs between compounds; most have their peak at 62 eV."""

PRE_EDGE_EV = {"Li": (40.0, 52.0), "Si": (80.0, 97.0)}


def lithium_map(
    prepared: Prepared, references: Mapping[str, Reference], shape_sigma: float = SHAPE_SIGMA
) -> ComponentMaps:
    """Atoms of elements per nm2, by least squares of their edges among the low losses.

    A window over Li K would count the metal's M2,3 for lithium. Where shapes cannot tell both apart, the
    element is not determined (all NaN).

    Parameters
    ----------
    references
        By element, each a compound in which it has the only edge there: `Li` from LiPON, `Co` from CoO.
    shape_sigma
        Declared: by what part the shape of Li K differs from that of the reference. Where the sample is known
        to be of the reference's own compound, `FitSettings().shape_sigma` is enough.

    Raises
    ------
    EelsError
        If `Li` is missing, or a reference does not hold its element.
    """
    if "Li" not in references:
        raise EelsError(f"a reference of Li is needed; there are {', '.join(references) or 'none'}")
    image, scale = single_image(prepared)
    image = image.between(*WINDOW_EV)
    components = []
    for element, reference in references.items():
        held = COMPOUNDS[reference.compound].atoms_per_nm3(element)
        if not held > 0:
            raise EelsError(f"the reference {reference.compound!r} holds no {element}")
        window = PRE_EDGE_EV.get(element, PRE_EDGE_EV["Li"])
        components.append(low_component(reference, image, element, held, window))
    return fit_components(
        image, components, scale, FitSettings(shape_sigma=shape_sigma, largest_confusion=0.5)
    )

"""Where an alloy is not what it is elsewhere, and how large these places are, by a map of photoelectrons."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from intercalate.reduction.raman import MapError, maps_of
from intercalate.reduction.xps import MapIrregularity, XpsError, find_irregularities
from intercalate.views.xps import irregularity_figure
from intercalate_plans.studies.finding import Claim, Finding, Published, Quantity
from intercalate_plans.studies.measured import Cells, only

SHARE = "share.Al"


def analyse(cells: Cells, published: Mapping[str, Published]) -> Finding:
    """Locate and size what differs from the rest of the map.

    Places that reach the edge of the map are counted and shown, but not sized: they may go on beyond. The
    others are numbered from the middle of the map outwards.

    Parameters
    ----------
    cells
        One, with photoelectron spectra of a grid.
    published
        Not used: the publication gives no numbers.
    """
    _, frames = only(cells)
    places = "places differ from the rest of the alloy"
    try:
        found, middle_um = _irregularities(frames)
    except (MapError, XpsError) as error:
        return Finding(f"No map: {error}.", [], [Claim.undetermined(places)])
    whole = [one for one in found if not one.touches_edge]
    whole.sort(key=lambda one: np.hypot(one.x_um.value - middle_um, one.y_um.value - middle_um))
    text = f"{len(found)} irregularities, {len(whole)} of them as a whole within the map."
    if not whole:
        return Finding(text, [], [Claim.undetermined(places)])
    quantities, claims = [], []
    for number, one in enumerate(whole, start=1):
        for name, label, estimate, zero_um in (
            ("x", "x of irregularity", one.x_um, middle_um),
            ("y", "y of irregularity", one.y_um, middle_um),
            ("diameter", "diameter of irregularity", one.diameter_um, 0.0),
        ):
            value = estimate.value - zero_um
            quantities.append(Quantity(f"{name}_{number}", f"{label} {number}", value, estimate.sigma, "um"))
        contrast = one.contrast
        claims += [
            Claim.exceeds(
                f"the share of aluminium differs in irregularity {number}",
                abs(contrast.value),
                contrast.sigma,
            ),
            Claim.exceeds(f"irregularity {number} has a size", one.diameter_um.value, one.diameter_um.sigma),
            _located(number, one),
        ]
    sizes = ", ".join(f"{one.diameter_um.value:.0f} um" for one in whole)
    return Finding(f"{text} Their diameters are {sizes}.", quantities, claims)


def _located(number: int, one: MapIrregularity) -> Claim:
    """Its middle is known to better than its own radius."""
    sigma_um = max(one.x_um.sigma, one.y_um.sigma)
    text = f"irregularity {number} is located within its radius"
    return Claim.exceeds(text, one.diameter_um.value / 2, sigma_um)


def _irregularities(frames: xr.Dataset) -> tuple[Sequence[MapIrregularity], float]:
    """Of the only map, and where its middle is from its first point."""
    if SHARE not in frames:
        raise MapError("the spectra give no share of aluminium")
    images = maps_of(frames, [SHARE, f"{SHARE}_sigma_stat"])
    if images.sizes["map"] != 1:
        raise MapError(f"there are {images.sizes['map']} maps, where one is looked at")
    x_um = np.asarray(images["x_um"])
    step_um = float(np.mean(np.diff(x_um)))
    spot_um = float(np.mean(np.asarray(frames["source_spot_um"]))) if "source_spot_um" in frames else 0.0
    found = find_irregularities(
        np.asarray(images[SHARE][0]),
        np.asarray(images[f"{SHARE}_sigma_stat"][0]),
        step_um,
        spot_um=spot_um,
    )
    return found, float(np.ptp(x_um)) / 2


def figure(cells: Cells, finding: Finding, published: Mapping[str, Published], title: str) -> Figure:
    """The map, with circles around what was found, and the sizes of those that are seen as a whole."""
    _, frames = only(cells)
    try:
        found, middle_um = _irregularities(frames)
    except (MapError, XpsError):
        shown = Figure(figsize=(6.0, 2.0))
        shown.suptitle(title, fontsize=9)
        return shown
    image = np.asarray(maps_of(frames, [SHARE])[SHARE][0])
    step_um = 2.0 * middle_um / (image.shape[1] - 1)
    label = "Al, share of the atoms of Al and Li"
    return irregularity_figure(image, step_um, found, label, title, first_um=-middle_um)

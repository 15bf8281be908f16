"""Photoelectron spectra of a grid: the share of an element at each point."""

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality
from intercalate.reduction.xps import (
    AnalyserOnPaper,
    MappedRegion,
    ShareMap,
    XpsError,
    chemical_map,
    components_of,
    share_map,
)
from intercalate.reduction.xps.series import FILM, SUBSTRATE, SurfaceModel, is_seen

POSITION_UM = 0.05
"""To which positions of the spot are told apart."""


def is_grid(aligned: xr.Dataset) -> bool:
    """Whether the spot was moved over the sample."""
    names = ("objective_x_um", "objective_y_um")
    return all(name in aligned and np.unique(_steps(aligned, name)).size > 1 for name in names)


def share_of_each_point(
    aligned: xr.Dataset,
    binding: np.ndarray,
    counts: np.ndarray,
    model: SurfaceModel,
    paper: AnalyserOnPaper,
) -> xr.Dataset:
    """Atomic share of the element of the marker's line among the elements of the substrate.

    All chemical states of an element count; what a film has under the same line is taken with it. What is
    common to all points, such as roughness and a film that is the same everywhere, changes no difference
    between points.

    Parameters
    ----------
    aligned
        Along `frame`: where the spot was, which region, for how long, `visit` where there was more than one.
    binding, counts
        Shape (frames, points), NaN behind the end of a region.

    Returns
    -------
    xarray.Dataset
        Along `frame`: `share.ELEMENT`, NaN where nothing is known, with `_sigma_stat` and `_sigma_sys`, which
        is common to all points; `map_note`, why there is none, empty if there is.
    """
    count = aligned.sizes["frame"]
    share, stat, sys = (np.full(count, np.nan) for _ in range(3))
    notes = np.full(count, "", dtype=object)
    visits = np.broadcast_to(np.asarray(aligned.get("visit", 0)), count)
    for visit in np.unique(visits):
        chosen = np.flatnonzero(visits == visit)
        try:
            found, place = _map_of(aligned, chosen, binding, counts, model, paper)
        except XpsError as error:
            notes[chosen] = str(error)
            continue
        share[chosen], stat[chosen] = found.share[place], found.sigma[place]
        # The larger the other part, the more an error of the ratio moves a share.
        sys[chosen] = found.relative_sys * share[chosen] * (1.0 - share[chosen])
    name = f"share.{_element(model)}"
    return xr.Dataset(
        {
            name: ("frame", share),
            f"{name}_sigma_stat": ("frame", stat),
            f"{name}_sigma_sys": ("frame", sys),
            "map_note": ("frame", notes.astype(str)),
        }
    )


def _map_of(
    aligned: xr.Dataset,
    chosen: np.ndarray,
    binding: np.ndarray,
    counts: np.ndarray,
    model: SurfaceModel,
    paper: AnalyserOnPaper,
) -> tuple[ShareMap, tuple[np.ndarray, np.ndarray]]:
    """Map of one visit, and row and column of each of its frames."""
    (_, row), (_, column) = (
        np.unique(_steps(aligned, f"objective_{axis}_um")[chosen], return_inverse=True) for axis in "yx"
    )
    shape = (int(row.max()) + 1, int(column.max()) + 1)
    names = np.asarray(aligned["analyser_region"]).astype(str)
    regions = []
    for region in dict.fromkeys(names[chosen]):
        own = names[chosen] == region
        first = chosen[own][0]
        points = np.isfinite(binding[first])
        image = np.zeros((*shape, int(points.sum())))
        for number, at in zip(chosen[own], zip(row[own], column[own])):
            if not _is_dark(aligned, number):
                image[at] = counts[number, points]
        regions.append(
            MappedRegion(
                region,
                binding[first, points],
                image,
                float(aligned["exposure_s"].values[first]) / points.sum(),
                float(aligned["analyser_pass_energy_ev"].values[first]),
                paper,
            )
        )
    seen = [components_of([key], regions, SUBSTRATE) for key in model.substrate]
    film = [components_of([key], regions, FILM) for key in model.film if is_seen(key, regions)]
    components = [one for part in (*seen, *film) for one in part]
    chemical = chemical_map(regions, components)
    elements = {one.level for part in seen for one in part}
    among = [one.name for one in components if one.level in elements]
    return share_map(chemical, model.marker_name, among, matrix=model.substrate[0]), (row, column)


def _element(model: SurfaceModel) -> str:
    """Of the marker, `compound element level`."""
    return model.marker.split(" ")[-2]


def _is_dark(aligned: xr.Dataset, number: int) -> bool:
    return "beam_quality" in aligned and str(aligned["beam_quality"].values[number]) == BeamQuality.NONE


def _steps(aligned: xr.Dataset, name: str) -> np.ndarray:
    return np.round(np.asarray(aligned[name], float) / POSITION_UM)

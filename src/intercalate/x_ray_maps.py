"""Maps of X-ray spectra of a run: lines place by place, and how thick lithium is that lies on a garnet."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from intercalate.cell import Cell
from intercalate.frame_use import spot_of, why_useless
from intercalate.materials.eds import XrayDetector
from intercalate.reduction.eds import EnergyAxis, FilmOn, SpectrumError, element_maps, film_thickness

MAPPED = {"C": "C K", "O": "O K", "Zr": "Zr L", "La": "La L"}
"""Families of lines by which elements are mapped."""
GARNET, BELOW = "LLZO", "La"
"""On which films lie, key of `IMAGED_MATERIALS`, and which of its elements tells how thick they are."""
SAME = 0.12
"""By which counts of a fresh film may differ from their median, relative, where what is below is garnet and
nothing else: other phases are told apart, and left out with the places beside them."""


def maps_of_elements(
    images: Any,
    aligned: xr.Dataset,
    elements: Sequence[str],
    axis: EnergyAxis,
    detector: XrayDetector,
    points: tuple[int, int],
    cell: Cell,
) -> dict[str, Any]:
    """Counts of lines over the places of each frame.

    Parameters
    ----------
    images
        Counts, shape (n, places, channels), rows of places one after the other.

    Returns
    -------
    dict
        Nothing where a frame is one place. Else along `frame`, `map_row` and `map_column`: `line.ELEMENT`
        in counts, which may be below 0 where there is none, with `_sigma_stat`, NaN where a frame is of no
        use; `film_um` with `_sigma_stat`, thickness of the lithium of a face on a garnet by that of the first
        map of the same spot, which is as thick as the cell was made. And along `frame` `map_step_um`, and
        `film_sigma_sys`, relative, of every loss of thickness.
    """
    if points == (1, 1):
        return {}
    count = len(images)
    mapped = [one for one in MAPPED if one in elements]
    shape = (count, *points)
    values = {one: np.full(shape, np.nan) for one in mapped}
    sigmas = {one: np.full(shape, np.nan) for one in mapped}
    kv = np.asarray(aligned["column_voltage_kv"], float)
    for number in range(count):
        if why_useless(aligned, number):
            continue
        cube = np.asarray(images[number]).reshape(*points, -1)
        try:
            found = element_maps(cube, mapped, axis, detector, float(kv[number]))
        except SpectrumError:
            # The note of the frame says it.
            continue
        for one in mapped:
            values[one][number], sigmas[one][number] = found.free[MAPPED[one]], found.sigma[MAPPED[one]]
    dims = ("frame", "map_row", "map_column")
    variables: dict[str, Any] = {}
    for one in mapped:
        variables[f"line.{one}"] = (dims, values[one], {"units": "counts"})
        variables[f"line.{one}_sigma_stat"] = (dims, sigmas[one], {"units": "counts"})
    field_um = np.asarray(aligned["column_field_of_view_um"], float)
    variables["map_step_um"] = ("frame", field_um / points[1], {"units": "um"})
    made_um = _film_made_um(cell)
    if made_um is not None and BELOW in mapped:
        variables |= _films(values, sigmas[BELOW], aligned, kv, made_um, detector.take_off_deg)
    return variables


def _film_made_um(cell: Cell) -> float | None:
    """Thickness of the lithium that is seen on a garnet, as it was made; None where there is none."""
    if cell.exposed_face not in ("positive", "negative") or cell.electrolyte is None:
        return None
    electrode = cell.positive if cell.exposed_face == "positive" else cell.negative
    is_film = electrode.material == "Li" and cell.electrolyte.kind == "ceramic"
    return electrode.thickness_um if is_film else None


def _films(
    lines: Mapping[str, np.ndarray],
    sigma: np.ndarray,
    aligned: xr.Dataset,
    kv: np.ndarray,
    made_um: float,
    take_off_deg: float,
) -> Mapping[str, Any]:
    """Thickness at each place of each frame."""
    counts = lines[BELOW]
    first: dict[tuple[float, ...], int] = {}
    film, error = np.full(counts.shape, np.nan), np.full(counts.shape, np.nan)
    systematic = np.full(len(counts), np.nan)
    for number in range(len(counts)):
        if not np.isfinite(counts[number]).any():
            continue
        before = first.setdefault(spot_of(aligned, number), number)
        usable = _is_garnet([lines[one][before] for one in ("La", "Zr")])
        found = film_thickness(
            np.where(usable, counts[number], np.nan),
            sigma[number],
            np.where(usable, counts[before], np.nan),
            sigma[before],
            FilmOn(BELOW, MAPPED[BELOW].split()[1], made_um, float(kv[number]), take_off_deg, GARNET),
        )
        film[number], error[number], systematic[number] = found
    dims = ("frame", "map_row", "map_column")
    return {
        "film_um": (dims, film, {"units": "um"}),
        "film_um_sigma_stat": (dims, error, {"units": "um"}),
        "film_sigma_sys": ("frame", systematic),
    }


def _is_garnet(fresh: Sequence[np.ndarray]) -> np.ndarray:
    """Where a fresh film shows as much of each element as nearly everywhere, and around that place too."""
    same = np.ones(fresh[0].shape, dtype=bool)
    for counts in fresh:
        same &= abs(counts / np.nanmedian(counts) - 1.0) < SAME
    others = ndimage.binary_dilation(ndimage.binary_opening(~same, np.ones((2, 2))), np.ones((3, 3)))
    return same & ~np.asarray(others, dtype=bool)

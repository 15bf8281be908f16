"""Orientation maps of a run: grains and their sizes, and whether they are still those of the first map."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from intercalate.calibrations import Calibration, Kind
from intercalate.frame_use import why_useless
from intercalate.instrument_sections import EbsdSection
from intercalate.orientation_frames import OrientationFrameError, unpacked
from intercalate.reduction.ebsd import (
    GrainMap,
    OrientationMap,
    OrientationMapError,
    compare,
    grain_map,
    inverse_pole_colours,
    orientation_map,
)
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.sem_results import columns_of

Progress = Callable[[int], None]

LENGTHS = ("grain_diameter_um", "intercept_um")
"""Quantities with the uncertainty of the scale."""


@dataclass(frozen=True)
class _Found:
    """What a map shows.

    Attributes
    ----------
    lengths, numbers
        Quantities in um, and those without a unit.
    grains, sized
        Of the map, and of its part that is mostly metal, of which sizes are taken; None where no grain can be
        told.
    """

    note: str = ""
    measured: OrientationMap | None = None
    grains: GrainMap | None = None
    sized: GrainMap | None = None
    lengths: Mapping[str, Estimate] = field(default_factory=dict)
    numbers: Mapping[str, Estimate] = field(default_factory=dict)
    grains_are: str = ""


def reduce_orientation_maps(
    images: Any,
    aligned: xr.Dataset,
    known: Mapping[str, Calibration],
    section: EbsdSection,
    progress: Progress,
) -> tuple[xr.Dataset, dict[str, Calibration]]:
    """Find the grains in the orientation maps of a run.

    Parameters
    ----------
    images
        Frames as `orientation_frames` packs them, shape (n, rows, 4 columns).
    aligned
        Along `frame`, with `scan_step_um` and the quality of the beam where it is known.
    known
        Calibrations by name.

    Returns
    -------
    data
        Along `frame`, each with `_sigma_stat` and `_sigma_sys`: `grain_diameter_um`, mean of whole grains of
        this field; `intercept_um`; `astm_grain_number`; and against the first map that shows grains
        `same_area`, share of the area with the same orientation, and `diameter_ratio`. Without errors:
        `diameter_sampling_um`, by which another field may differ; `grains`, their number; `indexed_share` and
        `pattern_share` of the points; `grains_are`, `first`, `same`, `new`, or empty where it is open; and
        `note`. Besides `colour` (frame, row, column, channel), and `grain` (frame, row, column), 0 for none.
    used
        The calibration of the scale, if there is one.

    Raises
    ------
    ValueError
        If the events do not tell the distance of points.
    """
    if "scan_step_um" not in aligned:
        raise ValueError("the events do not say how far apart the points of the maps were")
    scale = known.get(str(Kind.SCALE))
    ratio, sigma = (
        (1.0, section.detector.step_sigma)
        if scale is None
        else (scale.values["pixel_ratio"], scale.values["pixel_ratio_sigma"])
    )
    step_um = np.asarray(aligned["scan_step_um"], float) * ratio
    rows: list[_Found] = []
    first: GrainMap | None = None
    for number in range(len(images)):
        why = why_useless(aligned, number)
        frame = np.asarray(images[number])
        found = _Found(why) if why else _measured(frame, float(step_um[number]), sigma, first)
        first = first or found.grains
        rows.append(found)
        progress(number + 1)
    variables = {
        **columns_of([one.lengths for one in rows], "um"),
        **columns_of([one.numbers for one in rows], ""),
        **_plain(rows),
        **_pictures(rows, section.detector.points),
    }
    variables["step_um"] = ("frame", step_um, {"units": "um"})
    return xr.Dataset(variables), {} if scale is None else {scale.name: scale}


def _measured(frame: np.ndarray, step_um: float, step_sigma: float, first: GrainMap | None) -> _Found:
    """What a map shows, compared with the first."""
    try:
        packed = unpacked(frame)
        measured = orientation_map(packed.euler_deg, packed.band_contrast, packed.indexed, step_um)
    except (OrientationFrameError, OrientationMapError) as error:
        return _Found(str(error))
    try:
        grains, sized = grain_map(measured), grain_map(_layer(measured))
        lengths = {
            name: _scaled(one, step_sigma)
            for name, one in zip(LENGTHS, (sized.diameter_um, sized.intercept_um), strict=True)
        }
        # A relative error of a length is one of 6.6439 / ln 10 in the number.
        number = sized.astm_grain_number
        moved = float(np.hypot(number.sigma_sys, 6.6439 / np.log(10) * step_sigma))
        numbers = {"astm_grain_number": Estimate(number.value, number.sigma_stat, moved)}
        if first is None:
            return _Found("", measured, grains, sized, lengths, numbers, "first")
        against = compare(first, grains)
    except OrientationMapError as error:
        return _Found(str(error), measured)
    numbers |= {"same_area": against.same_area, "diameter_ratio": against.diameter_ratio}
    words = {(True, False): "new", (False, True): "same"}
    return _Found(
        "", measured, grains, sized, lengths, numbers, words.get((against.are_new, against.are_same), "")
    )


def _layer(measured: OrientationMap) -> OrientationMap:
    """Rows and columns that are mostly metal: what its face cuts off is no whole grain, as at a side."""
    parts = []
    for along in (1, 0):
        share = measured.known.mean(axis=along)
        filled = np.flatnonzero(share > 0.5 * share.max())
        parts.append(slice(filled[0], filled[-1] + 1))
    here = tuple(parts)
    return OrientationMap(
        measured.quaternion[here], measured.known[here], measured.contrast[here], measured.step_um
    )


def _scaled(length: Estimate, sigma: float) -> Estimate:
    """With the uncertainty of the scale in the systematic error."""
    if not np.isfinite(length.value):
        return UNDETERMINED
    return Estimate(length.value, length.sigma_stat, float(np.hypot(length.sigma_sys, sigma * length.value)))


def _plain(rows: list[_Found]) -> dict[str, Any]:
    """What is counted, and what is said in words."""
    maps = [one.measured for one in rows]
    grains, sized = [one.grains for one in rows], [one.sized for one in rows]
    nan = float("nan")
    return {
        "diameter_sampling_um": (
            "frame",
            np.array([nan if one is None else one.diameter_sampling_um for one in sized]),
            {"units": "um"},
        ),
        "grains": ("frame", np.array([0 if one is None else int(one.labels.max()) for one in grains])),
        "indexed_share": ("frame", np.array([nan if one is None else one.known.mean() for one in maps])),
        "pattern_share": ("frame", np.array([nan if one is None else one.pattern_share for one in maps])),
        "grains_are": ("frame", np.array([one.grains_are for one in rows])),
        "note": ("frame", np.array([one.note for one in rows])),
    }


def _pictures(rows: list[_Found], points: tuple[int, int]) -> dict[str, Any]:
    """Colours of the normal's direction, black where there is no orientation, and numbers of grains."""
    colour = np.zeros((len(rows), *points, 3), np.uint8)
    grain = np.zeros((len(rows), *points), np.uint16)
    for number, one in enumerate(rows):
        if one.measured is not None:
            shown = inverse_pole_colours(one.measured.quaternion) * one.measured.known[..., None]
            colour[number] = np.rint(255 * np.clip(shown, 0, 1))
        if one.grains is not None:
            grain[number] = one.grains.labels
    return {
        "colour": (("frame", "row", "column", "channel"), colour),
        "grain": (("frame", "row", "column"), grain),
    }

"""The colour images of a run: reflectance by a white reference, and the colours of graphite."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Calibration, Kind
from intercalate.cell import Cell
from intercalate.colour_frames import ColourFrameError, unpacked
from intercalate.instrument_sections import OpticalCameraSection, OpticalSection
from intercalate.raman_results import GRAPHITE, window_material
from intercalate.reduction.optical import (
    OpticalCamera,
    OpticalError,
    White,
    face_colours,
    light_of,
    reflectance_of,
)
from intercalate.reduction.results import Estimate
from intercalate.sem_results import columns_of


def optical_camera(paper: OpticalCameraSection) -> OpticalCamera:
    """What a configuration says of the camera."""
    return OpticalCamera(
        paper.pixel_um,
        paper.counts_per_electron,
        paper.dark_counts,
        paper.read_noise_electrons * paper.counts_per_electron,
        paper.saturation_counts,
    )


def reduce_colours(
    images: Any,
    aligned: xr.Dataset,
    known: Mapping[str, Calibration],
    section: OpticalSection,
    cell: Cell | None,
    progress: Callable[[int], None],
) -> tuple[xr.Dataset, dict[str, Calibration]]:
    """Find the colours of what is behind an optical window, in every image of a run.

    Parameters
    ----------
    images
        Frames as `colour_frames` packs them.
    aligned
        Along `frame`, with `i0_counts`, and the quality of the light where that is known.
    known
        Calibrations by name.
    cell
        What was there; None where nobody said.

    Returns
    -------
    data
        Along `frame`: `colour_share.X` for each colour X of graphite, where the cell has some, with errors;
        `note`; along `row`, `column` and `channel` too `picture`, 0 to 255, of reflectance 0 to 1 where there
        is a white reference, else of the counts of its brightest pixels; attribute `pixel_um`.
    used
        The white reference, if there is one.
    """
    paper = section.detector
    camera, count = optical_camera(paper), len(images)
    kept = known.get(str(Kind.WHITE))
    white = None if kept is None else White(kept.array("per_count"), kept.values["relative_sigma"])
    is_graphite = cell is not None and window_material(cell) == GRAPHITE
    monitor = np.asarray(aligned["i0_counts"], float) if "i0_counts" in aligned else np.full(count, np.nan)
    shares: list[dict[str, Estimate]] = []
    notes, pictures = [], np.zeros((count, *paper.pixels, 3), np.uint8)
    for number in range(count):
        found, note = dict[str, Estimate](), _without_light(aligned, number)
        if not note:
            try:
                counts = unpacked(np.asarray(images[number]), paper.pixels)
                if white is None:
                    light = light_of(counts, camera)
                    seen = light / np.percentile(light, 99.5)
                    note = "no white reference was measured; run calibrate_colour"
                else:
                    seen = reflectance_of(counts, float(monitor[number]), white, camera)
                    if is_graphite:
                        told = face_colours(seen, paper.pixel_um).shares
                        found = {f"colour_share.{name}": one for name, one in told.items()}
                pictures[number] = np.rint(255.0 * np.sqrt(np.clip(seen, 0.0, 1.0)))
            except (OpticalError, ColourFrameError) as error:
                note = str(error)
        shares.append(found)
        notes.append(note)
        progress(number + 1)
    variables: dict[str, Any] = columns_of(shares, "")
    variables["note"] = ("frame", np.array(notes))
    attributes = {"pixel_um": paper.pixel_um, "shown": "square root of reflectance"}
    variables["picture"] = (("frame", "row", "column", "channel"), pictures, attributes)
    return xr.Dataset(variables), {} if kept is None else {kept.name: kept}


def _without_light(aligned: xr.Dataset, number: int) -> str:
    if "beam_quality" not in aligned:
        return ""
    is_dark = str(aligned["beam_quality"].values[number]) == BeamQuality.NONE
    return "no light: the lamp's monitor is below its limit" if is_dark else ""

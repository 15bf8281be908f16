"""Maps of compounds of the spectrum images of a run, by references that were measured on its instrument."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from intercalate.frame_use import why_useless
from intercalate.instrument_sections import EelsSection
from intercalate.loss_references import prepared_scan
from intercalate.reduction.eels import EelsError, Reference
from intercalate.reduction.eels.compounds import CompoundMaps, compound_maps
from intercalate.sem_results import columns_of
from intercalate.spectrum_frames import SpectrumFrameError

LOSS_MAP = "loss_map_nm."
"""Before the compound, in the names of maps."""
_SUFFIXES = ("", "_sigma_stat", "_sigma_sys")


def reduce_compounds(
    images: Any, aligned: xr.Dataset, references: Mapping[str, Reference], section: EelsSection
) -> xr.Dataset:
    """Find how much of each compound there is in every pixel of every scan.

    Parameters
    ----------
    images
        Frames as `spectrum_frames` packs them.
    aligned
        Along `frame`, with the quality of the beam where it is known.
    references
        By compound.

    Returns
    -------
    xarray.Dataset
        Along `frame`, `y` and `x`: `loss_map_nm.X` of each compound X, thickness along the beam, and of
        compounds with one metal that look alike their sum, `all with METAL`; each with `_sigma_stat` and
        `_sigma_sys`, NaN where it cannot be told from the others. `loss_misfit`, what no reference explains,
        in parts of the edges, and `loss_unknown`, 1 where that is more than shapes differ by. Along `frame`:
        means over the scan, `mean_nm.X`, with errors, and `compound_note`.
    """
    rows, columns = section.detector.points
    count = len(images)
    maps: dict[str, np.ndarray] = {}
    misfit, unknown = np.full((count, rows, columns), np.nan), np.zeros((count, rows, columns), np.uint8)
    means, notes = [], []
    for number in range(count):
        note, found = why_useless(aligned, number), None
        if not note:
            try:
                found = compound_maps(prepared_scan(np.asarray(images[number]), section.detector), references)
            except (EelsError, SpectrumFrameError) as error:
                note = str(error)
        notes.append(note)
        means.append({} if found is None else {f"mean_nm.{name}": found.mean(name) for name in found.amounts})
        if found is not None:
            _put(maps, found, number, (count, rows, columns))
            misfit[number], unknown[number] = found.maps.misfit, found.maps.is_unknown
    variables: dict[str, Any] = columns_of(means, "nm")
    across = ("frame", "y", "x")
    variables |= {name: (across, values, {"units": "nm"}) for name, values in maps.items()}
    variables |= {"loss_misfit": (across, misfit), "loss_unknown": (across, unknown)}
    variables["compound_note"] = ("frame", np.array(notes))
    return xr.Dataset(variables)


def _put(maps: dict[str, np.ndarray], found: CompoundMaps, number: int, shape: tuple[int, ...]) -> None:
    for name, parts in found.amounts.items():
        for suffix, values in zip(_SUFFIXES, parts):
            whole = maps.setdefault(f"{LOSS_MAP}{name}{suffix}", np.full(shape, np.nan))
            whole[number] = values

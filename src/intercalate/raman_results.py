"""The Raman spectra of a run: calibrations in, what they say of the electrode behind the window out."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Calibration, Kind, exposure_key
from intercalate.cell import Cell
from intercalate.correction_chain import needed
from intercalate.instrument_sections import RamanSection
from intercalate.materials.raman_oxides import OXIDES
from intercalate.materials.raman_sulfur import ELECTROLYTES, RamanElectrolyte
from intercalate.raman_chain import RamanOnPaper
from intercalate.reduction.raman import ShiftAxis, spectra_of_graphite, spectra_of_oxide, spectra_of_sulfur

IN_CHAIN = (Kind.DARK, Kind.SHIFT)
GRAPHITE, CATHODE = "graphite", "S"


def reduce_spectra(
    images: Any,
    aligned: xr.Dataset,
    exposure_s: float,
    known: Mapping[str, Calibration],
    section: RamanSection,
    cell: Cell,
    progress: Callable[[int], None],
) -> tuple[xr.Dataset, dict[str, Calibration]]:
    """Reduce the spectra of a run.

    Parameters
    ----------
    images
        Counts, shape (n, 1, pixels).
    aligned
        Along `frame`, with the quality of the beam where that is known.
    known
        Calibrations by name.

    Returns
    -------
    data
        As `spectra_of_graphite`, `spectra_of_oxide` or `spectra_of_sulfur` gives it.
    used
        The calibrations that it took, by name.

    Raises
    ------
    CalibrationError
        If dark frames of this exposure or the axis are missing.
    ValueError
        If nothing is known of the material behind the optical window.
    """
    material = window_material(cell)
    if material not in (GRAPHITE, CATHODE, *OXIDES):
        named = ", ".join((GRAPHITE, CATHODE, *OXIDES))
        raise ValueError(f"behind the optical window is {material}; bands are known of {named}")
    on_paper = RamanOnPaper.of(section)
    dark, shift = needed(known, Kind.DARK, exposure_key(exposure_s)), needed(known, Kind.SHIFT)
    axis = ShiftAxis(
        shift_per_cm=shift.array("shift_per_cm"),
        offset_nm=shift.values["offset_nm"],
        sigma_per_cm=shift.values["sigma_per_cm"],
        dispersion_sigma=shift.values["dispersion_sigma"],
        width_nm=on_paper.spectrograph.width_nm,
        laser_nm=on_paper.spectrograph.laser_nm,
    )
    quality = aligned["beam_quality"].values if "beam_quality" in aligned else [""] * len(images)

    def frame(number: int) -> np.ndarray | str:
        if str(quality[number]) == BeamQuality.NONE:
            return "no light: I0 is below its limit"
        return np.asarray(images[number])[0]

    given = (frame(number) for number in range(len(images))), dark_spectrum(dark), on_paper.detector, axis
    if material == GRAPHITE:
        data = spectra_of_graphite(*given, progress=progress)
    elif material == CATHODE:
        data = spectra_of_sulfur(*given, electrolyte_of(cell), progress=progress)
    else:
        data = spectra_of_oxide(*given, OXIDES[material], progress=progress)
    return data, {one.name: one for one in (dark, shift)}


def dark_spectrum(dark: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Mean dark counts of an exposure and their standard error, shape (pixels,)."""
    return dark.array("mean")[0], np.sqrt(dark.array("variance")[0] / dark.values["frames"])


def window_material(cell: Cell) -> str:
    """What light meets through the optical window of a cell.

    Raises
    ------
    ValueError
        If it has none.
    """
    if cell.optical_window is None:
        raise ValueError(
            f"the cell {cell.name} has no optical window: say `optical_window` in its file, the electrode "
            "that can be seen"
        )
    return (cell.positive if cell.optical_window == "positive" else cell.negative).material


def electrolyte_of(cell: Cell) -> RamanElectrolyte:
    """Bands of the electrolyte of a cell, by its name.

    Raises
    ------
    ValueError
        If it has none, or nothing is known of it.
    """
    name = "" if cell.electrolyte is None else cell.electrolyte.name
    if name not in ELECTROLYTES:
        raise ValueError(
            f"electrolyte.name of the cell {cell.name} is {name!r}; known are {', '.join(ELECTROLYTES)}: "
            "use such a name, or add the electrolyte to the tables"
        )
    return ELECTROLYTES[name]

"""Micrographs and X-ray spectra of a run: layers of a section, deposits on a face, elements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Calibration, Kind
from intercalate.cell import Cell
from intercalate.dose import formula_elements
from intercalate.instrument_sections import EdsSection, SemSection
from intercalate.materials.eds import STANDARD_DETECTOR, WINDOWLESS_DETECTOR
from intercalate.reduction.ebsd import overlap
from intercalate.reduction.eds import (
    EnergyAxis,
    SpectrumError,
    axis_on_paper,
    composition,
    fit_lines,
    lithium,
)
from intercalate.reduction.micrographs import (
    DepositMap,
    Micrograph,
    MicrographError,
    deposits,
    micrograph,
    section,
    shift_between,
    tallest_body,
)
from intercalate.reduction.results import UNDETERMINED, Estimate

THUMBNAIL_PX = 128
"""Side of the images that are kept with the results; those of the run stay where they are."""

POLYMER = "polymer"
POLYMER_ELEMENTS = ("C", "N", "O", "F", "S")
LIGHTEST_EDS = "C"

Progress = Callable[[int], None]


def reduce_micrographs(
    images: Any,
    aligned: xr.Dataset,
    known: Mapping[str, Calibration],
    section_: SemSection,
    cell: Cell,
    progress: Progress,
) -> tuple[xr.Dataset, dict[str, Calibration]]:
    """Measure the images of a run.

    Parameters
    ----------
    images
        Grey values, shape (n, rows, columns).
    aligned
        Along `frame`, with `column_field_of_view_um` and the quality of the beam where it is known.
    known
        Calibrations by name.

    Returns
    -------
    data
        Along `frame`, of a section `thickness_um.LAYER`, `roughness_um.LAYER` and `body_um`, by which the
        tallest body stands out from the first layer, of a face `coverage` and of it `coverage.CLASS`,
        `same_relief`, how much of it is as in the first image of this spot, and `habit`, each with
        `_sigma_stat` and `_sigma_sys`; `charge_mah_cm2` since the start of the program; `note`; `pixel_um`;
        and `thumbnail` (frame, row, column).
    used
        The calibration of the scale, if there is one.

    Raises
    ------
    ValueError
        If nobody said what of the cell is seen, or the events do not tell the field of view.
    """
    if "column_field_of_view_um" not in aligned:
        raise ValueError("the events do not say how large the field of view was")
    names = layers_of(cell) if cell.exposed_face == "section" else ()
    if not names and cell.exposed_face is None:
        raise ValueError(f"say in the cell's file what of {cell.name} is seen: exposed_face")
    scale = known.get(str(Kind.SCALE))
    ratio, sigma = (
        (1.0, section_.imaging.pixel_sigma)
        if scale is None
        else (scale.values["pixel_ratio"], scale.values["pixel_ratio_sigma"])
    )
    columns = section_.imaging.shape[1]
    pixel_um = np.asarray(aligned["column_field_of_view_um"], float) / columns * ratio
    rows: list[_Found] = []
    thumbnails = []
    first: dict[tuple[float, ...], _Face] = {}
    for number in range(len(images)):
        grey = np.asarray(images[number])
        thumbnails.append(_thumbnail(grey))
        found = _measured(grey, float(pixel_um[number]), sigma, names, why_useless(aligned, number))
        if found.face is not None:
            before = first.setdefault(_spot(aligned, number), found.face)
            if before is not found.face:
                found.quantities["same_relief"] = _same_relief(before, found.face)
        rows.append(replace(found, face=None))
        progress(number + 1)
    variables = columns_of([one.quantities for one in rows], "um" if names else "")
    if "net_capacity_ah" in aligned and cell.working_electrode.area_cm2 is not None:
        charge = 1000.0 * np.asarray(aligned["net_capacity_ah"], float) / cell.working_electrode.area_cm2
        variables["charge_mah_cm2"] = ("frame", charge, {"units": "mAh/cm2"})
    variables["note"] = ("frame", np.array([one.note for one in rows]))
    variables["pixel_um"] = ("frame", pixel_um, {"units": "um"})
    variables["thumbnail"] = (("frame", "row", "column"), np.array(thumbnails))
    if not names:
        variables["habit"] = ("frame", np.array([one.habit for one in rows]))
    return xr.Dataset(variables), {} if scale is None else {scale.name: scale}


def layers_of(cell: Cell) -> tuple[str, ...]:
    """Layers of a section from the negative electrode to the positive one."""
    return (cell.negative.material, POLYMER, cell.positive.material)


@dataclass(frozen=True)
class _Face:
    """A face as an image shows it."""

    image: Micrograph
    grown: DepositMap


@dataclass(frozen=True)
class _Found:
    """What an image shows.

    Attributes
    ----------
    habit
        Of what has grown on a face.
    note
        Why something is missing.
    """

    quantities: dict[str, Estimate] = field(default_factory=dict)
    habit: str = ""
    note: str = ""
    face: _Face | None = None


def _measured(
    grey: np.ndarray, pixel_um: float, pixel_sigma: float, names: Sequence[str], why: str
) -> _Found:
    if why:
        return _Found(note=why)
    found: dict[str, Estimate] = {}
    try:
        image = micrograph(grey.astype(np.uint8), pixel_um, pixel_um * pixel_sigma)
        if names:
            cut = section(image, names)
            for layer in cut.layers:
                found[f"thickness_um.{layer.name}"] = layer.thickness_um
                found[f"roughness_um.{layer.name}"] = layer.roughness_um
            found["body_um"] = tallest_body(cut, 1, image.pixel_um)
            return _Found(found)
        grown = deposits(image)
    except MicrographError as error:
        return _Found(note=str(error))
    found["coverage"] = grown.coverage
    for kind, covered in grown.coverage_of.items():
        found[f"coverage.{kind}"] = covered
    return _Found(found, str(grown.kind), face=_Face(image, grown))


def _spot(aligned: xr.Dataset, number: int) -> tuple[float, ...]:
    """Where on the sample; nowhere in particular where it is not known."""
    names = [name for name in ("spot_x_mm", "spot_y_mm") if name in aligned]
    found = tuple(float(aligned[name][number]) for name in names)
    return found if np.all(np.isfinite(found)) else ()


def _same_relief(before: _Face, after: _Face) -> Estimate:
    """How much of what stands out is as before, a shift of the sample taken out."""
    try:
        shift = shift_between(before.image, after.image)
    except MicrographError:
        return UNDETERMINED
    return overlap(before.grown, after.grown, shift.rows, shift.columns)


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    """A smaller image, each pixel the mean of a block."""
    step = max(1, int(np.ceil(max(grey.shape) / THUMBNAIL_PX)))
    rows, columns = (size // step for size in grey.shape)
    blocks = grey[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return blocks.mean(axis=(1, 3)).astype(np.uint8)


def reduce_x_rays(
    images: Any,
    aligned: xr.Dataset,
    known: Mapping[str, Calibration],
    section_: EdsSection,
    cell: Cell,
    progress: Progress,
) -> tuple[xr.Dataset, dict[str, Calibration]]:
    """Find the elements in the X-ray spectra of a run.

    Returns
    -------
    data
        Along `frame`: `mass_fraction.ELEMENT` of what is seen, lithium and hydrogen not among it, with both
        errors; `lithium`, whether it is detected, not detectable or absent; `note`; and `counts` (frame,
        channel), with `energy_ev` along `channel`.
    used
        The calibration of energies, if there is one.
    """
    if "column_voltage_kv" not in aligned:
        raise ValueError("the events do not say with which voltage the column ran")
    detector = WINDOWLESS_DETECTOR if section_.detector.kind == "windowless" else STANDARD_DETECTOR
    energy = known.get(str(Kind.ENERGY))
    axis = (
        axis_on_paper(detector)
        if energy is None
        else EnergyAxis(energy.array("energy_ev"), energy.values["sigma_ev"])
    )
    elements = elements_of(cell)
    rows: list[dict[str, Estimate]] = []
    verdicts, notes, counts = [], [], []
    for number in range(len(images)):
        spectrum = np.asarray(images[number])[0]
        counts.append(spectrum)
        kv = float(np.asarray(aligned["column_voltage_kv"])[number])
        found, verdict, note = {}, "", why_useless(aligned, number)
        if not note:
            try:
                fit = fit_lines(spectrum, _excited(elements, kv), axis, detector, kv)
                made = composition(fit, detector, kv)
                found = {f"mass_fraction.{element}": one for element, one in made.mass_fraction.items()}
                verdict = str(lithium(spectrum, axis, detector, kv).verdict)
            except SpectrumError as error:
                note = str(error)
        rows.append(found)
        verdicts.append(verdict)
        notes.append(note)
        progress(number + 1)
    variables = columns_of(rows, "")
    variables["lithium"] = ("frame", np.array(verdicts))
    variables["note"] = ("frame", np.array(notes))
    variables["counts"] = (("frame", "channel"), np.array(counts, np.uint32), {"units": "counts"})
    data = xr.Dataset(variables, {"energy_ev": ("channel", axis.energy_ev, {"units": "eV"})})
    return data, {} if energy is None else {energy.name: energy}


def elements_of(cell: Cell) -> list[str]:
    """What may be in a section of a cell and gives X-rays that are counted."""
    found: dict[str, None] = dict.fromkeys(POLYMER_ELEMENTS)
    for electrode in (cell.negative, cell.positive):
        found |= dict.fromkeys(formula_elements(electrode.formula or electrode.material))
    return [element for element in found if element not in ("H", "Li")]


def _excited(elements: Sequence[str], kv: float) -> list[str]:
    """Those of which the beam excites a line that is counted."""
    from intercalate.materials.eds import emission_lines

    return [
        element
        for element in elements
        if any(line.energy_ev > 150.0 and 1.15 * line.edge_ev < 1e3 * kv for line in emission_lines(element))
    ]


def why_useless(aligned: xr.Dataset, number: int) -> str:
    """Why a frame cannot be used; empty if it can."""
    if "beam_quality" not in aligned:
        return ""
    is_dark = str(aligned["beam_quality"].values[number]) == BeamQuality.NONE
    return "no electrons: I0 is below its limit" if is_dark else ""


def columns_of(rows: Sequence[Mapping[str, Estimate]], units: str) -> dict[str, Any]:
    """Values and both errors along `frame`; undetermined where a row lacks one."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        column = [row.get(name, UNDETERMINED) for row in rows]
        attributes = {"units": units}
        found[name] = ("frame", np.array([one.value for one in column]), attributes)
        found[f"{name}_sigma_stat"] = ("frame", np.array([one.sigma_stat for one in column]), attributes)
        found[f"{name}_sigma_sys"] = ("frame", np.array([one.sigma_sys for one in column]), attributes)
    return found

"""Micrographs and X-ray spectra of a run: layers of a section, deposits on a face, elements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from intercalate.calibrations import Calibration, Kind
from intercalate.cell import Cell
from intercalate.dose import formula_elements
from intercalate.frame_use import spot_of, why_useless
from intercalate.instrument_sections import EdsSection, SemSection
from intercalate.materials.eds import STANDARD_DETECTOR, WINDOWLESS_DETECTOR
from intercalate.milled_results import Wall, columns_of_walls, cut_um, milled_um, wall_of
from intercalate.reduction.ebsd import overlap
from intercalate.reduction.eds import (
    EnergyAxis,
    SpectrumError,
    axis_on_paper,
    composition,
    fit_lines,
    lithium,
    lithium_bond,
)
from intercalate.reduction.micrographs import (
    DepositMap,
    Micrograph,
    MicrographError,
    Section,
    deposits,
    gained,
    micrograph,
    section,
    shift_between,
)
from intercalate.reduction.results import UNDETERMINED, Estimate
from intercalate.x_ray_maps import maps_of_elements

THUMBNAIL_PX = 128
"""Side of the images that are kept with the results; those of the run stay where they are."""

POLYMER = "polymer"
POLYMER_ELEMENTS = ("C", "N", "O", "F", "S")
GARNET_ELEMENTS = {"LLZO": ("C", "O", "Zr", "La")}
"""By the names of electrolytes; carbon is that of carbonate."""
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
        Along `frame`, of a section `thickness_um.LAYER`, `roughness_um.LAYER`, and what each layer has gained
        since the first image of this spot: `gained_um.LAYER` where it is even, and `bodies_um.LAYER` as a
        mean thickness of what came of bodies on its faces; of a face `coverage` and of it `coverage.CLASS`,
        `same_relief`, how much of it is as in the first image of this spot, and `habit`, each with
        `_sigma_stat` and `_sigma_sys`; of each deposit, along `deposit`, its middle from that of the image in
        `deposit_x_um` and `deposit_y_um`, and `deposit_class`; `charge_mah_cm2` since the start of the
        program; of a place that ions have milled, in place of all that, `milled.darkness`,
        `milled.diameter_um` and `milled.wall_um` of the body in the trench, its middle from that of the image
        in `milled.row_um` and `milled.column_um`, whether it is `inside` hollow or filled, and what it stands
        on `perforated`; `note`; `pixel_um`; `field_um`, width of the field by it; and `thumbnail`
        (frame, row, column).
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
    first_cut: dict[tuple[float, ...], Section] = {}
    grown: list[list[_Place]] = []
    walls: list[Wall | None] = []
    for number in range(len(images)):
        grey = np.asarray(images[number])
        thumbnails.append(_thumbnail(grey))
        if milled_um(aligned, number) > 0 and not why_useless(aligned, number):
            pixel = float(pixel_um[number])
            wall = wall_of(micrograph(grey.astype(np.uint8), pixel, pixel * sigma), cut_um(aligned, number))
            walls.append(wall)
            rows.append(_Found(wall.quantities, note=wall.note))
            grown.append([])
            progress(number + 1)
            continue
        walls.append(None)
        found = _measured(grey, float(pixel_um[number]), sigma, names, why_useless(aligned, number))
        if found.face is not None:
            grown.append(_places(found.face))
            before = first.setdefault(spot_of(aligned, number), found.face)
            if before is not found.face:
                found.quantities["same_relief"] = _same_relief(before, found.face)
        else:
            grown.append([])
        if found.cut is not None:
            started = first_cut.setdefault(spot_of(aligned, number), found.cut)
            if started is not found.cut:
                found.quantities.update(_gained(started, found.cut, float(pixel_um[number]), sigma))
        rows.append(replace(found, face=None, cut=None))
        progress(number + 1)
    variables = columns_of([one.quantities for one in rows], "um" if names else "")
    variables |= _charge(aligned, cell) | columns_of_walls(walls)
    variables["note"] = ("frame", np.array([one.note for one in rows]))
    variables["pixel_um"] = ("frame", pixel_um, {"units": "um"})
    variables["field_um"] = ("frame", pixel_um * columns, {"units": "um"})
    variables["thumbnail"] = (("frame", "row", "column"), np.array(thumbnails))
    if not names:
        variables["habit"] = ("frame", np.array([one.habit for one in rows]))
        variables |= _listed(grown)
    return xr.Dataset(variables), {} if scale is None else {scale.name: scale}


def _charge(aligned: xr.Dataset, cell: Cell) -> dict[str, Any]:
    """Column of the charge per area since the start of the program, if the area is known."""
    if "net_capacity_ah" not in aligned or cell.working_electrode.area_cm2 is None:
        return {}
    charge = 1000.0 * np.asarray(aligned["net_capacity_ah"], float) / cell.working_electrode.area_cm2
    return {"charge_mah_cm2": ("frame", charge, {"units": "mAh/cm2"})}


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
    cut: Section | None = None


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
            return _Found(found, cut=cut)
        grown = deposits(image)
    except MicrographError as error:
        return _Found(note=str(error))
    found["coverage"] = grown.coverage
    for kind, covered in grown.coverage_of.items():
        found[f"coverage.{kind}"] = covered
    return _Found(found, str(grown.kind), face=_Face(image, grown))


def _gained(first: Section, now: Section, pixel_um: float, scale_sigma: float) -> dict[str, Estimate]:
    """What the layers of a spot have gained since its first image."""
    found: dict[str, Estimate] = {}
    for before, layer in zip(first.layers, now.layers):
        one = gained(before, layer, pixel_um, scale_sigma)
        found[f"gained_um.{layer.name}"], found[f"bodies_um.{layer.name}"] = one.even_um, one.bodies_um
    return found


_Place = tuple[float, float, str]
"""Middle of a deposit from that of the image in um, and its class."""


def _places(face: _Face) -> list[_Place]:
    segments, image = face.grown.segments, face.image
    middle = [0.5 * (size - 1) for size in image.grey.shape]
    index = np.arange(1, segments.count + 1)
    at = ndimage.center_of_mass(segments.covered, segments.labels, index)
    return [
        (float(column - middle[1]) * image.pixel_um, float(row - middle[0]) * image.pixel_um, str(kind))
        for (row, column), kind in zip(at, face.grown.each)
    ]


def _listed(grown: list[list[_Place]]) -> dict[str, Any]:
    """Columns of deposits; NaN and no class where an image has fewer."""
    most = max((len(one) for one in grown), default=0)
    padded = [one + [(float("nan"), float("nan"), "")] * (most - len(one)) for one in grown]
    found: dict[str, Any] = {}
    for axis, name in enumerate(("deposit_x_um", "deposit_y_um")):
        values = np.array([[place[axis] for place in one] for one in padded]).reshape(len(padded), most)
        found[name] = (("frame", "deposit"), values, {"units": "um"})
    kinds = np.array([[place[2] for place in one] for one in padded], str).reshape(len(padded), most)
    found["deposit_class"] = (("frame", "deposit"), kinds)
    return found


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
        Of maps what `x_ray_maps.maps_of_elements` gives; of all places of a frame together, along `frame`:
        `mass_fraction.ELEMENT` of what is seen, lithium and hydrogen not among it, with both
        errors; `lithium`, whether it is detected, not detectable or absent; `lithium_bond`, where it is
        detected, `carbide`, `metal` or `uncertain`; `charge_mah_cm2`; `note`; and
        `counts` (frame, channel), with `energy_ev` along `channel`.
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
    places = section_.detector.points
    maps = maps_of_elements(images, aligned, elements, axis, detector, places, cell)
    rows: list[dict[str, Estimate]] = []
    verdicts, bonds, notes, counts = [], [], [], []
    for number in range(len(images)):
        spectrum = np.asarray(images[number]).sum(axis=0, dtype=np.uint32)
        counts.append(spectrum)
        kv = float(np.asarray(aligned["column_voltage_kv"])[number])
        found, verdict, bond, note = {}, "", "", why_useless(aligned, number)
        if not note:
            try:
                fit = fit_lines(spectrum, _excited(elements, kv), axis, detector, kv)
                seen = lithium(spectrum, axis, detector, kv)
                bound = lithium_bond(seen, fit, detector, kv)
                verdict, bond = str(seen.verdict), "" if bound is None else str(bound.bond)
                made = composition(fit, detector, kv)
                found = {f"mass_fraction.{element}": one for element, one in made.mass_fraction.items()}
            except SpectrumError as error:
                note = str(error)
        rows.append(found)
        verdicts.append(verdict)
        bonds.append(bond)
        notes.append(note)
        progress(number + 1)
    variables = columns_of(rows, "")
    variables["lithium"] = ("frame", np.array(verdicts))
    variables["lithium_bond"] = ("frame", np.array(bonds, str))
    variables["note"] = ("frame", np.array(notes))
    variables["counts"] = (("frame", "channel"), np.array(counts, np.uint32), {"units": "counts"})
    variables |= maps | _charge(aligned, cell)
    data = xr.Dataset(variables, {"energy_ev": ("channel", axis.energy_ev, {"units": "eV"})})
    return data, {} if energy is None else {energy.name: energy}


def elements_of(cell: Cell) -> list[str]:
    """What may be in a section of a cell and gives X-rays that are counted."""
    between = None if cell.electrolyte is None else GARNET_ELEMENTS.get(cell.electrolyte.name)
    found: dict[str, None] = dict.fromkeys(between or POLYMER_ELEMENTS)
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

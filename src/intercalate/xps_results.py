"""The photoelectron spectra of a run: regions in, composition and films of a surface out."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Calibration, Kind
from intercalate.cell import Cell
from intercalate.instrument_sections import AnalyserSection, RegionSection, XpsSection
from intercalate.materials.sputtering import artefacts
from intercalate.reduction.xps import AnalyserOnPaper, RegionSpectrum, XpsError, counted
from intercalate.reduction.xps.series import MODELS, Acquisition, SurfaceModel, surface_series
from intercalate.xps_map_results import is_grid, share_of_each_point

SURVEY_EV = 200.0
"""From which on a region is a survey, in which levels are looked for, and not species."""

IN_TIME = ("test_time_second", "voltage_volt", "net_capacity_ah", "start_unix_s", "x_positive", "x_negative")
"""Of which an acquisition has the mean over its spectra."""


SPUTTERED = "dose_sputtered_1e16_cm2"
"""Argon ions that the spot of a spectrum had received."""


def analyser_on_paper(section: AnalyserSection) -> AnalyserOnPaper:
    """As the configuration says."""
    return AnalyserOnPaper(
        transmission_exponent=section.transmission_exponent,
        width_per_pass=section.width_per_pass,
        source_width_ev=section.source_width_ev,
        dead_time_s=section.dead_time_s,
        emission_angle_deg=section.emission_angle_deg,
    )


def region_spectrum(
    name: str, counts: np.ndarray, region: RegionSection, exposure_s: float, analyser: AnalyserSection
) -> RegionSpectrum:
    """Spectrum of a frame, shape (points,), zero behind the end of its region; raises as `counted`."""
    energy = region.start_ev + region.step_ev * np.arange(region.points)
    return counted(
        name,
        energy,
        np.asarray(counts, float)[: region.points],
        seconds=exposure_s / region.points,
        pass_energy_ev=region.pass_energy_ev,
        analyser=analyser_on_paper(analyser),
    )


def reduce_photoelectrons(
    images: Any,
    aligned: xr.Dataset,
    known: Mapping[str, Calibration],
    section: XpsSection,
    cell: Cell,
    progress: Callable[[int], None],
) -> tuple[xr.Dataset, dict[str, Calibration]]:
    """Reduce the spectra of a run.

    Parameters
    ----------
    images
        Counts, shape (n, 1, points).
    known
        Calibrations by name.
    aligned
        Along `frame`: `visit`, what the analyser was set to, I0, and the quality of the beam where known.

    Returns
    -------
    data
        Along `acquisition`, what `surface_series` gives with the time and voltage of each, and of a surface
        that was sputtered `acquisition_sputtered_1e16_cm2`, whose attribute `artefacts` says what ions may
        have made of it; along `frame` and
        `point`, `binding_ev` and `counts`, NaN behind the end of a region. Of spectra of a grid, in the place
        of the first, what `share_of_each_point` gives along `frame`.
    used
        The scale of energies, if there is one; without it, lines of the surface are looked for around where
        the analyser has them.

    Raises
    ------
    ValueError
        If nothing is known of the material that the vacuum meets, or the regions were not noted.
    """
    if "analyser_region" not in aligned:
        raise ValueError("the events do not say which regions were scanned")
    model, paper = surface_model(cell), analyser_on_paper(section.analyser)
    scale = known.get(str(Kind.ENERGY))
    binding, counts = _spectra(images, aligned, scale)
    variables: dict[str, Any] = {
        "binding_ev": (("frame", "point"), binding.astype(np.float32), {"units": "eV"}),
        "counts": (("frame", "point"), counts.astype(np.float32), {"units": "counts"}),
    }
    calibrations = {} if scale is None else {scale.name: scale}
    if is_grid(aligned):
        shares = share_of_each_point(aligned, binding, counts, model, paper)
        progress(len(images))
        return shares.assign(variables), calibrations
    numbers = _acquisitions(aligned)

    def acquisitions() -> Iterator[Acquisition]:
        done = 0
        for number in range(int(numbers.max()) + 1):
            chosen = np.flatnonzero(numbers == number)
            yield _acquisition(chosen, aligned, binding, counts, paper)
            done += chosen.size
            progress(done)

    data = surface_series(acquisitions(), model)
    variables["acquisition_of_frame"] = ("frame", numbers)
    for name in IN_TIME:
        if name in aligned:
            mean = _means(aligned[name], numbers)
            variables[f"acquisition_{name}"] = ("acquisition", mean, aligned[name].attrs)
    if np.nanmax(np.asarray(aligned.get(SPUTTERED, 0.0), float)) > 0:
        said = "; ".join(artefacts((*model.film, *model.substrate)))
        attributes = {"units": "1e16/cm2", "artefacts": said}
        mean = _means(aligned[SPUTTERED], numbers)
        variables["acquisition_sputtered_1e16_cm2"] = ("acquisition", mean, attributes)
    return data.assign(variables), calibrations


def surface_model(cell: Cell) -> SurfaceModel:
    """What may be on the face that the vacuum meets.

    Raises
    ------
    ValueError
        If it is none, or nothing is known of its material.
    """
    if cell.exposed_face not in ("positive", "negative"):
        said = cell.exposed_face or "not said"
        raise ValueError(
            f"photoelectrons come from the face of one electrode; exposed_face of {cell.name} is {said}"
        )
    seen, other = cell.positive, cell.negative
    if cell.exposed_face == "negative":
        seen, other = other, seen
    material = seen.material
    # Polysulfides come over from sulfur.
    if (beside := f"{material} beside {other.material}") in MODELS:
        return MODELS[beside]
    if material not in MODELS:
        raise ValueError(f"nothing is known of the surface of {material}; known are {', '.join(MODELS)}")
    return MODELS[material]


def _spectra(images: Any, aligned: xr.Dataset, scale: Calibration | None) -> tuple[np.ndarray, np.ndarray]:
    """Binding energies on the true scale and counts of every frame, NaN behind the end of its region."""
    shape = (len(images), int(np.asarray(images[0]).size))
    binding, counts = np.full(shape, np.nan), np.full(shape, np.nan)
    start, stop, step = (np.asarray(aligned[f"analyser_{name}_ev"]) for name in ("start", "stop", "step"))
    for number in range(shape[0]):
        points = 1 + int(np.floor((stop[number] - start[number]) / step[number] + 1e-9))
        binding[number, :points] = start[number] + step[number] * np.arange(points)
        counts[number, :points] = np.asarray(images[number])[0, :points]
    if scale is not None:
        offset_ev, gain, middle_ev = (scale.values[name] for name in ("offset_ev", "gain", "middle_ev"))
        binding = binding - offset_ev - gain * (binding - middle_ev)
    return binding, counts


def _acquisitions(aligned: xr.Dataset) -> np.ndarray:
    """Number of the acquisition of each frame: a new one where a region comes again, or another visit."""
    regions, visits = np.asarray(aligned["analyser_region"]).astype(str), np.asarray(aligned.get("visit", 0))
    visits = np.broadcast_to(visits, regions.shape)
    numbers, seen, current = [], set(), 0
    for number, region in enumerate(regions):
        if seen and (region in seen or visits[number] != visits[number - 1]):
            current, seen = current + 1, set()
        seen.add(region)
        numbers.append(current)
    return np.array(numbers)


def _acquisition(
    chosen: np.ndarray,
    aligned: xr.Dataset,
    binding: np.ndarray,
    counts: np.ndarray,
    paper: AnalyserOnPaper,
) -> Acquisition:
    """Spectra of one acquisition; those without X-rays are left out, and said."""
    spectra: list[RegionSpectrum] = []
    survey: RegionSpectrum | None = None
    i0: dict[str, float] = {}
    why = ""
    for number in chosen:
        region = str(aligned["analyser_region"].values[number])
        if str(_at(aligned, "beam_quality", number)) == BeamQuality.NONE:
            why = "no X-rays: I0 is below its limit"
            continue
        points = np.isfinite(binding[number])
        try:
            one = counted(
                region,
                binding[number, points],
                counts[number, points],
                seconds=float(aligned["exposure_s"].values[number]) / points.sum(),
                pass_energy_ev=float(aligned["analyser_pass_energy_ev"].values[number]),
                analyser=paper,
            )
        except XpsError as error:
            why = str(error)
            continue
        if np.ptp(one.binding_ev) > SURVEY_EV:
            survey = one
        else:
            spectra.append(one)
        i0[region] = float(_at(aligned, "i0_counts", number))
    if not spectra and not why:
        why = "there is a survey alone: its lines are not resolved"
    return Acquisition(tuple(spectra), i0, "" if spectra else why, survey)


def _at(aligned: xr.Dataset, name: str, number: int) -> Any:
    return aligned[name].values[number] if name in aligned else np.nan


def _means(values: xr.DataArray, numbers: np.ndarray) -> np.ndarray:
    found: Mapping[int, list[float]] = {number: [] for number in range(int(numbers.max()) + 1)}
    for number, value in zip(numbers, np.asarray(values, float)):
        if np.isfinite(value):
            found[int(number)].append(float(value))
    return np.array([np.mean(one) if one else np.nan for one in found.values()])

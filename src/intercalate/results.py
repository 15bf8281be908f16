"""What an operando run leaves on disk: table, NetCDF and figures."""

import contextlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intercalate.analysis import SULFUR, Exposure, phases_of, reduce_and_fit, reduce_and_quantify
from intercalate.beam_effect import Comparison
from intercalate.beam_quality import BeamQuality
from intercalate.calibrations import Calibration, CalibrationStore, Kind, exposure_key
from intercalate.catalog.alignment import align, frames_alone
from intercalate.catalog.client import frames, records
from intercalate.catalog.export import to_csv, to_netcdf
from intercalate.catalog.linked import current_cell, cycling_source, has_records
from intercalate.catalog.lithium import plain
from intercalate.cell import Cell
from intercalate.config import Config
from intercalate.contract import STATION_NAMES
from intercalate.correction_chain import chain_of, transmitted
from intercalate.ebsd_results import reduce_orientation_maps
from intercalate.instrument_sections import (
    EbsdSection,
    EdsSection,
    EelsSection,
    LaboratorySection,
    OpticalSection,
    RamanSection,
    SemSection,
    TemSection,
    XpsSection,
)
from intercalate.loss_maps import reduce_compounds
from intercalate.loss_references import references_of
from intercalate.nanobattery_results import NANOBATTERY, reduce_nanobattery
from intercalate.optical_results import reduce_colours
from intercalate.orchestration.metadata import calibrations_key
from intercalate.pressed import PressedSample
from intercalate.pressed_results import opening_deg, reduce_pressed
from intercalate.raman_results import reduce_spectra
from intercalate.reduction import FitOptions, Systematics
from intercalate.reduction.chain import ReductionChain
from intercalate.reduction.depth import WEDGE_DEG
from intercalate.reduction.raman import MapError
from intercalate.reduction.shifts import line_shifts
from intercalate.reflection import TRANSMISSION_DEG, is_reflection, reduce_reflection, wedge
from intercalate.sem_results import reduce_micrographs, reduce_x_rays
from intercalate.shift_log import ShiftLog, as_json
from intercalate.tem_results import reduce_losses, reduce_transmission
from intercalate.views.beam_effect import save_beam_effect_figure
from intercalate.views.depth_profile import save_depth_profile_figure
from intercalate.views.layers import (
    save_elements_figure,
    save_images_figure,
    save_layers_figure,
    save_x_rays_figure,
)
from intercalate.views.loss_maps import save_loss_maps_figure
from intercalate.views.milled import save_milled_figure
from intercalate.views.operando import save_operando_figure, save_patterns_figure
from intercalate.views.optical import save_colours_figure
from intercalate.views.orientations import save_grains_figure, save_orientations_figure
from intercalate.views.pressure import save_pressure_figure
from intercalate.views.raman import save_map_figure, save_raman_figure
from intercalate.views.surface import save_spectra_figure, save_surface_figure
from intercalate.views.transmission import save_frames_figure, save_thickness_figure
from intercalate.views.xps_maps import save_share_figure
from intercalate.xps_results import reduce_photoelectrons

Progress = Callable[[int], None]


class ReductionWarning(UserWarning):
    """Something that a reduction could do without, but should not."""


def reduce_run(
    run: Any, config: Config, *, stream: str | None = None, progress: Progress = lambda done: None
) -> xr.Dataset:
    """Align the frames or spectra of a run with its cycler records, reduce and fit them; without records, as
    they are.

    The calibrations are those that the run's start document names; of a kind that it lacks, the latest.

    Parameters
    ----------
    stream
        With the frames; None if the run has one only.

    Returns
    -------
    xarray.Dataset
        Along `frame`: what `align` and `reduce_and_fit`, or `spectra_of_graphite`, give. Its attribute
        `reduction` says as JSON what was done to the frames, and with which calibrations.

    Raises
    ------
    CalibrationError
        If geometry, flat field or dark frames are missing, or the axis of spectra.
    ValueError
        If the run has no frames, or they differ in exposure.

    Warns
    -----
    ReductionWarning
        If there are no monitor counts, no background, or a calibration was made after the run began.
    """
    aligned = align(run, stream) if has_records(run) else frames_alone(run, stream)
    start = run.metadata["start"]
    exposure_s = one_exposure(aligned)
    instrument = instrument_of(start, stream)
    section = config.instrument(instrument)
    known, late = calibrations_of(start, instrument, config)
    cell, _ = current_cell(run)
    images = frames(run, stream)
    match section:
        case RamanSection():
            technique, steps = "raman", ["dark", "cosmic rays", "bands and background"]
            fitted, used = reduce_spectra(images, aligned, exposure_s, known, section, _named(cell), progress)
        case OpticalSection():
            technique, steps = "optical", ["white by silicon", "colours of graphite"]
            fitted, used = reduce_colours(images, aligned, known, section, cell, progress)
            if not used:
                _warn("the colours of the camera were not measured; run calibrate_colour")
        case XpsSection():
            technique, steps = "xps", ["dead time", "lines and active backgrounds"]
            fitted, used = reduce_photoelectrons(images, aligned, known, section, _named(cell), progress)
            technique = "xps" if "acquisition" in fitted.dims else "xps_map"
            if not used:
                _warn("the scale of energies was not measured; run calibrate_energy")
            if "acquisition_sputtered_1e16_cm2" in fitted:
                changed = fitted["acquisition_sputtered_1e16_cm2"].attrs["artefacts"]
                _warn(f"argon ions have changed what is seen: {changed}")
        case SemSection():
            technique, steps = "sem", ["scale", "faces of layers, or segments of deposits"]
            fitted, used = reduce_micrographs(images, aligned, known, section, _named(cell), progress)
            if not used:
                _warn("the size of a pixel was not measured; run calibrate_scale")
        case EdsSection():
            technique, steps = "eds", ["energies", "lines over a filtered background", "mass fractions"]
            fitted, used = reduce_x_rays(images, aligned, known, section, _named(cell), progress)
            if not used:
                _warn("the energies of the detector were not measured; run calibrate_x_ray_energy")
        case EbsdSection():
            technique, steps = "ebsd", ["scale", "orientations cleaned up", "grains", "the first map"]
            fitted, used = reduce_orientation_maps(images, aligned, known, section, progress)
        case TemSection():
            technique, steps = "tem", ["outlines of deposits", "spots and halos of patterns"]
            fitted, used = reduce_transmission(images, aligned, known, section, progress)
            if not used:
                _warn("the camera length was not measured; run calibrate_camera_length")
        case EelsSection():
            technique, steps = "eels", ["dark level", "zero loss of each pixel", "log-ratio thickness"]
            fitted = reduce_losses(images, aligned, section, progress)
            references, used = references_of(known)
            if references:
                fitted = fitted.merge(reduce_compounds(images, aligned, references, section))
                steps.append("compounds by references")
                contents = [str(one["content"]) for one in start.get("scans") or ()]
                if NANOBATTERY in contents:
                    profiles = reduce_nanobattery(images, aligned, contents, references, section)
                    fitted = fitted.merge(profiles)
                    steps.append("valence of cobalt across the battery")
            else:
                _warn("no references of compounds were measured; run take_references")
        case Config() | LaboratorySection():
            detector = section.diffractometer
            chain, used = chain_of(
                known, exposure_s, detector.saturation_counts, polarisation=detector.polarisation
            )
            technique, more = "xrd", []
            pressed = start.get("pressed_sample")
            if pressed is None and is_reflection(incidence_deg(aligned)):
                chain, more = wedge(chain), [{"step": "azimuths above the sample", "deg": WEDGE_DEG}]
                used = {name: one for name, one in used.items() if name != str(Kind.BACKGROUND)}
            if pressed is None:
                fitted = _patterns(images, aligned, exposure_s, chain, used, _named(cell), progress)
            else:
                technique, more = "xrd_pressure", ["pressure by the marker", "equation of state"]
                used = {name: one for name, one in used.items() if name != str(Kind.BACKGROUND)}
                fitted = reduce_pressed(
                    images,
                    exposures_of_frames(aligned, used[f"{Kind.DARK}:{exposure_key(exposure_s)}"]),
                    chain,
                    PressedSample.from_content(plain(pressed), "the run's sample"),
                    opening_deg(config),
                    options=_fit_options(used),
                    progress=progress,
                )
            steps = [*chain.steps, *more]
    for name in sorted(late & used.keys()):
        _warn(f"{name} is not the one named by the run: it was kept after the run began, or is another one")
    merged = aligned.drop_vars("frame", errors="ignore").merge(fitted.drop_vars("frame", errors="ignore"))
    done = {"steps": steps, "calibrations": {name: one.sha256 for name, one in used.items()}}
    entries = ShiftLog.of(config).entries(start["uid"])
    return merged.assign_attrs(fitted.attrs).assign_attrs(
        shift_log=as_json(entries),
        run=start["uid"],
        sample=start.get("sample", start.get("place", "") if cell is None else cell.name),
        electrolyte="" if cell is None or cell.electrolyte is None else cell.electrolyte.name,
        simulated=int(bool(start.get("simulated", False))),
        reduction=json.dumps(done),
        instrument=instrument,
        technique=technique,
    )


def _named(cell: Cell | None) -> Cell:
    """The cell, by whose materials frames are read."""
    if cell is None:
        raise ValueError("the run says of no cell what was in the beam; `intercalate enter-cell` does")
    return cell


def _patterns(
    images: Any,
    aligned: xr.Dataset,
    exposure_s: float,
    chain: ReductionChain,
    used: dict[str, Calibration],
    cell: Cell,
    progress: Progress,
) -> xr.Dataset:
    """Frames of a diffractometer, reduced and fitted."""
    angles_deg = incidence_deg(aligned)
    tilted = is_reflection(angles_deg)
    if str(Kind.BACKGROUND) not in used and not tilted:
        _warn("no background was measured; run take_background, and the fit has less to guess")
    exposures = exposures_of_frames(aligned, used[f"{Kind.DARK}:{exposure_key(exposure_s)}"])
    if cell.positive.material == SULFUR:
        return reduce_and_quantify(images, exposures, chain, cell, progress=progress)
    options = _fit_options(used)
    if tilted:
        return reduce_reflection(
            images, exposures, angles_deg, chain, cell, options=options, progress=progress
        )
    return reduce_and_fit(images, exposures, chain, phases_of(cell), options=options, progress=progress)


def _fit_options(used: dict[str, Calibration]) -> FitOptions:
    """Of a fit, with what the calibrated geometry leaves uncertain."""
    geometry = used[str(Kind.GEOMETRY)]
    shifts = line_shifts(geometry.text("geometry.poni"), geometry.array("covariance"))
    return FitOptions(systematics=Systematics(geometry=shifts))


def incidence_deg(aligned: xr.Dataset) -> np.ndarray:
    """Angle between beam and sample in each frame; that of transmission where nobody says one."""
    straight = np.full(aligned.sizes["frame"], TRANSMISSION_DEG)
    return np.asarray(aligned.get("goniometer_incidence_deg", straight), float)


def one_exposure(aligned: xr.Dataset) -> float:
    """Exposure in s of all frames.

    Raises
    ------
    ValueError
        If they differ.
    """
    found = np.unique(np.asarray(aligned["exposure_s"]))
    if found.size != 1:
        listed = ", ".join(f"{one:g}" for one in found)
        raise ValueError(f"the frames have different exposures ({listed} s); reduce each by itself")
    return float(found[0])


def instrument_of(start: Any, stream: str | None = None) -> str:
    """Which instrument took the frames of a run, or those of one of its streams."""
    measured = {one["name"]: one.get("instrument") for one in start.get("measurements") or ()}
    if stream is None and len(measured) == 1:
        (stream,) = measured
    return str(measured.get(stream) or start.get("instrument", STATION_NAMES[0]))


def calibrations_of(start: Any, instrument: str, config: Config) -> tuple[dict[str, Calibration], set[str]]:
    """Calibrations by name, those that the run names before others, and the names of the others."""
    store = CalibrationStore(config.stored(config.instrument(instrument).calibration.folder))
    by_hash = {one.sha256: one for one in store}
    named = {
        by_hash[one["sha256"]].name: by_hash[one["sha256"]]
        for one in dict(start.get(calibrations_key(instrument)) or {}).values()
        if one["sha256"] in by_hash
    }
    latest = store.in_use()
    return {**latest, **named}, latest.keys() - named.keys()


def exposures_of_frames(aligned: xr.Dataset, dark: Calibration) -> list[Exposure]:
    """Monitor and beam of each frame."""
    count = aligned.sizes["frame"]
    index = np.asarray(aligned["frame_index"])
    follows = np.append(False, np.diff(index) == 1)
    quality = [str(BeamQuality.UNKNOWN)] * count
    monitor = np.full(count, np.nan)
    if "it_counts" in aligned:
        live_s = np.asarray(aligned["live_time_s"])
        monitor = transmitted(np.asarray(aligned["it_counts"]), live_s, dark.values["it_dark_per_s"])
    if not np.isfinite(monitor).any():
        _warn(
            "no monitor counts belong to the frames: they are not normalised, nor is a background subtracted"
        )
    if "beam_quality" in aligned:
        quality = [str(one) for one in aligned["beam_quality"].values]
    return [
        Exposure(float(one), BeamQuality(judged), bool(after))
        for one, judged, after in zip(monitor, quality, follows)
    ]


def _warn(message: str) -> None:
    warnings.warn(message, ReductionWarning, stacklevel=3)


@dataclass(frozen=True)
class _Files:
    """What is written of a technique.

    Attributes
    ----------
    suffix
        Of the files' names.
    not_in_table
        Dimensions that a table does not show.
    course
        Figure of data and records; None where no cell is cycled.
    pictures
        Further figures, of the data alone, by name; one that cannot be made of them is left out.
    """

    suffix: str
    not_in_table: tuple[str, ...]
    course: Callable[[Path, xr.Dataset, xr.Dataset, str], None] | None
    pictures: Mapping[str, Callable[[Path, xr.Dataset, str], None]] = field(default_factory=dict)


_FILES = {
    "xrd": _Files("", ("two_theta",), save_operando_figure, {"patterns": save_patterns_figure}),
    "xrd_pressure": _Files(
        "_pressure",
        ("two_theta",),
        None,
        {"pressure": save_pressure_figure, "patterns": save_patterns_figure},
    ),
    "raman": _Files("_raman", ("shift",), save_raman_figure, {"maps": save_map_figure}),
    "optical": _Files("_optical", ("row", "column", "channel"), None, {"images": save_colours_figure}),
    "xps_map": _Files("_xps_map", ("point",), None, {"shares": save_share_figure}),
    "xps": _Files(
        "_xps",
        ("frame", "point"),
        save_surface_figure,
        {"spectra": save_spectra_figure, "depth_profile": save_depth_profile_figure},
    ),
    "sem": _Files(
        "_sem",
        ("row", "column", "deposit", "wall", "wall_row", "wall_column"),
        save_layers_figure,
        {"images": save_images_figure, "milled": save_milled_figure},
    ),
    "eds": _Files(
        "_eds", ("channel", "map_row", "map_column"), save_elements_figure, {"x_rays": save_x_rays_figure}
    ),
    "ebsd": _Files(
        "_ebsd", ("row", "column", "channel"), save_grains_figure, {"maps": save_orientations_figure}
    ),
    "tem": _Files("_tem", ("row", "column"), None, {"frames": save_frames_figure}),
    "eels": _Files(
        "_eels",
        ("channel", "x", "y", "wide_x", "edge"),
        None,
        {"thickness": save_thickness_figure, "compounds": save_loss_maps_figure},
    ),
}


def write_results(run: Any, data: xr.Dataset, folder: Path) -> dict[str, Path]:
    """Write `operando.csv`, `operando.nc` and `operando.png` into a folder, with `_raman` or `_xps` for
    spectra; those of a cell that was carried away are called `ex_situ`, without a course. Patterns are shown
    as `patterns.png` too, Raman spectra of a grid as `maps.png`, photoelectron spectra as `spectra.png`.

    Returns
    -------
    dict of str to Path
        The files by kind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_cycled, files = "test_time_second" in data.coords, _FILES[data.attrs["technique"]]
    has_course = is_cycled and files.course is not None
    name, kinds = "operando" if is_cycled else "ex_situ", ("csv", "nc", *(("png",) if has_course else ()))
    paths = {kind: folder / f"{name}{files.suffix}.{kind}" for kind in kinds}
    to_csv(data.drop_dims(set(files.not_in_table) & set(data.dims)), paths["csv"])
    to_netcdf(data, paths["nc"])
    title = f"{data.attrs['sample']}{' (simulated)' if data.attrs['simulated'] else ''}"
    for picture, save in files.pictures.items():
        with contextlib.suppress(MapError):
            save(folder / f"{picture}.png", data, title)
            paths[picture] = folder / f"{picture}.png"
    if is_cycled and files.course is not None:
        files.course(paths["png"], data, records(cycling_source(run).run), title)
    return paths


def write_beam_effect(found: Comparison, start: Any, control_start: Any, folder: Path) -> list[Path]:
    """Write `beam_effect.json` and, where anything was compared, `beam_effect.png` into a folder.

    Parameters
    ----------
    start, control_start
        Start documents of the runs with the exposed spot, and with the controls.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_simulated = bool(start.get("simulated", False))
    origin = {"run": start["uid"], "control_run": control_start["uid"], "sample": start["sample"],
              "simulated": is_simulated}  # fmt: skip
    paths = [folder / "beam_effect.json"]
    paths[0].write_text(json.dumps({**origin, **found.as_json()}, indent=1))
    if found.differences:
        paths.append(folder / "beam_effect.png")
        save_beam_effect_figure(paths[1], found, f"{start['sample']}{' (simulated)' if is_simulated else ''}")
    return paths

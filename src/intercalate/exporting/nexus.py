"""Runs as NeXus: one file, one `NXentry` for each run, base classes throughout.

No application definition is claimed: that of a powder diffractometer (NXmonopd) holds one pattern of whole
counts in an entry, and a run is a series of normalised ones. What has no place in a base class is kept in an
`NXcollection`.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from intercalate.calibrations import Calibration, CalibrationError, Kind
from intercalate.catalog.alignment import align, frames_alone
from intercalate.catalog.client import CatalogError, frames, image_streams, records
from intercalate.catalog.export import SPARE, ExportError, require_new, require_room, whole_file
from intercalate.catalog.kept import kept
from intercalate.catalog.linked import current_cell, cycling_source, has_records
from intercalate.catalog.lithium import plain
from intercalate.catalog.summaries import technique_of
from intercalate.catalog.take_home import stream_table
from intercalate.config import Config
from intercalate.contract import XRD_NAMES
from intercalate.exporting.nexus_frames import copy_frames
from intercalate.heat_map import heatmap
from intercalate.patterns import PatternSource, pattern_source
from intercalate.reduction import Pattern
from intercalate.reduction.integration import load_geometry

Progress = Callable[[int], None]

_SOURCES = {
    "xrd": ("x-ray", "Synchrotron X-ray Source"),
    "laboratory_xrd": ("x-ray", "Fixed Tube X-ray"),
    "raman": ("visible light", "Laser"),
    "optical": ("visible light", "LED"),
    "xps": ("x-ray", "Fixed Tube X-ray"),
}
"""Probe and type of the source of each technique; of all others, electrons."""

USER_MASK = 1 << 8
"""Bit of `pixel_mask` for pixels that a user does not want; NXdetector."""

_ALONG = {"test_time_second": "test_time", "start_unix_s": "time", "voltage_volt": "voltage"}
"""Names of coordinates of frames; units say the rest."""


def to_nexus(
    runs: Sequence[Any],
    path: Path,
    config: Config,
    *,
    with_frames: bool = True,
    progress: Progress = lambda done: None,
) -> Path:
    """Write runs into a new file.

    Parameters
    ----------
    config
        Says where calibrations are.
    with_frames
        Copy frames as they are, compressed. Without them a file holds patterns, spectra and records alone.
    progress
        Called with the number of patterns made.

    Raises
    ------
    ExportError
        If the file is there, a run has neither frames nor records, or the file cannot be written.
    """
    require_new(path)
    require_room(path, SPARE * sum(map(_size, runs)) if with_frames else 0.0)
    with whole_file(path) as draft, h5py.File(draft, "w", libver=("earliest", "v110")) as file:
        root = file.attrs
        root["NX_class"], root["file_name"] = "NXroot", path.name
        root["file_time"] = _iso(datetime.now(UTC).timestamp())
        root["creator"], root["creator_version"] = "intercalate", version("intercalate")
        root["HDF5_Version"], root["h5py_version"] = h5py.version.hdf5_version, h5py.version.version
        for run in map(kept, runs):
            name = f"run_{run.metadata['start']['uid'][:8]}"
            if "default" not in root:
                root["default"] = name
            _write_entry(_group(file, name, "NXentry"), run, config, with_frames, progress)
    return path


def _size(run: Any) -> float:
    """Bytes of the files of frames of a run, as far as they are here; raw where they are not."""
    total = 0.0
    for stream, key in image_streams(run).items():
        if key in run[stream].base:
            images = frames(run, stream)
            places = images.places()
            files = {path for path, _, _ in places or ()}
            raw = float(np.prod(images.shape)) * images.dtype.itemsize
            total += sum(path.stat().st_size for path in files) if places else raw
            images.close()
    return total


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")


def _group(parent: h5py.Group, name: str, kind: str, **attributes: Any) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    group.attrs.update(attributes)
    return group


def _field(group: h5py.Group, name: str, value: Any, units: str = "", **attributes: Any) -> h5py.Dataset:
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        array = np.asarray(value, dtype=h5py.string_dtype())
    compression = {"compression": "gzip", "compression_opts": 4} if array.ndim > 1 else {}
    made = group.create_dataset(name, data=array, **compression)
    if units:
        made.attrs["units"] = units
    made.attrs.update(attributes)
    return made


def _note(parent: h5py.Group, name: str, content: Any, description: str) -> h5py.Group:
    """A text, or as JSON what is none."""
    note = _group(parent, name, "NXnote")
    text = content if isinstance(content, str) else json.dumps(plain(content), indent=1)
    _field(note, "type", "text/plain" if isinstance(content, str) else "application/json")
    _field(note, "description", description)
    # NXnote wants bytes.
    note.create_dataset("data", data=np.frombuffer(text.encode(), np.uint8))
    return note


def _write_entry(entry: h5py.Group, run: Any, config: Config, with_frames: bool, progress: Progress) -> None:
    start, stop = run.metadata["start"], run.metadata.get("stop") or {}
    simulated = bool(start.get("simulated", False))
    sample = str(start.get("sample", start.get("place", "")))
    said = " (simulated)" if simulated else ""
    _field(entry, "title", f"{start.get('plan_name', 'run')} of {sample or 'no sample'}{said}")
    _field(entry, "entry_identifier_uuid", start["uid"])
    _field(entry, "start_time", _iso(start["time"]))
    if stop:
        _field(entry, "end_time", _iso(stop["time"]))
    if "experiment_uid" in start:
        _field(entry, "experiment_identifier", start["experiment_uid"])
    if simulated:
        _field(entry, "experiment_description", "SIMULATED DATA: no sample was measured")
    _field(entry, "program_name", "intercalate", version=version("intercalate"))
    _write_sample(_group(entry, "sample", "NXsample"), run, sample, simulated)
    instrument = _group(entry, "instrument", "NXinstrument")
    _field(instrument, "name", f"intercalate{said}")
    plots = []
    for stream, key in image_streams(run).items():
        if key in run[stream].base:
            plots.append(_write_stream(entry, instrument, run, stream, key, config, with_frames, progress))
    if has_records(run):
        plots.append(_write_records(entry, records(cycling_source(run).run)))
    if not plots:
        raise ExportError(f"run {start['uid']} has neither frames nor records of a cycler: nothing to show")
    entry.attrs["default"] = plots[0]
    _write_documents(_group(entry, "bluesky", "NXcollection"), run, simulated)


def _write_sample(group: h5py.Group, run: Any, name: str, simulated: bool) -> None:
    """The cell."""
    cell, note = current_cell(run)
    _field(group, "name", name or "none")
    if cell is None:
        return
    _field(group, "type", "simulated data" if simulated else "sample")
    said = f"{cell.positive.material} | {cell.negative.material} cell, {cell.format}"
    _field(group, "description", f"{said}; {note}" if note else said)
    if cell.positive.formula:
        _field(group, "chemical_formula", cell.positive.formula)
    content = cell.model_dump(mode="json", exclude_none=True)
    _note(group, "cell", content, "the cell as it was described")


def _write_stream(
    entry: h5py.Group,
    instrument: h5py.Group,
    run: Any,
    stream: str,
    key: str,
    config: Config,
    with_frames: bool,
    progress: Progress,
) -> str:
    """Detector, beam, monitor and plot of one stream; returns the name of the plot."""
    technique = technique_of(key) or "other"
    aligned = align(run, stream) if has_records(run) else frames_alone(run, stream)
    detector = _group(instrument, f"detector_{stream}", "NXdetector")
    _field(detector, "description", f"{technique}, events of the stream {stream}")
    _field(detector, "local_name", key.removesuffix("_image"))
    _field(detector, "count_time", np.asarray(aligned["exposure_s"], float), "s")
    _field(detector, "sequence_number", np.asarray(aligned["frame_index"], int))
    if with_frames:
        copy_frames(detector, run, stream)
    _write_source(instrument, technique, config, bool(run.metadata["start"].get("simulated", False)))
    if "i0_counts" in aligned:
        _write_monitor(_group(entry, f"monitor_{stream}", "NXmonitor"), aligned)
    plot = _group(entry, stream, "NXdata")
    process = _group(entry, f"process_{stream}", "NXprocess")
    _field(process, "program", "intercalate")
    _field(process, "version", version("intercalate"))
    try:
        if technique in XRD_NAMES:
            source = pattern_source(run, config, stream, technique)
            _write_geometry(entry, detector, source)
            beam: Any = instrument[f"beam_{technique}"]
            if "incident_wavelength" not in beam:
                _field(beam, "incident_wavelength", np.array([source.chain.wavelength_angstrom]), "angstrom")
            _write_patterns(plot, source, progress)
            _note(process, "steps", source.chain.steps, "what was done to every frame, in order")
        else:
            _write_spectra(plot, run, stream, aligned, config)
    except (CalibrationError, CatalogError, ValueError) as error:
        _note(process, "not_reduced", str(error), "why there are frames alone")
        _write_images(plot, detector, aligned, with_frames, stream)
    return stream


def _write_source(instrument: h5py.Group, technique: str, config: Config, simulated: bool) -> None:
    probe, kind = _SOURCES.get(technique, ("electron", ""))
    name = f"source_{technique}"
    if name in instrument:
        return
    source = _group(instrument, name, "NXsource")
    _field(source, "name", f"source of {technique}{' (simulated)' if simulated else ''}")
    _field(source, "probe", probe)
    if kind:
        _field(source, "type", kind)
    beam = _group(instrument, f"beam_{technique}", "NXbeam")
    if technique in config.instruments:
        section: Any = config.instrument(technique)
        kev = getattr(section, "particle_kev", None)
        if kev is not None:
            _field(
                beam, "incident_energy", np.array([kev]), "keV", long_name="Energy of a particle, on paper"
            )
        if technique == "xrd":
            _field(beam, "extent", np.array([config.beam.size_mm], float), "mm")


def _write_monitor(monitor: h5py.Group, aligned: xr.Dataset) -> None:
    exposure_s = np.asarray(aligned["exposure_s"], float)
    _field(monitor, "mode", "timer")
    _field(monitor, "preset", float(exposure_s[0]) if exposure_s.size else float("nan"), "s")
    counts = np.asarray(aligned["i0_counts"], float)
    _field(monitor, "data", counts, "counts", long_name="I0, before the sample")
    _field(monitor, "integral", float(np.nansum(counts)), "counts")
    if "live_time_s" in aligned:
        _field(monitor, "count_time", np.asarray(aligned["live_time_s"], float), "s")


def _write_geometry(entry: h5py.Group, detector: h5py.Group, source: PatternSource) -> None:
    """Mask and calibrated geometry at the detector, and every calibration with its hash."""
    mask = np.where(source.chain.corrections.mask, USER_MASK, 0).astype(np.uint32)
    _field(detector, "pixel_mask", mask)
    _field(detector, "pixel_mask_applied", False)
    geometry = source.calibrations[str(Kind.GEOMETRY)]
    poni = geometry.text("geometry.poni")
    flat = load_geometry(poni).getFit2D()
    size_mm = flat["pixelX"] / 1000.0, flat["pixelY"] / 1000.0
    _field(detector, "distance", flat["directDist"], "mm")
    _field(detector, "beam_center_x", flat["centerX"] * size_mm[0], "mm")
    _field(detector, "beam_center_y", flat["centerY"] * size_mm[1], "mm")
    _field(detector, "x_pixel_size", size_mm[0], "mm")
    _field(detector, "y_pixel_size", size_mm[1], "mm")
    _field(detector, "calibration_date", geometry.made.isoformat())
    _note(detector, "poni", poni, "geometry and wavelength, for pyFAI")
    kept = entry["calibrations"] if "calibrations" in entry else _group(entry, "calibrations", "NXcollection")
    assert isinstance(kept, h5py.Group)
    for name, one in source.calibrations.items():
        _write_calibration(kept, name.replace(":", "_"), one)


def _write_calibration(kept: h5py.Group, name: str, one: Calibration) -> None:
    if name not in kept:
        note = _note(kept, name, one.values, f"{one.name}, of run {one.run}")
        _field(note, "date", one.made.isoformat())
        _field(note, "checksum", one.sha256)
        _field(note, "algorithm", "SHA-256")


def _write_patterns(plot: h5py.Group, source: PatternSource, progress: Progress) -> None:
    found = list(source.patterns(progress))
    good = [one for one in found if isinstance(one, Pattern)]
    if not good:
        raise CatalogError(f"no frame gives a pattern: {found[0] if found else 'there is none'}")
    angles = good[0].two_theta_deg
    intensity = np.full((len(found), angles.size), np.nan, np.float32)
    sigma = intensity.copy()
    for number, one in enumerate(found):
        if isinstance(one, Pattern):
            intensity[number] = np.interp(angles, one.two_theta_deg, one.intensity)
            sigma[number] = np.interp(angles, one.two_theta_deg, one.sigma)
    _field(plot, "two_theta", angles, "degree", long_name="2theta")
    _field(plot, "intensity", intensity, long_name="Intensity, counts per pixel, normalised where counted")
    _field(plot, "intensity_errors", sigma)
    _axes(plot, source.aligned, "intensity", ["two_theta"])


def _write_spectra(plot: h5py.Group, run: Any, stream: str, aligned: xr.Dataset, config: Config) -> None:
    data = heatmap(run, stream, config=config, against="frame", region=_first_region(aligned))
    across = str(data.dims[1])
    rows = np.asarray(data["frame"], int)
    _field(plot, across, np.asarray(data[across], float), data[across].attrs.get("units", ""))
    _field(plot, "intensity", np.asarray(data, np.float32), "counts", long_name=data.attrs["origin"])
    _axes(plot, aligned.isel(frame=rows), "intensity", [across])


def _first_region(aligned: xr.Dataset) -> str | None:
    return str(aligned["analyser_region"].values[0]) if "analyser_region" in aligned else None


def _write_images(
    plot: h5py.Group, detector: h5py.Group, aligned: xr.Dataset, with_frames: bool, stream: str
) -> None:
    """Frames as they are, which stay where the detector has them."""
    if not with_frames:
        raise ExportError(
            f"{stream} has images alone, and frames were to be left out: there is nothing to show"
        )
    detector["data"].attrs["target"] = detector["data"].name
    plot["data"] = detector["data"]
    _axes(plot, aligned, "data", [".", "."])


def _axes(plot: h5py.Group, aligned: xr.Dataset, signal: str, more: Sequence[str]) -> None:
    """Say which field is which axis."""
    along = [name for name in _ALONG if name in aligned or name in aligned.coords]
    for name in along:
        units = aligned[name].attrs.get("units", "")
        _field(plot, _ALONG[name], np.asarray(aligned[name], float), units)
        plot.attrs[f"{_ALONG[name]}_indices"] = np.array([0], dtype=np.int32)
    plot.attrs["signal"] = signal
    plot.attrs["axes"] = np.array([_ALONG[along[0]] if along else ".", *more], dtype=h5py.string_dtype())
    for number, name in enumerate(more, 1):
        if name != ".":
            plot.attrs[f"{name}_indices"] = np.array([number], dtype=np.int32)


def _write_records(entry: h5py.Group, table: xr.Dataset) -> str:
    plot = _group(entry, "cycling", "NXdata")
    for name, column in table.data_vars.items():
        _field(plot, str(name), np.asarray(column, float), column.attrs.get("units", ""))
        plot.attrs[f"{name}_indices"] = np.array([0], dtype=np.int32)
    plot.attrs["signal"] = "voltage_volt"
    plot.attrs["auxiliary_signals"] = np.array(["current_ampere"], dtype=h5py.string_dtype())
    plot.attrs["axes"] = np.array(["test_time_second"], dtype=h5py.string_dtype())
    return "cycling"


def _write_documents(group: h5py.Group, run: Any, simulated: bool) -> None:
    """Start and stop documents, and every stream as a table, so that nothing of the run is missing."""
    _field(group, "simulated", int(simulated))
    for name in ("start", "stop"):
        if run.metadata.get(name):
            _note(group, name, run.metadata[name], f"{name} document of the run")
    for name in run:
        if "internal" in run[name].base:
            made = _group(group, f"stream_{name}", "NXcollection")
            for column, values in stream_table(run, name).data_vars.items():
                _field(made, str(column), values.to_numpy(), values.attrs.get("units", ""))
